// `up`: from a command line to a running cluster, or to the same cluster going on. Every step may be run again; nothing is
// written before everything that can be checked has been checked.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { type Clock, sleep } from '#base/clock.ts';
import { formatCIDR, formatIP, ipAt, parseCIDR } from '#base/ip.ts';
import type { Client } from '#client/client.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import { nodes as nodeResource } from '#generated/resources.ts';
import type { Run } from '#host/process.ts';
import { installDebianPackages, isDebian } from '#install/debian.ts';
import { findPrograms, type RuntimePrograms } from '#install/programs.ts';
import { MAX_NODES, machineAddress, machineRanges, nodeAddress, pickNodeNetwork, refuseCollisions, switchAddress } from './addresses.ts';
import { type ClusterConfig, DATA_FORMAT, type NodeConfig, readConfig, writeConfig } from './config.ts';
import { callControl, MAX_SOCKET_PATH } from './control.ts';
import { MissingError, UsageError, UserError } from './errors.ts';
import { examineHost, tryNetworkFeatures } from './host-check.ts';
import { clusterPaths, type ClusterPaths, runtimeProgramsDir } from './paths.ts';
import { ensurePart, livePart } from './parts.ts';
import { readIpForward } from './switch.ts';

export interface UpOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly home: string;
  /** Undefined: what the cluster has, or the default. */
  readonly nodes?: number;
  readonly port?: number;
  readonly bindAddresses?: readonly string[];
  readonly podCIDR?: string;
  readonly serviceCIDR?: string;
  readonly runtimeDir?: string;
  readonly cniConfDir?: string;
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
const NODE_PREFIX = 24;

/** Checks, installs and writes the configuration; starts nothing. */
export async function prepare(options: UpOptions, deps: UpDeps): Promise<Prepared> {
  const paths = clusterPaths(resolve(options.dataDir));
  const socket = join(paths.run, 'control.sock');
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) throw new UsageError(`the data directory ${paths.data} is too deep: unix sockets allow ${MAX_SOCKET_PATH} bytes, ${socket} needs ${Buffer.byteLength(socket)}; give a shorter --data-dir`);
  const existing = readConfig(paths.config);
  const hollow = await decideHollow(options, existing, deps);
  const programs = hollow ? { path: deps.path, cniBinDirs: [], found: {} } : await bringPrograms(options, existing, deps);
  if (!hollow && livePart(paths, 'supervisor') === undefined) {
    process.env['PATH'] = programs.path;
    const lacks = await tryNetworkFeatures(deps.run);
    if (lacks.length > 0) throw new MissingError(`${lacks.join('; ')}: load the modules, or use --hollow for nodes without containers`);
  }
  const config = existing === undefined ? await newConfig(options, hollow, deps) : await changedConfig(existing, options, paths, deps);
  if (existing === undefined) {
    refuseForeignFolder(paths.data);
    mkdirSync(paths.data, { recursive: true, mode: 0o700 });
    const free = statfsSync(paths.data);
    if (free.bavail * free.bsize < SPACE_WANTED) throw new UserError(`only ${Math.round((free.bavail * free.bsize) / 2 ** 20)} MiB are free where ${paths.data} is; a cluster wants at least ${SPACE_WANTED / 2 ** 20} MiB. Make room or give another --data-dir`);
  }
  if (livePart(paths, 'server') === undefined) await refuseTakenPort(config);
  if (JSON.stringify(existing) !== JSON.stringify(config)) writeConfig(paths.config, config);
  return { config, paths, programs, isNew: existing === undefined };
}

async function decideHollow(options: UpOptions, existing: ClusterConfig | undefined, deps: UpDeps): Promise<boolean> {
  if (existing !== undefined) {
    if (options.hollow && !existing.hollow) throw new UsageError(`cluster ${existing.name} has real nodes; --hollow is for new clusters. Use another --name`);
    if (!existing.hollow && deps.uid !== 0) throw new MissingError(`cluster ${existing.name} has real nodes and needs root; run this as root`);
    return existing.hollow;
  }
  if (options.hollow) return true;
  const host = await examineHost(deps.run, deps.platform, deps.uid);
  if (host.lacks.length === 0) return false;
  if (options.requireContainers) throw new MissingError(`real nodes are not possible here: ${host.lacks.join('; ')}`);
  deps.say(`real containers are not possible here: ${host.lacks.join('; ')}`);
  deps.say('starting hollow nodes instead: everything is real but the containers and the kernel network');
  return true;
}

