// ControllerRevision.
import type { ControllerRevision } from '#generated/api/apps-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const controllerRevision: ResourceDefinition<ControllerRevision> = defineKind<ControllerRevision>({
  group: 'apps',
  resource: 'controllerrevisions',
});
