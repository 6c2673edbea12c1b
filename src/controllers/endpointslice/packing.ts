// Distributes endpoints over EndpointSlices with few writes: what is in place stays, gaps are filled, the rest goes into
// new slices of at most 100. Upstream: k8s.io/endpointslice reconciler.reconcileByPortMapping.
import type { Endpoint, EndpointPort, EndpointSlice } from '#generated/api/discovery-v1.ts';
import { sameValue } from '../runtime/equality.ts';
import { canonical } from '../runtime/hash.ts';

/** Upstream's --max-endpoints-per-slice. */
export const MAX_ENDPOINTS_PER_SLICE = 100;

/** Endpoints that have the same resolved ports. */
export interface EndpointGroup {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** What every slice of the service carries. */
export interface SliceFrame {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface SlicePlan {
  readonly create: readonly EndpointGroup[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** `groups` of one address type each; `existing` are the slices that the controller manages for the service. */
export function planSlices(
  groups: readonly EndpointGroup[],
  existing: readonly EndpointSlice[],
  frame: SliceFrame,
  max = MAX_ENDPOINTS_PER_SLICE,
): SlicePlan {
  const create: EndpointGroup[] = [];
  const update: EndpointSlice[] = [];
  const used = new Set<EndpointSlice>();
  for (const group of groups) {
    const id = groupId(group);
    const slices = existing.filter((s) => groupId({ addressType: s.addressType, ports: s.ports ?? [] }) === id);
    for (const s of slices) used.add(s);
    const plan = packGroup(group, slices, frame, max);
    create.push(...plan.create);
    update.push(...plan.update);
    for (const s of plan.remove) used.delete(s);
  }
  return { create, update, remove: existing.filter((s) => !used.has(s)) };
}

function packGroup(group: EndpointGroup, slices: readonly EndpointSlice[], frame: SliceFrame, max: number): SlicePlan {
  const wanted = new Map(group.endpoints.map((e) => [endpointId(e), e]));
  // What is in place stays there, in its newest form.
  const contents = slices.map((slice) => {
    const kept = (slice.endpoints ?? []).flatMap((e) => {
      const next = wanted.get(endpointId(e));
      wanted.delete(endpointId(e));
      return next === undefined ? [] : [next];
    });
    return { slice, endpoints: kept, changed: !sameValue(kept, slice.endpoints ?? []) || !sameFrame(slice, frame) };
  });
  // The rest fills gaps, first in slices that are written anyway, then in those with most in them.
  const rest = [...wanted.values()];
  const order = contents.toSorted(
    (a, b) => Number(b.changed) - Number(a.changed) || b.endpoints.length - a.endpoints.length,
  );
  for (const content of order) {
    const room = max - content.endpoints.length;
    if (rest.length === 0 || room <= 0) continue;
    content.endpoints = [...content.endpoints, ...rest.splice(0, room)];
    content.changed = true;
  }
  const create: EndpointGroup[] = [];
  while (rest.length > 0) create.push({ ...group, endpoints: rest.splice(0, max) });

  // An empty slice stays only as the placeholder of a group that is meant to be empty.
  const placeholder = group.endpoints.length === 0 ? contents[0] : undefined;
  if (group.endpoints.length === 0 && placeholder === undefined) create.push(group);
  const remove = contents.filter((c) => c.endpoints.length === 0 && c !== placeholder);
  const update = contents
    .filter((c) => c.changed && !remove.includes(c))
    .map(({ slice, endpoints }) => withFrame({ ...slice, endpoints }, frame));
  return { create, update, remove: remove.map((c) => c.slice) };
}

function withFrame(slice: EndpointSlice, { labels, annotations }: SliceFrame): EndpointSlice {
  return { ...slice, metadata: { ...slice.metadata, labels, ...(annotations === undefined ? {} : { annotations }) } };
}

function sameFrame(slice: EndpointSlice, { labels, annotations }: SliceFrame): boolean {
  return (
    sameValue(slice.metadata.labels, labels) &&
    (annotations === undefined || sameValue(slice.metadata.annotations, annotations))
  );
}

const portId = (p: EndpointPort): string =>
  canonical([p.name ?? '', p.port ?? null, p.protocol ?? 'TCP', p.appProtocol ?? null]);

function groupId({ addressType, ports }: Pick<EndpointGroup, 'addressType' | 'ports'>): string {
  return `${addressType} ${ports.map(portId).sort().join()}`;
}

/** An endpoint is the same one when pod and addresses are; its conditions may change. */
const endpointId = (e: Endpoint): string => canonical([e.addresses, e.targetRef?.uid ?? null, e.hostname ?? null]);

/** Puts endpoints with equal ports together; `ports` order is the service's. */
export function groupByPorts(
  addressType: string,
  entries: readonly { readonly ports: readonly EndpointPort[]; readonly endpoint: Endpoint }[],
): readonly EndpointGroup[] {
  const groups = new Map<string, { addressType: string; ports: readonly EndpointPort[]; endpoints: Endpoint[] }>();
  for (const { ports, endpoint } of entries) {
    const id = groupId({ addressType, ports });
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { addressType, ports, endpoints: [endpoint] });
    else group.endpoints.push(endpoint);
  }
  return [...groups.values()];
}
