// What `coracle why` would have gathered in a model: its objects, what its nodes would show, and what probes would meet, the latter by
// the second walker.
import { type Facts, noObjects, type ProbeRun } from '#why/facts.ts';
import type { NodeFacts, PodFacts } from '#why/node/facts.ts';
import type { ConnectAttempt, ProbeResult, Vantage } from '#why/probe/result.ts';
import { parseTarget } from '#why/target.ts';
import { addressOf, isReady, isUp, keyOf, landing, type Model, nodeAddress, selectedBy, type Source } from './model.ts';
import { type Answer, type How, programmed, reaches } from './walker.ts';

export interface Gathered {
  /** The question is asked by a real connection, as `answer` says. */
  readonly probed: boolean;
  /** Nodes show their sockets and rules. */
  readonly sighted: boolean;
}

const MS = 1;

export function factsOf(model: Model, answer: Exclude<Answer, { kind: 'open' }>, { probed, sighted }: Gathered): Facts {
  const { source, host, port } = model.question;
  const pods = model.pods.map((p) => p.object);
  const client = source.at === 'pod' ? pods.find((p) => keyOf(p) === source.pod)! : undefined;
  const own = ownAddress(model, source);
  const from = vantage(model, source);
  const request = { host, port, protocol: 'tcp' as const, timeoutMs: 2000 };
  const closer = probed && answer.kind === 'fails' ? closerProbes(model, from) : { direct: [], inside: [] };
  return {
    target: parseTarget(`tcp://${host}:${port}`),
    source:
      source.at === 'laptop'
        ? { at: 'laptop', forwards: [] }
        : source.at === 'node'
          ? { at: 'node', wanted: source.node, node: model.nodes.find((n) => n.metadata.name === source.node) }
          : { at: 'pod', pod: client, wanted: 'pod/api', namespace: client!.metadata.namespace! },
    namespace: client?.metadata.namespace ?? 'db',
    domain: 'cluster.local',
    objects: {
      ...noObjects,
      nodes: model.nodes,
      namespaces: model.namespaces,
      pods,
      services: model.services,
      slices: model.slices,
      policies: model.policies,
      serviceCIDRs: [{ metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12'] } }],
    },
    denied: [],
    sight: sighted
      ? new Map(model.nodes.map((n) => [n.metadata.name!, { before: sightOf(model, n.metadata.name!) }]))
      : new Map(),
    logs: [],
    ...(probed ? { main: { from, request, result: resultOf(model, answer, own) } } : { unprobed: '--no-probe' }),
    ...closer,
    mayForward: true,
    nowMs: Date.parse('2026-05-20T12:00:00Z'),
  };
}

function resultOf(model: Model, answer: Exclude<Answer, { kind: 'open' }>, own: string): ProbeResult {
  const { host, port } = model.question;
  const isName = /[a-z]/.test(host);
  const attempt = (address: string, outcome: ConnectAttempt['outcome']): ConnectAttempt => ({
    address,
    port,
    outcome,
    localAddress: own,
    ms: MS,
  });
  const asked = (outcome: string, answers: readonly string[]) => ({
    addresses: answers,
    attempts: [{ server: '10.96.0.10', question: `${host}.`, type: 'A' as const, outcome, answers, ms: MS }],
  });
  if (answer.kind === 'fails' && answer.how === 'name') {
    const silent = answer.links[0] === 'name' && isAnswered(model) === false;
    return { dns: asked(silent ? 'timeout' : 'NXDOMAIN', []), connects: [], ms: MS };
  }
  const addresses = isName ? answer.addresses : [host];
  const outcome = answer.kind === 'connects' ? 'connected' : (answer.how as Exclude<How, 'name'>);
  return {
    ...(isName ? { dns: asked('NOERROR', addresses) } : {}),
    connects: addresses.map((a) => attempt(a, outcome)),
    ms: MS,
  };
}

/** A name server that the client's policies let it ask says NXDOMAIN; otherwise nothing comes back. */
function isAnswered(model: Model): boolean {
  const { source } = model.question;
  const server = model.pods.find((p) => p.object.metadata.labels?.['k8s-app'] === 'kube-dns')!.object;
  return reaches(model, source, server, 53, 'UDP') === 'connected';
}

function ownAddress(model: Model, source: Source): string {
  if (source.at === 'laptop') return model.laptop;
  if (source.at === 'node') return nodeAddress(model.nodes.find((n) => n.metadata.name === source.node)!);
  return addressOf(model.pods.find((p) => keyOf(p.object) === source.pod)!.object)!;
}

function vantage(model: Model, source: Source): Vantage {
  if (source.at !== 'pod') return source;
  const { metadata, spec } = model.pods.find((p) => keyOf(p.object) === source.pod)!.object;
  const { namespace, name, uid } = metadata;
  return { at: 'pod', node: spec!.nodeName!, namespace: namespace!, pod: name!, uid: uid! };
}

/** The probes that follow one that failed: straight to the pods, and from each to itself. */
function closerProbes(model: Model, from: Vantage): Pick<Facts, 'direct' | 'inside'> {
  const { source, host, port } = model.question;
  const pods = model.pods.map((p) => p.object);
  const service = model.services.find((s) => {
    const names = [s.metadata.name!, `${s.metadata.name}.${s.metadata.namespace}`];
    const isIt = [s.spec?.clusterIP, s.status?.loadBalancer?.ingress?.[0]?.ip].includes(host);
    return (
      isIt || names.includes(host.split('.').slice(0, 2).join('.')) || s.spec?.ports?.some((p) => p.nodePort === port)
    );
  });
  const servicePort = service?.spec?.ports?.find((p) => p.port === port || p.nodePort === port);
  if (service === undefined || servicePort === undefined) return { direct: [], inside: [] };
  const servers = selectedBy(service, pods).filter((p) => isUp(p) && addressOf(p) !== undefined);
  const landed = servers.flatMap((pod) => {
    const at = service.spec?.clusterIP === 'None' ? port : landing(pod, servicePort);
    return at === undefined ? [] : [{ pod, at }];
  });
  const run = (at: Vantage, host: string, port: number, outcome: How | 'connected'): ProbeRun => ({
    from: at,
    request: { host, port, protocol: 'tcp', timeoutMs: 1000 },
    result: { connects: [{ address: host, port, outcome: outcome as ConnectAttempt['outcome'], ms: MS }], ms: MS },
  });
  const direct =
    source.at === 'laptop'
      ? []
      : landed.map(({ pod, at }) => run(from, addressOf(pod)!, at, reaches(model, source, pod, at)));
  const first = landed.find(({ pod }) => isReady(pod)) ?? landed[0];
  if (first === undefined) return { direct, inside: [] };
  const self: Source = { at: 'pod', pod: keyOf(first.pod) };
  const listens = model.pods
    .find((p) => p.object === first.pod)!
    .listeners.some((l) => l.port === first.at && (l.dual || !l.address.includes(':')));
  return {
    direct,
    inside: [
      run(vantage(model, self), addressOf(first.pod)!, first.at, reaches(model, self, first.pod, first.at)),
      run(vantage(model, self), '127.0.0.1', first.at, listens ? 'connected' : 'refused'),
    ],
  };
}

// --- what nodes show

function sightOf(model: Model, node: string): NodeFacts {
  return {
    node,
    addresses: [nodeAddress(model.nodes.find((n) => n.metadata.name === node)!)],
    routes: model.nodes
      .filter((n) => n.metadata.name !== node)
      .map((n) => `${n.spec!.podCIDR} via ${nodeAddress(n)} dev eth0`),
    links: [{ name: 'eth0', up: true, mtu: 1500 }],
    tunnelEntries: [],
    conntrack: { count: 10, max: 100_000 },
    counters: [],
    foreignRules: [],
    services: model.services.flatMap((s) =>
      s.spec?.clusterIP === 'None'
        ? []
        : (s.spec?.ports ?? []).map((p) => ({
            key: `${s.spec!.clusterIP}:${p.port}/${(p.protocol ?? 'TCP').toLowerCase()}`,
            endpoints: programmed(model, s, p, node),
          })),
    ),
    policyEnforced: true,
    pods: model.pods.filter((p) => p.object.spec?.nodeName === node && isUp(p.object)).map((p) => podFacts(p)),
  };
}

const podFacts = ({ object, listeners }: Model['pods'][number]): PodFacts => ({
  namespace: object.metadata.namespace!,
  name: object.metadata.name!,
  uid: object.metadata.uid!,
  addresses: [addressOf(object)!],
  mtu: 1500,
  listening: listeners.map((l) => ({
    protocol: 'tcp',
    family: l.address.includes(':') ? 6 : 4,
    address: l.address,
    dual: l.dual,
    port: l.port,
  })),
  connections: [],
  resolvConf: undefined,
  foreignRules: [],
  routes: [],
  policyProfiles: undefined,
});
