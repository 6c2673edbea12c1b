// `up`: from a command line to a running cluster, or to the same cluster going on. Every step may be run again; nothing is
// written before everything that can be checked has been checked.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { type Clock, sleep } from '#base/clock.ts';
import { describeError } from '#base/log.ts';
import { cidrsOverlap, formatCIDR, formatIP, ipAt, parseCIDR, parseIP } from '#base/ip.ts';
import type { Client } from '#client/client.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
import type { EvictionOptions } from '#node/eviction/thresholds.ts';
import { isNodeReady } from '#kinds/core/node.ts';
import type { Node } from '#generated/api/core-v1.ts';
import { nodes as nodeResource } from '#generated/resources.ts';
import { type Run, startedAtMs } from '#host/process.ts';
import { installDebianPackages, isDebian } from '#install/debian.ts';
import { findPrograms, type Program, type RuntimePrograms, type SearchResult } from '#install/programs.ts';
import {
  checkLoadBalancerRange,
  machineAddress,
  machineRanges,
  MAX_NODES,
  nodeAddress,
  pickNodeNetwork,
  refuseCollisions,
  switchAddress,
} from './addresses.ts';
import { readIndex } from './clusters.ts';
import {
  type ClusterConfig,
  type IPv6Config,
  DATA_FORMAT,
  type NodeConfig,
  readConfig,
  writeConfig,
} from './config.ts';
import { type Families, makeIPv6Config, maxNodesIPv6, refuseTakenNetwork, tryIPv6 } from './ipv6.ts';
import { callControl, MAX_SOCKET_PATH } from './control.ts';
import { MissingError, UsageError, UserError } from './errors.ts';
import { examineHost, tryNetworkFeatures, tryTunnel } from './host-check.ts';
import { agentPart, HOLLOW_AGENTS } from './local-node.ts';
import { ensurePart, failures, livePart } from './parts.ts';
import { partCommand } from './part-program.ts';
import { clusterPaths, type ClusterPaths, indexFile, runtimeProgramsDir, userNamespacesDir } from './paths.ts';
import { isNetnsFolderThere, isSwitchThere, machineLink, readIpForward } from './switch.ts';

export interface UpOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly home: string;
  /** Undefined: what the cluster has, or the default. */
  readonly nodes?: number;
  readonly port?: number;
  readonly bindAddresses?: readonly string[];
  readonly podNetwork?: PodNetworkMode;
  readonly podCIDR?: string;
  readonly serviceCIDR?: string;
  readonly families?: Families;
  /** Of the second family. */
  readonly ipv6PodCIDR?: string;
  readonly ipv6ServiceCIDR?: string;
  readonly runtimeDir?: string;
  readonly cniConfDir?: string;
  readonly allowedUnsafeSysctls?: readonly string[];
  readonly seccompDefault?: boolean;
  readonly eviction?: EvictionOptions;
  readonly loadBalancerRange?: string;
  readonly zones?: readonly string[];
  readonly nodeCpus?: number;
  readonly nodeMemory?: number;
  readonly publish?: readonly { readonly hostPort: number; readonly nodePort: number }[];
  readonly disabled?: readonly string[];
  readonly hollow: boolean;
  readonly requireContainers: boolean;
  readonly install: boolean;
  readonly timeoutMs: number;
}

export interface UpDeps {
  readonly run: Run;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly self: readonly string[];
  readonly path: string;
  readonly platform: string;
  readonly uid: number;
}

export interface Prepared {
  readonly config: ClusterConfig;
  readonly paths: ClusterPaths;
  readonly programs: RuntimePrograms;
  /** Whether this call made the cluster. */
  readonly isNew: boolean;
}

