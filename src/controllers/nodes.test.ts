// Node life: address ranges, silence, taints, eviction, clearing up.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { leases, nodes, pods } from '#generated/resources.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';
import { formatMicroTime } from '#machinery/time.ts';
import { freeRange, nodeIpamController } from './node-ipam.ts';
import { nodeLifecycleController } from './node-lifecycle/node-lifecycle.ts';
import { wantedTaints, zoneState } from './node-lifecycle/taints.ts';
import { podGarbageCollector, removals } from './podgc.ts';
import { makeNode, makePod } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';
import { evictionTime, taintEvictionController } from './taint-eviction.ts';

const keys = (cluster: TestCluster, node: string) =>
  (cluster.get(nodes, node)!.spec!.taints ?? []).map((t) => `${t.key.replace('node.kubernetes.io/', '')}:${t.effect}`);
const readyStatus = (cluster: TestCluster, node: string) =>
  cluster.get(nodes, node)!.status!.conditions!.find((c) => c.type === 'Ready')!.status;
const tolerating = (pod: Pod, tolerationSeconds: number): Pod => ({
  ...pod,
  spec: {
    ...pod.spec!,
    tolerations: [
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds },
    ],
  },
});

/** Renews the leases of these nodes every ten seconds while time passes. */
async function pass(cluster: TestCluster, ms: number, ...alive: readonly string[]): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    for (const name of alive) {
      const renewTime = formatMicroTime(cluster.clock.now());
      if (cluster.get(leases, `kube-node-lease/${name}`) === undefined)
        await cluster.put(leases, { metadata: { name, namespace: 'kube-node-lease' }, spec: { renewTime } });
      else cluster.edit(leases, `kube-node-lease/${name}`, (l) => ({ ...l, spec: { renewTime } }));
    }
    await cluster.clock.step(Math.min(left, 10_000));
  }
}

async function start(): Promise<TestCluster> {
  const cluster = new TestCluster();
  for (const name of ['node-1', 'node-2']) await cluster.put(nodes, makeNode(name));
  await cluster.put(pods, tolerating(makePod({ name: 'a', node: 'node-1', ready: true }), 30));
  await cluster.run(nodeLifecycleController, taintEvictionController, podGarbageCollector);
  return cluster;
}

describe('NodeLifecycleReconciler', () => {
  it('calls a node Unknown after 40 s of silence, taints it, and marks its pods not ready', async () => {
    const cluster = await start();
    await pass(cluster, 30_000, 'node-2');
    assert.equal(readyStatus(cluster, 'node-1'), 'True');
    await pass(cluster, 20_000, 'node-2');
    assert.equal(readyStatus(cluster, 'node-1'), 'Unknown');
    assert.equal(readyStatus(cluster, 'node-2'), 'True');
    assert.deepEqual(keys(cluster, 'node-1'), ['unreachable:NoSchedule', 'unreachable:NoExecute']);
    assert.equal(isPodReady(cluster.get(pods, 'default/a')!), false);
    await cluster.stop();
  });

  it('lets the pod go when its toleration has run out, and no earlier', async () => {
    const cluster = await start();
    await pass(cluster, 60_000, 'node-2');
    assert.equal(cluster.get(pods, 'default/a')!.metadata.deletionTimestamp, undefined);
    await pass(cluster, 30_000, 'node-2');
    assert.notEqual(cluster.get(pods, 'default/a')!.metadata.deletionTimestamp, undefined);
    assert.equal(
      cluster.get(pods, 'default/a')!.status!.conditions!.find((c) => c.type === 'DisruptionTarget')!.reason,
      'DeletionByTaintManager',
    );
    await cluster.stop();
  });

  it('takes the taints off when the node is back', async () => {
    const cluster = await start();
    await pass(cluster, 60_000, 'node-2');
    cluster.edit(nodes, 'node-1', (n) => ({
      ...n,
      status: {
        ...n.status,
        conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:01:00Z' }],
      },
    }));
    await pass(cluster, 10_000, 'node-1', 'node-2');
    assert.deepEqual(keys(cluster, 'node-1'), []);
    assert.equal(cluster.get(pods, 'default/a')!.metadata.deletionTimestamp, undefined);
    await cluster.stop();
  });

  it('evicts nothing when every node is silent', async () => {
    const cluster = await start();
    await pass(cluster, 120_000);
    assert.deepEqual(keys(cluster, 'node-1'), ['unreachable:NoSchedule']);
    assert.equal(cluster.get(pods, 'default/a')!.metadata.deletionTimestamp, undefined);
    await cluster.stop();
  });

  it('force-deletes terminating pods of a machine that is out of service', async () => {
    const cluster = await start();
    await pass(cluster, 60_000, 'node-2');
    await cluster.client.resource(pods).delete('default', 'a');
    await pass(cluster, 30_000, 'node-2');
    assert.notEqual(cluster.get(pods, 'default/a'), undefined);
    cluster.edit(nodes, 'node-1', (n) => ({
      ...n,
      spec: { taints: [...n.spec!.taints!, { key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] },
    }));
    await cluster.settle();
    assert.equal(cluster.get(pods, 'default/a'), undefined);
    await cluster.stop();
  });
});

describe('PodCollector', () => {
  it('removes pods of a node that has been gone for 40 s', async () => {
    const cluster = await start();
    cluster.remove(nodes, 'node-1');
    await pass(cluster, 30_000, 'node-2');
    assert.notEqual(cluster.get(pods, 'default/a'), undefined);
    await pass(cluster, 60_000, 'node-2');
    assert.equal(cluster.get(pods, 'default/a'), undefined);
    await cluster.stop();
  });

  it('removes the oldest ended pods above the threshold', () => {
    const ended = ['a', 'b', 'c'].map((name, i) => ({
      ...makePod({ name, phase: 'Succeeded' }),
      metadata: { name, namespace: 'default', creationTimestamp: `2026-01-0${3 - i}T00:00:00Z` },
    }));
    assert.deepEqual(
      removals(ended, [], new Set(), 1).map((r) => r.pod.metadata.name),
      ['c', 'b'],
    );
  });
});

describe('wantedTaints', () => {
  const taintKeys = (...args: Parameters<typeof wantedTaints>) =>
    wantedTaints(...args).map((t) => `${t.key}:${t.effect}`);
  it('gives a node that has not spoken yet time to', () => {
    assert.deepEqual(wantedTaints({ metadata: { name: 'new' } }, true, 'now'), []);
  });

  it('keeps foreign taints and adds those of conditions and cordon', () => {
    const node = {
      ...makeNode('n', { taints: [{ key: 'dedicated', effect: 'NoSchedule' }] }),
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'DiskPressure', status: 'True' },
        ],
      },
    };
    assert.deepEqual(taintKeys({ ...node, spec: { ...node.spec, unschedulable: true } }, true, ''), [
      'dedicated:NoSchedule',
      'node.kubernetes.io/disk-pressure:NoSchedule',
      'node.kubernetes.io/unschedulable:NoSchedule',
    ]);
  });

  it('exchanges not-ready for unreachable', () => {
    const node = makeNode('n', {
      ready: 'Unknown',
      taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }],
    });
    assert.deepEqual(taintKeys(node, true, ''), [
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
  });
});

