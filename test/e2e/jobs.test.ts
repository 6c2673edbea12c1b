// Jobs and CronJobs as their users see them: the real kubectl, real containers that end well or badly.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CronJob, Job, JobSpec } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { TestCluster, until } from './cluster.ts';

const NAMESPACE = 'default';
const IMAGE = 'busybox:1.35';
const isRoot = process.getuid?.() === 0;
/** A pod starts and ends in a second or two; a machine that is busy takes its time. */
const PATIENCE_MS = 60_000;
/** The next full minute, and that. */
const NEXT_MINUTE_MS = 60_000 + PATIENCE_MS;

function makeJob(name: string, script: string, spec: Partial<JobSpec> = {}, restartPolicy = 'Never'): Job {
  const main = { name: 'main', image: IMAGE, command: ['sh', '-c', script] };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: NAMESPACE },
    spec: { ...spec, template: { spec: { restartPolicy, terminationGracePeriodSeconds: 1, containers: [main] } } },
  };
}

const cronJob: CronJob = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'tick', namespace: NAMESPACE },
  spec: {
    schedule: '* * * * *',
    timeZone: 'Europe/Berlin',
    jobTemplate: { spec: makeJob('tick', 'echo tick').spec! },
  },
};

describe('Jobs and CronJobs', { timeout: 600_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '1']));
    await cluster.apply(cronJob);
  });
  after(async () => {
    await cluster.tryKubectl(['delete', 'cronjobs,jobs', '--all']);
    await cluster.down();
  });

  const get = (name: string): Promise<Job> => cluster.get<Job>(NAMESPACE, 'job', name);
  const podsOf = (name: string): Promise<readonly Pod[]> =>
    cluster.list<Pod>(NAMESPACE, 'pods', `batch.kubernetes.io/job-name=${name}`);
  const wait = (name: string, condition: string): Promise<string> =>
    cluster.kubectl(['wait', `job/${name}`, `--for=condition=${condition}`, `--timeout=${PATIENCE_MS / 1000}s`], {
      timeoutMs: PATIENCE_MS + 5000,
    });
  const isTrue = (job: Job): readonly string[] =>
    (job.status?.conditions ?? []).filter((c) => c.status === 'True').map((c) => c.type);

  it('run so many pods to their end, so many at a time', async () => {
    await cluster.apply(makeJob('plain', 'echo done', { completions: 3, parallelism: 2 }));
    await wait('plain', 'complete');
    const { status } = await get('plain');
    assert.deepEqual([status!.succeeded, status!.failed, status!.ready, status!.terminating], [3, undefined, 0, 0]);
    const pods = await podsOf('plain');
    assert.equal(pods.length, 3);
    assert.ok(pods.every((p) => p.status?.phase === 'Succeeded' && p.metadata.finalizers === undefined));
    const [row] = (await cluster.kubectl(['get', 'job', 'plain', '--no-headers'])).trim().split('\n');
    assert.match(row!, /^plain +Complete +3\/3 +\d+s +\d+s$/);
    const events = await cluster.kubectl([
      'get',
      'events',
      '--field-selector',
      'involvedObject.name=plain',
      '-o',
      'name',
    ]);
    assert.equal(events.trim().split('\n').length, 4, 'three pods made, one end');
  });

  it('restart containers in place', async () => {
    const script = 'if [ -e /data/tried ]; then exit 0; fi; touch /data/tried; exit 1';
    const job = makeJob('local', script, {}, 'OnFailure');
    const { template } = job.spec!;
    const [main] = template.spec!.containers;
    const withData = {
      ...template.spec!,
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [{ ...main!, volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    };
    await cluster.apply({ ...job, spec: { ...job.spec!, template: { ...template, spec: withData } } });
    await wait('local', 'complete');
    const [pod, ...more] = await podsOf('local');
    assert.deepEqual(more, []);
    assert.equal(pod!.status!.containerStatuses![0]!.restartCount, 1);
  });

  it('tell each pod its index, and go on when one index has failed', async () => {
    const script = 'echo "$JOB_COMPLETION_INDEX on $(hostname)"; test "$JOB_COMPLETION_INDEX" != 1';
    const spec = { completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 0 };
    await cluster.apply(makeJob('parts', script, spec));
    await wait('parts', 'failed');
    const { status } = await get('parts');
    assert.deepEqual([status!.completedIndexes, status!.failedIndexes, status!.failed], ['0,2', '1', 1]);
    assert.deepEqual(
      status!.conditions!.map((c) => [c.type, c.reason]),
      [
        ['FailureTarget', 'FailedIndexes'],
        ['Failed', 'FailedIndexes'],
      ],
    );
    const logs = await cluster.kubectl(['logs', '-l', 'job-name=parts']);
    assert.deepEqual(logs.trim().split('\n').toSorted(), ['0 on parts-0', '1 on parts-1', '2 on parts-2']);
  });

  it('fail at once where a policy says so, with the running pods stopped', async () => {
    const script = 'test "$JOB_COMPLETION_INDEX" = 0 && exit 42; sleep 1000';
    const rules = [{ action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } }];
    const spec = { completionMode: 'Indexed', completions: 2, parallelism: 2, podFailurePolicy: { rules } };
    await cluster.apply(makeJob('strict', script, spec));
    await wait('strict', 'failed');
    const failed = (await get('strict')).status!.conditions!.find((c) => c.type === 'Failed')!;
    assert.equal(failed.reason, 'PodFailurePolicy');
    assert.match(
      failed.message!,
      /^Container main for pod default\/strict-0-\w+ failed with exit code 42 matching FailJob/,
    );
    assert.ok((await podsOf('strict')).every((p) => p.status?.phase === 'Failed'));
  });

  it('ignore that a pod was evicted', async () => {
    const rules = [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }];
    await cluster.apply(makeJob('moved', 'sleep 1000', { backoffLimit: 0, podFailurePolicy: { rules } }));
    const first = await until('the pod runs', PATIENCE_MS, async () =>
      (await podsOf('moved')).find((p) => p.status?.phase === 'Running'),
    );
    const name = first.metadata.name!;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: NAMESPACE } };
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`;
    await cluster.kubectl(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(eviction) });
    await until('another pod runs', PATIENCE_MS, async () =>
      (await podsOf('moved')).some((p) => p.metadata.uid !== first.metadata.uid && p.status?.phase === 'Running'),
    );
    const job = await get('moved');
    assert.deepEqual(isTrue(job), []);
    assert.equal(job.status!.failed, undefined);
  });

  it('stop when suspended, and go on when resumed', async () => {
    await cluster.apply(makeJob('paused', 'sleep 1000', { parallelism: 2, completions: 2 }));
    const active = (n: number) =>
      until(`${n} run`, PATIENCE_MS, async () => ((await get('paused')).status?.ready ?? 0) === n);
    await active(2);
    await cluster.kubectl(['patch', 'job', 'paused', '-p', '{"spec":{"suspend":true}}']);
    await wait('paused', 'suspended');
    await until('no pod is left', PATIENCE_MS, async () => (await podsOf('paused')).length === 0);
    const { status } = await get('paused');
    assert.deepEqual([status!.active, status!.startTime, status!.failed], [undefined, undefined, undefined]);
    await cluster.kubectl(['patch', 'job', 'paused', '-p', '{"spec":{"suspend":false}}']);
    await active(2);
    assert.deepEqual(isTrue(await get('paused')), []);
  });

  it('go with their pods when they are deleted, and by themselves when their time is up', async () => {
    await cluster.apply(makeJob('brief', 'true', { ttlSecondsAfterFinished: 1 }), makeJob('gone', 'sleep 1000'));
    await until('the pod runs', PATIENCE_MS, async () => (await podsOf('gone'))[0]?.status?.phase === 'Running');
    await cluster.kubectl(['delete', 'job', 'gone'], { timeoutMs: PATIENCE_MS });
    for (const name of ['brief', 'gone']) {
      await until(`${name} and its pods are gone`, PATIENCE_MS, async () => {
        const jobs = await cluster.list<Job>(NAMESPACE, 'jobs');
        return jobs.every((j) => j.metadata.name !== name) && (await podsOf(name)).length === 0;
      });
    }
  });

  it('are made from a CronJob by hand', async () => {
    await cluster.kubectl(['create', 'job', 'by-hand', '--from=cronjob/tick']);
    await wait('by-hand', 'complete');
    assert.equal((await cluster.kubectl(['logs', 'job/by-hand'])).trim(), 'tick');
  });

  it('are made each minute', async () => {
    const made = await until('a Job of the CronJob is complete', NEXT_MINUTE_MS, async () =>
      (await cluster.list<Job>(NAMESPACE, 'jobs')).find(
        (j) => /^tick-\d+$/.test(j.metadata.name!) && isTrue(j).includes('Complete'),
      ),
    );
    const time = made.metadata.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp']!;
    assert.match(time, /:00\+0[12]:00$/);
    assert.equal(made.metadata.name, `tick-${Date.parse(time) / 60_000}`);
    const { status } = await until('it is written down', PATIENCE_MS, async () => {
      const found = await cluster.get<CronJob>(NAMESPACE, 'cronjob', 'tick');
      return found.status?.lastSuccessfulTime !== undefined && found;
    });
    assert.ok(Date.parse(status!.lastScheduleTime!) >= Date.parse(time));
  });
});
