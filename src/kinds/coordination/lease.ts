// Lease.
import type { Lease } from '#generated/api/coordination-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const lease: ResourceDefinition<Lease> = defineKind<Lease>({
  group: 'coordination.k8s.io',
  resource: 'leases',
});
