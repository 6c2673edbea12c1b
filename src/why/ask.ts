// One question from beginning to end: reads the API, looks into the nodes, probes, and looks again; then explains. All reading that can
// go on at once does; a second round of probes is made only when the first did not get through.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Client } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import { nearestPods } from './checks/endpoint.ts';
import { afterSuccess, lookAtNodes, sightDenied } from './collect/nodes.ts';
import { ObjectReader } from './collect/objects.ts';
import {
  closerProbes,
  followUp,
  mainRequest,
  reach,
  readAuthority,
  runProbe,
  vantage,
  whenSlow,
} from './collect/probing.ts';
import { findSource } from './collect/source.ts';
import { findUpstream } from './collect/upstream.ts';
import { explain } from './explain.ts';
import type { Facts, PodLog, Upstream } from './facts.ts';
import { type Located, locate } from './locate.ts';
import { nameOf, namespaceOf, selectedPods } from './pods.ts';
import type { Answer, AskDeps, Question } from './question.ts';

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
  const [around, workloads, before, logs, main] = await Promise.all([
    reader.around(placesOf(facts, first, pods), first.via === 'ingress'),
    selectsNobody(facts, first) ? reader.workloads(namespaceOf(first.service!)) : [],
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
  facts = { ...facts, objects: { ...facts.objects, ...around, workloads }, sight: before, logs, denied };
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

/** The pods whose sockets matter. */
function lookedAt(facts: Facts, located: Located): readonly Pod[] {
  const behind = located.backends.flatMap((b) => (b.pod === undefined ? [] : [b.pod]));
  if (behind.length > 0 || located.service === undefined) return behind.slice(0, 8);
  return nearestPods(facts, located.service).slice(0, 2);
}

function selectsNobody(facts: Facts, { service }: Located): boolean {
  const hasSelector = Object.keys(service?.spec?.selector ?? {}).length > 0;
  return hasSelector && selectedPods(service!, facts.objects.pods).length === 0;
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
