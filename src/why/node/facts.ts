// What only a node can see, read there on demand: a pod's sockets and addresses, rules and their counters, routes, connection
// tracking, foreign firewall rules. Served under the kubelet's own port (path /coracle/v1/facts), so whoever may `get nodes/proxy` may ask.
import type { Cannot } from '../probe/result.ts';

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 4 | 6;
  /** `0.0.0.0`, `::`, `127.0.0.1`, … An IPv6 wildcard that takes IPv4 too has `dual`. */
  readonly address: string;
  readonly dual: boolean;
  readonly port: number;
  /** Program that holds it, when it could be told. */
  readonly program?: string;
  /** Connections that wait to be accepted, and how many may (TCP). */
  readonly backlog?: { readonly waiting: number; readonly limit: number };
}

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly addresses: readonly string[];
  readonly mtu: number | undefined;
  readonly listening: readonly ListeningSocket[];
  /** Established TCP connections, at most 200: local and remote `address:port`. */
  readonly connections: readonly { readonly local: string; readonly remote: string; readonly state: string }[];
  readonly resolvConf: string | undefined;
  /** Rules inside the pod's own namespace that drop or reject: nobody but the pod, or somebody on its node, can have put them there. */
  readonly foreignRules: readonly ForeignRule[];
  /** Routes inside the pod, as `ip route` prints them. */
  readonly routes: readonly string[];
  /** Whether the kernel's policy table holds a profile for its addresses, by direction: it does when a policy selects the pod. */
  readonly policyProfiles: { readonly ingress: boolean; readonly egress: boolean } | undefined;
}

/** A rule that is not Coracle's and drops or rejects. */
export interface ForeignRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly hook: string | undefined;
  /** nft's; for iptables-legacy the rule's place in its chain, from 1; 0 is the chain's own policy. */
  readonly handle: number;
  /** As nft (or iptables-save) prints it, counter included. */
  readonly rule: string;
  readonly packets: number | undefined;
}

export interface RuleCounter {
  /** `table/chain: meaning`. */
  readonly rule: string;
  readonly packets: number;
}

export interface ProgrammedService {
  /** `address:port/protocol`. */
  readonly key: string;
  /** Endpoints that the kernel has for it, `address:port`; empty is "refused". */
  readonly endpoints: readonly string[];
}

export interface NodeFacts {
  readonly node: string;
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
  /** Links with state and MTU, the VXLAN device among them. */
  readonly links: readonly {
    readonly name: string;
    readonly up: boolean;
    readonly mtu: number;
    readonly kind?: string;
  }[];
  /** VXLAN: forwarding and neighbour entries, `mac address`. */
  readonly tunnelEntries: readonly string[];
  readonly conntrack: { readonly count: number; readonly max: number } | undefined;
  readonly counters: readonly RuleCounter[];
  readonly foreignRules: readonly ForeignRule[];
  /** What the kernel's service table holds for the addresses asked for; those that it does not hold are absent. */
  readonly services: readonly ProgrammedService[];
  /** Whether the policy table is there; undefined when rules could not be read. What it holds for a pod stands with the pod. */
  readonly policyEnforced: boolean | undefined;
  readonly pods: readonly PodFacts[];
}

export interface FactsRequest {
  /** Pods whose namespace is looked into. */
  readonly pods: readonly { readonly namespace: string; readonly name: string }[];
  /** `address:port/protocol` to look up in the service table. */
  readonly services: readonly string[];
}

/** Sight of nodes; on clusters that are not Coracle's it cannot. */
export interface NodeSight {
  facts(node: string, request: FactsRequest, signal: AbortSignal): Promise<NodeFacts | Cannot>;
}
