// PodCertificateRequest.
import type { PodCertificateRequest } from '#generated/api/certificates-v1beta1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const podCertificateRequest: ResourceDefinition<PodCertificateRequest> = defineKind<PodCertificateRequest>({
  group: 'certificates.k8s.io',
  resource: 'podcertificaterequests',
  strategy: { generation: false },
});
