// CertificateSubjectRestriction: the signer of client certificates never names a member of system:masters.
import type { CertificateSigningRequest } from '#generated/api/certificates-v1.ts';
import { parseSigningRequest, type SigningRequest } from '#pki/certificates.ts';
import { PRIVILEGED_GROUP } from '../authentication/users.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';

export class CertificateSubjectRestriction implements AdmissionPlugin {
  readonly name = 'CertificateSubjectRestriction';

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return (
      operation === 'CREATE' &&
      group === 'certificates.k8s.io' &&
      resource === 'certificatesigningrequests' &&
      subresource === ''
    );
  }

  async validate(a: AdmissionAttributes): Promise<void> {
    const { spec } = a.object as CertificateSigningRequest;
    if (spec.signerName !== CLIENT_SIGNER) return;
    let request: SigningRequest;
    try {
      request = await parseSigningRequest(Buffer.from(spec.request, 'base64').toString());
    } catch (error) {
      throw admissionForbidden(a, `failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (request.organizations.includes(PRIVILEGED_GROUP)) {
      throw admissionForbidden(a, `use of ${CLIENT_SIGNER} signer with ${PRIVILEGED_GROUP} group is not allowed`);
    }
  }
}
