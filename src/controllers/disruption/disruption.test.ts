import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deployments, jobs, poddisruptionbudgets, pods, replicasets } from '#generated/resources.ts';
import type { PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import { StatusError } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import { deploymentController } from '../deployment/deployment.ts';
import { replicaSetController } from '../replicaset.ts';
import { makeDeployment, makePod, makeReplicaSet, makeTemplate, playToRest } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { budgetStatus, disruptedPods, disruptionController } from './disruption.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const ready = ['a', 'b', 'c'].map((name) => makePod({ name, ready: true }));

describe('budgetStatus', () => {
  for (const [spec, expected, selected, allowed] of [
    [{ minAvailable: 2 }, 3, ready, 1],
    [{ minAvailable: '50%' }, 4, ready, 1],
    [{ maxUnavailable: 1 }, 3, ready, 1],
    [{ maxUnavailable: 1 }, 4, ready, 0],
    [{ maxUnavailable: '25%' }, 3, ready, 1],
    [{ minAvailable: 5 }, 3, ready, 0],
    [{ minAvailable: 0 }, 0, [], 0],
    [{}, 3, ready, 0],
  ] as const) {
    it(`allows ${allowed} for ${JSON.stringify(spec)} with ${selected.length} healthy of ${expected}`, () => {
      assert.equal(budgetStatus({ metadata: {}, spec }, selected, expected, {}, NOW).disruptionsAllowed, allowed);
    });
  }

  it('does not count a pod whose eviction is under way', () => {
    const disrupted = { a: '2026-01-01T00:09:00Z' };
    const status = budgetStatus({ metadata: {}, spec: { minAvailable: 1 } }, ready, 3, disrupted, NOW);
    assert.deepEqual([status.currentHealthy, status.disruptionsAllowed, status.disruptedPods], [2, 1, disrupted]);
  });
});

describe('disruptedPods', () => {
  it('forgets pods that are gone or going, and those that stay for too long', () => {
    const leaving = makePod({ name: 'leaving', deletionTimestamp: '2026-01-01T00:09:30Z' });
    const since = (minute: string) => `2026-01-01T00:0${minute}:00Z`;
    const status = { disruptedPods: { a: since('9'), b: since('1'), leaving: since('9'), gone: since('9') } };
    const { kept, overdue } = disruptedPods({ metadata: {}, status } as never, [...ready, leaving], NOW);
    assert.deepEqual(Object.keys(kept), ['a']);
    assert.deepEqual(
      overdue.map((p) => p.metadata.name),
      ['b'],
    );
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

  it('does not call a write that came second a failure to count', async () => {
    const cluster = new TestCluster();
    await cluster.put(replicasets, makeReplicaSet());
    await cluster.put(poddisruptionbudgets, budget({ maxUnavailable: 1 }));
    const tried: string[] = [];
    cluster.refuse = (_verb, resource, object) => {
      if (resource !== 'poddisruptionbudgets') return undefined;
      tried.push((object as PodDisruptionBudget).status!.conditions![0]!.reason);
      return tried.length > 2 ? undefined : StatusError.conflict({ resource }, 'web', 'it has changed');
    };
    await cluster.run(replicaSetController, disruptionController);
    await playToRest(cluster);
    assert.equal(statusOf(cluster).disruptionsAllowed, 1);
    assert.ok(tried.length > 2 && !tried.includes('SyncFailed'), tried.join());
    await cluster.stop();
  });

  it('counts anew when the controller is scaled, though no pod has changed', async () => {
    const cluster = new TestCluster();
    await cluster.put(replicasets, makeReplicaSet());
    await cluster.put(poddisruptionbudgets, budget({ maxUnavailable: 1 }));
    await cluster.run(replicaSetController, disruptionController);
    await playToRest(cluster);
    cluster.refuse = (verb, resource) =>
      verb === 'create' && resource === 'pods' ? StatusError.badRequest('no more pods') : undefined;
    cluster.edit(replicasets, 'default/web', (s) => ({ ...s, spec: { ...s.spec!, replicas: 5 } }));
    await cluster.settle(1_000);
    assert.deepEqual([statusOf(cluster).expectedPods, statusOf(cluster).disruptionsAllowed], [5, 0]);
    await cluster.stop();
  });

  const budget = (spec: object) => ({
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  });
  const statusOf = (cluster: TestCluster) => cluster.get(poddisruptionbudgets, 'default/web')!.status!;

  it('counts a Deployment once while it rolls', async () => {
    const cluster = new TestCluster();
    await cluster.put(deployments, makeDeployment());
    await cluster.put(poddisruptionbudgets, budget({ minAvailable: '67%' }));
    await cluster.run(deploymentController, replicaSetController, disruptionController);
    await playToRest(cluster);
    await cluster.put(deployments, makeDeployment({ template: makeTemplate('web:2') }));
    await playToRest(cluster, { onRound: () => assert.equal(statusOf(cluster).expectedPods, 3) });
    assert.equal(statusOf(cluster).desiredHealthy, 3);
    await cluster.stop();
  });

  it('lets nothing go when pods belong to what has no number of replicas', async () => {
    const cluster = new TestCluster();
    const job = await cluster.put(jobs, { metadata: { name: 'j', namespace: 'default' }, spec: {} } as never);
    const ownerReferences = [
      { apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: job.metadata.uid!, controller: true },
    ];
    const pod = makePod({ name: 'p', labels: { app: 'web' }, ready: true });
    await cluster.put(pods, { ...pod, metadata: { ...pod.metadata, ownerReferences } });
    await cluster.put(poddisruptionbudgets, budget({ maxUnavailable: 1 }));
    cluster.served = (path) =>
      path === '/apis/batch' ? { body: { versions: [{ groupVersion: 'batch/v1', version: 'v1' }] } } : undefined;
    cluster.scaleless.add('jobs');
    await cluster.run(disruptionController);
    const [condition] = statusOf(cluster).conditions!;
    const why = 'jobs.batch does not implement the scale subresource';
    assert.deepEqual([condition!.reason, condition!.message], ['SyncFailed', why]);
    assert.ok(cluster.events.some((e) => e.reason === 'CalculateExpectedPodCountFailed' && e.message.endsWith(why)));
    // A whole number asks nobody.
    await cluster.put(poddisruptionbudgets, budget({ minAvailable: 0 }));
    await cluster.settle(20_000);
    assert.equal(statusOf(cluster).disruptionsAllowed, 1);
    await cluster.stop();
  });

  it('speaks of pods that nobody makes', async () => {
    const cluster = new TestCluster();
    await cluster.put(pods, makePod({ name: 'p', labels: { app: 'web' }, ready: true }));
    await cluster.put(poddisruptionbudgets, budget({ maxUnavailable: 1 }));
    await cluster.run(disruptionController);
    assert.equal(statusOf(cluster).disruptionsAllowed, 0);
    assert.deepEqual(new Set(cluster.events.map((e) => e.reason)), new Set(['UnmanagedPods']));
    await cluster.stop();
  });

  it('takes the mark of an eviction back when the pod is not deleted', async () => {
    const cluster = new TestCluster();
    const pod = makePod({ name: 'p', ready: true });
    const mark = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' };
    const lastTransitionTime = formatTime(cluster.clock.now());
    await cluster.put(pods, {
      ...pod,
      status: { ...pod.status, conditions: [...pod.status!.conditions!, { ...mark, lastTransitionTime }] },
    });
    await cluster.run(disruptionController);
    const now = () => cluster.get(pods, 'default/p')!.status!.conditions!.find((c) => c.type === mark.type)!.status;
    await cluster.settle(110_000);
    assert.equal(now(), 'True');
    await cluster.settle(20_000);
    assert.equal(now(), 'False');
    await cluster.stop();
  });
});