async function bringPrograms(options: UpOptions, existing: ClusterConfig | undefined, deps: UpDeps): Promise<RuntimePrograms> {
  const privateDir = runtimeProgramsDir(options.home);
  const runtimeDir = options.runtimeDir ?? existing?.runtimeDir;
  const search = () => findPrograms({ ...(runtimeDir === undefined ? {} : { runtimeDir }), privateDir, path: deps.path });
  const first = search();
  if (first.missing.length === 0) return first.programs;
  if (!options.install) throw new MissingError(`missing: ${first.missing.join(', ')}. Install ${first.missingPackages.join(', ')}, give --runtime-dir, or leave out --no-install`);
  if (!isDebian()) throw new MissingError(`missing: ${first.missing.join(', ')}. This is not a Debian-like system: install them with its package tool, or give --runtime-dir`);
  deps.say(`bringing ${first.missingPackages.join(', ')} into ${privateDir} (the system's packages stay as they are)`);
  mkdirSync(privateDir, { recursive: true });
  await installDebianPackages(first.missingPackages, { run: deps.run, dir: privateDir, say: deps.say });
  const second = search();
  if (second.missing.length > 0) throw new MissingError(`still missing after download: ${second.missing.join(', ')}`);
  return second.programs;
}

async function newConfig(options: UpOptions, hollow: boolean, deps: UpDeps): Promise<ClusterConfig> {
  const podCIDR = options.podCIDR ?? DEFAULTS.podCIDR;
  const serviceCIDR = options.serviceCIDR ?? DEFAULTS.serviceCIDR;
  const count = options.nodes ?? DEFAULTS.nodes;
  const pod = parseCIDR(podCIDR)!;
  const service = parseCIDR(serviceCIDR)!;
  if (pod.prefix > NODE_PREFIX) throw new UsageError(`--pod-cidr ${podCIDR} is too small: every node takes a /${NODE_PREFIX} of it`);
  if (service.prefix > 24) throw new UsageError(`--service-cidr ${serviceCIDR} is too small: give at least a /24`);
  checkNodeCount(count, pod.prefix);
  const taken = hollow ? [] : await machineRanges(deps.run);
  refuseCollisions([{ option: '--pod-cidr', text: podCIDR }, { option: '--service-cidr', text: serviceCIDR }], taken);
  const network = pickNodeNetwork(taken, [pod, service]);
  const machineIP = hollow ? '127.0.0.1' : machineAddress(network);
  return {
    format: DATA_FORMAT,
    name: options.name,
    id: createHash('sha256').update(resolve(options.dataDir)).digest('hex').slice(0, 8),
    apiPort: options.port ?? DEFAULTS.port,
    bindAddresses: options.bindAddresses ?? (hollow ? ['127.0.0.1'] : ['127.0.0.1', machineIP]),
    podCIDR,
    serviceCIDR,
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
    ...(options.cniConfDir === undefined ? {} : { cniConfDir: resolve(options.cniConfDir) }),
    ...(options.nodeCpus === undefined ? {} : { nodeCpus: options.nodeCpus }),
    ...(options.nodeMemory === undefined ? {} : { nodeMemory: options.nodeMemory }),
    ...(hollow ? {} : { ipForwardBefore: readIpForward() }),
  };
}

const makeNode = (network: ReturnType<typeof pickNodeNetwork>, number: number): NodeConfig => ({ name: `node-${number}`, ip: nodeAddress(network, number), power: 'on' });

function checkNodeCount(count: number, podPrefix: number): void {
  const most = Math.min(MAX_NODES, 2 ** (NODE_PREFIX - podPrefix));
  if (!Number.isInteger(count) || count < 1 || count > most) throw new UsageError(`--nodes wants a number from 1 to ${most}`);
}

