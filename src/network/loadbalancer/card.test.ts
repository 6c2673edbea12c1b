import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIPRange } from '#base/ip.ts';
import type { Run } from '#host/process.ts';
import { KernelCard } from './card.ts';

const links = [
  { ifname: 'lo', address: '00:00:00:00:00:00', addr_info: [{ local: '127.0.0.1', prefixlen: 8, label: 'lo' }] },
  {
    ifname: 'eth0',
    address: '02:00:00:00:00:0b',
    addr_info: [
      { local: '192.168.77.1', prefixlen: 24, label: 'eth0' },
      { local: '192.168.77.202', prefixlen: 32, label: 'eth0:lb' },
      { local: '192.168.77.203', prefixlen: 32, label: 'eth0' },
      { local: 'fe80::b', prefixlen: 64 },
      { local: 'fd77::11', prefixlen: 128 },
      { local: 'fd77::201', prefixlen: 128 },
    ],
  },
];

const RANGES = ['192.168.77.201-192.168.77.253', 'fd77::201-fd77::253'].map((text) => parseIPRange(text)!);

function makeCard(nodeIP = '192.168.77.1', code = 0) {
  const scripts: string[] = [];
  const run: Run = async (command, args) => {
    if (command === 'ip') return { code: 0, stdout: JSON.stringify(links), stderr: '' };
    scripts.push(args[1]!);
    return { code, stdout: '', stderr: 'RTNETLINK answers' };
  };
  return { card: new KernelCard({ run, nodeIP, ranges: RANGES }), scripts };
}

describe('KernelCard', () => {
  it('knows its addresses by their label and their range', async () => {
    assert.deepEqual(await makeCard().card.held(), ['192.168.77.202', 'fd77::201']);
  });

  it('puts all addresses there in one process, with their lifetime', async () => {
    const { card, scripts } = makeCard();
    await card.hold(['192.168.77.201', '192.168.77.202'], 6);
    await card.hold(['192.168.77.201'], undefined);
    assert.equal(scripts.length, 2);
    assert.match(scripts[0]!, /replace 192\.168\.77\.201\/32 dev eth0 valid_lft 6 label eth0:lb preferred_lft 6\n/);
    assert.match(scripts[0]!, /replace 192\.168\.77\.202\/32 /);
    assert.match(scripts[1]!, /valid_lft forever label eth0:lb preferred_lft forever/);
  });

  it('takes addresses of IPv6 as they are, without waiting for a double', async () => {
    const { card, scripts } = makeCard();
    await card.hold(['fd77::201'], 6);
    await card.drop(['fd77::201']);
    assert.match(scripts[0]!, /address replace fd77::201\/128 dev eth0 valid_lft 6 nodad preferred_lft 0/);
    assert.match(scripts[1]!, /address delete fd77::201\/128 dev eth0/);
  });

  it('starts no process for nothing', async () => {
    const { card, scripts } = makeCard();
    await card.hold([], 6);
    await card.drop([]);
    assert.deepEqual(scripts, []);
  });

  it('tells the neighbours by setting the hardware address to what it is', async () => {
    const { card, scripts } = makeCard();
    await card.announce();
    assert.match(scripts[0]!, /arp_notify .*ndisc_notify; exec ip link set dev eth0 address 02:00:00:00:00:0b$/);
  });

  it('throws when addresses cannot be set, not when one to drop is gone already', async () => {
    const { card } = makeCard('192.168.77.1', 1);
    await assert.rejects(card.hold(['192.168.77.201'], 6), /addresses could not be set: RTNETLINK answers/);
    await card.drop(['192.168.77.201']);
  });

  it('says so when no card has the node’s address', async () => {
    await assert.rejects(
      makeCard('10.9.9.9').card.held(),
      /no card has the node's address 10\.9\.9\.9; there are lo, eth0/,
    );
  });
});
