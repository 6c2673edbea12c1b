// What NetworkPolicies mean: which pods they isolate, and which peers and ports they let through. Policies add up;
// a pod that none selects in a direction is open in it. Follows the API's documentation of networking.k8s.io/v1.
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '#generated/api/networking-v1.ts';
import { cidrSize, formatIP, parseCIDR } from '#base/ip.ts';
import { everything, type Labels, type LabelMatcher, matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { FAMILIES, type Family } from './family.ts';
import { PROTOCOLS, type Protocol } from './rules.ts';

export type Direction = 'ingress' | 'egress';

export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** A pod as policies see it. Pods on the host's network are no peers and are not isolated. */
export interface PolicyPod {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ips: readonly string[];
  readonly namedPorts: readonly NamedPort[];
}

/** Inclusive. */
export interface PortRange {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
}

export type PortRule =
  | { readonly kind: 'range'; readonly range: PortRange }
  | { readonly kind: 'named'; readonly protocol: Protocol; readonly name: string };

/** Inclusive address range as numbers. */
export interface AddressRange {
  readonly from: bigint;
  readonly to: bigint;
}

export type PeerRule =
  | {
      readonly kind: 'pods';
      readonly namespace: string | undefined;
      readonly namespaces: LabelMatcher;
      readonly pods: LabelMatcher;
    }
  | { readonly kind: 'block'; readonly ranges: readonly AddressRange[] };

/** One `ingress` or `egress` entry of a policy. */
export interface CompiledRule {
  /** Undefined: every port and protocol. */
  readonly ports: readonly PortRule[] | undefined;
  /** Undefined: every peer, inside and outside. */
  readonly peers: readonly PeerRule[] | undefined;
}

export interface CompiledPolicy {
  readonly key: string;
  readonly namespace: string;
  readonly selects: LabelMatcher;
  readonly directions: ReadonlySet<Direction>;
  readonly rules: Readonly<Record<Direction, readonly CompiledRule[]>>;
}

/** `family` is of the addresses that it speaks of: blocks of the other one let nobody in. */
export function compilePolicy(policy: NetworkPolicy, family: Family = 4): CompiledPolicy {
  const namespace = policy.metadata.namespace ?? '';
  const spec = policy.spec ?? {};
  const types = spec.policyTypes ?? [];
  const directions = new Set<Direction>();
  if (types.includes('Ingress') || types.length === 0) directions.add('ingress');
  if (types.includes('Egress') || (types.length === 0 && (spec.egress ?? []).length > 0)) directions.add('egress');
  return {
    key: `${namespace}/${policy.metadata.name}`,
    namespace,
    selects: spec.podSelector === undefined ? everything : matcherOf(spec.podSelector),
    directions,
    rules: {
      ingress: (spec.ingress ?? []).map((r) => compileRule(r.from, r.ports, namespace, family)),
      egress: (spec.egress ?? []).map((r) => compileRule(r.to, r.ports, namespace, family)),
    },
  };
}

function compileRule(
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
  namespace: string,
  family: Family,
): CompiledRule {
  return {
    ports: ports === undefined || ports.length === 0 ? undefined : ports.map(compilePort),
    peers: peers === undefined || peers.length === 0 ? undefined : peers.map((p) => compilePeer(p, namespace, family)),
  };
}

function compilePort(port: NetworkPolicyPort): PortRule {
  const protocol = (port.protocol ?? 'TCP').toLowerCase() as Protocol;
  if (port.port === undefined) return { kind: 'range', range: { protocol, from: 0, to: 65_535 } };
  if (typeof port.port === 'string') return { kind: 'named', protocol, name: port.port };
  return { kind: 'range', range: { protocol, from: port.port, to: port.endPort ?? port.port } };
}

function compilePeer(peer: NetworkPolicyPeer, namespace: string, family: Family): PeerRule {
  if (peer.ipBlock !== undefined)
    return { kind: 'block', ranges: blockRanges(peer.ipBlock.cidr, peer.ipBlock.except ?? [], family) };
  const anywhere = peer.namespaceSelector !== undefined;
  return {
    kind: 'pods',
    namespace: anywhere ? undefined : namespace,
    namespaces: anywhere ? matcherOf(peer.namespaceSelector) : everything,
    pods: peer.podSelector === undefined ? everything : matcherOf(peer.podSelector),
  };
}

/** The block without its exceptions; nothing for blocks of another family. */
export function blockRanges(cidr: string, except: readonly string[], family: Family = 4): AddressRange[] {
  const whole = rangeOf(cidr, family);
  if (whole === undefined) return [];
  let ranges = [whole];
  for (const text of except) {
    const hole = rangeOf(text, family);
    if (hole === undefined) continue;
    ranges = ranges.flatMap((r) => {
      if (hole.to < r.from || hole.from > r.to) return [r];
      const left = hole.from > r.from ? [{ from: r.from, to: hole.from - 1n }] : [];
      return hole.to < r.to ? [...left, { from: hole.to + 1n, to: r.to }] : left;
    });
  }
  return ranges;
}

function rangeOf(text: string, family: Family): AddressRange | undefined {
  const cidr = parseCIDR(text);
  return cidr?.family === family ? { from: cidr.base, to: cidr.base + cidrSize(cidr) - 1n } : undefined;
}

export function selectsPod(policy: CompiledPolicy, pod: PolicyPod): boolean {
  return policy.namespace === pod.namespace && matchesLabels(policy.selects, pod.labels);
}

export function peerIsPod(
  peer: PeerRule,
  pod: PolicyPod,
  namespaceLabels: (namespace: string) => Labels | undefined,
): boolean {
  if (peer.kind !== 'pods') return false;
  if (peer.namespace !== undefined) return peer.namespace === pod.namespace && matchesLabels(peer.pods, pod.labels);
  const labels = namespaceLabels(pod.namespace);
  return labels !== undefined && matchesLabels(peer.namespaces, labels) && matchesLabels(peer.pods, pod.labels);
}

/** The port numbers a rule means towards `destination`: named ports are that pod's. Undefined: every port. */
export function portRanges(rule: CompiledRule, destination: PolicyPod | undefined): PortRange[] | undefined {
  return rule.ports?.flatMap((port) => {
    if (port.kind === 'range') return [port.range];
    return (destination?.namedPorts ?? [])
      .filter((p) => p.name === port.name && p.protocol === port.protocol)
      .map((p) => ({ protocol: p.protocol, from: p.port, to: p.port }));
  });
}

/** Sorted, without overlap, neighbours joined. */
export function mergePorts(ranges: readonly PortRange[]): PortRange[] {
  const out: PortRange[] = [];
  for (const protocol of PROTOCOLS) {
    for (const r of ranges.filter((x) => x.protocol === protocol).sort((a, b) => a.from - b.from)) {
      const last = out.at(-1);
      if (last !== undefined && last.protocol === protocol && r.from <= last.to + 1) {
        out[out.length - 1] = { protocol, from: last.from, to: Math.max(last.to, r.to) };
      } else out.push(r);
    }
  }
  return out;
}

/** An address range with what is let through there: `all`, or ports. */
export interface Box {
  readonly addresses: AddressRange;
  readonly ports: readonly PortRange[] | 'all';
}

/** The same space cut so that no two boxes share an address: the kernel refuses overlapping elements. */
export function disjointBoxes(boxes: readonly Box[]): Box[] {
  const cuts = [...new Set(boxes.flatMap((b) => [b.addresses.from, b.addresses.to + 1n]))].sort((a, b) =>
    a < b ? -1 : 1,
  );
  const out: Box[] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const from = cuts[i]!;
    const here = boxes.filter((b) => b.addresses.from <= from && b.addresses.to >= from);
    if (here.length === 0) continue;
    const ports = here.some((b) => b.ports === 'all')
      ? 'all'
      : mergePorts(here.flatMap((b) => b.ports as readonly PortRange[]));
    out.push({ addresses: { from, to: cuts[i + 1]! - 1n }, ports });
  }
  return out;
}

export function formatRange(range: AddressRange, family: Family = 4): string {
  const text = (value: bigint) => formatIP({ family, value });
  return range.from === range.to ? text(range.from) : `${text(range.from)}-${text(range.to)}`;
}

export const allAddresses = (family: Family): AddressRange => ({
  from: 0n,
  to: (1n << BigInt(FAMILIES[family].bits)) - 1n,
});
