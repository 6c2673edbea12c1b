import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node } from '#generated/api/core-v1.ts';
import { cniConflist, parseRoutes, routeChanges, routesFor } from './routes.ts';

const makeNode = (name: string, ip: string | undefined, podCIDR?: string): Node => ({
  metadata: { name },
  spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
  status: {
    addresses:
      ip === undefined
        ? []
        : [
            { type: 'Hostname', address: name },
            { type: 'InternalIP', address: ip },
          ],
  },
});

describe('routesFor', () => {
  it('leads to other nodes and refuses what no pod of ours has', () => {
    const nodes = [makeNode('one', '192.168.77.1', '10.244.1.0/24'), makeNode('two', '192.168.77.2', '10.244.2.0/24')];
    assert.deepEqual(routesFor('one', nodes), [
      { to: '10.244.1.0/24', via: undefined },
      { to: '10.244.2.0/24', via: '192.168.77.2' },
    ]);
  });

  it('leaves out nodes without range or address', () => {
    assert.deepEqual(
      routesFor('one', [makeNode('two', undefined, '10.244.2.0/24'), makeNode('three', '192.168.77.3')]),
      [],
    );
  });
});

describe('routeChanges', () => {
  const a = { to: '10.244.2.0/24', via: '192.168.77.2' };
  it('adds the missing, removes the stale, leaves the rest', () => {
    const stale = { to: '10.244.9.0/24', via: '192.168.77.9' };
    assert.deepEqual(routeChanges([a, { to: '10.244.1.0/24', via: undefined }], [a, stale]), [
      'route del 10.244.9.0/24 via 192.168.77.9 proto 153',
      'route replace unreachable 10.244.1.0/24 proto 153',
    ]);
  });

  it('replaces a next hop that moved', () => {
    assert.deepEqual(routeChanges([{ ...a, via: '192.168.77.3' }], [a]), [
      'route replace 10.244.2.0/24 via 192.168.77.3 proto 153',
    ]);
  });
});

describe('parseRoutes', () => {
  it('reads what ip prints', () => {
    const text =
      '[{"type":"unreachable","dst":"10.244.1.0/24","dev":"lo","flags":[]},{"dst":"10.244.2.0/24","gateway":"192.168.77.2","dev":"eth0","flags":[]}]';
    assert.deepEqual(parseRoutes(text), [
      { to: '10.244.1.0/24', via: undefined },
      { to: '10.244.2.0/24', via: '192.168.77.2' },
    ]);
    assert.deepEqual(parseRoutes(''), []);
  });
});

describe('cniConflist', () => {
  it('wires pods by ptp, without translation', () => {
    const { plugins } = JSON.parse(cniConflist({ podCIDR: '10.244.1.0/24', mtu: 1450, dataDir: '/run/x' })) as {
      plugins: { type: string; ipMasq: boolean; mtu: number; ipam: { dataDir: string } }[];
    };
    assert.deepEqual(
      plugins.map((p) => [p.type, p.ipMasq, p.mtu, p.ipam.dataDir]),
      [['ptp', false, 1450, '/run/x']],
    );
  });
});
