// Workload.
import type { Workload } from '#generated/api/scheduling-v1alpha2.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const workload: ResourceDefinition<Workload> = defineKind<Workload>({
  group: 'scheduling.k8s.io',
  resource: 'workloads',
});
