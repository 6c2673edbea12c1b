// VolumeAttributesClass.
import type { VolumeAttributesClass } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const volumeAttributesClass: ResourceDefinition<VolumeAttributesClass> = defineKind<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  resource: 'volumeattributesclasses',
  shortNames: ['vac'],
});
