// Models from a seed: small clusters in which most things are right and a few are not, as in life. Every shape of the API that decides
// about a connection comes up; what the API would refuse does not.
import type { Container, Namespace, Node, Pod, Service, ServicePort } from '#generated/api/core-v1.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '#generated/api/networking-v1.ts';
import { SeededRandom } from '#base/random.ts';
import { addressOf, type Listener, type Model, type ModelPod, nodeAddress, slicesFor, type Source } from './model.ts';

/** A pod's place and programs, where they are given (by namespaces of a kernel) and not to be invented. */
export interface Place {
  readonly node: 'one' | 'two';
  readonly ip: string;
  readonly listeners: readonly Listener[];
}

export interface Generated {
  readonly places?: readonly Place[];
  /** Only addresses are dialled: nobody serves names. */
  readonly noNames?: boolean;
}

export const LAPTOP = '192.168.77.100';
const NODES = { one: '192.168.77.1', two: '192.168.77.2' } as const;
const PORTS = [5432, 5433, 6379, 8080] as const;

export function generate(seed: number, options: Generated = {}): Model {
  const dice = new Dice(seed);
  const nodes = (['one', 'two'] as const).map((name, i) => node(name, `10.244.${i + 1}.0/24`));
  const namespaces = ['app', 'db', 'kube-system'].map((name) => namespace(name, dice));
  const pods = podsOf(dice, options);
  const objects = pods.map((p) => p.object);
  const services = [serviceOf(dice, 'postgres', 1), serviceOf(dice, 'web', 2), dnsService];
  const policies = Array.from({ length: dice.one([0, 0, 1, 1, 2, 3]) }, (_, i) => policyOf(dice, `policy-${i}`));
  const slices = services.flatMap((s) => slicesFor(s, objects));
  const base = { seed, nodes, namespaces, pods, services, slices, policies, laptop: LAPTOP };
  const balanced = services.filter((s) => s.spec?.type === 'LoadBalancer');
  const announcers = Object.fromEntries(balanced.map((s) => [s.metadata.name!, announcerOf(dice, s, slices)]));
  return { ...base, announcers, question: questionOf(dice, { ...base, announcers }, options) };
}

/** The same cluster, asked other things. */
export function asked(model: Model, count: number, options: Generated = {}): readonly Model[] {
  const dice = new Dice(model.seed + 1_000_003);
  return Array.from({ length: count }, () => ({ ...model, question: questionOf(dice, model, options) }));
}

class Dice {
  readonly #random: SeededRandom;
  constructor(seed: number) {
    this.#random = new SeededRandom(seed * 7919 + 17);
  }
  chance(p: number): boolean {
    return this.#random.next() < p;
  }
  one<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random.next() * list.length)]!;
  }
}

