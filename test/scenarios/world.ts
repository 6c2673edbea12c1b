// What a scenario builds with: a namespace of its own, names from the seed, kubectl, and servers and clients of the common kinds.
import type { Output, TestCluster } from '../e2e/cluster.ts';
import { until } from '../e2e/cluster.ts';

const WORDS =
  'amber birch cedar delta ember fjord grove harbor iris jade kelp lagoon maple nectar onyx prairie quartz river sable tundra umber violet willow xenon yarrow zephyr'.split(
    ' ',
  );

/** A small generator: the same seed and title make the same names (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function hash(text: string): number {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.codePointAt(0)!, 16777619);
  return h >>> 0;
}

export interface ServerOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly portName?: string;
  readonly node?: string;
  /** Merged into the pod's spec. */
  readonly spec?: object;
  /** Merged into the container. */
  readonly container?: object;
  readonly namespace?: string;
}

export class World {
  readonly cluster: TestCluster;
  readonly namespace: string;
  readonly seed: number;
  /** Further namespaces of the scenario. */
  readonly others: string[] = [];
  readonly #random: () => number;
  readonly #used = new Set<string>();

  constructor(cluster: TestCluster, namespace: string, seed: number) {
    this.cluster = cluster;
    this.namespace = namespace;
    this.seed = seed;
    this.#random = generator(seed);
  }

  /** A name that nothing in this scenario has yet. */
  word(): string {
    for (;;) {
      const word = this.pick(WORDS);
      const name = this.#used.has(word) ? `${word}-${Math.floor(this.#random() * 1000)}` : word;
      if (this.#used.has(name)) continue;
      this.#used.add(name);
      return name;
    }
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  port(): number {
    return 2000 + Math.floor(this.#random() * 20_000);
  }

  /** A word that no other scenario has either: for names that are looked for in all namespaces. */
  ownWord(): string {
    return `${this.word()}-${(this.seed % 46_656).toString(36)}`;
  }

  /** A second namespace, which goes with the first. */
  async otherNamespace(): Promise<string> {
    const name = `${this.namespace}-${this.word()}`;
    await this.cluster.kubectl(['create', 'namespace', name]);
    this.others.push(name);
    return name;
  }

  kubectl(args: readonly string[], timeoutMs = 60_000): Promise<string> {
    return this.cluster.kubectl(['-n', this.namespace, ...args], { timeoutMs });
  }

  tryKubectl(args: readonly string[], timeoutMs = 60_000): Promise<Output> {
    return this.cluster.tryKubectl(['-n', this.namespace, ...args], { timeoutMs });
  }

  /** Objects without a namespace get this one's. */
  async apply(...objects: readonly object[]): Promise<void> {
    await this.cluster.apply(
      ...objects.map((object) => {
        const { metadata, ...rest } = object as { metadata: { namespace?: string } };
        return { ...rest, metadata: { namespace: this.namespace, ...metadata } };
      }),
    );
  }

  async ready(pod: string, namespace = this.namespace): Promise<void> {
    await this.cluster.ready(namespace, pod);
  }

  /** A pod with psql, curl, nc and dig that sleeps; Ready when this returns. */
  async clientPod(
    options: Pick<ServerOptions, 'labels' | 'node' | 'spec' | 'env' | 'namespace'> = {},
  ): Promise<string> {
    const name = this.word();
    await this.apply(pod(name, 'docker.io/coracle/client:1', options));
    await this.ready(name, options.namespace);
    return name;
  }

  /** A PostgreSQL pod: user, database and password `shop` unless told. Not waited for. */
  async postgres(name: string, options: ServerOptions = {}): Promise<void> {
    const { args = [], env = {}, container = {}, ...rest } = options;
    await this.apply(
      pod(name, 'docker.io/library/postgres:15', {
        ...rest,
        env: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop', ...env },
        container: {
          ...(args.length === 0 ? {} : { args: ['postgres', ...args] }),
          readinessProbe: { exec: { command: ['pg_isready', '-q', '-h', '127.0.0.1'] }, periodSeconds: 1 },
          ...container,
        },
        port: options.port ?? 5432,
      }),
    );
  }

  /** A server that answers every TCP connection with a line. Not waited for. */
  async lineServer(
    name: string,
    port: number,
    options: ServerOptions & { readonly listen?: string } = {},
  ): Promise<void> {
    const { listen = '0.0.0.0', ...rest } = options;
    await this.apply(
      pod(name, 'ghcr.io/acme/api:1.4.2', {
        ...rest,
        port,
        container: {
          command: [
            'node',
            '-e',
            `require('net').createServer((s) => s.on('error', () => {}).end('hello\\n')).listen(${port}, '${listen}')`,
          ],
          ...options.container,
        },
      }),
    );
  }

  /** Until the ordinary client does what it should; what it said last otherwise. */
  async untilClient(run: () => Promise<Output>, good: (output: Output) => boolean, timeoutMs: number): Promise<Output> {
    let last: Output | undefined;
    await until('the ordinary client', timeoutMs, async () => {
      last = await run();
      return good(last);
    }).catch(() => undefined);
    return last!;
  }
}

/** A pod of one container. */
export function pod(name: string, image: string, options: ServerOptions = {}): object {
  const { labels, env = {}, port, portName, node, spec = {}, container = {}, namespace } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(labels === undefined ? {} : { labels }) },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
      containers: [
        {
          name: 'main',
          image,
          env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
          ...(port === undefined
            ? {}
            : { ports: [{ containerPort: port, ...(portName === undefined ? {} : { name: portName }) }] }),
          ...container,
        },
      ],
      ...spec,
    },
  };
}

export function service(
  name: string,
  selector: Readonly<Record<string, string>>,
  ports: readonly object[],
  spec: object = {},
): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector, ports, ...spec } };
}

/** What pods of a scenario ask a Postgres with. */
export const psql = (host: string, port = 5432, more: Readonly<Record<string, string>> = {}): readonly string[] => [
  'env',
  'PGPASSWORD=shop',
  'PGCONNECT_TIMEOUT=3',
  ...Object.entries(more).map(([key, value]) => `${key}=${value}`),
  'psql',
  '-XAtq',
  '-h',
  host,
  '-p',
  String(port),
  '-U',
  more['PGUSER'] ?? 'shop',
  '-c',
  'SELECT 1',
];

/** Reads a line over TCP. */
export const readLine = (host: string, port: number): readonly string[] => [
  'timeout',
  '4',
  'bash',
  '-c',
  `exec 3<>/dev/tcp/${host}/${port} && head -n 1 <&3`,
];
