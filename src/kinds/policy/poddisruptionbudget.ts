// PodDisruptionBudget.
import type { PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const podDisruptionBudget: ResourceDefinition<PodDisruptionBudget> = defineKind<PodDisruptionBudget>({
  group: 'policy',
  resource: 'poddisruptionbudgets',
  shortNames: ['pdb'],
});
