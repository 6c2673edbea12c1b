// ReplicationController.
import type { ReplicationController } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const replicationController: ResourceDefinition<ReplicationController> = defineKind<ReplicationController>({
  resource: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  storagePrefix: 'controllers',
});
