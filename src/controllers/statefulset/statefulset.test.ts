import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { controllerrevisions, persistentvolumeclaims, pods, statefulsets } from '#generated/resources.ts';
import { makeStatefulSet, makeTemplate, playToRest } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { statefulSetController } from './statefulset.ts';

const data = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

async function start(set = makeStatefulSet()): Promise<TestCluster> {
  const cluster = new TestCluster();
  await cluster.put(statefulsets, set);
  await cluster.run(statefulSetController);
  return cluster;
}

const names = (cluster: TestCluster) =>
  cluster
    .list(pods)
    .map((p) => p.metadata.name)
    .sort();
const images = (cluster: TestCluster) =>
  Object.fromEntries(cluster.list(pods).map((p) => [p.metadata.name, p.spec!.containers[0]!.image]));
const status = (cluster: TestCluster) => cluster.get(statefulsets, 'default/web')!.status!;

describe('StatefulSetReconciler', () => {
  it('makes pods one after the other, each when the one before is ready', async () => {
    const cluster = await start();
    assert.deepEqual(names(cluster), ['web-0']);
    const seen: number[] = [];
    await playToRest(cluster, { onRound: () => seen.push(cluster.list(pods).length) });
    assert.deepEqual(seen.slice(0, 3), [1, 2, 3]);
    assert.deepEqual(names(cluster), ['web-0', 'web-1', 'web-2']);
    const { replicas, readyReplicas, currentReplicas, updatedReplicas, currentRevision, updateRevision } =
      status(cluster);
    assert.deepEqual([replicas, readyReplicas, currentReplicas, updatedReplicas], [3, 3, 3, 3]);
    assert.equal(currentRevision, updateRevision);
    await cluster.stop();
  });

  it('gives each pod its stable identity', async () => {
    const cluster = await start(makeStatefulSet({ replicas: 1, volumeClaimTemplates: [data] }));
    const pod = cluster.get(pods, 'default/web-0')!;
    assert.equal(pod.metadata.labels!['statefulset.kubernetes.io/pod-name'], 'web-0');
    assert.equal(pod.metadata.labels!['apps.kubernetes.io/pod-index'], '0');
    assert.equal(pod.metadata.labels!['controller-revision-hash'], cluster.list(controllerrevisions)[0]!.metadata.name);
    assert.deepEqual([pod.spec!.hostname, pod.spec!.subdomain], ['web-0', 'web']);
    assert.deepEqual(pod.spec!.volumes, [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-web-0', readOnly: false } },
    ]);
    assert.equal(cluster.get(persistentvolumeclaims, 'default/data-web-0')!.metadata.labels!['app'], 'web');
    await cluster.stop();
  });

  it('makes and removes all at once under Parallel', async () => {
    const cluster = await start(makeStatefulSet({ podManagementPolicy: 'Parallel' }));
    assert.deepEqual(names(cluster), ['web-0', 'web-1', 'web-2']);
    await cluster.stop();
  });

  it('scales down from the highest and keeps the claims', async () => {
    const cluster = await start(makeStatefulSet({ volumeClaimTemplates: [data] }));
    await playToRest(cluster);
    await cluster.put(statefulsets, makeStatefulSet({ replicas: 1, volumeClaimTemplates: [data] }));
    await cluster.settle();
    const leaving = cluster.list(pods).filter((p) => p.metadata.deletionTimestamp !== undefined);
    assert.deepEqual(
      leaving.map((p) => p.metadata.name),
      ['web-2'],
    );
    await playToRest(cluster);
    assert.deepEqual(names(cluster), ['web-0']);
    assert.equal(cluster.list(persistentvolumeclaims).length, 3);
    await cluster.stop();
  });

  it('hands claims of condemned pods to them when the policy deletes at scaling', async () => {
    const policy = {
      persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Retain' },
      volumeClaimTemplates: [data],
    };
    const cluster = await start(makeStatefulSet({ replicas: 2, ...policy }));
    await playToRest(cluster);
    await cluster.put(statefulsets, makeStatefulSet({ replicas: 1, ...policy }));
    await cluster.settle();
    const owner = (name: string) =>
      cluster
        .get(persistentvolumeclaims, `default/${name}`)!
        .metadata.ownerReferences?.map((o) => `${o.kind}/${o.name}`) ?? [];
    assert.deepEqual([owner('data-web-0'), owner('data-web-1')], [[], ['Pod/web-1']]);
    await cluster.stop();
  });

  it('updates from the highest to the partition, waiting for each', async () => {
    const cluster = await start();
    await playToRest(cluster);
    const update = (partition: number) =>
      makeStatefulSet({
        template: makeTemplate('web:2'),
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
      });
    await cluster.put(statefulsets, update(1));
    await playToRest(cluster, {
      onRound: () =>
        assert.ok(cluster.list(pods).filter((p) => p.metadata.deletionTimestamp !== undefined).length <= 1),
    });
    assert.deepEqual(images(cluster), { 'web-0': 'web:1', 'web-1': 'web:2', 'web-2': 'web:2' });
    assert.notEqual(status(cluster).currentRevision, status(cluster).updateRevision);
    // A pod below the partition comes back as it was.
    cluster.remove(pods, 'default/web-0');
    await playToRest(cluster);
    assert.equal(images(cluster)['web-0'], 'web:1');
    await cluster.put(statefulsets, update(0));
    await playToRest(cluster);
    assert.deepEqual(new Set(Object.values(images(cluster))), new Set(['web:2']));
    assert.equal(status(cluster).currentRevision, status(cluster).updateRevision);
    await cluster.stop();
  });

  it('makes a failed pod again', async () => {
    const cluster = await start(makeStatefulSet({ replicas: 1 }));
    await playToRest(cluster);
    const before = cluster.get(pods, 'default/web-0')!.metadata.uid;
    cluster.edit(pods, 'default/web-0', (p) => ({ ...p, status: { phase: 'Failed' } }));
    await playToRest(cluster);
    assert.notEqual(cluster.get(pods, 'default/web-0')!.metadata.uid, before);
    assert.ok(cluster.events.some((e) => e.reason === 'RecreatingFailedPod'));
    await cluster.stop();
  });

  it('uses the old revision again after a roll-back', async () => {
    const cluster = await start(makeStatefulSet({ replicas: 1 }));
    await playToRest(cluster);
    for (const image of ['web:2', 'web:1']) {
      await cluster.put(statefulsets, makeStatefulSet({ replicas: 1, template: makeTemplate(image) }));
      await playToRest(cluster);
    }
    assert.deepEqual(
      cluster
        .list(controllerrevisions)
        .map((r) => r.revision)
        .sort(),
      [2, 3],
    );
    assert.equal(images(cluster)['web-0'], 'web:1');
    await cluster.stop();
  });
});
