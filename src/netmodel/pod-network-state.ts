// Reads what iproute2 says of a node's links, routes, neighbours and forwarding entries into the words of pod-network.ts.
import {
  type ForwardingEntry,
  type Neighbour,
  type Route,
  TUNNEL_DEVICE,
  type TunnelLink,
  type Underlay,
} from './pod-network.ts';

interface LinkRow {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly addr_info?: readonly { readonly local?: string; readonly scope?: string }[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: VxlanData };
}

interface VxlanData {
  readonly id?: number;
  readonly local?: string;
  readonly link?: string;
  readonly port?: number;
  readonly learning?: boolean;
}

/** Empty output means an empty list; removed entries leave empty objects behind. */
function rowsOf<T>(json: string): readonly T[] {
  return json.trim() === '' ? [] : (JSON.parse(json) as readonly T[]);
}

const addressesOf = (row: LinkRow): string[] =>
  (row.addr_info ?? []).flatMap((a) => (a.local === undefined || a.scope === 'link' ? [] : [a.local]));

export interface PresentLinks {
  readonly tunnel: TunnelLink | undefined;
  /** The link that has the node's address; undefined when none has. */
  readonly underlay: Underlay | undefined;
}

/** The answer of `ip -j -d addr show`. */
export function parseLinks(json: string, nodeIP: string): PresentLinks {
  const rows = rowsOf<LinkRow>(json).filter((r) => r.ifname !== undefined);
  const under = rows.find((r) => r.ifname !== TUNNEL_DEVICE && addressesOf(r).includes(nodeIP));
  const tunnel = rows.find((r) => r.ifname === TUNNEL_DEVICE);
  const data = tunnel?.linkinfo?.info_data ?? {};
  return {
    underlay: under === undefined ? undefined : { device: under.ifname, mtu: under.mtu },
    tunnel:
      tunnel === undefined
        ? undefined
        : {
            name: tunnel.ifname,
            id: data.id ?? 0,
            port: data.port ?? 0,
            local: data.local ?? '',
            underlay: data.link ?? '',
            learning: data.learning ?? true,
            mac: tunnel.address ?? '',
            mtu: tunnel.mtu,
            isUp: tunnel.flags.includes('UP'),
            addresses: addressesOf(tunnel),
          },
  };
}

interface RouteRow {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly flags?: readonly string[];
}

/** The answer of `ip -j -4 route show proto N`, or of -6. */
export function parseRoutes(json: string): Route[] {
  return rowsOf<RouteRow>(json).map((r): Route => {
    const to = r.dst.includes('/') ? r.dst : `${r.dst}/${r.dst.includes(':') ? 128 : 32}`;
    if (r.type === 'unreachable') return { to, via: undefined };
    return {
      to,
      via: r.gateway,
      ...(r.flags?.includes('onlink') === true && r.dev !== undefined ? { onlink: r.dev } : {}),
      ...(r.prefsrc === undefined ? {} : { source: r.prefsrc }),
    };
  });
}

/** The answer of `ip -j neigh show dev DEVICE nud permanent`. */
export function parseNeighbours(json: string): Neighbour[] {
  return rowsOf<{ dst?: string; lladdr?: string }>(json).flatMap(({ dst, lladdr }) =>
    dst === undefined || lladdr === undefined ? [] : [{ address: dst, mac: lladdr }],
  );
}

/** The answer of `bridge -j fdb show dev DEVICE`. */
export function parseForwarding(json: string): ForwardingEntry[] {
  return rowsOf<{ mac?: string; dst?: string }>(json).flatMap(({ mac, dst }) =>
    mac === undefined || dst === undefined ? [] : [{ mac, node: dst }],
  );
}
