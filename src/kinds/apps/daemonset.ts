// DaemonSet.
import type { DaemonSet } from '#generated/api/apps-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const daemonSet: ResourceDefinition<DaemonSet> = defineKind<DaemonSet>({
  group: 'apps',
  resource: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
});
