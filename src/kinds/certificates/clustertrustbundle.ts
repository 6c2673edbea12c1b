// ClusterTrustBundle.
import type { ClusterTrustBundle } from '#generated/api/certificates-v1beta1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const clusterTrustBundle: ResourceDefinition<ClusterTrustBundle> = defineKind<ClusterTrustBundle>({
  group: 'certificates.k8s.io',
  resource: 'clustertrustbundles',
});
