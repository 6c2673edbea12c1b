// A DaemonSet over nodes that come, go and are tainted, through the scheduler and kubelets, and rolled out over them.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { DaemonSet } from '#generated/api/apps-v1.ts';
import { daemonsets, nodes } from '#generated/resources.ts';
import { forbidden, isReady, livingPods } from './objects.ts';
import { simulated } from './traces.ts';

const MERGE = 'application/merge-patch+json';

const agent = (image: string): DaemonSet => ({
  metadata: { name: 'agent', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    template: {
      metadata: { labels: { app: 'agent' } },
      spec: { containers: [{ name: 'agent', image }], nodeSelector: { 'kubernetes.io/os': 'linux' } },
    },
  },
});

describe('a DaemonSet over changing nodes', () => {
  simulated({ nodes: 3 }, async (cluster) => {
    const { client } = cluster;
    const sets = client.resource(daemonsets);
    const status = async () => (await sets.get('default', 'agent'))!;
    const running = async () =>
      (await livingPods(cluster, 'agent'))
        .filter(isReady)
        .map((p) => p.spec!.nodeName!)
        .sort();
    const runsOn = (...names: readonly string[]) =>
      cluster.until(`agents run on ${names.join(', ')}`, async () => {
        const { metadata, status: s } = await status();
        return (
          s?.observedGeneration === metadata.generation &&
          s?.numberAvailable === names.length &&
          (await running()).join() === names.join()
        );
      });
    const taint = async (name: string, ...effects: readonly string[]) => {
      const taints = effects.map((effect) => ({ key: 'maintenance', effect }));
      await cluster.call(client.resource(nodes).patch(undefined, name, MERGE, { spec: { taints } }));
    };
    await cluster.call(sets.create(agent('agent:1')));
    await runsOn('node-1', 'node-2', 'node-3');

    await cluster.addNode('node-4');
    await runsOn('node-1', 'node-2', 'node-3', 'node-4');

    // Where new pods are not wanted the old one stays; from where all are driven out it goes.
    await taint('node-1', 'NoSchedule');
    await cluster.until('one is misplaced', async () => (await status()).status!.numberMisscheduled === 1);
    assert.deepEqual(await cluster.call(running()), ['node-1', 'node-2', 'node-3', 'node-4']);
    await taint('node-1', 'NoExecute');
    await runsOn('node-2', 'node-3', 'node-4');
    await taint('node-1');
    await runsOn('node-1', 'node-2', 'node-3', 'node-4');

    // A machine is gone for good: its pod is cleared away with it, and made nowhere else.
    await cluster.removeNode('node-3');
    await cluster.call(client.resource(nodes).delete(undefined, 'node-3'));
    await runsOn('node-1', 'node-2', 'node-4');

    // Rolled out one node after the other.
    const { metadata } = await cluster.call(status());
    await cluster.call(sets.update({ ...agent('agent:2'), metadata: { ...metadata, managedFields: undefined } }));
    let fewest = 3;
    await cluster.until('the new agents run', async () => {
      fewest = Math.min(fewest, (await running()).length);
      const all = await livingPods(cluster, 'agent');
      return all.length === 3 && all.every((p) => isReady(p) && p.spec!.containers[0]!.image === 'agent:2');
    });
    assert.ok(fewest >= 2, `only ${fewest} agents ran`);
    assert.deepEqual(forbidden(cluster), []);
  });
});
