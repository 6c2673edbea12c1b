// The service table: fixed chains, and the elements that each service port puts into its maps.
//
// An entrance (cluster IP and port, node port, external address and port) gives the connection an id in `ct mark`; the
// id chooses how many slots there are; a random slot chooses the endpoint. The id's top bit says that the client's
// address is replaced. nft cannot draw a number below a variable, so there is one small chain per slot count.
//
// A load balancer's address is on the network card of one node at a time, yet every node translates it, so clients within
// the cluster never leave their node for it. It is no address of the node: node ports and host ports are not there, and
// what is no port of its Service is refused.
import {
  type Action,
  type Chain,
  type Element,
  elementKey,
  type Field,
  PROTOCOLS,
  type Rule,
  type Table,
} from './rules.ts';
import { cidrSize, parseCIDR, parseIP } from '#base/ip.ts';
import { FAMILIES, type Family, isOfFamily } from './family.ts';
import { type AddressRange, formatRange } from './policies.ts';
import type { Destination, ServicePortModel, Target } from './services.ts';

export const SERVICE_TABLE = 'coracle_services';

/** Ids with this bit are masqueraded: what enters by node port or external address under policy Cluster. */
export const MASQUERADE_BIT = 0x80000000;

/** Up to here every endpoint count has its own chain; above, endpoints share a power of two at least eight times as large. */
const EXACT_SLOTS = 32;
const LARGE_SLOTS = [512, 1024, 2048, 4096, 8192] as const;

/** Entries that one node remembers for session affinity, all services together. */
const AFFINITY_ENTRIES = 65_536;

export interface ServiceTableOptions {
  /** Of all addresses of the table; absent: 4. */
  readonly family?: Family;
  /** All pods of the cluster. */
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  /** Served on the node itself, never translated; its table is the one of its family. */
  readonly dnsAddress: string;
  /** The distinct affinity times in use: one small chain each, remade when a new one appears. */
  readonly affinitySeconds: readonly number[];
}

export function slotsFor(targets: number): number {
  if (targets <= EXACT_SLOTS) return targets;
  return LARGE_SLOTS.find((s) => s >= targets * 8) ?? LARGE_SLOTS.at(-1)!;
}

const TUPLE: readonly Field[] = ['ip daddr', 'meta l4proto', 'th dport'];
const PORT: readonly Field[] = ['meta l4proto', 'th dport'];

