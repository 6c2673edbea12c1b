import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deployments, pods, replicasets } from '#generated/resources.ts';
import { replicaSetController } from '../replicaset.ts';
import { makeDeployment, makeTemplate, playToRest } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { deploymentController } from './deployment.ts';

describe('Deployment restart', () => {
  it('replaces every pod by the annotation that kubectl rollout restart writes, with the same image', async () => {
    const cluster = new TestCluster();
    await cluster.put(deployments, makeDeployment());
    await cluster.run(deploymentController, replicaSetController);
    await playToRest(cluster);
    const before = cluster.list(pods).map((p) => p.metadata.uid);
    assert.equal(before.length, 3);
    const template = makeTemplate('web:1');
    const annotations = { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' };
    await cluster.put(
      deployments,
      makeDeployment({
        ...cluster.get(deployments, 'default/web')!.spec,
        template: { ...template, metadata: { ...template.metadata, annotations } },
      }),
    );
    await playToRest(cluster);
    const after = cluster.list(pods);
    assert.equal(after.length, 3);
    assert.ok(after.every((p) => !before.includes(p.metadata.uid)));
    assert.ok(after.every((p) => p.spec!.containers[0]!.image === 'web:1'));
    assert.ok(after.every((p) => p.metadata.annotations?.['kubectl.kubernetes.io/restartedAt'] !== undefined));
    assert.deepEqual(
      cluster
        .list(replicasets)
        .map((s) => s.spec!.replicas)
        .toSorted(),
      [0, 3],
    );
    await cluster.stop();
  });
});
