// ResourceQuota.
import type { ResourceQuota } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const resourceQuota: ResourceDefinition<ResourceQuota> = defineKind<ResourceQuota>({
  resource: 'resourcequotas',
  shortNames: ['quota'],
});
