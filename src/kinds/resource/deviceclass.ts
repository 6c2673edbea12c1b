// DeviceClass.
import type { DeviceClass } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, nameOf } from '../table.ts';

export const deviceClass: ResourceDefinition<DeviceClass> = defineKind<DeviceClass>({
  group: 'resource.k8s.io',
  resource: 'deviceclasses',
  table: {
    columns: [NAME, AGE],
    cells: (c, nowMs) => [nameOf(c), ageOf(c, nowMs)],
  },
  strategy: { generation: true },
});
