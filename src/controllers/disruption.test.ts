import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { poddisruptionbudgets, pods, replicasets } from '#generated/resources.ts';
import { budgetStatus, disruptionController } from './disruption.ts';
import { replicaSetController } from './replicaset.ts';
import { makePod, makeReplicaSet, playToRest } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';

describe('budgetStatus', () => {
  const ready = ['a', 'b', 'c'].map((name) => makePod({ name, ready: true }));
  for (const [spec, scaled, selected, allowed] of [
    [{ minAvailable: 2 }, 3, ready, 1],
    [{ minAvailable: '50%' }, 4, ready, 1],
    [{ maxUnavailable: 1 }, 3, ready, 1],
    [{ maxUnavailable: 1 }, 4, ready, 0],
    [{ maxUnavailable: '25%' }, 3, ready, 1],
    [{ minAvailable: 5 }, 3, ready, 0],
    [{ minAvailable: 0 }, 0, [], 0],
  ] as const) {
    it(`allows ${allowed} for ${JSON.stringify(spec)} with ${selected.length} healthy of ${scaled}`, () => {
      assert.equal(budgetStatus({ metadata: {}, spec }, selected, scaled, 0).disruptionsAllowed, allowed);
    });
  }

  it('does not count a pod whose eviction is under way, until the time for it is over', () => {
    const budget = {
      metadata: {},
      spec: { minAvailable: 1 },
      status: { disruptedPods: { a: '1970-01-01T00:00:00Z' } },
    };
    assert.equal(budgetStatus(budget, ready, 3, 1000).disruptionsAllowed, 1);
    assert.equal(budgetStatus(budget, ready, 3, 121_000).disruptionsAllowed, 2);
  });
});

describe('disruption-controller', () => {
  it('follows pods and the size of their controller', async () => {
    const cluster = new TestCluster();
    await cluster.put(replicasets, makeReplicaSet());
    await cluster.put(poddisruptionbudgets, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
    });
    await cluster.run(replicaSetController, disruptionController);
    await playToRest(cluster);
    const status = () => cluster.get(poddisruptionbudgets, 'default/web')!.status!;
    assert.deepEqual([status().expectedPods, status().currentHealthy, status().disruptionsAllowed], [3, 3, 1]);
    await cluster.client.resource(pods).delete('default', cluster.list(pods)[0]!.metadata.name!);
    await cluster.settle();
    assert.equal(status().disruptionsAllowed, 0);
    assert.equal(status().conditions![0]!.reason, 'InsufficientPods');
    await cluster.stop();
  });
});
