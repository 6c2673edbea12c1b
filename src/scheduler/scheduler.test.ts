import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import { events, namespaces, nodes, persistentvolumeclaims, pods, storageclasses } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { createScheduler } from './scheduler.ts';
import { makeNode, makePod } from './testing.ts';

/** A scheduler on an API in memory. Merge patches replace lists there, which is all the same for one condition. */
async function setUp() {
  const api = new TestApi();
  const clock = new SteppedClock();
  const random = new SeededRandom(1);
  const client = createClient({
    transport: createInProcessTransport(api.exchange, { name: 'system:kube-scheduler', groups: [] }),
    clock,
    userAgent: 'test/1',
    freeze: true,
  });
  const informers = createInformers({ client, clock, random, log: silentLog }, { freeze: true });
  const recorder = new QueuedEventRecorder(
    { client, clock, random, log: silentLog },
    { component: 'default-scheduler' },
  );
  const metrics = new MetricsRegistry();
  const scheduler = createScheduler({ client, informers, events: recorder, clock, random, log: silentLog, metrics });
  api.put(namespaces, { metadata: { name: 'default' } });
  await informers.start(new AbortController().signal);
  await recorder.start();
  await scheduler.start(new AbortController().signal);
  const get = (name: string) => api.find(pods, `default/${name}`) as Pod | undefined;
  return {
    api,
    clock,
    scheduler,
    put: (pod: Pod) => api.put(pods, pod),
    nodeOf: (name: string) => get(name)?.spec?.nodeName,
    condition: (name: string) => get(name)?.status?.conditions?.find((c) => c.type === 'PodScheduled'),
    nominated: (name: string) => get(name)?.status?.nominatedNodeName,
    told: () => api.all(events).map((e) => `${e.type} ${e.reason} ${e.involvedObject.name}: ${e.message}`),
    bindings: () => api.requests.filter((r) => r.endsWith('/binding')),
    stop: async () => {
      await scheduler.stop();
      await recorder.stop();
      await informers.stop();
    },
  };
}

