// CSIDriver.
import type { CSIDriver } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const csiDriver: ResourceDefinition<CSIDriver> = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  resource: 'csidrivers',
});
