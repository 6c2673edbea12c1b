// What a node's kernel must hold so that every pod of the cluster is reached without translation: routes over the switch,
// or a VXLAN device with routes, neighbours and forwarding entries. Nothing is published for it: a tunnel's MAC address
// follows from the node's address. Pure; the differences to what is there are also what the explainer names.
import type { Node } from '#generated/api/core-v1.ts';
import { formatIP, parseCIDR, parseIP } from '#base/ip.ts';

export type PodNetworkMode = 'routes' | 'vxlan';
export const POD_NETWORK_MODES: readonly PodNetworkMode[] = ['routes', 'vxlan'];

/** Marks our routes among others in the kernel's table (rtnetlink protocol number, free for local use). */
export const ROUTE_PROTOCOL = 153;

export const TUNNEL_DEVICE = 'coracle.vxlan';
/** IANA's port; the kernel's own default is an older one. */
export const TUNNEL_PORT = 4789;
const TUNNEL_ID = 1;
/** Outer Ethernet 14, IPv4 20, UDP 8 and VXLAN 8: what a tunnelled packet is longer by. */
export const TUNNEL_OVERHEAD = 50;

/** The link that carries the node's own address. */
export interface Underlay {
  readonly device: string;
  readonly mtu: number;
}

export interface Route {
  /** `10.244.2.0/24` */
  readonly to: string;
  /** Next hop; undefined refuses what no pod has (the node's own range). */
  readonly via: string | undefined;
  /** Set for a next hop that is no neighbour by address: reached through this device all the same. */
  readonly onlink?: string;
  /** The address the node itself sends from. */
  readonly source?: string;
}

export interface TunnelLink {
  readonly name: string;
  readonly id: number;
  readonly port: number;
  readonly local: string;
  readonly underlay: string;
  readonly learning: boolean;
  readonly mac: string;
  readonly mtu: number;
  readonly isUp: boolean;
  /** The node's own, so that it is the same towards pods in both modes. */
  readonly addresses: readonly string[];
}

/** Which MAC address a tunnelled next hop has. */
export interface Neighbour {
  readonly address: string;
  readonly mac: string;
}

/** Behind which node a MAC address is. */
export interface ForwardingEntry {
  readonly mac: string;
  readonly node: string;
}

export interface Wiring {
  readonly link: TunnelLink | undefined;
  readonly routes: readonly Route[];
  readonly neighbours: readonly Neighbour[];
  readonly forwarding: readonly ForwardingEntry[];
}

export interface WiringOptions {
  readonly mode: PodNetworkMode;
  readonly nodeName: string;
  /** The node's own addresses: its primary IPv4 address first. */
  readonly nodeIPs: readonly string[];
  readonly underlay: Underlay;
}

/** What pods may send at most in one packet. */
export const podMTU = (mode: PodNetworkMode, underlay: Underlay): number =>
  mode === 'vxlan' ? underlay.mtu - TUNNEL_OVERHEAD : underlay.mtu;