describe('Scheduler', () => {
  it('binds a pod and says so', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode({ name: 'a' }));
    t.put(makePod({ name: 'web' }));
    await t.clock.step(10);
    assert.equal(t.nodeOf('web'), 'a');
    assert.deepEqual(t.told(), ['Normal Scheduled web: Successfully assigned default/web to a']);
    await t.stop();
  });

  it('leaves pods of other schedulers, gated, finished and going ones alone', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode());
    t.put(makePod({ name: 'other', schedulerName: 'mine' }));
    t.put(makePod({ name: 'gated', schedulingGates: [{ name: 'wait' }] }));
    t.put({ ...makePod({ name: 'done' }), status: { phase: 'Failed' } });
    const going = makePod({ name: 'going' });
    t.put({ ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    await t.clock.step(600_000);
    assert.deepEqual(t.bindings(), []);
    t.put(makePod({ name: 'gated' }));
    await t.clock.step(10);
    assert.equal(t.nodeOf('gated'), 'node-1');
    await t.stop();
  });

  it('tells an unschedulable pod why, and places it as soon as something helps, after its back-off', async () => {
    const t = await setUp();
    t.put(makePod({ name: 'web', cpu: '2' }));
    await t.clock.step(10);
    assert.equal(t.condition('web')?.message, 'no nodes available to schedule pods');
    t.api.put(nodes, makeNode({ name: 'small', cpu: '1' }));
    await t.clock.step(1_000);
    const why =
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
    assert.deepEqual(
      { ...t.condition('web'), lastTransitionTime: '' },
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: why, lastTransitionTime: '' },
    );
    assert.ok(t.told().includes(`Warning FailedScheduling web: ${why}`));
    t.api.put(nodes, makeNode({ name: 'large', cpu: '4' }));
    await t.clock.step(1_000);
    assert.equal(t.nodeOf('web'), undefined);
    await t.clock.step(1_000);
    assert.equal(t.nodeOf('web'), 'large');
    await t.stop();
  });

  it('does not try again for what cannot help, but looks again after five minutes', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode({ name: 'a' }));
    t.put(makePod({ name: 'picky', nodeSelector: { disk: 'ssd' } }));
    await t.clock.step(10);
    const tries = () => t.api.all(events).find((e) => e.reason === 'FailedScheduling')?.count;
    assert.equal(tries(), 1);
    t.api.put(nodes, makeNode({ name: 'b' }));
    t.put(makePod({ name: 'x', nodeName: 'a' }));
    t.api.remove(pods, 'default/x');
    await t.clock.step(100_000);
    assert.equal(tries(), 1);
    await t.clock.step(260_000);
    assert.ok(t.api.all(events).filter((e) => e.reason === 'FailedScheduling').length > 1);
    await t.stop();
  });

  it('never counts room twice while bindings are under way', async () => {
    const t = await setUp();
    for (const name of ['a', 'b', 'c']) t.api.put(nodes, makeNode({ name, cpu: '2' }));
    for (let i = 0; i < 8; i++) t.put(makePod({ name: `p${i}`, cpu: '1' }));
    await t.clock.step(10);
    const placed = Array.from({ length: 8 }, (_, i) => t.nodeOf(`p${i}`));
    assert.equal(placed.filter((n) => n === undefined).length, 2);
    for (const name of ['a', 'b', 'c']) assert.equal(placed.filter((n) => n === name).length, 2);
    t.api.remove(pods, `default/p${placed.indexOf('b')}`);
    await t.clock.step(2_000);
    assert.equal(t.bindings().length, 7);
    await t.stop();
  });

  it('tries again when a binding fails, and gives the room back', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode({ name: 'a', cpu: '1' }));
    let failures = 1;
    t.api.intercept = (r) =>
      r.path.endsWith('/binding') && failures-- > 0
        ? { status: 500, headers: {}, body: Buffer.from('boom') }
        : undefined;
    t.put(makePod({ name: 'web', cpu: '1' }));
    await t.clock.step(10);
    assert.equal(t.condition('web')?.reason, 'SchedulerError');
    await t.clock.step(1_000);
    assert.equal(t.nodeOf('web'), 'a');
    await t.stop();
  });

  it('takes higher priority first', async () => {
    const t = await setUp();
    t.put(makePod({ name: 'low', cpu: '4', priority: 1 }));
    t.put(makePod({ name: 'high', cpu: '4', priority: 9 }));
    await t.clock.step(10);
    t.api.put(nodes, makeNode({ name: 'a' }));
    await t.clock.step(5_000);
    assert.deepEqual([t.nodeOf('high'), t.nodeOf('low')], ['a', undefined]);
    await t.stop();
  });

  it('makes room for a more important pod', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode({ name: 'a' }));
    t.put(makePod({ name: 'low', cpu: '4' }));
    await t.clock.step(10);
    t.put(makePod({ name: 'high', cpu: '4', priority: 100 }));
    await t.clock.step(10);
    assert.equal(t.nominated('high'), 'a');
    assert.ok(t.told().includes('Normal Preempted low: Preempted by pod uid-default-high on node a'));
    assert.ok(t.told().includes('Warning FailedScheduling high: 0/1 nodes are available: 1 Insufficient cpu.'));
    await t.clock.step(2_000);
    assert.deepEqual([t.nodeOf('low'), t.nodeOf('high')], [undefined, 'a']);
    await t.stop();
  });

  it('asks for a claim to be provisioned for the chosen node and binds once it is bound', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode({ name: 'a' }));
    t.api.put(storageclasses, {
      metadata: { name: 'late' },
      provisioner: 'csi.example',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    const claim: PersistentVolumeClaim = {
      metadata: { namespace: 'default', name: 'data' },
      spec: { storageClassName: 'late', resources: { requests: { storage: '1Gi' } } },
      status: { phase: 'Pending' },
    };
    t.api.put(persistentvolumeclaims, claim);
    t.put(makePod({ name: 'db', claims: ['data'] }));
    await t.clock.step(5_000);
    const seen = t.api.find(persistentvolumeclaims, 'default/data')!;
    assert.equal(seen.metadata.annotations?.['volume.kubernetes.io/selected-node'], 'a');
    assert.equal(t.nodeOf('db'), undefined);
    t.api.put(persistentvolumeclaims, {
      ...seen,
      spec: { ...seen.spec, volumeName: 'pv-1' },
      status: { phase: 'Bound' },
    });
    await t.clock.step(10);
    assert.equal(t.nodeOf('db'), 'a');
    await t.stop();
  });

  it('places anew when the provisioner gives the node up', async () => {
    const t = await setUp();
    t.api.put(nodes, makeNode({ name: 'a' }));
    t.api.put(storageclasses, {
      metadata: { name: 'late' },
      provisioner: 'csi.example',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    t.api.put(persistentvolumeclaims, {
      metadata: { namespace: 'default', name: 'data' },
      spec: { storageClassName: 'late' },
      status: { phase: 'Pending' },
    });
    t.put(makePod({ name: 'db', claims: ['data'] }));
    await t.clock.step(100);
    t.api.put(nodes, makeNode({ name: 'a', unschedulable: true }));
    t.api.put(nodes, makeNode({ name: 'b' }));
    const seen = t.api.find(persistentvolumeclaims, 'default/data')!;
    t.api.put(persistentvolumeclaims, { ...seen, metadata: { ...seen.metadata, annotations: {} } });
    await t.clock.step(3_000);
    assert.equal(
      t.api.find(persistentvolumeclaims, 'default/data')!.metadata.annotations?.['volume.kubernetes.io/selected-node'],
      'b',
    );
    await t.stop();
  });

  it('makes the same decisions on the same seed', async () => {
    const run = async () => {
      const t = await setUp();
      for (let i = 0; i < 20; i++) t.api.put(nodes, makeNode({ name: `n${i}` }));
      for (let i = 0; i < 100; i++) t.put(makePod({ name: `p${i}`, cpu: '100m' }));
      await t.clock.step(100);
      const trace = Array.from({ length: 100 }, (_, i) => t.nodeOf(`p${i}`));
      await t.stop();
      return trace;
    };
    const first = await run();
    assert.ok(first.every((n) => n !== undefined));
    assert.deepEqual(await run(), first);
  });
});
