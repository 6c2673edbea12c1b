// VolumeAttachment.
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const volumeAttachment: ResourceDefinition<VolumeAttachment> = defineKind<VolumeAttachment>({
  group: 'storage.k8s.io',
  resource: 'volumeattachments',
});
