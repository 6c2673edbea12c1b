// Deployment.
import type { Deployment } from '#generated/api/apps-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const deployment: ResourceDefinition<Deployment> = defineKind<Deployment>({
  group: 'apps',
  resource: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
});
