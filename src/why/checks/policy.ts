// egress-policy and ingress-policy: may the client's pod send this, and may the server's pod take it?
import type { Pod } from '#generated/api/core-v1.ts';
import type { Protocol } from '#netmodel/rules.ts';
import { type Facts, seen } from '../facts.ts';
import { evidence, type Finding, finding, type LinkResult, manifest, note, ok, unknown, yaml } from '../finding.ts';
import { ownAddress, sourcePod } from '../client-address.ts';
import { type Backend, type Located, localNode, takers } from '../locate.ts';
import { outcomeOf } from '../outcome.ts';
import { fieldOf, isTerminating, nameOf, namespaceOf, ownerOf, pathOf, stableLabels } from '../pods.ts';
import { type Decision, decide, type Peer, peerOfPod } from '../policy-decision.ts';
import type { Evidence } from '../report.ts';
import { mendedPort } from './endpoint.ts';
import { meantBackends } from './pod.ts';

export function checkEgressPolicy(facts: Facts, located: Located): LinkResult | undefined {
  const pod = sourcePod(facts);
  if (pod === undefined || located.via === 'localhost') return undefined;
  if (isDenied(facts)) return unknown('egress-policy', 'the NetworkPolicies may not be read');
  const peers = destinations(facts, located);
  if (peers.length === 0) return unknown('egress-policy', 'it is not known where the packets go');
  const all = peers.map((p) => ({ ...p, decision: decide(facts, 'egress', pod, p.peer, p.port, protocolOf(located)) }));
  const refused = all.filter((p) => !p.decision.allowed);
  const { policies } = all[0]!.decision;
  if (refused.length === 0)
    return ok(
      'egress-policy',
      policies.length === 0 ? `no policy isolates ${pathOf(pod)} for egress` : `allowed by ${by(all[0]!.decision)}`,
    );
  const [first] = refused;
  const cure = allow(
    facts,
    'egress',
    pod,
    [first!.peer],
    refused.map((r) => r.port),
    located,
  );
  const what = `${first!.peer.pod?.key ?? first!.peer.ip ?? 'the target'} port ${first!.port}`;
  const denied = finding('EgressDenied', {
    object: policyField(first!.decision, 'egress'),
    message: `${names(first!.decision)} isolate${policies.length === 1 ? 's' : ''} pod ${pathOf(pod)} for egress, and no rule allows ${what}`,
    evidence: [...first!.decision.evidence, ...counters(facts, pod.spec?.nodeName, 'egress')],
    cure,
    certainty: refused.length < all.length ? partly(facts) : 'sure',
  });
  return {
    link: 'egress-policy',
    state: refused.length < all.length ? 'warned' : 'broken',
    detail: denied.message,
    evidence: denied.evidence,
    findings: [denied],
  };
}

export function checkIngressPolicy(facts: Facts, located: Located): LinkResult | undefined {
  if (located.via === 'localhost' || located.via === 'forward' || located.via === 'ingress')
    return bypasses(facts, located);
  // From where no packet gets in, what a policy would say about it says nothing.
  if (facts.source.at === 'laptop' && !located.via.includes('-')) return undefined;
  if (facts.source.at === 'laptop' && (located.via === 'cluster-ip' || located.via === 'pod-ip')) return undefined;
  const backends = reached(facts, located).filter((b): b is Backend & { pod: Pod } => b.pod !== undefined);
  if (backends.length === 0) return undefined;
  if (isDenied(facts)) return unknown('ingress-policy', 'the NetworkPolicies may not be read');
  const decided = backends.flatMap((b) => {
    const port = arrivalPort(facts, located, b);
    if (port === undefined) return [];
    const all = clientPeers(facts, located, b);
    const readings = all.flatMap((peer) =>
      peer === 'exempt' ? [] : [{ peer, decision: decide(facts, 'ingress', b.pod, peer, port, protocolOf(located)) }],
    );
    const denied = readings.filter((r) => !r.decision.allowed);
    const first = denied[0] ?? readings[0];
    if (first === undefined) return [];
    // An address that is not known might be in a block.
    const isOpen = first.peer.pod === undefined && first.peer.ip === undefined && namesBlocks(first.decision);
    // A policy swallows, where a server would refuse: silence speaks for the reading that denies.
    const isSilent = outcomeOf(facts.main).connect === 'timeout';
    const isSure = (denied.length === all.length || isSilent) && !isOpen;
    return [{ backend: b, port, isSure, peers: denied.map((r) => r.peer), ...first }];
  });
  const aimed = backends.filter((b) => arrivalPort(facts, located, b) !== undefined).length;
  if (aimed === 0) return undefined;
  if (decided.length === 0)
    return ok('ingress-policy', 'the client is the pod’s own node, which policies do not hold back');
  const refused = decided.filter((d) => !d.decision.allowed);
  const { policies } = decided[0]!.decision;
  const server = pathOf(decided[0]!.backend.pod);
  if (refused.length === 0)
    return ok(
      'ingress-policy',
      policies.length === 0 ? `no policy isolates ${server} for ingress` : `allowed by ${by(decided[0]!.decision)}`,
    );
  const [first] = refused;
  const who = first!.peer.pod?.key ?? first!.peer.ip ?? 'the client';
  const target = first!.backend.pod;
  const denied: Finding = finding('IngressDenied', {
    object: policyField(first!.decision, 'ingress'),
    message: `${names(first!.decision)} isolate${first!.decision.policies.length === 1 ? 's' : ''} pod ${pathOf(target)} for ingress, and no rule allows ${who} on port ${first!.port}`,
    evidence: [...first!.decision.evidence, ...counters(facts, target.spec?.nodeName, 'ingress')],
    cure: allow(
      facts,
      'ingress',
      target,
      first!.peers,
      refused.map((r) => r.port),
      located,
    ),
    certainty: refused.length < aimed || !refused.every((r) => r.isSure) ? partly(facts) : 'sure',
  });
  return {
    link: 'ingress-policy',
    state: refused.length < aimed ? 'warned' : 'broken',
    detail: denied.message,
    evidence: denied.evidence,
    findings: [denied],
  };
}

