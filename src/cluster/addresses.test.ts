import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatCIDR, parseCIDR } from '#base/ip.ts';
import type { Run } from '#host/process.ts';
import type { ClusterConfig } from './config.ts';
import {
  checkLoadBalancerRange,
  loadBalancerRange,
  loadBalancerRanges,
  machineAddress,
  MAX_NODES,
  machineRanges,
  nodeAddress,
  pickNodeNetwork,
  type RoutedRange,
  refuseCollisions,
  switchAddress,
} from './addresses.ts';

const cidr = (text: string) => parseCIDR(text)!;
const routed = (text: string, device = 'eth0'): RoutedRange => ({ cidr: cidr(text), device });

describe('machineRanges', () => {
  it('gives what the machine routes, without the default route, broadcasts and the loopback', async () => {
    const routes = [
      { dst: 'default', dev: 'eth0' },
      { dst: '192.0.2.0/24', dev: 'eth0' },
      { dst: '192.0.2.7', dev: 'eth0', type: 'local' },
      { dst: '192.0.2.255', dev: 'eth0', type: 'broadcast' },
      { dst: '127.0.0.0/8', dev: 'lo', type: 'local' },
      { dst: '10.9.0.0/16', type: 'blackhole' },
    ];
    const run: Run = async () => ({ code: 0, stdout: JSON.stringify(routes), stderr: '' });
    const ranges = await machineRanges(run);
    assert.deepEqual(
      ranges.map((r) => `${formatCIDR(r.cidr)} ${r.device}`),
      ['192.0.2.0/24 eth0', '192.0.2.7/32 eth0', '10.9.0.0/16 blackhole'],
    );
  });
});

describe('pickNodeNetwork', () => {
  it('takes the article’s network where it is free', () =>
    assert.equal(formatCIDR(pickNodeNetwork([], [])), '192.168.10.0/24'));

  it('passes over what the machine routes and what is reserved', () => {
    assert.equal(
      formatCIDR(pickNodeNetwork([routed('192.168.10.0/24')], [cidr('192.168.11.0/24')])),
      '192.168.12.0/24',
    );
  });

  it('goes elsewhere when a home network takes all of 192.168', () =>
    assert.equal(formatCIDR(pickNodeNetwork([routed('192.168.0.0/16')], [])), '172.31.0.0/24'));

  it('says so when nothing is free', () =>
    assert.throws(() => pickNodeNetwork([routed('192.168.0.0/16'), routed('172.16.0.0/12')], []), /no free \/24/));
});

describe('refuseCollisions', () => {
  const pods = { option: '--pod-cidr', text: '10.244.0.0/16' };

  it('names the route that a range collides with', () => {
    assert.throws(
      () => refuseCollisions([pods], [routed('10.0.0.0/8', 'vpn0')]),
      /--pod-cidr 10.244.0.0\/16 collides with 10.0.0.0\/8, which this machine routes through vpn0/,
    );
  });

  it('names two ranges that overlap', () => {
    assert.throws(
      () => refuseCollisions([pods, { option: '--service-cidr', text: '10.244.128.0/20' }], []),
      /--service-cidr 10.244.128.0\/20 overlaps --pod-cidr 10.244.0.0\/16/,
    );
  });

  it('lets clusters have equal ranges', () => refuseCollisions([pods], [routed('10.244.0.0/16', 'crc0badcafe')]));
});

describe('addresses on the node network', () => {
  it('are the article’s', () => {
    const network = cidr('192.168.10.0/24');
    assert.deepEqual(
      [machineAddress(network), nodeAddress(network, 1), nodeAddress(network, 3), switchAddress(network)],
      ['192.168.10.1', '192.168.10.11', '192.168.10.13', '192.168.10.254'],
    );
  });
});

describe('checkLoadBalancerRange', () => {
  const network = cidr('192.168.10.0/24');
  it('leaves nodes, switch and machine their addresses', () => {
    assert.equal(nodeAddress(network, MAX_NODES), '192.168.10.200');
    assert.equal(loadBalancerRange(network), '192.168.10.201-192.168.10.253');
  });
  for (const good of ['192.168.10.201-192.168.10.253', '192.168.10.240/29', '192.168.10.253'])
    it(`takes ${good}`, () => assert.equal(checkLoadBalancerRange(good, network), good));
  for (const bad of ['192.168.10.200-192.168.10.210', '192.168.10.240-192.168.10.254', '192.168.11.210/32', 'x'])
    it(`refuses ${bad}`, () =>
      assert.throws(() => checkLoadBalancerRange(bad, network), /within 192\.168\.10\.201-192\.168\.10\.253/));
});

describe('loadBalancerRanges', () => {
  const config = { disabled: [] as readonly string[], nodeCIDR: '192.168.10.0/24' };
  const ipv6 = { nodeCIDR: 'fd12:3456::/64' } as NonNullable<ClusterConfig['ipv6']>;
  it('are one a family, the user’s where there is one', () => {
    assert.deepEqual(loadBalancerRanges(config), ['192.168.10.201-192.168.10.253']);
    assert.deepEqual(loadBalancerRanges({ ...config, loadBalancerRange: '192.168.10.240/29', ipv6 }), [
      '192.168.10.240/29',
      'fd12:3456::201-fd12:3456::253',
    ]);
  });
  it('are none where somebody else gives addresses', () =>
    assert.deepEqual(loadBalancerRanges({ ...config, disabled: ['loadbalancer'] }), []));
});
