import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseForwarding, parseLinks, parseNeighbours, parseRoutes } from './pod-network-state.ts';

describe('parseRoutes', () => {
  it('reads what ip prints', () => {
    const text =
      '[{"type":"unreachable","dst":"10.244.1.0/24","dev":"lo","flags":[]},{"dst":"10.244.2.0/24","gateway":"192.168.77.2","dev":"eth0","flags":[]},{"dst":"10.244.3.0/24","gateway":"10.244.3.0","dev":"coracle.vxlan","prefsrc":"192.168.77.1","flags":["onlink"]}]';
    assert.deepEqual(parseRoutes(text), [
      { to: '10.244.1.0/24', via: undefined },
      { to: '10.244.2.0/24', via: '192.168.77.2' },
      { to: '10.244.3.0/24', via: '10.244.3.0', onlink: 'coracle.vxlan', source: '192.168.77.1' },
    ]);
    assert.deepEqual(parseRoutes(''), []);
  });
});

describe('parseLinks', () => {
  const eth0 = {
    ifname: 'eth0',
    flags: ['BROADCAST', 'UP', 'LOWER_UP'],
    mtu: 1400,
    address: '12:ee:ff:16:74:31',
    addr_info: [
      { local: '192.168.77.1', prefixlen: 24, scope: 'global' },
      { local: 'fe80::1', prefixlen: 64, scope: 'link' },
    ],
  };
  const tunnel = {
    ifname: 'coracle.vxlan',
    flags: ['BROADCAST', 'MULTICAST'],
    mtu: 1350,
    address: '0a:63:c0:a8:4d:01',
    linkinfo: {
      info_kind: 'vxlan',
      info_data: { id: 1, local: '192.168.77.1', link: 'eth0', port: 4789, learning: false },
    },
    addr_info: [{ local: '192.168.77.1', prefixlen: 32, scope: 'global' }],
  };

  it('finds the link of the node beside the tunnel that has the same address', () => {
    const links = parseLinks(JSON.stringify([{}, tunnel, eth0]), '192.168.77.1');
    assert.deepEqual(links.underlay, { device: 'eth0', mtu: 1400 });
    assert.deepEqual(links.tunnel, {
      name: 'coracle.vxlan',
      id: 1,
      port: 4789,
      local: '192.168.77.1',
      underlay: 'eth0',
      learning: false,
      mac: '0a:63:c0:a8:4d:01',
      mtu: 1350,
      isUp: false,
      addresses: ['192.168.77.1'],
    });
  });

  it('says when there is neither', () => {
    assert.deepEqual(parseLinks(JSON.stringify([eth0]), '192.168.77.9'), { underlay: undefined, tunnel: undefined });
  });
});

describe('parseNeighbours, parseForwarding', () => {
  it('read what ip and bridge print', () => {
    assert.deepEqual(parseNeighbours('[{},{"dst":"10.244.2.0","lladdr":"0a:63:c0:a8:4d:02","state":["PERMANENT"]}]'), [
      { address: '10.244.2.0', mac: '0a:63:c0:a8:4d:02' },
    ]);
    assert.deepEqual(
      parseForwarding('[{"mac":"0a:63:c0:a8:4d:02","dst":"192.168.77.2","flags":["self"],"state":"permanent"}]'),
      [{ mac: '0a:63:c0:a8:4d:02', node: '192.168.77.2' }],
    );
  });
});