const node = (name: 'one' | 'two', podCIDR: string): Node => ({
  metadata: { name },
  spec: { podCIDR, podCIDRs: [podCIDR] },
  status: {
    addresses: [{ type: 'InternalIP', address: NODES[name] }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

const namespace = (name: string, dice: Dice): Namespace => ({
  metadata: {
    name,
    labels: { 'kubernetes.io/metadata.name': name, ...(dice.chance(0.6) ? { team: dice.one(['a', 'b']) } : {}) },
  },
});

// --- pods

function podsOf(dice: Dice, options: Generated): readonly ModelPod[] {
  const place = (i: number, server: number): Place =>
    options.places?.[i] ?? {
      node: dice.one(['one', 'two'] as const),
      ip: '',
      listeners: listeners(dice, server),
    };
  const count = dice.one([1, 1, 2, 3]);
  const out: ModelPod[] = [];
  const add = (
    i: number,
    namespace: string,
    name: string,
    labels: Record<string, string>,
    server: number,
    more = {},
  ) => {
    const wanted = place(i, server);
    const ip = wanted.ip === '' ? `10.244.${wanted.node === 'one' ? 1 : 2}.${10 + i}` : wanted.ip;
    // What is given to run runs.
    const isThere = options.places !== undefined;
    out.push(podOf(dice, { ...wanted, ip }, namespace, name, labels, server, { ...more, isThere }));
  };
  add(0, dice.one(['app', 'app', 'db']), 'api', { app: 'api', ...role(dice) }, 8080, { isClient: true });
  for (let i = 0; i < count; i++)
    add(1 + i, 'db', `postgres-${i}`, { app: dice.chance(0.95) ? 'postgres' : 'pg', ...role(dice) }, 5432);
  add(4, dice.one(['app', 'db']), 'web', { app: 'web', ...role(dice) }, 8080);
  if (options.places === undefined)
    out.push(
      podOf(
        dice,
        { node: 'one', ip: '10.244.1.9', listeners: [{ port: 53, address: '::', dual: true }] },
        'kube-system',
        'coredns',
        { 'k8s-app': 'kube-dns' },
        53,
        { isClient: true },
      ),
    );
  return out;
}

const role = (dice: Dice): Record<string, string> =>
  dice.chance(0.5) ? { role: dice.one(['primary', 'replica']) } : {};

/** Most servers listen on all addresses; some on loopback, on another port, on IPv6 only, or not at all. */
function listeners(dice: Dice, port: number): readonly Listener[] {
  const way = dice.chance(0.75)
    ? dice.one(['any', 'any', 'dual', 'both'])
    : dice.one(['loopback', 'other', 'six', 'none']);
  const at = (address: string, dual = false, p = port): Listener => ({ port: p, address, dual });
  switch (way) {
    case 'dual':
      return [at('::', true)];
    case 'loopback':
      return [at('127.0.0.1')];
    case 'other':
      return [at('0.0.0.0', false, port + 1)];
    case 'six':
      return [at('::')];
    case 'none':
      return [];
    case 'both':
      return [at('0.0.0.0'), at('127.0.0.1', false, 9100), at('0.0.0.0', false, 9187)];
    default:
      return [at('0.0.0.0')];
  }
}

function podOf(
  dice: Dice,
  place: Place,
  namespace: string,
  name: string,
  labels: Record<string, string>,
  server: number,
  { isClient = false, isThere = false }: { readonly isClient?: boolean; readonly isThere?: boolean } = {},
): ModelPod {
  const declared = place.listeners.some((l) => l.port === server) || dice.chance(0.7) ? server : server + 1;
  const ports = dice.chance(0.85)
    ? [
        {
          containerPort: declared,
          ...(dice.chance(0.7) ? { name: dice.chance(0.9) ? 'main' : 'db' } : {}),
          protocol: 'TCP',
        },
      ]
    : [];
  const probed = !isClient && dice.chance(0.3);
  const opens = (port: number) =>
    place.listeners.some((l) => l.port === port && (l.address === '0.0.0.0' || (l.address === '::' && l.dual)));
  const probe: Container['readinessProbe'] = dice.chance(0.6)
    ? { tcpSocket: { port: declared } }
    : { httpGet: { path: '/healthz', port: declared } };
  const isHealthy = probe.tcpSocket !== undefined || dice.chance(0.6);
  const ready = !probed || (opens(declared) && isHealthy);
  const container: Container = {
    name: 'main',
    image: 'registry.example/server:1',
    ports,
    ...(probed ? { readinessProbe: probe } : {}),
  };
  const state =
    isClient || dice.chance(0.85) ? 'up' : dice.one(isThere ? ['leaving'] : ['pending', 'crash', 'leaving', 'done']);
  const metadata = { name, namespace, uid: `uid-${namespace}-${name}`, labels };
  const spec = { nodeName: place.node, containers: [container] };
  const address = { podIP: place.ip, podIPs: [{ ip: place.ip }], hostIP: NODES[place.node] };
  const container_ = { name: 'main', image: container.image!, imageID: '' };
  const object = ((): Pod => {
    switch (state) {
      case 'pending': {
        const message = '0/2 nodes are available: 2 Insufficient cpu.';
        const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
        return { metadata, spec: { containers: [container] }, status: { phase: 'Pending', conditions } };
      }
      case 'crash': {
        const waiting = { reason: 'CrashLoopBackOff', message: 'back-off' };
        const terminated = { exitCode: 1, reason: 'Error' };
        const status = { ...container_, ready: false, restartCount: 5, state: { waiting }, lastState: { terminated } };
        return {
          metadata,
          spec,
          status: { phase: 'Running', ...address, conditions: [isReadyIs(false)], containerStatuses: [status] },
        };
      }
      case 'done': {
        const status = { ...container_, ready: false, restartCount: 0, state: { terminated: { exitCode: 0 } } };
        return {
          metadata,
          spec,
          status: { phase: 'Succeeded', ...address, conditions: [isReadyIs(false)], containerStatuses: [status] },
        };
      }
      default: {
        const status = { ...container_, ready, restartCount: 0, started: true, state: { running: {} } };
        const leaving = state === 'leaving' ? { deletionTimestamp: '2026-05-20T11:59:30Z' } : {};
        return {
          metadata: { ...metadata, ...leaving },
          spec,
          status: { phase: 'Running', ...address, conditions: [isReadyIs(ready)], containerStatuses: [status] },
        };
      }
    }
  })();
  return { object, listeners: place.listeners };
}

const isReadyIs = (ready: boolean) => ({ type: 'Ready', status: ready ? 'True' : 'False' });

// --- services

const dnsService: Service = {
  metadata: { name: 'kube-dns', namespace: 'kube-system' },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.10',
    clusterIPs: ['10.96.0.10'],
    selector: { 'k8s-app': 'kube-dns' },
    ports: [{ name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 }],
  },
};

function serviceOf(dice: Dice, name: string, index: number): Service {
  const main = name === 'postgres' ? 5432 : 8080;
  const type = dice.one([
    'ClusterIP',
    'ClusterIP',
    'ClusterIP',
    'NodePort',
    'NodePort',
    'LoadBalancer',
    'LoadBalancer',
    'headless',
  ]);
  const headless = type === 'headless';
  const clusterIP = headless ? 'None' : `10.96.42.${index}`;
  const external = type === 'NodePort' || type === 'LoadBalancer';
  const targets: readonly (number | string | undefined)[] = [
    main,
    main,
    main,
    main,
    undefined,
    'main',
    'main',
    'main',
    main + 1,
    'nobody',
  ];
  const port = (p: ServicePort, i: number): ServicePort => ({
    protocol: 'TCP',
    ...p,
    ...(external ? { nodePort: 30_000 + index * 100 + i } : {}),
  });
  const target = dice.one(targets);
  const front = dice.chance(0.85) ? main : 80;
  const first = port({ port: front, ...(target === undefined ? { targetPort: front } : { targetPort: target }) }, 0);
  const second = port({ name: 'metrics', port: 9187, targetPort: 9187 }, 1);
  const ports = dice.chance(0.25) ? [{ ...first, name: 'main' }, second] : [first];
  const selector: Record<string, string> = {
    app: dice.chance(0.96) ? name : `${name}s`,
    ...(dice.chance(0.2) ? { role: 'primary' } : {}),
  };
  return {
    metadata: { name, namespace: 'db' },
    spec: {
      type: headless ? 'ClusterIP' : type,
      clusterIP,
      clusterIPs: [clusterIP],
      selector,
      ports,
      ...(dice.chance(0.15) && !headless ? { internalTrafficPolicy: 'Local' } : {}),
      ...(external ? { externalTrafficPolicy: dice.chance(0.35) ? 'Local' : 'Cluster' } : {}),
      ...(dice.chance(0.1) ? { publishNotReadyAddresses: true } : {}),
      ...(type === 'LoadBalancer' && dice.chance(0.4)
        ? { loadBalancerSourceRanges: [dice.one(['192.168.77.0/24', `${LAPTOP}/32`, '203.0.113.0/24', '10.0.0.0/8'])] }
        : {}),
    },
    ...(type === 'LoadBalancer'
      ? { status: { loadBalancer: { ingress: [{ ip: `192.168.77.${200 + index}` }] } } }
      : {}),
  };
}

/** One node answers for the address of a load balancer: under policy Local one that has an endpoint. */
function announcerOf(dice: Dice, service: Service, slices: Model['slices']): string {
  const anywhere = dice.one(['one', 'two']);
  if (service.spec?.externalTrafficPolicy !== 'Local') return anywhere;
  const hasFirst = (s: Model['slices'][number]) =>
    s.ports?.some((p) => p.name === (service.spec!.ports![0]!.name ?? '')) === true;
  const nodes = slices
    .filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name)
    .toSorted((a, b) => Number(hasFirst(b)) - Number(hasFirst(a)))
    .flatMap((s) => s.endpoints ?? [])
    .filter((e) => e.conditions?.ready === true || e.conditions?.serving === true)
    .sort((a, b) => Number(b.conditions?.ready) - Number(a.conditions?.ready))
    .map((e) => e.nodeName!);
  return nodes[0] ?? anywhere;
}

// --- policies

const LABELS = [
  {},
  { matchLabels: { app: 'postgres' } },
  { matchLabels: { app: 'api' } },
  { matchLabels: { role: 'primary' } },
  { matchLabels: { app: 'api', role: 'primary' } },
  { matchExpressions: [{ key: 'app', operator: 'In', values: ['api', 'web'] }] },
  { matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['replica'] }] },
  { matchExpressions: [{ key: 'role', operator: 'Exists' }] },
  { matchExpressions: [{ key: 'role', operator: 'DoesNotExist' }] },
] as const;
const PLACES = [
  {},
  { matchLabels: { 'kubernetes.io/metadata.name': 'app' } },
  { matchLabels: { 'kubernetes.io/metadata.name': 'db' } },
  { matchLabels: { team: 'a' } },
  { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] },
] as const;
const BLOCKS = [
  { cidr: '0.0.0.0/0' },
  { cidr: '10.244.0.0/16' },
  { cidr: '10.244.0.0/16', except: ['10.244.1.0/24'] },
  { cidr: '192.168.77.0/24' },
  { cidr: '192.168.77.0/24', except: ['192.168.77.1/32'] },
  { cidr: `${LAPTOP}/32` },
  { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] },
  { cidr: 'fd00::/8' },
] as const;

