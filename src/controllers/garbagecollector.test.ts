import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configmaps, pods, replicasets } from '#generated/resources.ts';
import { makeControllerRef, type OwnerReference } from '#machinery/object.ts';
import { FOREGROUND, garbageCollector } from './garbagecollector.ts';
import { makePod, makeReplicaSet } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';

/** A ReplicaSet with one pod, and the collector running. */
async function start(change: (owner: OwnerReference) => OwnerReference = (o) => o): Promise<TestCluster> {
  const cluster = new TestCluster();
  const set = await cluster.put(replicasets, makeReplicaSet());
  const pod = makePod({ name: 'a' });
  await cluster.put(pods, {
    ...pod,
    metadata: { ...pod.metadata, ownerReferences: [change(makeControllerRef(set, replicasets))] },
  });
  await cluster.run(garbageCollector);
  return cluster;
}

describe('GarbageCollector', () => {
  it('deletes what lost its owner, in the background', async () => {
    const cluster = await start();
    await cluster.client.resource(replicasets).delete('default', 'web', { propagationPolicy: 'Background' });
    await cluster.settle();
    assert.equal(cluster.list(replicasets).length, 0);
    assert.equal(cluster.list(pods).length, 0);
    await cluster.stop();
  });

  it('keeps the owner in foreground deletion until blocking dependents are gone', async () => {
    const cluster = await start();
    cluster.edit(pods, 'default/a', (p) => ({ ...p, metadata: { ...p.metadata, finalizers: ['test/hold'] } }));
    await cluster.client.resource(replicasets).delete('default', 'web', { propagationPolicy: 'Foreground' });
    await cluster.settle();
    assert.deepEqual(cluster.get(replicasets, 'default/web')!.metadata.finalizers, [FOREGROUND]);
    assert.notEqual(cluster.get(pods, 'default/a')!.metadata.deletionTimestamp, undefined);
    cluster.remove(pods, 'default/a');
    await cluster.settle();
    assert.equal(cluster.get(replicasets, 'default/web'), undefined);
    await cluster.stop();
  });

  it('leaves dependents alive, without the owner, when it orphans', async () => {
    const cluster = await start();
    await cluster.client.resource(replicasets).delete('default', 'web', { propagationPolicy: 'Orphan' });
    await cluster.settle();
    assert.equal(cluster.get(replicasets, 'default/web'), undefined);
    assert.deepEqual(cluster.get(pods, 'default/a')!.metadata.ownerReferences, []);
    await cluster.stop();
  });

  it('deletes what names an owner that never was, or one of another uid', async () => {
    const cluster = await start((owner) => ({ ...owner, uid: 'another' }));
    assert.equal(cluster.list(pods).length, 0);
    assert.equal(cluster.list(replicasets).length, 1);
    await cluster.stop();
  });

  it('keeps what has one owner left and drops the other reference', async () => {
    const cluster = await start();
    const map = await cluster.put(configmaps, { metadata: { name: 'owner', namespace: 'default' } });
    cluster.edit(pods, 'default/a', (p) => ({
      ...p,
      metadata: {
        ...p.metadata,
        ownerReferences: [
          ...p.metadata.ownerReferences!,
          { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: map.metadata.uid! },
        ],
      },
    }));
    await cluster.clock.step(31_000);
    await cluster.client.resource(replicasets).delete('default', 'web');
    await cluster.settle();
    assert.deepEqual(
      cluster.get(pods, 'default/a')!.metadata.ownerReferences!.map((o) => o.kind),
      ['ConfigMap'],
    );
    await cluster.stop();
  });
});
