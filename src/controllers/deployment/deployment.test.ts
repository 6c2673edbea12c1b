import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deployments, pods, replicasets } from '#generated/resources.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';
import { replicaSetController } from '../replicaset.ts';
import { makeDeployment, makeTemplate, playToRest } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { deploymentController } from './deployment.ts';
import { REVISION } from './revisions.ts';

async function start(deployment = makeDeployment()): Promise<TestCluster> {
  const cluster = new TestCluster();
  await cluster.put(deployments, deployment);
  await cluster.run(deploymentController, replicaSetController);
  await playToRest(cluster);
  return cluster;
}

const web = (cluster: TestCluster) => cluster.get(deployments, 'default/web')!;
const condition = (cluster: TestCluster, type: string) => web(cluster).status!.conditions!.find((c) => c.type === type);
const setImage = (cluster: TestCluster, image: string) =>
  cluster.put(deployments, makeDeployment({ ...web(cluster).spec, template: makeTemplate(image) }));
const sizes = (cluster: TestCluster) =>
  Object.fromEntries(
    cluster.list(replicasets).map((s) => [s.spec!.template!.spec!.containers[0]!.image, s.spec!.replicas]),
  );

describe('DeploymentReconciler', () => {
  it("brings a Deployment to Available with upstream's conditions and events", async () => {
    const cluster = await start();
    const { replicas, readyReplicas, updatedReplicas, availableReplicas, unavailableReplicas } = web(cluster).status!;
    assert.deepEqual(
      [replicas, readyReplicas, updatedReplicas, availableReplicas, unavailableReplicas],
      [3, 3, 3, 3, 0],
    );
    assert.equal(condition(cluster, 'Available')!.reason, 'MinimumReplicasAvailable');
    assert.equal(condition(cluster, 'Progressing')!.reason, 'NewReplicaSetAvailable');
    assert.equal(web(cluster).metadata.annotations![REVISION], '1');
    const name = cluster.list(replicasets)[0]!.metadata.name;
    assert.match(name!, /^web-[bcdfghjklmnpqrstvwxz2456789]{6,10}$/);
    assert.deepEqual(cluster.events[0], {
      about: 'Deployment/web',
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message: `Scaled up replica set ${name} from 0 to 3`,
    });
    await cluster.stop();
  });

  it('never leaves the bounds of surge and unavailable while it rolls', async () => {
    const cluster = await start(
      makeDeployment({
        replicas: 8,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } },
      }),
    );
    await setImage(cluster, 'web:2');
    await playToRest(cluster, {
      onRound: () => {
        const alive = cluster.list(pods).filter((p) => p.metadata.deletionTimestamp === undefined);
        assert.ok(alive.length <= 10, `${alive.length} pods`);
        assert.ok(alive.filter(isPodReady).length >= 7, `${alive.filter(isPodReady).length} ready pods`);
      },
    });
    assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 8 });
    assert.equal(condition(cluster, 'Progressing')!.reason, 'NewReplicaSetAvailable');
    await cluster.stop();
  });

  it('stops rolling while the new pods are not ready, and says so after the deadline', async () => {
    const cluster = await start(makeDeployment({ replicas: 4, progressDeadlineSeconds: 60 }));
    await setImage(cluster, 'web:broken');
    await playToRest(cluster, { ready: (pod) => pod.spec!.containers[0]!.image !== 'web:broken' });
    assert.deepEqual(sizes(cluster), { 'web:1': 3, 'web:broken': 2 });
    assert.equal(condition(cluster, 'Available')!.status, 'True');
    await cluster.clock.step(70_000);
    assert.equal(condition(cluster, 'Progressing')!.reason, 'ProgressDeadlineExceeded');
    assert.match(condition(cluster, 'Progressing')!.message!, /^ReplicaSet "web-\w+" has timed out progressing\.$/);
    await cluster.stop();
  });

  it('goes back to an old ReplicaSet under a new revision number', async () => {
    const cluster = await start();
    await setImage(cluster, 'web:2');
    await playToRest(cluster);
    await setImage(cluster, 'web:1');
    await playToRest(cluster);
    assert.deepEqual(sizes(cluster), { 'web:1': 3, 'web:2': 0 });
    const first = cluster.list(replicasets).find((s) => s.spec!.replicas === 3)!;
    assert.equal(first.metadata.annotations![REVISION], '3');
    assert.equal(first.metadata.annotations!['deployment.kubernetes.io/revision-history'], '1');
    assert.equal(web(cluster).metadata.annotations![REVISION], '3');
    await cluster.stop();
  });

  it('counts on from a revision that is beyond what doubles can tell apart', async () => {
    const cluster = await start();
    const [set] = cluster.list(replicasets);
    cluster.edit(replicasets, `default/${set!.metadata.name}`, (s) => ({
      ...s,
      metadata: { ...s.metadata, annotations: { ...s.metadata.annotations, [REVISION]: '3546343826724305832' } },
    }));
    await setImage(cluster, 'web:2');
    await playToRest(cluster);
    assert.equal(web(cluster).metadata.annotations![REVISION], '3546343826724305833');
    await cluster.stop();
  });

  it('starts no new pod under Recreate before the last old one is gone', async () => {
    const cluster = await start(makeDeployment({ strategy: { type: 'Recreate' } }));
    await setImage(cluster, 'web:2');
    await playToRest(cluster, {
      onRound: () => {
        const images = new Set(cluster.list(pods).map((p) => p.spec!.containers[0]!.image));
        assert.ok(images.size <= 1, [...images].join());
      },
    });
    assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 3 });
    await cluster.stop();
  });

  it('makes no revision while paused, but scales', async () => {
    const cluster = await start();
    await cluster.put(deployments, makeDeployment({ paused: true, replicas: 5, template: makeTemplate('web:2') }));
    await playToRest(cluster);
    assert.deepEqual(sizes(cluster), { 'web:1': 5 });
    assert.equal(condition(cluster, 'Progressing')!.reason, 'DeploymentPaused');
    await cluster.put(deployments, makeDeployment({ paused: false, replicas: 5, template: makeTemplate('web:2') }));
    await playToRest(cluster);
    assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 5 });
    await cluster.stop();
  });

  it('shares a new size out in proportion in the middle of a roll-out', async () => {
    const cluster = await start(
      makeDeployment({
        replicas: 10,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
      }),
    );
    await setImage(cluster, 'web:2');
    const ready = (pod: { spec?: { containers: readonly { image?: string }[] } }) =>
      pod.spec!.containers[0]!.image !== 'web:2';
    await playToRest(cluster, { ready });
    assert.deepEqual(sizes(cluster), { 'web:1': 8, 'web:2': 5 });
    await cluster.put(deployments, { ...makeDeployment({ ...web(cluster).spec, replicas: 15 }) });
    await playToRest(cluster, { ready });
    // The example of Kubernetes' documentation, "Proportional scaling".
    assert.deepEqual(sizes(cluster), { 'web:1': 11, 'web:2': 7 });
    await cluster.stop();
  });

  it('forgets revisions beyond the history limit', async () => {
    const cluster = await start(makeDeployment({ revisionHistoryLimit: 1 }));
    for (const image of ['web:2', 'web:3']) {
      await setImage(cluster, image);
      await playToRest(cluster);
    }
    assert.deepEqual(sizes(cluster), { 'web:2': 0, 'web:3': 3 });
    await cluster.stop();
  });
});
