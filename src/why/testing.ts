// Builders for tests of the checks: a small cluster as plain facts. `postgres` in namespace db behind a Service, `api` in namespace app
// as the client. A test says only what differs.
import type { Container, Namespace, Node, Pod, PodSpec, Service, ServiceSpec } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { NetworkPolicy, NetworkPolicySpec } from '#generated/api/networking-v1.ts';
import { type Facts, noObjects, type Objects, type ProbeRun } from './facts.ts';
import type { ListeningSocket, NodeFacts, PodFacts } from './node/facts.ts';
import type { ProbeResult } from './probe/result.ts';
import { isReady, nameOf, namespaceOf, selectedPods, targetPortIn } from './pods.ts';
import { parseTarget } from './target.ts';

export const makeNamespace = (name: string): Namespace => ({
  metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
});

export const makeNode = (index: number): Node => ({
  metadata: { name: `node-${index}`, labels: { 'kubernetes.io/hostname': `node-${index}` } },
  spec: { podCIDR: `10.244.${index}.0/24`, podCIDRs: [`10.244.${index}.0/24`] },
  status: {
    addresses: [{ type: 'InternalIP', address: `192.168.10.1${index}` }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

export interface PodWanted {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ip?: string;
  readonly node?: string;
  readonly ready?: boolean;
  readonly image?: string;
  readonly container?: Partial<Container>;
  readonly spec?: Partial<PodSpec>;
  readonly status?: NonNullable<Pod['status']>;
  /** Name of its Deployment. */
  readonly deployment?: string;
  readonly deleted?: string;
}

export function makePod(wanted: PodWanted = {}): Pod {
  const { name = 'postgres-0', namespace = 'db', ready = true, ip = '10.244.2.7' } = wanted;
  const labels = {
    ...(wanted.labels ?? { app: 'postgres' }),
    ...(wanted.deployment === undefined ? {} : { 'pod-template-hash': 'abc' }),
  };
  const container: Container = {
    name: 'main',
    image: wanted.image ?? 'registry.example/server:1',
    ports: [{ containerPort: 5432, name: 'pg' }],
    ...wanted.container,
  };
  const running = {
    name: container.name,
    image: container.image!,
    imageID: '',
    restartCount: 0,
    ready,
    state: { running: {} },
  };
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      labels,
      ...(wanted.deleted === undefined ? {} : { deletionTimestamp: wanted.deleted }),
      ...(wanted.deployment === undefined
        ? {}
        : {
            ownerReferences: [
              {
                apiVersion: 'apps/v1',
                kind: 'ReplicaSet',
                name: `${wanted.deployment}-abc`,
                uid: 'r',
                controller: true,
              },
            ],
          }),
    },
    spec: { nodeName: wanted.node ?? 'node-2', containers: [container], ...wanted.spec },
    status: wanted.status ?? {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [running],
    },
  };
}

export const makeClient = (wanted: PodWanted = {}): Pod =>
  makePod({
    name: 'api',
    namespace: 'app',
    labels: { app: 'api' },
    ip: '10.244.1.5',
    node: 'node-1',
    container: { ports: [] },
    ...wanted,
  });

export function makeService(spec: ServiceSpec = {}, name = 'postgres', namespace = 'db'): Service {
  const clusterIP = spec.clusterIP ?? '10.96.42.7';
  return {
    metadata: { name, namespace },
    spec: {
      type: 'ClusterIP',
      selector: { app: 'postgres' },
      ports: [{ port: 5432, targetPort: 5432, protocol: 'TCP' }],
      clusterIP,
      clusterIPs: [clusterIP],
      ...spec,
    },
  };
}

/** What the EndpointSlice controller would write. */
export function sliceOf(service: Service, pods: readonly Pod[]): EndpointSlice {
  const selected = selectedPods(service, pods);
  const [first] = selected;
  return {
    metadata: {
      name: `${nameOf(service)}-1`,
      namespace: namespaceOf(service),
      labels: { 'kubernetes.io/service-name': nameOf(service) },
    },
    addressType: 'IPv4',
    ports: (service.spec?.ports ?? []).flatMap((p) => {
      const port = first === undefined ? undefined : targetPortIn(first, p);
      return port === undefined ? [] : [{ name: p.name ?? '', port, protocol: p.protocol ?? 'TCP' }];
    }),
    endpoints: selected
      .filter((p) => p.status?.podIP !== undefined)
      .map((p) => ({
        addresses: [p.status!.podIP!],
        conditions: {
          ready: isReady(p) && p.metadata.deletionTimestamp === undefined,
          serving: isReady(p),
          terminating: p.metadata.deletionTimestamp !== undefined,
        },
        nodeName: p.spec!.nodeName!,
        targetRef: { kind: 'Pod', name: nameOf(p), namespace: namespaceOf(p) },
        ...(p.spec?.subdomain === nameOf(service) ? { hostname: nameOf(p) } : {}),
      })),
  };
}

export const makePolicy = (namespace: string, spec: NetworkPolicySpec, name = 'policy'): NetworkPolicy => ({
  metadata: { name, namespace },
  spec,
});

export const connected = (more: Partial<ProbeResult> = {}): ProbeResult => ({
  connects: [{ address: '10.96.42.7', port: 5432, outcome: 'connected', ms: 1 }],
  ms: 2,
  ...more,
});

export const failed = (outcome: 'refused' | 'timeout' | 'unreachable', address = '10.96.42.7'): ProbeResult => ({
  connects: [{ address, port: 5432, outcome, ms: 1 }],
  ms: 2,
});

export const unresolved = (outcome = 'NXDOMAIN'): ProbeResult => ({
  dns: { addresses: [], attempts: [{ server: '10.96.0.10', question: 'x.', type: 'A', outcome, answers: [], ms: 1 }] },
  connects: [],
  ms: 2,
});

export const makeSocket = (port: number, address = '0.0.0.0'): ListeningSocket => ({
  protocol: 'tcp',
  family: address.includes(':') ? 6 : 4,
  address,
  dual: address === '::',
  port,
});

export const makePodFacts = (pod: Pod, listening: readonly ListeningSocket[]): PodFacts => ({
  namespace: namespaceOf(pod),
  name: nameOf(pod),
  uid: pod.metadata.uid!,
  addresses: [pod.status?.podIP ?? ''],
  mtu: 1500,
  listening,
  connections: [],
  resolvConf: undefined,
  foreignRules: [],
  routes: [],
  policyProfiles: undefined,
});

export const makeNodeFacts = (node: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  node,
  addresses: [],
  routes: ['10.244.1.0/24 via 192.168.10.11 dev eth0', '10.244.2.0/24 via 192.168.10.12 dev eth0'],
  links: [{ name: 'eth0', up: true, mtu: 1500 }],
  tunnelEntries: [],
  conntrack: { count: 10, max: 1000 },
  counters: [],
  foreignRules: [],
  services: [{ key: '10.96.42.7:5432/tcp', endpoints: ['10.244.2.7:5432'] }],
  policyEnforced: true,
  pods: [],
  ...more,
});

export interface FactsWanted extends Partial<Objects> {
  readonly target?: string;
  readonly source?: Facts['source'];
  readonly probe?: ProbeResult;
  /** Sockets of the server's pod; absent: nodes are not seen. */
  readonly sockets?: readonly ListeningSocket[];
  readonly nodeFacts?: Readonly<Record<string, Partial<NodeFacts>>>;
  readonly more?: Partial<Facts>;
}

/** Healthy unless told otherwise; without `probe` none was made. */
export function makeFacts(wanted: FactsWanted = {}): Facts {
  const { target = 'tcp://postgres.db:5432', probe, sockets, nodeFacts, more, source, ...objects } = wanted;
  const client = makeClient();
  const pods = objects.pods ?? [client, makePod()];
  const services = objects.services ?? [makeService()];
  const all: Objects = {
    ...noObjects,
    namespaces: ['default', 'app', 'db', 'kube-system'].map(makeNamespace),
    nodes: [makeNode(1), makeNode(2)],
    ...objects,
    services,
    pods,
    slices:
      objects.slices ??
      services.filter((s) => Object.keys(s.spec?.selector ?? {}).length > 0).map((s) => sliceOf(s, pods)),
  };
  const from = source ?? {
    at: 'pod' as const,
    pod: pods.find((p) => nameOf(p) === 'api') ?? client,
    wanted: 'pod/api',
    namespace: 'app',
  };
  const server = pods.find((p) => nameOf(p) !== 'api');
  const seenNodes =
    nodeFacts ??
    (sockets === undefined || server === undefined
      ? {}
      : { 'node-1': {}, [server.spec!.nodeName!]: { pods: [makePodFacts(server, sockets)] } });
  const main: ProbeRun | undefined =
    probe === undefined
      ? undefined
      : {
          from:
            from.at === 'pod' ? { at: 'pod', node: 'node-1', namespace: 'app', pod: 'api', uid: '' } : { at: 'laptop' },
          request: { ...requestOf(target), timeoutMs: 2000 },
          result: probe,
        };
  return {
    target: parseTarget(target),
    source: from,
    namespace: from.at === 'pod' ? from.namespace : 'default',
    domain: 'cluster.local',
    objects: all,
    denied: [],
    sight: new Map(Object.entries(seenNodes).map(([node, f]) => [node, { before: makeNodeFacts(node, f) }])),
    logs: [],
    direct: [],
    inside: [],
    nowMs: Date.parse('2026-05-20T12:00:00Z'),
    ...(main === undefined ? {} : { main }),
    ...more,
  };
}

function requestOf(text: string) {
  const target = parseTarget(text);
  if (target.kind !== 'address') return { host: target.name, port: 5432, protocol: 'tcp' as const };
  const { host, port, protocol, tls } = target;
  return { host, port, protocol, ...(tls === undefined ? {} : { tls: { ...tls, serverName: host } }) };
}

export const fromLaptop: Facts['source'] = { at: 'laptop', forwards: [] };
