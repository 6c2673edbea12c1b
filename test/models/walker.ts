// A second packet walker. It follows the API's documentation step by step over the model's objects, knows nothing of how the product
// makes rules, and says whether a connection comes about, and if not, at which link of the chain it ends. Where the documentation
// leaves open what happens (whether policies see an address before or after it is rewritten), it says so instead of guessing.
import type { Node, Pod, Service, ServicePort } from '#generated/api/core-v1.ts';
import {
  addressOf,
  isLeaving,
  isReady,
  isUp,
  keyOf,
  landing,
  type Listener,
  type Model,
  nodeAddress,
  portsOf,
  selectedBy,
} from './model.ts';
import { allows, type End, inside } from './policies.ts';

/** The links at which the walk can end, in the order in which packets meet them. */
const ORDER = [
  'position',
  'name',
  'address',
  'service',
  'endpoint',
  'egress-policy',
  'load-balancer',
  'ingress-policy',
  'pod',
  'listener',
] as const;
type Stop = (typeof ORDER)[number];

export type How = 'name' | 'refused' | 'timeout';

export type Answer =
  | { readonly kind: 'connects'; readonly to: string; readonly addresses: readonly string[] }
  | {
      readonly kind: 'fails';
      readonly how: How;
      /** Where it ends. Several: it could have gone to several pods, each with a trouble of its own. */
      readonly links: readonly Stop[];
      /** Whatever is wrong on the way, at later links too; and what looks wrong to somebody who does not see sockets. */
      readonly all: readonly Stop[];
      /** Other choices of the Service would have connected. */
      readonly sometimes: boolean;
      /** What the name gave; empty for addresses. */
      readonly addresses: readonly string[];
    }
  | { readonly kind: 'open'; readonly why: string };

type Via = 'cluster-ip' | 'headless' | 'node-port' | 'load-balancer' | 'pod-ip';

interface Way {
  readonly via: Via;
  readonly service: Service | undefined;
  readonly servicePort: ServicePort | undefined;
  /** The node that rewrites the packets' target. */
  readonly entry: Node | undefined;
  readonly addresses: readonly string[];
}

const POD_RANGE = '10.244.0.0/16';
const SERVICE_RANGE = '10.96.0.0/12';

/** `choice` from 0 to below 1: which endpoint the Service takes, as kube-proxy does, at random. */
export function walk(model: Model, choice: number): Answer {
  const { source, host, port } = model.question;
  const fails = (link: Stop, how: How, addresses: readonly string[] = []): Answer => ({
    kind: 'fails',
    how,
    links: [link],
    all: [link],
    sometimes: false,
    addresses,
  });
  const isName = /[a-z]/.test(host);
  const outside = source.at === 'laptop';
  if (isName) {
    if (outside) return fails('position', 'name');
    if (source.at === 'node') return { kind: 'open', why: 'a node’s resolver is its own' };
    const client = podOf(model, source.pod);
    const server = model.pods.find((p) => p.object.metadata.labels?.['k8s-app'] === 'kube-dns')!.object;
    if (reaches(model, source, server, 53, 'UDP') !== 'connected') return fails('name', 'name');
    const service = named(model, host, client.metadata.namespace!);
    if (service === undefined) return fails('name', 'name');
    const servicePort = portOf(service, port);
    if (service.spec?.clusterIP !== 'None') {
      const way = { via: 'cluster-ip', service, servicePort, entry: undefined } as const;
      return through(model, { ...way, addresses: [service.spec!.clusterIP!] }, choice);
    }
    return throughHeadless(model, service, choice);
  }
  const service = model.services.find((s) => s.spec?.clusterIP === host);
  if (service !== undefined) {
    if (outside) return fails('position', 'timeout');
    const servicePort = portOf(service, port);
    return through(model, { via: 'cluster-ip', service, servicePort, entry: undefined, addresses: [] }, choice);
  }
  const balanced = model.services.find((s) => s.status?.loadBalancer?.ingress?.some((i) => i.ip === host));
  if (balanced !== undefined) {
    const entry = outside ? nodeOf(model, model.announcers[balanced.metadata.name!]) : ownNode(model);
    const servicePort = portOf(balanced, port);
    return through(model, { via: 'load-balancer', service: balanced, servicePort, entry, addresses: [] }, choice);
  }
  const entry = model.nodes.find((n) => nodeAddress(n) === host);
  if (entry !== undefined) {
    for (const s of model.services) {
      const servicePort = s.spec?.ports?.find((p) => p.nodePort === port && (p.protocol ?? 'TCP') === 'TCP');
      if (servicePort === undefined) continue;
      return through(model, { via: 'node-port', service: s, servicePort, entry, addresses: [] }, choice);
    }
    return fails('service', 'refused');
  }
  if (outside && inside(host, POD_RANGE)) return fails('position', 'timeout');
  if (outside && inside(host, SERVICE_RANGE)) return fails('position', 'timeout');
  const pod = model.pods.find(
    (p) => addressOf(p.object) === host && !/^(Succeeded|Failed)$/.test(p.object.status!.phase!),
  );
  if (pod === undefined) return fails('address', 'timeout');
  const way: Way = { via: 'pod-ip', service: undefined, servicePort: undefined, entry: undefined, addresses: [] };
  const met = meet(model, way, pod.object, port);
  if (met === 'open') return { kind: 'open', why: 'addresses are rewritten on the way' };
  // A pod's own address is dialled whether the pod is ready or not.
  if (met.length === 0) return { kind: 'connects', to: keyOf(pod.object), addresses: [] };
  const declared = portsOf(pod.object).some((p) => p.containerPort === port);
  const links = firstOf(met);
  // Nobody can tell an address that was another pod's before from a wrong one; nor, without sockets, a server that is not ready from
  // one that is not there.
  const guess: readonly Stop[] = declared ? [] : ['address'];
  return {
    kind: 'fails',
    how: howOf(met),
    links: [...links, ...guess, ...(hasStopped(model, pod.object) ? (['pod'] as const) : [])],
    all: [...met, ...guess, ...(isReady(pod.object) && !isLeaving(pod.object) ? [] : (['pod'] as const))],
    sometimes: false,
    addresses: [],
  };
}

