import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobSpec } from '#generated/api/batch-v1.ts';
import { jobs, pods } from '#generated/resources.ts';
import { COMPLETION_INDEX, INDEX_FAILURE_COUNT, JOB_TRACKING_FINALIZER } from '#kinds/batch/job-state.ts';
import { findCondition } from '#machinery/conditions.ts';
import { keyOf } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { TestCluster } from '../runtime/testing.ts';
import { jobController } from './job.ts';
import { conditionsOf, type Ending, makeJob, playJob, playKubelet, theJob } from './builders.ts';
import { completionIndexOf } from './pods.ts';

async function started(spec: Partial<JobSpec>): Promise<TestCluster> {
  const cluster = new TestCluster();
  await cluster.put(jobs, makeJob(spec));
  await cluster.run(jobController);
  return cluster;
}

/** The job with this spec after its pods ended so. */
async function played(spec: Partial<JobSpec>, ending: Ending): Promise<TestCluster> {
  const cluster = await started(spec);
  await playJob(cluster, ending);
  return cluster;
}

const reasons = (cluster: TestCluster): readonly string[] =>
  cluster.events.filter((e) => e.reason !== 'SuccessfulCreate' && e.reason !== 'SuccessfulDelete').map((e) => e.reason);
const made = (cluster: TestCluster): number => cluster.writes.filter((w) => w.startsWith('create pods')).length;
const indexed = { completionMode: 'Indexed', completions: 3, parallelism: 3 } as const;

