// What a Service means on a node: its ports, each with the endpoints that traffic may go to, by how the traffic enters.
// Follows the service proxy's rules of upstream (pkg/proxy topology.go): ready endpoints; else those still serving
// while they terminate; Local policies keep to this node. IPv4 only. Topology hints are not looked at.
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import { parseIP } from '#base/ip.ts';
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
  /** Seconds a client keeps its endpoint; undefined without session affinity. */
  readonly affinitySeconds: number | undefined;
  /** Through the cluster IP. */
  readonly internal: Destination;
  /** Through node ports and external addresses, and for clients within the cluster whatever the policy. */
  readonly external: Destination;
  /** externalTrafficPolicy Local: for clients outside the cluster, their address kept. */
  readonly externalLocal: Destination | undefined;
}

interface Candidate extends Target {
  readonly ready: boolean;
  readonly terminatingButServing: boolean;
  readonly local: boolean;
}

/** `Service.metadata.labels` key that ties a slice to its service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** A service with this label belongs to another proxy. */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

const DEFAULT_AFFINITY_SECONDS = 10_800;

/** No ports for headless and ExternalName services: names are all they have. */
export function servicePorts(service: Service, slices: readonly EndpointSlice[], nodeName: string): ServicePortModel[] {
  const spec = service.spec ?? {};
  const clusterIPs = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).filter(isIPv4);
  if (spec.type === 'ExternalName' || clusterIPs.length === 0) return [];
  if (service.metadata.labels?.[PROXY_NAME_LABEL] !== undefined) return [];
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .filter((i) => i.ipMode !== 'Proxy')
    .map((i) => i.ip ?? '');
  const externalIPs = [...new Set([...(spec.externalIPs ?? []), ...ingress])].filter(isIPv4);
  const exposed = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || externalIPs.length > 0;
  const affinitySeconds =
    spec.sessionAffinity === 'ClientIP'
      ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
      : undefined;
  return (spec.ports ?? []).map((port) => {
    const candidates = candidatesOf(port.name ?? '', slices, nodeName);
    const anywhere = destination(candidates, false);
    return {
      key: `${service.metadata.namespace}/${service.metadata.name}${port.name ? `:${port.name}` : ''}`,
      protocol: (port.protocol ?? 'TCP').toLowerCase() as Protocol,
      clusterIPs,
      port: port.port,
      nodePort:
        port.nodePort === undefined || port.nodePort === 0 || spec.type === 'ClusterIP' ? undefined : port.nodePort,
      externalIPs,
      affinitySeconds,
      internal: spec.internalTrafficPolicy === 'Local' ? destination(candidates, true) : anywhere,
      external: anywhere,
      externalLocal: exposed && spec.externalTrafficPolicy === 'Local' ? destination(candidates, true) : undefined,
    };
  });
}

function isIPv4(text: string): boolean {
  return parseIP(text)?.family === 4;
}

function candidatesOf(portName: string, slices: readonly EndpointSlice[], nodeName: string): Candidate[] {
  /** `ip:port` → candidate: slices may overlap while they are rewritten. */
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
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
      };
      const key = `${ip}:${port}`;
      if (!found.get(key)?.ready) found.set(key, candidate);
    }
  }
  return [...found.values()];
}

function destination(candidates: readonly Candidate[], localOnly: boolean): Destination {
  const near = localOnly ? candidates.filter((c) => c.local) : candidates;
  const ready = near.filter((c) => c.ready);
  const usable = ready.length > 0 ? ready : near.filter((c) => c.terminatingButServing);
  if (usable.length > 0)
    return { to: 'targets', targets: usable.map(({ ip, port }) => ({ ip, port })).sort(byAddress) };
  const elsewhere = localOnly && candidates.some((c) => c.ready || c.terminatingButServing);
  return elsewhere ? { to: 'drop' } : { to: 'reject' };
}

function byAddress(a: Target, b: Target): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port;
}