// --- names

/** "Pods' DNS search list includes their own namespace and the cluster's default domain"; ndots is 5. */
function named(model: Model, host: string, namespace: string): Service | undefined {
  const searched = [
    `${host}.${namespace}.svc.cluster.local`,
    `${host}.svc.cluster.local`,
    `${host}.cluster.local`,
    host,
  ];
  for (const full of searched) {
    const match = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local\.?$/.exec(full);
    const found = match === null ? undefined : model.services.find((s) => keyOf(s) === `${match[2]}/${match[1]}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

// --- services

const portOf = (service: Service, port: number): ServicePort | undefined =>
  service.spec?.ports?.find((p) => p.port === port && (p.protocol ?? 'TCP') === 'TCP');

interface Endpoint {
  readonly pod: Pod;
  readonly port: number;
  readonly node: string | undefined;
  readonly state: 'ready' | 'leaving' | 'out';
}

function endpointsOf(model: Model, service: Service, name: string | undefined, fixed?: number): readonly Endpoint[] {
  return model.slices
    .filter(
      (s) =>
        s.metadata.namespace === service.metadata.namespace &&
        s.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name,
    )
    .flatMap((slice) => {
      const port = fixed ?? slice.ports?.find((p) => (p.name ?? '') === (name ?? ''))?.port;
      if (port === undefined) return [];
      return (slice.endpoints ?? []).map((e): Endpoint => {
        const { ready = true, serving = ready, terminating = false } = e.conditions ?? {};
        return {
          pod: model.pods.find((p) => addressOf(p.object) === e.addresses[0])!.object,
          port,
          node: e.nodeName,
          state: ready ? 'ready' : serving && terminating ? 'leaving' : 'out',
        };
      });
    });
}

/** Ready ones; where there are none, those that are terminating and still serve. */
function usableOf(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((e) => e.state === 'ready');
  return ready.length > 0 ? ready : endpoints.filter((e) => e.state === 'leaving');
}

/** The endpoints to which a node sends what comes for a cluster IP, as text. */
export function programmed(model: Model, service: Service, port: ServicePort, node: string): readonly string[] {
  const all = endpointsOf(model, service, port.name);
  const near = service.spec?.internalTrafficPolicy === 'Local' ? all.filter((e) => e.node === node) : all;
  return usableOf(near).map((e) => `${addressOf(e.pod)}:${e.port}`);
}

function through(model: Model, way: Way, choice: number): Answer {
  const { service, servicePort, via, addresses } = way;
  const { source } = model.question;
  if (servicePort === undefined)
    return { kind: 'fails', how: 'refused', links: ['service'], all: ['service'], sometimes: false, addresses };
  // Where the addresses of a load balancer are guarded for clients within the cluster differs from one to the next.
  if (via === 'load-balancer' && source.at !== 'laptop' && service!.spec?.loadBalancerSourceRanges !== undefined)
    return { kind: 'open', why: 'loadBalancerSourceRanges, dialled from inside' };
  const all = endpointsOf(model, service!, servicePort.name);
  const everywhere = usableOf(all);
  const isLocal =
    via === 'cluster-ip'
      ? service!.spec?.internalTrafficPolicy === 'Local'
      : service!.spec?.externalTrafficPolicy === 'Local';
  const node = via === 'cluster-ip' ? ownNode(model) : way.entry;
  const near = usableOf(all.filter((e) => e.node === node?.metadata.name));
  // "external traffic": what comes from within the cluster to an external address may take a short cut.
  if (isLocal && via !== 'cluster-ip' && source.at !== 'laptop' && near.length !== everywhere.length)
    return { kind: 'open', why: 'externalTrafficPolicy Local, dialled from inside' };
  const usable = isLocal ? near : everywhere;
  if (usable.length === 0) return noneUsable(model, way, everywhere.length > 0);
  const answer = chosen(model, way, usable, choice);
  if (answer.kind !== 'fails' || via !== 'load-balancer' || !isLocal) return answer;
  // The API does not show which node answers for the address: the pods of the others look as much to blame.
  const others = chosen(model, way, everywhere, choice);
  return others.kind === 'fails' ? { ...answer, links: [...new Set([...answer.links, ...others.links])] } : answer;
}

/** The name gives the pods' own addresses; nothing is translated. */
function throughHeadless(model: Model, service: Service, choice: number): Answer {
  const { port } = model.question;
  const ready = endpointsOf(model, service, undefined, port).filter((e) => e.state === 'ready');
  const addresses = ready.map((e) => addressOf(e.pod)!);
  const way: Way = { via: 'headless', service, servicePort: portOf(service, port), entry: undefined, addresses };
  return ready.length === 0 ? noneUsable(model, way, false) : chosen(model, way, ready, choice);
}

function chosen(model: Model, way: Way, usable: readonly Endpoint[], choice: number): Answer {
  const met = usable.map((e) => ({ e, faults: meet(model, way, e.pod, e.port) }));
  const open = met.some((m) => m.faults === 'open');
  if (open) return { kind: 'open', why: 'addresses are rewritten on the way' };
  const known = met as readonly { e: Endpoint; faults: readonly Stop[] }[];
  const taken = known[Math.floor(choice * known.length)]!;
  const { addresses } = way;
  if (taken.faults.length === 0) return { kind: 'connects', to: keyOf(taken.e.pod), addresses };
  const failing = known.filter((m) => m.faults.length > 0);
  return {
    kind: 'fails',
    how: howOf(taken.faults),
    // A server that has stopped listening because its pod ends: the end is the cause.
    links: [
      ...new Set(
        failing.flatMap((m) => [...firstOf(m.faults), ...(hasStopped(model, m.e.pod) ? (['pod'] as const) : [])]),
      ),
    ],
    all: failing.flatMap((m) => [
      ...m.faults,
      ...guessed(m.e.pod, m.e.port),
      ...(way.via === 'headless' ? (['service'] as const) : []),
      ...(isLeaving(m.e.pod) ? (['pod'] as const) : []),
    ]),
    sometimes: failing.length < known.length,
    addresses,
  };
}

const hasStopped = (model: Model, pod: Pod): boolean => isLeaving(pod) && listenersOf(model, pod).length === 0;

/** No endpoint takes connections. Why not, pod by pod. */
function noneUsable(model: Model, way: Way, elsewhere: boolean): Answer {
  const how: How = way.via === 'headless' ? 'name' : 'refused';
  const base = { kind: 'fails', how, sometimes: false, addresses: how === 'name' ? [] : way.addresses } as const;
  const pods = selectedBy(
    way.service!,
    model.pods.map((p) => p.object),
  );
  // Only the traffic policy keeps them away; or nobody is selected.
  if (elsewhere || pods.length === 0) return { ...base, links: ['endpoint'], all: ['endpoint'] };
  const links: Stop[] = [];
  const all: Stop[] = [];
  for (const pod of pods) {
    const port = way.via === 'headless' ? model.question.port : landing(pod, way.servicePort!);
    // Ready, and yet no endpoint: its port has a name that it does not have.
    const met = port === undefined ? (['endpoint'] as const) : meet(model, way, pod, port);
    if (met === 'open') return { kind: 'open', why: 'addresses are rewritten on the way' };
    const own = isLeaving(pod) ? (['pod'] as const) : isUp(pod) && !isReady(pod) ? unready(model, pod, port) : [];
    const faults = [...met, ...own];
    links.push(...firstOf(faults));
    all.push(...faults, ...guessed(pod, port), ...(isReady(pod) ? [] : (['endpoint'] as const)));
    if (way.via === 'headless') all.push('service');
    // A probe of a port on which nobody answers: the server is at fault, and the port that the Service sends to is another matter.
    if (own.includes('listener')) links.push('listener');
    // One that leaves is a trouble of its own, whatever else is wrong with it.
    if (isLeaving(pod)) links.push('pod');
  }
  return { ...base, links: [...new Set(links)], all };
}

/** The kubelet's readiness probe fails: because the server does not take connections on its port, or for a reason of its own. */
function unready(model: Model, pod: Pod, port: number | undefined): readonly Stop[] {
  const probe = pod.spec?.containers.find((c) => c.readinessProbe !== undefined)?.readinessProbe;
  const asked = probe?.tcpSocket?.port ?? probe?.httpGet?.port;
  if (listenersOf(model, pod).some((l) => l.port === asked && hears(l))) return ['endpoint'];
  return asked === port ? ['listener'] : ['listener', 'endpoint'];
}

/** Without sockets a port that the container does not declare looks wrong, as does one on which nobody answers. */
const guessed = (pod: Pod, port: number | undefined): readonly Stop[] =>
  portsOf(pod).some((p) => p.containerPort === port) ? [] : ['endpoint', 'listener'];

// --- at the pod

/** What keeps this connection from this pod, in no order; empty: nothing. */
function meet(
  model: Model,
  way: Way,
  pod: Pod,
  port: number,
  protocol: 'TCP' | 'UDP' = 'TCP',
): readonly Stop[] | 'open' {
  const out: Stop[] = [];
  if (isMistaken(model, way, pod, port)) out.push('endpoint');
  if (isUntranslated(model, way, pod, port)) out.push('service');
  const { source, port: dialled, host } = model.question;
  if (source.at === 'pod') {
    const client = podOf(model, source.pod);
    const after = { end: endOf(pod), port };
    // "it is not defined whether this happens before or after NetworkPolicy processing": for addresses from outside.
    const ends = isRewritten(way) ? [after, { end: { pod: undefined, ip: host }, port: dialled }] : [after];
    const allowed = agreed(ends.map((e) => allows(model, 'Egress', client, e.end, e.port, protocol)));
    if (allowed === undefined) return 'open';
    if (!allowed) out.push('egress-policy');
  }
  const ranges = way.service?.spec?.loadBalancerSourceRanges ?? [];
  if (way.via === 'load-balancer' && ranges.length > 0) {
    if (!ranges.some((r) => inside(model.laptop, r))) out.push('load-balancer');
  }
  const seen = agreed(
    clients(model, way, pod).map((c) => c === 'own node' || allows(model, 'Ingress', pod, c, port, protocol)),
  );
  if (seen === undefined) return 'open';
  if (!seen) out.push('ingress-policy');
  if (!isUp(pod)) out.push('pod');
  else if (!out.includes('endpoint') && !listenersOf(model, pod).some((l) => l.port === port && hears(l)))
    out.push('listener');
  return out;
}

const isRewritten = (way: Way): boolean => way.via === 'node-port' || way.via === 'load-balancer';

/** Every reading that the documentation admits says the same; undefined when they differ. */
const agreed = (readings: readonly boolean[]): boolean | undefined =>
  readings.every((r) => r) ? true : readings.some((r) => r) ? undefined : false;

/** As whom the pod may see the client. "Traffic to and from the node where a Pod is running is always allowed." */
function clients(model: Model, way: Way, pod: Pod): readonly (End | 'own node')[] {
  const { source } = model.question;
  const node = (n: Node | undefined): End | 'own node' =>
    n?.metadata.name === pod.spec?.nodeName ? 'own node' : { pod: undefined, ip: nodeAddress(n!) };
  const own: End | 'own node' =
    source.at === 'laptop'
      ? { pod: undefined, ip: model.laptop }
      : source.at === 'node'
        ? node(ownNode(model))
        : endOf(podOf(model, source.pod));
  if (!isRewritten(way) || (source.at === 'laptop' && way.service?.spec?.externalTrafficPolicy === 'Local'))
    return [own];
  return [own, node(way.entry), ...(source.at === 'pod' ? [node(ownNode(model))] : [])];
}

/**
 * The Service's targetPort is at fault, not the server: nobody listens there, the container does not say that it is its port, and the
 * server is to be found on another one.
 */
function isMistaken(model: Model, way: Way, pod: Pod, port: number): boolean {
  if (way.servicePort === undefined || way.via === 'headless' || !isUp(pod)) return false;
  const all = listenersOf(model, pod);
  return (
    !all.some((l) => l.port === port) &&
    all.some((l) => l.address !== '127.0.0.1') &&
    !portsOf(pod).some((p) => p.containerPort === port && p.protocol === 'TCP')
  );
}

/** "A headless Service … no load balancing or proxying": its targetPort translates nothing, and nobody said that the pods use its port. */
function isUntranslated(model: Model, way: Way, pod: Pod, port: number): boolean {
  if (way.via !== 'headless' || way.servicePort === undefined) return false;
  const pods = selectedBy(
    way.service!,
    model.pods.map((p) => p.object),
  );
  const meant = [pod, ...pods].map((p) => landing(p, way.servicePort!)).find((p) => p !== undefined);
  if (meant === undefined || meant === port) return false;
  return !listenersOf(model, pod).some((l) => l.port === port) && !portsOf(pod).some((p) => p.containerPort === port);
}

const hears = (l: Listener): boolean => l.address === '0.0.0.0' || (l.address === '::' && l.dual);

const listenersOf = (model: Model, pod: Pod): readonly Listener[] =>
  isUp(pod) ? model.pods.find((p) => p.object === pod)!.listeners : [];

const firstOf = (faults: readonly Stop[]): readonly Stop[] => ORDER.filter((link) => faults.includes(link)).slice(0, 1);

/** Policies and source ranges swallow; all else is refused. */
const howOf = (faults: readonly Stop[]): How =>
  faults.some((f) => f === 'egress-policy' || f === 'ingress-policy' || f === 'load-balancer') ? 'timeout' : 'refused';

// --- who is who

const endOf = (pod: Pod): End => ({ pod, ip: addressOf(pod) });
const podOf = (model: Model, key: string): Pod => model.pods.find((p) => keyOf(p.object) === key)!.object;
const nodeOf = (model: Model, name: string | undefined): Node | undefined =>
  model.nodes.find((n) => n.metadata.name === name);

function ownNode(model: Model): Node | undefined {
  const { source } = model.question;
  if (source.at === 'laptop') return undefined;
  return nodeOf(model, source.at === 'node' ? source.node : podOf(model, source.pod).spec?.nodeName);
}

/** Would a process at `from` reach this address and port of a pod directly? For the probes that follow the first one. */
export function reaches(
  model: Model,
  from: Model['question']['source'],
  pod: Pod,
  port: number,
  protocol: 'TCP' | 'UDP' = 'TCP',
): How | 'connected' {
  const way: Way = { via: 'pod-ip', service: undefined, servicePort: undefined, entry: undefined, addresses: [] };
  const met = meet({ ...model, question: { source: from, host: addressOf(pod)!, port } }, way, pod, port, protocol);
  if (met === 'open') throw new Error('a pod’s own address is never rewritten');
  return met.length === 0 ? 'connected' : howOf(met);
}
