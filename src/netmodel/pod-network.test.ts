import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node } from '#generated/api/core-v1.ts';
import {
  linkChanges,
  podMTU,
  routeChanges,
  TUNNEL_DEVICE,
  tunnelMAC,
  type Wiring,
  wiringChanges,
  wiringFaults,
  wiringFor,
} from './pod-network.ts';

const makeNode = (name: string, ips: readonly string[], ...podCIDRs: readonly string[]): Node => ({
  metadata: { name },
  spec: podCIDRs.length === 0 ? {} : { podCIDR: podCIDRs[0]!, podCIDRs },
  status: {
    addresses: [{ type: 'Hostname', address: name }, ...ips.map((address) => ({ type: 'InternalIP', address }))],
  },
});
const one = makeNode('one', ['192.168.77.1'], '10.244.1.0/24');
const two = makeNode('two', ['192.168.77.2'], '10.244.2.0/24');
const underlay = { device: 'eth0', mtu: 1500 };
const base = { nodeName: 'one', nodeIPs: ['192.168.77.1'], underlay } as const;
const nothing: Wiring = { link: undefined, routes: [], neighbours: [], forwarding: [] };
const vxlan = wiringFor({ ...base, mode: 'vxlan' }, [one, two]);
/** Hands out the lines as one text, in the order in which they are told. */
const told = (wanted: Wiring, present: Wiring) => {
  const { link, bridge, ip } = wiringChanges(wanted, present);
  return [...link, ...bridge, ...ip];
};

describe('wiringFor routes', () => {
  it('leads to other nodes and refuses what no pod of ours has', () => {
    assert.deepEqual(wiringFor({ ...base, mode: 'routes' }, [one, two]), {
      ...nothing,
      routes: [
        { to: '10.244.1.0/24', via: undefined },
        { to: '10.244.2.0/24', via: '192.168.77.2' },
      ],
    });
  });

  it('leaves out nodes without range or address', () => {
    const nodes = [makeNode('two', [], '10.244.2.0/24'), makeNode('three', ['192.168.77.3'])];
    assert.deepEqual(wiringFor({ ...base, mode: 'routes' }, nodes), nothing);
    assert.deepEqual({ ...wiringFor({ ...base, mode: 'vxlan' }, nodes), link: undefined }, nothing);
  });

  it('leads each family over the address of that family', () => {
    const both = makeNode('two', ['192.168.77.2', 'fd77::2'], '10.244.2.0/24', 'fd10:2::/64');
    assert.deepEqual(wiringFor({ ...base, mode: 'routes' }, [both]).routes, [
      { to: '10.244.2.0/24', via: '192.168.77.2' },
      { to: 'fd10:2::/64', via: 'fd77::2' },
    ]);
  });
});

describe('wiringFor vxlan', () => {
  it('sends to a next hop in the other range, behind the MAC address that its node has', () => {
    assert.deepEqual(vxlan.routes[1], {
      to: '10.244.2.0/24',
      via: '10.244.2.0',
      onlink: TUNNEL_DEVICE,
      source: '192.168.77.1',
    });
    const [other] = [wiringFor({ ...base, nodeName: 'two', nodeIPs: ['192.168.77.2'], mode: 'vxlan' }, [one, two])];
    assert.deepEqual(vxlan.neighbours, [{ address: '10.244.2.0', mac: other.link!.mac }]);
    assert.deepEqual(vxlan.forwarding, [{ mac: other.link!.mac, node: '192.168.77.2' }]);
  });

  it('carries both families in one tunnel', () => {
    const nodes = [
      makeNode('one', ['192.168.77.1', 'fd77::1'], '10.244.1.0/24', 'fd10:1::/64'),
      makeNode('two', ['192.168.77.2', 'fd77::2'], '10.244.2.0/24', 'fd10:2::/64'),
    ];
    const wiring = wiringFor({ ...base, nodeIPs: ['192.168.77.1', 'fd77::1'], mode: 'vxlan' }, nodes);
    assert.deepEqual(
      wiring.neighbours.map((n) => n.address),
      ['10.244.2.0', 'fd10:2::'],
    );
    assert.equal(wiring.forwarding.length, 1);
    assert.deepEqual(
      wiring.routes.map((r) => r.source),
      [undefined, '192.168.77.1', undefined, 'fd77::1'],
    );
  });

  it('leaves room for the outer headers', () => {
    assert.equal(vxlan.link!.mtu, 1450);
    assert.equal(podMTU('vxlan', { device: 'eth0', mtu: 1400 }), 1350);
    assert.equal(podMTU('routes', { device: 'eth0', mtu: 1400 }), 1400);
  });
});