const DEFAULTS = { nodes: 3, port: 6443, podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12' } as const;
/** Bytes a new cluster wants free: images, snapshots and the store. */
const SPACE_WANTED = 1 << 30;
/** Without containers: the store, logs and keys. */
const HOLLOW_SPACE_WANTED = 64 << 20;
const NODE_PREFIX = 24;

/** Checks, installs and writes the configuration; starts nothing. */
export async function prepare(options: UpOptions, deps: UpDeps): Promise<Prepared> {
  const paths = clusterPaths(resolve(options.dataDir));
  const socket = join(paths.run, 'control.sock');
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH)
    throw new UsageError(
      `the data directory ${paths.data} is too deep: unix sockets allow ${MAX_SOCKET_PATH} bytes, ${socket} needs ${Buffer.byteLength(socket)}; give a shorter --data-dir`,
    );
  const existing = readConfig(paths.config);
  if (existing !== undefined && existing.name !== options.name)
    throw new UsageError(
      `${paths.data} holds the cluster ${existing.name}; use --name ${existing.name}, or give another --data-dir`,
    );
  if (existing === undefined) refuseForeignFolder(paths.data);
  refuseForeignTunnel({
    podNetwork: options.podNetwork ?? existing?.podNetwork,
    cniConfDir: options.cniConfDir ?? existing?.cniConfDir,
  });
  const { hollow, programs } = await decideNodes(options, existing, paths, deps);
  const config =
    existing === undefined
      ? await newConfig(options, hollow, deps)
      : await changedConfig(existing, options, paths, deps);
  if (existing === undefined) refuseFullDisk(paths.data, hollow ? HOLLOW_SPACE_WANTED : SPACE_WANTED);
  if (livePart(paths, 'server') === undefined) {
    for (const address of addressesToTry(config)) await refuseTakenPort(address, config.apiPort, '--port');
    for (const { hostPort } of config.hollow ? [] : config.publish)
      await refuseTakenPort('127.0.0.1', hostPort, '--publish');
  }
  mkdirSync(paths.data, { recursive: true, mode: 0o700 });
  if (JSON.stringify(existing) !== JSON.stringify(config)) writeConfig(paths.config, config);
  return { config, paths, programs, isNew: existing === undefined };
}

/** Real nodes where they are possible; hollow ones where they were asked for, or nothing else is possible. */
async function decideNodes(
  options: UpOptions,
  existing: ClusterConfig | undefined,
  paths: ClusterPaths,
  deps: UpDeps,
): Promise<{ hollow: boolean; programs: RuntimePrograms }> {
  const withoutNodes: RuntimePrograms = { path: deps.path, cniBinDirs: [], found: {} };
  if (existing?.hollow === true) {
    if (options.requireContainers)
      throw new UsageError(`cluster ${existing.name} has hollow nodes; make one with containers under another --name`);
    if (options.podNetwork === 'vxlan')
      throw new UsageError(
        `cluster ${existing.name} has hollow nodes without a kernel network; leave out --pod-network`,
      );
    return { hollow: true, programs: withoutNodes };
  }
  if (existing !== undefined && options.hollow)
    throw new UsageError(`cluster ${existing.name} has real nodes; --hollow is for new clusters. Use another --name`);
  if (options.hollow && options.requireContainers)
    throw new UsageError('--hollow and --require-containers contradict each other');
  if (options.hollow && options.families?.[1] === 'ipv6')
    throw new UsageError(
      '--ip-families ipv4,ipv6 needs a kernel network, which hollow nodes have not; leave one of the two out',
    );
  if (options.hollow && options.podNetwork === 'vxlan')
    throw new UsageError(
      '--pod-network vxlan needs a kernel network, which hollow nodes have not; leave one of the two out',
    );
  if (options.hollow) return { hollow: true, programs: withoutNodes };
  if (livePart(paths, 'supervisor') !== undefined)
    return { hollow: false, programs: await bringPrograms(options, existing, deps) };

  const host = await examineHost(deps.run, deps.platform, deps.uid);
  let lacks = host.lacks;
  let programs = withoutNodes;
  if (lacks.length === 0) {
    programs = await bringPrograms(options, existing, deps);
    process.env['PATH'] = programs.path;
    lacks = await tryNetworkFeatures(deps.run);
    const noTunnel = (options.podNetwork ?? existing?.podNetwork) === 'vxlan' ? await tryTunnel(deps.run) : [];
    const wantsIPv6 = options.families?.[1] === 'ipv6' || existing?.ipv6 !== undefined;
    const noIPv6 = wantsIPv6 ? await tryIPv6(deps.run) : [];
    if (lacks.length === 0 && noIPv6.length > 0)
      throw new MissingError(
        `--ip-families ipv4,ipv6 is not possible here: ${noIPv6.join('; ')}. Use --ip-families ipv4`,
      );
    if (lacks.length === 0 && noTunnel.length > 0)
      throw new MissingError(
        `--pod-network vxlan is not possible here: ${noTunnel.join('; ')}. Use --pod-network routes`,
      );
  }
  if (lacks.length === 0) return { hollow: false, programs };
  const why = lacks.join('; ');
  if (existing !== undefined)
    throw new MissingError(`cluster ${existing.name} has real nodes, which are not possible now: ${why}`);
  if (options.requireContainers) throw new MissingError(`real nodes are not possible here: ${why}`);
  deps.say(`real containers are not possible here: ${why}`);
  deps.say('starting hollow nodes instead: everything is real but the containers and the kernel network');
  return { hollow: true, programs: withoutNodes };
}

