// PriorityLevelConfiguration.
import type { PriorityLevelConfiguration } from '#generated/api/flowcontrol-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const priorityLevelConfiguration: ResourceDefinition<PriorityLevelConfiguration> = defineKind<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  resource: 'prioritylevelconfigurations',
});
