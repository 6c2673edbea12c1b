// ResourceSlice.
import type { ResourceSlice } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const resourceSlice: ResourceDefinition<ResourceSlice> = defineKind<ResourceSlice>({
  group: 'resource.k8s.io',
  resource: 'resourceslices',
  table: {
    columns: [NAME, column('Node'), column('Driver'), column('Pool'), AGE],
    cells: (s, nowMs) => [
      nameOf(s),
      s.spec?.nodeName ?? '',
      s.spec?.driver ?? '',
      s.spec?.pool?.name ?? '',
      ageOf(s, nowMs),
    ],
  },
  strategy: { generation: true },
});
