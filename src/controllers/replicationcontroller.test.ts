import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicationController } from '#generated/api/core-v1.ts';
import { pods, replicationcontrollers } from '#generated/resources.ts';
import { replicationController } from './replicationcontroller.ts';
import { makePod, makeReplicaSet, playToRest } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';

const makeController = (replicas: number): ReplicationController => {
  const { template } = makeReplicaSet().spec!;
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas, selector: { app: 'web' }, template: template! },
  };
};

describe('replicationController', () => {
  it('adopts what its selector matches, makes what is missing and reports it', async () => {
    const cluster = new TestCluster();
    await cluster.put(pods, makePod({ name: 'orphan', labels: { app: 'web' }, ready: true }));
    await cluster.put(pods, makePod({ name: 'foreign', labels: { app: 'other' }, ready: true }));
    await cluster.put(replicationcontrollers, makeController(3));
    await cluster.run(replicationController);
    await playToRest(cluster);
    const owners = cluster.list(pods).map((p) => p.metadata.ownerReferences?.[0]);
    assert.deepEqual(owners.map((o) => o?.kind).toSorted(), [
      'ReplicationController',
      'ReplicationController',
      'ReplicationController',
      undefined,
    ]);
    const { replicas, readyReplicas, availableReplicas, observedGeneration, ...rest } = cluster.get(
      replicationcontrollers,
      'default/web',
    )!.status!;
    assert.deepEqual([replicas, readyReplicas, availableReplicas, observedGeneration], [3, 3, 3, 1]);
    // A ReplicaSet's field; this kind has none such.
    assert.ok(!('terminatingReplicas' in rest));
    await cluster.stop();
  });

  it('removes what is too much', async () => {
    const cluster = new TestCluster();
    await cluster.put(replicationcontrollers, makeController(3));
    await cluster.run(replicationController);
    await playToRest(cluster);
    cluster.edit(replicationcontrollers, 'default/web', (rc) => ({ ...rc, spec: { ...rc.spec, replicas: 1 } }));
    await cluster.settle();
    assert.equal(cluster.list(pods).filter((p) => p.metadata.deletionTimestamp === undefined).length, 1);
    await cluster.stop();
  });
});
