// CSIStorageCapacity.
import type { CSIStorageCapacity } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const csiStorageCapacity: ResourceDefinition<CSIStorageCapacity> = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  resource: 'csistoragecapacities',
  table: {
    columns: [NAME, column('StorageClassName'), column('Capacity'), AGE],
    cells: (c, nowMs) => [nameOf(c), c.storageClassName ?? '', c.capacity ?? '', ageOf(c, nowMs)],
  },
});
