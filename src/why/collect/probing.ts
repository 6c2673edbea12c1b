// The probes of a question: the one that it is, and, when that did not get through, those that tell the way from the server.
import type { Pod } from '#generated/api/core-v1.ts';
import { sleep } from '#base/clock.ts';
import { readBody } from '#machinery/exchange.ts';
import { ingressService } from '../checks/ingress-route.ts';
import { couldNot, type Facts, type PodLog, type ProbeRun } from '../facts.ts';
import { backendsOf, type Located, locate } from '../locate.ts';
import { podFacts } from '../meaning.ts';
import type { PodFacts } from '../node/facts.ts';
import { connectionsOf, listeningOf, parseProcNet } from '../node/sockets.ts';
import { outcomeOf } from '../outcome.ts';
import { ipsOf, isReady, isRunning, nameOf, namespaceOf, statusOf, targetPortIn } from '../pods.ts';
import type { Cannot, ProbeRequest, ProbeTls, Vantage } from '../probe/result.ts';
import type { AskDeps, Question } from '../question.ts';
import { lookAgain, within } from './nodes.ts';

/** Swallowed packets cost this much twice at most: the answer is there in six seconds. */
const PROBE_TIMEOUT_MS = 2_000;
const SECOND_PROBE_TIMEOUT_MS = 1_500;
const MOST_ENDPOINTS = 3;
/** An answer takes less, or is none. */
const SLOW_MS = 600;

/** Where the packets end: behind an Ingress, the Service that it leads to. */
export function reach(facts: Facts): Located {
  const located = locate(facts);
  const inner = ingressService(facts, located);
  if (inner === undefined) return located;
  const servicePort = inner.service.spec?.ports?.find((p) => p.port === inner.port);
  return { ...located, service: inner.service, servicePort, backends: backendsOf(facts, inner.service, servicePort) };
}

export function vantageOf(pod: Pod): Vantage {
  return {
    at: 'pod',
    node: pod.spec?.nodeName ?? '',
    namespace: namespaceOf(pod),
    pod: nameOf(pod),
    uid: pod.metadata.uid ?? '',
  };
}

export function vantage(facts: Facts): Vantage | string {
  const { source } = facts;
  if (source.at === 'laptop') return { at: 'laptop' };
  if (source.at === 'node') return { at: 'node', node: source.wanted };
  if (source.pod === undefined) return `no pod of ${source.wanted} in namespace ${source.namespace} is there`;
  if (!isRunning(source.pod)) return `no container of pod ${source.namespace}/${nameOf(source.pod)} runs`;
  return vantageOf(source.pod);
}