export function serviceTable(options: ServiceTableOptions): Table {
  const { clusterCIDR, serviceCIDR, dnsAddress, family = 4 } = options;
  const { loopback, multicast, bits } = FAMILIES[family];
  // nft 1.0.6 lets the value overwrite the end of a learned key that is longer than 16 bytes.
  const sender: Field = family === 6 ? 'meta priority' : 'ip saddr';
  const counts = [...Array.from({ length: EXACT_SLOTS }, (_, i) => i + 1), ...LARGE_SLOTS];
  const onNode: Rule['match'] = [
    { is: 'local', field: 'daddr' },
    { is: 'outside', field: 'ip daddr', cidr: serviceCIDR },
    { is: 'not in', key: ['ip daddr'], set: 'load_balancer_addresses' },
  ];
  const enter = (map: string, key = TUPLE): Action[] => [
    { do: 'mark', mark: 'ct mark', key, map },
    { do: 'goto', chain: 'balance' },
  ];
  const chains: Chain[] = [
    ...counts.map((n): Chain => ({ name: `pick_${n}`, rules: [{ actions: [{ do: 'random', below: n }] }] })),
    ...options.affinitySeconds.map(
      (seconds): Chain => ({
        name: `keep_${seconds}`,
        rules: [
          { actions: [{ do: 'remember', key: ['ct mark', sender], map: 'affinity', seconds }] },
          { actions: [{ do: 'dnat', key: ['meta mark'], map: 'sticky_targets' }] },
        ],
      }),
    ),
    {
      name: 'sticky',
      rules: [
        ...(family === 6 ? [{ actions: [{ do: 'hash sender' as const }] }] : []),
        {
          actions: [
            { do: 'mark', mark: 'meta mark', key: ['ct mark', sender], map: 'affinity' },
            { do: 'verdict', key: ['meta mark'], map: 'sticky_keep' },
          ],
          why: 'the endpoint this client had',
        },
        { actions: [{ do: 'verdict', key: ['ct mark'], map: 'pick' }] },
        {
          actions: [
            { do: 'mark', mark: 'meta mark', key: ['ct mark', 'meta mark'], map: 'sticky_slots' },
            { do: 'verdict', key: ['meta mark'], map: 'sticky_keep' },
          ],
        },
      ],
    },
    {
      name: 'balance',
      rules: [
        { match: [{ is: 'in', key: ['ct mark'], set: 'sticky_services' }], actions: [{ do: 'goto', chain: 'sticky' }] },
        { actions: [{ do: 'verdict', key: ['ct mark'], map: 'pick' }] },
        { actions: [{ do: 'dnat', key: ['ct mark', 'meta mark'], map: 'endpoints' }] },
      ],
    },
    {
      // A policy Local is for clients outside the cluster. The node's own pods reach all endpoints, their address kept too.
      name: 'own_pod',
      rules: [{ actions: enter('pod_addresses') }, { match: onNode, actions: enter('pod_node_ports', PORT) }],
    },
    {
      // Other clients within the cluster reach all endpoints as under policy Cluster: their answers must come back this way.
      name: 'outside_client',
      rules: [
        {
          match: [{ is: 'in', key: ['ip saddr'], set: 'local_pods' }],
          actions: [{ do: 'goto', chain: 'own_pod' }],
        },
        { match: [{ is: 'within', field: 'ip saddr', cidr: clusterCIDR }], actions: [{ do: 'return' }] },
        { match: [{ is: 'local', field: 'saddr' }], actions: [{ do: 'return' }] },
        { actions: enter('local_addresses') },
        { match: onNode, actions: enter('local_node_ports', PORT) },
      ],
    },
    {
      name: 'services',
      rules: [
        { actions: enter('cluster_addresses'), why: 'cluster IP' },
        { actions: [{ do: 'jump', chain: 'outside_client' }] },
        { actions: enter('external_addresses'), why: 'external IP' },
        { match: onNode, actions: enter('node_ports', PORT), why: 'node port' },
        { actions: [{ do: 'dnat', key: TUPLE, map: 'host_ports_on' }], why: 'host port' },
        { match: onNode, actions: [{ do: 'dnat', key: PORT, map: 'host_ports' }], why: 'host port' },
      ],
    },
    {
      // Before translation, for everybody: also clients within the cluster are let in by their address only.
      name: 'source_ranges',
      rules: [
        {
          match: [{ is: 'in', key: [...TUPLE, 'ip saddr'], set: 'allowed_sources' }],
          actions: [{ do: 'return' }],
        },
        {
          match: [{ is: 'in', key: TUPLE, set: 'denied_sources' }],
          actions: [{ do: 'drop' }],
          why: 'not in loadBalancerSourceRanges',
        },
      ],
    },
    {
      name: 'sources_in',
      base: { type: 'filter', hook: 'prerouting', priority: -110 },
      rules: [{ match: [{ is: 'ct state', states: ['new'] }], actions: [{ do: 'jump', chain: 'source_ranges' }] }],
    },
    {
      name: 'sources_out',
      base: { type: 'filter', hook: 'output', priority: -110 },
      rules: [{ match: [{ is: 'ct state', states: ['new'] }], actions: [{ do: 'jump', chain: 'source_ranges' }] }],
    },
    {
      name: 'refuse',
      rules: [
        { match: [{ is: 'ct state', states: ['established', 'related'] }], actions: [{ do: 'return' }] },
        { actions: [{ do: 'verdict', key: TUPLE, map: 'refused' }] },
        { match: onNode, actions: [{ do: 'verdict', key: PORT, map: 'refused_node_ports' }] },
        {
          match: [{ is: 'in', key: ['ip daddr'], set: 'cluster_ips' }],
          actions: [{ do: 'goto', chain: 'reject_it' }],
          why: 'no such port',
        },
        {
          match: [
            { is: 'in', key: ['ip daddr'], set: 'load_balancer_addresses' },
            { is: 'proto', protocols: PROTOCOLS },
          ],
          actions: [{ do: 'goto', chain: 'reject_it' }],
          why: 'no such port',
        },
        ...(isOfFamily(dnsAddress, family)
          ? [
              {
                match: [{ is: 'within' as const, field: 'ip daddr' as const, cidr: `${dnsAddress}/${bits}` }],
                actions: [{ do: 'return' as const }],
              },
            ]
          : []),
        {
          match: [{ is: 'within', field: 'ip daddr', cidr: serviceCIDR }],
          actions: [{ do: 'drop' }],
          why: 'no such service',
        },
      ],
    },
    { name: 'reject_it', rules: [{ actions: [{ do: 'count' }, { do: 'reject' }], why: 'no endpoints' }] },
    {
      name: 'arriving',
      base: { type: 'nat', hook: 'prerouting', priority: -100 },
      rules: [{ actions: [{ do: 'jump', chain: 'services' }] }],
    },
    {
      name: 'local_out',
      base: { type: 'nat', hook: 'output', priority: -100 },
      rules: [{ actions: [{ do: 'jump', chain: 'services' }] }],
    },
    {
      name: 'leaving',
      base: { type: 'nat', hook: 'postrouting', priority: 100 },
      rules: [
        {
          match: [{ is: 'dnatted' }, { is: 'in', key: ['ip saddr', 'ip daddr'], set: 'hairpin' }],
          actions: [{ do: 'masquerade' }],
          why: 'a pod reaches itself',
        },
        {
          match: [{ is: 'dnatted' }, { is: 'ct mark bit', mask: MASQUERADE_BIT }],
          actions: [{ do: 'masquerade' }],
          why: 'entered from outside',
        },
        {
          match: [{ is: 'dnatted' }, { is: 'within', field: 'ip saddr', cidr: loopback }],
          actions: [{ do: 'masquerade' }],
          why: 'loopback client',
        },
        {
          match: [{ is: 'dnatted' }, { is: 'in', key: ['ip saddr'], set: 'load_balancer_addresses' }],
          actions: [{ do: 'masquerade' }],
          why: 'the node to an address it holds',
        },
        {
          match: [
            { is: 'in', key: ['ip saddr'], set: 'local_pods' },
            { is: 'outside', field: 'ip daddr', cidr: clusterCIDR },
            { is: 'outside', field: 'ip daddr', cidr: multicast },
            { is: 'not in', key: ['ip daddr'], set: 'node_addresses' },
          ],
          actions: [{ do: 'masquerade' }],
          why: 'leaves the cluster',
        },
      ],
    },
    {
      name: 'refuse_in',
      base: { type: 'filter', hook: 'input', priority: -110 },
      rules: [
        {
          match: [
            { is: 'not from loopback' },
            { is: 'within', field: 'ip daddr', cidr: loopback },
            { is: 'ct state', states: ['new'] },
          ],
          actions: [{ do: 'drop' }],
          why: 'loopback is reached from the node only',
        },
        { actions: [{ do: 'jump', chain: 'refuse' }] },
      ],
    },
    {
      name: 'refuse_through',
      base: { type: 'filter', hook: 'forward', priority: -110 },
      rules: [{ actions: [{ do: 'jump', chain: 'refuse' }] }],
    },
    // After translation of the node's own packets: what still has a cluster IP then has no service.
    {
      name: 'refuse_out',
      base: { type: 'filter', hook: 'output', priority: -90 },
      rules: [{ actions: [{ do: 'jump', chain: 'refuse' }] }],
    },
  ];
  const tuple = ['address', 'inet_proto', 'inet_service'] as const;
  const port = ['inet_proto', 'inet_service'] as const;
  const target = ['address', 'inet_service'] as const;
  return {
    name: SERVICE_TABLE,
    family,
    sets: [
      { name: 'cluster_addresses', key: tuple, value: ['mark'] },
      { name: 'external_addresses', key: tuple, value: ['mark'] },
      { name: 'local_addresses', key: tuple, value: ['mark'] },
      { name: 'node_ports', key: port, value: ['mark'] },
      { name: 'local_node_ports', key: port, value: ['mark'] },
      { name: 'pod_addresses', key: tuple, value: ['mark'] },
      { name: 'pod_node_ports', key: port, value: ['mark'] },
      { name: 'load_balancer_addresses', key: ['address'] },
      { name: 'allowed_sources', key: [...tuple, 'address'], interval: true },
      { name: 'denied_sources', key: tuple, counter: true },
      { name: 'pick', key: ['mark'], value: 'verdict' },
      { name: 'endpoints', key: ['mark', 'mark'], value: target },
      { name: 'sticky_services', key: ['mark'] },
      { name: 'sticky_slots', key: ['mark', 'mark'], value: ['mark'] },
      { name: 'sticky_keep', key: ['mark'], value: 'verdict' },
      { name: 'sticky_targets', key: ['mark'], value: target },
      {
        name: 'affinity',
        key: ['mark', family === 6 ? 'classid' : 'address'],
        value: ['mark'],
        learned: { size: AFFINITY_ENTRIES },
      },
      { name: 'host_ports', key: port, value: target },
      { name: 'host_ports_on', key: tuple, value: target },
      { name: 'refused', key: tuple, value: 'verdict' },
      { name: 'refused_node_ports', key: port, value: 'verdict' },
      { name: 'cluster_ips', key: ['address'] },
      { name: 'hairpin', key: ['address', 'address'] },
      { name: 'node_addresses', key: ['address'] },
      { name: 'local_pods', key: ['address'], interval: true },
    ],
    chains,
  };
}

