// PersistentVolumeClaim.
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const persistentVolumeClaim: ResourceDefinition<PersistentVolumeClaim> = defineKind<PersistentVolumeClaim>({
  resource: 'persistentvolumeclaims',
  shortNames: ['pvc'],
});
