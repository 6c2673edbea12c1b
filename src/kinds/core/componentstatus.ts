// ComponentStatus.
import type { ComponentStatus } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const componentStatus: ResourceDefinition<ComponentStatus> = defineKind<ComponentStatus>({
  resource: 'componentstatuses',
  shortNames: ['cs'],
});