/** The slots of one id, kept between changes so that an endpoint that comes or goes moves few others. */
interface SlotTable {
  readonly id: number;
  slots: Target[];
  /** `ip:port` → number of the endpoint in sticky maps. */
  readonly numbers: Map<string, number>;
}

const ENTRANCES = ['internal', 'external', 'external-local', 'external-pods'] as const;
type Entrance = (typeof ENTRANCES)[number];

export interface ElementFacts {
  readonly dnsAddress: string;
  /** The node's own. */
  readonly nodeIPs: readonly string[];
  readonly isLocalPod: (ip: string) => boolean;
}

/** Turns service ports into elements. Holds the ids; calls for one port cost the size of that port. */
export class ServiceElements {
  #nextId = 1;
  #nextNumber = 1;
  /** `key/protocol/entrance` → its slots. */
  readonly #slots = new Map<string, SlotTable>();

  /** The elements of a port as it is now. `isLocalPod` tells which targets may reach themselves through the service. */
  elementsOf(port: ServicePortModel, facts: ElementFacts): Element[] {
    const out: Element[] = [];
    const put = (set: string, key: string, value: string | number = '') => out.push({ set, key, value: String(value) });
    const enter = (
      entrance: Entrance,
      destination: Destination,
      tuples: readonly string[],
      nodePort: boolean,
      maps: { tuple: string; port: string },
    ) => {
      if (tuples.length === 0 && !nodePort) return;
      const portKey = elementKey(port.protocol, port.nodePort ?? 0);
      if (destination.to !== 'targets') {
        // What is refused for all is refused at the general entrance.
        if (entrance === 'external-pods') return;
        // An outside client's Local entrance is decided before the general one, by dropping in the nat chain.
        if (entrance === 'external-local') {
          if (destination.to === 'reject') return;
          const { id } = this.#tableOf(port, entrance);
          put('pick', elementKey(id), 'drop');
          for (const t of tuples) put(maps.tuple, t, id);
          if (nodePort) put(maps.port, portKey, id);
          return;
        }
        const verdict = destination.to === 'drop' ? 'drop' : 'goto reject_it';
        for (const t of tuples) put('refused', t, verdict);
        if (nodePort) put('refused_node_ports', portKey, verdict);
        return;
      }
      const table = this.#tableOf(port, entrance);
      this.#fill(table, destination.targets);
      for (const t of tuples) put(maps.tuple, t, table.id);
      if (nodePort) put(maps.port, portKey, table.id);
      put('pick', elementKey(table.id), `jump pick_${table.slots.length}`);
      for (const target of destination.targets)
        if (facts.isLocalPod(target.ip)) put('hairpin', elementKey(target.ip, target.ip));
      if (port.affinitySeconds === undefined) {
        table.slots.forEach((t, slot) => put('endpoints', elementKey(table.id, slot), elementKey(t.ip, t.port)));
        return;
      }
      put('sticky_services', elementKey(table.id));
      for (const [slot, t] of table.slots.entries())
        put('sticky_slots', elementKey(table.id, slot), this.#numberOf(table, t));
      for (const t of destination.targets) {
        const number = elementKey(this.#numberOf(table, t));
        put('sticky_keep', number, `goto keep_${port.affinitySeconds}`);
        put('sticky_targets', number, elementKey(t.ip, t.port));
      }
    };
    const clusterIPs = port.clusterIPs.filter((ip) => ip !== facts.dnsAddress);
    const tuplesOf = (ips: readonly string[]) => ips.map((ip) => elementKey(ip, port.protocol, port.port));
    for (const ip of clusterIPs) put('cluster_ips', ip);
    enter('internal', port.internal, tuplesOf(clusterIPs), false, { tuple: 'cluster_addresses', port: '' });
    const hasNodePort = port.nodePort !== undefined;
    enter('external', port.external, tuplesOf(port.externalIPs), hasNodePort, {
      tuple: 'external_addresses',
      port: 'node_ports',
    });
    if (port.externalLocal !== undefined) {
      enter('external-local', port.externalLocal, tuplesOf(port.externalIPs), hasNodePort, {
        tuple: 'local_addresses',
        port: 'local_node_ports',
      });
      enter('external-pods', port.external, tuplesOf(port.externalIPs), hasNodePort, {
        tuple: 'pod_addresses',
        port: 'pod_node_ports',
      });
    }
    for (const ip of port.loadBalancerIPs) {
      put('load_balancer_addresses', ip);
      if (port.sourceRanges === undefined) continue;
      const tuple = elementKey(ip, port.protocol, port.port);
      put('denied_sources', tuple);
      for (const range of allowedSources(port.sourceRanges, ip, facts.nodeIPs))
        put('allowed_sources', elementKey(tuple, formatRange(range, parseIP(ip)!.family)));
    }
    return out;
  }

  /** The port is gone: its ids may be used no more. */
  forget(port: ServicePortModel): void {
    for (const entrance of ENTRANCES) this.#slots.delete(slotKey(port, entrance));
  }

  #tableOf(port: ServicePortModel, entrance: Entrance): SlotTable {
    const key = slotKey(port, entrance);
    let table = this.#slots.get(key);
    if (table === undefined) {
      const number = this.#nextId++;
      table = { id: entrance === 'external' ? (number | MASQUERADE_BIT) >>> 0 : number, slots: [], numbers: new Map() };
      this.#slots.set(key, table);
    }
    return table;
  }

  #numberOf(table: SlotTable, target: Target): number {
    const key = `${target.ip}:${target.port}`;
    let number = table.numbers.get(key);
    if (number === undefined) {
      number = this.#nextNumber++;
      table.numbers.set(key, number);
    }
    return number;
  }

