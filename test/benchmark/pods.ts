// Pod create → Running seen by watch, one by one and twenty at once, and delete → gone, beside the bare CRI calls on the same node and, where
// the reference is built, the original kubelet under its own control plane with a containerd of the same build, in the same run.
import { cgroupRoot } from '#cluster/teardown.ts';
import { containerdSocket } from '#cluster/local-node.ts';
import { GrpcRuntime } from '#node/cri/grpc.ts';
import type { PodSandboxConfig } from '#node/cri/messages.ts';
import { type BenchCluster, clock, ms, row } from './cluster.ts';
import { median } from './figures.ts';
import { canStartOriginalNode, OriginalNode } from './original-node.ts';
import { PodTiming } from './pod-timing.ts';

const ONE_BY_ONE = 10;
const AT_ONCE = 20;
const IMAGE = 'busybox:1.35';
const NODE = 'node-1';

export async function measurePods(cluster: BenchCluster): Promise<void> {
  const bare = new BareCri(cluster);
  const ours = new PodTiming(cluster.client, { node: NODE, image: IMAGE });
  await ours.start();
  const original = canStartOriginalNode() ? await OriginalNode.start('kubelet') : undefined;
  try {
    await oneByOne(bare, ours, original);
    await atOnce(bare, ours, original);
  } finally {
    await original?.stop();
    ours.stop();
    bare.close();
  }
}

/** In turn, so that a slow moment of the machine hits all. */
async function oneByOne(bare: BareCri, ours: PodTiming, original: OriginalNode | undefined): Promise<void> {
  const started = { bare: [] as number[], ours: [] as number[], original: [] as number[] };
  const gone = { ours: [] as number[], original: [] as number[] };
  for (let i = 0; i < ONE_BY_ONE; i++) {
    started.bare.push(await bare.start(`one-${i}`));
    await bare.remove();
    const name = `bench-one-${i}`;
    started.ours.push(await ours.create(name));
    gone.ours.push(await ours.remove(name));
    if (original === undefined) continue;
    started.original.push(await original.step({ do: 'create', name }));
    gone.original.push(await original.step({ do: 'remove', name }));
  }
  const floor = median(started.bare);
  row('one by one: bare CRI, median', ms(floor));
  row('one by one: create → Running, median', ms(median(started.ours)), times(median(started.ours) / floor));
  if (original !== undefined) {
    const theirs = median(started.original);
    row(
      'one by one: create → Running, original',
      ms(theirs),
      times(theirs / floor),
      better(theirs / median(started.ours)),
    );
  }
  row('one by one: delete with 1 s grace → gone', ms(median(gone.ours)));
  if (original !== undefined) {
    const theirs = median(gone.original);
    row('one by one: delete → gone, original', ms(theirs), better(theirs / median(gone.ours)));
  }
}

async function atOnce(bare: BareCri, ours: PodTiming, original: OriginalNode | undefined): Promise<void> {
  const from = clock.monotonic();
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => bare.start(`many-${i}`)));
  const floor = clock.monotonic() - from;
  await bare.remove();
  const last = await ours.createMany(AT_ONCE);
  const gone = await ours.removeMany(AT_ONCE);
  const many = `${AT_ONCE} at once`;
  row(`${many}: bare CRI, last`, ms(floor));
  row(`${many}: create → Running, last`, ms(last), times(last / floor));
  const theirs = await original?.step({ do: 'createMany', count: AT_ONCE });
  const theirsGone = await original?.step({ do: 'removeMany', count: AT_ONCE });
  if (theirs !== undefined)
    row(`${many}: create → Running, last, original`, ms(theirs), times(theirs / floor), better(theirs / last));
  row(`${many}: delete → gone, last`, ms(gone));
  if (theirsGone !== undefined)
    row(`${many}: delete → gone, last, original`, ms(theirsGone), better(theirsGone / gone));
}

const times = (ratio: number): string => `${ratio.toFixed(2)} × bare CRI`;
const better = (ratio: number): string => `Coracle ${ratio.toFixed(2)} × as fast`;

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
