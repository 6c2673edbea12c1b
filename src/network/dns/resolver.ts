// From the bytes of a query to the bytes of its answer: the cluster's names from objects, all others from upstream.
import type { Clock } from '#base/clock.ts';
import type { Counter, MetricsRegistry } from '#base/metrics.ts';
import type { NameRecord, Names, RecordType } from '#netmodel/names.ts';
import type { Forwarder } from './forwarder.ts';
import {
  decodeQuery,
  encodeFormatError,
  encodeResponse,
  type Query,
  RCODES,
  type Response,
  TYPES,
} from '#netmodel/dns-wire.ts';

export interface ResolverDeps {
  readonly names: Names;
  readonly forwarder: Forwarder;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  /** False until the objects are known: the cluster's names get SERVFAIL, which clients try again, never a wrong NXDOMAIN. */
  readonly synced: () => boolean;
}

/** Answers over 512 bytes go by UDP only to clients that said by EDNS how much they take (RFC 1035 4.2.1). */
const PLAIN_UDP_BYTES = 512;
const TCP_BYTES = 65_535;
/** Aliases that lead to aliases: more is a loop. */
const LONGEST_ALIAS_CHAIN = 8;

const TYPE_NAMES = new Map<number, string>(Object.entries(TYPES).map(([name, number]) => [number, name]));

export class Resolver {
  readonly #deps: ResolverDeps;
  /** Response code and origin → its counter. */
  readonly #counters = new Map<string, Counter>();

  constructor(deps: ResolverDeps) {
    this.#deps = deps;
  }

  /** Undefined: no answer at all (what came is not even a query). Never rejects. */
  async answer(bytes: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array | undefined> {
    let query: Query;
    try {
      query = decodeQuery(bytes);
    } catch {
      return encodeFormatError(bytes);
    }
    const limit = transport === 'tcp' ? TCP_BYTES : Math.max(PLAIN_UDP_BYTES, query.udpSize ?? 0);
    if (query.opcode !== 0) return this.#reply({ ...empty(query), rcode: RCODES.notImplemented }, limit);
    const type = typeName(query.type);
    const resolution =
      query.class === 1 ? this.#deps.names.resolve(query.name.toLowerCase(), type) : ({ kind: 'elsewhere' } as const);
    if (resolution.kind !== 'elsewhere' && !this.#deps.synced())
      return this.#reply({ ...empty(query), rcode: RCODES.serverFailure }, limit);
    switch (resolution.kind) {
      case 'elsewhere':
        return this.#forward(bytes, query, transport, limit);
      case 'answer':
        return this.#reply(
          {
            ...empty(query),
            authoritative: true,
            answers: inCaseOf(query, resolution.records),
            additional: resolution.extra,
          },
          limit,
        );
      case 'no data':
        return this.#reply({ ...empty(query), authoritative: true, authority: [resolution.soa] }, limit);
      case 'no name':
        return this.#reply(
          { ...empty(query), authoritative: true, rcode: RCODES.noName, authority: [resolution.soa] },
          limit,
        );
      case 'alias': {
        const answers = [
          resolution.record,
          ...(type === 'CNAME' ? [] : await this.#follow(resolution.target, query.type)),
        ];
        return this.#reply({ ...empty(query), authoritative: true, answers: inCaseOf(query, answers) }, limit);
      }
    }
  }

  /** Records of an alias' target, wherever it lives; none when it cannot be resolved. */
  async #follow(target: string, type: number): Promise<readonly NameRecord[]> {
    const out: NameRecord[] = [];
    let name = target;
    for (let i = 0; i < LONGEST_ALIAS_CHAIN; i++) {
      const resolution = this.#deps.names.resolve(name, typeName(type));
      if (resolution.kind === 'answer') return [...out, ...resolution.records];
      if (resolution.kind === 'elsewhere') return [...out, ...(await this.#deps.forwarder.records(name, type))];
      if (resolution.kind !== 'alias') return out;
      out.push(resolution.record);
      name = resolution.target;
    }
    return out;
  }

  async #forward(bytes: Uint8Array, query: Query, transport: 'udp' | 'tcp', limit: number): Promise<Uint8Array> {
    if (!query.recursionDesired) return this.#reply({ ...empty(query), rcode: RCODES.refused }, limit);
    const answer = await this.#deps.forwarder.forward(bytes, query, transport);
    if (answer === undefined) return this.#reply({ ...empty(query), rcode: RCODES.serverFailure }, limit);
    this.#count('forwarded', answer[3]! & 0xf);
    if (answer.length <= limit) return answer;
    // Only a cached TCP answer can be too long for UDP: send the client to TCP.
    return encodeResponse({ ...empty(query), answers: TOO_LONG, rcode: answer[3]! & 0xf }, PLAIN_UDP_BYTES);
  }

  #reply(response: Response, limit: number): Uint8Array {
    this.#count('cluster', response.rcode);
    return encodeResponse(response, limit);
  }

  #count(origin: string, rcode: number): void {
    const key = `${origin} ${rcode}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      const labels = { origin, rcode: RCODE_TEXT[rcode] ?? String(rcode) };
      counter = this.#deps.metrics.counter('coredns_dns_responses_total', 'DNS responses by origin and code.', labels);
      this.#counters.set(key, counter);
    }
    counter.inc();
  }
}

const RCODE_TEXT = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** More than any plain UDP answer holds: makes the encoder truncate. */
const TOO_LONG: readonly NameRecord[] = Array.from({ length: 3 }, () => ({
  name: 'x',
  ttl: 0,
  data: { type: 'TXT', text: 'x'.repeat(255) } as const,
}));

function empty(query: Query): Response {
  return { query, rcode: RCODES.ok, authoritative: false, answers: [], authority: [], additional: [] };
}

/** Some resolvers mix the case of what they ask and want it back in the records (draft-vixie-dnsext-dns0x20). */
function inCaseOf(query: Query, records: readonly NameRecord[]): NameRecord[] {
  const lower = query.name.toLowerCase();
  return records.map((r) => (r.name === lower ? { ...r, name: query.name } : r));
}

function typeName(type: number): RecordType | 'ANY' | 'other' {
  const name = TYPE_NAMES.get(type);
  return name === undefined || name === 'OPT' ? 'other' : (name as RecordType | 'ANY');
}