describe('zoneState', () => {
  for (const [ready, notReady, expected] of [
    [3, 0, 'Normal'],
    [1, 2, 'Normal'],
    [2, 3, 'PartialDisruption'],
    [0, 1, 'FullDisruption'],
    [0, 0, 'Normal'],
  ] as const) {
    it(`is ${expected} with ${ready} ready and ${notReady} not`, () =>
      assert.equal(zoneState(ready, notReady), expected));
  }
});

describe('evictionTime', () => {
  const taint = { key: 'k', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' };
  const start = Date.parse(taint.timeAdded);
  const pod = (...tolerations: readonly object[]): Pod => ({ ...makePod(), spec: { containers: [], tolerations } });
  for (const [condition, tolerations, expected] of [
    ['nothing tolerates', [], start + 5],
    ['it is tolerated for ever', [{ key: 'k', operator: 'Exists' }], undefined],
    ['it is tolerated for a time', [{ key: 'k', operator: 'Exists', tolerationSeconds: 300 }], start + 300_000],
    [
      'two times differ',
      [
        { key: 'k', operator: 'Exists', tolerationSeconds: 300 },
        { operator: 'Exists', tolerationSeconds: 60 },
      ],
      start + 60_000,
    ],
  ] as const) {
    it(`is ${expected} when ${condition}`, () =>
      assert.equal(evictionTime(pod(...tolerations), [taint], start + 5), expected));
  }
});

describe('node-ipam', () => {
  it('takes the lowest free range', () => {
    assert.equal(freeRange('10.244.0.0/16', 24, []), '10.244.0.0/24');
    assert.equal(freeRange('10.244.0.0/16', 24, ['10.244.0.0/24', '10.244.2.0/24']), '10.244.1.0/24');
    assert.equal(freeRange('10.244.0.0/16', 24, ['10.244.0.0/23']), '10.244.2.0/24');
    assert.equal(freeRange('10.244.0.0/24', 24, ['10.244.0.0/24']), undefined);
  });

  it('cuts ranges of either family', () => {
    assert.equal(freeRange('fd00:10:244::/56', 64, []), 'fd00:10:244::/64');
    assert.equal(freeRange('fd00:10:244::/56', 64, ['fd00:10:244::/64', '10.244.0.0/24']), 'fd00:10:244:1::/64');
    assert.equal(freeRange('fd00::/64', 64, ['fd00::/64']), undefined);
  });

  it('gives every node its own and keeps what nodes have', async () => {
    const cluster = new TestCluster();
    await cluster.put(nodes, { ...makeNode('old'), spec: { podCIDR: '10.244.0.0/24', podCIDRs: ['10.244.0.0/24'] } });
    for (const name of ['b', 'c']) await cluster.put(nodes, makeNode(name));
    await cluster.run(nodeIpamController);
    assert.deepEqual(
      ['old', 'b', 'c'].map((n) => cluster.get(nodes, n)!.spec!.podCIDR),
      ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24'],
    );
    await cluster.stop();
  });
});
