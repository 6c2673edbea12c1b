// LeaseCandidate.
import type { LeaseCandidate } from '#generated/api/coordination-v1beta1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const leaseCandidate: ResourceDefinition<LeaseCandidate> = defineKind<LeaseCandidate>({
  group: 'coordination.k8s.io',
  resource: 'leasecandidates',
});
