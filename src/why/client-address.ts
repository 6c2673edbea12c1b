// The address under which the server's side sees the client.
import type { Pod } from '#generated/api/core-v1.ts';
import { type Facts, couldNot } from './facts.ts';
import type { Located } from './locate.ts';
import { ipsOf } from './pods.ts';

export function sourcePod(facts: Facts): Pod | undefined {
  return facts.source.at === 'pod' ? facts.source.pod : undefined;
}

export interface ClientAddress {
  readonly ip: string | undefined;
  /** The packets are masqueraded as, or come from, this node. */
  readonly sameNode: string | undefined;
}

export function clientAddress(facts: Facts, located: Located): ClientAddress {
  const pod = sourcePod(facts);
  if (pod !== undefined) return { ip: ipsOf(pod)[0], sameNode: undefined };
  if (facts.source.at === 'node') {
    const ip = facts.source.node?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
    return { ip, sameNode: undefined };
  }
  const local = ownAddress(facts);
  const isTranslated = located.via === 'node-port' || located.via === 'load-balancer' || located.via === 'external-ip';
  if (isTranslated && located.service?.spec?.externalTrafficPolicy !== 'Local') {
    // Policy Cluster masquerades: the pod sees the node that the packets entered by.
    const node = facts.objects.nodes.find((n) => n.metadata.name === located.node) ?? facts.objects.nodes[0];
    const ip = node?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
    return { ip, sameNode: located.node };
  }
  return { ip: local, sameNode: undefined };
}

/** The laptop's own address, as the probe's socket had it. */
export function ownAddress(facts: Facts): string | undefined {
  if (facts.main === undefined || couldNot(facts.main.result)) return undefined;
  return facts.main.result.connects.find((c) => c.localAddress !== undefined)?.localAddress;
}
