import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { countLocalEndpoints, nodesWithEndpoints, servicePorts } from './services.ts';

const one = { name: 'one', zone: 'a' };
const makeService = (spec: Service['spec'], metadata: object = {}): Service => ({
  metadata: { namespace: 'db', name: 'postgres', ...metadata },
  spec: { type: 'ClusterIP', clusterIP: '10.96.42.7', ports: [{ name: 'pg', port: 5432 }], ...spec },
});
const endpoint = (ip: string, nodeName: string, conditions: object = { ready: true }) => ({
  addresses: [ip],
  nodeName,
  conditions,
});
const makeSlice = (...endpoints: ReturnType<typeof endpoint>[]): EndpointSlice => ({
  metadata: { namespace: 'db', name: 'postgres-1' },
  addressType: 'IPv4',
  ports: [{ name: 'pg', port: 15432, protocol: 'TCP' }],
  endpoints,
});
const targets = (d: { readonly to: string; readonly targets?: readonly { ip: string; port: number }[] }) =>
  d.targets?.map((t) => `${t.ip}:${t.port}`) ?? d.to;

describe('servicePorts', () => {
  it('takes ready endpoints with the port of the slice', () => {
    const slice = makeSlice(endpoint('10.244.1.5', 'one'), endpoint('10.244.2.5', 'two', { ready: false }));
    const [port] = servicePorts(makeService({}), [slice], one);
    assert.equal(port!.key, 'db/postgres:pg');
    assert.deepEqual(targets(port!.internal), ['10.244.1.5:15432']);
  });

  const fallbacks = [
    {
      name: 'serving while terminating counts when nothing is ready',
      conditions: { ready: false, serving: true, terminating: true },
      want: ['10.244.1.5:15432'],
    },
    {
      name: 'terminating without serving never counts',
      conditions: { ready: false, serving: false, terminating: true },
      want: 'reject',
    },
    { name: 'serving but not ready never counts', conditions: { ready: false, serving: true }, want: 'reject' },
    { name: 'unset conditions mean ready', conditions: {}, want: ['10.244.1.5:15432'] },
  ];
  for (const { name, conditions, want } of fallbacks) {
    it(`says: ${name}`, () => {
      assert.deepEqual(
        targets(
          servicePorts(makeService({}), [makeSlice(endpoint('10.244.1.5', 'one', conditions))], one)[0]!.internal,
        ),
        want,
      );
    });
  }

  it('prefers ready endpoints over terminating ones', () => {
    const slice = makeSlice(
      endpoint('10.244.1.5', 'one', { ready: false, serving: true, terminating: true }),
      endpoint('10.244.1.6', 'one'),
    );
    assert.deepEqual(targets(servicePorts(makeService({}), [slice], one)[0]!.internal), ['10.244.1.6:15432']);
  });

  it('keeps to the node under policy Local, and drops where only others have endpoints', () => {
    const slice = makeSlice(endpoint('10.244.1.5', 'one'), endpoint('10.244.2.5', 'two'));
    const service = makeService({
      type: 'NodePort',
      internalTrafficPolicy: 'Local',
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'pg', port: 5432, nodePort: 30001 }],
    });
    const at = (node: string) => servicePorts(service, [slice], { name: node })[0]!;
    assert.deepEqual(targets(at('one').internal), ['10.244.1.5:15432']);
    assert.deepEqual(targets(at('two').externalLocal!), ['10.244.2.5:15432']);
    assert.equal(at('three').internal.to, 'drop');
    assert.equal(at('three').externalLocal!.to, 'drop');
    assert.equal(targets(at('three').external).length, 2, 'clients within the cluster reach all');
    assert.equal(servicePorts(service, [], one)[0]!.externalLocal!.to, 'reject');
  });

  const none: readonly [string, Service][] = [
    ['headless', makeService({ clusterIP: 'None' })],
    ['ExternalName', makeService({ type: 'ExternalName', externalName: 'db.example.org' })],
    ['of another proxy', makeService({}, { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } })],
  ];
  for (const [name, service] of none)
    it(`has no ports for a service that is ${name}`, () => assert.deepEqual(servicePorts(service, [], one), []));

  it('knows the affinity time, with upstream default', () => {
    assert.equal(servicePorts(makeService({ sessionAffinity: 'ClientIP' }), [], one)[0]!.affinitySeconds, 10_800);
    assert.equal(servicePorts(makeService({}), [], one)[0]!.affinitySeconds, undefined);
  });

  it('delivers load balancer addresses unless a proxy answers for them', () => {
    const service = {
      ...makeService({ type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: '192.0.2.2', ipMode: 'Proxy' }] } },
    };
    assert.deepEqual(servicePorts(service, [], one)[0]!.externalIPs, ['192.0.2.1']);
  });

  it('reads the ranges of the field, else of the annotation, else none', () => {
    const annotation = { 'service.beta.kubernetes.io/load-balancer-source-ranges': '198.51.100.0/24, 203.0.113.7/32' };
    const ranges = (spec: Service['spec'], metadata = {}) =>
      servicePorts(makeService({ type: 'LoadBalancer', ...spec }, metadata), [], one)[0]!.sourceRanges;
    assert.deepEqual(ranges({ loadBalancerSourceRanges: ['10.0.0.1/8'] }, { annotations: annotation }), ['10.0.0.0/8']);
    assert.deepEqual(ranges({}, { annotations: annotation }), ['198.51.100.0/24', '203.0.113.7/32']);
    assert.equal(ranges({}), undefined);
    assert.deepEqual(ranges({ loadBalancerSourceRanges: ['2001:db8::/32'] }), []);
  });

  describe('hints', () => {
    const hinted = (ip: string, zones: string[], nodeNames: string[] = [], conditions: object = { ready: true }) => ({
      ...endpoint(ip, 'elsewhere', conditions),
      hints: { forZones: zones.map((name) => ({ name })), forNodes: nodeNames.map((name) => ({ name })) },
    });
    const cases: readonly [string, ReturnType<typeof hinted>[], { name: string; zone?: string }, string[]][] = [
      [
        'the zone has some',
        [hinted('1.1.1.1', ['a']), hinted('1.1.1.2', ['b'])],
        { name: 'n', zone: 'a' },
        ['1.1.1.1'],
      ],
      ['the zone has none', [hinted('1.1.1.1', ['a'])], { name: 'n', zone: 'c' }, ['1.1.1.1']],
      [
        'the node has no zone',
        [hinted('1.1.1.1', ['a']), hinted('1.1.1.2', ['b'])],
        { name: 'n' },
        ['1.1.1.1', '1.1.1.2'],
      ],
      [
        'one has no hint',
        [hinted('1.1.1.1', ['a']), hinted('1.1.1.2', [])],
        { name: 'n', zone: 'a' },
        ['1.1.1.1', '1.1.1.2'],
      ],
      [
        'what has no hint is not ready',
        [hinted('1.1.1.1', ['a']), hinted('1.1.1.2', ['b']), hinted('1.1.1.3', [], [], { ready: false })],
        { name: 'n', zone: 'b' },
        ['1.1.1.2'],
      ],
      [
        'the node has one',
        [hinted('1.1.1.1', ['a'], ['n']), hinted('1.1.1.2', ['a'], ['m'])],
        { name: 'n', zone: 'a' },
        ['1.1.1.1'],
      ],
      [
        'the node has none, its zone has',
        [hinted('1.1.1.1', ['a'], ['m']), hinted('1.1.1.2', ['b'], ['o'])],
        { name: 'n', zone: 'b' },
        ['1.1.1.2'],
      ],
      [
        'none is ready and one still serves',
        [hinted('1.1.1.1', ['b'], [], { ready: false, serving: true, terminating: true })],
        { name: 'n', zone: 'a' },
        ['1.1.1.1'],
      ],
    ];
    for (const [name, endpoints, node, want] of cases)
      it(`choose rightly when ${name}`, () => {
        const [port] = servicePorts(makeService({}), [makeSlice(...endpoints)], node);
        assert.deepEqual(
          targets(port!.internal),
          want.map((ip) => `${ip}:15432`),
        );
      });

    it('mean nothing to policy Local', () => {
      const slice = makeSlice({ ...hinted('1.1.1.1', ['b']), nodeName: 'one' }, hinted('1.1.1.2', ['a']));
      const [port] = servicePorts(makeService({ internalTrafficPolicy: 'Local' }), [slice], one);
      assert.deepEqual(targets(port!.internal), ['1.1.1.1:15432']);
    });
  });
});

describe('countLocalEndpoints', () => {
  it('counts ready addresses of the node once', () => {
    const again = { ...makeSlice(endpoint('10.244.1.5', 'one')), ports: [{ name: 'x', port: 1 }] };
    const all = makeSlice(
      endpoint('10.244.1.5', 'one'),
      endpoint('10.244.1.6', 'one', { ready: false }),
      endpoint('10.244.2.5', 'two'),
    );
    assert.deepEqual([countLocalEndpoints([all, again], 'one'), countLocalEndpoints([all], 'three')], [1, 0]);
  });
});

describe('nodesWithEndpoints', () => {
  it('names nodes with ready endpoints, and only without any those that still serve', () => {
    const leaving = endpoint('10.244.1.5', 'one', { ready: false, serving: true, terminating: true });
    assert.deepEqual([...nodesWithEndpoints([makeSlice(leaving, endpoint('10.244.2.5', 'two'))])], ['two']);
    assert.deepEqual([...nodesWithEndpoints([makeSlice(leaving)])], ['one']);
  });
});
