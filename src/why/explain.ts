// From facts to the report: runs the checks in the order of the chain, lets the probe contradict what only seemed broken, names the
// first cause, hides what follows from it, and names a second one that would remain.
import { checkAddress } from './checks/address.ts';
import { checkEndpoint } from './checks/endpoint.ts';
import { checkListener } from './checks/listener.ts';
import { ingressService } from './checks/ingress-route.ts';
import { checkLoadBalancer } from './checks/load-balancer.ts';
import { checkName } from './checks/name.ts';
import { checkPod } from './checks/pod.ts';
import { checkEgressPolicy, checkIngressPolicy } from './checks/policy.ts';
import { checkPosition } from './checks/position.ts';
import { checkRoute } from './checks/route.ts';
import { checkService } from './checks/service.ts';
import { checkAuthentication, checkDatabase, checkHandshake, checkTls } from './checks/session.ts';
import { checkStorage } from './checks/storage.ts';
import type { Code } from './codes.ts';
import type { Denied, Facts } from './facts.ts';
import { type Check, type Finding, finding, type LinkResult, note } from './finding.ts';
import { backendsOf, type Located, locate } from './locate.ts';
import { describeRun, type Outcome, outcomeOf } from './outcome.ts';
import { type Cause, type Link, type LinkName, LINKS, type NotChecked, type Report } from './report.ts';

/** One a link, in the order of LINKS: a client's packets meet them in this order, so the first that breaks is the cause. */
export const CHECKS: readonly { readonly link: LinkName; readonly check: Check; readonly behindIngress?: true }[] = [
  { link: 'position', check: checkPosition },
  { link: 'name', check: checkName },
  { link: 'address', check: checkAddress },
  { link: 'route', check: checkRoute },
  // What stands behind an Ingress is looked at through the Service that it leads to.
  { link: 'service', check: checkService, behindIngress: true },
  { link: 'endpoint', check: checkEndpoint, behindIngress: true },
  { link: 'egress-policy', check: checkEgressPolicy },
  { link: 'load-balancer', check: checkLoadBalancer },
  { link: 'ingress-policy', check: checkIngressPolicy },
  { link: 'pod', check: checkPod, behindIngress: true },
  { link: 'listener', check: checkListener, behindIngress: true },
  { link: 'tls', check: checkTls },
  { link: 'handshake', check: checkHandshake },
  { link: 'authentication', check: checkAuthentication },
  { link: 'database', check: checkDatabase },
  { link: 'storage', check: checkStorage, behindIngress: true },
];

/** A cause → what it makes look broken as well. */
const HIDES: Partial<Record<Code, readonly Code[]>> = {
  ClusterDNSNameFromOutside: ['NameNotFound', 'DNSUnreachable'],
  ClaimMissing: ['PodPending', 'PodNotReady'],
  ClaimPending: ['PodPending', 'PodNotReady'],
  MultiAttach: ['PodPending', 'PodTerminating', 'PodNotReady'],
  CrashLoopBackOff: ['NothingListening', 'ListenerOnLoopback', 'ListenerOtherPort', 'ListenerOtherFamily'],
  TargetPortMismatch: ['NothingListening', 'ListenerOtherPort', 'WrongProtocol'],
  ServicePortMissing: ['NothingListening', 'ListenerOtherPort'],
  HeadlessHasNoPort: ['NothingListening', 'ListenerOtherPort'],
  PodIPStale: ['EgressDenied', 'NothingListening'],
  PodIPReused: [
    'EgressDenied',
    'IngressDenied',
    'NothingListening',
    'ListenerOtherPort',
    'ListenerOnLoopback',
    'WrongProtocol',
    'TLSNotOffered',
    'PodNotReady',
  ],
  NamePointsElsewhere: [
    'EgressDenied',
    'NothingListening',
    'ListenerOtherPort',
    'WrongProtocol',
    'PodIPStale',
    'PodIPReused',
  ],
  IngressNotHTTP: ['WrongProtocol', 'TLSNotOffered', 'NothingListening'],
  ForwardPodGone: ['WrongProtocol', 'NothingListening', 'ServerStarting'],
  IngressTLSSecretMissing: ['TLSUntrusted', 'TLSNameMismatch', 'TLSExpired'],
  ForwardDenied: ['ForwardPodGone'],
  MTUTooSmall: ['WrongProtocol', 'TLSNotOffered', 'ServerStarting'],
  RouteMissing: ['HealthCheckBlocked'],
  HostFirewall: ['HealthCheckBlocked', 'RulesNotProgrammed'],
  PodTerminating: ['NothingListening', 'PodNotReady'],
};