/** Locally administered, and the node's IPv4 address behind it. */
export function tunnelMAC(nodeIP: string): string {
  return ['0a', '63', ...nodeIP.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}

export function wiringFor(options: WiringOptions, nodes: readonly Node[]): Wiring {
  const own = nodes.filter((n) => n.metadata.name === options.nodeName);
  const others = nodes.filter((n) => n.metadata.name !== options.nodeName);
  const refusing = own.flatMap(podCIDRsOf).map((to): Route => ({ to, via: undefined }));
  const between = options.mode === 'vxlan' ? tunnelled(options, others) : routed(others);
  return { ...between, routes: [...refusing, ...between.routes].sort((a, b) => (a.to < b.to ? -1 : 1)) };
}

/** Over the switch: the next hop is the node, in the family of its pods. */
function routed(others: readonly Node[]): Wiring {
  const routes = others.flatMap((node) =>
    podCIDRsOf(node).flatMap((to): Route[] => {
      const via = internalIP(node, parseCIDR(to)!.family);
      return via === undefined ? [] : [{ to, via }];
    }),
  );
  return { link: undefined, routes, neighbours: [], forwarding: [] };
}

/** The next hop is the base address of the other node's range, which no pod has, behind that node's tunnel. */
function tunnelled({ nodeIPs, underlay }: WiringOptions, others: readonly Node[]): Wiring {
  const local = nodeIPs.find((ip) => parseIP(ip)?.family === 4)!;
  const routes: Route[] = [];
  const neighbours: Neighbour[] = [];
  const forwarding: ForwardingEntry[] = [];
  for (const node of others) {
    const remote = internalIP(node, 4);
    const ranges = podCIDRsOf(node);
    if (remote === undefined || ranges.length === 0) continue;
    const mac = tunnelMAC(remote);
    forwarding.push({ mac, node: remote });
    for (const to of ranges) {
      const { family, base } = parseCIDR(to)!;
      const source = nodeIPs.find((ip) => parseIP(ip)?.family === family);
      // Without an address of that family the node itself has nothing to send there, and pods have none either.
      if (source === undefined) continue;
      const via = formatIP({ family, value: base });
      routes.push({ to, via, onlink: TUNNEL_DEVICE, source });
      neighbours.push({ address: via, mac });
    }
  }
  const link: TunnelLink = {
    name: TUNNEL_DEVICE,
    id: TUNNEL_ID,
    port: TUNNEL_PORT,
    local,
    underlay: underlay.device,
    learning: false,
    mac: tunnelMAC(local),
    mtu: podMTU('vxlan', underlay),
    isUp: true,
    addresses: nodeIPs,
  };
  return { link, routes, neighbours, forwarding };
}

export function internalIP(node: Node, family: 4 | 6): string | undefined {
  return (node.status?.addresses ?? []).find((a) => a.type === 'InternalIP' && parseIP(a.address)?.family === family)
    ?.address;
}

/** A node's pod ranges, canonical or not as the API has them; the first is the primary one. */
export function podCIDRsOf(node: Node): readonly string[] {
  const ranges = node.spec?.podCIDRs ?? (node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR]);
  return ranges.filter((c) => parseCIDR(c) !== undefined);
}

/** What to tell the kernel: lines for `ip -batch` about the link, then about routes and neighbours, then for `bridge -batch`. */
export interface WiringChanges {
  readonly link: readonly string[];
  readonly ip: readonly string[];
  readonly bridge: readonly string[];
}

export function wiringChanges(wanted: Wiring, present: Wiring): WiringChanges {
  const dev = `dev ${TUNNEL_DEVICE}`;
  const neighbours = difference(wanted.neighbours, present.neighbours, (n) => `${n.address} ${n.mac}`);
  const forwarding = difference(wanted.forwarding, present.forwarding, (f) => `${f.mac} ${f.node}`);
  const resolved = new Set(wanted.neighbours.map((n) => n.address));
  // A deleted link takes its entries along.
  const keepsLink = wanted.link !== undefined;
  return {
    link: linkChanges(wanted.link, present.link),
    ip: [
      ...(keepsLink
        ? neighbours.gone.filter((n) => !resolved.has(n.address)).map((n) => `neigh del ${n.address} ${dev}`)
        : []),
      ...neighbours.missing.map((n) => `neigh replace ${n.address} lladdr ${n.mac} ${dev} nud permanent`),
      ...routeChanges(wanted.routes, present.routes),
    ],
    bridge: [
      ...(keepsLink ? forwarding.gone.map((f) => `fdb del ${f.mac} ${dev} dst ${f.node} self`) : []),
      // append: a replaced entry of the same MAC address would keep its first destination.
      ...forwarding.missing.map((f) => `fdb append ${f.mac} ${dev} dst ${f.node} self permanent`),
    ],
  };
}

/** Lines for `ip -batch`: what is wanted and missing, and what is ours and stale. */
export function routeChanges(wanted: readonly Route[], present: readonly Route[]): string[] {
  const { missing, gone } = difference(wanted, present, routeText);
  const keeps = new Set(wanted.map((r) => r.to));
  // A replaced next hop is overwritten; a refusing route is of another type and must go first, and IPv6 keeps several of one range.
  const stale = gone.filter((r) => !keeps.has(r.to) || r.via === undefined || r.to.includes(':'));
  return [
    ...stale.map((r) => `route del ${routeText(r)} proto ${ROUTE_PROTOCOL}`),
    ...missing.map((r) => `route replace ${routeText(r)} proto ${ROUTE_PROTOCOL}`),
  ];
}

function routeText({ to, via, onlink, source }: Route): string {
  if (via === undefined) return `unreachable ${to}`;
  return `${to} via ${via}${onlink === undefined ? '' : ` dev ${onlink} onlink`}${source === undefined ? '' : ` src ${source}`}`;
}

