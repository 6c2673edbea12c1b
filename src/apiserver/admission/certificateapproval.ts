// CertificateApproval: who approves or denies a signing request needs the verb `approve` on its signer.
import type { CertificateSigningRequest } from '#generated/api/certificates-v1.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin, Authorizer } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

export interface CertificateApprovalDeps {
  readonly authorizer: Authorizer;
}

export class CertificateApproval implements AdmissionPlugin {
  readonly name = 'CertificateApproval';
  readonly #deps: CertificateApprovalDeps;

  constructor(deps: CertificateApprovalDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return (
      operation === 'UPDATE' &&
      group === 'certificates.k8s.io' &&
      resource === 'certificatesigningrequests' &&
      subresource === 'approval'
    );
  }

  async validate(a: AdmissionAttributes): Promise<void> {
    // The signer as it stands in the store: the body may say anything.
    const { signerName } = (a.oldObject as CertificateSigningRequest).spec;
    if (await mayActForSigner(this.#deps.authorizer, a.user, 'approve', signerName)) return;
    throw admissionForbidden(a, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
  }
}

/** Allowed on the signer by name, or on all signers of its domain (`example.com/*`). */
export async function mayActForSigner(
  authorizer: Authorizer,
  user: UserInfo,
  verb: string,
  signerName: string,
): Promise<boolean> {
  const domain = `${signerName.slice(0, signerName.indexOf('/'))}/*`;
  for (const name of [signerName, domain]) {
    const { decision } = await authorizer.authorize({
      user,
      verb,
      isResourceRequest: true,
      namespace: '',
      apiGroup: 'certificates.k8s.io',
      apiVersion: '*',
      resource: 'signers',
      subresource: '',
      name,
      path: '',
    });
    if (decision === 'allow') return true;
  }
  return false;
}
