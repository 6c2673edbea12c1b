import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pods, replicasets } from '#generated/resources.ts';
import { StatusError } from '#machinery/status.ts';
import { podsToDelete, replicaSetController } from './replicaset.ts';
import { makePod, makeReplicaSet, playToRest } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';

const NOW = Date.UTC(2026, 0, 2);

describe('podsToDelete', () => {
  const base = { node: 'node-1', ready: true };
  for (const [condition, goesFirst, stays] of [
    ['one is not placed', makePod({ name: 'a', phase: 'Pending' }), makePod({ name: 'b', node: 'node-1' })],
    [
      'one is pending',
      makePod({ name: 'a', node: 'n', phase: 'Pending' }),
      makePod({ name: 'b', node: 'n', phase: 'Running' }),
    ],
    ['one is not ready', makePod({ name: 'a', node: 'n', phase: 'Running' }), makePod({ name: 'b', ...base })],
    [
      'one costs less',
      makePod({ name: 'a', ...base, annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } }),
      makePod({ name: 'b', ...base }),
    ],
  ] as const) {
    it(`takes the cheaper pod when ${condition}`, () => {
      assert.deepEqual(
        podsToDelete([stays, goesFirst], 1, [], NOW).map((p) => p.metadata.name),
        ['a'],
      );
    });
  }

  it('takes from the crowded node first', () => {
    const crowded = [makePod({ name: 'a', ...base }), makePod({ name: 'b', ...base })];
    const alone = makePod({ name: 'c', node: 'node-2', ready: true });
    const [first] = podsToDelete([alone, ...crowded], 1, [alone, ...crowded], NOW);
    assert.equal(first!.spec!.nodeName, 'node-1');
  });
});

describe('ReplicaSetReconciler', () => {
  it('makes the pods that are missing and reports them', async () => {
    const cluster = new TestCluster();
    await cluster.put(replicasets, makeReplicaSet());
    await cluster.run(replicaSetController);
    await playToRest(cluster);
    assert.equal(cluster.list(pods).length, 3);
    const { replicas, readyReplicas, availableReplicas, observedGeneration } = cluster.get(replicasets, 'default/web')!
      .status!;
    assert.deepEqual(
      { replicas, readyReplicas, availableReplicas, observedGeneration },
      { replicas: 3, readyReplicas: 3, availableReplicas: 3, observedGeneration: 1 },
    );
    assert.match(cluster.events[0]!.message, /^Created pod: web-/);
    await cluster.stop();
  });

  it('makes no pod twice while its cache lags', async () => {
    const cluster = new TestCluster();
    await cluster.run(replicaSetController);
    cluster.holdBack(pods);
    await cluster.put(replicasets, makeReplicaSet());
    await cluster.settle();
    // Touching the set wakes the reconciler on a cache without its pods.
    cluster.edit(replicasets, 'default/web', (s) => ({
      ...s,
      metadata: { ...s.metadata, annotations: { touched: 'yes' } },
    }));
    await cluster.settle();
    cluster.catchUp();
    await cluster.settle(1000);
    assert.equal(cluster.writes.filter((w) => w.startsWith('create pods')).length, 3);
    await cluster.stop();
  });

  it('adopts matching orphans and releases pods that stopped matching', async () => {
    const cluster = new TestCluster();
    await cluster.put(pods, makePod({ name: 'orphan', labels: { app: 'web' }, ready: true }));
    await cluster.put(replicasets, makeReplicaSet({ replicas: 1 }));
    await cluster.run(replicaSetController);
    assert.equal(cluster.list(pods).length, 1);
    assert.equal(cluster.get(pods, 'default/orphan')!.metadata.ownerReferences?.[0]?.name, 'web');
    cluster.edit(pods, 'default/orphan', (p) => ({ ...p, metadata: { ...p.metadata, labels: { app: 'other' } } }));
    await cluster.settle();
    assert.deepEqual(cluster.get(pods, 'default/orphan')!.metadata.ownerReferences, []);
    assert.equal(cluster.list(pods).length, 2);
    await cluster.stop();
  });

  it('reports a refused pod as ReplicaFailure and tries only one at first', async () => {
    const cluster = new TestCluster();
    cluster.refuse = (verb, resource) =>
      verb === 'create' && resource === 'pods'
        ? StatusError.forbidden({ resource: 'pods' }, '', 'exceeded quota')
        : undefined;
    await cluster.put(replicasets, makeReplicaSet({ replicas: 50 }));
    await cluster.run(replicaSetController);
    const [condition] = cluster.get(replicasets, 'default/web')!.status!.conditions!;
    assert.equal(condition!.type, 'ReplicaFailure');
    assert.equal(condition!.reason, 'FailedCreate');
    cluster.refuse = () => undefined;
    await cluster.settle(5000);
    assert.equal(cluster.list(pods).length, 50);
    assert.equal(cluster.get(replicasets, 'default/web')!.status!.conditions, undefined);
    await cluster.stop();
  });

  it('waits minReadySeconds before it calls a pod available', async () => {
    const cluster = new TestCluster();
    await cluster.put(replicasets, makeReplicaSet({ replicas: 1, minReadySeconds: 10 }));
    await cluster.run(replicaSetController);
    await playToRest(cluster);
    assert.equal(cluster.get(replicasets, 'default/web')!.status!.availableReplicas, 0);
    await cluster.clock.step(11_000);
    assert.equal(cluster.get(replicasets, 'default/web')!.status!.availableReplicas, 1);
    await cluster.stop();
  });
});
