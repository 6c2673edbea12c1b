// One question from beginning to end: reads the API, looks into the nodes, probes, and looks again; then explains. All reading that can
// go on at once does; a second round of probes is made only when the first did not get through.
import type { Pod } from '#generated/api/core-v1.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import { ObjectReader } from './collect/objects.ts';
import { findSource } from './collect/source.ts';
import { findUpstream } from './collect/upstream.ts';
import { explain } from './explain.ts';
import {
  type Facts,
  couldNot,
  type Denied,
  type Forward,
  type PodLog,
  type ProbeRun,
  type Sight,
  type Upstream,
} from './facts.ts';
import { ingressService } from './checks/load-balancer.ts';
import { backendsOf, type Located, locate } from './locate.ts';
import { podFacts } from './meaning.ts';
import type { FactsRequest, NodeSight, PodFacts } from './node/facts.ts';
import { connectionsOf, listeningOf, parseProcNet } from './node/sockets.ts';
import { outcomeOf } from './outcome.ts';
import { ipsOf, isReady, isRunning, nameOf, namespaceOf, statusOf, targetPortIn } from './pods.ts';
import type { Cannot, ProbeRequest, Prober, ProbeTls, Vantage } from './probe/result.ts';
import type { Report } from './report.ts';
import { nearestPods } from './checks/endpoint.ts';
import type { Source, Target } from './target.ts';

export interface AskDeps {
  readonly client: Client;
  readonly sight: NodeSight;
  readonly prober: Prober;
  readonly clock: Clock;
  /** Port-forwards of this machine. */
  readonly forwards: () => readonly Forward[];
  /** A command in a container, its output; for what only the server's own files say. */
  readonly exec?: (
    pod: { readonly namespace: string; readonly name: string; readonly container: string },
    command: readonly string[],
    signal: AbortSignal,
  ) => Promise<string | Cannot>;
}

export interface Question {
  readonly target: Target;
  readonly source: Source;
  /** Default of names without one. */
  readonly namespace: string;
  readonly probes: boolean;
  readonly domain?: string;
  /** Contents of the authority's file that the target names. */
  readonly ca?: string;
}

export interface Answer {
  readonly report: Report;
  readonly facts: Facts;
  readonly located: Located;
}

/** Swallowed packets cost this much twice at most: the answer is there in six seconds. */
const PROBE_TIMEOUT_MS = 2_000;
const SECOND_PROBE_TIMEOUT_MS = 1_500;
const MOST_ENDPOINTS = 3;
/** An answer takes less, or is none. */
const SLOW_MS = 600;
/** When the probe got through, what nodes add is not worth more than this. */
const GRACE_MS = 500;
const LOG_LINES = 20;

