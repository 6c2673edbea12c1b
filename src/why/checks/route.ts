// route: do the packets get from node to node? Looked at in the nodes themselves; elsewhere unknown unless a probe got through.
import { sourcePod } from '../client-address.ts';
import { couldNot, type Facts, seen } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok, unknown } from '../finding.ts';
import type { Located } from '../locate.ts';
import { outcomeOf } from '../outcome.ts';
import type { Evidence } from '../report.ts';
import { nameOf } from '../pods.ts';
import { parseIP } from '#base/ip.ts';
import type { Node } from '#generated/api/core-v1.ts';
import {
  linkChanges,
  podCIDRsOf,
  TUNNEL_DEVICE,
  type Wiring,
  wiringChanges,
  wiringFor,
} from '#netmodel/pod-network.ts';
import { inRanges } from '../locate.ts';

export function checkRoute(facts: Facts, located: Located): LinkResult | undefined {
  const outcome = outcomeOf(facts.main);
  const nodes = nodesOnTheWay(facts, located);
  if (nodes.length === 0) return outcome.connected || located.via === 'localhost' ? undefined : undefined;
  const findings = nodes.flatMap((node) => [
    ...firewall(facts, node),
    ...tracking(facts, node),
    ...wiring(facts, node, nodes),
  ]);
  const mtu = packetSize(facts, nodes);
  if (mtu !== undefined) findings.push(mtu);
  const looked = nodes.filter((n) => seen(facts, n) !== undefined);
  if (outcome.connected) {
    // A server whose answer came through was not held up by the size of packets.
    const isHeldUp = outcome.result?.handshake?.outcome === 'silent' || outcome.result?.tls?.outcome === 'failed';
    const stuck = findings.find((f) => f.code === 'MTUTooSmall' && outcome.failedAt !== undefined && isHeldUp);
    if (stuck !== undefined) return found('route', [{ ...stuck, certainty: 'sure' }]);
    return findings.length === 0
      ? ok('route', `through ${nodes.join(' and ')}`)
      : found(
          'route',
          findings.map((f) => ({ ...f, certainty: 'warning' as const })),
          'a probe got through',
        );
  }
  if (findings.length > 0) return found('route', findings);
  if (looked.length === 0) return unknown('route', cannotSee(facts, nodes));
  return ok('route', `routes, tunnels and rules of ${looked.join(' and ')} are in order`);
}

function cannotSee(facts: Facts, nodes: readonly string[]): string {
  for (const node of nodes) {
    const sight = facts.sight.get(node)?.before;
    if (sight !== undefined && couldNot(sight))
      return sight.permission === undefined
        ? sight.cannot
        : `${sight.cannot} (missing permission: ${sight.permission})`;
  }
  return 'the nodes’ routes and rules cannot be seen from here';
}

export function nodesOnTheWay(facts: Facts, located: Located): readonly string[] {
  const first = sourcePod(facts)?.spec?.nodeName ?? (facts.source.at === 'node' ? facts.source.wanted : located.node);
  const last = located.backends.map((b) => b.node);
  return [...new Set([first, ...last].filter((n): n is string => n !== undefined))].slice(0, 4);
}

/** Rules that are not the cluster's and whose counter the probe moved; one that only stands there is a suspicion. */
function firewall(facts: Facts, node: string): Finding[] {
  const sight = facts.sight.get(node);
  const after = seen(facts, node)?.foreignRules ?? [];
  const before = sight === undefined || couldNot(sight.before) ? [] : sight.before.foreignRules;
  return after.flatMap((rule) => {
    const was = before.find(
      (b) => b.handle === rule.handle && b.chain === rule.chain && b.table === rule.table && b.family === rule.family,
    );
    const counted = rule.packets !== undefined && was?.packets !== undefined && sight?.after !== undefined;
    const grew = counted ? rule.packets - was.packets! : undefined;
    if (grew === 0) return [];
    const where = `${rule.family} ${rule.table} ${rule.chain}`;
    return [
      finding('HostFirewall', {
        object: { apiVersion: 'v1', kind: 'Node', name: node, field: `nftables ${where} handle ${rule.handle}` },
        message: `a rule on ${node} that is not the cluster’s drops the packets: table ${rule.family} ${rule.table}, chain ${rule.chain}: ${rule.rule}`,
        evidence: [
          evidence(`nft ${where} on ${node}`, rule.rule),
          ...(grew === undefined
            ? []
            : [evidence(`counter of that rule on ${node}`, `${was!.packets} before the probe, ${rule.packets} after`)]),
        ],
        cure: [
          command(`coracle node exec ${node} -- nft delete rule ${where} handle ${rule.handle}`),
          note(`on other clusters, on ${node} itself: nft delete rule ${where} handle ${rule.handle}`),
        ],
        certainty: grew !== undefined && grew > 0 ? 'sure' : 'likely',
      }),
    ];
  });
}

