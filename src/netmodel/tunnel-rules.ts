// The tunnel table: counts what goes to and comes from each other node's tunnel, and drops tunnelled packets that no node
// sent. Without it, a pod could send packets in anybody's name into the overlay of its own node.
import type { Node } from '#generated/api/core-v1.ts';
import { internalIP, TUNNEL_PORT } from './pod-network.ts';
import { type Element, elementKey, type Field, type FieldType, type Table } from './rules.ts';

export const TUNNEL_TABLE = 'coracle_tunnel';
/** Sets whose elements count, by address of the other node. */
export const TUNNEL_SENT = 'sent_to';
export const TUNNEL_RECEIVED = 'received_from';

const KEY: readonly FieldType[] = ['address', 'inet_proto', 'inet_service'];
const keyOf = (address: Field): Field[] => [address, 'meta l4proto', 'th dport'];

export function tunnelTable(): Table {
  return {
    name: TUNNEL_TABLE,
    sets: [
      { name: TUNNEL_SENT, key: KEY, counter: true },
      { name: TUNNEL_RECEIVED, key: KEY, counter: true },
      { name: 'tunnel_port', key: ['inet_proto', 'inet_service'] },
    ],
    chains: [
      {
        name: 'tunnel_out',
        base: { type: 'filter', hook: 'output', priority: -120 },
        rules: [
          {
            match: [{ is: 'in', key: keyOf('ip daddr'), set: TUNNEL_SENT }],
            actions: [{ do: 'accept' }],
            why: 'to a node',
          },
        ],
      },
      {
        name: 'tunnel_in',
        base: { type: 'filter', hook: 'input', priority: -120 },
        rules: [
          {
            match: [{ is: 'in', key: keyOf('ip saddr'), set: TUNNEL_RECEIVED }],
            actions: [{ do: 'accept' }],
            why: 'from a node',
          },
          {
            match: [{ is: 'in', key: ['meta l4proto', 'th dport'], set: 'tunnel_port' }],
            actions: [{ do: 'count' }, { do: 'drop' }],
            why: 'tunnelled by no node of the cluster',
          },
        ],
      },
    ],
  };
}

export const tunnelPortElement: Element = { set: 'tunnel_port', key: elementKey('udp', TUNNEL_PORT), value: '' };

/** None for a node without an address. */
export function tunnelElements(node: Node | undefined): Element[] {
  const address = node === undefined ? undefined : internalIP(node, 4);
  if (address === undefined) return [];
  return [TUNNEL_SENT, TUNNEL_RECEIVED].map((set) => ({
    set,
    key: elementKey(address, 'udp', TUNNEL_PORT),
    value: '',
  }));
}
