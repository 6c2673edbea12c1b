// NetworkPolicies as the documentation of networking.k8s.io/v1 words them, rule by rule and without any index: slow and plain, to be
// compared with what the product makes of them.
import { BlockList, isIPv4 } from 'node:net';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '#generated/api/networking-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { type Model, portsOf } from './model.ts';

export type Direction = 'Ingress' | 'Egress';

/** The other end of a connection. */
export interface End {
  readonly pod: Pod | undefined;
  readonly ip: string | undefined;
}

/** "A null label selector matches no objects", but a peer's absent podSelector means all pods; both callers say which. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const exactly = Object.entries(selector.matchLabels ?? {}).every(([k, v]) => labels[k] === v);
  const also = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const has = labels[key];
    if (operator === 'In') return has !== undefined && values.includes(has);
    // "NotIn" and "DoesNotExist" hold for objects without the key.
    if (operator === 'NotIn') return has === undefined || !values.includes(has);
    return operator === 'Exists' ? has !== undefined : has === undefined;
  });
  return exactly && also;
}

export function inside(ip: string, cidr: string): boolean {
  const [base, bits] = cidr.split('/');
  const list = new BlockList();
  list.addSubnet(base!, Number(bits), isIPv4(base!) ? 'ipv4' : 'ipv6');
  return list.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6');
}

export const isolating = (model: Model, direction: Direction, pod: Pod): readonly NetworkPolicy[] =>
  // "hostNetwork pods … the most common is that policies are ignored": they are not isolated.
  pod.spec?.hostNetwork === true
    ? []
    : model.policies.filter(
        (p) =>
          p.metadata.namespace === pod.metadata.namespace &&
          p.spec?.policyTypes?.includes(direction) === true &&
          selects(p.spec.podSelector ?? {}, pod.metadata.labels ?? {}),
      );

/** "By default, a pod is non-isolated; … connections are allowed by the union of the applicable policies." */
export function allows(
  model: Model,
  direction: Direction,
  pod: Pod,
  other: End,
  port: number,
  protocol: 'TCP' | 'UDP',
): boolean {
  const policies = isolating(model, direction, pod);
  // "A Pod cannot block access to itself."
  if (policies.length === 0 || other.pod === pod) return true;
  return policies.some((policy) => {
    const rules =
      direction === 'Ingress'
        ? (policy.spec?.ingress ?? []).map((r) => ({ peers: r.from, ports: r.ports }))
        : (policy.spec?.egress ?? []).map((r) => ({ peers: r.to, ports: r.ports }));
    return rules.some(
      ({ peers, ports }) =>
        // "If this field is empty or missing, this rule matches all sources / ports."
        (peers === undefined || peers.length === 0 || peers.some((p) => isPeer(model, policy, p, other))) &&
        (ports === undefined ||
          ports.length === 0 ||
          ports.some((p) => isPort(p, direction === 'Ingress' ? pod : other.pod, port, protocol))),
    );
  });
}

function isPeer(model: Model, policy: NetworkPolicy, peer: NetworkPolicyPeer, other: End): boolean {
  const { ipBlock } = peer;
  if (ipBlock !== undefined)
    return (
      other.ip !== undefined &&
      inside(other.ip, ipBlock.cidr) &&
      !(ipBlock.except ?? []).some((hole) => inside(other.ip!, hole))
    );
  const { pod } = other;
  if (pod === undefined || pod.spec?.hostNetwork === true) return false;
  const namespace = model.namespaces.find((n) => n.metadata.name === pod.metadata.namespace);
  const isPlace =
    peer.namespaceSelector === undefined
      ? policy.metadata.namespace === pod.metadata.namespace
      : selects(peer.namespaceSelector, namespace?.metadata.labels ?? {});
  return isPlace && selects(peer.podSelector ?? {}, pod.metadata.labels ?? {});
}

/** A name is one of the destination's container ports. */
function isPort(wanted: NetworkPolicyPort, destination: Pod | undefined, port: number, protocol: string): boolean {
  if ((wanted.protocol ?? 'TCP') !== protocol) return false;
  if (wanted.port === undefined) return true;
  if (typeof wanted.port === 'string')
    return (
      destination !== undefined &&
      portsOf(destination).some((p) => p.name === wanted.port && p.protocol === protocol && p.containerPort === port)
    );
  return port >= wanted.port && port <= (wanted.endPort ?? wanted.port);
}