/** On one port, a server that cannot be reached there is why its readiness probe fails. */
const LISTENER: ReadonlySet<Code> = new Set([
  'NothingListening',
  'ListenerOnLoopback',
  'ListenerOtherPort',
  'ListenerOtherFamily',
]);
const READINESS: ReadonlySet<Code> = new Set(['NoReadyEndpoints', 'PodNotReady']);
/** Not by a gate or a lost node, which nothing in the pod explains. */
const isByProbe = (f: Finding): boolean =>
  READINESS.has(f.code) && f.object?.field?.endsWith('.readinessProbe') === true;

export function explain(facts: Facts): Report {
  const located = locate(facts);
  const behind = behindIngress(facts, located);
  const results = CHECKS.map(({ link, check, behindIngress: inner }) => ({
    link,
    result: check(facts, inner === true ? behind : located),
  }));
  const outcome = outcomeOf(facts.main);
  const failed = outcome.made && (outcome.failedAt !== undefined || isProxyError(located, outcome));
  const all = results.flatMap(({ result }) => result?.findings ?? []);
  const { standing, contradicted } = contradict(all, outcome, located);
  const sure = standing.filter((f) => f.certainty === 'sure');
  const likely = standing.filter((f) => f.certainty === 'likely');
  const candidates = sure.length > 0 || !failed ? sure : likely;
  const causes = withoutConsequences(candidates, outcome);
  const isOk = outcome.made && !failed && causes.length === 0;
  const cause = isOk ? undefined : (causes[0] ?? (failed ? generic(facts, located, outcome) : undefined));
  const alsoBroken = cause === undefined ? [] : causes.slice(1).filter((f) => f.certainty === 'sure');
  const warnings = [
    ...standing.filter((f) => f.certainty === 'warning'),
    ...contradicted,
    ...(outcome.made || cause !== undefined ? [] : likely),
  ].filter((w) => w.code !== cause?.code);
  const verdict = isOk ? 'ok' : cause !== undefined || failed ? 'broken' : 'unknown';
  return {
    verdict,
    ...(cause === undefined ? {} : { cause: plain(cause) }),
    alsoBroken: alsoBroken.map(plain),
    warnings: unique(warnings).map(plain),
    links: results.map(({ link, result }) => linkOf(link, result, cause, alsoBroken, facts, outcome)),
    notChecked: notChecked(facts, results, outcome),
  };
}

/** The Service behind an Ingress, as if a client inside connected to it. */
function behindIngress(facts: Facts, located: Located): Located {
  const inner = ingressService(facts, located);
  if (inner === undefined)
    return located.via === 'ingress' ? { ...located, service: undefined, backends: [] } : located;
  const servicePort = inner.service.spec?.ports?.find((p) => p.port === inner.port);
  return {
    ...located,
    via: 'cluster-ip',
    service: inner.service,
    port: inner.port,
    servicePort,
    addresses: inner.service.spec?.clusterIPs ?? [],
    backends: backendsOf(facts, inner.service, servicePort),
  };
}

/** What an Ingress' proxy says when it has no route or no server behind: the connection stood, and nobody was reached. */
function isProxyError(located: Located, outcome: Outcome): boolean {
  const code = outcome.result?.handshake?.code;
  return located.via === 'ingress' && code !== undefined && /^(404|502|503|504)$/.test(code);
}

const REACHED = LINKS.indexOf('listener');
/** They stand although the connection does: it stands with the wrong server, or not for long. */
const BEYOND: ReadonlySet<Code> = new Set([
  'MTUTooSmall',
  'PodIPReused',
  'NamePointsElsewhere',
  'IngressNotHTTP',
  'PoolerUpstreamBroken',
  'ForwardPodGone',
  'IngressTLSSecretMissing',
  'IngressNoRoute',
  'IngressBackendMissing',
]);