/** A forwarded connection is seen by no policy: worth a word when there is one that would have stopped it. */
function bypasses(facts: Facts, located: Located): LinkResult | undefined {
  if (located.via !== 'forward') return undefined;
  const backend = located.backends.find((b) => b.pod !== undefined);
  if (backend?.pod === undefined || located.port === undefined) return undefined;
  const outside: Peer = { pod: undefined, ip: undefined };
  const decision = decide(facts, 'ingress', backend.pod, outside, backend.port ?? located.port, 'tcp');
  if (decision.allowed) return ok('ingress-policy', 'a port-forward passes no policy, and none would stop it');
  const warning = finding('ForwardBypassesPolicy', {
    object: { apiVersion: 'v1', kind: 'Pod', namespace: namespaceOf(backend.pod), name: nameOf(backend.pod) },
    message: `the port-forward enters ${pathOf(backend.pod)} through its node: ${names(decision)}, which isolate${decision.policies.length === 1 ? 's' : ''} the pod, do not see it`,
    evidence: decision.evidence,
    cure: [
      note('a pod that is to connect needs a NetworkPolicy of its own; that the forward works proves nothing about it'),
    ],
    certainty: 'warning',
  });
  return {
    link: 'ingress-policy',
    state: 'warned',
    detail: warning.message,
    evidence: warning.evidence,
    findings: [warning],
  };
}

const isDenied = (facts: Facts): boolean => facts.denied.some((d) => d.kind === 'policies');
const protocolOf = (located: Located): Protocol => located.transport;
const names = (d: Decision): string => d.policies.map((p) => `NetworkPolicy ${pathOf(p)}`).join(' and ');
const by = (d: Decision): string =>
  d.by === undefined ? 'the API’s rules' : `NetworkPolicy ${pathOf(d.by.policy)} ${d.by.field}`;

function policyField(decision: Decision, direction: 'ingress' | 'egress') {
  const policy = decision.nearest?.policy ?? decision.policies[0]!;
  return fieldOf(policy, 'networking.k8s.io/v1', 'NetworkPolicy', decision.nearest?.field ?? `spec.${direction}`);
}

/** The pods to which connections go; where there are none, those to which they would go. */
function reached(facts: Facts, located: Located): readonly Backend[] {
  const all = meantBackends(facts, located);
  const usable = takers(located, localNode(facts, located));
  if (usable.length > 0) return usable;
  const staying = all.filter((b) => b.pod === undefined || !isTerminating(b.pod));
  return staying.length > 0 ? staying : all;
}

/** Undefined: the Service's port has a name that this pod has not, so nothing is sent there. */
const arrivalPort = (facts: Facts, located: Located, { port }: Backend): number | undefined =>
  mendedPort(facts, located) ?? port ?? (located.servicePort === undefined ? located.port : undefined);

/** Some pods are closed to this client and some are not: of that, a connection that did not come about may be the consequence. */
const partly = (facts: Facts): Finding['certainty'] =>
  outcomeOf(facts.main).made && !outcomeOf(facts.main).connected ? 'likely' : 'warning';

/** Where the client's packets are after translation. */
function destinations(facts: Facts, located: Located): readonly { readonly peer: Peer; readonly port: number }[] {
  const backends = reached(facts, located);
  const through = backends.flatMap((b) => {
    const port = arrivalPort(facts, located, b);
    return port === undefined
      ? []
      : [{ peer: b.pod === undefined ? { pod: undefined, ip: b.ip } : peerOfPod(b.pod), port }];
  });
  if (through.length > 0) return through;
  // Behind the Service there is no pod with such a port: its own address is nowhere that packets arrive.
  if (located.port === undefined || (backends.length > 0 && located.servicePort !== undefined)) return [];
  return located.addresses.map((ip) => ({ peer: { pod: undefined, ip }, port: located.port! }));
}

