// ResourcePoolStatusRequest.
import type { ResourcePoolStatusRequest } from '#generated/api/resource-v1alpha3.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const resourcePoolStatusRequest: ResourceDefinition<ResourcePoolStatusRequest> =
  defineKind<ResourcePoolStatusRequest>({
    group: 'resource.k8s.io',
    resource: 'resourcepoolstatusrequests',
  });
