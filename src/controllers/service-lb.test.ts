import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import { services } from '#generated/resources.ts';
import { parseIPRange } from '#base/ip.ts';
import { LOAD_BALANCER_CLASS } from '#netmodel/load-balancers.ts';
import { TestCluster } from './runtime/testing.ts';
import { alterations, chooseAddress, serviceLoadBalancerController } from './service-lb.ts';

const makeService = (name: string, spec: Service['spec'] = {}): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { type: 'LoadBalancer', ipFamilies: ['IPv4'], ports: [{ port: 5432 }], ...spec },
});
const addressOf = (cluster: TestCluster, name: string) =>
  cluster
    .get(services, `default/${name}`)
    ?.status?.loadBalancer?.ingress?.map((i) => i.ip)
    .join() ?? '';
const finalizersOf = (cluster: TestCluster, name: string) =>
  cluster.get(services, `default/${name}`)?.metadata.finalizers ?? [];
const said = (cluster: TestCluster, name: string) =>
  cluster.events.filter((e) => e.about === `Service/${name}`).map((e) => `${e.reason}: ${e.message}`);

/** The range of the test cluster has three addresses: .201 to .203. */
async function start(...list: readonly Service[]): Promise<TestCluster> {
  const cluster = new TestCluster();
  for (const service of list) await cluster.put(services, service);
  await cluster.run(serviceLoadBalancerController);
  return cluster;
}

describe('serviceLoadBalancerController', () => {
  it('gives an address with finalizer and events, and takes it back when the service goes', async () => {
    const cluster = await start(makeService('a'));
    assert.deepEqual(cluster.get(services, 'default/a')?.status?.loadBalancer, {
      ingress: [{ ip: '192.0.2.201', ipMode: 'VIP' }],
    });
    assert.deepEqual(finalizersOf(cluster, 'a'), ['service.kubernetes.io/load-balancer-cleanup']);
    assert.deepEqual(said(cluster, 'a'), [
      'EnsuringLoadBalancer: Ensuring load balancer',
      'EnsuredLoadBalancer: Ensured load balancer',
    ]);
    await cluster.client.resource(services).delete('default', 'a');
    await cluster.settle();
    assert.equal(cluster.get(services, 'default/a'), undefined);
    assert.deepEqual(said(cluster, 'a').slice(2), [
      'DeletingLoadBalancer: Deleting load balancer',
      'DeletedLoadBalancer: Deleted load balancer',
    ]);
    await cluster.stop();
  });

  it('never gives one address twice, also before the cache shows the first', async () => {
    const cluster = await start();
    cluster.holdBack(services);
    for (const name of ['a', 'b', 'c']) await cluster.put(services, makeService(name));
    cluster.catchUp();
    await cluster.settle();
    const given = ['a', 'b', 'c'].map((name) => addressOf(cluster, name));
    assert.deepEqual(given.toSorted(), ['192.0.2.201', '192.0.2.202', '192.0.2.203']);
    await cluster.stop();
  });

  it('says when none is left, and gives the next one that becomes free', async () => {
    const cluster = await start(...['a', 'b', 'c', 'd'].map((name) => makeService(name)));
    const without = ['a', 'b', 'c', 'd'].filter((name) => addressOf(cluster, name) === '');
    assert.equal(without.length, 1);
    assert.match(
      said(cluster, without[0]!).at(-1)!,
      /^SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: no address is left in the range 192\.0\.2\.201-192\.0\.2\.203$/,
    );
    const other = without[0] === 'a' ? 'b' : 'a';
    const freed = addressOf(cluster, other);
    await cluster.client.resource(services).delete('default', other);
    await cluster.settle();
    assert.equal(addressOf(cluster, without[0]!), freed);
    await cluster.stop();
  });

  it('keeps addresses over a restart and writes nothing then', async () => {
    const first = await start(makeService('b'), makeService('a'));
    const objects = first.list(services);
    await first.stop();
    const again = new TestCluster();
    for (const { status, metadata, ...rest } of objects) {
      const { name, namespace, finalizers } = metadata;
      await again.put(services, { ...rest, metadata: { name: name!, namespace: namespace!, finalizers: finalizers! } });
      again.edit(services, `${namespace}/${name}`, (s) => ({ ...s, status: status! }));
    }
    again.writes.length = 0;
    await again.run(serviceLoadBalancerController);
    assert.deepEqual(again.writes, []);
    assert.deepEqual(again.events, []);
    await again.stop();
  });

  it('gives the address that is asked for, refuses one of others, and follows a new wish', async () => {
    const cluster = await start(makeService('a', { loadBalancerIP: '192.0.2.203' }));
    assert.equal(addressOf(cluster, 'a'), '192.0.2.203');
    await cluster.put(services, makeService('b', { loadBalancerIP: '192.0.2.203' }));
    await cluster.put(services, makeService('c', { loadBalancerIP: '198.51.100.1' }));
    await cluster.settle();
    assert.match(said(cluster, 'b').at(-1)!, /the requested address 192\.0\.2\.203 is used by another service$/);
    assert.match(said(cluster, 'c').at(-1)!, /the requested address 198\.51\.100\.1 is not in the range/);
    await cluster.put(services, makeService('a', { loadBalancerIP: '192.0.2.202' }));
    await cluster.settle();
    assert.deepEqual([addressOf(cluster, 'a'), addressOf(cluster, 'b')], ['192.0.2.202', '192.0.2.203']);
    assert.ok(said(cluster, 'a').includes('LoadbalancerIP: 192.0.2.203 -> 192.0.2.202'));
    await cluster.stop();
  });

  it('serves its own class and leaves others alone, their finalizers too', async () => {
    const foreign = makeService('theirs', { loadBalancerClass: 'example.com/other' });
    const cluster = await start(makeService('ours', { loadBalancerClass: LOAD_BALANCER_CLASS }), {
      ...foreign,
      metadata: { ...foreign.metadata, finalizers: ['service.kubernetes.io/load-balancer-cleanup'] },
    });
    assert.equal(addressOf(cluster, 'ours'), '192.0.2.201');
    assert.equal(addressOf(cluster, 'theirs'), '');
    await cluster.client.resource(services).delete('default', 'theirs');
    await cluster.settle();
    assert.equal(finalizersOf(cluster, 'theirs').length, 1);
    assert.deepEqual(said(cluster, 'theirs'), []);
    await cluster.stop();
  });

  it('releases when the type changes', async () => {
    const cluster = await start(makeService('a'));
    await cluster.put(services, makeService('a', { type: 'ClusterIP' }));
    await cluster.settle();
    assert.deepEqual([addressOf(cluster, 'a'), finalizersOf(cluster, 'a')], ['', []]);
    assert.deepEqual(said(cluster, 'a').slice(2), [
      'Type: LoadBalancer -> ClusterIP',
      'DeletingLoadBalancer: Deleting load balancer',
      'DeletedLoadBalancer: Deleted load balancer',
    ]);
    await cluster.put(services, makeService('b'));
    await cluster.settle();
    assert.equal(addressOf(cluster, 'b'), '192.0.2.201');
    await cluster.stop();
  });

  it('lets the older of two that show one address keep it', async () => {
    const cluster = new TestCluster();
    for (const name of ['old', 'new']) {
      await cluster.put(services, makeService(name));
      cluster.edit(services, `default/${name}`, (s) => ({
        ...s,
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.201' }] } },
      }));
      await cluster.settle(2_000);
    }
    await cluster.run(serviceLoadBalancerController);
    assert.deepEqual([addressOf(cluster, 'old'), addressOf(cluster, 'new')], ['192.0.2.201', '192.0.2.202']);
    await cluster.stop();
  });
});