async function bringPrograms(
  options: UpOptions,
  existing: ClusterConfig | undefined,
  deps: UpDeps,
): Promise<RuntimePrograms> {
  const privateDir = runtimeProgramsDir(options.home);
  const runtimeDir = options.runtimeDir ?? existing?.runtimeDir;
  const search = () =>
    findPrograms({ ...(runtimeDir === undefined ? {} : { runtimeDir }), privateDir, path: deps.path });
  const first = search();
  const disabled = options.disabled ?? existing?.disabled ?? [];
  const forParts = first.missingParts.filter((p) => !disabled.includes(p.part!));
  if (first.missing.length === 0) return bringForParts(forParts, first.programs, search, options, deps);
  if (!options.install)
    throw new MissingError(
      `missing: ${first.missing.join(', ')}. Install ${first.missingPackages.join(', ')}, give --runtime-dir, or leave out --no-install`,
    );
  if (!isDebian())
    throw new MissingError(
      `missing: ${first.missing.join(', ')}. This is not a Debian-like system: install them with its package tool, or give --runtime-dir`,
    );
  deps.say(`bringing ${first.missingPackages.join(', ')} into ${privateDir} (the system's packages stay as they are)`);
  mkdirSync(privateDir, { recursive: true });
  const packages = [...new Set([...first.missingPackages, ...forParts.map((p) => p.package)])];
  await installDebianPackages(packages, { run: deps.run, dir: privateDir, say: deps.say });
  const second = search();
  if (second.missing.length > 0) throw new MissingError(`still missing after download: ${second.missing.join(', ')}`);
  return second.programs;
}

/** Programs that a part of the cluster can be without: when they do not come, that is said, and the cluster starts. */
async function bringForParts(
  missing: readonly Program[],
  programs: RuntimePrograms,
  search: () => SearchResult,
  options: UpOptions,
  deps: UpDeps,
): Promise<RuntimePrograms> {
  if (missing.length === 0) return programs;
  const packages = [...new Set(missing.map((p) => p.package))];
  const dir = runtimeProgramsDir(options.home);
  let why = '--no-install';
  if (options.install && isDebian()) {
    deps.say(`bringing ${packages.join(', ')} into ${dir} (the system's packages stay as they are)`);
    mkdirSync(dir, { recursive: true });
    try {
      await installDebianPackages(packages, { run: deps.run, dir, say: deps.say });
      return search().programs;
    } catch (error) {
      why = describeError(error);
    }
  } else if (options.install) why = 'not a Debian-like system';
  for (const { name, part, purpose } of missing)
    deps.say(`without ${name}, which ${purpose}, ${part} does not work (${why})`);
  return programs;
}

