// ResourceClaimTemplate.
import type { ResourceClaimTemplate } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const resourceClaimTemplate: ResourceDefinition<ResourceClaimTemplate> = defineKind<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  resource: 'resourceclaimtemplates',
});