export async function ask(question: Question, deps: AskDeps, signal: AbortSignal, depth = 0): Promise<Answer> {
  const reader = new ObjectReader(deps.client);
  const near = namespacesOf(question);
  const isOutside = question.source.kind === 'laptop';
  const [world, access] = await Promise.all([
    reader.world(near),
    isOutside ? forwardAccess(deps.client, question) : undefined,
  ]);
  const source = await findSource(deps.client, question.source, question.namespace, world, deps.forwards);
  const namespace = source.at === 'pod' && question.target.kind === 'address' ? source.namespace : question.namespace;
  let facts: Facts = {
    target: question.target,
    source,
    namespace,
    domain: question.domain ?? 'cluster.local',
    objects: world,
    denied: reader.denied,
    sight: new Map(),
    logs: [],
    direct: [],
    inside: [],
    nowMs: deps.clock.now(),
    ...access,
  };
  const first = reach(facts);
  const pods = lookedAt(facts, first);
  const from = vantage(facts);
  const ca = question.ca ?? (question.probes ? await readAuthority(deps, facts, signal) : undefined);
  const asked: Question = ca === undefined ? question : { ...question, ca };
  const request = mainRequest(facts, locate(facts), ca);
  const canProbe = question.probes && typeof from !== 'string' && typeof request !== 'string';
  const probing = canProbe ? runProbe(deps, from, request, signal) : undefined;
  const early = canProbe
    ? whenSlow(deps, probing!, () => closerProbes(deps, facts, from, first, pods, asked, signal))
    : undefined;
  const [around, before, logs, main] = await Promise.all([
    reader.around(placesOf(facts, first, pods), first.via === 'ingress'),
    lookAtNodes(
      deps,
      facts,
      first,
      pods,
      signal,
      probing?.then((run) => afterSuccess(deps, run)),
    ),
    readLogs(deps.client, pods.filter(hasCrashed)),
    probing,
  ]);
  const denied = [...reader.denied, ...sightDenied(before)];
  facts = { ...facts, objects: { ...facts.objects, ...around }, sight: before, logs, denied };
  const nothingToProbe = typeof from === 'string' ? from : typeof request === 'string' ? request : undefined;
  if (!question.probes) facts = { ...facts, unprobed: '--no-probe' };
  else
    facts = await followUp(
      nothingToProbe === undefined ? facts : { ...facts, unprobed: nothingToProbe },
      main,
      await early,
      asked,
      deps,
      pods,
      signal,
    );
  if (depth < 2) {
    const upstream = await walkOn(facts, question, deps, signal, depth);
    if (upstream !== undefined) facts = { ...facts, upstream };
  }
  return { report: explain(facts), facts, located: locate(facts) };
}

function namespacesOf(question: Question): readonly string[] {
  const { target, source } = question;
  const labels = target.kind === 'address' ? target.host.split('.').slice(1, 3) : [];
  const said = target.kind === 'address' ? labels : [target.namespace];
  const client = source.kind === 'pod' || source.kind === 'workload' ? source.namespace : undefined;
  return [
    ...new Set(
      [question.namespace, client, ...said].filter((n): n is string => n !== undefined && /^[a-z0-9-]+$/.test(n)),
    ),
  ];
}

/** Where the packets end: behind an Ingress, the Service that it leads to. */
function reach(facts: Facts): Located {
  const located = locate(facts);
  const inner = ingressService(facts, located);
  if (inner === undefined) return located;
  const servicePort = inner.service.spec?.ports?.find((p) => p.port === inner.port);
  return { ...located, service: inner.service, servicePort, backends: backendsOf(facts, inner.service, servicePort) };
}

/** The pods whose sockets matter. */
function lookedAt(facts: Facts, located: Located): readonly Pod[] {
  const behind = located.backends.flatMap((b) => (b.pod === undefined ? [] : [b.pod]));
  if (behind.length > 0 || located.service === undefined) return behind.slice(0, 8);
  return nearestPods(facts, located.service).slice(0, 2);
}

function placesOf(facts: Facts, located: Located, pods: readonly Pod[]): readonly string[] {
  const own = facts.source.at === 'pod' ? [facts.source.namespace] : [];
  const service = located.service === undefined ? [] : [namespaceOf(located.service)];
  const ingress = located.ingress === undefined ? [] : [namespaceOf(located.ingress)];
  return [...new Set([facts.namespace, ...own, ...service, ...ingress, ...pods.map(namespaceOf)])];
}

function hasCrashed(pod: Pod): boolean {
  const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return (
    all.some((s) => (s.restartCount ?? 0) > 0 && s.ready !== true) ||
    all.some((s) => (s.state?.terminated?.exitCode ?? 0) !== 0)
  );
}

