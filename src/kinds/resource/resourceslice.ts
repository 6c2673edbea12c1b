// ResourceSlice.
import type { ResourceSlice } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const resourceSlice: ResourceDefinition<ResourceSlice> = defineKind<ResourceSlice>({
  group: 'resource.k8s.io',
  resource: 'resourceslices',
  strategy: { generation: true },
});