async function newConfig(options: UpOptions, hollow: boolean, deps: UpDeps): Promise<ClusterConfig> {
  const podCIDR = options.podCIDR ?? DEFAULTS.podCIDR;
  const serviceCIDR = options.serviceCIDR ?? DEFAULTS.serviceCIDR;
  const count = options.nodes ?? DEFAULTS.nodes;
  const pod = parseCIDR(podCIDR)!;
  const service = parseCIDR(serviceCIDR)!;
  if (pod.prefix > NODE_PREFIX)
    throw new UsageError(`--pod-cidr ${podCIDR} is too small: every node takes a /${NODE_PREFIX} of it`);
  if (service.prefix > 24) throw new UsageError(`--service-cidr ${serviceCIDR} is too small: give at least a /24`);
  const id = createHash('sha256').update(resolve(options.dataDir)).digest('hex').slice(0, 8);
  const ipv6 = newIPv6(options, id, hollow);
  checkNodeCount(count, pod.prefix, ipv6);
  const taken = hollow ? [] : await machineRanges(deps.run, ipv6 === undefined ? [4] : [4, 6]);
  const others = otherConfigs(options);
  refuseCollisions(rangesOf({ podCIDR, serviceCIDR, ...(ipv6 === undefined ? {} : { ipv6 }) }), taken);
  if (ipv6 !== undefined) refuseTakenNetwork(ipv6, taken);
  const network = pickNodeNetwork(taken, [pod, service, ...others.map((c) => parseCIDR(c.nodeCIDR)!)]);
  const machineIP = hollow ? '127.0.0.1' : machineAddress(network);
  return {
    format: DATA_FORMAT,
    name: options.name,
    id,
    apiPort: options.port ?? DEFAULTS.port,
    bindAddresses: bindAddresses(options.bindAddresses ?? [], machineIP),
    podCIDR,
    podNetwork: options.podNetwork ?? 'routes',
    serviceCIDR,
    ...(ipv6 === undefined ? {} : { ipv6 }),
    clusterDNS: formatIP(ipAt(service, 10)),
    clusterDomain: 'cluster.local',
    nodeCIDR: formatCIDR(network),
    machineIP,
    switchIP: switchAddress(network),
    hollow,
    disabled: options.disabled ?? [],
    nodes: Array.from({ length: count }, (_, i) => makeNode(network, i + 1)),
    publish: options.publish ?? [],
    ...(options.runtimeDir === undefined ? {} : { runtimeDir: resolve(options.runtimeDir) }),
    userNamespacesDir: userNamespacesDir(options.home),
    ...(options.cniConfDir === undefined ? {} : { cniConfDir: resolve(options.cniConfDir) }),
    ...(options.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: options.allowedUnsafeSysctls }),
    ...(options.seccompDefault === true ? { seccompDefault: true } : {}),
    ...(options.eviction === undefined ? {} : { eviction: options.eviction }),
    ...(options.loadBalancerRange === undefined
      ? {}
      : { loadBalancerRange: checkLoadBalancerRange(options.loadBalancerRange, network) }),
    ...(options.zones === undefined ? {} : { zones: options.zones }),
    ...(options.nodeCpus === undefined ? {} : { nodeCpus: options.nodeCpus }),
    ...(options.nodeMemory === undefined ? {} : { nodeMemory: options.nodeMemory }),
    ...(hollow ? {} : machineBefore(others)),
  };
}

/** Only where it is asked for: a range behind a comma without that is a mistake. */
function newIPv6(options: UpOptions, id: string, hollow: boolean): IPv6Config | undefined {
  const given = [
    ['--pod-cidr', options.ipv6PodCIDR],
    ['--service-cidr', options.ipv6ServiceCIDR],
  ] as const;
  const range = given.find(([, text]) => text !== undefined);
  if (options.families?.[1] !== 'ipv6') {
    if (range !== undefined)
      throw new UsageError(`${range[0]} gives the IPv6 range ${range[1]}, which wants --ip-families ipv4,ipv6`);
    return undefined;
  }
  if (hollow) return undefined;
  return makeIPv6Config(id, { podCIDR: options.ipv6PodCIDR, serviceCIDR: options.ipv6ServiceCIDR });
}

/** The cluster's ranges and the options that give them. */
const rangesOf = (config: Pick<ClusterConfig, 'podCIDR' | 'serviceCIDR' | 'ipv6'>) =>
  [
    { option: '--pod-cidr', text: config.podCIDR },
    { option: '--service-cidr', text: config.serviceCIDR },
    { option: '--pod-cidr', text: config.ipv6?.podCIDR },
    { option: '--service-cidr', text: config.ipv6?.serviceCIDR },
  ].flatMap(({ option, text }) => (text === undefined ? [] : [{ option, text }]));

/** Loopback and the switch always: this machine's commands and the nodes use them. */
function bindAddresses(asked: readonly string[], machineIP: string): readonly string[] {
  for (const address of asked)
    if (parseIP(address) === undefined) throw new UsageError(`--bind-address wants an IP address, not "${address}"`);
  const wildcard = asked.find((a) => a === '0.0.0.0' || a === '::');
  return wildcard !== undefined ? [wildcard] : [...new Set(['127.0.0.1', machineIP, ...asked])];
}

/** Configurations of the other clusters on this machine. */
function otherConfigs(options: UpOptions): readonly ClusterConfig[] {
  return readIndex(indexFile(options.home))
    .filter((c) => c.name !== options.name)
    .flatMap((c) => readConfig(clusterPaths(c.dataDir).config) ?? []);
}

