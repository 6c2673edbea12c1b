// VolumeAttributesClass.
import type { VolumeAttributesClass } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const volumeAttributesClass: ResourceDefinition<VolumeAttributesClass> = defineKind<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  resource: 'volumeattributesclasses',
  shortNames: ['vac'],
  table: {
    columns: [NAME, column('DriverName'), AGE],
    cells: (c, nowMs) => [nameOf(c), c.driverName ?? '', ageOf(c, nowMs)],
  },
});
