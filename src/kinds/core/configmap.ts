// ConfigMap.
import type { ConfigMap } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const configMap: ResourceDefinition<ConfigMap> = defineKind<ConfigMap>({
  resource: 'configmaps',
  shortNames: ['cm'],
});
