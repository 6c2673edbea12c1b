// PersistentVolume.
import type { PersistentVolume } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const persistentVolume: ResourceDefinition<PersistentVolume> = defineKind<PersistentVolume>({
  resource: 'persistentvolumes',
  shortNames: ['pv'],
});