/** What `down` puts back. A cluster that runs already has changed it: then what that one found counts. */
function machineBefore(others: readonly ClusterConfig[]): Pick<ClusterConfig, 'ipForwardBefore' | 'netnsFolderBefore'> {
  const running = others.find((c) => !c.hollow && isSwitchThere(c));
  if (running?.ipForwardBefore !== undefined)
    return { ipForwardBefore: running.ipForwardBefore, netnsFolderBefore: running.netnsFolderBefore ?? true };
  return { ipForwardBefore: readIpForward(), netnsFolderBefore: isNetnsFolderThere() };
}

const makeNode = (network: ReturnType<typeof pickNodeNetwork>, number: number): NodeConfig => ({
  name: `node-${number}`,
  ip: nodeAddress(network, number),
  power: 'on',
});

function checkNodeCount(count: number, podPrefix: number, ipv6: IPv6Config | undefined): void {
  const most = Math.min(MAX_NODES, 2 ** (NODE_PREFIX - podPrefix), ipv6 === undefined ? MAX_NODES : maxNodesIPv6(ipv6));
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new UsageError(`--nodes wants a number from 1 to ${most}`);
}

/** What may change: nodes are added at any time, most of the rest while the cluster is down, ranges never. */
async function changedConfig(
  existing: ClusterConfig,
  options: UpOptions,
  paths: ClusterPaths,
  deps: UpDeps,
): Promise<ClusterConfig> {
  const asked: Partial<ClusterConfig> = {
    ...(options.port === undefined ? {} : { apiPort: options.port }),
    ...(options.bindAddresses === undefined
      ? {}
      : { bindAddresses: bindAddresses(options.bindAddresses, existing.machineIP) }),
    ...(options.disabled === undefined ? {} : { disabled: options.disabled }),
    ...(options.publish === undefined ? {} : { publish: options.publish }),
    ...(options.runtimeDir === undefined ? {} : { runtimeDir: resolve(options.runtimeDir) }),
    ...(options.cniConfDir === undefined ? {} : { cniConfDir: resolve(options.cniConfDir) }),
    ...(options.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: options.allowedUnsafeSysctls }),
    ...(options.seccompDefault === true ? { seccompDefault: true } : {}),
    ...(options.eviction === undefined ? {} : { eviction: options.eviction }),
    ...(options.nodeCpus === undefined ? {} : { nodeCpus: options.nodeCpus }),
    ...(options.nodeMemory === undefined ? {} : { nodeMemory: options.nodeMemory }),
    // Nodes and pods are made anew by the next start, with links and sizes of that mode.
    ...(options.podNetwork === undefined || options.podNetwork === (existing.podNetwork ?? 'routes')
      ? {}
      : { podNetwork: options.podNetwork }),
  };
  const fixed = (
    [
      ['--pod-cidr', options.podCIDR, existing.podCIDR],
      ['--service-cidr', options.serviceCIDR, existing.serviceCIDR],
      ['--ip-families', options.families?.join(','), existing.ipv6 === undefined ? 'ipv4' : 'ipv4,ipv6'],
      ['--pod-cidr', options.ipv6PodCIDR, existing.ipv6?.podCIDR ?? 'without an IPv6 range'],
      ['--service-cidr', options.ipv6ServiceCIDR, existing.ipv6?.serviceCIDR ?? 'without an IPv6 range'],
    ] as const
  ).find(([, wanted, has]) => wanted !== undefined && wanted !== has);
  if (fixed !== undefined)
    throw new UsageError(
      `cluster ${existing.name} was made with ${fixed[0]} ${fixed[2]}; that cannot be changed. Leave it out, or make another cluster with --name`,
    );
  const isRunning = ['supervisor', 'server'].some((part) => livePart(paths, part) !== undefined);
  const changed = (Object.keys(asked) as (keyof ClusterConfig)[]).find(
    (key) => JSON.stringify(asked[key]) !== JSON.stringify(existing[key]),
  );
  if (isRunning && changed !== undefined) {
    throw new UsageError(
      `cluster ${existing.name} runs with ${OPTION_OF[changed] ?? changed} ${said(existing[changed] ?? UNSAID[changed])}; to change it, run first: coracle down --name ${existing.name}`,
    );
  }
  if (!existing.hollow && livePart(paths, 'supervisor') === undefined) {
    const taken = await machineRanges(deps.run, existing.ipv6 === undefined ? [4] : [4, 6]);
    refuseCollisions(rangesOf(existing), taken);
    const network = parseCIDR(existing.nodeCIDR)!;
    const hit = taken.find((t) => t.device !== machineLink(existing) && cidrsOverlap(t.cidr, network));
    if (hit !== undefined)
      throw new UsageError(
        `the node network ${existing.nodeCIDR} of cluster ${existing.name} collides with ${formatCIDR(hit.cidr)}, which this machine now routes through ${hit.device}; take that route away, then run: coracle up`,
      );
  }
  const wanted = options.nodes ?? existing.nodes.length;
  if (wanted < existing.nodes.length) {
    throw new UsageError(
      `cluster ${existing.name} has ${existing.nodes.length} nodes; taking nodes away would lose what runs on them. Use: coracle node stop ${existing.nodes.at(-1)!.name}`,
    );
  }
  checkNodeCount(wanted, parseCIDR(existing.podCIDR)!.prefix, existing.ipv6);
  const network = parseCIDR(existing.nodeCIDR)!;
  // A machine that died is started again; one that was switched off stays off.
  const nodes = existing.nodes.map((n): NodeConfig => (n.power === 'dead' ? { ...n, power: 'on' } : n));
  const added = Array.from({ length: wanted - existing.nodes.length }, (_, i) =>
    makeNode(network, existing.nodes.length + i + 1),
  );
  const before = existing.hollow || isSwitchThere(existing) ? {} : machineBefore(otherConfigs(options));
  return { ...existing, ...asked, ...before, nodes: [...nodes, ...added] };
}

