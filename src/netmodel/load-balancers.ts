// Which node answers for a load balancer's address. Every node computes the same from the same data: rendezvous hashing over
// the nodes that may have it, the first one that lives. Only the first few of an address need to say that they live, so the
// cost follows the addresses, not the nodes.
import type { Node, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { loadBalancerAddresses, nodesWithEndpoints } from './services.ts';

/** Services of no class and of this one are served by this cluster; all others belong to somebody else. */
export const LOAD_BALANCER_CLASS = 'coracle.dev/load-balancer';

export const isOwnLoadBalancer = ({ spec }: Service): boolean =>
  spec?.type === 'LoadBalancer' &&
  (spec.loadBalancerClass === undefined || spec.loadBalancerClass === LOAD_BALANCER_CLASS);

/** Upstream's label on nodes that no external load balancer sends to. */
export const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** How many nodes of an address say that they live: it survives that one less than these die within one lease. */
export const SPEAKERS_PER_ADDRESS = 3;

/** Leases of speakers are beside the nodes' own heartbeats … */
export const SPEAKER_NAMESPACE = 'kube-node-lease';
/** … one for each, … */
export const SPEAKER_LEASE_PREFIX = 'load-balancer-';
/** … with this label, … */
export const SPEAKER_LABEL = 'coracle.dev/load-balancer-speaker';
/** … and say in this annotation which addresses the node has on its card, for people and for the explainer. */
export const HOLDS_ANNOTATION = 'coracle.dev/load-balancer-addresses';

export interface BalancedAddress {
  readonly ip: string;
  /** Under externalTrafficPolicy Local the nodes that have endpoints; undefined lets every node have it. */
  readonly only: ReadonlySet<string> | undefined;
}

/** The addresses of one service. Without an endpoint anywhere every node may have them: clients are refused at once. */
export function balancedAddresses(service: Service, slices: readonly EndpointSlice[]): BalancedAddress[] {
  const ips = loadBalancerAddresses(service);
  if (ips.length === 0) return [];
  const nodes = service.spec?.externalTrafficPolicy === 'Local' ? nodesWithEndpoints(slices) : undefined;
  return ips.map((ip) => ({ ip, only: nodes === undefined || nodes.size === 0 ? undefined : nodes }));
}

export function mayBalance(node: Node): boolean {
  return node.metadata.labels?.[EXCLUDE_LABEL] === undefined && node.metadata.deletionTimestamp === undefined;
}

/** The control plane has not heard of it for long. It may live all the same: the control plane may have been away itself. */
export function isLost(node: Node): boolean {
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'Unknown') === true;
}

/**
 * The nodes that may have the address, best first: as many as are to say that they live, not counting lost ones. Adding or
 * removing a node moves only what it wins or had; being called lost moves nothing.
 */
export function ranked(
  { ip, only }: BalancedAddress,
  nodes: readonly string[],
  lost: ReadonlySet<string> = new Set(),
): readonly string[] {
  const order = nodes
    .filter((n) => only === undefined || only.has(n))
    .map((name) => ({ name, weight: hash(`${ip} ${name}`) }))
    .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
  const out: string[] = [];
  for (let speakers = 0; speakers < SPEAKERS_PER_ADDRESS && out.length < order.length; ) {
    const name = order[out.length]!;
    out.push(name);
    if (!lost.has(name)) speakers++;
  }
  return out;
}

/** FNV-1a with a final mix, so that names that differ in one letter are spread. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
