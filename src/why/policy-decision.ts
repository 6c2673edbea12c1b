// Does a NetworkPolicy let this connection through, and if none does: which ones isolate the pod, and how near they came. What policies
// mean stands in netmodel; here are the words.
import type { Pod } from '#generated/api/core-v1.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '#generated/api/networking-v1.ts';
import { parseIP } from '#base/ip.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import {
  type CompiledRule,
  compilePolicy,
  type Direction,
  peerIsPod,
  type PolicyPod,
  portRanges,
  selectsPod,
} from '#netmodel/policies.ts';
import type { Protocol } from '#netmodel/rules.ts';
import { evidence } from './finding.ts';
import type { Facts } from './facts.ts';
import { containerPorts, ipsOf, nameOf, namespaceOf, pathOf } from './pods.ts';
import type { Evidence } from './report.ts';

/** The other end: a pod, or just an address. */
export interface Peer {
  readonly pod: PolicyPod | undefined;
  readonly ip: string | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  /** That select the pod in this direction; empty: it is open. */
  readonly policies: readonly NetworkPolicy[];
  /** The one whose rule comes nearest, and its field. */
  readonly nearest: { readonly policy: NetworkPolicy; readonly field: string; readonly why: string } | undefined;
  /** The rule that lets it through. */
  readonly by: { readonly policy: NetworkPolicy; readonly field: string } | undefined;
  readonly evidence: readonly Evidence[];
}

export function policyPod(pod: Pod): PolicyPod {
  return {
    key: pathOf(pod),
    namespace: namespaceOf(pod),
    labels: pod.metadata.labels ?? {},
    ips: pod.spec?.hostNetwork === true ? [] : ipsOf(pod),
    namedPorts: containerPorts(pod).flatMap((p) =>
      p.name === undefined ? [] : [{ name: p.name, protocol: p.protocol.toLowerCase() as Protocol, port: p.port }],
    ),
  };
}

export const peerOfPod = (pod: Pod): Peer =>
  pod.spec?.hostNetwork === true
    ? { pod: undefined, ip: pod.status?.hostIP ?? ipsOf(pod)[0] }
    : { pod: policyPod(pod), ip: ipsOf(pod)[0] };

export function decide(
  facts: Facts,
  direction: Direction,
  pod: Pod,
  peer: Peer,
  port: number,
  protocol: Protocol,
): Decision {
  const own = policyPod(pod);
  const selecting = facts.objects.policies.filter((p) => {
    const compiled = compilePolicy(p);
    return pod.spec?.hostNetwork !== true && compiled.directions.has(direction) && selectsPod(compiled, own);
  });
  const open = { policies: selecting, nearest: undefined, by: undefined, evidence: [] };
  if (selecting.length === 0) return { ...open, allowed: true };
  if (peer.pod !== undefined && peer.pod.key === own.key) return { ...open, allowed: true };
  const labels = (name: string) =>
    facts.objects.namespaces.find((n) => nameOf(n) === name)?.metadata.labels ?? undefined;
  let nearest: (NonNullable<Decision['nearest']> & { rank: number }) | undefined;
  const read: Evidence[] = [];
  for (const policy of selecting) {
    const compiled = compilePolicy(policy).rules[direction];
    const written = (direction === 'ingress' ? policy.spec?.ingress : policy.spec?.egress) ?? [];
    const source = `NetworkPolicy ${pathOf(policy)}`;
    if (compiled.length === 0) read.push(evidence(`${source} spec.${direction}`, `no rule: allows nothing`));
    for (const [index, rule] of compiled.entries()) {
      const entry = written[index] as {
        readonly from?: readonly NetworkPolicyPeer[];
        readonly to?: readonly NetworkPolicyPeer[];
        readonly ports?: readonly NetworkPolicyPort[];
      };
      const peers = peerMatch(rule, peer, labels);
      const ports = portMatch(rule, direction === 'ingress' ? own : peer.pod, port, protocol);
      const field = `spec.${direction}[${index}]`;
      if (peers && ports)
        return { allowed: true, policies: selecting, nearest: undefined, by: { policy, field }, evidence: [] };
      const words = (direction === 'ingress' ? entry.from : entry.to) ?? [];
      const why =
        !ports && peers
          ? `allows this peer, on ${portWords(entry.ports)} only`
          : `${ports ? 'allows this port, ' : ''}for ${peerWords(words)} only`;
      read.push(evidence(`${source} ${field}`, why));
      const rank = (peers ? 2 : 0) + (ports ? 1 : 0) + (sharedLabels(words, peer) ? 1 : 0);
      const part = peers ? '.ports' : direction === 'ingress' ? '.from' : '.to';
      if (nearest === undefined || rank > nearest.rank) nearest = { policy, field: `${field}${part}`, why, rank };
    }
  }
  return { allowed: false, policies: selecting, nearest, by: undefined, evidence: read };
}

function peerMatch(
  rule: CompiledRule,
  peer: Peer,
  labels: (ns: string) => Readonly<Record<string, string>> | undefined,
): boolean {
  if (rule.peers === undefined) return true;
  const ip = peer.ip === undefined ? undefined : parseIP(peer.ip)?.value;
  return rule.peers.some((p) => {
    if (p.kind === 'pods') return peer.pod !== undefined && peerIsPod(p, peer.pod, labels);
    return ip !== undefined && p.ranges.some((r) => ip >= r.from && ip <= r.to);
  });
}

function portMatch(rule: CompiledRule, destination: PolicyPod | undefined, port: number, protocol: Protocol): boolean {
  const ranges = portRanges(rule, destination);
  return ranges === undefined || ranges.some((r) => r.protocol === protocol && port >= r.from && port <= r.to);
}

function sharedLabels(peers: readonly NetworkPolicyPeer[], peer: Peer): boolean {
  return peers.some((p) =>
    Object.entries(p.podSelector?.matchLabels ?? {}).some(
      ([k, v]) => peer.pod?.labels[k] === v || k in (peer.pod?.labels ?? {}),
    ),
  );
}

function portWords(ports: readonly NetworkPolicyPort[] | undefined): string {
  return (ports ?? [])
    .map((p) => `${p.protocol ?? 'TCP'} ${p.port ?? 'any'}${p.endPort === undefined ? '' : `-${p.endPort}`}`)
    .join(', ');
}

function peerWords(peers: readonly NetworkPolicyPeer[]): string {
  return peers
    .map((p) => {
      if (p.ipBlock !== undefined)
        return `addresses ${p.ipBlock.cidr}${p.ipBlock.except === undefined ? '' : ` except ${p.ipBlock.except.join(', ')}`}`;
      const pods = p.podSelector === undefined ? 'all pods' : `pods ${all(formatLabelSelector(p.podSelector))}`;
      const place =
        p.namespaceSelector === undefined
          ? 'this namespace'
          : `namespaces ${all(formatLabelSelector(p.namespaceSelector))}`;
      return `${pods} of ${place}`;
    })
    .join(', or ');
}

const all = (text: string): string => (text === '' || text === '<none>' ? 'of any labels' : text);