function policyOf(dice: Dice, name: string): NetworkPolicy {
  const types = dice.one([['Ingress'], ['Ingress'], ['Egress'], ['Ingress', 'Egress']] as const);
  const rules = <T>(make: () => T): readonly T[] => Array.from({ length: dice.one([0, 1, 1, 1, 2]) }, make);
  const toDNS = {
    to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
    ports: [{ protocol: 'UDP', port: 53 }],
  };
  return {
    metadata: { name, namespace: dice.one(['app', 'db', 'db']) },
    spec: {
      podSelector: dice.one(LABELS),
      policyTypes: [...types],
      ...((types as readonly string[]).includes('Ingress')
        ? {
            ingress: rules(() => ({
              ...list('from', dice, () => peerOf(dice)),
              ...list('ports', dice, () => policyPort(dice)),
            })),
          }
        : {}),
      ...((types as readonly string[]).includes('Egress')
        ? {
            egress: [
              ...(dice.chance(0.7) ? [toDNS] : []),
              ...rules(() => ({
                ...list('to', dice, () => peerOf(dice)),
                ...list('ports', dice, () => policyPort(dice)),
              })),
            ],
          }
        : {}),
    },
  };
}

/** Absent, empty, one or two. */
function list<T>(name: string, dice: Dice, make: () => T): object {
  const length = dice.one([-1, 0, 1, 1, 1, 2]);
  return length < 0 ? {} : { [name]: Array.from({ length }, make) };
}

