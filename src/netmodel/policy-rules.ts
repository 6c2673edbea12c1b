// The policy table: fixed chains, and the elements that policies put into its sets.
//
// Local pods that the same policies select (with the same named ports) share a profile, a number in `meta mark`. What a
// profile lets through is elements: peers by exact address, blocks and port ranges in interval sets. A remote pod that
// comes or goes costs the number of rules in force on this node, not the number of pods.
import {
  type Action,
  type Chain,
  type Element,
  elementKey,
  type Field,
  type SetDeclaration,
  type Table,
} from './rules.ts';
import type { Labels } from '#machinery/selectors.ts';
import { Elements } from './elements.ts';
import type { Family } from './family.ts';
import {
  allAddresses,
  type Box,
  type CompiledPolicy,
  type CompiledRule,
  type Direction,
  disjointBoxes,
  formatRange,
  mergePorts,
  peerIsPod,
  type PolicyPod,
  portRanges,
  selectsPod,
} from './policies.ts';

export const POLICY_TABLE = 'coracle_policy';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

export function policyTable(family: Family = 4): Table {
  const check = (direction: Direction, own: Field, peer: Field): Chain => {
    const pass: Action = { do: 'return' };
    const sets: readonly [string, Field[]][] = [
      [`${direction}_open`, ['meta mark']],
      [`${direction}_peers`, ['meta mark', peer]],
      [`${direction}_peer_ports`, ['meta mark', peer, 'meta l4proto', 'th dport']],
      [`${direction}_ports`, ['meta mark', 'meta l4proto', 'th dport']],
      [`${direction}_peer_ranges`, ['meta mark', peer, 'meta l4proto', 'th dport']],
      [`${direction}_blocks`, ['meta mark', peer, 'meta l4proto', 'th dport']],
    ];
    return {
      name: `check_${direction}`,
      rules: [
        ...sets.map(([set, key]) => ({ match: [{ is: 'in' as const, key, set }], actions: [pass] })),
        {
          match: [{ is: 'in', key: [own], set: `${direction}_denied` }],
          actions: [{ do: 'drop' }],
          why: `no ${direction} rule allows it`,
        },
      ],
    };
  };
  const known: Chain['rules'][number] = {
    match: [{ is: 'ct state', states: ['established', 'related'] }],
    actions: [{ do: 'accept' }],
  };
  const discovery: Chain['rules'][number] = {
    match: [{ is: 'neighbour discovery' }],
    actions: [{ do: 'accept' }],
  };
  // Policies go by addresses. For IPv4 the kernel's own setting keeps pods to theirs; IPv6 has no such setting.
  const ownAddressOnly: Chain = {
    name: 'own_address_only',
    base: { type: 'filter', hook: 'prerouting', priority: -290 },
    rules: [
      { match: [{ is: 'neighbour discovery' }], actions: [{ do: 'accept' }] },
      { match: [{ is: 'foreign sender' }], actions: [{ do: 'count' }, { do: 'drop' }], why: 'not its own address' },
    ],
  };
  // "A pod cannot block access to itself": its own packets come back through a service.
  const itself: Chain['rules'][number] = {
    match: [{ is: 'in', key: ['ip saddr', 'ip daddr'], set: 'itself' }],
    actions: [{ do: 'accept' }],
  };
  const into = (direction: Direction, own: Field) => ({
    actions: [
      { do: 'mark' as const, mark: 'meta mark' as const, key: [own], map: `${direction}_profiles` },
      { do: 'jump' as const, chain: `check_${direction}` },
    ],
  });
  const setsOf = (direction: Direction): SetDeclaration[] => [
    { name: `${direction}_profiles`, key: ['address'], value: ['mark'] },
    { name: `${direction}_denied`, key: ['address'], counter: true },
    { name: `${direction}_open`, key: ['mark'] },
    { name: `${direction}_peers`, key: ['mark', 'address'] },
    { name: `${direction}_peer_ports`, key: ['mark', 'address', 'inet_proto', 'inet_service'] },
    { name: `${direction}_ports`, key: ['mark', 'inet_proto', 'inet_service'] },
    { name: `${direction}_peer_ranges`, key: ['mark', 'address', 'inet_proto', 'inet_service'], interval: true },
    { name: `${direction}_blocks`, key: ['mark', 'address', 'inet_proto', 'inet_service'], interval: true },
  ];
  return {
    name: POLICY_TABLE,
    family,
    sets: [...DIRECTIONS.flatMap(setsOf), { name: 'itself', key: ['address', 'address'] }],
    chains: [
      check('ingress', 'ip daddr', 'ip saddr'),
      check('egress', 'ip saddr', 'ip daddr'),
      ...(family === 6 ? [ownAddressOnly] : []),
      // After translation: policies speak of pods, not of cluster IPs.
      {
        name: 'passing',
        base: { type: 'filter', hook: 'forward', priority: 0 },
        rules: [known, itself, into('egress', 'ip saddr'), into('ingress', 'ip daddr')],
      },
      // Pods towards the node itself, the cluster's DNS among it. The node reaches its own pods freely (probes): no output chain.
      {
        name: 'to_node',
        base: { type: 'filter', hook: 'input', priority: 0 },
        rules: [...(family === 6 ? [discovery] : []), known, into('egress', 'ip saddr')],
      },
    ],
  };
}

