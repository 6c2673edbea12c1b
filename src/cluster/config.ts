// What a cluster is made of, as `up` was told: written once, read by every later command.
import { formatCIDR, parseCIDR } from '#base/ip.ts';
import { readJsonIfExists, writeFileAtomic } from '#host/files.ts';
import { POD_NETWORK_MODES, type PodNetworkMode } from '#netmodel/pod-network.ts';
import { type EvictionOptions, parseDuration, parseThresholds, ThresholdError } from '#node/eviction/thresholds.ts';
import { whyNotAllowable } from '#node/pods/sysctls.ts';
import { UsageError } from './errors.ts';

/** Raised when the layout of the data directory changes; older ones are migrated or refused untouched. */
export const DATA_FORMAT = 1;

export interface NodeConfig {
  readonly name: string;
  /** On the node network. */
  readonly ip: string;
  /** The machine that the node plays: on, switched off by its user, or dead by itself; `up` starts only dead ones again. */
  readonly power: 'on' | 'off' | 'dead';
}

/** The ranges of a second address family. */
export interface IPv6Config {
  readonly podCIDR: string;
  readonly serviceCIDR: string;
  readonly nodeCIDR: string;
  readonly machineIP: string;
  readonly switchIP: string;
}

export interface ClusterConfig {
  readonly format: number;
  readonly name: string;
  /** Eight hex digits that name links and namespaces of this cluster on the machine. */
  readonly id: string;
  readonly apiPort: number;
  readonly bindAddresses: readonly string[];
  readonly podCIDR: string;
  /** How packets get to pods of other nodes; absent in clusters from before there was a choice: routes. */
  readonly podNetwork?: PodNetworkMode;
  readonly serviceCIDR: string;
  /** Absent: IPv4 alone. */
  readonly ipv6?: IPv6Config;
  readonly clusterDNS: string;
  readonly clusterDomain: string;
  /** The switch's network; the machine has its first address. */
  readonly nodeCIDR: string;
  readonly machineIP: string;
  readonly switchIP: string;
  readonly hollow: boolean;
  readonly disabled: readonly string[];
  readonly nodes: readonly NodeConfig[];
  readonly runtimeDir?: string;
  readonly cniConfDir?: string;
  /** Where ids of pods' user namespaces are claimed, for all clusters of the machine; the cluster's own folder when absent. */
  readonly userNamespacesDir?: string;
  /** Containers without a seccomp profile get the runtime's. */
  readonly seccompDefault?: boolean;
  /** When the kubelet sends pods away; upstream's defaults when absent. */
  readonly eviction?: EvictionOptions;
  /** Risky sysctls that pods may set all the same. */
  readonly allowedUnsafeSysctls?: readonly string[];
  /** Where load balancers' addresses are taken from; the node network's upper end when absent. */
  readonly loadBalancerRange?: string;
  /** Zones of the nodes, in turn; nodes have none when absent. */
  readonly zones?: readonly string[];
  readonly nodeCpus?: number;
  /** Bytes. */
  readonly nodeMemory?: number;
  readonly publish: readonly { readonly hostPort: number; readonly nodePort: number }[];
  /** net.ipv4.ip_forward as it was before the first `up`, to be put back. */
  readonly ipForwardBefore?: string;
  /** Whether /run/netns was a mount before, which `ip netns` makes it. */
  readonly netnsFolderBefore?: boolean;
}

export function readConfig(path: string): ClusterConfig | undefined {
  let config: ClusterConfig | undefined;
  try {
    config = readJsonIfExists<ClusterConfig>(path);
  } catch (cause) {
    throw new UsageError(
      `${path} is damaged: it is not valid JSON; nothing was changed. Restore it from a copy, or give another --data-dir`,
      { cause },
    );
  }
  if (config === undefined) return undefined;
  if (!Number.isInteger(config.format))
    throw new UsageError(`${path} is not the configuration of a cluster; nothing was changed. Give another --data-dir`);
  if (config.format !== DATA_FORMAT) {
    throw new UsageError(
      `${path} has data format ${config.format}, this Coracle reads format ${DATA_FORMAT}; nothing was changed. ` +
        (config.format > DATA_FORMAT
          ? 'Use the newer Coracle that wrote it.'
          : 'Export what you need with the Coracle that wrote it.'),
    );
  }
  return config;
}

export function writeConfig(path: string, config: ClusterConfig): void {
  writeFileAtomic(path, `${JSON.stringify(config, undefined, 2)}\n`, 0o600);
}

