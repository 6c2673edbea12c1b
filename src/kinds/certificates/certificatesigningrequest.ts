// CertificateSigningRequest.
import type { CertificateSigningRequest } from '#generated/api/certificates-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const certificateSigningRequest: ResourceDefinition<CertificateSigningRequest> = defineKind<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  resource: 'certificatesigningrequests',
  shortNames: ['csr'],
});
