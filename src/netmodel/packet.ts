// Walks a virtual packet through the rules of one node as the kernel would: hooks in order of priority, maps looked up,
// addresses translated. Says what became of the packet and which rules spoke. Used by tests and by the explainer.
import { cidrContains, parseCIDR, parseIP } from '#base/ip.ts';
import type { Action, Chain, Element, Field, Hook, Match, Protocol, Rule, SetDeclaration, Table } from './rules.ts';

export interface Packet {
  readonly src: string;
  readonly dst: string;
  readonly protocol: Protocol | 'icmp';
  /** 0 for protocols without ports. */
  readonly dport: number;
}

export interface NodeView {
  readonly tables: readonly { readonly table: Table; readonly elements: readonly Element[] }[];
  /** Addresses that end on this node. */
  readonly localAddresses: readonly string[];
  /** The address that masquerading gives. */
  readonly primaryAddress: string;
  /** The same for IPv6, where the node has it. */
  readonly primaryAddress6?: string;
  /** Entries learned by rules (session affinity): set → key → value. Kept between walks when handed in again. */
  readonly learned?: Map<string, Map<string, string>>;
}

export interface WalkOptions {
  /** `wire`: came in on an interface (from a pod or another machine); `node`: sent by a process of the node. */
  readonly from: 'wire' | 'node';
  readonly state?: 'new' | 'established';
  /** Draws a number from 0 up to below n. */
  readonly random?: (below: number) => number;
}

export interface Walk {
  /** `delivered` to the node itself, `sent` on towards `packet.dst`. */
  readonly verdict: 'delivered' | 'sent' | 'dropped' | 'rejected';
  /** The packet as it is at the end. */
  readonly packet: Packet;
  readonly translatedTo: { readonly ip: string; readonly port: number } | undefined;
  readonly masqueraded: boolean;
  /** Chain and meaning of each rule that decided something. */
  readonly trace: readonly string[];
}

type Verdict = 'accept' | 'drop' | 'reject' | 'return' | 'continue';

interface State {
  packet: Packet;
  readonly input: WalkOptions;
  metaMark: number;
  ctMark: number;
  translated: Walk['translatedTo'];
  masqueraded: boolean;
  readonly trace: string[];
}

export function walk(node: NodeView, packet: Packet, options: WalkOptions): Walk {
  const lookups = node.tables.map(({ table, elements }) => new TableWalker(table, elements, node));
  const state: State = {
    packet,
    input: options,
    metaMark: 0,
    ctMark: 0,
    translated: undefined,
    masqueraded: false,
    trace: [],
  };
  const end = (verdict: Walk['verdict']): Walk => ({
    verdict,
    packet: state.packet,
    translatedTo: state.translated,
    masqueraded: state.masqueraded,
    trace: state.trace,
  });
  const through = (hook: Hook): Walk | undefined => {
    const verdict = runHook(lookups, hook, state);
    return verdict === 'accept' ? undefined : end(verdict === 'drop' ? 'dropped' : 'rejected');
  };
  const isLocal = () => node.localAddresses.includes(state.packet.dst) || isLoopback(state.packet.dst);
  if (options.from === 'node') {
    const refused = through('output') ?? through('postrouting');
    if (refused !== undefined) return refused;
    return isLocal() ? (through('input') ?? end('delivered')) : end('sent');
  }
  const refused = through('prerouting');
  if (refused !== undefined) return refused;
  if (isLocal()) return through('input') ?? end('delivered');
  return through('forward') ?? through('postrouting') ?? end('sent');
}

function runHook(tables: readonly TableWalker[], hook: Hook, state: State): 'accept' | 'drop' | 'reject' {
  const family = parseIP(state.packet.dst)!.family;
  const ofFamily = tables.filter((t) => (t.table.family ?? 4) === family);
  const chains = ofFamily.flatMap((t) =>
    t.table.chains.filter((c) => c.base?.hook === hook).map((chain) => ({ walker: t, chain })),
  );
  chains.sort((a, b) => a.chain.base!.priority - b.chain.base!.priority);
  for (const { walker, chain } of chains) {
    if (chain.base!.type === 'nat' && state.input.state === 'established') continue;
    const verdict = walker.run(chain, state);
    if (verdict === 'drop' || verdict === 'reject') return verdict;
  }
  return 'accept';
}

class TableWalker {
  readonly table: Table;
  readonly #node: NodeView;
  readonly #chains: ReadonlyMap<string, Chain>;
  readonly #sets: ReadonlyMap<string, SetDeclaration>;
  /** Set → key → value. */
  readonly #elements = new Map<string, Map<string, string>>();