describe('JobReconciler', () => {
  it('runs pods until there are as many successes as asked for', async () => {
    const cluster = await played({ completions: 5, parallelism: 2 }, () => 0);
    const { status } = theJob(cluster);
    assert.equal(made(cluster), 5);
    assert.equal(status!.succeeded, 5);
    assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
    const complete = findCondition(status!.conditions, 'Complete')!;
    assert.equal(status!.completionTime, complete.lastTransitionTime);
    assert.deepEqual(
      [complete.reason, complete.message],
      ['CompletionsReached', 'Reached expected number of succeeded pods'],
    );
    assert.deepEqual(status!.uncountedTerminatedPods, {});
    assert.deepEqual([status!.active, status!.ready, status!.terminating], [undefined, 0, 0]);
    assert.ok(cluster.list(pods).every((p) => p.metadata.finalizers?.length === 0));
    assert.deepEqual(reasons(cluster), ['Completed']);
    await cluster.stop();
  });

  it('never runs more than parallelism, and no more than are missing', async () => {
    const cluster = await started({ completions: 4, parallelism: 3 });
    const running: number[] = [];
    for (let round = 0; round < 12; round++) {
      await cluster.settle(300);
      running.push(cluster.list(pods).filter((p) => p.status?.phase !== 'Succeeded').length);
      playKubelet(cluster, () => 0);
    }
    assert.equal(Math.max(...running), 3);
    assert.equal(made(cluster), 4);
    await cluster.stop();
  });

  it('without completions ends once one pod succeeded and the others have ended', async () => {
    const cluster = await started({ parallelism: 3, completions: undefined });
    let first: string | undefined;
    await playJob(cluster, (pod) => ((first ??= pod.metadata.name) === pod.metadata.name ? 0 : undefined));
    assert.equal(made(cluster), 3);
    assert.deepEqual(conditionsOf(theJob(cluster)), []);
    assert.equal(theJob(cluster).status!.active, 2);
    await playJob(cluster, () => 1);
    assert.equal(made(cluster), 3);
    assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
    assert.deepEqual([theJob(cluster).status!.succeeded, theJob(cluster).status!.failed], [1, 2]);
    await cluster.stop();
  });

  it('waits 10, 20, 40 seconds before it replaces failed pods, and fails beyond the limit', async () => {
    const cluster = await started({ backoffLimit: 3 });
    const times: number[] = [];
    const begin = cluster.clock.now();
    for (let second = 0; second < 120; second++) {
      const before = made(cluster);
      playKubelet(cluster, () => 1);
      await cluster.settle(1000);
      if (made(cluster) > before) times.push(Math.round((cluster.clock.now() - begin) / 1000));
    }
    const waits = times.map((t, i) => t - (times[i - 1] ?? 0));
    assert.equal(made(cluster), 4);
    // A second or two more: the played kubelet needs a round to run a pod and one to end it.
    for (const [i, expected] of [10, 20, 40].entries()) {
      assert.ok(Math.abs(waits[i]! - expected) <= 3, `wait ${i} was ${waits[i]} s`);
    }
    assert.deepEqual(conditionsOf(theJob(cluster)), ['FailureTarget', 'Failed']);
    const failed = findCondition(theJob(cluster).status!.conditions, 'Failed')!;
    assert.equal(failed.reason, 'BackoffLimitExceeded');
    assert.equal(failed.message, 'Job has reached the specified backoff limit');
    assert.equal(theJob(cluster).status!.failed, 4);
    assert.deepEqual(reasons(cluster), ['BackoffLimitExceeded']);
    await cluster.stop();
  });

  it('fails with its other pods deleted and counted when the limit is reached', async () => {
    const cluster = await started({ completions: 3, parallelism: 3, backoffLimit: 0 });
    let bad: string | undefined;
    await playJob(cluster, (pod) => ((bad ??= pod.metadata.name) === pod.metadata.name ? 7 : undefined));
    const { status } = theJob(cluster);
    assert.deepEqual(conditionsOf(theJob(cluster)), ['FailureTarget', 'Failed']);
    assert.deepEqual([status!.failed, status!.active, status!.terminating], [3, undefined, 0]);
    assert.equal(cluster.list(pods).length, 1);
    await cluster.stop();
  });

  it('ends a Job that takes too long, from its start on', async () => {
    const cluster = await started({ activeDeadlineSeconds: 30 });
    await playJob(cluster, () => undefined);
    await cluster.settle(25_000);
    assert.deepEqual(conditionsOf(theJob(cluster)), []);
    await cluster.settle(6000);
    await playJob(cluster, () => undefined);
    const failed = findCondition(theJob(cluster).status!.conditions, 'Failed')!;
    assert.equal(failed.reason, 'DeadlineExceeded');
    assert.equal(failed.message, 'Job was active longer than specified deadline');
    assert.equal(cluster.list(pods).length, 0);
    await cluster.stop();
  });

  it('counts restarts of pods that are restarted in place', async () => {
    const template = { ...makeJob().spec!.template };
    const cluster = await started({
      backoffLimit: 2,
      template: { ...template, spec: { ...template.spec!, restartPolicy: 'OnFailure' } },
    });
    await playJob(cluster, () => undefined);
    const [pod] = cluster.list(pods);
    cluster.edit(pods, keyOf(pod!), (p) => ({
      ...p,
      status: { ...p.status, containerStatuses: p.status!.containerStatuses!.map((c) => ({ ...c, restartCount: 2 })) },
    }));
    await playJob(cluster, () => undefined);
    assert.equal(findCondition(theJob(cluster).status!.conditions, 'Failed')!.reason, 'BackoffLimitExceeded');
    await cluster.stop();
  });

  describe('of an Indexed Job', () => {
    it('makes one pod an index, with its index everywhere', async () => {
      const cluster = await started(indexed);
      const made = cluster.list(pods).toSorted((a, b) => completionIndexOf(a)! - completionIndexOf(b)!);
      assert.deepEqual(made.map(completionIndexOf), [0, 1, 2]);
      const { metadata, spec } = made[1]!;
      assert.match(metadata.name!, /^work-1-[a-z0-9]{5}$/);
      assert.equal(metadata.labels![COMPLETION_INDEX], '1');
      assert.deepEqual(metadata.finalizers, [JOB_TRACKING_FINALIZER]);
      assert.equal(spec!.hostname, 'work-1');
      assert.deepEqual(spec!.containers[0]!.env, [
        {
          name: 'JOB_COMPLETION_INDEX',
          valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } },
        },
      ]);
      await cluster.stop();
    });

    it('runs an index again until it succeeded, and says which have', async () => {
      const cluster = await started({ ...indexed, completions: 5, parallelism: 5 });
      await playJob(cluster, (pod) => (completionIndexOf(pod) === 2 ? undefined : 0));
      assert.equal(theJob(cluster).status!.completedIndexes, '0,1,3,4');
      await playJob(cluster, () => 1);
      await cluster.settle(11_000);
      await playJob(cluster, () => 0);
      const { status } = theJob(cluster);
      assert.deepEqual([status!.completedIndexes, status!.succeeded, status!.failed], ['0-4', 5, 1]);
      assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
      await cluster.stop();
    });

    it('can be made larger and smaller while it runs', async () => {
      const cluster = await started(indexed);
      const scale = (n: number) =>
        cluster.edit(jobs, 'default/work', (j) => ({
          ...j,
          metadata: { ...j.metadata, generation: (j.metadata.generation ?? 0) + 1 },
          spec: { ...j.spec!, completions: n, parallelism: n },
        }));
      scale(5);
      await playJob(cluster, () => undefined);
      assert.equal(theJob(cluster).status!.active, 5);
      scale(2);
      await playJob(cluster, () => undefined);
      assert.deepEqual(cluster.list(pods).map(completionIndexOf).sort(), [0, 1]);
      await playJob(cluster, () => 0);
      assert.equal(theJob(cluster).status!.completedIndexes, '0,1');
      await cluster.stop();
    });

    it('counts retries by index, and runs all others to the end', async () => {
      const cluster = await started({ ...indexed, backoffLimitPerIndex: 1 });
      const ending: Ending = (pod) => (completionIndexOf(pod) === 1 ? 3 : 0);
      await playJob(cluster, ending);
      const retry = cluster.list(pods).filter((p) => completionIndexOf(p) === 1);
      // The failed pod is kept until the one that replaces it carries its number on.
      assert.deepEqual(
        retry.map((p) => [p.metadata.annotations![INDEX_FAILURE_COUNT], p.metadata.finalizers?.length]),
        [['0', 1]],
      );
      assert.equal(theJob(cluster).status!.failed, undefined);
      await cluster.settle(11_000);
      await playJob(cluster, ending);
      const { status } = theJob(cluster);
      assert.deepEqual(
        [status!.completedIndexes, status!.failedIndexes, status!.succeeded, status!.failed],
        ['0,2', '1', 2, 2],
      );
      assert.equal(findCondition(status!.conditions, 'Failed')!.reason, 'FailedIndexes');
      assert.equal(findCondition(status!.conditions, 'Failed')!.message, 'Job has failed indexes');
      await cluster.stop();
    });

    it('fails at once when too many indexes have', async () => {
      const cluster = await played({ ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 0 }, (pod) =>
        completionIndexOf(pod) === 0 ? 1 : undefined,
      );
      assert.equal(findCondition(theJob(cluster).status!.conditions, 'Failed')!.reason, 'MaxFailedIndexesExceeded');
      assert.equal(cluster.list(pods).filter((p) => p.status?.phase === 'Running').length, 0);
      await cluster.stop();
    });

    it('is a success when its success policy says so', async () => {
      const cluster = await played({ ...indexed, successPolicy: { rules: [{ succeededIndexes: '0' }] } }, (pod) =>
        completionIndexOf(pod) === 0 ? 0 : undefined,
      );
      const { status } = theJob(cluster);
      assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
      for (const type of ['SuccessCriteriaMet', 'Complete']) {
        const { reason, message } = findCondition(status!.conditions, type)!;
        assert.deepEqual({ reason, message }, { reason: 'SuccessPolicy', message: 'Matched rules at index 0' });
      }
      assert.deepEqual([status!.succeeded, status!.failed, status!.terminating], [1, undefined, 0]);
      await cluster.stop();
    });
  });

  describe('with a pod failure policy', () => {
    const policy = (action: string, values: readonly number[] = [42]) => ({
      podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values } }] },
    });

    it('fails the Job at once, with the pod named', async () => {
      const cluster = await played({ completions: 2, parallelism: 2, ...policy('FailJob') }, () => 42);
      const failed = findCondition(theJob(cluster).status!.conditions, 'Failed')!;
      assert.equal(failed.reason, 'PodFailurePolicy');
      assert.match(
        failed.message!,
        /^Container main for pod default\/work-[a-z0-9]+ failed with exit code 42 matching FailJob rule at index 0$/,
      );
      await cluster.stop();
    });

    it('does not count what it ignores', async () => {
      const cluster = await started({ backoffLimit: 0, ...policy('Ignore') });
      await playJob(cluster, () => 42);
      await cluster.settle(11_000);
      await playJob(cluster, () => 0);
      assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
      assert.deepEqual([theJob(cluster).status!.failed, theJob(cluster).status!.succeeded], [undefined, 1]);
      await cluster.stop();
    });

    it('gives an index up', async () => {
      const cluster = await played({ ...indexed, backoffLimitPerIndex: 5, ...policy('FailIndex') }, (pod) =>
        completionIndexOf(pod) === 0 ? 42 : 0,
      );
      assert.equal(theJob(cluster).status!.failedIndexes, '0');
      assert.equal(findCondition(theJob(cluster).status!.conditions, 'Failed')!.reason, 'FailedIndexes');
      await cluster.stop();
    });

    it('replaces a pod on its way out only once it has ended', async () => {
      const cluster = await started(policy('Ignore'));
      await playJob(cluster, () => undefined);
      const [pod] = cluster.list(pods);
      await cluster.client.resource(pods).delete('default', pod!.metadata.name!);
      await cluster.settle(2000);
      assert.equal(made(cluster), 1);
      assert.deepEqual([theJob(cluster).status!.active, theJob(cluster).status!.terminating], [undefined, 1]);
      playKubelet(cluster, () => undefined);
      await cluster.settle(12_000);
      assert.equal(made(cluster), 2);
      await cluster.stop();
    });
  });

  describe('suspended', () => {
    const suspend = (cluster: TestCluster, suspended: boolean) =>
      cluster.edit(jobs, 'default/work', (j) => ({
        ...j,
        metadata: { ...j.metadata, generation: (j.metadata.generation ?? 0) + 1 },
        spec: { ...j.spec!, suspend: suspended },
      }));

    it('takes its pods away uncounted, and starts anew when it resumes', async () => {
      const cluster = await started({ completions: 2, parallelism: 2 });
      await playJob(cluster, () => undefined);
      suspend(cluster, true);
      await playJob(cluster, () => undefined);
      const { status } = theJob(cluster);
      assert.deepEqual(conditionsOf(theJob(cluster)), ['Suspended']);
      assert.deepEqual([status!.active, status!.startTime, status!.failed], [undefined, undefined, undefined]);
      assert.equal(cluster.list(pods).length, 0);
      await cluster.settle(60_000);
      suspend(cluster, false);
      await playJob(cluster, () => undefined);
      assert.equal(theJob(cluster).status!.active, 2);
      assert.ok(theJob(cluster).status!.startTime !== undefined);
      await playJob(cluster, () => 0);
      assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
      assert.deepEqual(reasons(cluster), ['Suspended', 'Resumed', 'Completed']);
      const about = findCondition(theJob(cluster).status!.conditions, 'Suspended')!;
      assert.deepEqual([about.status, about.reason, about.message], ['False', 'JobResumed', 'Job resumed']);
      await cluster.stop();
    });

    it('makes no pods when it is made so, and has no start', async () => {
      const cluster = await started({ suspend: true });
      await playJob(cluster, () => 0);
      assert.equal(made(cluster), 0);
      assert.equal(theJob(cluster).status!.startTime, undefined);
      await cluster.stop();
    });
  });

  it('leaves a Job alone that another controller manages', async () => {
    const cluster = await played({ managedBy: 'example.com/queue' }, () => 0);
    assert.equal(made(cluster), 0);
    assert.equal(theJob(cluster).status, undefined);
    await cluster.stop();
  });

  it('gives up the pods of a Job that was deleted', async () => {
    const cluster = await started({ parallelism: 2, completions: 2 });
    await playJob(cluster, () => undefined);
    cluster.remove(jobs, 'default/work');
    await cluster.settle();
    assert.deepEqual(
      cluster.list(pods).map((p) => p.metadata.finalizers),
      [[], []],
    );
    await cluster.stop();
  });

  it('takes back a pod that was orphaned with its finalizer, and lets one go that no longer matches', async () => {
    const cluster = await started({ parallelism: 1, completions: 1 });
    await playJob(cluster, () => undefined);
    const key = keyOf(cluster.list(pods)[0]!);
    cluster.edit(pods, key, (p) => ({ ...p, metadata: { ...p.metadata, ownerReferences: [], finalizers: [] } }));
    await cluster.settle(500);
    assert.equal(cluster.get(pods, key)!.metadata.ownerReferences?.[0]?.name, 'work');
    assert.deepEqual(cluster.get(pods, key)!.metadata.finalizers, [JOB_TRACKING_FINALIZER]);
    cluster.edit(pods, key, (p) => ({ ...p, metadata: { ...p.metadata, labels: {} } }));
    await cluster.settle(500);
    assert.deepEqual(cluster.get(pods, key)!.metadata.ownerReferences, []);
    assert.deepEqual(cluster.get(pods, key)!.metadata.finalizers, []);
    assert.equal(cluster.list(pods).length, 2);
    await cluster.stop();
  });

  it('makes no pod twice while its cache of pods lags', async () => {
    const cluster = new TestCluster();
    await cluster.run(jobController);
    cluster.holdBack(pods);
    await cluster.put(jobs, makeJob({ completions: 3, parallelism: 3 }));
    await cluster.settle(2000);
    cluster.catchUp();
    await playJob(cluster, () => 0);
    assert.equal(made(cluster), 3);
    await cluster.stop();
  });

  it('decides nothing on a Job that is older than what it wrote', async () => {
    const cluster = await started({ completions: 1 });
    await playJob(cluster, () => undefined);
    cluster.holdBack(jobs);
    playKubelet(cluster, () => 0);
    await cluster.settle(2000);
    // The pod is counted and released; the cached Job knows nothing of it.
    assert.equal(theJob(cluster).status!.succeeded, 1);
    cluster.edit(pods, keyOf(cluster.list(pods)[0]!), (p) => ({
      ...p,
      metadata: { ...p.metadata, annotations: { touched: 'yes' } },
    }));
    await cluster.settle(2000);
    cluster.catchUp();
    await playJob(cluster, () => 0);
    assert.equal(made(cluster), 1);
    assert.equal(theJob(cluster).status!.succeeded, 1);
    await cluster.stop();
  });

  describe('when it dies between any two writes', () => {
    /** Runs the Job with a controller that is killed before its n-th write and followed by a new one. */
    async function crashedBefore(write: number, spec: Partial<JobSpec>, ending: Ending): Promise<TestCluster> {
      const cluster = new TestCluster();
      await cluster.put(jobs, makeJob(spec));
      let writes = 0;
      const dead = new StatusError(503, 'ServiceUnavailable', 'the controller is gone');
      // From the n-th on none of its writes arrives.
      cluster.refuse = () => (++writes >= write ? dead : undefined);
      await cluster.run(jobController);
      await playJob(cluster, ending);
      await cluster.stop();
      cluster.refuse = () => undefined;
      await cluster.run(jobController);
      for (let i = 0; i < 5; i++) {
        await playJob(cluster, ending);
        await cluster.settle(15_000);
      }
      await cluster.stop();
      return cluster;
    }

    for (let write = 1; write <= 16; write++) {
      it(`counts each end once (before write ${write})`, async () => {
        const cluster = await crashedBefore(write, { completions: 3, parallelism: 3 }, () => 0);
        assert.equal(theJob(cluster).status!.succeeded, 3);
        assert.equal(theJob(cluster).status!.failed, undefined);
        assert.equal(cluster.list(pods).length, 3);
        assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
      });

      it(`counts each failure once (before write ${write})`, async () => {
        const cluster = await crashedBefore(
          write,
          { completions: 3, parallelism: 3, completionMode: 'Indexed', backoffLimitPerIndex: 0 },
          (pod) => (completionIndexOf(pod) === 1 ? 1 : 0),
        );
        const { status } = theJob(cluster);
        assert.deepEqual(
          [status!.succeeded, status!.failed, status!.completedIndexes, status!.failedIndexes],
          [2, 1, '0,2', '1'],
        );
        assert.equal(cluster.list(pods).length, 3);
      });
    }
  });
});
