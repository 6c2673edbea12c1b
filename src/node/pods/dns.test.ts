import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { parseResolvConf } from '#netmodel/resolv-conf.ts';
import { podResolver } from './dns.ts';

const node = parseResolvConf('# of the node\nnameserver 192.0.2.53\nsearch corp.example .\noptions timeout:1\n');
const cluster = { dnsIPs: ['10.96.0.10'], domain: 'cluster.local' };
const of = (spec: object) => podResolver({ metadata: { namespace: 'app' }, spec } as unknown as Pod, cluster, node);

describe('resolver of a pod', () => {
  it('asks the cluster, with the search domains of its namespace before the node’s', () => {
    assert.deepEqual(of({}), {
      servers: ['10.96.0.10'],
      searches: ['app.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'],
      options: ['ndots:5'],
    });
  });

  for (const [title, spec, server] of [
    ['ClusterFirst in the node’s network', { hostNetwork: true }, '192.0.2.53'],
    ['ClusterFirstWithHostNet', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, '10.96.0.10'],
    ['Default', { dnsPolicy: 'Default' }, '192.0.2.53'],
    ['None', { dnsPolicy: 'None', dnsConfig: { nameservers: ['198.51.100.1'] } }, '198.51.100.1'],
  ] as const)
    it(`asks ${server} under ${title}`, () => assert.deepEqual(of(spec).servers, [server]));

  it('adds what dnsConfig says, and its options win', () => {
    const dnsConfig = {
      nameservers: ['198.51.100.1'],
      searches: ['own.example'],
      options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
    };
    const { servers, searches, options } = of({ dnsConfig });
    assert.deepEqual(servers, ['10.96.0.10', '198.51.100.1']);
    assert.equal(searches.at(-1), 'own.example');
    assert.deepEqual(options, ['ndots:2', 'rotate']);
  });
});
