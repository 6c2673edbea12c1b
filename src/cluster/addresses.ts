// Picks the node network and refuses ranges that collide with the machine's own.
import { type CIDR, cidrsOverlap, formatCIDR, formatIP, ipAt, parseCIDR, parseIPRange } from '#base/ip.ts';
import { mustRun, type Run } from '#host/process.ts';
import type { ClusterConfig } from './config.ts';
import { UsageError } from './errors.ts';

/** A range the machine already routes, and through what. */
export interface RoutedRange {
  readonly cidr: CIDR;
  readonly device: string;
}

interface IpRoute {
  readonly dst: string;
  readonly dev?: string;
  readonly type?: string;
}

/** All ranges of these families the machine routes or owns, without the default route and the loopback. */
export async function machineRanges(run: Run, families: readonly (4 | 6)[] = [4]): Promise<RoutedRange[]> {
  const texts = await Promise.all(
    families.map((family) => mustRun(run, 'ip', ['-j', `-${family}`, 'route', 'show', 'table', 'all'])),
  );
  const routes = texts.flatMap((text) => (text.trim() === '' ? [] : (JSON.parse(text) as IpRoute[])));
  const ranges: RoutedRange[] = [];
  for (const route of routes) {
    if (route.dst === 'default' || route.type === 'broadcast' || route.type === 'multicast' || route.dev === 'lo')
      continue;
    const cidr = parseCIDR(route.dst.includes('/') ? route.dst : `${route.dst}/${route.dst.includes(':') ? 128 : 32}`);
    if (cidr !== undefined) ranges.push({ cidr, device: route.dev ?? route.type ?? 'a route' });
  }
  return ranges;
}

/** Links of Coracle clusters on the machine begin so; what they route is no collision, the switches keep clusters apart. */
export const LINK_PREFIX = 'crc';

/** The article's node network first, then its neighbours, then less usual ones. */
function candidates(): CIDR[] {
  const texts = [
    ...Array.from({ length: 245 }, (_, i) => `192.168.${10 + i}.0/24`),
    ...Array.from({ length: 16 }, (_, i) => `172.31.${i * 16}.0/24`),
  ];
  return texts.map((t) => parseCIDR(t)!);
}

export function pickNodeNetwork(taken: readonly RoutedRange[], reserved: readonly CIDR[]): CIDR {
  const free = candidates().find(
    (c) => !taken.some((t) => cidrsOverlap(t.cidr, c)) && !reserved.some((r) => cidrsOverlap(r, c)),
  );
  if (free === undefined)
    throw new UsageError('no free /24 for the node network was found between 192.168.10.0 and 192.168.254.0');
  return free;
}

/** Throws when a cluster range overlaps what the machine routes, or another cluster range. */
export function refuseCollisions(
  ranges: readonly { readonly option: string; readonly text: string }[],
  taken: readonly RoutedRange[],
): void {
  for (const [i, range] of ranges.entries()) {
    const cidr = parseCIDR(range.text)!;
    const hit = taken.find((t) => !t.device.startsWith(LINK_PREFIX) && cidrsOverlap(t.cidr, cidr));
    if (hit !== undefined) {
      throw new UsageError(
        `${range.option} ${range.text} collides with ${formatCIDR(hit.cidr)}, which this machine routes through ${hit.device}; give another range`,
      );
    }
    const other = ranges.slice(0, i).find((r) => cidrsOverlap(parseCIDR(r.text)!, cidr));
    if (other !== undefined)
      throw new UsageError(
        `${range.option} ${range.text} overlaps ${other.option} ${other.text}; give ranges that do not overlap`,
      );
  }
}

/** Addresses on the node network: the machine, the switch, node 1 to N as in the article (…11, …12, …13). */
export const machineAddress = (network: CIDR): string => formatIP(ipAt(network, 1));
export const switchAddress = (network: CIDR): string => formatIP(ipAt(network, 254));
export const nodeAddress = (network: CIDR, number: number): string => formatIP(ipAt(network, 10 + number));
/** .11 to .200; above are load balancer addresses. */
export const MAX_NODES = 190;
const LAST_LOAD_BALANCER = 253;

/** What nodes leave of the node network: .201 to .253. */
export const loadBalancerRange = (network: CIDR): string =>
  `${formatIP(ipAt(network, 10 + MAX_NODES + 1))}-${formatIP(ipAt(network, LAST_LOAD_BALANCER))}`;

/** The range as given; throws when it is not of the addresses that nodes leave. */
export function checkLoadBalancerRange(text: string, network: CIDR): string {
  const range = parseIPRange(text);
  const whole = parseIPRange(loadBalancerRange(network))!;
  const isInside = range?.family === 4 && range.first >= whole.first && range.last <= whole.last;
  if (!isInside)
    throw new UsageError(
      `--load-balancer-range wants addresses of the node network that no node can have, within ${loadBalancerRange(network)}; not "${text}"`,
    );
  return text;
}

/** One range a family; none where somebody else is to give addresses. */
export function loadBalancerRanges(
  config: Pick<ClusterConfig, 'disabled' | 'loadBalancerRange' | 'nodeCIDR' | 'ipv6'>,
): readonly string[] {
  if (config.disabled.includes('loadbalancer')) return [];
  const ipv4 = config.loadBalancerRange ?? loadBalancerRange(parseCIDR(config.nodeCIDR)!);
  if (config.ipv6 === undefined) return [ipv4];
  // As nodes are ::11 to ::200, in the digits of their IPv4 addresses.
  const network = config.ipv6.nodeCIDR.slice(0, config.ipv6.nodeCIDR.indexOf('/'));
  return [ipv4, `${network}${10 + MAX_NODES + 1}-${network}${LAST_LOAD_BALANCER}`];
}
