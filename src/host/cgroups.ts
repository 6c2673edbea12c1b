// Control groups behind one interface: version 1 (each controller a tree of its own, also hybrid) and version 2. The kubelet makes
// one group for all pods, one per lower quality of service, one per pod; the runtime makes the containers' below.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface CgroupResources {
  readonly cpuShares?: number;
  /** Microseconds per 100 ms period; -1 for none. */
  readonly cpuQuota?: number;
  readonly memoryLimitBytes?: number;
  readonly pidsMax?: number;
}

export interface Cgroups {
  readonly version: 1 | 2;
  /** Makes the group (with its parents) and sets what is given. `path` is below the mount, starting with `/`. */
  create(path: string, resources: CgroupResources): void;
  /** Removes the group and what is below it; false when processes are still in it. */
  remove(path: string): boolean;
  exists(path: string): boolean;
  /** Names of the groups right below. */
  children(path: string): readonly string[];
  usage(path: string): CgroupUsage;
  /** Processes and threads in it; 0 where they are not counted. */
  processes(path: string): number;
}

export interface CgroupUsage {
  readonly memoryBytes: number;
  readonly workingSetBytes: number;
  readonly cpuNanos: number;
}

const PERIOD_US = 100_000;
const V1_CONTROLLERS = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'pids',
  'devices',
  'freezer',
  'blkio',
  'net_cls',
  'net_prio',
  'perf_event',
  'hugetlb',
  'systemd',
];

export function createCgroups(mount = '/sys/fs/cgroup'): Cgroups {
  return existsSync(join(mount, 'cgroup.controllers')) ? new CgroupsV2(mount) : new CgroupsV1(mount);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the group or the file went away: the same to all callers
  }
}

function removeTree(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory() && !removeTree(join(path, entry.name))) return false;
  }
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EBUSY') return false;
    if (code === 'ENOENT') return true;
    throw error;
  }
}

const statValue = (text: string | undefined, key: string): number =>
  Number(
    text
      ?.split('\n')
      .find((l) => l.startsWith(`${key} `))
      ?.split(' ')[1] ?? 0,
  );

function childrenOf(path: string): readonly string[] {
  return existsSync(path)
    ? readdirSync(path, { withFileTypes: true })
        .filter((e) => e.isDirectory())
        .map((e) => e.name)
    : [];
}

class CgroupsV1 implements Cgroups {
  readonly version = 1;
  readonly #mount: string;
  /** Controllers mounted here. */
  readonly #controllers: readonly string[];

