// A hollow node: the same kubelet, with a runtime, files, mounts and control groups that exist in memory only. For machines that cannot
// run containers, and for clusters of thousands of nodes.
import type { Component } from '#base/lifecycle.ts';
import type { FileSystem } from '#host/file-system.ts';
import { FakeCgroups } from '#host/cgroups.ts';
import { FakeMounts } from '#host/mounts.ts';
import { type NodeNetwork, noNetwork } from '#netmodel/node-network.ts';
import { type EndingOf, FakeRuntime } from '../cri/fake.ts';
import { createKubelet, type Kubelet, type KubeletDeps, type KubeletOptions } from '../kubelet.ts';
import { createDiskReclaimer, type DiskReclaimerDeps } from '../volumes/disk-reclaimer.ts';

export interface HollowKubeletDeps
  extends Omit<KubeletDeps, 'network' | 'runtime' | 'files' | 'mounts' | 'cgroups' | 'options'> {
  readonly options: Omit<KubeletOptions, 'hollow'>;
  /** Facts of the machine are read through it; nothing is written. */
  readonly machineFiles: Pick<FileSystem, 'readText'>;
  /** Address of the n-th pod of this node. */
  readonly ipOf: (n: number) => string;
  /** How containers end by themselves; as their pods' annotation says without. */
  readonly endingOf?: EndingOf;
  /** Says when addresses are known; at once without. */
  readonly network?: NodeNetwork;
}

export function createHollowKubelet(deps: HollowKubeletDeps): Kubelet {
  const { machineFiles, ipOf, endingOf, network, ...shared } = deps;
  return createKubelet({
    ...shared,
    network: network ?? noNetwork,
    runtime: new FakeRuntime({
      clock: deps.clock,
      random: deps.random,
      ipOf,
      ...(endingOf === undefined ? {} : { endingOf }),
    }),
    files: hollowFiles(machineFiles),
    mounts: new FakeMounts(),
    cgroups: new FakeCgroups(),
    options: { ...deps.options, hollow: true },
  });
}

export type HollowReclaimerDeps = Pick<DiskReclaimerDeps, 'client' | 'informers' | 'clock' | 'log'>;

/** Lets released volumes go: there is no file to remove, but their objects wait for somebody to say so. */
export function createHollowReclaimer(deps: HollowReclaimerDeps): Component {
  const files = hollowFiles({ readText: () => undefined });
  return createDiskReclaimer({ ...deps, files, mounts: new FakeMounts(), volumesDir: '/volumes' });
}

/** The one file that is read again: it says which disk is mounted for a pod, so that it is unmounted and released with the pod. */
const DISK_RECORD = '/vol_data.json';

/** Writes go nowhere but for the records of mounted disks, and what is asked for by volumes is there. */
export function hollowFiles(machine: Pick<FileSystem, 'readText'>): FileSystem {
  /** Path of a disk's record → its text. */
  const records = new Map<string, string>();
  const folder = { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeMs: 0, inode: 1 } as const;
  const isMachine = (path: string) => path.startsWith('/proc/') || path.startsWith('/etc/') || path.startsWith('/sys/');
  return {
    mkdir() {},
    write(path, data) {
      if (path.endsWith(DISK_RECORD)) records.set(path, data.toString());
    },
    readText: (path) => (isMachine(path) ? machine.readText(path) : records.get(path)),
    symlink() {},
    readlink: () => undefined,
    rename() {},
    list(path) {
      const below = [...records.keys()].filter((p) => p.startsWith(`${path}/`));
      return [...new Set(below.map((p) => p.slice(path.length + 1).split('/', 1)[0]!))];
    },
    stat: () => folder,
    realpath: (path) => path,
    chown() {},
    chmod() {},
    truncate() {},
    unlink: (path) => void records.delete(path),
    rmdir() {},
    async removeAll() {},
    async statfs() {
      return { totalBytes: 100 * 1024 ** 3, availableBytes: 90 * 1024 ** 3, inodes: 1e7, inodesFree: 9e6 };
    },
    async usage() {
      return { bytes: 0, inodes: 0 };
    },
    open: () => undefined,
    watch: () => () => {},
  };
}
