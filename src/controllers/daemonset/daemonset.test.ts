import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { controllerrevisions, daemonsets, nodes, pods } from '#generated/resources.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';
import { keyOf } from '#machinery/object.ts';
import { makeDaemonSet, makeNode, makePod, makeTemplate, playToRest } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { daemonSetController } from './daemonset.ts';
import { targetNodeOf } from './placement.ts';

async function start(set = makeDaemonSet(), names: readonly string[] = ['a', 'b', 'c']): Promise<TestCluster> {
  const cluster = new TestCluster();
  for (const name of names) await cluster.put(nodes, makeNode(name));
  await cluster.put(daemonsets, set);
  await cluster.run(daemonSetController);
  return cluster;
}

const where = (cluster: TestCluster) =>
  cluster
    .list(pods)
    .filter((p) => p.metadata.deletionTimestamp === undefined)
    .map((p) => targetNodeOf(p))
    .sort();
const on = (cluster: TestCluster, node: string): Pod => cluster.list(pods).find((p) => targetNodeOf(p) === node)!;
const status = (cluster: TestCluster) => cluster.get(daemonsets, 'default/web')!.status!;
const images = (cluster: TestCluster) => cluster.list(pods).map((p) => p.spec!.containers[0]!.image);
const reasons = (cluster: TestCluster) => cluster.events.map((e) => e.reason);

