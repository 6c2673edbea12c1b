// ResourceClaim.
import type { ResourceClaim } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const resourceClaim: ResourceDefinition<ResourceClaim> = defineKind<ResourceClaim>({
  group: 'resource.k8s.io',
  resource: 'resourceclaims',
  strategy: { generation: false },
});
