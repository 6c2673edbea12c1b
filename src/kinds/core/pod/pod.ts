// Pod: names, table, strategy.
import type { Pod } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../../define.ts';

export const pod: ResourceDefinition<Pod> = defineKind<Pod>({
  resource: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  triggerField: 'spec.nodeName',
});
