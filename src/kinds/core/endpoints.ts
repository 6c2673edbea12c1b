// Endpoints.
import type { Endpoints } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const endpoints: ResourceDefinition<Endpoints> = defineKind<Endpoints>({
  resource: 'endpoints',
  shortNames: ['ep'],
  storagePrefix: 'services/endpoints',
});
