// Which programs of other people a node needs, where they are looked for, and which Debian package carries them.
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

export interface Program {
  readonly name: string;
  readonly package: string;
  /** What it is for, as `up` says it. */
  readonly purpose: string;
  /** The part (as `--disable` names it) that is all that misses it: without it, nodes run and that part does not. */
  readonly part?: string;
}

/** In the order in which a person would miss them. */
export const NODE_PROGRAMS: readonly Program[] = [
  { name: 'containerd', package: 'containerd', purpose: 'runs containers' },
  { name: 'containerd-shim-runc-v2', package: 'containerd', purpose: 'holds each pod' },
  { name: 'ctr', package: 'containerd', purpose: 'imports images' },
  { name: 'runc', package: 'runc', purpose: 'starts containers' },
  { name: 'ip', package: 'iproute2', purpose: 'links and routes' },
  { name: 'nft', package: 'nftables', purpose: 'services and policies' },
  { name: 'conntrack', package: 'conntrack', purpose: 'forgets connections of removed endpoints' },
  { name: 'mkfs.ext4', package: 'e2fsprogs', purpose: 'formats volumes' },
  { name: 'losetup', package: 'mount', purpose: 'attaches volumes' },
  { name: 'mount', package: 'mount', purpose: 'mounts volumes' },
  { name: 'unshare', package: 'util-linux', purpose: 'makes nodes' },
  { name: 'nsenter', package: 'util-linux', purpose: 'enters nodes' },
  { name: 'haproxy', package: 'haproxy', purpose: 'serves Ingresses', part: 'ingress' },
];

/** CNI plugins, looked for in the plugin folders. */
export const CNI_PLUGINS: readonly string[] = ['ptp', 'host-local', 'loopback'];
export const CNI_PACKAGE = 'containernetworking-plugins';
const CNI_FOLDERS: readonly string[] = ['usr/lib/cni', 'opt/cni/bin', 'cni', 'bin'];
const SYSTEM_FOLDERS: readonly string[] = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

export interface RuntimePrograms {
  /** Value for PATH under which every program is found. */
  readonly path: string;
  readonly cniBinDirs: readonly string[];
  /** Program → absolute path. */
  readonly found: Readonly<Record<string, string>>;
}

export interface SearchResult {
  readonly programs: RuntimePrograms;
  /** Names of programs and CNI plugins that are nowhere. */
  readonly missing: readonly string[];
  readonly missingPackages: readonly string[];
  /** Programs that only a part of the cluster misses; not in the lists above. */
  readonly missingParts: readonly Program[];
}

/** Looks first in `runtimeDir` (flat or with usr/bin below), then in `privateDir`, then in PATH and the system's folders. */
export function findPrograms(options: { runtimeDir?: string; privateDir: string; path: string }): SearchResult {
  const own =
    options.runtimeDir === undefined
      ? []
      : ['', 'bin', 'sbin', 'usr/bin', 'usr/sbin'].map((d) => join(options.runtimeDir!, d));
  const folders = [
    ...own,
    join(options.privateDir, 'bin'),
    ...options.path.split(':').filter((d) => d !== ''),
    ...SYSTEM_FOLDERS,
  ];
  const path = [...new Set(folders)].filter((d) => existsSync(d));
  const found: Record<string, string> = {};
  const missing: string[] = [];
  const missingPackages = new Set<string>();
  const missingParts: Program[] = [];
  for (const program of NODE_PROGRAMS) {
    const folder = path.find((d) => isExecutable(join(d, program.name)));
    if (folder === undefined && program.part !== undefined) missingParts.push(program);
    else if (folder === undefined) {
      missing.push(program.name);
      missingPackages.add(program.package);
    } else found[program.name] = join(folder, program.name);
  }
  const cniRoots = [
    ...(options.runtimeDir === undefined ? [] : [options.runtimeDir]),
    join(options.privateDir, 'root'),
    '/',
  ];
  const cniDirs = [...cniRoots.flatMap((root) => CNI_FOLDERS.map((d) => join(root, d))), ...own].filter((d) =>
    existsSync(d),
  );
  const cniBinDirs = new Set<string>();
  for (const plugin of CNI_PLUGINS) {
    const folder = cniDirs.find((d) => isExecutable(join(d, plugin)));
    if (folder === undefined) {
      missing.push(`CNI plugin ${plugin}`);
      missingPackages.add(CNI_PACKAGE);
    } else cniBinDirs.add(folder);
  }
  return {
    programs: { path: path.join(':'), cniBinDirs: [...cniBinDirs], found },
    missing,
    missingPackages: [...missingPackages],
    missingParts,
  };
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Absent or not executable: both mean "look further".
    return false;
  }
}