const OPTION_OF: Partial<Record<keyof ClusterConfig, string>> = {
  apiPort: '--port',
  bindAddresses: '--bind-address',
  disabled: '--disable',
  publish: '--publish',
  podNetwork: '--pod-network',
  runtimeDir: '--runtime-dir',
  cniConfDir: '--cni-conf-dir',
  allowedUnsafeSysctls: '--allowed-unsafe-sysctls',
  seccompDefault: '--seccomp-default',
  eviction: '--eviction-hard',
  loadBalancerRange: '--load-balancer-range',
  zones: '--zones',
  nodeCpus: '--node-cpus',
  nodeMemory: '--node-memory',
};

/** What a configuration that does not say it means. */
const UNSAID: Partial<ClusterConfig> = { podNetwork: 'routes' };

/** A tunnel belongs to the built-in pod network. */
function refuseForeignTunnel(config: {
  readonly podNetwork: PodNetworkMode | undefined;
  readonly cniConfDir: string | undefined;
}): void {
  if (config.podNetwork === 'vxlan' && config.cniConfDir !== undefined)
    throw new UsageError('--pod-network vxlan is for the built-in pod network; leave it out, or --cni-conf-dir');
}

function said(value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '(none)';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A new cluster takes an empty folder: `down --delete` removes all that is in it. */
function refuseForeignFolder(data: string): void {
  const there = existsSync(data) ? readdirSync(data).filter((f) => f !== 'lost+found') : [];
  if (there.includes('store'))
    throw new UsageError(
      `${data} holds a store but no cluster.json; nothing was changed. Restore cluster.json, or give another --data-dir`,
    );
  if (there.length > 0)
    throw new UsageError(
      `${data} is not empty and holds no cluster; nothing was changed. Give an empty or a new --data-dir`,
    );
}

/** The switch's address is not there before the switch is. */
const addressesToTry = (config: ClusterConfig): readonly string[] =>
  config.bindAddresses.filter((a) => a !== config.machineIP || config.hollow);

async function refuseTakenPort(address: string, port: number, option: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(
          new UserError(`port ${port} on ${address} is in use by another program; give another one with ${option}`),
        );
      else if (error.code === 'EACCES')
        reject(new UserError(`port ${port} needs privileges; give a ${option} above 1023`));
      else if (error.code === 'EADDRNOTAVAIL')
        reject(new UsageError(`--bind-address ${address} is not an address of this machine`));
      else reject(error);
    });
    probe.listen(port, address, () => probe.close(() => resolve()));
  });
}