function factsRequests(facts: Facts, located: Located, pods: readonly Pod[]): ReadonlyMap<string, FactsRequest> {
  const client = facts.source.at === 'pod' ? facts.source.pod : undefined;
  const own = client?.spec?.nodeName ?? (facts.source.at === 'node' ? facts.source.wanted : located.node);
  const out = new Map<string, { pods: { namespace: string; name: string }[]; services: string[] }>();
  const at = (node: string) => {
    const known = out.get(node) ?? { pods: [], services: [] };
    out.set(node, known);
    return known;
  };
  if (own !== undefined) {
    const keys =
      located.port === undefined ? [] : located.addresses.map((ip) => `${ip}:${located.port}/${located.transport}`);
    at(own).services.push(...keys);
  }
  for (const pod of new Set([...(client === undefined ? [] : [client]), ...pods])) {
    const node = pod.spec?.nodeName;
    if (node !== undefined && isRunning(pod)) at(node).pods.push({ namespace: namespaceOf(pod), name: nameOf(pod) });
  }
  return out;
}

async function lookAtNodes(
  deps: AskDeps,
  facts: Facts,
  located: Located,
  pods: readonly Pod[],
  signal: AbortSignal,
  enough: Promise<void> = new Promise(() => {}),
): Promise<ReadonlyMap<string, Sight>> {
  const requests = [...factsRequests(facts, located, pods)].slice(0, 6);
  const given = enough.then((): Cannot => ({ cannot: 'it was not waited for, since the probe got through' }));
  const seen = await Promise.all(
    requests.map(async ([node, request]) => {
      const looked = within(deps, deps.sight.facts(node, request, signal));
      return [node, { before: await Promise.race([looked, given]) }] as const;
    }),
  );
  return new Map(seen);
}

/** Settles when a look at the nodes is no longer worth waiting for: never, when the probe did not get through. */
function afterSuccess(deps: AskDeps, run: ProbeRun): Promise<void> {
  const outcome = outcomeOf(run);
  const isThrough = outcome.made && outcome.failedAt === undefined;
  return isThrough ? sleep(deps.clock, GRACE_MS) : new Promise(() => {});
}

/** A node that does not answer must not keep the answer waiting. */
async function within<T>(deps: AskDeps, asked: Promise<T | Cannot>): Promise<T | Cannot> {
  const done = new AbortController();
  const late = sleep(deps.clock, PROBE_TIMEOUT_MS, done.signal).then(
    (): Cannot => ({ cannot: 'it did not answer in time' }),
    (): Cannot => ({ cannot: 'it was not waited for' }),
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    done.abort();
  }
}

function sightDenied(sight: ReadonlyMap<string, Sight>): readonly Denied[] {
  const permissions = [...sight.values()].flatMap((s) =>
    couldNot(s.before) && s.before.permission !== undefined ? [s.before.permission] : [],
  );
  return [...new Set(permissions)].map((permission) => ({ kind: 'sight', permission }));
}

async function readLogs(client: Client, pods: readonly Pod[]): Promise<readonly PodLog[]> {
  const wanted = pods
    .slice(0, 3)
    .flatMap((pod) =>
      [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
        .filter((s) => s.ready !== true && ((s.restartCount ?? 0) > 0 || s.state?.terminated !== undefined))
        .flatMap((s) => [true, false].map((previous) => ({ pod, container: s.name, previous }))),
    );
  return Promise.all(
    wanted.map(async ({ pod, container, previous }) => {
      const path = `/api/v1/namespaces/${namespaceOf(pod)}/pods/${nameOf(pod)}/log?container=${container}&tailLines=${LOG_LINES}${previous ? '&previous=true' : ''}`;
      const answer = await client.raw('GET', path);
      const text = Buffer.from(await readBody(answer.body)).toString('utf8');
      const lines = answer.status === 200 ? text.split('\n').filter((l) => l !== '') : [];
      return { namespace: namespaceOf(pod), pod: nameOf(pod), container, previous, lines };
    }),
  );
}

async function forwardAccess(client: Client, question: Question): Promise<{ mayForward?: boolean; user?: string }> {
  const post = async (path: string, body: object): Promise<Record<string, unknown> | undefined> => {
    const answer = await client.raw('POST', path, Buffer.from(JSON.stringify(body)), {
      'content-type': 'application/json',
    });
    const text = Buffer.from(await readBody(answer.body)).toString('utf8');
    return answer.status < 300 ? (JSON.parse(text) as { status?: Record<string, unknown> }).status : undefined;
  };
  const { target } = question;
  const host = target.kind === 'address' ? target.host.split('.')[1] : undefined;
  const namespace = (target.kind === 'address' ? host : target.namespace) ?? question.namespace;
  const resourceAttributes = {
    namespace: /^[a-z0-9-]+$/.test(namespace) && !/^\d+$/.test(namespace) ? namespace : question.namespace,
    verb: 'create',
    resource: 'pods',
    subresource: 'portforward',
  };
  const [access, self] = await Promise.all([
    post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes },
    }),
    post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
    }),
  ]);
  const user = (self?.['userInfo'] as { username?: string } | undefined)?.username;
  return {
    ...(access === undefined ? {} : { mayForward: access['allowed'] === true }),
    ...(user === undefined ? {} : { user }),
  };
}