interface Profile {
  readonly id: number;
  readonly direction: Direction;
  readonly rules: readonly CompiledRule[];
  /** For ingress: a pod that stands for all of the profile, whose named ports count. */
  readonly subject: PolicyPod | undefined;
  users: number;
}

/** Keeps the elements of the policy table. Each call costs what it changes; take() hands over the sum. */
export class PolicyElements {
  readonly #family: Family;
  readonly #elements: Elements;
  readonly #policies = new Map<string, CompiledPolicy>();
  /** Namespace → its policies. */
  readonly #byNamespace = new Map<string, Set<CompiledPolicy>>();
  readonly #namespaceLabels = new Map<string, Labels>();
  /** Pod key → pod; every pod of the cluster with addresses. */
  readonly #pods = new Map<string, PolicyPod>();
  /** Address → pods that claim it: more than one while an address moves on. */
  readonly #byAddress = new Map<string, Set<PolicyPod>>();
  readonly #podsByNamespace = new Map<string, Set<PolicyPod>>();
  /** Local pod key → pod and its profile per direction. */
  readonly #local = new Map<string, { pod: PolicyPod; profiles: Partial<Record<Direction, string>> }>();
  /** Direction, policies and named ports → profile. */
  readonly #profiles = new Map<string, Profile>();
  #nextId = 1;

  constructor(family: Family = 4) {
    this.#family = family;
    this.#elements = new Elements(POLICY_TABLE, family);
  }