  constructor(mount: string) {
    this.#mount = mount;
    this.#controllers = V1_CONTROLLERS.filter(
      (c) => existsSync(join(mount, c, 'tasks')) || existsSync(join(mount, c, 'cgroup.procs')),
    );
  }

  create(path: string, resources: CgroupResources): void {
    for (const controller of this.#controllers) {
      this.#make(controller, path);
    }
    const set = (controller: string, file: string, value: number | undefined) => {
      if (value !== undefined && this.#controllers.includes(controller))
        writeFileSync(join(this.#mount, controller, path, file), String(value));
    };
    set('cpu', 'cpu.shares', resources.cpuShares);
    if (resources.cpuQuota !== undefined) {
      set('cpu', 'cpu.cfs_period_us', PERIOD_US);
      set('cpu', 'cpu.cfs_quota_us', resources.cpuQuota);
    }
    set('memory', 'memory.limit_in_bytes', resources.memoryLimitBytes);
    set('pids', 'pids.max', resources.pidsMax);
  }

  #make(controller: string, path: string): void {
    const dir = join(this.#mount, controller, path);
    if (existsSync(dir)) return;
    if (dirname(path) !== '/') this.#make(controller, dirname(path));
    mkdirSync(dir, { recursive: true });
    // A cpuset group starts empty and refuses tasks until it has cpus and memory nodes.
    if (controller === 'cpuset') {
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const own = read(join(dir, file))?.trim();
        if (own === '') writeFileSync(join(dir, file), read(join(dirname(dir), file)) ?? '');
      }
    }
  }

  remove(path: string): boolean {
    // In a hybrid layout the runtime makes empty groups in the second version's tree as well.
    return [...this.#controllers, 'unified'].map((c) => removeTree(join(this.#mount, c, path))).every((gone) => gone);
  }

  exists(path: string): boolean {
    return existsSync(join(this.#mount, 'memory', path));
  }

  children(path: string): readonly string[] {
    return childrenOf(join(this.#mount, 'memory', path));
  }

  usage(path: string) {
    const memory = join(this.#mount, 'memory', path);
    const memoryBytes = Number(read(join(memory, 'memory.usage_in_bytes')) ?? 0);
    const inactive = statValue(read(join(memory, 'memory.stat')), 'total_inactive_file');
    return {
      memoryBytes,
      workingSetBytes: Math.max(0, memoryBytes - inactive),
      cpuNanos: Number(read(join(this.#mount, 'cpuacct', path, 'cpuacct.usage')) ?? 0),
    };
  }

  processes(path: string): number {
    return Number(read(join(this.#mount, 'pids', path, 'pids.current')) ?? 0);
  }
}

class CgroupsV2 implements Cgroups {
  readonly version = 2;
  readonly #mount: string;

  constructor(mount: string) {
    this.#mount = mount;
  }

  create(path: string, resources: CgroupResources): void {
    let at = '';
    for (const name of path.split('/').filter((n) => n !== '')) {
      const available = (read(join(this.#mount, at, 'cgroup.controllers')) ?? '')
        .trim()
        .split(' ')
        .filter((c) => ['cpu', 'cpuset', 'memory', 'pids', 'io'].includes(c));
      const enabled = (read(join(this.#mount, at, 'cgroup.subtree_control')) ?? '').trim().split(' ');
      const wanted = available.filter((c) => !enabled.includes(c));
      if (wanted.length > 0)
        writeFileSync(join(this.#mount, at, 'cgroup.subtree_control'), wanted.map((c) => `+${c}`).join(' '));
      at = join(at, name);
      mkdirSync(join(this.#mount, at), { recursive: true });
    }
    const dir = join(this.#mount, path);
    const set = (file: string, value: string | undefined) => {
      if (value !== undefined && existsSync(join(dir, file))) writeFileSync(join(dir, file), value);
    };
    // The kernel's own conversion of shares (2–262144) to weight (1–10000), as runc does it.
    set(
      'cpu.weight',
      resources.cpuShares === undefined
        ? undefined
        : String(Math.max(1, Math.floor(1 + ((resources.cpuShares - 2) * 9999) / 262142))),
    );
    set(
      'cpu.max',
      resources.cpuQuota === undefined
        ? undefined
        : `${resources.cpuQuota < 0 ? 'max' : resources.cpuQuota} ${PERIOD_US}`,
    );
    set(
      'memory.max',
      resources.memoryLimitBytes === undefined
        ? undefined
        : resources.memoryLimitBytes < 0
          ? 'max'
          : String(resources.memoryLimitBytes),
    );
    set(
      'pids.max',
      resources.pidsMax === undefined ? undefined : resources.pidsMax < 0 ? 'max' : String(resources.pidsMax),
    );
  }

  remove(path: string): boolean {
    return removeTree(join(this.#mount, path));
  }

  exists(path: string): boolean {
    return existsSync(join(this.#mount, path));
  }

  children(path: string): readonly string[] {
    return childrenOf(join(this.#mount, path));
  }

  usage(path: string) {
    const dir = join(this.#mount, path);
    const memoryBytes = Number(read(join(dir, 'memory.current')) ?? 0);
    const inactive = statValue(read(join(dir, 'memory.stat')), 'inactive_file');
    return {
      memoryBytes,
      workingSetBytes: Math.max(0, memoryBytes - inactive),
      cpuNanos: statValue(read(join(dir, 'cpu.stat')), 'usage_usec') * 1000,
    };
  }

  processes(path: string): number {
    return Number(read(join(this.#mount, path, 'pids.current')) ?? 0);
  }
}

/** For hollow nodes and tests: remembers the groups. */
export class FakeCgroups implements Cgroups {
  readonly version = 2;
  /** Path → what was set. */
  readonly groups = new Map<string, CgroupResources>();

  create(path: string, resources: CgroupResources): void {
    this.groups.set(path, { ...this.groups.get(path), ...resources });
  }

  remove(path: string): boolean {
    for (const known of [...this.groups.keys()])
      if (known === path || known.startsWith(`${path}/`)) this.groups.delete(known);
    return true;
  }

  exists(path: string): boolean {
    return this.groups.has(path);
  }

  children(path: string): readonly string[] {
    return [...this.groups.keys()].filter((k) => dirname(k) === path).map((k) => k.slice(path.length + 1));
  }

  /** Path → what it is said to use: for tests. */
  readonly usages = new Map<string, CgroupUsage>();

  usage(path = ''): CgroupUsage {
    return this.usages.get(path) ?? { memoryBytes: 0, workingSetBytes: 0, cpuNanos: 0 };
  }

  processes(_path: string): number {
    return 0;
  }
}
