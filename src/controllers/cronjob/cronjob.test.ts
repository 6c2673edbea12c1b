import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CronJob, CronJobSpec, Job } from '#generated/api/batch-v1.ts';
import { cronjobs, jobs } from '#generated/resources.ts';
import { SCHEDULED_TIMESTAMP } from '#kinds/batch/job-state.ts';
import { parseSchedule } from '#kinds/batch/schedule.ts';
import { UTC } from '#kinds/batch/time-zone.ts';
import { keyOf } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import { TestCluster } from '../runtime/testing.ts';
import { beyondLimit, cronJobController } from './cronjob.ts';
import { latestDue, msUntilNext } from './due.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function makeCronJob(spec: Partial<CronJobSpec> = {}, metadata: Partial<CronJob['metadata']> = {}): CronJob {
  return {
    metadata: { name: 'tick', namespace: 'default', ...metadata },
    spec: {
      schedule: '*/10 * * * *',
      concurrencyPolicy: 'Allow',
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { labels: { app: 'tick' }, annotations: { note: 'kept' } },
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'work:1' }] } } },
      },
      ...spec,
    },
  };
}

async function started(spec: Partial<CronJobSpec> = {}): Promise<TestCluster> {
  const cluster = new TestCluster();
  await cluster.put(cronjobs, makeCronJob(spec));
  await cluster.run(cronJobController);
  return cluster;
}

/** The Job ends at this moment. */
function finish(cluster: TestCluster, job: Job, type: 'Complete' | 'Failed' = 'Complete'): void {
  const now = formatTime(cluster.clock.now());
  cluster.edit(jobs, keyOf(job), (j) => ({
    ...j,
    status: {
      startTime: j.metadata.creationTimestamp!,
      conditions: [{ type, status: 'True', lastTransitionTime: now }],
      ...(type === 'Complete' ? { completionTime: now } : {}),
    },
  }));
}

const theCronJob = (cluster: TestCluster): CronJob => cluster.get(cronjobs, 'default/tick')!;
const names = (cluster: TestCluster): readonly string[] => cluster.list(jobs).map((j) => j.metadata.name!);
const running = (cluster: TestCluster) => cluster.list(jobs).filter((j) => j.status?.conditions === undefined);
const told = (cluster: TestCluster, reason: string): readonly string[] =>
  cluster.events.filter((e) => e.reason === reason).map((e) => e.message);
/** The clock's begin, in minutes: what names begin with. */
const begin = Math.floor(new TestCluster().clock.now() / MINUTE);