  setPolicy(key: string, policy: CompiledPolicy | undefined): void {
    const old = this.#policies.get(key);
    if (old !== undefined) this.#byNamespace.get(old.namespace)?.delete(old);
    if (policy === undefined) this.#policies.delete(key);
    else {
      this.#policies.set(key, policy);
      addTo(this.#byNamespace, policy.namespace, policy);
    }
    const namespace = policy?.namespace ?? old?.namespace;
    const changed = [...this.#local.values()].filter((l) => l.pod.namespace === namespace);
    for (const { pod } of changed) this.#place(pod);
    this.#dropUnused();
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#namespaceLabels.delete(name);
    else this.#namespaceLabels.set(name, labels);
    for (const pod of this.#podsByNamespace.get(name) ?? []) for (const ip of pod.ips) this.#peer(ip);
  }

  /** Any pod of the cluster, as a peer. */
  setPod(key: string, pod: PolicyPod | undefined): void {
    const old = this.#pods.get(key);
    if (old !== undefined) {
      for (const ip of old.ips) removeFrom(this.#byAddress, ip, old);
      removeFrom(this.#podsByNamespace, old.namespace, old);
    }
    if (pod === undefined) this.#pods.delete(key);
    else {
      this.#pods.set(key, pod);
      for (const ip of pod.ips) addTo(this.#byAddress, ip, pod);
      addTo(this.#podsByNamespace, pod.namespace, pod);
    }
    for (const ip of new Set([...(old?.ips ?? []), ...(pod?.ips ?? [])])) this.#peer(ip);
  }

  /** A pod on this node: the policies that select it are enforced. */
  setLocalPod(key: string, pod: PolicyPod | undefined): void {
    if (pod !== undefined) this.#place(pod);
    else {
      const old = this.#local.get(key);
      if (old === undefined) return;
      for (const profile of Object.values(old.profiles)) this.#profiles.get(profile)!.users--;
      this.#local.delete(key);
      this.#elements.replace(`local ${key}`, []);
    }
    this.#dropUnused();
  }

  get elements(): Elements {
    return this.#elements;
  }

  /** Keys of the policies that isolate a local pod in a direction. */
  policiesFor(pod: PolicyPod, direction: Direction): readonly CompiledPolicy[] {
    const here = [...(this.#byNamespace.get(pod.namespace) ?? [])];
    return here
      .filter((p) => p.directions.has(direction) && selectsPod(p, pod))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #place(pod: PolicyPod): void {
    const old = this.#local.get(pod.key);
    const profiles: Partial<Record<Direction, string>> = {};
    const mine: Element[] = [];
    for (const direction of DIRECTIONS) {
      const policies = this.policiesFor(pod, direction);
      if (policies.length === 0) continue;
      const profile = this.#profileFor(direction, policies, pod);
      profile.users++;
      profiles[direction] = this.#profileKey(direction, policies, pod);
      for (const ip of pod.ips) {
        mine.push(
          { set: `${direction}_profiles`, key: ip, value: String(profile.id) },
          { set: `${direction}_denied`, key: ip, value: '' },
        );
      }
    }
    if (mine.length > 0) for (const ip of pod.ips) mine.push({ set: 'itself', key: elementKey(ip, ip), value: '' });
    for (const key of Object.values(old?.profiles ?? {})) this.#profiles.get(key)!.users--;
    this.#local.set(pod.key, { pod, profiles });
    this.#elements.replace(`local ${pod.key}`, mine);
  }

  #profileKey(direction: Direction, policies: readonly CompiledPolicy[], pod: PolicyPod): string {
    const named = direction === 'ingress' ? pod.namedPorts.map((p) => `${p.name}=${p.protocol}/${p.port}`).sort() : [];
    return [direction, ...policies.map((p) => `${p.key}#${this.#versionOf(p)}`), ...named].join(' ');
  }

  /** Compiled policies are replaced when they change: number them so that a profile follows. */
  readonly #versions = new WeakMap<CompiledPolicy, number>();
  #nextVersion = 1;
  #versionOf(policy: CompiledPolicy): number {
    let version = this.#versions.get(policy);
    if (version === undefined) {
      version = this.#nextVersion++;
      this.#versions.set(policy, version);
    }
    return version;
  }

  #profileFor(direction: Direction, policies: readonly CompiledPolicy[], pod: PolicyPod): Profile {
    const key = this.#profileKey(direction, policies, pod);
    const known = this.#profiles.get(key);
    if (known !== undefined) return known;
    const subject = direction === 'ingress' ? pod : undefined;
    const profile: Profile = {
      id: this.#nextId++,
      direction,
      rules: policies.flatMap((p) => p.rules[direction]),
      subject,
      users: 0,
    };
    this.#profiles.set(key, profile);
    this.#elements.replace(`profile ${profile.id}`, fixedElements(profile, this.#family));
    if (profile.rules.some(namesPods)) for (const ip of this.#byAddress.keys()) this.#peerOf(profile, ip);
    return profile;
  }

  #dropUnused(): void {
    for (const [key, profile] of this.#profiles) {
      if (profile.users > 0) continue;
      this.#profiles.delete(key);
      this.#elements.replace(`profile ${profile.id}`, []);
      if (profile.rules.some(namesPods))
        for (const ip of this.#byAddress.keys()) this.#elements.replace(`peer ${profile.id} ${ip}`, []);
    }
  }

  #peer(ip: string): void {
    for (const profile of this.#profiles.values()) if (profile.rules.some(namesPods)) this.#peerOf(profile, ip);
  }

  #peerOf(profile: Profile, ip: string): void {
    const pods = [...(this.#byAddress.get(ip) ?? [])];
    this.#elements.replace(
      `peer ${profile.id} ${ip}`,
      peerElements(profile, ip, pods, (ns) => this.#namespaceLabels.get(ns)),
    );
  }
}

function namesPods(rule: CompiledRule): boolean {
  return rule.peers?.some((p) => p.kind === 'pods') ?? usesNamedPorts(rule);
}

/** Egress rules to everywhere by a named port depend on each destination pod. */
function usesNamedPorts(rule: CompiledRule): boolean {
  return rule.ports?.some((p) => p.kind === 'named') ?? false;
}

/** What does not depend on peers being pods: rules for everyone, and address blocks. */
function fixedElements(profile: Profile, family: Family): Element[] {
  const { direction, id } = profile;
  const boxes: Box[] = [];
  const out: Element[] = [];
  for (const rule of profile.rules) {
    const ports = portRanges(rule, profile.subject);
    if (rule.peers === undefined) {
      if (ports === undefined) return [{ set: `${direction}_open`, key: elementKey(id), value: '' }];
      for (const r of ports) {
        if (r.from === r.to)
          out.push({ set: `${direction}_ports`, key: elementKey(id, r.protocol, r.from), value: '' });
        else boxes.push({ addresses: allAddresses(family), ports: [r] });
      }
    }
    for (const peer of rule.peers ?? []) {
      if (peer.kind === 'block') for (const addresses of peer.ranges) boxes.push({ addresses, ports: ports ?? 'all' });
    }
  }
  for (const { addresses, ports } of disjointBoxes(boxes)) {
    const where = formatRange(addresses, family);
    if (ports === 'all')
      out.push({ set: `${direction}_blocks`, key: elementKey(id, where, '0-255', '0-65535'), value: '' });
    else
      for (const r of ports)
        out.push({ set: `${direction}_blocks`, key: elementKey(id, where, r.protocol, portText(r)), value: '' });
  }
  return out;
}

function peerElements(
  profile: Profile,
  ip: string,
  pods: readonly PolicyPod[],
  namespaceLabels: (ns: string) => Labels | undefined,
): Element[] {
  const { direction, id } = profile;
  const ranges = [];
  for (const rule of profile.rules) {
    for (const pod of pods) {
      const everyone = rule.peers === undefined && direction === 'egress' && usesNamedPorts(rule);
      if (!everyone && !rule.peers?.some((p) => peerIsPod(p, pod, namespaceLabels))) continue;
      const ports = portRanges(rule, direction === 'ingress' ? profile.subject : pod);
      if (ports === undefined) return [{ set: `${direction}_peers`, key: elementKey(id, ip), value: '' }];
      ranges.push(...ports);
    }
  }
  return mergePorts(ranges).map((r) => ({
    set: r.from === r.to ? `${direction}_peer_ports` : `${direction}_peer_ranges`,
    key: elementKey(id, ip, r.protocol, portText(r)),
    value: '',
  }));
}

function portText(r: { readonly from: number; readonly to: number }): string {
  return r.from === r.to ? String(r.from) : `${r.from}-${r.to}`;
}

function addTo<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const held = index.get(key);
  if (held === undefined) index.set(key, new Set([value]));
  else held.add(value);
}

function removeFrom<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const held = index.get(key);
  held?.delete(value);
  if (held?.size === 0) index.delete(key);
}
