// Pod create → Running seen by watch, one by one and twenty at once, and delete → gone, beside the bare CRI calls on the same node
// in the same run.
import type { Pod } from '#generated/api/core-v1.ts';
import { pods } from '#generated/resources.ts';
import { cgroupRoot } from '#cluster/teardown.ts';
import { containerdSocket } from '#cluster/local-node.ts';
import { GrpcRuntime } from '#node/cri/grpc.ts';
import type { PodSandboxConfig } from '#node/cri/messages.ts';
import { type BenchCluster, clock, ms, row } from './cluster.ts';
import { median } from './figures.ts';

const ONE_BY_ONE = 10;
const AT_ONCE = 20;
const IMAGE = 'busybox:1.35';
const NODE = 'node-1';

export async function measurePods(cluster: BenchCluster): Promise<void> {
  const bare = new BareCri(cluster);
  const seen = new PodWatch(cluster);
  await seen.start();
  const bareTimes: number[] = [];
  const ours: number[] = [];
  const gone: number[] = [];
  for (let i = 0; i < ONE_BY_ONE; i++) {
    // In turn, so that a slow moment of the machine hits both.
    bareTimes.push(await bare.start(`one-${i}`));
    await bare.remove();
    const name = `bench-one-${i}`;
    ours.push(await createAndWait(cluster, seen, name));
    const from = clock.monotonic();
    await cluster.client.resource(pods).delete('default', name, { gracePeriodSeconds: 1 });
    await seen.when(name, (pod) => pod === undefined);
    gone.push(clock.monotonic() - from);
  }
  row('one by one: bare CRI, median', ms(median(bareTimes)));
  row(
    'one by one: create → Running, median',
    ms(median(ours)),
    `ratio ${(median(ours) / median(bareTimes)).toFixed(2)}`,
  );
  row('one by one: delete with 1 s grace → gone', ms(median(gone)));

  let from = clock.monotonic();
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => bare.start(`many-${i}`)));
  const bareAll = clock.monotonic() - from;
  await bare.remove();
  from = clock.monotonic();
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => createAndWait(cluster, seen, `bench-many-${i}`)));
  const all = clock.monotonic() - from;
  row(`${AT_ONCE} at once: bare CRI, last`, ms(bareAll));
  row(`${AT_ONCE} at once: create → Running, last`, ms(all), `ratio ${(all / bareAll).toFixed(2)}`);
  from = clock.monotonic();
  await cluster.client
    .resource(pods)
    .deleteCollection({ namespace: 'default', labelSelector: 'bench=pods' }, { gracePeriodSeconds: 1 });
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => seen.when(`bench-many-${i}`, (pod) => pod === undefined)),
  );
  row(`${AT_ONCE} at once: delete → gone, last`, ms(clock.monotonic() - from));
  seen.stop();
  bare.close();
}

async function createAndWait(cluster: BenchCluster, seen: PodWatch, name: string): Promise<number> {
  const from = clock.monotonic();
  await cluster.client.resource(pods).create({
    metadata: { name, namespace: 'default', labels: { bench: 'pods' } },
    spec: {
      nodeSelector: { 'kubernetes.io/hostname': NODE },
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: IMAGE, command: ['sleep', '3600'] }],
    },
  });
  await seen.when(name, (pod) => pod?.status?.phase === 'Running');
  return clock.monotonic() - from;
}

/** Pods of the namespace as a watch tells them. */
class PodWatch {
  readonly #cluster: BenchCluster;
  readonly #stop = new AbortController();
  readonly #pods = new Map<string, Pod>();
  readonly #waiting = new Set<() => void>();

  constructor(cluster: BenchCluster) {
    this.#cluster = cluster;
  }

  async start(): Promise<void> {
    const list = await this.#cluster.client.resource(pods).list({ namespace: 'default' });
    void (async () => {
      for await (const event of this.#cluster.client
        .resource(pods)
        .watch({ namespace: 'default', resourceVersion: list.metadata.resourceVersion! }, this.#stop.signal)) {
        if (event.type === 'BOOKMARK') continue;
        if (event.type === 'DELETED') this.#pods.delete(event.object.metadata.name!);
        else this.#pods.set(event.object.metadata.name!, event.object);
        for (const wake of this.#waiting) wake();
      }
    })().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  when(name: string, holds: (pod: Pod | undefined) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds(this.#pods.get(name))) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** The CRI calls that any kubelet must make for such a pod, and nothing else. */
class BareCri {
  readonly #runtime: GrpcRuntime;
  readonly #cgroup: string;
  readonly #sandboxes: string[] = [];

  constructor(cluster: BenchCluster) {
    this.#runtime = new GrpcRuntime({ socket: containerdSocket(cluster.initPid(NODE)), now: () => clock.now() });
    this.#cgroup = `${cgroupRoot(cluster.config)}/${NODE}/kubepods/besteffort`;
  }

  async start(name: string): Promise<number> {
    const from = clock.monotonic();
    const namespaces = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;
    const sandbox = {
      metadata: { name, uid: `bench-${name}`, namespace: 'bench', attempt: 0 },
      hostname: name,
      logDirectory: '/run/bench-logs',
      labels: {},
      annotations: {},
      linux: { cgroupParent: this.#cgroup, securityContext: { namespaceOptions: namespaces } },
    } as unknown as PodSandboxConfig;
    const id = await this.#runtime.runPodSandbox(sandbox, '');
    this.#sandboxes.push(id);
    const container = await this.#runtime.createContainer(
      id,
      {
        metadata: { name: 'main', attempt: 0 },
        image: { image: IMAGE },
        command: ['sleep', '3600'],
        args: [],
        envs: [],
        mounts: [],
        labels: {},
        annotations: {},
        logPath: `${name}.log`,
        stdin: false,
        stdinOnce: false,
        tty: false,
        linux: {
          resources: {},
          securityContext: {
            privileged: false,
            namespaceOptions: namespaces,
            readonlyRootfs: false,
            supplementalGroups: [],
            noNewPrivs: false,
          },
        },
      } as never,
      sandbox,
    );
    await this.#runtime.startContainer(container);
    return clock.monotonic() - from;
  }

  async remove(): Promise<void> {
    await Promise.all(
      this.#sandboxes.splice(0).map(async (id) => {
        await this.#runtime.stopPodSandbox(id);
        await this.#runtime.removePodSandbox(id);
      }),
    );
  }

  close(): void {
    this.#runtime.close();
  }
}