describe('CronJobReconciler', () => {
  it('makes a Job at each time, named after it', async () => {
    const cluster = await started();
    await cluster.clock.step(25 * MINUTE);
    assert.deepEqual(names(cluster), [`tick-${begin + 10}`, `tick-${begin + 20}`]);
    const { metadata, spec } = cluster.list(jobs)[0]!;
    assert.deepEqual(metadata.labels, { app: 'tick' });
    assert.deepEqual(metadata.annotations, { note: 'kept', [SCHEDULED_TIMESTAMP]: '2026-01-01T00:10:00Z' });
    assert.equal(metadata.ownerReferences?.[0]?.kind, 'CronJob');
    assert.equal(spec?.template.spec?.containers[0]?.image, 'work:1');
    const { status } = theCronJob(cluster);
    assert.deepEqual(
      status!.active!.map((a) => [a.kind, a.apiVersion, a.name]),
      [
        ['Job', 'batch/v1', `tick-${begin + 10}`],
        ['Job', 'batch/v1', `tick-${begin + 20}`],
      ],
    );
    assert.equal(status!.lastScheduleTime, '2026-01-01T00:20:00Z');
    assert.deepEqual(told(cluster, 'SuccessfulCreate'), [
      `Created job tick-${begin + 10}`,
      `Created job tick-${begin + 20}`,
    ]);
    await cluster.stop();
  });

  it('takes finished Jobs off the list and remembers the last success', async () => {
    const cluster = await started();
    await cluster.clock.step(11 * MINUTE);
    finish(cluster, cluster.list(jobs)[0]!);
    await cluster.settle();
    const { status } = theCronJob(cluster);
    assert.deepEqual(status!.active, []);
    assert.equal(status!.lastSuccessfulTime, '2026-01-01T00:11:00Z');
    assert.deepEqual(told(cluster, 'SawCompletedJob'), [`Saw completed job: tick-${begin + 10}, condition: Complete`]);
    await cluster.stop();
  });

  it('starts nothing while a Job runs that forbids it, and catches up when it has ended', async () => {
    const cluster = await started({ concurrencyPolicy: 'Forbid' });
    await cluster.clock.step(25 * MINUTE);
    assert.deepEqual(names(cluster), [`tick-${begin + 10}`]);
    assert.match(told(cluster, 'JobAlreadyActive')[0]!, /^Not starting job because prior execution is running/);
    finish(cluster, cluster.list(jobs)[0]!);
    await cluster.settle();
    assert.deepEqual(names(cluster), [`tick-${begin + 10}`, `tick-${begin + 20}`]);
    await cluster.stop();
  });

  it('replaces a Job that still runs', async () => {
    const cluster = await started({ concurrencyPolicy: 'Replace' });
    await cluster.clock.step(25 * MINUTE);
    assert.deepEqual(names(cluster), [`tick-${begin + 20}`]);
    assert.ok(cluster.writes.includes(`delete(Background) jobs default/tick-${begin + 10}`));
    assert.deepEqual(
      theCronJob(cluster).status!.active!.map((a) => a.name),
      [`tick-${begin + 20}`],
    );
    assert.deepEqual(told(cluster, 'SuccessfulDelete'), [`Deleted job tick-${begin + 10}`]);
    await cluster.stop();
  });

  it('keeps as many finished Jobs as the limits say', async () => {
    const cluster = await started({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 });
    for (let i = 0; i < 8; i++) {
      await cluster.clock.step(10 * MINUTE + 200);
      for (const job of running(cluster)) finish(cluster, job, i % 2 === 0 ? 'Complete' : 'Failed');
    }
    await cluster.settle();
    assert.deepEqual(
      names(cluster),
      [50, 70, 80].map((m) => `tick-${begin + m}`),
    );
    await cluster.stop();
  });

  it('starts nothing while suspended, and the last missed one afterwards', async () => {
    const cluster = await started({ suspend: true });
    await cluster.clock.step(35 * MINUTE);
    assert.deepEqual(names(cluster), []);
    cluster.edit(cronjobs, 'default/tick', (c) => ({ ...c, spec: { ...c.spec, suspend: false } }));
    await cluster.settle();
    assert.deepEqual(names(cluster), [`tick-${begin + 30}`]);
    await cluster.stop();
  });

  it('starts nothing that is later than its deadline', async () => {
    const cluster = await started({ startingDeadlineSeconds: 60, concurrencyPolicy: 'Forbid' });
    await cluster.clock.step(10 * MINUTE + 1000);
    await cluster.clock.step(15 * MINUTE);
    finish(cluster, cluster.list(jobs)[0]!);
    await cluster.settle();
    assert.equal(names(cluster).length, 1);
    await cluster.stop();
  });

  it('counts on the zone it names, and says so in the annotation', async () => {
    const cluster = await started({ schedule: '30 6 * * *', timeZone: 'Asia/Kolkata' });
    await cluster.clock.step(2 * HOUR);
    assert.equal(cluster.list(jobs)[0]!.metadata.annotations![SCHEDULED_TIMESTAMP], '2026-01-01T06:30:00+05:30');
    await cluster.stop();
  });

  for (const [reason, spec, message] of [
    ['UnknownTimeZone', { timeZone: 'Mars/Base' }, 'invalid timeZone: "Mars/Base": unknown time zone Mars/Base'],
    [
      'UnparseableSchedule',
      { schedule: '61 * * * *' },
      'unparseable schedule: "61 * * * *" : end of range (61) above maximum (59): 61',
    ],
    [
      'InvalidSchedule',
      { schedule: '0 0 31 2 *' },
      'invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second',
    ],
  ] as const) {
    it(`says ${reason}`, async () => {
      const cluster = await started(spec);
      await cluster.clock.step(HOUR);
      assert.deepEqual(names(cluster), []);
      assert.equal(told(cluster, reason)[0], message);
      await cluster.stop();
    });
  }

  it('makes up for the last time only, and warns, after a long absence', async () => {
    const cluster = await started({ schedule: '* * * * *' });
    await cluster.stop();
    await cluster.clock.step(24 * HOUR);
    await cluster.run(cronJobController);
    assert.equal(names(cluster).length, 1);
    assert.equal(theCronJob(cluster).status!.lastScheduleTime, '2026-01-02T00:00:00Z');
    assert.match(told(cluster, 'TooManyMissedTimes')[0]!, /^too many missed start times\. Set or decrease/);
    await cluster.stop();
  });

  it('takes up a Job it made and forgot to write down', async () => {
    const cluster = new TestCluster();
    await cluster.put(cronjobs, makeCronJob());
    let died = false;
    cluster.refuse = (verb) => {
      died ||= verb === 'updateStatus';
      return died ? new StatusError(503, 'ServiceUnavailable', 'gone') : undefined;
    };
    await cluster.run(cronJobController);
    await cluster.clock.step(11 * MINUTE);
    await cluster.stop();
    assert.equal(names(cluster).length, 1);
    assert.equal(theCronJob(cluster).status, undefined);
    cluster.refuse = () => undefined;
    await cluster.run(cronJobController);
    assert.equal(names(cluster).length, 1);
    assert.deepEqual(
      theCronJob(cluster).status!.active!.map((a) => a.name),
      names(cluster),
    );
    await cluster.stop();
  });

  it('forgets a Job that went missing', async () => {
    const cluster = await started();
    await cluster.clock.step(11 * MINUTE);
    cluster.remove(jobs, `default/tick-${begin + 10}`);
    await cluster.settle();
    assert.deepEqual(theCronJob(cluster).status!.active, []);
    assert.deepEqual(told(cluster, 'MissingJob'), [`Active job went missing: tick-${begin + 10}`]);
    assert.deepEqual(names(cluster), []);
    await cluster.stop();
  });

  it('does not start in the past what a new schedule would have', async () => {
    const cluster = await started({ schedule: '0 12 * * *' });
    await cluster.clock.step(2 * HOUR);
    cluster.edit(cronjobs, 'default/tick', (c) => ({ ...c, spec: { ...c.spec, schedule: '30 1,3 * * *' } }));
    await cluster.clock.step(HOUR);
    assert.deepEqual(names(cluster), []);
    await cluster.clock.step(HOUR);
    assert.equal(theCronJob(cluster).status!.lastScheduleTime, '2026-01-01T03:30:00Z');
    await cluster.stop();
  });
});

