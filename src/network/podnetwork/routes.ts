// Which routes a node needs so that every pod of the cluster is reached without translation. Pure.
import type { Node } from '#generated/api/core-v1.ts';
import { parseCIDR, parseIP } from '#base/ip.ts';

export interface Route {
  /** `10.244.2.0/24` */
  readonly to: string;
  /** Next hop; undefined refuses what no pod has (the node's own range). */
  readonly via: string | undefined;
}

/** One route for each other node's pods, and one that refuses addresses of our range which no pod has. */
export function routesFor(nodeName: string, nodes: readonly Node[]): Route[] {
  const routes: Route[] = [];
  for (const node of nodes) {
    const ranges = (node.spec?.podCIDRs ?? (node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])).filter(
      (c) => parseCIDR(c)?.family === 4,
    );
    if (node.metadata.name === nodeName) routes.push(...ranges.map((to) => ({ to, via: undefined })));
    else {
      const via = internalIPv4(node);
      if (via !== undefined) routes.push(...ranges.map((to) => ({ to, via })));
    }
  }
  return routes.sort((a, b) => (a.to < b.to ? -1 : 1));
}

export function internalIPv4(node: Node): string | undefined {
  return (node.status?.addresses ?? []).find((a) => a.type === 'InternalIP' && parseIP(a.address)?.family === 4)
    ?.address;
}

export function podCIDROf(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  return (node.spec?.podCIDRs ?? (node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])).find(
    (c) => parseCIDR(c)?.family === 4,
  );
}

/** Marks our routes among others in the kernel's table (rtnetlink protocol number, free for local use). */
export const ROUTE_PROTOCOL = 153;

/** Lines for `ip -batch`: what is wanted and missing, and what is ours and stale. */
export function routeChanges(wanted: readonly Route[], present: readonly Route[]): string[] {
  const text = (r: Route) => `${r.to} ${r.via ?? ''}`;
  const has = new Set(present.map(text));
  const wants = new Set(wanted.map(text));
  const keeps = new Set(wanted.map((r) => r.to));
  const out: string[] = [];
  for (const r of present) {
    // A replaced next hop is overwritten below; a refusing route is of another type and must go first.
    if (!wants.has(text(r)) && (!keeps.has(r.to) || r.via === undefined)) out.push(`route del ${routeText(r)}`);
  }
  for (const r of wanted) if (!has.has(text(r))) out.push(`route replace ${routeText(r)}`);
  return out;
}

function routeText(r: Route): string {
  return r.via === undefined
    ? `unreachable ${r.to} proto ${ROUTE_PROTOCOL}`
    : `${r.to} via ${r.via} proto ${ROUTE_PROTOCOL}`;
}

/** The answer of `ip -j -4 route show proto N`. */
export function parseRoutes(json: string): Route[] {
  if (json.trim() === '') return [];
  const rows = JSON.parse(json) as { type?: string; dst: string; gateway?: string }[];
  return rows.map((r) => ({
    to: r.dst.includes('/') ? r.dst : `${r.dst}/32`,
    via: r.type === 'unreachable' ? undefined : r.gateway,
  }));
}

export interface CniOptions {
  readonly podCIDR: string;
  readonly mtu: number;
  /** Where host-local keeps which address is taken; a node's own. */
  readonly dataDir: string;
}

/** The CNI configuration: a routed veth pair per pod, addresses from the node's range, no translation and no port map. */
export function cniConflist(options: CniOptions): string {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: options.podCIDR }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: options.dataDir,
  };
  const plugin = { type: 'ptp', ipMasq: false, mtu: options.mtu, ipam };
  return `${JSON.stringify({ cniVersion: '1.0.0', name: 'coracle', plugins: [plugin] }, undefined, 2)}\n`;
}
