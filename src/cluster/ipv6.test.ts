import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from './errors.ts';
import {
  IPV6_DEFAULTS,
  makeIPv6Config,
  maxNodesIPv6,
  nodeIPs,
  parseFamilies,
  parseRanges,
  refuseTakenNetwork,
} from './ipv6.ts';
import { parseCIDR } from '#base/ip.ts';

describe('parseFamilies', () => {
  it('takes one family or both', () => {
    assert.deepEqual(parseFamilies('ipv4'), ['ipv4']);
    assert.deepEqual(parseFamilies('ipv4,ipv6'), ['ipv4', 'ipv6']);
    for (const text of ['ipv6', 'ipv6,ipv4', '', 'both'])
      assert.throws(() => parseFamilies(text), /--ip-families knows ipv4 and ipv4,ipv6/);
  });
});

describe('parseRanges', () => {
  it('gives canonical texts by family', () => {
    assert.deepEqual(parseRanges('--pod-cidr', '10.1.2.3/16'), { ipv4: '10.1.0.0/16' });
    assert.deepEqual(parseRanges('--pod-cidr', '10.1.0.0/16,FD00:1::5/56'), {
      ipv4: '10.1.0.0/16',
      ipv6: 'fd00:1::/56',
    });
  });
  for (const text of ['fd00::/56', 'fd00::/56,10.1.0.0/16', '', '10.1.0.0'])
    it(`refuses "${text}": IPv4 comes first`, () =>
      assert.throws(() => parseRanges('--pod-cidr', text), /--pod-cidr wants an IPv4 range/));
  for (const text of ['10.1.0.0/16,', '10.1.0.0/16,10.2.0.0/16', '10.1.0.0/16,fd00::/56,fd01::/56'])
    it(`refuses "${text}": IPv6 comes behind the comma`, () =>
      assert.throws(() => parseRanges('--pod-cidr', text), /--pod-cidr wants an IPv6 range .* behind the comma/));
});

describe('makeIPv6Config', () => {
  const ipv6 = makeIPv6Config('00e59054', {});
  it('makes a node network out of the cluster’s id', () => {
    assert.deepEqual(ipv6, {
      ...IPV6_DEFAULTS,
      nodeCIDR: 'fdc0:e5:9054::/64',
      machineIP: 'fdc0:e5:9054::1',
      switchIP: 'fdc0:e5:9054::254',
    });
    assert.notEqual(makeIPv6Config('00e59055', {}).nodeCIDR, ipv6.nodeCIDR);
  });

  it('gives a node the number that its other address has', () => {
    assert.deepEqual(nodeIPs({ ipv6 }, { ip: '192.168.10.11' }), ['192.168.10.11', 'fdc0:e5:9054::11']);
    assert.deepEqual(nodeIPs({}, { ip: '192.168.10.11' }), ['192.168.10.11']);
  });

  it('knows how many nodes have room', () => {
    assert.equal(maxNodesIPv6(ipv6), 256);
    assert.equal(maxNodesIPv6(makeIPv6Config('00000000', { podCIDR: 'fd00::/63' })), 2);
  });

  it('refuses ranges that do not fit', () => {
    for (const podCIDR of ['fd00::/40', 'fd00::/72'])
      assert.throws(() => makeIPv6Config('00000000', { podCIDR }), /--pod-cidr .* does not fit/);
    for (const serviceCIDR of ['fd00::/64', 'fd00::/124'])
      assert.throws(() => makeIPv6Config('00000000', { serviceCIDR }), /--service-cidr .* does not fit/);
  });

  it('refuses a node network that the machine routes', () => {
    const taken = (text: string) => [{ cidr: parseCIDR(text)!, device: 'eth0' }];
    assert.throws(() => refuseTakenNetwork(ipv6, taken('fdc0:e5::/32')), UsageError);
    refuseTakenNetwork(ipv6, taken('fd00::/64'));
  });
});