/** Canonical text of a range given on the command line. */
export function parseRange(option: string, text: string): string {
  const cidr = parseCIDR(text);
  if (cidr === undefined || cidr.family !== 4)
    throw new UsageError(`${option} wants an IPv4 range such as 10.244.0.0/16, not "${text}"`);
  return formatCIDR(cidr);
}

export function parsePodNetwork(text: string): PodNetworkMode {
  const mode = POD_NETWORK_MODES.find((m) => m === text);
  if (mode === undefined) throw new UsageError(`--pod-network knows ${POD_NETWORK_MODES.join(' and ')}; not "${text}"`);
  return mode;
}

const NAME = /^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/;

export function checkName(name: string): string {
  if (!NAME.test(name)) {
    throw new UsageError(
      `"${name}" cannot name a cluster: use up to 32 lower-case letters, digits and hyphens, beginning and ending with a letter or digit`,
    );
  }
  return name;
}

export function parseSysctls(text: string): string[] {
  const patterns = text.split(',').filter((p) => p !== '');
  for (const pattern of patterns) {
    const why = whyNotAllowable(pattern);
    if (why !== undefined) throw new UsageError(`--allowed-unsafe-sysctls: ${why}`);
  }
  return patterns;
}

export const PARTS = [
  'scheduler',
  'controllers',
  'dns',
  'proxy',
  'policy',
  'loadbalancer',
  'ingress',
  'metrics',
] as const;

export function parseDisabled(text: string): string[] {
  const parts = text.split(',').filter((p) => p !== '');
  for (const part of parts) {
    if (!(PARTS as readonly string[]).includes(part))
      throw new UsageError(`--disable knows ${PARTS.join(', ')}; not "${part}"`);
  }
  return parts;
}

/** A label's value, as zones become. */
const ZONE = /^[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$/;

export function parseZones(text: string): string[] {
  const zones = text.split(',').filter((z) => z !== '');
  const wrong = zones.find((z) => !ZONE.test(z));
  if (zones.length === 0 || wrong !== undefined)
    throw new UsageError(`--zones wants names such as east,west, not "${wrong ?? text}"`);
  return zones;
}

/** The label of the n-th node, counted from 0, as an option of its kubelet. */
export const zoneLabel = (
  { zones = [] }: ClusterConfig,
  node: number,
): { readonly labels?: Readonly<Record<string, string>> } =>
  zones.length === 0 ? {} : { labels: { 'topology.kubernetes.io/zone': zones[node % zones.length]! } };

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  K: 1e3,
  M: 1e6,
  G: 1e9,
};

/** The kubelet's flags of the same names, as they were given; undefined when none was. */
export interface EvictionFlags {
  readonly evictionHard?: string;
  readonly evictionSoft?: string;
  readonly evictionSoftGracePeriod?: string;
  readonly evictionMinimumReclaim?: string;
  readonly evictionPressureTransitionPeriod?: string;
  readonly evictionMaxPodGracePeriod?: string;
}

export function parseEviction(flags: EvictionFlags): EvictionOptions | undefined {
  const transition = flags.evictionPressureTransitionPeriod;
  const grace = flags.evictionMaxPodGracePeriod;
  if (grace !== undefined && !/^\d+$/.test(grace))
    throw new UsageError(`--eviction-max-pod-grace-period wants seconds, not "${grace}"`);
  try {
    const options: EvictionOptions = {
      ...(flags.evictionHard === undefined ? {} : { hard: flags.evictionHard }),
      ...(flags.evictionSoft === undefined ? {} : { soft: flags.evictionSoft }),
      ...(flags.evictionSoftGracePeriod === undefined ? {} : { softGracePeriod: flags.evictionSoftGracePeriod }),
      ...(flags.evictionMinimumReclaim === undefined ? {} : { minimumReclaim: flags.evictionMinimumReclaim }),
      ...(transition === undefined
        ? {}
        : { pressureTransitionPeriodMs: parseDuration('--eviction-pressure-transition-period', transition) }),
      ...(grace === undefined ? {} : { maxPodGracePeriodSeconds: Number(grace) }),
    };
    parseThresholds(options);
    return Object.keys(options).length === 0 ? undefined : options;
  } catch (error) {
    if (error instanceof ThresholdError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** Bytes of `4Gi`, `512Mi`, `1000000`. */
export function parseMemory(text: string): number {
  const match = /^(\d+)(|Ki|Mi|Gi|K|M|G)$/.exec(text);
  if (match === null) throw new UsageError(`--node-memory wants a size such as 4Gi, not "${text}"`);
  return Number(match[1]) * UNITS[match[2]!]!;
}
