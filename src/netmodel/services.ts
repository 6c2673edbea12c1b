// What a Service means on a node: its ports, each with the endpoints that traffic may go to, by how the traffic enters.
// Follows the service proxy's rules of upstream (pkg/proxy topology.go): ready endpoints; else those still serving
// while they terminate; hints keep to this node or zone where all endpoints have them; Local policies keep to this node.
// Asked once for each address family.
import type { Endpoint, EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import { formatCIDR, parseCIDR } from '#base/ip.ts';
import { FAMILIES, type Family, isOfFamily } from './family.ts';
import type { Protocol } from './rules.ts';

export interface Target {
  readonly ip: string;
  readonly port: number;
}

/** Where one kind of entrance leads. `drop` is a Local policy without local endpoints, `reject` nothing anywhere. */
export type Destination =
  | { readonly to: 'targets'; readonly targets: readonly Target[] }
  | { readonly to: 'drop' }
  | { readonly to: 'reject' };

export interface ServicePortModel {
  /** `namespace/name:port`, upstream's form. */
  readonly key: string;
  readonly protocol: Protocol;
  readonly clusterIPs: readonly string[];
  readonly port: number;
  readonly nodePort: number | undefined;
  /** externalIPs and load balancer addresses that are delivered to nodes. */
  readonly externalIPs: readonly string[];
  /** Those of externalIPs that a load balancer gave. */
  readonly loadBalancerIPs: readonly string[];
  /** Whom the load balancer's addresses let in; undefined lets in all, an empty list nobody of this family. */
  readonly sourceRanges: readonly string[] | undefined;
  /** Seconds a client keeps its endpoint; undefined without session affinity. */
  readonly affinitySeconds: number | undefined;
  /** Through the cluster IP. */
  readonly internal: Destination;
  /** Through node ports and external addresses, and for clients within the cluster whatever the policy. */
  readonly external: Destination;
  /** externalTrafficPolicy Local: for clients outside the cluster, their address kept. */
  readonly externalLocal: Destination | undefined;
}

/** The node whose view it is. */
export interface ViewingNode {
  readonly name: string;
  /** Its label topology.kubernetes.io/zone. */
  readonly zone?: string | undefined;
}

interface Candidate extends Target {
  readonly ready: boolean;
  readonly terminatingButServing: boolean;
  readonly local: boolean;
  readonly hints: Endpoint['hints'];
}

/** `Service.metadata.labels` key that ties a slice to its service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** A service with this label belongs to another proxy. */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

/** Node label that trafficDistribution goes by. */
export const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** The older form of spec.loadBalancerSourceRanges. */
const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const DEFAULT_AFFINITY_SECONDS = 10_800;

/** No ports for headless and ExternalName services: names are all they have. */
export function servicePorts(
  service: Service,
  slices: readonly EndpointSlice[],
  node: ViewingNode,
  family: Family = 4,
): ServicePortModel[] {
  const spec = service.spec ?? {};
  const isOurs = (ip: string) => isOfFamily(ip, family);
  const clusterIPs = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).filter(isOurs);
  if (spec.type === 'ExternalName' || clusterIPs.length === 0) return [];
  if (service.metadata.labels?.[PROXY_NAME_LABEL] !== undefined) return [];
  const loadBalancerIPs = loadBalancerAddresses(service).filter(isOurs);
  const externalIPs = [...new Set([...(spec.externalIPs ?? []).filter(isOurs), ...loadBalancerIPs])];
  const exposed = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || externalIPs.length > 0;
  const affinitySeconds =
    spec.sessionAffinity === 'ClientIP'
      ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
      : undefined;
  const ofFamily = slices.filter((slice) => slice.addressType === FAMILIES[family].api);
  return (spec.ports ?? []).map((port) => {
    const candidates = candidatesOf(port.name ?? '', ofFamily, node.name);
    const anywhere = destination(candidates, near(candidates, node));
    const here = destination(
      candidates,
      candidates.filter((c) => c.local),
    );
    return {
      key: `${service.metadata.namespace}/${service.metadata.name}${port.name ? `:${port.name}` : ''}`,
      protocol: (port.protocol ?? 'TCP').toLowerCase() as Protocol,
      clusterIPs,
      port: port.port,
      nodePort:
        port.nodePort === undefined || port.nodePort === 0 || spec.type === 'ClusterIP' ? undefined : port.nodePort,
      externalIPs,
      loadBalancerIPs,
      sourceRanges: sourceRangesOf(service, family),
      affinitySeconds,
      internal: spec.internalTrafficPolicy === 'Local' ? here : anywhere,
      external: anywhere,
      externalLocal: exposed && spec.externalTrafficPolicy === 'Local' ? here : undefined,
    };
  });
}

