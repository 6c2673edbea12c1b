// What nft and iptables print, read for the explainer: counters of Coracle's own tables, what its service table holds for an address,
// and rules of others that drop or reject.
import type { ForeignRule, ProgrammedService, RuleCounter } from './facts.ts';

/** All tables that Coracle makes begin so. */
const OURS = 'coracle_';

export interface TableName {
  readonly family: string;
  readonly name: string;
}

/** Output of `nft list tables`. */
export function parseTables(text: string): readonly TableName[] {
  return [...text.matchAll(/^table (\S+) (\S+)$/gm)].map((m) => ({ family: m[1]!, name: m[2]! }));
}

export const isOurs = ({ name }: TableName): boolean => name.startsWith(OURS);

/** Rules that end a packet's way, in the output of `nft -a list table FAMILY NAME`. */
export function foreignRulesOf(text: string): readonly ForeignRule[] {
  const out: ForeignRule[] = [];
  let [family, table, chain] = ['', '', ''];
  let hook: string | undefined;
  for (const raw of text.split('\n')) {
    const handle = Number(/ # handle (\d+)$/.exec(raw)?.[1] ?? 0);
    const line = raw.replace(/ # handle \d+$/, '').trim();
    const opened = /^(table|chain|set|map|flowtable|counter|quota|limit) (?:(\S+) )?(\S+) \{$/.exec(line);
    if (opened !== null) {
      if (opened[1] === 'table') [family, table] = [opened[2] ?? 'ip', opened[3]!];
      chain = opened[1] === 'chain' ? opened[3]! : '';
      hook = undefined;
      continue;
    }
    if (chain === '') continue;
    const base = /^type \S+ hook (\S+) .*?policy (\S+);$/.exec(line);
    const common = { family, table, chain };
    if (base !== null) {
      hook = base[1];
      if (base[2] === 'drop') out.push({ ...common, hook, handle: 0, rule: `policy drop`, packets: undefined });
    } else if (/(^| )(drop|reject)( |$)/.test(line.replace(/"[^"]*"/g, ''))) {
      out.push({ ...common, hook, handle, rule: line, packets: packetsIn(/counter packets (\d+)/, line) });
    }
  }
  return out;
}

/** The same in the output of iptables-save -c or ip6tables-save -c (legacy tables, which nft does not show). */
export function legacyRulesOf(text: string, family: 'ip' | 'ip6'): readonly ForeignRule[] {
  const out: ForeignRule[] = [];
  let table = '';
  /** Chain → rules seen so far. */
  const places = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      table = line.slice(1).trim();
      places.clear();
      continue;
    }
    const policy = /^:(\S+) DROP \[(\d+):/.exec(line);
    if (policy !== null) {
      const chain = policy[1]!;
      const packets = Number(policy[2]);
      out.push({ family, table, chain, hook: hookOf(chain), handle: 0, rule: `policy ${chain} DROP`, packets });
      continue;
    }
    const rule = /^\[(\d+):\d+\] (-A (\S+) .*)$/.exec(line);
    if (rule === null) continue;
    const chain = rule[3]!;
    const place = (places.get(chain) ?? 0) + 1;
    places.set(chain, place);
    if (/ -j (DROP|REJECT)\b/.test(rule[2]!))
      out.push({
        family,
        table,
        chain,
        hook: hookOf(chain),
        handle: place,
        rule: rule[2]!,
        packets: Number(rule[1]),
      });
  }
  return out;
}

const hookOf = (chain: string): string | undefined =>
  ['INPUT', 'OUTPUT', 'FORWARD', 'PREROUTING', 'POSTROUTING'].includes(chain) ? chain.toLowerCase() : undefined;

function packetsIn(pattern: RegExp, text: string): number | undefined {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Rules with counters in the output of `nft list chain` or `list table` of ours: `table/chain: why`. */
export function ruleCounters(table: string, chain: string, text: string): readonly RuleCounter[] {
  return [...text.matchAll(/^\s*(.*?)counter packets (\d+) bytes \d+ ?(.*)$/gm)].map((m) => {
    const why = /comment "([^"]*)"/.exec(m[3]!)?.[1];
    return {
      rule: `${table}/${chain}: ${m[1]}${m[3]!.replace(/ ?comment "[^"]*"/, '')}${why === undefined ? '' : ` (${why})`}`,
      packets: Number(m[2]),
    };
  });
}

/** Elements with counters in the output of `nft -nn list set`: `table/set: key`. */
export function elementCounters(table: string, set: string, text: string): readonly RuleCounter[] {
  return [...text.matchAll(/([^\s{},=][^{},=]*?) counter packets (\d+) bytes \d+/g)].map((m) => ({
    rule: `${table}/${set}: ${m[1]!.trim()}`,
    packets: Number(m[2]),
  }));
}

/** A map as nft prints it in JSON: key text → value text, parts joined by ` . `. */
export type KernelMap = ReadonlyMap<string, string>;

/** Output of `nft -j list map|set`. Empty for what is no such output. */
export function parseMap(json: string): KernelMap {
  const out = new Map<string, string>();
  let parsed: { readonly nftables?: readonly Readonly<Record<string, { readonly elem?: readonly unknown[] }>>[] };
  try {
    parsed = JSON.parse(json) as typeof parsed;
  } catch {
    return out;
  }
  for (const entry of parsed.nftables ?? []) {
    for (const element of (entry['map'] ?? entry['set'])?.elem ?? []) {
      if (Array.isArray(element)) out.set(textOf(element[0]), textOf(element[1]));
      else out.set(textOf(element), '');
    }
  }
  return out;
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const known = value as {
    readonly concat?: readonly unknown[];
    readonly elem?: { readonly val: unknown };
    readonly jump?: { readonly target: string };
    readonly goto?: { readonly target: string };
    readonly drop?: null;
  };
  if (known.concat !== undefined) return known.concat.map(textOf).join(' . ');
  if (known.elem !== undefined) return textOf(known.elem.val);
  if (known.jump !== undefined) return `jump ${known.jump.target}`;
  if (known.goto !== undefined) return `goto ${known.goto.target}`;
  if ('drop' in known) return 'drop';
  return JSON.stringify(value);
}

/** The maps of the service table by name, as far as they were read. */
export type ServiceMaps = Readonly<Record<string, KernelMap>>;

/** Maps from (address, protocol, port), in the order of need: what is refused stands in none of the first. */
export const ADDRESS_MAPS = ['cluster_addresses', 'external_addresses', 'local_addresses', 'refused'] as const;
/** Maps from (protocol, port): for addresses of the node itself. */
export const PORT_MAPS = ['node_ports', 'local_node_ports', 'refused_node_ports'] as const;
/** Where an id leads; with session affinity over a number. */
export const TARGET_MAPS = ['endpoints'] as const;
export const STICKY_MAPS = ['sticky_slots', 'sticky_targets'] as const;

/**
 * What the table does with `address:port/protocol`; undefined when it knows nothing of it. `isNodeAddress`: the node ports count.
 */
export function programmed(key: string, maps: ServiceMaps, isNodeAddress: boolean): ProgrammedService | undefined {
  const parsed = /^\[?(.*?)\]?:(\d+)\/(\w+)$/.exec(key);
  if (parsed === null) return undefined;
  const [, address, port, protocol] = parsed as unknown as [string, string, string, string];
  const tuple = `${address} . ${protocol.toLowerCase()} . ${port}`;
  const pair = `${protocol.toLowerCase()} . ${port}`;
  const at = (map: string, of: string): string | undefined => maps[map]?.get(of);
  const ids = [
    ...ADDRESS_MAPS.slice(0, 3).map((m) => at(m, tuple)),
    ...(isNodeAddress ? PORT_MAPS.slice(0, 2).map((m) => at(m, pair)) : []),
  ].filter((id) => id !== undefined);
  const refused = at('refused', tuple) ?? (isNodeAddress ? at('refused_node_ports', pair) : undefined);
  if (ids.length === 0) return refused === undefined ? undefined : { key, endpoints: [] };
  const endpoints = new Set<string>();
  for (const id of ids) {
    for (const [slot, target] of maps['endpoints'] ?? []) if (slot.startsWith(`${id} . `)) endpoints.add(colon(target));
    for (const [slot, number] of maps['sticky_slots'] ?? []) {
      const target = slot.startsWith(`${id} . `) ? at('sticky_targets', number) : undefined;
      if (target !== undefined) endpoints.add(colon(target));
    }
  }
  return { key, endpoints: [...endpoints].sort() };
}

/** `10.244.1.2 . 5432` as `10.244.1.2:5432`. */
function colon(target: string): string {
  const [address, port] = target.split(' . ') as [string, string];
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