  constructor(table: Table, elements: readonly Element[], node: NodeView) {
    this.table = table;
    this.#node = node;
    this.#chains = new Map(table.chains.map((c) => [c.name, c]));
    this.#sets = new Map(table.sets.map((s) => [s.name, s]));
    for (const { set, key, value } of elements) {
      if (!this.#sets.has(set)) throw new Error(`element of unknown set ${set}`);
      let held = this.#elements.get(set);
      if (held === undefined) this.#elements.set(set, (held = new Map()));
      held.set(key, value);
    }
  }

  run(chain: Chain, state: State): Verdict {
    for (const rule of chain.rules) {
      const verdict = this.#runRule(chain, rule, state);
      if (verdict === 'continue') continue;
      if (verdict === 'return') return 'continue';
      return verdict;
    }
    return 'continue';
  }

  #runRule(chain: Chain, rule: Rule, state: State): Verdict {
    for (const match of rule.match ?? []) if (!this.#matches(match, state)) return 'continue';
    for (const action of rule.actions) {
      const outcome = this.#act(action, state);
      if (outcome === 'miss') return 'continue';
      if (rule.why !== undefined && action === rule.actions[0]) state.trace.push(`${chain.name}: ${rule.why}`);
      if (outcome !== 'continue') return outcome;
    }
    return 'continue';
  }

  #act(action: Action, state: State): Verdict | 'miss' {
    switch (action.do) {
      case 'count':
        return 'continue';
      case 'accept':
      case 'drop':
      case 'return':
      case 'reject':
        return action.do;
      case 'masquerade':
        state.packet = { ...state.packet, src: this.#ownAddress() };
        state.masqueraded = true;
        return 'accept';
      case 'goto':
      case 'jump':
        return this.#enter(`${action.do} ${action.chain}`, state);
      case 'verdict': {
        const verdict = this.#lookup(action.map, action.key, state);
        return verdict === undefined ? 'miss' : this.#enter(verdict, state);
      }
      case 'mark': {
        const value = this.#lookup(action.map, action.key, state);
        if (value === undefined) return 'miss';
        if (action.mark === 'ct mark') state.ctMark = Number(value);
        else state.metaMark = Number(value);
        return 'continue';
      }
      case 'hash sender':
        return 'continue'; // fieldOf knows whose it is
      case 'random':
        state.metaMark = state.input.random?.(action.below) ?? 0;
        return 'continue';
      case 'remember': {
        const learned = this.#node.learned;
        if (learned === undefined) return 'continue';
        let held = learned.get(action.map);
        if (held === undefined) learned.set(action.map, (held = new Map()));
        held.set(this.#key(action.key, state), String(state.metaMark));
        return 'continue';
      }
      case 'dnat': {
        if (state.packet.protocol === 'icmp') return 'miss';
        const target = this.#lookup(action.map, action.key, state);
        if (target === undefined) return 'miss';
        const [ip, port] = target.split(' . ');
        state.packet = { ...state.packet, dst: ip!, dport: Number(port) };
        state.translated = { ip: ip!, port: Number(port) };
        return 'accept';
      }
    }
  }

  #ownAddress(): string {
    if (this.table.family !== 6) return this.#node.primaryAddress;
    if (this.#node.primaryAddress6 === undefined) throw new Error('the node has no IPv6 address');
    return this.#node.primaryAddress6;
  }

  /** A goto's end ends the calling chain too: nothing said there means the base chain's policy, which is accept. */
  #enter(verdict: string, state: State): Verdict {
    const [kind, name] = verdict.split(' ') as [string, string | undefined];
    if (name === undefined) return kind as Verdict;
    const chain = this.#chains.get(name);
    if (chain === undefined) throw new Error(`no chain ${name} in ${this.table.name}`);
    const outcome = this.run(chain, state);
    return kind === 'goto' && outcome === 'continue' ? 'return' : outcome;
  }

  #matches(match: Match, state: State): boolean {
    switch (match.is) {
      case 'in':
        return this.#lookup(match.set, match.key, state) !== undefined;
      case 'not in':
        return this.#lookup(match.set, match.key, state) === undefined;
      case 'local':
      case 'not local': {
        const address = match.field === 'saddr' ? state.packet.src : state.packet.dst;
        const local = this.#node.localAddresses.includes(address) || isLoopback(address);
        return local === (match.is === 'local');
      }
      case 'ct state':
        return match.states.includes(state.input.state ?? 'new');
      case 'dnatted':
        return state.translated !== undefined;
      case 'ct mark bit':
        return (state.ctMark & match.mask) >>> 0 === match.mask;
      case 'proto':
        return (match.protocols as readonly string[]).includes(state.packet.protocol);
      case 'within':
      case 'outside': {
        const address = match.field === 'ip saddr' ? state.packet.src : state.packet.dst;
        return cidrContains(parseCIDR(match.cidr)!, parseIP(address)!) === (match.is === 'within');
      }
      case 'not from loopback':
        return state.input.from === 'wire';
      case 'neighbour discovery':
      case 'foreign sender':
        return false; // no packet that has a place in this walk
    }
  }

  #key(fields: readonly Field[], state: State): string {
    return fields.map((f) => String(fieldOf(f, state))).join(' . ');
  }

  #lookup(set: string, fields: readonly Field[], state: State): string | undefined {
    const declared = this.#sets.get(set);
    if (declared === undefined) throw new Error(`no set ${set} in ${this.table.name}`);
    if (declared.learned !== undefined) return this.#node.learned?.get(set)?.get(this.#key(fields, state));
    const held = this.#elements.get(set);
    if (held === undefined || declared.interval !== true) return held?.get(this.#key(fields, state));
    const values = fields.map((f) => orderOf(String(fieldOf(f, state))));
    for (const [key, value] of held) if (key.split(' . ').every((range, i) => inRange(range, values[i]!))) return value;
    return undefined;
  }
}

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

function fieldOf(field: Field, state: State): string | number {
  switch (field) {
    case 'ip saddr':
      return state.packet.src;
    case 'ip daddr':
      return state.packet.dst;
    case 'meta l4proto':
      return state.packet.protocol;
    case 'th dport':
      return state.packet.dport;
    case 'meta mark':
      return state.metaMark;
    case 'ct mark':
      return state.ctMark;
    case 'meta priority':
      return state.packet.src;
  }
}

export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, sctp: 132 };

function orderOf(text: string): bigint {
  return parseIP(text)?.value ?? BigInt(PROTOCOL_NUMBERS[text] ?? text);
}

/** `a-b`, or one value. */
function inRange(range: string, value: bigint): boolean {
  const [low, high] = range.split('-');
  return value >= orderOf(low!) && value <= orderOf(high ?? low!);
}