describe('latestDue', () => {
  const at = (text: string): number => parseTime(text)!;
  const due = (text: string, now: string, spec: Partial<CronJobSpec> = {}) => {
    const parsed = parseSchedule(text);
    assert.ok('schedule' in parsed);
    const cronJob = makeCronJob({ schedule: text, ...spec }, { creationTimestamp: '2026-01-01T00:00:00Z' });
    const timetable = { schedule: parsed.schedule, zone: UTC };
    const found = latestDue(cronJob, timetable, at(now));
    const next = msUntilNext(cronJob, timetable, at(now));
    return {
      last: found.kind === 'due' ? formatTime(found.atMs) : found.kind,
      many: found.kind === 'due' && found.many,
      next: next === undefined ? undefined : formatTime(at(now) + next),
    };
  };

  for (const [condition, text, now, expected] of [
    ['nothing has come', '0 * * * *', '2026-01-01T00:59:59Z', ['none', false, '2026-01-01T01:00:00Z']],
    ['it comes now', '0 * * * *', '2026-01-01T01:00:00Z', ['2026-01-01T01:00:00Z', false, '2026-01-01T02:00:00Z']],
    ['several have come', '0 * * * *', '2026-01-01T05:30:00Z', ['2026-01-01T05:00:00Z', false, '2026-01-01T06:00:00Z']],
    [
      'a hundred have come',
      '* * * * *',
      '2026-01-01T01:40:30Z',
      ['2026-01-01T01:40:00Z', false, '2026-01-01T01:41:00Z'],
    ],
    ['more have come', '* * * * *', '2026-01-01T01:41:30Z', ['2026-01-01T01:41:00Z', true, '2026-01-01T01:42:00Z']],
    [
      // As upstream: what was missed before a long pause is not made up for.
      'distances differ',
      '30 6-16/4 * * 1-5',
      '2026-01-05T05:00:00Z',
      ['none', false, '2026-01-05T06:30:00Z'],
    ],
    [
      'it counts from its making',
      '@every 2h',
      '2026-01-01T07:00:00Z',
      ['2026-01-01T06:00:00Z', false, '2026-01-01T08:00:00Z'],
    ],
    ['there is no such day', '0 0 31 2 *', '2026-06-01T00:00:00Z', ['invalid', false, undefined]],
  ] as const) {
    it(`is right when ${condition}`, () => {
      const { last, many, next } = due(text, now);
      assert.deepEqual([last, many, next], expected);
    });
  }

  it('looks no further back than the deadline', () => {
    assert.equal(due('0 * * * *', '2026-01-01T05:30:00Z', { startingDeadlineSeconds: 600 }).last, 'none');
    assert.equal(
      due('0 * * * *', '2026-01-01T05:30:00Z', { startingDeadlineSeconds: 2400 }).last,
      '2026-01-01T05:00:00Z',
    );
  });
});

describe('beyondLimit', () => {
  const job = (name: string, startTime?: string): Job => ({
    metadata: { name, namespace: 'default' },
    ...(startTime === undefined ? {} : { status: { startTime } }),
  });

  it('gives up those that began first, and those without a begin last', () => {
    const list = [
      job('c'),
      job('b', '2026-01-01T00:02:00Z'),
      job('a', '2026-01-01T00:01:00Z'),
      job('d', '2026-01-01T00:02:00Z'),
    ];
    assert.deepEqual(
      beyondLimit(list, 1).map((j) => j.metadata.name),
      ['a', 'b', 'd'],
    );
    assert.deepEqual(beyondLimit(list, 4), []);
  });
});