/** What may change on a living cluster: more nodes. Everything else is said clearly and refused. */
async function changedConfig(existing: ClusterConfig, options: UpOptions, paths: ClusterPaths, deps: UpDeps): Promise<ClusterConfig> {
  const fixed: readonly [string, unknown, unknown][] = [
    ['--port', options.port, existing.apiPort],
    ['--pod-cidr', options.podCIDR, existing.podCIDR],
    ['--service-cidr', options.serviceCIDR, existing.serviceCIDR],
    ['--disable', options.disabled?.join(','), existing.disabled.join(',')],
    ['--publish', options.publish === undefined ? undefined : JSON.stringify(options.publish), JSON.stringify(existing.publish)],
    ['--runtime-dir', options.runtimeDir === undefined ? undefined : resolve(options.runtimeDir), existing.runtimeDir],
    ['--cni-conf-dir', options.cniConfDir === undefined ? undefined : resolve(options.cniConfDir), existing.cniConfDir],
    ['--node-cpus', options.nodeCpus, existing.nodeCpus],
    ['--node-memory', options.nodeMemory, existing.nodeMemory],
  ];
  const changed = fixed.find(([, wanted, has]) => wanted !== undefined && wanted !== has);
  if (changed !== undefined) {
    throw new UsageError(`cluster ${existing.name} was made with ${changed[0]} ${String(changed[2] ?? '(default)')}; that cannot be changed. Leave it out, or make another cluster with --name`);
  }
  if (!existing.hollow && livePart(paths, 'supervisor') === undefined) {
    const taken = await machineRanges(deps.run);
    refuseCollisions([{ option: '--pod-cidr', text: existing.podCIDR }, { option: '--service-cidr', text: existing.serviceCIDR }, { option: 'the node network', text: existing.nodeCIDR }], taken);
  }
  const wanted = options.nodes ?? existing.nodes.length;
  if (wanted < existing.nodes.length) {
    throw new UsageError(`cluster ${existing.name} has ${existing.nodes.length} nodes; taking nodes away would lose what runs on them. Use: coracle node stop ${existing.nodes.at(-1)!.name}`);
  }
  checkNodeCount(wanted, parseCIDR(existing.podCIDR)!.prefix);
  const network = parseCIDR(existing.nodeCIDR)!;
  const added = Array.from({ length: wanted - existing.nodes.length }, (_, i) => makeNode(network, existing.nodes.length + i + 1));
  return added.length === 0 ? existing : { ...existing, nodes: [...existing.nodes, ...added] };
}

function refuseForeignFolder(data: string): void {
  if (existsSync(data) && existsSync(join(data, 'store'))) throw new UserError(`${data} holds a store but no cluster.json; nothing was changed. Restore cluster.json, or give another --data-dir`);
}

async function refuseTakenPort(config: ClusterConfig): Promise<void> {
  const taken = await new Promise<boolean>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(true);
      else if (error.code === 'EACCES') reject(new UserError(`port ${config.apiPort} needs privileges; give a --port above 1023`));
      else reject(error);
    });
    probe.listen(config.apiPort, '127.0.0.1', () => probe.close(() => resolve(false)));
  });
  if (taken) throw new UserError(`port ${config.apiPort} on 127.0.0.1 is in use by another program; give another one with --port`);
}

/** Starts the supervisor in the background, or tells the running one that the configuration changed. */
export async function ensureSupervisor({ config, paths, programs }: Prepared, deps: UpDeps): Promise<void> {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  if (livePart(paths, 'supervisor') !== undefined) {
    await callControl(join(paths.run, 'control.sock'), 'reload');
    return;
  }
  const [command, ...args] = deps.self;
  ensurePart(paths, 'supervisor', command!, [...args, 'supervisor', '--data-dir', paths.data], { env: { PATH: programs.path, CORACLE_CLUSTER: config.name } });
}

/** Waits for the API server; says which log to read when it does not come. */
export async function waitForApi(client: Client, paths: ClusterPaths, clock: Clock, timeoutMs: number): Promise<void> {
  const end = clock.monotonic() + timeoutMs;
  for (;;) {
    const ready = await client.raw('GET', '/readyz').then((r) => r.status === 200, () => false);
    if (ready) return;
    if (livePart(paths, 'supervisor') === undefined) throw new UserError(`the supervisor ended; see ${paths.log('supervisor')}`);
    if (clock.monotonic() > end) throw new UserError(`the API server is not ready after ${Math.round(timeoutMs / 1000)} s; see ${paths.log('server')}`);
    await sleep(clock, 20);
  }
}

/** Waits until every node that is on reports Ready. */
export async function waitForNodes(client: Client, config: ClusterConfig, paths: ClusterPaths, clock: Clock, timeoutMs: number, say: (line: string) => void): Promise<void> {
  const end = clock.monotonic() + timeoutMs;
  const wanted = config.nodes.filter((n) => n.power === 'on').map((n) => n.name);
  const seen = new Set<string>();
  for (;;) {
    const list = await client.resource(nodeResource).list().catch(() => undefined);
    for (const node of list?.items ?? []) {
      const name = node.metadata.name!;
      if (!seen.has(name) && isConditionTrue(node.status?.conditions, 'Ready')) {
        seen.add(name);
        say(`${name} is Ready`);
      }
    }
    const waiting = wanted.filter((n) => !seen.has(n));
    if (waiting.length === 0) return;
    if (clock.monotonic() > end) throw new UserError(`not Ready after ${Math.round(timeoutMs / 1000)} s: ${waiting.join(', ')}; see ${paths.log(`${waiting[0]}-agent`)}`);
    await sleep(clock, 50);
  }
}