/** A probe that got through contradicts what only seemed to be broken before that point. */
function contradict(
  all: readonly Finding[],
  outcome: Outcome,
  located: Located,
): { standing: readonly Finding[]; contradicted: readonly Finding[] } {
  if (!outcome.connected) return { standing: all, contradicted: [] };
  const proxied = isProxyError(located, outcome) || (located.via === 'forward' && outcome.failedAt !== undefined);
  const standing: Finding[] = [];
  const contradicted: Finding[] = [];
  for (const f of all) {
    const passed = LINKS.indexOf(f.link) <= REACHED;
    if (f.certainty === 'warning' || !passed || proxied) standing.push(f);
    else if (
      f.code === 'PoolerUpstreamBroken' ||
      f.code === 'IngressTLSSecretMissing' ||
      (BEYOND.has(f.code) && outcome.failedAt !== undefined)
    )
      standing.push(f);
    else if (f.code === 'EgressDenied' || f.code === 'IngressDenied') contradicted.push(notEnforced(f));
  }
  // Storage stands last in the chain, and a connection says nothing about it: a waiting replica is a warning.
  return {
    standing: standing.map((f) =>
      f.link === 'storage' && outcome.failedAt === undefined ? { ...f, certainty: 'warning' } : f,
    ),
    contradicted,
  };
}

function notEnforced(denied: Finding): Finding {
  return finding('PolicyNotEnforced', {
    object: denied.object,
    message: `the connection stands although it should not: ${denied.message}. Nobody enforces it here`,
    evidence: denied.evidence,
    cure: [
      note(
        'the pod network, or what replaced Coracle’s policy part, does not enforce NetworkPolicies: do not rely on this one',
      ),
    ],
    certainty: 'warning',
  });
}

function withoutConsequences(candidates: readonly Finding[], outcome: Outcome): readonly Finding[] {
  // A refusal came from the pod itself or from the Service's rules: no policy swallowed the packet.
  const refused = outcome.connect === 'refused' && candidates.some((f) => LISTENER.has(f.code));
  const kept = refused
    ? candidates.filter((f) => f.code !== 'IngressDenied' && f.code !== 'EgressDenied' && f.code !== 'HostFirewall')
    : candidates;
  const hidden = (f: Finding): boolean =>
    kept.some(
      (other) =>
        other !== f &&
        (HIDES[other.code]?.includes(f.code) === true ||
          (isByProbe(f) &&
            LISTENER.has(other.code) &&
            (f.port === other.port || (f.port === undefined && other.code === 'NothingListening')))),
    );
  return unique(kept.filter((f) => !hidden(f)));
}

function unique<T extends Cause>(causes: readonly T[]): readonly T[] {
  const key = (c: Cause) => `${c.code} ${c.object?.kind} ${c.object?.namespace}/${c.object?.name}`;
  return [...new Map(causes.toReversed().map((c) => [key(c), c])).values()].toReversed();
}

