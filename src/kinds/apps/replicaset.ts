// ReplicaSet.
import type { ReplicaSet } from '#generated/api/apps-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const replicaSet: ResourceDefinition<ReplicaSet> = defineKind<ReplicaSet>({
  group: 'apps',
  resource: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
});