const namesBlocks = (decision: Decision): boolean =>
  decision.policies.some((p) => p.spec?.ingress?.some((r) => r.from?.some((f) => f.ipBlock !== undefined)));

/**
 * As whom the server's pod may see the client; its own node is let in by every pod network. Where packets that enter from outside are
 * rewritten, the API leaves open whether policies see them before or after it: each reading then.
 */
function clientPeers(facts: Facts, located: Located, backend: Backend): readonly (Peer | 'exempt')[] {
  const { source, objects } = facts;
  const pod = sourcePod(facts);
  const ofNode = (name: string | undefined): Peer | 'exempt' => {
    const node = objects.nodes.find((n) => nameOf(n) === name);
    const ip = node?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
    return name !== undefined && name === backend.node ? 'exempt' : { pod: undefined, ip };
  };
  const inNode = source.at === 'node' ? source.wanted : pod?.spec?.hostNetwork === true ? pod.spec.nodeName : undefined;
  const own =
    inNode !== undefined
      ? ofNode(inNode)
      : pod === undefined
        ? { pod: undefined, ip: ownAddress(facts) }
        : peerOfPod(pod);
  const isEntered = located.via === 'node-port' || located.via === 'load-balancer' || located.via === 'external-ip';
  if (!isEntered || (source.at === 'laptop' && located.service?.spec?.externalTrafficPolicy === 'Local')) return [own];
  const through = pod?.spec?.nodeName ?? inNode;
  const entries =
    located.node !== undefined
      ? [located.node, ...(through === undefined ? [] : [through])]
      : through === undefined
        ? objects.nodes.map(nameOf)
        : [through];
  return [...entries.map(ofNode), own];
}

function counters(facts: Facts, node: string | undefined, direction: 'ingress' | 'egress'): readonly Evidence[] {
  const sight = node === undefined ? undefined : facts.sight.get(node);
  const after = seen(facts, node)?.counters ?? [];
  const before = sight === undefined || 'cannot' in sight.before ? [] : sight.before.counters;
  return after
    .filter((c) => c.rule.includes(direction))
    .map((c) => {
      const was = before.find((b) => b.rule === c.rule)?.packets;
      const grew = was === undefined || sight?.after === undefined ? '' : `, ${c.packets - was} more by the probe`;
      return evidence(`counter on ${node} ${c.rule}`, `${c.packets} packets${grew}`);
    });
}

/** The NetworkPolicy that lets exactly this through. */
function allow(
  facts: Facts,
  direction: 'ingress' | 'egress',
  pod: Pod,
  peers: readonly Peer[],
  ports: readonly number[],
  located: Located,
) {
  const peer = peers[0]!;
  const owner = ownerOf(pod);
  const known = facts.objects.pods.find((p) => pathOf(p) === peer.pod?.key);
  const peerName = known === undefined ? (peer.pod?.key.split('/')[1] ?? peer.ip ?? 'client') : ownerOf(known).name;
  const others =
    peer.pod === undefined
      ? [...new Set(peers.flatMap((p) => addressesOf(facts, p.ip)))].map((ip) => ({
          ipBlock: { cidr: `${ip}/${ip.includes(':') ? 128 : 32}` },
        }))
      : [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': peer.pod.namespace } },
            podSelector: { matchLabels: stableLabels(peer.pod.labels) },
          },
        ];
  const rule = {
    ...(others.length === 0 ? {} : direction === 'ingress' ? { from: others } : { to: others }),
    ports: [...new Set(ports)].map((port) => ({ protocol: located.transport.toUpperCase(), port })),
  };
  const short = peerName
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 30)
    .replace(/^-+|-+$/g, '');
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: direction === 'ingress' ? `${owner.name}-from-${short}` : `${owner.name}-to-${short}`,
      namespace: namespaceOf(pod),
    },
    spec: {
      podSelector: { matchLabels: stableLabels(pod.metadata.labels ?? {}) },
      policyTypes: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      [direction]: [rule],
    },
  };
  return [manifest(yaml(object))];
}

/** A client that enters by one node may enter by another tomorrow. */
function addressesOf(facts: Facts, ip: string | undefined): readonly string[] {
  if (ip === undefined) return [];
  const nodes = facts.objects.nodes.flatMap((n) =>
    (n.status?.addresses ?? []).filter((a) => a.type === 'InternalIP').map((a) => a.address),
  );
  return nodes.includes(ip) ? nodes : [ip];
}
