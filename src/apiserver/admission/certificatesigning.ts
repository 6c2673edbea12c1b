// CertificateSigning: who puts a certificate (or a failure) into a signing request needs the verb `sign` on its signer.
import type { CertificateSigningRequest } from '#generated/api/certificates-v1.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin, Authorizer } from '../pipeline.ts';
import { mayActForSigner } from './certificateapproval.ts';
import { admissionForbidden } from './forbidden.ts';

export interface CertificateSigningDeps {
  readonly authorizer: Authorizer;
}

export class CertificateSigning implements AdmissionPlugin {
  readonly name = 'CertificateSigning';
  readonly #deps: CertificateSigningDeps;

  constructor(deps: CertificateSigningDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return (
      operation === 'UPDATE' &&
      group === 'certificates.k8s.io' &&
      resource === 'certificatesigningrequests' &&
      subresource === 'status'
    );
  }

  async validate(a: AdmissionAttributes): Promise<void> {
    const made = (a.object as CertificateSigningRequest).status;
    const old = a.oldObject as CertificateSigningRequest;
    if (
      made?.certificate === old.status?.certificate &&
      JSON.stringify(made?.conditions) === JSON.stringify(old.status?.conditions)
    )
      return;
    const { signerName } = old.spec;
    if (await mayActForSigner(this.#deps.authorizer, a.user, 'sign', signerName)) return;
    throw admissionForbidden(a, `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
  }
}
