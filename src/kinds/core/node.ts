// Node.
import type { Node } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const node: ResourceDefinition<Node> = defineKind<Node>({
  resource: 'nodes',
  shortNames: ['no'],
  storagePrefix: 'minions',
});