/** What the main probe asks; a sentence when there is nothing to connect to. */
export function mainRequest(facts: Facts, located: Located, ca?: string): ProbeRequest | string {
  const { target } = facts;
  if (located.absent !== undefined && located.via !== 'forward')
    return `there is no ${located.absent.kind} ${located.absent.namespace}/${located.absent.name}`;
  const isIngress = target.kind === 'ingress';
  const host = isIngress ? (located.addresses[0] ?? '') : located.host;
  if (host === '' || located.port === undefined) return 'there is no address to connect to yet';
  const isLocal = located.via === 'localhost' || located.via === 'forward';
  const base = {
    host: isLocal && host.endsWith('localhost') ? '127.0.0.1' : host,
    port: located.port,
    timeoutMs: PROBE_TIMEOUT_MS,
    ...hostsOf(facts),
  };
  if (isIngress) {
    const tls: ProbeTls | undefined = located.port === 443 ? { mode: 'require', serverName: located.host } : undefined;
    const path = located.ingress?.spec?.rules?.[0]?.http?.paths[0]?.path ?? '/';
    return { ...base, protocol: 'http', path, hostHeader: located.host, ...(tls === undefined ? {} : { tls }) };
  }
  if (target.kind !== 'address') return { ...base, protocol: located.protocol };
  const { protocol, tls, user, password, database, path } = target;
  return {
    ...base,
    protocol,
    ...(tls === undefined ? {} : { tls: { ...tls, serverName: target.host, ...(ca === undefined ? {} : { ca }) } }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(path === undefined ? {} : { path }),
  };
}

/** The lines that the kubelet writes into the hosts file of the client's containers. */
function hostsOf({ source }: Facts): { readonly hosts?: string } {
  const spec = source.at === 'pod' ? source.pod?.spec : undefined;
  if (spec?.hostAliases === undefined || spec.hostNetwork === true) return {};
  return { hosts: spec.hostAliases.map((a) => `${a.ip} ${(a.hostnames ?? []).join(' ')}`).join('\n') };
}

export async function runProbe(
  deps: AskDeps,
  from: Vantage,
  request: ProbeRequest,
  signal: AbortSignal,
): Promise<ProbeRun> {
  return { from, request: withoutPassword(request), result: await deps.prober.probe(from, request, signal) };
}

type Closer = Pick<Facts, 'direct' | 'inside'>;

/** A probe that has no answer by now is being swallowed, most likely: what would be asked after it is asked beside it. */
export async function whenSlow(
  deps: AskDeps,
  probing: Promise<ProbeRun>,
  start: () => Promise<Closer>,
): Promise<Closer | undefined> {
  const done = new AbortController();
  const slow = await Promise.race([
    probing.then(() => false),
    sleep(deps.clock, SLOW_MS, done.signal).then(() => true),
  ]);
  done.abort();
  return slow ? start() : undefined;
}

/** Is it the way, or the server? Straight to the pods from the client, and from the server's pod to itself. */
export async function closerProbes(
  deps: AskDeps,
  facts: Facts,
  from: Vantage | undefined,
  located: Located,
  pods: readonly Pod[],
  question: Question,
  signal: AbortSignal,
): Promise<Closer> {
  const again = (at: Vantage, r: ProbeRequest) =>
    runProbe(deps, at, { ...r, timeoutMs: SECOND_PROBE_TIMEOUT_MS }, signal);
  const isWithin =
    from !== undefined && from.at !== 'laptop' && located.via !== 'pod-ip' && located.via !== 'localhost';
  const protocol = located.transport === 'udp' ? 'udp' : 'tcp';
  const reachable = isWithin
    ? located.backends.filter(
        (b) => b.ip !== undefined && b.port !== undefined && b.pod !== undefined && isRunning(b.pod),
      )
    : [];
  const direct = reachable
    .slice(0, MOST_ENDPOINTS)
    .map((b) => again(from!, { host: b.ip!, port: b.port!, protocol, timeoutMs: 0 }));
  const inside = insideProbes(facts, located, pods, question).map(({ pod, request }) => again(vantageOf(pod), request));
  const [d, i] = await Promise.all([Promise.all(direct), Promise.all(inside)]);
  return { direct: d, inside: i };
}

/** After a probe that did not get through. */
export async function followUp(
  before: Facts,
  main: ProbeRun | undefined,
  early: Closer | undefined,
  question: Question,
  deps: AskDeps,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<Facts> {
  const known = main === undefined ? before : withMain(before, main);
  const outcome = outcomeOf(main);
  if (outcome.made && outcome.failedAt === undefined) return known;
  const said = outcome.result?.handshake?.message ?? '';
  const located = reach(known);
  // A server that says nothing to plain words may speak TLS only.
  const shook = outcome.result?.handshake?.outcome;
  const isMute =
    (shook === 'closed' || shook === 'wrong-protocol') &&
    (main?.request.tls === undefined || main.request.tls.mode === 'disable');
  const from = main === undefined || couldNot(main.result) || outcome.connected ? undefined : main.from;
  const closer =
    early !== undefined && !outcome.connected
      ? early
      : closerProbes(deps, known, from, located, pods, question, signal);
  const secure =
    (/no encryption|SSL off/.test(said) || isMute) && main !== undefined
      ? runProbe(
          deps,
          main.from,
          { ...main.request, tls: { mode: 'require' }, timeoutMs: SECOND_PROBE_TIMEOUT_MS },
          signal,
        )
      : undefined;
  const hba = /pg_hba/.test(said) ? readHba(deps, located, signal) : undefined;
  // Postgres tells the client nothing of a role that does not exist; its log does.
  const log = /password authentication failed/.test(said) ? readServerLog(deps, located) : undefined;
  const after = main === undefined || outcome.connected ? known.sight : lookAgain(deps, known, located, pods, signal);
  const [found, s, lines, logged, sight, sockets] = await Promise.all([
    closer,
    secure,
    hba,
    log,
    after,
    readSockets(deps, known, pods, signal),
  ]);
  return {
    ...known,
    ...found,
    sight,
    sockets,
    ...(s === undefined ? {} : { withTls: s }),
    ...(lines === undefined ? {} : { hba: lines }),
    ...(logged === undefined ? {} : { logs: [...known.logs, logged] }),
  };
}

function withMain(facts: Facts, main: ProbeRun): Facts {
  if (!couldNot(main.result)) return { ...facts, main };
  const { permission, cannot } = main.result;
  const denied = permission === undefined ? facts.denied : [...facts.denied, { kind: 'probe' as const, permission }];
  return { ...facts, main, unprobed: cannot, denied };
}

const withoutPassword = ({ password: _password, ...request }: ProbeRequest): ProbeRequest => request;

/** Where the node cannot be asked, the pod itself can: its sockets stand in its /proc. */
async function readSockets(
  deps: AskDeps,
  facts: Facts,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<readonly PodFacts[]> {
  const { exec } = deps;
  const hidden = pods.filter((p) => isRunning(p) && podFacts(facts, p) === undefined).slice(0, MOST_ENDPOINTS);
  if (exec === undefined) return [];
  const files = ['tcp', 'tcp6', 'udp', 'udp6'];
  const script = files.map((f) => `echo "== ${f}"; cat /proc/net/${f}`).join('; ');
  const read = hidden.map(async (pod): Promise<PodFacts[]> => {
    const container = pod.spec?.containers.find((c) => statusOf(pod, c.name)?.state?.running !== undefined)?.name ?? '';
    const at = { namespace: namespaceOf(pod), name: nameOf(pod), container };
    const said = await within(
      deps,
      exec(at, ['sh', '-c', script], signal).then((t): { text: string } | Cannot =>
        typeof t === 'string' ? { text: t } : t,
      ),
    );
    if (!('text' in said)) return [];
    const rows = said.text.split('== ').flatMap((part) => {
      const file = files.find((f) => part.startsWith(`${f}\n`));
      return file === undefined
        ? []
        : parseProcNet(file.startsWith('udp') ? 'udp' : 'tcp', file.endsWith('6') ? 6 : 4, part.slice(file.length + 1));
    });
    const { namespace, name } = at;
    return [
      {
        namespace,
        name,
        uid: pod.metadata.uid ?? '',
        addresses: ipsOf(pod),
        mtu: undefined,
        listening: listeningOf(rows, new Map(), new Map()),
        connections: connectionsOf(rows),
        resolvConf: undefined,
        foreignRules: [],
        routes: [],
        policyProfiles: undefined,
      },
    ];
  });
  return (await Promise.all(read)).flat();
}

/** From the server's pod to its own address: does it listen, and what does it say to the same words? */
function insideProbes(
  facts: Facts,
  located: Located,
  pods: readonly Pod[],
  question: Question,
): readonly { readonly pod: Pod; readonly request: ProbeRequest }[] {
  const pod = pods.find(isReady) ?? pods.find(isRunning);
  if (pod === undefined || !isRunning(pod) || located.via === 'localhost') return [];
  const outcome = outcomeOf(facts.main);
  const port =
    located.backends.find((b) => b.pod === pod)?.port ??
    (located.servicePort === undefined ? located.port : targetPortIn(pod, located.servicePort));
  const [ip] = ipsOf(pod);
  if (port === undefined || ip === undefined) return [];
  const full = mainRequest(facts, { ...located, absent: undefined, host: ip, port }, question.ca);
  const spoken =
    typeof full === 'string' ? { host: ip, port, protocol: 'tcp' as const, timeoutMs: 0 } : { ...full, host: ip, port };
  const plain = { host: '127.0.0.1', port, protocol: 'tcp' as const, timeoutMs: 0 };
  if (!outcome.connected)
    return [
      { pod, request: spoken },
      { pod, request: plain },
    ];
  // Turned away by name: is it let in from its own localhost? Without the password: nothing but what anybody there may do.
  const turnedAway =
    facts.target.kind === 'address' &&
    facts.target.protocol === 'postgres' &&
    outcome.result?.handshake?.outcome === 'rejected';
  return turnedAway ? [{ pod, request: { ...withoutPassword(spoken), host: '127.0.0.1' } }] : [];
}

/** The authority's file that the target names stands where the client is. */
export async function readAuthority(deps: AskDeps, facts: Facts, signal: AbortSignal): Promise<string | undefined> {
  const { target, source } = facts;
  if (
    target.kind !== 'address' ||
    target.caFile === undefined ||
    source.at !== 'pod' ||
    source.pod === undefined ||
    deps.exec === undefined
  )
    return undefined;
  const container = source.pod.spec?.containers[0]?.name ?? '';
  const asked = deps.exec(
    { namespace: source.namespace, name: nameOf(source.pod), container },
    ['cat', target.caFile],
    signal,
  );
  const text = await within(
    deps,
    asked.then((t): { text: string } | Cannot => (typeof t === 'string' ? { text: t } : t)),
  );
  return 'text' in text ? text.text : undefined;
}

/** The failed log-in is among the last. */
const LOG_LINES = 50;

async function readServerLog(deps: AskDeps, located: Located): Promise<PodLog | undefined> {
  const pod = located.backends.find((b) => b.endpoint === 'ready')?.pod ?? located.backends[0]?.pod;
  const container = pod?.spec?.containers[0]?.name;
  if (pod === undefined || container === undefined) return undefined;
  const path = `/api/v1/namespaces/${namespaceOf(pod)}/pods/${nameOf(pod)}/log?container=${container}&tailLines=${LOG_LINES}`;
  const answer = await deps.client.raw('GET', path);
  const text = Buffer.from(await readBody(answer.body)).toString('utf8');
  if (answer.status !== 200) return undefined;
  return { namespace: namespaceOf(pod), pod: nameOf(pod), container, previous: false, lines: text.split('\n') };
}

async function readHba(deps: AskDeps, located: Located, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const pod = located.backends.find((b) => b.endpoint === 'ready')?.pod ?? located.backends[0]?.pod;
  const container = pod?.spec?.containers[0];
  if (deps.exec === undefined || pod === undefined || container === undefined) return undefined;
  const script =
    'cat "$(psql -U "${POSTGRES_USER:-postgres}" -d postgres -Atqc "show hba_file" 2>/dev/null || echo "${PGDATA:-/var/lib/postgresql/data}/pg_hba.conf")"';
  const asked = deps.exec(
    { namespace: namespaceOf(pod), name: nameOf(pod), container: container.name },
    ['sh', '-c', script],
    signal,
  );
  const text = await within(
    deps,
    asked.then((t): { text: string } | Cannot => (typeof t === 'string' ? { text: t } : t)),
  );
  return 'text' in text ? text.text.split('\n') : undefined;
}