describe('DaemonSetReconciler', () => {
  it('makes a pod for every node, pinned by its name and left to the scheduler', async () => {
    const cluster = await start();
    assert.deepEqual(where(cluster), ['a', 'b', 'c']);
    const pod = on(cluster, 'b');
    assert.equal(pod.spec!.nodeName, undefined);
    assert.match(pod.metadata.name!, /^web-[a-z0-9]{5}$/);
    assert.deepEqual(
      pod.spec!.affinity!.nodeAffinity!.requiredDuringSchedulingIgnoredDuringExecution!.nodeSelectorTerms,
      [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
    );
    const [revision] = cluster.list(controllerrevisions);
    assert.equal(
      pod.metadata.labels!['controller-revision-hash'],
      revision!.metadata.labels!['controller-revision-hash'],
    );
    // In the order of Go's maps: clients compare the bytes with what they make themselves.
    assert.match(
      JSON.stringify(revision!.data),
      /^\{"spec":\{"template":\{"\$patch":"replace","metadata":.*"image":.*"name":/,
    );
    assert.equal(revision!.metadata.name, `web-${pod.metadata.labels!['controller-revision-hash']}`);
    await playToRest(cluster);
    const { desiredNumberScheduled, currentNumberScheduled, numberReady, numberAvailable, updatedNumberScheduled } =
      status(cluster);
    assert.deepEqual(
      [desiredNumberScheduled, currentNumberScheduled, numberReady, numberAvailable, updatedNumberScheduled],
      [3, 3, 3, 3, 3],
    );
    await cluster.stop();
  });

  it('follows nodes that come and are tainted', async () => {
    const cluster = await start();
    await playToRest(cluster);
    await cluster.put(nodes, makeNode('d'));
    await playToRest(cluster);
    assert.deepEqual(where(cluster), ['a', 'b', 'c', 'd']);
    // What may not be scheduled any more may go on; what may not be executed goes.
    cluster.edit(nodes, 'a', (n) => ({ ...n, spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } }));
    cluster.edit(nodes, 'b', (n) => ({ ...n, spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } }));
    await playToRest(cluster);
    assert.deepEqual(where(cluster), ['a', 'c', 'd']);
    const { desiredNumberScheduled, numberMisscheduled } = status(cluster);
    assert.deepEqual([desiredNumberScheduled, numberMisscheduled], [2, 1]);
    await cluster.stop();
  });

  it('removes pods that wait for a node that is gone', async () => {
    const cluster = await start();
    cluster.remove(nodes, 'b');
    await cluster.settle();
    assert.deepEqual(where(cluster), ['a', 'c']);
    await cluster.stop();
  });

  it('adopts a matching pod and removes a second one on the same node', async () => {
    const cluster = new TestCluster();
    await cluster.put(nodes, makeNode('a'));
    await cluster.put(pods, makePod({ name: 'own', labels: { app: 'web' }, node: 'a', ready: true }));
    await cluster.put(daemonsets, makeDaemonSet({ updateStrategy: { type: 'OnDelete' } }));
    await cluster.run(daemonSetController);
    assert.deepEqual(
      cluster.list(pods).map((p) => p.metadata.name),
      ['own'],
    );
    await cluster.put(pods, makePod({ name: 'second', labels: { app: 'web' }, node: 'a', ready: true }));
    await playToRest(cluster);
    assert.equal(cluster.list(pods).length, 1);
    await cluster.stop();
  });

  it('takes at most maxUnavailable pods away while it rolls', async () => {
    const set = makeDaemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } } });
    const cluster = await start(set, ['a', 'b', 'c', 'd', 'e']);
    await playToRest(cluster);
    await cluster.put(daemonsets, { ...set, spec: { ...set.spec!, template: makeTemplate('web:2') } });
    let fewest = 5;
    await playToRest(cluster, {
      onRound: () => {
        const serving = cluster.list(pods).filter((p) => isPodReady(p) && p.metadata.deletionTimestamp === undefined);
        fewest = Math.min(fewest, serving.length);
      },
    });
    assert.equal(fewest, 3);
    assert.deepEqual(new Set(images(cluster)), new Set(['web:2']));
    assert.equal(status(cluster).updatedNumberScheduled, 5);
    await cluster.stop();
  });

  it('starts the new pod before it removes the old one under maxSurge', async () => {
    const set = makeDaemonSet({
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    });
    const cluster = await start(set);
    await playToRest(cluster);
    await cluster.put(daemonsets, { ...set, spec: { ...set.spec!, template: makeTemplate('web:2') } });
    let most = 0;
    await playToRest(cluster, {
      onRound: () => {
        const alive = cluster.list(pods).filter((p) => p.metadata.deletionTimestamp === undefined);
        most = Math.max(most, alive.length);
        assert.equal(new Set(alive.filter(isPodReady).map(targetNodeOf)).size, 3, 'every node is served');
      },
    });
    assert.equal(most, 4);
    assert.deepEqual(images(cluster), ['web:2', 'web:2', 'web:2']);
    await cluster.stop();
  });

  it('stops a roll-out whose new pods do not become ready', async () => {
    const set = makeDaemonSet();
    const cluster = await start(set);
    await playToRest(cluster);
    await cluster.put(daemonsets, { ...set, spec: { ...set.spec!, template: makeTemplate('broken') } });
    const ready = (pod: Pod) => pod.spec!.containers[0]!.image !== 'broken';
    await playToRest(cluster, { ready });
    assert.deepEqual(images(cluster).sort(), ['broken', 'web:1', 'web:1']);
    await cluster.stop();
  });

  it('waits under OnDelete until somebody deletes', async () => {
    const set = makeDaemonSet({ updateStrategy: { type: 'OnDelete' } });
    const cluster = await start(set);
    await playToRest(cluster);
    await cluster.put(daemonsets, { ...set, spec: { ...set.spec!, template: makeTemplate('web:2') } });
    await playToRest(cluster);
    assert.deepEqual(images(cluster), ['web:1', 'web:1', 'web:1']);
    cluster.remove(pods, keyOf(on(cluster, 'a')));
    await playToRest(cluster);
    assert.equal(on(cluster, 'a').spec!.containers[0]!.image, 'web:2');
    assert.equal(status(cluster).updatedNumberScheduled, 1);
    await cluster.stop();
  });

  it('numbers revisions, takes an old one up again after a roll-back and forgets surplus ones', async () => {
    const set = makeDaemonSet({ revisionHistoryLimit: 1 });
    const cluster = await start(set, ['a']);
    const roll = async (image: string) => {
      await cluster.put(daemonsets, { ...set, spec: { ...set.spec!, template: makeTemplate(image) } });
      await playToRest(cluster);
    };
    const history = () =>
      cluster
        .list(controllerrevisions)
        .map((r) => r.revision)
        .sort();
    await playToRest(cluster);
    await roll('web:2');
    await roll('web:1');
    assert.deepEqual(history(), [2, 3]);
    await roll('web:3');
    assert.deepEqual(history(), [3, 4]);
    await cluster.stop();
  });

  it('makes a failed pod again, each time after a longer while', async () => {
    const cluster = await start(makeDaemonSet(), ['a']);
    await playToRest(cluster);
    const fail = () => {
      const key = keyOf(on(cluster, 'a'));
      cluster.edit(pods, key, (p) => ({ ...p, status: { phase: 'Failed' } }));
      return cluster.get(pods, key)!.metadata.uid;
    };
    const first = fail();
    await playToRest(cluster);
    assert.notEqual(on(cluster, 'a').metadata.uid, first);
    assert.deepEqual(
      cluster.events.filter((e) => e.reason === 'FailedDaemonPod').map((e) => e.type),
      ['Warning'],
    );
    const second = fail();
    await cluster.settle(400);
    assert.equal(on(cluster, 'a').metadata.uid, second);
    await cluster.settle(2_000);
    assert.notEqual(cluster.list(pods)[0]!.metadata.deletionTimestamp, undefined);
    await cluster.stop();
  });

  it('counts pods as available after minReadySeconds', async () => {
    const cluster = await start(makeDaemonSet({ minReadySeconds: 5 }), ['a']);
    await playToRest(cluster);
    assert.deepEqual([status(cluster).numberReady, status(cluster).numberAvailable], [1, 0]);
    await cluster.settle(6_000);
    assert.equal(status(cluster).numberAvailable, 1);
    assert.deepEqual(reasons(cluster), ['SuccessfulCreate']);
    await cluster.stop();
  });
});
