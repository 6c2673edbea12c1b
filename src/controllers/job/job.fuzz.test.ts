// The Job controller under stale caches, refused writes and deaths, in generated orders: every end is counted once, no pod is made
// that was not needed.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JobSpec } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { jobs, pods } from '#generated/resources.ts';
import { StatusError } from '#machinery/status.ts';
import { TestCluster } from '../runtime/testing.ts';
import { conditionsOf, makeJob, playJob, playKubelet, theJob } from './builders.ts';
import { jobController } from './job.ts';
import { completionIndexOf } from './pods.ts';

type Step =
  | { readonly do: 'wait'; readonly ms: number }
  /** The kubelet moves every pod on; of those that end every n-th fails. */
  | { readonly do: 'kubelet'; readonly failing: number }
  | { readonly do: 'hold'; readonly what: 'pods' | 'jobs' }
  | { readonly do: 'catchUp' }
  /** The next writes go wrong, after this many that do not. */
  | { readonly do: 'refuse'; readonly after: number; readonly count: number }
  | { readonly do: 'die' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 10, max: 12_000 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('kubelet' as const), failing: fc.integer({ min: 1, max: 6 }) }) },
  fc.record({ do: fc.constant('hold' as const), what: fc.constantFrom('pods' as const, 'jobs' as const) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('catchUp' as const) }) },
  fc.record({ do: fc.constant('refuse' as const), after: fc.nat(4), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('die' as const) }),
);

const spec: fc.Arbitrary<Partial<JobSpec>> = fc
  .record({
    completions: fc.integer({ min: 1, max: 6 }),
    parallelism: fc.integer({ min: 1, max: 4 }),
    mode: fc.constantFrom('NonIndexed', 'Indexed', 'perIndex'),
  })
  .map(({ completions, parallelism, mode }) => ({
    completions,
    parallelism,
    backoffLimit: 10_000,
    ...(mode === 'NonIndexed' ? {} : { completionMode: 'Indexed' }),
    ...(mode === 'perIndex' ? { backoffLimitPerIndex: 10_000 } : {}),
  }));

async function take(cluster: TestCluster, { step: wanted, ended }: { step: Step; ended: { n: number } }) {
  switch (wanted.do) {
    case 'wait':
      return cluster.settle(wanted.ms);
    case 'kubelet':
      return void playKubelet(cluster, () => (ended.n++ % wanted.failing === 0 ? 1 : 0));
    case 'hold':
      cluster.catchUp();
      return cluster.holdBack(wanted.what === 'pods' ? pods : jobs);
    case 'catchUp':
      return cluster.catchUp();
    case 'refuse': {
      let n = 0;
      cluster.refuse = () =>
        n++ >= wanted.after && n <= wanted.after + wanted.count
          ? new StatusError(503, 'ServiceUnavailable', 'not now')
          : undefined;
      return;
    }
    case 'die':
      // A new one reads everything anew.
      cluster.refuse = () => new StatusError(503, 'ServiceUnavailable', 'gone');
      await cluster.stop();
      cluster.refuse = () => undefined;
      cluster.catchUp();
      return cluster.run(jobController);
  }
}

const phase = (list: readonly Pod[], wanted: string): readonly Pod[] => list.filter((p) => p.status?.phase === wanted);

describe('JobReconciler, whatever happens', () => {
  it('counts every end once and makes no pod too many', async () => {
    await fc.assert(
      fc.asyncProperty(spec, fc.array(step, { maxLength: 40 }), async (wanted, steps) => {
        const cluster = new TestCluster();
        await cluster.put(jobs, makeJob(wanted));
        await cluster.run(jobController);
        const ended = { n: 0 };
        for (const one of steps) await take(cluster, { step: one, ended });
        cluster.refuse = () => undefined;
        cluster.catchUp();
        for (let i = 0; i < 60 && !conditionsOf(theJob(cluster)).includes('Complete'); i++) {
          await cluster.settle(60_000);
          await playJob(cluster, () => 0);
        }
        const { status } = theJob(cluster);
        const all = cluster.list(pods);
        const succeeded = phase(all, 'Succeeded');
        assert.deepEqual(conditionsOf(theJob(cluster)), ['SuccessCriteriaMet', 'Complete']);
        assert.equal(status!.succeeded, wanted.completions);
        assert.equal(succeeded.length, wanted.completions);
        if (wanted.completionMode === 'Indexed')
          assert.equal(new Set(succeeded.map(completionIndexOf)).size, wanted.completions);
        assert.equal(status!.failed ?? 0, phase(all, 'Failed').length);
        assert.equal(all.length, wanted.completions! + (status!.failed ?? 0));
        assert.equal(cluster.writes.filter((w) => w.startsWith('create pods')).length, all.length);
        assert.ok(all.every((p) => p.metadata.finalizers?.length === 0));
        await cluster.stop();
      }),
      { numRuns: 300 },
    );
  });
});