// --- probing

export function vantageOf(pod: Pod): Vantage {
  return {
    at: 'pod',
    node: pod.spec?.nodeName ?? '',
    namespace: namespaceOf(pod),
    pod: nameOf(pod),
    uid: pod.metadata.uid ?? '',
  };
}

function vantage(facts: Facts): Vantage | string {
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

async function runProbe(deps: AskDeps, from: Vantage, request: ProbeRequest, signal: AbortSignal): Promise<ProbeRun> {
  return { from, request: withoutPassword(request), result: await deps.prober.probe(from, request, signal) };
}

type Closer = Pick<Facts, 'direct' | 'inside'>;

/** A probe that has no answer by now is being swallowed, most likely: what would be asked after it is asked beside it. */
async function whenSlow(
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
async function closerProbes(
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
async function followUp(
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
  const after = main === undefined || outcome.connected ? known.sight : lookAgain(deps, known, located, pods, signal);
  const [found, s, lines, sight, sockets] = await Promise.all([
    closer,
    secure,
    hba,
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
  };
}

function withMain(facts: Facts, main: ProbeRun): Facts {
  if (!couldNot(main.result)) return { ...facts, main };
  const { permission, cannot } = main.result;
  const denied = permission === undefined ? facts.denied : [...facts.denied, { kind: 'probe' as const, permission }];
  return { ...facts, main, unprobed: cannot, denied };
}

const withoutPassword = ({ password: _password, ...request }: ProbeRequest): ProbeRequest => request;

async function lookAgain(
  deps: AskDeps,
  facts: Facts,
  located: Located,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Sight>> {
  const able = [...facts.sight].filter(([, s]) => !couldNot(s.before));
  const requests = factsRequests(facts, located, pods);
  const seen = await Promise.all(
    able.map(
      async ([node, s]) =>
        [
          node,
          {
            ...s,
            after: await within(deps, deps.sight.facts(node, requests.get(node) ?? { pods: [], services: [] }, signal)),
          },
        ] as const,
    ),
  );
  return new Map([...facts.sight, ...seen]);
}

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
async function readAuthority(deps: AskDeps, facts: Facts, signal: AbortSignal): Promise<string | undefined> {
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

/** Behind a pooler stands what it forwards to: the same question again, from the pooler's pod. */
async function walkOn(
  facts: Facts,
  question: Question,
  deps: AskDeps,
  signal: AbortSignal,
  depth: number,
): Promise<Upstream | undefined> {
  const located = reach(facts);
  const found = findUpstream(facts, located);
  if (found === undefined) return undefined;
  const { pod, target, read } = found;
  const again: Question = {
    ...question,
    target,
    source: { kind: 'pod', namespace: namespaceOf(pod), name: nameOf(pod) },
    namespace: namespaceOf(pod),
  };
  const { report } = await ask(again, deps, signal, depth + 1);
  return { read, target: target.text, report };
}