export function linkChanges(wanted: TunnelLink | undefined, present: TunnelLink | undefined): string[] {
  if (wanted === undefined) return present === undefined ? [] : [`link del ${present.name}`];
  const { name } = wanted;
  const fixed = (l: TunnelLink) => `${l.id} ${l.port} ${l.local} ${l.underlay} ${l.learning}`;
  const isOther = present !== undefined && fixed(present) !== fixed(wanted);
  const there = isOther ? undefined : present;
  const lines = isOther ? [`link del ${name}`] : [];
  if (there === undefined) {
    lines.push(
      `link add ${name} address ${wanted.mac} mtu ${wanted.mtu} type vxlan id ${wanted.id} local ${wanted.local} dev ${wanted.underlay} dstport ${wanted.port} nolearning`,
      `link set ${name} addrgenmode none`,
    );
  } else {
    if (there.mac !== wanted.mac) lines.push(`link set ${name} address ${wanted.mac}`);
    if (there.mtu !== wanted.mtu) lines.push(`link set ${name} mtu ${wanted.mtu}`);
  }
  const { missing, gone } = difference(wanted.addresses, there?.addresses ?? [], (a) => a);
  const host = (a: string) => `${a}/${a.includes(':') ? '128 nodad' : '32'}`;
  lines.push(...gone.map((a) => `addr del ${a}/${a.includes(':') ? 128 : 32} dev ${name}`));
  lines.push(...missing.map((a) => `addr add ${host(a)} dev ${name}`));
  if (there?.isUp !== true) lines.push(`link set ${name} up`);
  return lines;
}

function difference<T>(
  wanted: readonly T[],
  present: readonly T[],
  text: (item: T) => string,
): { readonly missing: readonly T[]; readonly gone: readonly T[] } {
  const has = new Set(present.map(text));
  const wants = new Set(wanted.map(text));
  return { missing: wanted.filter((w) => !has.has(text(w))), gone: present.filter((p) => !wants.has(text(p))) };
}

/** Why pods of another node are not reached from this one; the codes are the explainer's. */
export interface WiringFault {
  readonly code: 'TunnelBroken' | 'RouteMissing';
  readonly what:
    | 'no tunnel device'
    | 'tunnel device is down'
    | 'tunnel device is set up otherwise'
    | 'no neighbour entry'
    | 'no forwarding entry'
    | 'no route'
    | 'another route';
  /** The range or address concerned; undefined: all. */
  readonly of: string | undefined;
  /** Commands for the node's shell that put it right. */
  readonly repair: readonly string[];
}

/** The tunnel first: a device that is down has lost its routes too, which is a consequence. */
export function wiringFaults(wanted: Wiring, present: Wiring): WiringFault[] {
  const changes = wiringChanges(wanted, present);
  const repair = [
    ...[...changes.link, ...changes.ip].map((l) => `ip ${l}`),
    ...changes.bridge.map((l) => `bridge ${l}`),
  ];
  const tunnel = (what: WiringFault['what'], of?: string): WiringFault => ({ code: 'TunnelBroken', what, of, repair });
  if (wanted.link !== undefined) {
    if (present.link === undefined) return [tunnel('no tunnel device')];
    if (!present.link.isUp) return [tunnel('tunnel device is down')];
    if (changes.link.length > 0) return [tunnel('tunnel device is set up otherwise')];
  }
  const routes = difference(wanted.routes, present.routes, routeText).missing.map(
    (r): WiringFault => ({
      code: 'RouteMissing',
      what: present.routes.some((p) => p.to === r.to) ? 'another route' : 'no route',
      of: r.to,
      repair: [`ip route replace ${routeText(r)} proto ${ROUTE_PROTOCOL}`],
    }),
  );
  const has = {
    neighbours: new Set(present.neighbours.map((n) => `${n.address} ${n.mac}`)),
    forwarding: new Set(present.forwarding.map((f) => `${f.mac} ${f.node}`)),
  };
  return [
    ...routes,
    ...wanted.neighbours
      .filter((n) => !has.neighbours.has(`${n.address} ${n.mac}`))
      .map((n) => tunnel('no neighbour entry', n.address)),
    ...wanted.forwarding
      .filter((f) => !has.forwarding.has(`${f.mac} ${f.node}`))
      .map((f) => tunnel('no forwarding entry', f.node)),
  ];
}
