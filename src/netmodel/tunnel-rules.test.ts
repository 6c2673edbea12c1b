import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node } from '#generated/api/core-v1.ts';
import { walk } from './packet.ts';
import { TUNNEL_PORT } from './pod-network.ts';
import { tunnelElements, tunnelPortElement, tunnelTable } from './tunnel-rules.ts';

const makeNode = (ip: string): Node => ({ metadata: {}, status: { addresses: [{ type: 'InternalIP', address: ip }] } });

describe('tunnelTable', () => {
  const OWN = '192.168.77.1';
  const OTHER = '192.168.77.2';
  const elements = [tunnelPortElement, ...tunnelElements(makeNode(OTHER)), ...tunnelElements(undefined)];
  const arrives = (src: string, dport: number, protocol: 'udp' | 'tcp' = 'udp') =>
    walk(
      { tables: [{ table: tunnelTable(), elements }], localAddresses: [OWN], primaryAddress: OWN },
      { src, dst: OWN, protocol, dport },
      { from: 'wire' },
    );

  it('lets in what another node tunnelled', () => {
    const { verdict, trace } = arrives(OTHER, TUNNEL_PORT);
    assert.equal(verdict, 'delivered');
    assert.deepEqual(trace, ['tunnel_in: from a node']);
  });

  it('drops what a pod or a stranger tunnelled', () => {
    for (const src of ['10.244.1.5', '192.168.77.100']) {
      assert.equal(arrives(src, TUNNEL_PORT).verdict, 'dropped');
      assert.equal(arrives(src, 53).verdict, 'delivered');
      assert.equal(arrives(src, TUNNEL_PORT, 'tcp').verdict, 'delivered');
    }
  });
});
