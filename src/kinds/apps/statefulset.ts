// StatefulSet.
import type { StatefulSet } from '#generated/api/apps-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const statefulSet: ResourceDefinition<StatefulSet> = defineKind<StatefulSet>({
  group: 'apps',
  resource: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
});