/** Looks where the folder will be. */
function refuseFullDisk(data: string, wanted: number): void {
  let place = data;
  while (!existsSync(place)) place = dirname(place);
  const free = statfsSync(place);
  if (free.bavail * free.bsize >= wanted) return;
  throw new UserError(
    `no space left: only ${Math.round((free.bavail * free.bsize) / 2 ** 20)} MiB are free where ${data} is; a cluster wants at least ${wanted / 2 ** 20} MiB. Make room or give another --data-dir`,
  );
}

/** Starts the supervisor in the background, or tells the running one that the configuration changed. */
export async function ensureSupervisor({ config, paths, programs }: Prepared, deps: UpDeps): Promise<void> {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  if (livePart(paths, 'supervisor') !== undefined) {
    await callControl(join(paths.run, 'control.sock'), 'reload');
    return;
  }
  const { command, args, env } = partCommand(deps.self, 'supervisor', paths);
  ensurePart(paths, 'supervisor', command, args, {
    env: { ...env, PATH: programs.path, CORACLE_CLUSTER: config.name },
  });
}

/** A part that failed this often in a row will not come by waiting. */
const TRIES = 2;

/** A part that `up` started cannot run. */
export class StartError extends UserError {}

/** Throws with the sentence of a part that cannot start, or when the supervisor has ended. */
function refuseFailures(paths: ClusterPaths): void {
  const failure = failures(paths).find((f) => f.times >= TRIES || f.part === 'supervisor');
  if (failure !== undefined) throw new StartError(`${failure.part} does not start: ${failure.message}`);
  if (livePart(paths, 'supervisor') === undefined)
    throw new StartError(`the supervisor ended; see ${paths.log('supervisor')}`);
}

/** Waits for the API server; says why when it cannot come. */
export async function waitForApi(client: Client, paths: ClusterPaths, clock: Clock, timeoutMs: number): Promise<void> {
  const end = clock.monotonic() + timeoutMs;
  for (;;) {
    const ready = await client.raw('GET', '/readyz').then(
      (r) => r.status === 200,
      () => false,
    );
    if (ready) return;
    refuseFailures(paths);
    if (clock.monotonic() > end)
      throw new UserError(
        `the API server is not ready after ${Math.round(timeoutMs / 1000)} s; see ${paths.log('server')}`,
      );
    await sleep(clock, 20);
  }
}

/** Waits until every node that is on reports Ready. */
export async function waitForNodes(
  client: Client,
  config: ClusterConfig,
  paths: ClusterPaths,
  clock: Clock,
  timeoutMs: number,
  say: (line: string) => void,
): Promise<void> {
  const end = clock.monotonic() + timeoutMs;
  const wanted = config.nodes.filter((n) => n.power === 'on').map((n) => n.name);
  const seen = new Set<string>();
  for (;;) {
    const list = await client
      .resource(nodeResource)
      .list()
      .catch(() => undefined);
    for (const node of list?.items ?? []) {
      const name = node.metadata.name!;
      // A node whose agent has died, or has just started again, is still called Ready for a while: what it said since counts.
      const agent = livePart(paths, config.hollow ? HOLLOW_AGENTS : agentPart(name));
      const isNews = agent !== undefined && heardAtMs(node) >= wholeSecond(startedAtMs(agent, clock.now()));
      if (wanted.includes(name) && !seen.has(name) && isNews && isReady(node)) {
        seen.add(name);
        say(`${name} is Ready`);
      }
    }
    const waiting = wanted.filter((n) => !seen.has(n));
    if (waiting.length === 0) return;
    refuseFailures(paths);
    if (clock.monotonic() > end)
      throw new UserError(
        `not Ready after ${Math.round(timeoutMs / 1000)} s: ${waiting.join(', ')}; see ${paths.log(config.hollow ? HOLLOW_AGENTS : agentPart(waiting[0]!))}`,
      );
    await sleep(clock, 50);
  }
}

/** When the node's agent last reported; the API keeps whole seconds. */
const heardAtMs = (node: Node): number =>
  Date.parse(node.status?.conditions?.find((c) => c.type === 'Ready')?.lastHeartbeatTime ?? '') || 0;
const wholeSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** Ready, and open for pods: after a pause the taints of the old state go a moment later. */
function isReady(node: Node): boolean {
  const isTainted = (node.spec?.taints ?? []).some(
    (t) => t.key.startsWith('node.kubernetes.io/') && t.key !== 'node.kubernetes.io/unschedulable',
  );
  return isNodeReady(node) && !isTainted;
}
