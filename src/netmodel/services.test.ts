import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { servicePorts } from './services.ts';

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
    const [port] = servicePorts(makeService({}), [slice], 'one');
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
          servicePorts(makeService({}), [makeSlice(endpoint('10.244.1.5', 'one', conditions))], 'one')[0]!.internal,
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
    assert.deepEqual(targets(servicePorts(makeService({}), [slice], 'one')[0]!.internal), ['10.244.1.6:15432']);
  });

  it('keeps to the node under policy Local, and drops where only others have endpoints', () => {
    const slice = makeSlice(endpoint('10.244.1.5', 'one'), endpoint('10.244.2.5', 'two'));
    const service = makeService({
      type: 'NodePort',
      internalTrafficPolicy: 'Local',
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'pg', port: 5432, nodePort: 30001 }],
    });
    const at = (node: string) => servicePorts(service, [slice], node)[0]!;
    assert.deepEqual(targets(at('one').internal), ['10.244.1.5:15432']);
    assert.deepEqual(targets(at('two').externalLocal!), ['10.244.2.5:15432']);
    assert.equal(at('three').internal.to, 'drop');
    assert.equal(at('three').externalLocal!.to, 'drop');
    assert.equal(targets(at('three').external).length, 2, 'clients within the cluster reach all');
    assert.equal(servicePorts(service, [], 'one')[0]!.externalLocal!.to, 'reject');
  });

  const none: readonly [string, Service][] = [
    ['headless', makeService({ clusterIP: 'None' })],
    ['ExternalName', makeService({ type: 'ExternalName', externalName: 'db.example.org' })],
    ['of another proxy', makeService({}, { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } })],
  ];
  for (const [name, service] of none)
    it(`has no ports for a service that is ${name}`, () => assert.deepEqual(servicePorts(service, [], 'one'), []));

  it('knows the affinity time, with upstream default', () => {
    assert.equal(servicePorts(makeService({ sessionAffinity: 'ClientIP' }), [], 'one')[0]!.affinitySeconds, 10_800);
    assert.equal(servicePorts(makeService({}), [], 'one')[0]!.affinitySeconds, undefined);
  });

  it('delivers load balancer addresses unless a proxy answers for them', () => {
    const service = {
      ...makeService({ type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: '192.0.2.2', ipMode: 'Proxy' }] } },
    };
    assert.deepEqual(servicePorts(service, [], 'one')[0]!.externalIPs, ['192.0.2.1']);
  });
});