  #fill(table: SlotTable, targets: readonly Target[]): void {
    const wanted = new Map(targets.map((t) => [`${t.ip}:${t.port}`, t]));
    for (const key of table.numbers.keys()) if (!wanted.has(key)) table.numbers.delete(key);
    const count = slotsFor(targets.length);
    if (count > targets.length) {
      table.slots = Array.from({ length: count }, (_, i) => targets[i % targets.length]!);
      return;
    }
    // Exact: those that stay keep their slots, the new fill the holes, the last move into what remains.
    const slots: (Target | undefined)[] = Array.from({ length: count }, () => undefined);
    const homeless: Target[] = [];
    for (const [i, t] of table.slots.entries()) {
      const key = `${t.ip}:${t.port}`;
      const now = wanted.get(key);
      if (now === undefined) continue;
      wanted.delete(key);
      if (i < count) slots[i] = now;
      else homeless.push(now);
    }
    homeless.push(...wanted.values());
    table.slots = slots.map((t) => t ?? homeless.shift()!);
  }
}

/**
 * The ranges as the kernel takes them: sorted, without overlap. A node that is let in is let in, too, when it holds the
 * address itself, which its packets then come from.
 */
function allowedSources(cidrs: readonly string[], address: string, nodeIPs: readonly string[]): AddressRange[] {
  const range = (text: string): AddressRange => {
    const cidr = parseCIDR(text)!;
    return { from: cidr.base, to: cidr.base + cidrSize(cidr) - 1n };
  };
  const ranges = cidrs.map(range);
  const nodes = nodeIPs.map((ip) => parseIP(ip)!.value);
  if (ranges.some((r) => nodes.some((n) => n >= r.from && n <= r.to)))
    ranges.push(range(`${address}/${FAMILIES[parseIP(address)!.family].bits}`));
  const out: AddressRange[] = [];
  for (const r of ranges.sort((a, b) => (a.from < b.from ? -1 : 1))) {
    const last = out.at(-1);
    if (last === undefined || r.from > last.to + 1n) out.push(r);
    else if (r.to > last.to) out[out.length - 1] = { from: last.from, to: r.to };
  }
  return out;
}

function slotKey(port: ServicePortModel, entrance: Entrance): string {
  return `${port.key}/${port.protocol}/${entrance}`;
}
