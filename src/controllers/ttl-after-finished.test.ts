import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Job } from '#generated/api/batch-v1.ts';
import { jobs } from '#generated/resources.ts';
import { formatTime } from '#machinery/time.ts';
import { makeJob } from './job/builders.ts';
import { TestCluster } from './runtime/testing.ts';
import { ttlAfterFinishedController } from './ttl-after-finished.ts';

const finished = (job: Job, nowMs: number): Job => ({
  ...job,
  status: { conditions: [{ type: 'Failed', status: 'True', lastTransitionTime: formatTime(nowMs) }] },
});

describe('TtlAfterFinishedReconciler', () => {
  it('deletes a finished Job and what it owns when its time is up', async () => {
    const cluster = new TestCluster();
    await cluster.put(jobs, makeJob({ ttlSecondsAfterFinished: 60 }));
    await cluster.run(ttlAfterFinishedController);
    await cluster.clock.step(600_000);
    assert.deepEqual(cluster.writes, ['create jobs default/work']);
    cluster.edit(jobs, 'default/work', (j) => finished(j, cluster.clock.now()));
    await cluster.clock.step(59_000);
    assert.equal(cluster.writes.length, 1);
    await cluster.clock.step(2000);
    assert.deepEqual(cluster.writes.slice(1), ['delete(Foreground) jobs default/work']);
    await cluster.stop();
  });

  it('believes the server, not its cache', async () => {
    const cluster = new TestCluster();
    await cluster.put(jobs, makeJob({ ttlSecondsAfterFinished: 60 }));
    await cluster.run(ttlAfterFinishedController);
    cluster.edit(jobs, 'default/work', (j) => finished(j, cluster.clock.now()));
    await cluster.clock.step(30_000);
    cluster.holdBack(jobs);
    cluster.edit(jobs, 'default/work', (j) => ({ ...j, spec: { ...j.spec!, ttlSecondsAfterFinished: 3600 } }));
    await cluster.clock.step(60_000);
    assert.equal(cluster.writes.length, 1);
    cluster.catchUp();
    await cluster.clock.step(3_600_000);
    assert.deepEqual(cluster.writes.slice(1), ['delete(Foreground) jobs default/work']);
    await cluster.stop();
  });

  it('keeps Jobs that name no time', async () => {
    const cluster = new TestCluster();
    await cluster.put(jobs, makeJob());
    cluster.edit(jobs, 'default/work', (j) => finished(j, cluster.clock.now()));
    await cluster.run(ttlAfterFinishedController);
    await cluster.clock.step(86_400_000);
    assert.equal(cluster.list(jobs).length, 1);
    await cluster.stop();
  });
});
