import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  elementCounters,
  foreignRulesOf,
  legacyRulesOf,
  parseMap,
  parseTables,
  programmed,
  ruleCounters,
} from './rules.ts';

const FOREIGN = `table inet filter { # handle 7
	set bad { # handle 9
		type ipv4_addr
		elements = { 192.0.2.1 }
	}

	chain input { # handle 1
		type filter hook input priority filter; policy drop;
		ct state established accept # handle 4
		tcp dport 5432 counter packets 12 bytes 720 reject with tcp reset # handle 5
		tcp dport 80 accept comment "no drop here" # handle 6
		jump extra # handle 10
	}

	chain extra { # handle 2
		ip saddr @bad drop # handle 8
	}
}
`;

describe('foreignRulesOf', () => {
  it('finds what drops or rejects, by table, chain, hook, handle and counter', () => {
    assert.deepEqual(foreignRulesOf(FOREIGN), [
      {
        family: 'inet',
        table: 'filter',
        chain: 'input',
        hook: 'input',
        handle: 0,
        rule: 'policy drop',
        packets: undefined,
      },
      {
        family: 'inet',
        table: 'filter',
        chain: 'input',
        hook: 'input',
        handle: 5,
        rule: 'tcp dport 5432 counter packets 12 bytes 720 reject with tcp reset',
        packets: 12,
      },
      {
        family: 'inet',
        table: 'filter',
        chain: 'extra',
        hook: undefined,
        handle: 8,
        rule: 'ip saddr @bad drop',
        packets: undefined,
      },
    ]);
  });
});

describe('legacyRulesOf', () => {
  it('counts places in a chain from one, over rules that let through as well', () => {
    const text =
      '*filter\n:INPUT DROP [3:180]\n:FORWARD ACCEPT [0:0]\n[1:60] -A INPUT -i lo -j ACCEPT\n[5:300] -A INPUT -p tcp --dport 5432 -j REJECT\nCOMMIT\n';
    assert.deepEqual(
      legacyRulesOf(text, 'ip').map((r) => [r.chain, r.handle, r.packets, r.rule]),
      [
        ['INPUT', 0, 3, 'policy INPUT DROP'],
        ['INPUT', 2, 5, '-A INPUT -p tcp --dport 5432 -j REJECT'],
      ],
    );
  });
});

describe('parseTables', () => {
  it('gives family and name', () =>
    assert.deepEqual(parseTables('table ip coracle_policy\ntable inet filter\n'), [
      { family: 'ip', name: 'coracle_policy' },
      { family: 'inet', name: 'filter' },
    ]));
});

describe('counters', () => {
  it('of elements stand under table, set and key', () => {
    const text =
      'table ip coracle_policy {\n\tset egress_denied {\n\t\ttype ipv4_addr\n\t\tcounter\n\t\telements = { 10.244.0.3 counter packets 4 bytes 240, 10.244.0.9 counter packets 0 bytes 0 }\n\t}\n}\n';
    assert.deepEqual(elementCounters('coracle_policy', 'egress_denied', text), [
      { rule: 'coracle_policy/egress_denied: 10.244.0.3', packets: 4 },
      { rule: 'coracle_policy/egress_denied: 10.244.0.9', packets: 0 },
    ]);
  });

  it('of rules stand under table and chain, with why they are there', () => {
    const text =
      '\tchain reject_it {\n\t\tmeta l4proto tcp counter packets 7 bytes 420 reject with tcp reset comment "no endpoints"\n\t}\n';
    assert.deepEqual(ruleCounters('coracle_services', 'reject_it', text), [
      { rule: 'coracle_services/reject_it: meta l4proto tcp reject with tcp reset (no endpoints)', packets: 7 },
    ]);
  });
});

describe('programmed', () => {
  const json = (elem: readonly unknown[]) =>
    JSON.stringify({ nftables: [{ metainfo: {} }, { map: { name: 'm', elem } }] });
  const concat = (...parts: readonly unknown[]) => ({ concat: parts });
  const maps = {
    cluster_addresses: parseMap(
      json([
        [concat('10.96.0.7', 'tcp', 5432), 2],
        [concat('10.96.0.8', 'tcp', 80), 21],
      ]),
    ),
    node_ports: parseMap(json([[concat('tcp', 30007), 2147483650]])),
    endpoints: parseMap(
      json([
        [concat(2, 0), concat('10.244.1.2', 5432)],
        [concat(2, 1), concat('10.244.0.5', 5432)],
        [concat(21, 0), concat('10.244.0.9', 8080)],
        [concat(2147483650, 0), concat('10.244.1.2', 5432)],
      ]),
    ),
    refused: parseMap(json([[concat('10.96.0.9', 'tcp', 1), { goto: { target: 'reject_it' } }]])),
  };

  for (const [key, isNode, endpoints] of [
    ['10.96.0.7:5432/tcp', false, ['10.244.0.5:5432', '10.244.1.2:5432']],
    ['10.96.0.8:80/TCP', false, ['10.244.0.9:8080']],
    ['10.96.0.9:1/tcp', false, []],
    ['192.0.2.11:30007/tcp', true, ['10.244.1.2:5432']],
    ['192.0.2.11:30007/tcp', false, undefined],
    ['10.96.0.7:5432/udp', false, undefined],
  ] as const) {
    it(`says of ${key}${isNode ? ' on a node' : ''}: ${endpoints === undefined ? 'nothing known' : endpoints.length === 0 ? 'refused' : endpoints.join(' ')}`, () =>
      assert.deepEqual(programmed(key, maps, isNode)?.endpoints, endpoints));
  }

  it('takes what is no output of nft for an empty map', () => assert.equal(parseMap('Error: No such file').size, 0));
});
