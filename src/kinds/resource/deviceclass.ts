// DeviceClass.
import type { DeviceClass } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const deviceClass: ResourceDefinition<DeviceClass> = defineKind<DeviceClass>({
  group: 'resource.k8s.io',
  resource: 'deviceclasses',
  strategy: { generation: true },
});
