// PodGroup.
import type { PodGroup } from '#generated/api/scheduling-v1alpha2.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const podGroup: ResourceDefinition<PodGroup> = defineKind<PodGroup>({
  group: 'scheduling.k8s.io',
  resource: 'podgroups',
});