/** A probe failed and no check says why: what the probe itself says, when that is a cause of its own. */
function generic(facts: Facts, located: Located, outcome: Outcome): Finding | undefined {
  const read = facts.main === undefined ? [] : describeRun(facts.main);
  const pod = located.backends.find((b) => b.endpoint === 'ready')?.pod ?? located.backends[0]?.pod;
  const object =
    pod === undefined
      ? undefined
      : { apiVersion: 'v1', kind: 'Pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name ?? '' };
  if (
    outcome.failedAt === 'connect' &&
    outcome.connect === 'refused' &&
    located.backends.some((b) => b.endpoint === 'ready')
  )
    return finding('NothingListening', {
      object,
      message: `the connection is refused although the pods are ready: nothing listens on port ${located.backends[0]?.port ?? located.port}`,
      evidence: read,
      cure: [note('look at the server’s log and at the address on which it listens')],
      certainty: 'likely',
    });
  return undefined;
}

function plain({ certainty: _certainty, port: _port, ...cause }: Finding): Cause {
  return cause;
}

function linkOf(
  link: LinkName,
  result: LinkResult | undefined,
  cause: Finding | undefined,
  alsoBroken: readonly Finding[],
  facts: Facts,
  outcome: Outcome,
): Link {
  if (result === undefined) {
    const hidden = facts.denied.find((d) => NEEDED[link]?.includes(d.kind) === true);
    if (hidden !== undefined && !outcome.connected)
      return { name: link, state: 'unknown', detail: `missing permission: ${hidden.permission}`, evidence: [] };
    return { name: link, state: 'not checked', detail: reasonFor(link, facts, outcome), evidence: [] };
  }
  const { detail, evidence } = result;
  const base = { name: link, detail, evidence };
  const ours = [cause, ...alsoBroken].filter((f) => f?.link === link);
  if (ours.length > 0) return { ...base, state: 'broken', detail: ours[0]!.message, evidence: ours[0]!.evidence };
  // Where the probe ended, when nobody knows why: what it met.
  const isEnd =
    cause === undefined &&
    outcome.failedAt !== undefined &&
    link === (outcome.failedAt === 'connect' ? 'listener' : outcome.failedAt);
  if (isEnd && facts.main !== undefined)
    return { ...base, state: 'broken', evidence: [...evidence, ...describeRun(facts.main)] };
  if (result.state !== 'broken') return { ...base, state: result.state };
  if (outcome.connected && LINKS.indexOf(link) <= REACHED) return { ...base, state: 'warned' };
  const after = cause !== undefined && LINKS.indexOf(link) > LINKS.indexOf(cause.link);
  if (after) return { name: link, state: 'not checked', detail: `hidden by ${cause.code}`, evidence: [] };
  return { ...base, state: cause === undefined ? 'unknown' : 'broken' };
}

function reasonFor(link: LinkName, facts: Facts, outcome: Outcome): string {
  const order = LINKS.indexOf(link);
  if (order > REACHED && link !== 'storage') {
    if (!outcome.made) return facts.unprobed ?? 'no probe was made';
    if (!outcome.connected) return 'the connection does not get that far';
    if (facts.target.kind !== 'address') return 'the target ends at the connection';
    return outcome.failedAt === undefined ? 'the target does not ask for it' : 'the conversation does not get that far';
  }
  return 'not on this way';
}

/** Without these reads a link cannot be looked at. */
const NEEDED: Partial<Record<LinkName, readonly Denied['kind'][]>> = {
  service: ['services'],
  endpoint: ['services', 'slices'],
  'ingress-policy': ['policies', 'pods', 'services'],
  pod: ['pods', 'services'],
  listener: ['pods', 'services'],
};

const LINK_OF: Partial<Record<Denied['kind'], LinkName>> = {
  services: 'service',
  slices: 'endpoint',
  workloads: 'endpoint',
  pods: 'pod',
  nodes: 'position',
  namespaces: 'ingress-policy',
  policies: 'ingress-policy',
  ingresses: 'load-balancer',
  ingressClasses: 'load-balancer',
  claims: 'storage',
  volumes: 'storage',
  storageClasses: 'storage',
  serviceCIDRs: 'address',
  secrets: 'load-balancer',
  sight: 'route',
  probe: 'listener',
  log: 'pod',
  events: 'pod',
};

function notChecked(
  facts: Facts,
  results: readonly { readonly link: LinkName; readonly result: LinkResult | undefined }[],
  outcome: Outcome,
): readonly NotChecked[] {
  const denied = facts.denied.map((d) => ({
    link: LINK_OF[d.kind] ?? ('position' as const),
    reason: `missing permission: ${d.permission}`,
  }));
  const probe =
    facts.unprobed === undefined ? [] : [{ link: 'listener' as const, reason: `no probe: ${facts.unprobed}` }];
  const links = results.flatMap(({ link, result }) => {
    if (result === undefined && reasonFor(link, facts, outcome) !== 'not on this way')
      return [{ link, reason: reasonFor(link, facts, outcome) }];
    return result?.state === 'unknown' ? [{ link, reason: result.detail }] : [];
  });
  const seen = new Set<string>();
  return [...probe, ...denied, ...links].filter(
    (n) => !seen.has(`${n.link} ${n.reason}`) && seen.add(`${n.link} ${n.reason}`) !== undefined,
  );
}
