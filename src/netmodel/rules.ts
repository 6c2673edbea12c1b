// The nftables model: tables with sets, maps and chains as data. The same data is rendered for the kernel (render.ts)
// and walked with virtual packets (packet.ts), so that what is tested is what runs. A chain's rules never change
// while a node runs: services, endpoints, pods and policies come and go as elements (elements.ts).

import type { Family } from './family.ts';

/** `address` is one of the table's family. */
export type FieldType = 'address' | 'classid' | 'inet_proto' | 'inet_service' | 'mark';

export interface SetDeclaration {
  readonly name: string;
  readonly key: readonly FieldType[];
  /** Absent for a plain set. */
  readonly value?: 'verdict' | readonly FieldType[];
  /** Elements may be ranges (`10.0.0.0-10.0.0.255`, `80-90`). They must not overlap. */
  readonly interval?: true;
  /** Every element counts its packets. */
  readonly counter?: true;
  /** Filled by rules, not by us; entries age. */
  readonly learned?: { readonly size: number };
}

/** `ip …` is of the packet's family. */
export type Field = 'ip saddr' | 'ip daddr' | 'meta l4proto' | 'th dport' | 'meta mark' | 'ct mark' | 'meta priority';

export type Match =
  | { readonly is: 'in' | 'not in'; readonly key: readonly Field[]; readonly set: string }
  /** The address belongs to this node. */
  | { readonly is: 'local' | 'not local'; readonly field: 'saddr' | 'daddr' }
  | { readonly is: 'ct state'; readonly states: readonly ('new' | 'established' | 'related')[] }
  | { readonly is: 'dnatted' }
  | { readonly is: 'ct mark bit'; readonly mask: number }
  | { readonly is: 'proto'; readonly protocols: readonly Protocol[] }
  | { readonly is: 'within' | 'outside'; readonly field: 'ip saddr' | 'ip daddr'; readonly cidr: string }
  | { readonly is: 'not from loopback' }
  /** What IPv6 has in place of ARP: without it no packet finds its way. */
  | { readonly is: 'neighbour discovery' }
  /** From a pod's own link, and there is no way back to the sender through it: what rp_filter tells for IPv4. */
  | { readonly is: 'foreign sender' };

export type Action =
  | { readonly do: 'accept' | 'drop' | 'return' | 'masquerade' | 'reject' | 'count' }
  | { readonly do: 'goto' | 'jump'; readonly chain: string }
  /** The verdict that the map holds for the key; no entry: the rule ends. */
  | { readonly do: 'verdict'; readonly key: readonly Field[]; readonly map: string }
  /** Takes the mark from a map; no entry: the rule ends and later actions are skipped. */
  | {
      readonly do: 'mark';
      readonly mark: 'meta mark' | 'ct mark';
      readonly key: readonly Field[];
      readonly map: string;
    }
  | { readonly do: 'random'; readonly below: number }
  /** A number for the sender into `meta priority`: what learned maps have in place of an address that is too long for them. */
  | { readonly do: 'hash sender' }
  /** Keeps `meta mark` in a learned map for as long. */
  | { readonly do: 'remember'; readonly key: readonly Field[]; readonly map: string; readonly seconds: number }
  | { readonly do: 'dnat'; readonly key: readonly Field[]; readonly map: string };

export interface Rule {
  readonly match?: readonly Match[];
  readonly actions: readonly Action[];
  /** For people and for the explainer: what this rule means. */
  readonly why?: string;
}

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

export interface Chain {
  readonly name: string;
  /** Only base chains have one. */
  readonly base?: { readonly type: 'nat' | 'filter'; readonly hook: Hook; readonly priority: number };
  readonly rules: readonly Rule[];
}

export interface Table {
  readonly name: string;
  /** Absent: 4. */
  readonly family?: Family;
  readonly sets: readonly SetDeclaration[];
  readonly chains: readonly Chain[];
}

export type Protocol = 'tcp' | 'udp' | 'sctp';
export const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];

/** Key fields joined as nft writes them; the text is also the identity of an element. */
export function elementKey(...fields: readonly (string | number)[]): string {
  return fields.join(' . ');
}

/** One element of a set or map; `value` is '' in a plain set. */
export interface Element {
  readonly set: string;
  readonly key: string;
  readonly value: string;
}

/** What one transaction does to the elements of one table; deletions come first. */
export interface ElementChanges {
  readonly table: string;
  /** The table's; absent: 4. */
  readonly family?: Family;
  readonly remove: readonly Element[];
  readonly add: readonly Element[];
}
