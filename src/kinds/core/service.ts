// Service.
import type { Service } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const service: ResourceDefinition<Service> = defineKind<Service>({
  resource: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  storagePrefix: 'services/specs',
});
