// StorageClass.
import type { StorageClass } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const storageClass: ResourceDefinition<StorageClass> = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  resource: 'storageclasses',
  shortNames: ['sc'],
});