/** The addresses of both families that a load balancer gave and nodes answer for. */
export function loadBalancerAddresses(service: Service): string[] {
  if (service.spec?.type !== 'LoadBalancer') return [];
  const ingress = (service.status?.loadBalancer?.ingress ?? []).filter((i) => i.ipMode !== 'Proxy');
  return [...new Set(ingress.flatMap((i) => i.ip ?? []))];
}

/** How many endpoints of the service are ready on the node: what its health check port tells load balancers. */
export function countLocalEndpoints(slices: readonly EndpointSlice[], nodeName: string): number {
  const ready = slices
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((e) => e.nodeName === nodeName && (e.conditions?.ready ?? true));
  // A pod of two families is in two slices.
  return new Set(ready.map((e) => e.targetRef?.uid ?? e.addresses[0])).size;
}

/** Nodes where traffic of policy Local ends: those with ready endpoints, else those with some that still serve. */
export function nodesWithEndpoints(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const all = slices.flatMap((slice) => slice.endpoints ?? []).filter((e) => e.nodeName !== undefined);
  const nodesOf = (endpoints: readonly Endpoint[]) => new Set(endpoints.map((e) => e.nodeName!));
  const ready = nodesOf(all.filter((e) => e.conditions?.ready ?? true));
  return ready.size > 0
    ? ready
    : nodesOf(all.filter((e) => e.conditions?.terminating === true && e.conditions.serving === true));
}

/** A range that names only the other family lets nobody of this one in. */
function sourceRangesOf(service: Service, family: Family): readonly string[] | undefined {
  if (service.spec?.type !== 'LoadBalancer') return undefined;
  const given =
    (service.spec.loadBalancerSourceRanges ?? []).length > 0
      ? service.spec.loadBalancerSourceRanges!
      : (service.metadata.annotations?.[SOURCE_RANGES_ANNOTATION] ?? '').split(',').filter((r) => r.trim() !== '');
  if (given.length === 0) return undefined;
  const ranges = given.flatMap((text) => parseCIDR(text.trim()) ?? []).filter((cidr) => cidr.family === family);
  return ranges.map(formatCIDR);
}

function candidatesOf(portName: string, slices: readonly EndpointSlice[], nodeName: string): Candidate[] {
  /** `ip:port` → candidate: slices may overlap while they are rewritten. */
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    const port = slice.ports?.find((p) => (p.name ?? '') === portName)?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const ip = endpoint.addresses?.[0];
      if (ip === undefined) continue;
      const ready = endpoint.conditions?.ready ?? true;
      const serving = endpoint.conditions?.serving ?? ready;
      const terminating = endpoint.conditions?.terminating ?? false;
      const candidate = {
        ip,
        port,
        ready,
        terminatingButServing: serving && terminating,
        local: endpoint.nodeName === nodeName,
        hints: endpoint.hints,
      };
      const key = `${ip}:${port}`;
      if (!found.get(key)?.ready) found.set(key, candidate);
    }
  }
  return [...found.values()];
}

/**
 * The candidates that the hints leave to this node: those for the node where every ready one has such hints and one is
 * for it, else those for its zone likewise, else all.
 */
function near(candidates: readonly Candidate[], node: ViewingNode): readonly Candidate[] {
  const ready = candidates.filter((c) => c.ready);
  const narrow = (names: (c: Candidate) => readonly { readonly name: string }[], own: string | undefined) => {
    if (own === undefined || own === '' || !ready.every((c) => names(c).length > 0)) return undefined;
    const mine = ready.filter((c) => names(c).some((n) => n.name === own));
    return mine.length > 0 ? mine : undefined;
  };
  return (
    narrow((c) => c.hints?.forNodes ?? [], node.name) ?? narrow((c) => c.hints?.forZones ?? [], node.zone) ?? candidates
  );
}

/** `usable` are those of the candidates that may be chosen here. */
function destination(candidates: readonly Candidate[], usable: readonly Candidate[]): Destination {
  const ready = usable.filter((c) => c.ready);
  const chosen = ready.length > 0 ? ready : usable.filter((c) => c.terminatingButServing);
  if (chosen.length > 0)
    return { to: 'targets', targets: chosen.map(({ ip, port }) => ({ ip, port })).sort(byAddress) };
  return candidates.some((c) => c.ready || c.terminatingButServing) ? { to: 'drop' } : { to: 'reject' };
}

function byAddress(a: Target, b: Target): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port;
}
