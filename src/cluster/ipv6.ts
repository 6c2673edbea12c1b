// The second address family of a cluster: its ranges, and the addresses of machine, switch and nodes in it. All are unique
// local addresses: IPv6 stays inside the cluster, and nothing of it has a way out of the machine.
import { cidrsOverlap, type CIDR, formatCIDR, formatIP, parseCIDR, parseIP } from '#base/ip.ts';
import type { Run } from '#host/process.ts';
import { type ClusterConfig, type IPv6Config, type NodeConfig, parseRange } from './config.ts';
import { UsageError } from './errors.ts';
import { attempt } from './host-check.ts';

export const IPV6_DEFAULTS = { podCIDR: 'fd00:10:244::/56', serviceCIDR: 'fd00:10:96::/112' } as const;
/** Range of pod addresses that a node takes, as upstream. */
export const NODE_PREFIX_IPV6 = 64;
/** Wider pod ranges would be more nodes than anybody has. */
const POD_PREFIX_MIN = 48;
/** Upstream's limits: so many addresses of Services are looked after. */
const SERVICE_PREFIXES = { min: 108, max: 120 } as const;

export type Families = readonly ['ipv4'] | readonly ['ipv4', 'ipv6'];

export function parseFamilies(text: string): Families {
  if (text === 'ipv4') return ['ipv4'];
  if (text === 'ipv4,ipv6') return ['ipv4', 'ipv6'];
  throw new UsageError(`--ip-families knows ipv4 and ipv4,ipv6; not "${text}"`);
}

/** Canonical texts of `A` or `A,B`: an IPv4 range, and an IPv6 range for a cluster of both families. */
export function parseRanges(option: string, text: string): { readonly ipv4: string; readonly ipv6?: string } {
  const [first = '', second, ...more] = text.split(',');
  const ipv4 = parseRange(option, first);
  if (second === undefined) return { ipv4 };
  const two = parseCIDR(second);
  if (two === undefined || two.family !== 6 || more.length > 0)
    throw new UsageError(
      `${option} wants an IPv6 range such as ${IPV6_DEFAULTS.podCIDR} behind the comma, not "${[second, ...more].join(',')}"`,
    );
  return { ipv4, ipv6: formatCIDR(two) };
}

/** Of a cluster with this id: the node network follows from it, so that clusters on one machine do not meet. */
export function makeIPv6Config(
  id: string,
  ranges: { readonly podCIDR?: string | undefined; readonly serviceCIDR?: string | undefined },
): IPv6Config {
  const { podCIDR = IPV6_DEFAULTS.podCIDR, serviceCIDR = IPV6_DEFAULTS.serviceCIDR } = ranges;
  const pods = parseCIDR(podCIDR)!.prefix;
  if (pods < POD_PREFIX_MIN || pods > NODE_PREFIX_IPV6)
    throw new UsageError(
      `--pod-cidr ${podCIDR} does not fit: give an IPv6 range from /${POD_PREFIX_MIN} to /${NODE_PREFIX_IPV6}, of which every node takes a /${NODE_PREFIX_IPV6}`,
    );
  const services = parseCIDR(serviceCIDR)!.prefix;
  if (services < SERVICE_PREFIXES.min || services > SERVICE_PREFIXES.max)
    throw new UsageError(
      `--service-cidr ${serviceCIDR} does not fit: give an IPv6 range from /${SERVICE_PREFIXES.min} to /${SERVICE_PREFIXES.max}`,
    );
  const network = `fdc0:${id.slice(0, 4)}:${id.slice(4, 8)}::`;
  const at = (host: string) => formatIP(parseIP(`${network}${host}`)!);
  return {
    podCIDR,
    serviceCIDR,
    nodeCIDR: formatCIDR(parseCIDR(`${network}/64`)!),
    machineIP: at('1'),
    switchIP: at('254'),
  };
}

/** How many nodes the pod range has room for. */
export const maxNodesIPv6 = ({ podCIDR }: IPv6Config): number => 2 ** (NODE_PREFIX_IPV6 - parseCIDR(podCIDR)!.prefix);

/** A node's addresses, the primary one first. Both end in the same number, as people read it. */
export function nodeIPs(config: Pick<ClusterConfig, 'ipv6'>, node: Pick<NodeConfig, 'ip'>): readonly string[] {
  if (config.ipv6 === undefined) return [node.ip];
  const network = config.ipv6.nodeCIDR.slice(0, config.ipv6.nodeCIDR.indexOf('/'));
  return [node.ip, formatIP(parseIP(`${network}${node.ip.split('.')[3]}`)!)];
}

/** What pods and Services of both families have, which only nodes reach. */
export const clusterRanges = ({ podCIDR, serviceCIDR, ipv6 }: ClusterConfig): readonly string[] => [
  podCIDR,
  serviceCIDR,
  ...(ipv6 === undefined ? [] : [ipv6.podCIDR, ipv6.serviceCIDR]),
];

/** Sentences: what the machine lacks for a second family. */
export const tryIPv6 = (run: Run): Promise<readonly string[]> =>
  attempt(
    run,
    'IPv6 with nftables',
    "ip link set lo up && ip addr add fd00::1/128 dev lo && nft add table ip6 probe && nft 'add chain ip6 probe nat0 { type nat hook prerouting priority 0 ; }'",
  );

/** The node network has no choice, so it may collide. */
export function refuseTakenNetwork(
  ipv6: IPv6Config,
  taken: readonly { readonly cidr: CIDR; readonly device: string }[],
): void {
  const network = parseCIDR(ipv6.nodeCIDR)!;
  const hit = taken.find((t) => cidrsOverlap(t.cidr, network));
  if (hit !== undefined)
    throw new UsageError(
      `the node network ${ipv6.nodeCIDR} collides with ${formatCIDR(hit.cidr)}, which this machine routes through ${hit.device}; use another --data-dir, or --ip-families ipv4`,
    );
}