function tracking(facts: Facts, node: string): Finding[] {
  const conntrack = seen(facts, node)?.conntrack;
  if (conntrack === undefined || conntrack.max === 0 || conntrack.count < conntrack.max * 0.98) return [];
  return [
    finding('ConnectionTrackingFull', {
      object: { apiVersion: 'v1', kind: 'Node', name: node, field: 'net.netfilter.nf_conntrack_max' },
      message: `${node} tracks ${conntrack.count} connections of at most ${conntrack.max}: new ones are dropped`,
      evidence: [
        evidence(
          `net.netfilter of ${node}`,
          `nf_conntrack_count ${conntrack.count}, nf_conntrack_max ${conntrack.max}`,
        ),
      ],
      cure: [
        command(`sysctl -w net.netfilter.nf_conntrack_max=${Math.max(conntrack.max * 4, 262_144)}`),
        note(`on the machine that ${node} runs on: the limit is the kernel’s, for all network namespaces alike`),
        note(`who holds them: coracle node exec ${node} -- conntrack -L`),
      ],
    }),
  ];
}

/** Each node needs a way to the pod ranges of the others: a route, and with an overlay the tunnel that it leads into. */
function wiring(facts: Facts, node: string, nodes: readonly string[]): Finding[] {
  const known = seen(facts, node);
  if (known === undefined) return [];
  const onTheWay = facts.objects.nodes.filter((n) => nodes.includes(nameOf(n)));
  const isTunnelled = nodes.some((n) => seen(facts, n)?.links.some((l) => l.name === TUNNEL_DEVICE) === true);
  const underlay = known.links.find((l) => l.name === UNDERLAY);
  const wanted = wiringFor(
    {
      mode: isTunnelled ? 'vxlan' : 'routes',
      nodeName: node,
      nodeIPs: addressesOf(onTheWay.find((n) => nameOf(n) === node)),
      underlay: { device: UNDERLAY, mtu: underlay?.mtu ?? 0 },
    },
    onTheWay,
  );
  const device = known.links.find((l) => l.name === TUNNEL_DEVICE);
  const lost = {
    routes: wanted.routes.filter((r) => r.via !== undefined && !known.routes.some((k) => routeCovers(k, r.to))),
    neighbours: wanted.neighbours.filter((n) => !known.tunnelEntries.includes(`${n.mac} ${n.address}`)),
    forwarding: wanted.forwarding.filter((f) => !known.tunnelEntries.includes(`${f.mac} ${f.node}`)),
  };
  const changes = wiringChanges({ link: undefined, ...lost }, NOTHING);
  const link = wanted.link === undefined ? [] : device === undefined ? linkChanges(wanted.link, undefined) : [];
  const repair = [
    ...(device?.up === false ? [`ip link set ${TUNNEL_DEVICE} up`] : []),
    ...[...link, ...changes.ip].map((line) => `ip ${line}`),
    ...changes.bridge.map((line) => `bridge ${line}`),
  ].join(' && ');
  const broken = (code: 'TunnelBroken' | 'RouteMissing', field: string, message: string, read: Evidence): Finding =>
    finding(code, {
      object: { apiVersion: 'v1', kind: 'Node', name: node, field },
      message,
      evidence: [read],
      cure: [
        command(`coracle node exec ${node} -- sh -c ${quoted(repair)}`),
        note(`on ${node} itself: ${repair}; its agent does the same when it starts again`),
      ],
    });
  const links = known.links.map((l) => `${l.name} ${l.up ? 'up' : 'down'}`).join(', ');
  const entries = evidence(`entries of ${TUNNEL_DEVICE} on ${node}`, known.tunnelEntries.join(', ') || 'none');
  // What leads into a device goes with it: the device is the cause.
  if (isTunnelled && device?.up !== true) {
    const state = device === undefined ? 'is missing' : 'is down';
    return [
      broken(
        'TunnelBroken',
        `link ${TUNNEL_DEVICE}`,
        `the VXLAN device ${TUNNEL_DEVICE} of ${node} ${state}`,
        evidence(`links of ${node}`, links),
      ),
    ];
  }
  const nodeAt = (address: string) => nameOf(onTheWay.find((n) => addressesOf(n).includes(address))!);
  const [forwarding] = lost.forwarding;
  if (forwarding !== undefined)
    return [
      broken(
        'TunnelBroken',
        `forwarding entries of ${TUNNEL_DEVICE}`,
        `the VXLAN device ${TUNNEL_DEVICE} of ${node} does not know behind which node ${forwarding.mac} is, the tunnel’s end on ${nodeAt(forwarding.node)}`,
        entries,
      ),
    ];
  const [neighbour] = lost.neighbours;
  if (neighbour !== undefined)
    return [
      broken(
        'TunnelBroken',
        `neighbour entries of ${TUNNEL_DEVICE}`,
        `the VXLAN device ${TUNNEL_DEVICE} of ${node} has no neighbour entry for ${neighbour.address}, the way to the pods of another node`,
        entries,
      ),
    ];
  return lost.routes.map((route) =>
    broken(
      'RouteMissing',
      `route ${route.to}`,
      `${node} has no route to ${route.to}, pods of ${ownerOfRange(onTheWay, route.to)}`,
      evidence(`routes of ${node}`, known.routes.join('; ')),
    ),
  );
}

