// CSINode.
import type { CSINode } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const csiNode: ResourceDefinition<CSINode> = defineKind<CSINode>({
  group: 'storage.k8s.io',
  resource: 'csinodes',
});
