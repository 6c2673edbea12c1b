// Names as a C library resolves them (resolv.conf(5), hosts(5)): the search list by ndots, each question recorded. Left out: other
// sources of nsswitch.conf (mdns, resolve), which the places that Coracle probes from do not have.
import type { Clock } from '#base/clock.ts';
import { parseIP } from '#base/ip.ts';
import type { Random } from '#base/random.ts';
import { decodeAnswer, encodeQuery, RCODES, TYPES } from '#netmodel/dns-wire.ts';
import { parseResolvConf, type ResolverConfig } from '#netmodel/resolv-conf.ts';
import type { DnsAttempt } from './result.ts';
import type { ProbeSockets } from './sockets.ts';

export interface ResolveDeps {
  readonly sockets: ProbeSockets;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Resolved {
  readonly addresses: readonly string[];
  readonly attempts: readonly DnsAttempt[];
}

export interface ResolveOptions {
  readonly resolvConf: string;
  readonly hosts: string;
  readonly timeoutMs: number;
  /** 53; tests serve elsewhere. */
  readonly port?: number;
}

/** resolv.conf(5): "The default for n is 1". */
const DEFAULT_NDOTS = 1;
const DNS_PORT = 53;
/** Each server is asked twice, as a C library does (attempts:2): one lost datagram is no outage. */
const TRIES = 2;
const HOSTS_FILE = '/etc/hosts';
const OUTCOMES: Readonly<Record<number, string>> = {
  [RCODES.ok]: 'NOERROR',
  [RCODES.formatError]: 'FORMERR',
  [RCODES.serverFailure]: 'SERVFAIL',
  [RCODES.noName]: 'NXDOMAIN',
  [RCODES.notImplemented]: 'NOTIMP',
  [RCODES.refused]: 'REFUSED',
};

export async function resolveName(name: string, options: ResolveOptions, deps: ResolveDeps): Promise<Resolved> {
  const listed = addressesInHosts(options.hosts, name);
  if (listed.length > 0) {
    const attempt: DnsAttempt = {
      server: HOSTS_FILE,
      question: name,
      type: listed.some((a) => !a.includes(':')) ? 'A' : 'AAAA',
      outcome: 'NOERROR',
      answers: listed,
      ms: 0,
    };
    return { addresses: listed, attempts: [attempt] };
  }
  const config = parseResolvConf(options.resolvConf);
  const deadline = deps.clock.monotonic() + options.timeoutMs;
  const attempts: DnsAttempt[] = [];
  for (const question of candidates(name, config)) {
    const asked = await Promise.all(
      (['A', 'AAAA'] as const).map((type) => ask(question, type, config.servers, deadline, options, deps)),
    );
    attempts.push(...asked.flat());
    const addresses = asked.flatMap((list) => list.at(-1)?.answers ?? []).filter((a) => parseIP(a) !== undefined);
    if (addresses.length > 0) return { addresses: [...new Set(addresses)], attempts };
    // Nobody answers: a C library gives up here as well, instead of asking the rest of the list.
    if (asked.every((list) => list.every((a) => a.outcome === 'timeout' || a.outcome === 'refused'))) break;
    if (deps.clock.monotonic() >= deadline) break;
  }
  return { addresses: [], attempts };
}

/** The names that are asked, in order: a name with fewer dots than ndots is tried below the search list first. */
export function candidates(name: string, config: ResolverConfig): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const ndots = Number(config.options.find((o) => o.startsWith('ndots:'))?.slice('ndots:'.length) ?? DEFAULT_NDOTS);
  const below = config.searches.map((s) => `${name}.${s.replace(/\.$/, '')}`);
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [name, ...below] : [...below, name];
}

export function addressesInHosts(hosts: string, name: string): readonly string[] {
  const wanted = name.toLowerCase().replace(/\.$/, '');
  const out: string[] = [];
  for (const line of hosts.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (address !== undefined && parseIP(address) !== undefined && names.some((n) => n.toLowerCase() === wanted))
      out.push(address);
  }
  return out;
}

/** Asks the servers in turn until one answers; every question is recorded, the answer last. */
async function ask(
  question: string,
  type: 'A' | 'AAAA',
  servers: readonly string[],
  deadline: number,
  options: ResolveOptions,
  deps: ResolveDeps,
): Promise<readonly DnsAttempt[]> {
  const out: DnsAttempt[] = [];
  const rounds = TRIES * servers.length;
  for (let i = 0; i < rounds; i++) {
    const left = deadline - deps.clock.monotonic();
    if (left <= 0) break;
    const attempt = await askOnce(question, type, servers[i % servers.length]!, left / (rounds - i), options, deps);
    out.push(attempt);
    if (!['timeout', 'refused', 'unreachable', 'SERVFAIL', 'REFUSED', 'NOTIMP'].includes(attempt.outcome)) break;
  }
  return out;
}

async function askOnce(
  question: string,
  type: 'A' | 'AAAA',
  server: string,
  timeoutMs: number,
  options: ResolveOptions,
  { sockets, clock, random }: ResolveDeps,
): Promise<DnsAttempt> {
  const started = clock.monotonic();
  const id = Math.floor(random.next() * 65_536);
  const done = (outcome: string, answers: readonly string[] = []): DnsAttempt => ({
    server,
    question,
    type,
    outcome,
    answers,
    ms: Math.round(clock.monotonic() - started),
  });
  let query: Uint8Array;
  try {
    query = encodeQuery(id, question, TYPES[type]);
  } catch {
    return done('not a name that DNS can carry');
  }
  const isOurs = (bytes: Uint8Array) => bytes.length > 2 && bytes[0] === id >> 8 && bytes[1] === (id & 0xff);
  const got = await sockets.datagram(server, options.port ?? DNS_PORT, query, timeoutMs, isOurs);
  if (got.outcome !== 'answer') return done(got.outcome === 'silence' ? 'timeout' : got.outcome);
  try {
    const { rcode, answers } = decodeAnswer(got.bytes);
    const records = answers.flatMap(({ data }) => (data.type === type ? [data.address] : []));
    return done(OUTCOMES[rcode] ?? `RCODE${rcode}`, records);
  } catch {
    return done('an answer that is no DNS message');
  }
}