/** The link that carries a node's own address. */
const UNDERLAY = 'eth0';
const NOTHING: Wiring = { link: undefined, routes: [], neighbours: [], forwarding: [] };

const quoted = (text: string): string => `'${text}'`;

const addressesOf = (node: Node | undefined): readonly string[] =>
  (node?.status?.addresses ?? []).filter((a) => a.type === 'InternalIP').map((a) => a.address);

const ownerOfRange = (nodes: readonly Node[], range: string): string =>
  nameOf(nodes.find((n) => podCIDRsOf(n).includes(range))!);

/** `10.244.2.0/24 via …`; blackhole and unreachable are no way. */
function routeCovers(route: string, range: string): boolean {
  const [first, second] = route.trim().split(/\s+/);
  if (/^(blackhole|unreachable|prohibit|throw)$/.test(first ?? '')) return false;
  const to = first === 'unicast' ? second : first;
  if (to === range) return true;
  const base = range.split('/')[0]!;
  if (to === undefined || to === 'default' || parseIP(base) === undefined) return false;
  return Number(to.split('/')[1] ?? 32) >= 12 && inRanges(base, [to]) && / via | dev /.test(route);
}

/** Pods send packets larger than a link on the way carries. */
function packetSize(facts: Facts, nodes: readonly string[]): Finding | undefined {
  const all = nodes.flatMap((n) =>
    (seen(facts, n)?.pods ?? []).map((p) => ({ node: n, what: `pod ${p.namespace}/${p.name}`, mtu: p.mtu })),
  );
  const largest = Math.max(0, ...all.map((p) => p.mtu ?? 0));
  if (largest === 0) return undefined;
  for (const node of nodes) {
    const small = seen(facts, node)?.links.find(
      (l) => l.up && l.mtu > 0 && l.mtu < largest && /^(eth|ens|enp|node|uplink|vxlan|flannel|coracle)/.test(l.name),
    );
    if (small === undefined) continue;
    return finding('MTUTooSmall', {
      object: { apiVersion: 'v1', kind: 'Node', name: node, field: `link ${small.name} mtu` },
      message: `${small.name} of ${node} carries packets of ${small.mtu} bytes, and the pods send up to ${largest}`,
      evidence: [
        evidence(`links of ${node}`, `${small.name} mtu ${small.mtu}`),
        ...all.map((p) => evidence(p.what, `mtu ${p.mtu}`)),
      ],
      cure: [command(`coracle node exec ${node} -- ip link set ${small.name} mtu ${largest}`)],
      certainty: 'likely',
    });
  }
  return undefined;
}
