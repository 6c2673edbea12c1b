// What `up` writes down: the configuration of a new cluster, and what its options may change of one that exists. Refuses ranges, ports and
// folders that are somebody else's, before anything starts.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { cidrsOverlap, formatCIDR, formatIP, ipAt, parseCIDR, parseIP } from '#base/ip.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
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
import { type ClusterConfig, type IPv6Config, DATA_FORMAT, type NodeConfig, readConfig } from './config.ts';
import { makeIPv6Config, maxNodesIPv6, refuseTakenNetwork } from './ipv6.ts';
import { UsageError, UserError } from './errors.ts';
import { livePart } from './parts.ts';
import { clusterPaths, type ClusterPaths, indexFile, userNamespacesDir } from './paths.ts';
import { isNetnsFolderThere, isSwitchThere, machineLink, readIpForward } from './switch.ts';
import type { UpDeps, UpOptions } from './up-options.ts';

const DEFAULTS = { nodes: 3, port: 6443, podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12' } as const;
const NODE_PREFIX = 24;

export async function newConfig(options: UpOptions, hollow: boolean, deps: UpDeps): Promise<ClusterConfig> {
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
export async function changedConfig(
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
export function refuseForeignTunnel(config: {
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
export function refuseForeignFolder(data: string): void {
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
export const addressesToTry = (config: ClusterConfig): readonly string[] =>
  config.bindAddresses.filter((a) => a !== config.machineIP || config.hollow);

export async function refuseTakenPort(address: string, port: number, option: string): Promise<void> {
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
export function refuseFullDisk(data: string, wanted: number): void {
  let place = data;
  while (!existsSync(place)) place = dirname(place);
  const free = statfsSync(place);
  if (free.bavail * free.bsize >= wanted) return;
  throw new UserError(
    `no space left: only ${Math.round((free.bavail * free.bsize) / 2 ** 20)} MiB are free where ${data} is; a cluster wants at least ${wanted / 2 ** 20} MiB. Make room or give another --data-dir`,
  );
}