describe('alterations', () => {
  const base = makeService('a', { externalTrafficPolicy: 'Cluster' });
  const cases: readonly [string, Service['spec'], readonly string[]][] = [
    ['nothing', {}, []],
    ['the ranges', { loadBalancerSourceRanges: ['10.0.0.0/8', '192.0.2.0/24'] }, ['[] -> [10.0.0.0/8 192.0.2.0/24]']],
    ['the policy', { externalTrafficPolicy: 'Local', healthCheckNodePort: 30001 }, ['Cluster -> Local']],
    ['the ports', { ports: [{ port: 1 }] }, ['']],
    ['the type', { type: 'NodePort' }, ['LoadBalancer -> NodePort']],
  ];
  for (const [name, spec, want] of cases)
    it(`tells of ${name}`, () =>
      assert.deepEqual(
        alterations(base, { ...base, spec: { ...base.spec, ...spec } }).map((a) => a.message),
        want,
      ));
});

describe('chooseAddress', () => {
  const range = parseIPRange('192.0.2.1-192.0.2.3')!;
  it('prefers what the service has, unless that is outside the range or somebody else’s', () => {
    assert.deepEqual(chooseAddress(range, new Set(), ['192.0.2.3'], undefined), { ip: '192.0.2.3' });
    assert.deepEqual(chooseAddress(range, new Set(), ['198.51.100.9'], undefined), { ip: '192.0.2.1' });
    assert.deepEqual(chooseAddress(range, new Set(['192.0.2.3']), ['192.0.2.3'], undefined), { ip: '192.0.2.1' });
  });
});
