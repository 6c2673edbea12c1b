// Names that are not the cluster's: asked of the upstream resolvers in order, with a small cache, one question in
// flight for equal queries, and a bound on all of them.
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { NameRecord } from '#netmodel/names.ts';
import { type Answer, decodeAnswer, encodeQuery, type Query, RCODES } from '#netmodel/dns-wire.ts';

/** One exchange with an upstream; rejects when nothing came in time. */
export type Ask = (upstream: string, query: Uint8Array, transport: 'udp' | 'tcp') => Promise<Uint8Array>;

export interface ForwarderDeps {
  readonly ask: Ask;
  readonly clock: Clock;
  readonly random: Random;
  /** `address:port`, tried in order. */
  readonly upstreams: readonly string[];
}

/** Questions in flight; more are answered with SERVFAIL instead of piling up. CoreDNS' forward allows 1000. */
const MOST_IN_FLIGHT = 1000;
const MOST_CACHED = 2000;
const LONGEST_TTL_SECONDS = 30;
/** Answers without records (NXDOMAIN without SOA and the like) are kept this long. */
const EMPTY_TTL_SECONDS = 5;

interface Cached {
  readonly bytes: Uint8Array;
  readonly answer: Answer;
  readonly storedMs: number;
  readonly untilMs: number;
}

export class Forwarder {
  readonly #deps: ForwarderDeps;
  /** Question and transport → answer, oldest first. */
  readonly #cache = new Map<string, Cached>();
  readonly #inFlight = new Map<string, Promise<Cached | undefined>>();

  constructor(deps: ForwarderDeps) {
    this.#deps = deps;
  }

  /** The answer with the client's own id, aged; undefined when no upstream answered. */
  async forward(bytes: Uint8Array, query: Query, transport: 'udp' | 'tcp'): Promise<Uint8Array | undefined> {
    const found = await this.#lookup(bytes, query, transport);
    if (found === undefined) return undefined;
    const out = Uint8Array.from(found.bytes);
    const view = new DataView(out.buffer);
    view.setUint16(0, query.id);
    const age = Math.floor((this.#deps.clock.monotonic() - found.storedMs) / 1000);
    for (const at of found.answer.ttlOffsets) view.setUint32(at, Math.max(0, view.getUint32(at) - age));
    return out;
  }

  /** The records of a name, for following an alias; none when it cannot be resolved. */
  async records(name: string, type: number): Promise<readonly NameRecord[]> {
    let bytes: Uint8Array;
    try {
      bytes = encodeQuery(0, name, type);
    } catch {
      return [];
    }
    const query: Query = {
      id: 0,
      opcode: 0,
      recursionDesired: true,
      name,
      type,
      class: 1,
      udpSize: undefined,
      dnssecOk: false,
    };
    const found = await this.#lookup(bytes, query, 'udp');
    if (found === undefined || !found.answer.truncated) return found?.answer.answers ?? [];
    return (await this.#lookup(bytes, query, 'tcp'))?.answer.answers ?? [];
  }

  async #lookup(bytes: Uint8Array, query: Query, transport: 'udp' | 'tcp'): Promise<Cached | undefined> {
    const key = `${query.name} ${query.type} ${query.class} ${query.udpSize ?? 0} ${query.dnssecOk} ${transport}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined && cached.untilMs > this.#deps.clock.monotonic()) return cached;
    const running = this.#inFlight.get(key);
    if (running !== undefined) return running;
    if (this.#inFlight.size >= MOST_IN_FLIGHT) return undefined;
    const asked = this.#askAll(bytes, query, transport).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, asked);
    const found = await asked;
    if (found !== undefined && !found.answer.truncated && found.answer.rcode !== RCODES.serverFailure)
      this.#keep(key, found);
    return found;
  }

  #keep(key: string, found: Cached): void {
    this.#cache.delete(key);
    this.#cache.set(key, found);
    if (this.#cache.size <= MOST_CACHED) return;
    const [oldest] = this.#cache.keys();
    this.#cache.delete(oldest!);
  }

  async #askAll(bytes: Uint8Array, query: Query, transport: 'udp' | 'tcp'): Promise<Cached | undefined> {
    let last: Cached | undefined;
    for (const upstream of this.#deps.upstreams) {
      const found = await this.#askOne(upstream, bytes, query, transport);
      if (found === undefined) continue;
      if (found.answer.rcode !== RCODES.serverFailure) return found;
      last = found;
    }
    return last;
  }

  async #askOne(
    upstream: string,
    bytes: Uint8Array,
    query: Query,
    transport: 'udp' | 'tcp',
  ): Promise<Cached | undefined> {
    const { clock, random, ask } = this.#deps;
    const id = Math.floor(random.next() * 65_536);
    const sent = Uint8Array.from(bytes);
    new DataView(sent.buffer).setUint16(0, id);
    try {
      const received = await ask(upstream, sent, transport);
      const answer = decodeAnswer(received);
      if (answer.id !== id || answer.type !== query.type || answer.name.toLowerCase() !== query.name.toLowerCase())
        return undefined;
      const storedMs = clock.monotonic();
      const ttl = Math.min(answer.minTtl ?? EMPTY_TTL_SECONDS, LONGEST_TTL_SECONDS);
      return { bytes: received, answer, storedMs, untilMs: storedMs + ttl * 1000 };
    } catch {
      // No answer, or none that can be read: the next upstream is asked, and the client hears SERVFAIL after the last.
      return undefined;
    }
  }
}
