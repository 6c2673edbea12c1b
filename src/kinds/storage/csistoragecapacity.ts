// CSIStorageCapacity.
import type { CSIStorageCapacity } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const csiStorageCapacity: ResourceDefinition<CSIStorageCapacity> = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  resource: 'csistoragecapacities',
});
