// EndpointSlice.
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const endpointSlice: ResourceDefinition<EndpointSlice> = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  resource: 'endpointslices',
});
