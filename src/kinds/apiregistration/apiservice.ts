// APIService.
import type { APIService } from '#generated/api/apiregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const apiService: ResourceDefinition<APIService> = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  resource: 'apiservices',
  categories: ['api-extensions'],
  storagePrefix: 'apiregistration.k8s.io/apiservices',
});
