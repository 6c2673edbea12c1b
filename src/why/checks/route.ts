// route: do the packets get from node to node? Looked at in the nodes themselves; elsewhere unknown unless a probe got through.
import { sourcePod } from '../client-address.ts';
import { couldNot, type Facts, seen } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok, unknown } from '../finding.ts';
import type { Located } from '../locate.ts';
import { outcomeOf } from '../outcome.ts';
import { nameOf } from '../pods.ts';
import { parseIP } from '#base/ip.ts';
import { inRanges } from '../locate.ts';

export function checkRoute(facts: Facts, located: Located): LinkResult | undefined {
  const outcome = outcomeOf(facts.main);
  const nodes = nodesOnTheWay(facts, located);
  if (nodes.length === 0) return outcome.connected || located.via === 'localhost' ? undefined : undefined;
  const findings = nodes.flatMap((node) => [
    ...firewall(facts, node),
    ...tracking(facts, node),
    ...routes(facts, node, nodes),
    ...tunnel(facts, node),
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
        command(
          `coracle node exec ${node} -- sysctl -w net.netfilter.nf_conntrack_max=${Math.max(conntrack.max * 4, 262_144)}`,
        ),
        note(`who holds them: conntrack -L on ${node}`),
      ],
    }),
  ];
}

/** Each node needs a way to the pod ranges of the others. */
function routes(facts: Facts, node: string, nodes: readonly string[]): Finding[] {
  const known = seen(facts, node)?.routes;
  if (known === undefined) return [];
  return facts.objects.nodes
    .filter((n) => nameOf(n) !== node && nodes.includes(nameOf(n)))
    .flatMap((other) => {
      const range = other.spec?.podCIDR;
      if (range === undefined || known.some((r) => routeCovers(r, range))) return [];
      const address = other.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
      return [
        finding('RouteMissing', {
          object: { apiVersion: 'v1', kind: 'Node', name: node, field: `route ${range}` },
          message: `${node} has no route to ${range}, the pods of ${nameOf(other)}`,
          evidence: [evidence(`routes of ${node}`, known.join('; '))],
          cure: [
            command(`coracle node exec ${node} -- ip route add ${range} via ${address ?? 'ADDRESS'}`),
            note(`on other clusters, on ${node} itself: ip route add ${range} via ${address ?? 'ADDRESS'}`),
          ],
        }),
      ];
    });
}

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

function tunnel(facts: Facts, node: string): Finding[] {
  const known = seen(facts, node);
  const device = known?.links.find((l) => l.kind === 'vxlan');
  if (known === undefined || device === undefined) return [];
  if (!device.up)
    return [
      finding('TunnelBroken', {
        object: { apiVersion: 'v1', kind: 'Node', name: node, field: `link ${device.name}` },
        message: `the VXLAN device ${device.name} of ${node} is down`,
        evidence: [evidence(`links of ${node}`, `${device.name} down`)],
        cure: [command(`coracle node exec ${node} -- ip link set ${device.name} up`)],
      }),
    ];
  const missing = facts.objects.nodes.filter(
    (n) =>
      nameOf(n) !== node &&
      !(n.status?.addresses ?? []).some((a) => known.tunnelEntries.some((e) => e.split(/\s+/).includes(a.address))),
  );
  const [lost] = missing;
  if (lost === undefined || (known.tunnelEntries.length === 0 && facts.objects.nodes.length === 1)) return [];
  return [
    finding('TunnelBroken', {
      object: { apiVersion: 'v1', kind: 'Node', name: node, field: `forwarding entries of ${device.name}` },
      message: `the VXLAN device ${device.name} of ${node} has no entry for ${nameOf(lost)}`,
      evidence: [evidence(`entries of ${device.name} on ${node}`, known.tunnelEntries.join(', ') || 'none')],
      cure: [
        note(
          `restart the node’s agent, which writes its entries anew: end its process, the supervisor starts it again`,
        ),
      ],
      certainty: 'likely',
    }),
  ];
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
