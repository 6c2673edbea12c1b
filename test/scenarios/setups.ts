// What several scenarios begin with: line servers and databases behind Services, workloads of one container, clients that read their target
// from the environment, policies.
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { until } from '../e2e/cluster.ts';
import { pod, type ServerOptions, service, type World } from './world.ts';

export const CLIENT_IMAGE = 'docker.io/coracle/client:1';
export const SERVER_IMAGE = 'ghcr.io/acme/api:1.4.2';

export const lineCommand = (port: number, words = 'hello'): readonly string[] => [
  'node',
  '-e',
  `require('net').createServer((s) => s.on('error', () => {}).end('${words}\\n')).listen(${port}, '0.0.0.0')`,
];

/** A pod of a line server. */
export const linePod = (name: string, port: number, options: ServerOptions = {}): object =>
  pod(name, SERVER_IMAGE, { port, ...options, container: { command: lineCommand(port), ...options.container } });

type Workload = 'Deployment' | 'StatefulSet';

/** The pod as a template; its labels are the selector. */
export function workload(kind: Workload, name: string, made: object, spec: object = {}): object {
  const { metadata, spec: podSpec } = made as { metadata: { labels?: object; namespace?: string }; spec: object };
  const labels = metadata.labels ?? { app: name };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec },
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      ...spec,
    },
  };
}

export interface Behind {
  readonly server: string;
  readonly svc: string;
  readonly port: number;
}

/** A line server behind a Service; both have words for names, the Service's its own in all namespaces. Ready when this returns. */
export async function lineService(
  world: World,
  options: ServerOptions & { readonly servicePort?: object; readonly service?: object } = {},
): Promise<Behind> {
  const [server, svc, port] = [world.word(), world.ownWord(), world.port()];
  const { servicePort = {}, service: spec = {}, ...rest } = options;
  const labels = rest.labels ?? { app: server };
  const made = service(svc, labels as Record<string, string>, [{ port, ...servicePort }], spec) as {
    metadata: { name: string; namespace?: string };
  };
  if (rest.namespace !== undefined) made.metadata.namespace = rest.namespace;
  await world.apply(linePod(server, port, { ...rest, labels }), made);
  await world.ready(server, rest.namespace);
  return { server, svc, port };
}

/** A Deployment of the client image; commands reach it as `deploy/NAME`. */
export async function clientDeployment(
  world: World,
  options: Omit<ServerOptions, 'port'> & { readonly kind?: Workload } = {},
): Promise<string> {
  const name = world.word();
  const { kind = 'Deployment', ...rest } = options;
  await world.apply(workload(kind, name, pod(name, CLIENT_IMAGE, { labels: { client: name }, ...rest })));
  await rolledOut(world, kind, name);
  return name;
}

export async function rolledOut(world: World, kind: Workload, name: string): Promise<void> {
  await world.kubectl(['rollout', 'status', `${kind.toLowerCase()}/${name}`, '--timeout=60s'], 70_000);
}

export async function addressOf(world: World, name: string, namespace = world.namespace): Promise<string> {
  return (await world.cluster.get<Pod>(namespace, 'pod', name)).status!.podIP!;
}

/** Until the pod is in this state; for those that never become ready. */
export async function untilPod(world: World, name: string, fits: (pod: Pod) => boolean): Promise<Pod> {
  return until(`pod ${name}`, 60_000, async () => {
    const found = await world.cluster.get<Pod>(world.namespace, 'pod', name);
    return fits(found) && found;
  });
}

/** The first pod with the labels, until it is in this state. */
export async function untilPodOf(world: World, selector: string, fits: (pod: Pod) => boolean): Promise<Pod> {
  return until(`pod with ${selector}`, 60_000, async () =>
    (await world.cluster.list<Pod>(world.namespace, 'pods', selector)).find(fits),
  );
}

export async function clusterIP(world: World, svc: string): Promise<string> {
  return (await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.spec.clusterIP}'])).trim();
}

interface NodeName {
  readonly name: string;
  readonly address: string;
}

/** Two nodes, or more, in an order of the seed's. */
export async function nodes(world: World): Promise<readonly [NodeName, NodeName, ...NodeName[]]> {
  const all = await world.cluster.list<Node>('default', 'nodes');
  const at = Math.floor(world.seed % all.length);
  const [first, second, ...rest] = [...all.slice(at), ...all.slice(0, at)].map((n) => ({
    name: n.metadata.name!,
    address: n.status!.addresses!.find((a) => a.type === 'InternalIP')!.address!,
  }));
  if (first === undefined || second === undefined) throw new Error('the cluster has one node only');
  return [first, second, ...rest];
}

export const policy = (name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec: { podSelector: {}, ...spec },
});

/** Egress rule to the cluster's DNS. */
export const DNS_RULE = {
  to: [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    },
  ],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};

/** Reads a line from HOST:PORT of the client's own environment. */
export const readLineFromEnv = (host = 'HOST', port = 'PORT'): readonly string[] => [
  'timeout',
  '4',
  'bash',
  '-c',
  `exec 3<>/dev/tcp/$${host}/$${port} && head -n 1 <&3`,
];

/** Asks a PostgreSQL for TLS, with what every machine has: it answers N or S. */
export const knock = (host: string, port: number): readonly string[] => [
  'timeout',
  '4',
  'bash',
  '-c',
  `exec 3<>/dev/tcp/${host}/${port} && printf '\\0\\0\\0\\10\\4\\322\\26\\57' >&3 && head -c 1 <&3`,
];

export const TIMEOUT_OR_REFUSED = /timed out|refused|unreachable|No route|^$/i;
