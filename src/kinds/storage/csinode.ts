// CSINode.
import type { CSINode } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const csiNode: ResourceDefinition<CSINode> = defineKind<CSINode>({
  group: 'storage.k8s.io',
  resource: 'csinodes',
  table: {
    columns: [NAME, column('Drivers', 'integer'), AGE],
    cells: (n, nowMs) => [nameOf(n), n.spec?.drivers?.length ?? 0, ageOf(n, nowMs)],
  },
});