describe('tunnelMAC', () => {
  it('is a locally administered unicast address, another one for every node', () => {
    const macs = ['192.168.77.1', '192.168.77.2', '10.1.2.255'].map(tunnelMAC);
    assert.equal(new Set(macs).size, 3);
    for (const mac of macs) {
      assert.match(mac, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      assert.equal(Number.parseInt(mac.slice(0, 2), 16) & 3, 2);
    }
  });
});

describe('wiringChanges', () => {
  it('says nothing when all is there', () => {
    assert.deepEqual(told(vxlan, vxlan), []);
  });

  it('makes the device, then entries, then routes', () => {
    assert.deepEqual(told(vxlan, nothing), [
      'link add coracle.vxlan address 0a:63:c0:a8:4d:01 mtu 1450 type vxlan id 1 local 192.168.77.1 dev eth0 dstport 4789 nolearning',
      'link set coracle.vxlan addrgenmode none',
      'addr add 192.168.77.1/32 dev coracle.vxlan',
      'link set coracle.vxlan up',
      'fdb append 0a:63:c0:a8:4d:02 dev coracle.vxlan dst 192.168.77.2 self permanent',
      'neigh replace 10.244.2.0 lladdr 0a:63:c0:a8:4d:02 dev coracle.vxlan nud permanent',
      'route replace unreachable 10.244.1.0/24 proto 153',
      'route replace 10.244.2.0/24 via 10.244.2.0 dev coracle.vxlan onlink src 192.168.77.1 proto 153',
    ]);
  });

  it('takes away what led to a node that is gone', () => {
    const alone = wiringFor({ ...base, mode: 'vxlan' }, [one]);
    assert.deepEqual(told(alone, vxlan), [
      'fdb del 0a:63:c0:a8:4d:02 dev coracle.vxlan dst 192.168.77.2 self',
      'neigh del 10.244.2.0 dev coracle.vxlan',
      'route del 10.244.2.0/24 via 10.244.2.0 dev coracle.vxlan onlink src 192.168.77.1 proto 153',
    ]);
  });

  it('follows a node to its new address', () => {
    const moved = wiringFor({ ...base, mode: 'vxlan' }, [one, makeNode('two', ['192.168.77.9'], '10.244.2.0/24')]);
    assert.deepEqual(told(moved, vxlan), [
      'fdb del 0a:63:c0:a8:4d:02 dev coracle.vxlan dst 192.168.77.2 self',
      'fdb append 0a:63:c0:a8:4d:09 dev coracle.vxlan dst 192.168.77.9 self permanent',
      'neigh replace 10.244.2.0 lladdr 0a:63:c0:a8:4d:09 dev coracle.vxlan nud permanent',
    ]);
  });

  it('removes the device when routes are wanted', () => {
    assert.equal(
      wiringChanges(wiringFor({ ...base, mode: 'routes' }, [one, two]), vxlan).link[0],
      'link del coracle.vxlan',
    );
  });
});

describe('linkChanges', () => {
  const link = vxlan.link!;
  const cases = [
    ['another size', { mtu: 1400 }, ['link set coracle.vxlan mtu 1450']],
    ['down', { isUp: false }, ['link set coracle.vxlan up']],
    [
      'another address',
      { addresses: ['10.0.0.1'] },
      ['addr del 10.0.0.1/32 dev coracle.vxlan', 'addr add 192.168.77.1/32 dev coracle.vxlan'],
    ],
    ['a foreign MAC address', { mac: '0a:00:00:00:00:01' }, ['link set coracle.vxlan address 0a:63:c0:a8:4d:01']],
  ] as const;
  for (const [name, differs, lines] of cases)
    it(`mends ${name}`, () => assert.deepEqual(linkChanges(link, { ...link, ...differs }), lines));

  it('makes the device anew when what cannot be changed differs', () => {
    for (const differs of [
      { port: 8472 },
      { id: 7 },
      { learning: true },
      { underlay: 'eth1' },
      { local: '192.168.77.9' },
    ]) {
      const lines = linkChanges(link, { ...link, ...differs });
      assert.deepEqual(lines.slice(0, 1), ['link del coracle.vxlan']);
      assert.match(lines[1]!, /^link add /);
    }
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

describe('wiringFaults', () => {
  const faults = (present: Partial<Wiring>) =>
    wiringFaults(vxlan, { ...vxlan, ...present }).map(
      (f) => `${f.code}: ${f.what}${f.of === undefined ? '' : ` ${f.of}`}`,
    );
  const refusing = vxlan.routes.filter((r) => r.via === undefined);

  it('finds none where all is there', () => {
    assert.deepEqual(faults({}), []);
  });

  it('tells a broken tunnel from a missing route', () => {
    assert.deepEqual(faults({ link: undefined, routes: refusing }), ['TunnelBroken: no tunnel device']);
    assert.deepEqual(faults({ link: { ...vxlan.link!, isUp: false }, routes: refusing, neighbours: [] }), [
      'TunnelBroken: tunnel device is down',
    ]);
    assert.deepEqual(faults({ link: { ...vxlan.link!, port: 8472 } }), [
      'TunnelBroken: tunnel device is set up otherwise',
    ]);
    assert.deepEqual(faults({ forwarding: [] }), ['TunnelBroken: no forwarding entry 192.168.77.2']);
    assert.deepEqual(faults({ neighbours: [] }), ['TunnelBroken: no neighbour entry 10.244.2.0']);
    assert.deepEqual(faults({ routes: refusing }), ['RouteMissing: no route 10.244.2.0/24']);
    assert.deepEqual(faults({ routes: [...refusing, { to: '10.244.2.0/24', via: '192.168.77.200' }] }), [
      'RouteMissing: another route 10.244.2.0/24',
    ]);
  });

  it('says the commands that put it right', () => {
    assert.deepEqual(wiringFaults(vxlan, { ...vxlan, forwarding: [] })[0]!.repair, [
      'bridge fdb append 0a:63:c0:a8:4d:02 dev coracle.vxlan dst 192.168.77.2 self permanent',
    ]);
    const down = wiringFaults(vxlan, {
      ...vxlan,
      link: { ...vxlan.link!, isUp: false },
      routes: refusing,
      neighbours: [],
    });
    assert.deepEqual(
      down[0]!.repair.map((l) => l.split(' ').slice(0, 3).join(' ')),
      ['ip link set', 'ip neigh replace', 'ip route replace'],
    );
  });
});
