// What eviction decides on, read from this node: how much is available, and what each pod uses.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Cgroups } from '#host/cgroups.ts';
import type { DiskUsage, FileSystem, FilesystemFacts } from '#host/file-system.ts';
import type { PodCache } from '../cri/pod-cache.ts';
import type { Runtime } from '../cri/runtime.ts';
import { podLogDirectory } from '../pods/cri-config.ts';
import { emptyDir } from '../volumes/emptydir.ts';
import type { PodUsage, UsageOf } from './ranking.ts';
import type { Observation, Observations, Signal } from './thresholds.ts';

export interface MeasureDeps {
  readonly runtime: Runtime;
  readonly cache: Pick<PodCache, 'get'>;
  readonly files: Pick<FileSystem, 'readText' | 'statfs' | 'usage'>;
  readonly cgroups: Cgroups;
  readonly rootDir: string;
  readonly logsRoot: string;
  readonly cgroupRoot: string;
  /** The node's memory, and whether it is a share of the machine's: then others may fill the machine while this node's part is free. */
  readonly memory: { readonly bytes: number; readonly isShare: boolean };
  podCgroup(pod: Pod): string;
}

/** What cannot be read is left out, and meets no threshold. */
export async function observe(deps: MeasureDeps): Promise<Observations> {
  const { runtime, files, rootDir } = deps;
  const [node, images] = await Promise.all([
    files.statfs(rootDir).catch(() => undefined),
    runtime
      .imageFsInfo()
      .then(([place]) => (place === undefined || place.mountpoint === '' ? undefined : files.statfs(place.mountpoint)))
      .catch(() => undefined),
  ]);
  const found: (readonly [Signal, Observation | undefined])[] = [
    ['memory.available', memory(deps)],
    ['nodefs.available', bytesOf(node)],
    ['nodefs.inodesFree', inodesOf(node)],
    ['imagefs.available', bytesOf(images)],
    ['imagefs.inodesFree', inodesOf(images)],
    ['pid.available', processes(files)],
  ];
  return new Map(found.filter((f): f is [Signal, Observation] => f[1] !== undefined));
}

function memory({ cgroups, cgroupRoot, files, memory }: MeasureDeps): Observation {
  const own = Math.max(0, memory.bytes - cgroups.usage(cgroupRoot).workingSetBytes);
  const free = /^MemAvailable:\s+(\d+) kB/m.exec(files.readText('/proc/meminfo') ?? '');
  const machine = memory.isShare || free === null ? own : Number(free[1]) * 1024;
  return { available: Math.min(own, machine), capacity: memory.bytes };
}

const bytesOf = (disk: FilesystemFacts | undefined): Observation | undefined =>
  disk === undefined || disk.totalBytes === 0
    ? undefined
    : { available: disk.availableBytes, capacity: disk.totalBytes };

/** Some file systems (btrfs) have no number of inodes. */
const inodesOf = (disk: FilesystemFacts | undefined): Observation | undefined =>
  disk === undefined || disk.inodes === 0 ? undefined : { available: disk.inodesFree, capacity: disk.inodes };

function processes(files: Pick<FileSystem, 'readText'>): Observation | undefined {
  const number = (path: string) => Number(files.readText(path)?.trim() || Number.NaN);
  const capacity = Math.min(number('/proc/sys/kernel/pid_max'), number('/proc/sys/kernel/threads-max'));
  const running = Number(/\d+\/(\d+)/.exec(files.readText('/proc/loadavg') ?? '')?.[1] ?? Number.NaN);
  return Number.isNaN(capacity) || Number.isNaN(running)
    ? undefined
    : { available: Math.max(0, capacity - running), capacity };
}

const NOTHING: DiskUsage = { bytes: 0, inodes: 0 };

/** Of these pods; disks are looked through only where it is asked for, since that reads every folder. */
export async function measurePods(
  pods: readonly Pod[],
  withDisk: (pod: Pod) => boolean,
  deps: MeasureDeps,
): Promise<UsageOf> {
  const stats = new Map((await deps.runtime.listContainerStats()).map((s) => [s.attributes.id, s]));
  const usages = new Map<string, PodUsage>();
  for (const pod of pods) {
    const uid = pod.metadata.uid!;
    const known = deps.cache.get(uid);
    if (known === undefined) continue;
    const disk = withDisk(pod);
    const logs = podLogDirectory(deps.logsRoot, known.namespace, known.name, uid);
    const containers: PodUsage['containers'][number][] = [];
    for (const container of known.containers) {
      if (container.state !== 'running') continue;
      const measured = stats.get(container.id);
      const log = disk ? await deps.files.usage(`${logs}/${container.name}`) : NOTHING;
      containers.push({
        name: container.name,
        memoryBytes: measured?.memory?.workingSetBytes?.value ?? 0,
        diskBytes: (measured?.writableLayer?.usedBytes?.value ?? 0) + log.bytes,
        inodes: (measured?.writableLayer?.inodesUsed?.value ?? 0) + log.inodes,
      });
    }
    const group = deps.podCgroup(pod);
    usages.set(uid, {
      memoryBytes: deps.cgroups.usage(group).workingSetBytes,
      processes: deps.cgroups.processes(group),
      containers,
      volumes: disk ? await volumesOf(pod, deps) : new Map(),
    });
  }
  return (pod) => usages.get(pod.metadata.uid!);
}

/** emptyDirs on the node's disk; those in memory count as memory, and end at their own size. */
async function volumesOf(pod: Pod, { files, rootDir }: MeasureDeps): Promise<PodUsage['volumes']> {
  const out = new Map<string, DiskUsage>();
  for (const volume of pod.spec?.volumes ?? []) {
    if (volume.emptyDir === undefined || volume.emptyDir.medium === 'Memory') continue;
    const dir = `${rootDir}/pods/${pod.metadata.uid}/volumes/${emptyDir.folder}/${volume.name}`;
    out.set(volume.name, await files.usage(dir));
  }
  return out;
}