function peerOf(dice: Dice): NetworkPolicyPeer {
  const shape = dice.one(['pods', 'places', 'both', 'both', 'block']);
  if (shape === 'block') return { ipBlock: dice.one(BLOCKS) };
  return {
    ...(shape === 'places' ? {} : { podSelector: dice.one(LABELS) }),
    ...(shape === 'pods' ? {} : { namespaceSelector: dice.one(PLACES) }),
  };
}

const policyPort = (dice: Dice): NetworkPolicyPort =>
  dice.one<NetworkPolicyPort>([
    { protocol: 'TCP', port: 5432 },
    { protocol: 'TCP', port: 5432 },
    { protocol: 'TCP', port: 8080 },
    { port: 5433 },
    { protocol: 'UDP', port: 5432 },
    { protocol: 'TCP', port: 'main' },
    { protocol: 'TCP', port: 'db' },
    { protocol: 'TCP', port: 5400, endPort: 5500 },
    { protocol: 'TCP', port: 8000, endPort: 9000 },
    { protocol: 'TCP' },
  ]);

// --- questions

function questionOf(dice: Dice, model: Omit<Model, 'question'>, { noNames = false }: Generated): Model['question'] {
  const api = model.pods[0]!.object;
  const source: Source = dice.one<Source>([
    { at: 'laptop' },
    { at: 'laptop' },
    { at: 'node', node: dice.one(['one', 'two']) },
    ...Array.from({ length: 5 }, (): Source => ({ at: 'pod', pod: `${api.metadata.namespace}/api` })),
  ]);
  const service = dice.one(model.services.slice(0, 2));
  const { ports = [], clusterIP, type } = service.spec!;
  const port = dice.chance(0.95) ? (dice.chance(0.9) ? ports[0]!.port : dice.one(ports).port) : dice.one(PORTS);
  const ways: (() => Model['question'])[] = [];
  const exposed = type === 'NodePort' || type === 'LoadBalancer';
  if (exposed || (source.at === 'laptop' && dice.chance(0.1)))
    ways.push(() => ({
      source,
      host: nodeAddress(dice.one(model.nodes)),
      port: dice.chance(0.9) ? (ports[0]!.nodePort ?? 30_999) : 30_999,
    }));
  const balancer = service.status?.loadBalancer?.ingress?.[0]?.ip;
  if (balancer !== undefined) ways.push(() => ({ source, host: balancer, port }));
  // The laptop has one error with the addresses of the inside: it need not come up every time.
  if (source.at !== 'laptop' || ways.length === 0 || dice.chance(0.1)) {
    if (clusterIP !== 'None') ways.push(() => ({ source, host: clusterIP!, port }));
    if (!noNames && source.at !== 'node') ways.push(() => ({ source, host: nameFor(dice, service, api), port }));
    const pods = model.pods.slice(1).flatMap((p) => addressOf(p.object) ?? []);
    const taken = new Set(pods);
    const free = ['10.244.1.77', '10.244.2.78'].filter((ip) => !taken.has(ip));
    if (source.at !== 'laptop' || ways.length === 0 || dice.chance(0.3)) {
      const target = dice.one(model.pods.slice(1));
      const listens = dice.chance(0.8) ? target.listeners[0]?.port : undefined;
      const host = dice.chance(0.95) ? addressOf(target.object) : undefined;
      ways.push(() => ({ source, host: host ?? dice.one(free), port: listens ?? dice.one(PORTS) }));
    }
  }
  return dice.one(ways)();
}

function nameFor(dice: Dice, service: Service, client: Pod): string {
  const name = service.metadata.name!;
  const namespace = service.metadata.namespace!;
  return dice.one([
    `${name}.${namespace}`,
    `${name}.${namespace}`,
    `${name}.${namespace}.svc`,
    `${name}.${namespace}.svc.cluster.local`,
    client.metadata.namespace === namespace ? name : `${name}.${namespace}`,
    dice.one([name, `${name}.${namespace}`, `${name}x.${namespace}`]),
  ]);
}
