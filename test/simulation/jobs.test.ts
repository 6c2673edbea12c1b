// Jobs and CronJobs through scheduler and kubelets, with pods that fail, servers and controllers that die: every end is counted once,
// and every time of a schedule gets its Job once.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { CronJob, Job, JobSpec } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { cronjobs, jobs, pods } from '#generated/resources.ts';
import { COMPLETION_INDEX, SCHEDULED_TIMESTAMP, isJobFinished } from '#kinds/batch/job-state.ts';
import { findCondition } from '#machinery/conditions.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import type { EndingOf } from '#node/cri/fake.ts';
import type { SimulatedCluster } from './cluster.ts';
import { forbidden } from './objects.ts';
import { simulated } from './traces.ts';

const MINUTE = 60_000;

function makeJob(name: string, spec: Partial<JobSpec>): Job {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      ...spec,
      template: {
        metadata: { labels: { app: name } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'work:1' }] },
      },
    },
  };
}

/** Of a Job called `flaky` about every third pod fails, of `picky` each with index 1; all others end well. */
const endingOf: EndingOf = ({ metadata, annotations }) => {
  const afterMs = 2000 + 500 * (metadata.name.charCodeAt(metadata.name.length - 1) % 8);
  if (metadata.name.startsWith('flaky')) return { afterMs, exitCode: /[b-k]$/.test(metadata.name) ? 1 : 0 };
  if (metadata.name.startsWith('picky')) return { afterMs, exitCode: annotations[COMPLETION_INDEX] === '1' ? 3 : 0 };
  return { afterMs, exitCode: 0 };
};

async function finished(cluster: SimulatedCluster, name: string): Promise<Job> {
  await cluster.until(
    `${name} is finished`,
    async () => isJobFinished((await cluster.client.resource(jobs).get('default', name))!),
    180 * MINUTE,
  );
  return (await cluster.call(cluster.client.resource(jobs).get('default', name)))!;
}

async function podsOf(cluster: SimulatedCluster, app: string): Promise<readonly Pod[]> {
  const { items } = await cluster.call(
    cluster.client.resource(pods).list({ namespace: 'default', labelSelector: `app=${app}` }),
  );
  return items;
}

const inPhase = (list: readonly Pod[], phase: string): number => list.filter((p) => p.status?.phase === phase).length;

describe('a Job whose pods fail', () => {
  simulated({ shape: { endingOf } }, async (cluster) => {
    const spec = { completions: 12, parallelism: 4, backoffLimit: 1000 };
    await cluster.call(cluster.client.resource(jobs).create(makeJob('flaky', spec)));
    // In the middle of it first the controllers die, then the server.
    await cluster.pass(2700);
    await cluster.restartControl();
    await cluster.pass(20_000);
    await cluster.killServer();
    await cluster.pass(3000);
    await cluster.bootServer();
    const { status } = await finished(cluster, 'flaky');
    const all = await podsOf(cluster, 'flaky');
    assert.ok(inPhase(all, 'Failed') > 0, 'no pod failed');
    assert.deepEqual(
      [status!.succeeded, status!.failed ?? 0, status!.active, status!.terminating],
      [inPhase(all, 'Succeeded'), inPhase(all, 'Failed'), undefined, 0],
    );
    assert.equal(status!.succeeded, 12);
    assert.equal(all.length, 12 + inPhase(all, 'Failed'));
    assert.ok(all.every((p) => p.metadata.finalizers === undefined));
    assert.equal(findCondition(status!.conditions, 'Complete')?.status, 'True');
    assert.deepEqual(forbidden(cluster), []);
  });
});

describe('an Indexed Job with an index that fails', () => {
  simulated({ shape: { endingOf } }, async (cluster) => {
    const spec: Partial<JobSpec> = {
      completionMode: 'Indexed',
      completions: 5,
      parallelism: 5,
      backoffLimitPerIndex: 2,
    };
    await cluster.call(cluster.client.resource(jobs).create(makeJob('picky', spec)));
    // Whenever a pod of the index has failed, the controllers are new.
    for (let i = 0; i < 4; i++) {
      await cluster.pass(7000);
      await cluster.restartControl();
    }
    const { status } = await finished(cluster, 'picky');
    assert.deepEqual(
      [status!.completedIndexes, status!.failedIndexes, status!.succeeded, status!.failed],
      ['0,2-4', '1', 4, 3],
    );
    assert.equal(findCondition(status!.conditions, 'Failed')?.reason, 'FailedIndexes');
    assert.equal((await podsOf(cluster, 'picky')).length, 7);
    assert.deepEqual(forbidden(cluster), []);
  });
});

// No node: a day of kubelets that look at their pods each second is long. These Jobs are complete without any pod.
const HOURS = process.env['CORACLE_LONG'] === '1' ? 24 : 2;

describe(`a CronJob through ${HOURS} hours`, () => {
  simulated({ nodes: 0 }, async (cluster) => {
    const { client } = cluster;
    const cronJob: CronJob = {
      metadata: { name: 'often', namespace: 'default' },
      spec: {
        schedule: '5/10 * * * *',
        timeZone: 'Asia/Kathmandu',
        concurrencyPolicy: 'Forbid',
        jobTemplate: {
          spec: makeJob('often', { completions: 0, parallelism: 0, ttlSecondsAfterFinished: 1500 }).spec!,
        },
      },
    };
    await cluster.call(client.resource(cronjobs).create(cronJob));
    const begin = cluster.clock.now();
    const seen = new Map<string, string>();
    for (let round = 0; round < HOURS * 6; round++) {
      await cluster.pass(10 * MINUTE);
      // The controllers die at any time, also right when a Job is due.
      if (round % 5 === 2) await cluster.restartControl();
      await cluster.pass(round % 2 === 0 ? 7 : 0);
      if (round === HOURS * 6 - 1) await cluster.pass(5000);
      const { items } = await cluster.call(client.resource(jobs).list({ namespace: 'default' }));
      assert.ok(items.length <= 4, 'old ones are not removed');
      for (const job of items) seen.set(job.metadata.name!, job.metadata.annotations![SCHEDULED_TIMESTAMP]!);
    }
    const { status } = (await cluster.call(client.resource(cronjobs).get('default', 'often')))!;
    const due: string[] = [];
    // Kathmandu is 5:45 ahead: every tenth minute from the fifth on is every tenth minute here.
    const first = Math.ceil(begin / (10 * MINUTE)) * 10 * MINUTE;
    for (let at = first; at <= cluster.clock.now() - 2000; at += 10 * MINUTE) due.push(formatTime(at));
    const started = [...seen.values()].map((text) => formatTime(parseTime(text)!)).toSorted();
    assert.deepEqual(started, due);
    assert.ok(due.length >= HOURS * 6 - 1);
    assert.equal(status!.lastScheduleTime, due.at(-1));
    assert.ok([...seen.values()].every((text) => text.endsWith('+05:45')));
    const made = cluster.trace.filter((line) => / POST \/apis\/batch\/v1\/namespaces\/default\/jobs 201 /.test(line));
    assert.equal(made.length, due.length);
    assert.deepEqual(forbidden(cluster), []);
  });
});
