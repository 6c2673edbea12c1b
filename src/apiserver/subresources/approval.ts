// approval of a CertificateSigningRequest: only the Approved and Denied conditions may change.
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '#generated/api/certificates-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { get } from '../verbs/read.ts';
import { negotiate } from '../negotiation.ts';
import { showWritten } from '../verbs/create.ts';
import { writeOptions } from '../verbs/options.ts';
import type { Subresource } from './subresource.ts';

const isVerdict = (c: CertificateSigningRequestCondition): boolean => c.type === 'Approved' || c.type === 'Denied';

export const approval: Subresource = {
  name: 'approval',
  resource: 'certificates.k8s.io/certificatesigningrequests',
  verbs: ['get', 'update'],
  async serve(served, context, { codec, writer }) {
    if (context.info.verb === 'get') return get(served, context);
    const accepted = negotiate(context.request.headers.accept);
    const options = writeOptions(context, 'UpdateOptions');
    const body = codec.decode(served, context, options.fieldValidation);
    const written = await writer.write({
      served,
      context,
      subresource: 'approval',
      verb: 'update',
      mode: 'update',
      options,
      namespace: '',
      name: context.info.name,
      desired: () => body,
      prepare: (object, old) => {
        const before = old as CertificateSigningRequest & KubeObject;
        const wanted = ((object as CertificateSigningRequest).status?.conditions ?? []).filter(isVerdict).map((c) => ({
          ...c,
          lastUpdateTime: c.lastUpdateTime ?? context.nowText,
          lastTransitionTime: c.lastTransitionTime ?? context.nowText,
        }));
        const others = (before.status?.conditions ?? []).filter((c) => !isVerdict(c));
        return { ...before, status: { ...before.status, conditions: [...others, ...wanted] } } as KubeObject;
      },
      validate: (object) => served.definition.strategy.validateStatusUpdate?.(object, object) ?? [],
    });
    return showWritten(200, served, written, accepted, context);
  },
};
