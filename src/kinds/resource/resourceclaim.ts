// ResourceClaim.
import type { ResourceClaim } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { defaultDevices } from './device-requests.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const resourceClaim: ResourceDefinition<ResourceClaim> = defineKind<ResourceClaim>({
  group: 'resource.k8s.io',
  resource: 'resourceclaims',
  table: {
    columns: [NAME, column('State'), AGE],
    cells: (c, nowMs) => [nameOf(c), stateText(c), ageOf(c, nowMs)],
  },
  strategy: {
    generation: false,
    default: (c) => (c.spec === undefined ? c : { ...c, spec: defaultDevices(c.spec) }),
  },
});

/** What happened to it so far, in upstream's order. */
function stateText(c: ResourceClaim): string {
  const words: string[] = [];
  if (c.metadata.deletionTimestamp !== undefined) words.push('deleted');
  if (c.status?.allocation === undefined) {
    if (c.metadata.deletionTimestamp === undefined) words.push('pending');
  } else {
    words.push('allocated');
    words.push((c.status.reservedFor ?? []).length > 0 ? 'reserved' : '');
  }
  return words.filter((w) => w !== '').join(',');
}
