// CertificateSigningRequest.
import type { CertificateSigningRequest } from '#generated/api/certificates-v1.ts';
import { fieldError } from '#machinery/status.ts';
import { humanDuration } from '#machinery/time.ts';
import { type Errors, immutable } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, resetStatusOnCreate } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const certificateSigningRequest: ResourceDefinition<CertificateSigningRequest> =
  defineKind<CertificateSigningRequest>({
    group: 'certificates.k8s.io',
    resource: 'certificatesigningrequests',
    shortNames: ['csr'],
    selectableFields: { 'spec.signerName': (c) => c.spec?.signerName ?? '' },
    table: {
      columns: [NAME, AGE, column('SignerName'), column('Requestor'), column('RequestedDuration'), column('Condition')],
      cells: (c, nowMs) => [
        nameOf(c),
        ageOf(c, nowMs),
        c.spec?.signerName ?? '<none>',
        c.spec?.username ?? '',
        c.spec?.expirationSeconds === undefined ? '<none>' : humanDuration(c.spec.expirationSeconds * 1000),
        conditionText(c),
      ],
    },
    strategy: {
      generation: false,
      nameRule: 'path',
      default: (c) =>
        c.spec === undefined || (c.spec.usages ?? []).length > 0
          ? c
          : { ...c, spec: { ...c.spec, usages: ['digital signature', 'key encipherment'] } },
      // Who asks is what the signer certifies, so nobody says it for others.
      prepareForCreate: (c, { user }) => {
        const { username: _, uid: __, groups: ___, extra: ____, ...asked } = c.spec ?? {};
        const extra = Object.keys(user.extra ?? {}).length === 0 ? {} : { extra: user.extra };
        const { uid } = user;
        const who = { username: user.name, ...(uid === undefined ? {} : { uid }), groups: user.groups, ...extra };
        return resetStatusOnCreate({ ...c, spec: { ...asked, ...who } } as CertificateSigningRequest);
      },
      prepareForUpdate: (c, old) => ({ ...c, spec: old.spec, status: old.status }),
      validateCreate: (c) => {
        const errors: Errors = [];
        if ((c.spec?.request ?? '') === '') errors.push(fieldError.required('spec.request'));
        if ((c.spec?.signerName ?? '') === '') errors.push(fieldError.required('spec.signerName'));
        if (c.spec?.expirationSeconds !== undefined && c.spec.expirationSeconds < 600) {
          errors.push(
            fieldError.invalid(
              'spec.expirationSeconds',
              c.spec.expirationSeconds,
              'may not specify a duration less than 600 seconds (10 minutes)',
            ),
          );
        }
        return errors;
      },
      validateUpdate: (c, old) => {
        const errors: Errors = [];
        immutable(c.spec, old.spec, 'spec', errors);
        return errors;
      },
    },
  });

function conditionText(c: CertificateSigningRequest): string {
  const has = (type: string): boolean => c.status?.conditions?.some((x) => x.type === type) === true;
  const words = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) words.push('Failed');
  if ((c.status?.certificate ?? '') !== '') words.push('Issued');
  return words.join(',');
}
