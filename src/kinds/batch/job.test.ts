import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CronJob, CronJobSpec, Job, JobSpec, JobStatus } from '#generated/api/batch-v1.ts';
import type { PodTemplateSpec } from '#generated/api/core-v1.ts';
import { fieldErrorBody, type FieldError } from '#machinery/status.ts';
import { rebuild } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { cronJob } from './cronjob.ts';
import { job } from './job.ts';
import { validateJobStatusUpdate } from './job-status.ts';

const UID = '7b1c3c5e-0000-4000-8000-000000000001';
const context = { now: '2026-01-01T00:00:00Z', uid: () => UID, user: { name: 'test', groups: [] } };
const template = (spec: Record<string, unknown> = {}): PodTemplateSpec =>
  ({ spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'work:1' }], ...spec } }) as PodTemplateSpec;

/** As the server has it after a create. */
function makeJob(spec: Partial<JobSpec> = {}, name = 'work'): Job {
  const schema = schemaByName('io.k8s.api.batch.v1.Job');
  const decoded = rebuild<Job>(
    { metadata: { name, namespace: 'default' }, spec: { template: template(), ...spec } },
    schema,
  );
  return job.strategy.prepareForCreate!(job.strategy.default!(decoded), context);
}

function makeCronJob(spec: Partial<CronJobSpec> = {}, name = 'tick'): CronJob {
  const schema = schemaByName('io.k8s.api.batch.v1.CronJob');
  const decoded = rebuild<CronJob>(
    { metadata: { name }, spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template() } }, ...spec } },
    schema,
  );
  return cronJob.strategy.default!(decoded);
}

const texts = (errors: readonly FieldError[] | undefined): readonly string[] =>
  (errors ?? []).map((e) => `${e.field}: ${fieldErrorBody(e)}`);
const created = (spec: Partial<JobSpec>, name?: string) => texts(job.strategy.validateCreate!(makeJob(spec, name)));

describe('job', () => {
  it('has the defaults of upstream', () => {
    const { template: _, selector, ...rest } = makeJob().spec!;
    assert.deepEqual(rest, {
      parallelism: 1,
      completions: 1,
      completionMode: 'NonIndexed',
      backoffLimit: 6,
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
    });
    assert.deepEqual(selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': UID } });
    assert.deepEqual(makeJob().spec!.template.metadata!.labels, {
      'batch.kubernetes.io/controller-uid': UID,
      'batch.kubernetes.io/job-name': 'work',
      'controller-uid': UID,
      'job-name': 'work',
    });
    assert.deepEqual(makeJob().metadata.labels, makeJob().spec!.template.metadata!.labels);
    assert.equal(makeJob({ parallelism: 3 }).spec!.completions, undefined);
    const perIndex = makeJob({ completionMode: 'Indexed', completions: 2, backoffLimitPerIndex: 1 });
    assert.equal(perIndex.spec!.backoffLimit, 2 ** 31 - 1);
    const policy = makeJob({ podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'X' }] }] } });
    assert.equal(policy.spec!.podReplacementPolicy, 'Failed');
    assert.equal(policy.spec!.podFailurePolicy!.rules[0]!.onPodConditions![0]!.status, 'True');
  });

  it('keeps its own labels, and takes its template’s where it has none', () => {
    const labelled = { ...template(), metadata: { labels: { app: 'work' } } };
    assert.deepEqual(makeJob({ template: labelled }).metadata.labels, { app: 'work' });
  });

  const indexed = { completionMode: 'Indexed', completions: 3 };
  const rule = (more: Record<string, unknown>) =>
    ({ podFailurePolicy: { rules: [more] } }) as unknown as Partial<JobSpec>;
  const codes = (more: Record<string, unknown>) =>
    rule({ action: 'Count', onExitCodes: { operator: 'In', values: [1], ...more } });
  const success = (more: Record<string, unknown>) =>
    ({ ...indexed, successPolicy: { rules: [more] } }) as Partial<JobSpec>;
  const POLICY = 'spec.podFailurePolicy.rules[0]';

  const table: readonly (readonly [string, Partial<JobSpec>, readonly string[]])[] = [
    ['an ordinary Job', {}, []],
    ['an Indexed Job with everything', { ...indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 2 }, []],
    [
      'a negative number',
      { parallelism: -1 },
      ['spec.parallelism: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'restartPolicy Always',
      { template: template({ restartPolicy: 'Always' }) },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'an unknown completion mode',
      { completionMode: 'Random' },
      ['spec.completionMode: Unsupported value: "Random": supported values: "NonIndexed", "Indexed"'],
    ],
    [
      'an Indexed Job without completions',
      { completionMode: 'Indexed', parallelism: 1 },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      'limits by index without indexes',
      { backoffLimitPerIndex: 1, maxFailedIndexes: 1 },
      [
        'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
        'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
      ],
    ],
    [
      'maxFailedIndexes alone',
      { ...indexed, maxFailedIndexes: 4 },
      [
        'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
        'spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions',
      ],
    ],
    [
      'very many indexes',
      { ...indexed, completions: 200_000, parallelism: 20_000, backoffLimitPerIndex: 1 },
      [
        'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
        'spec.parallelism: Invalid value: 20000: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index',
      ],
    ],
    [
      'a manager without a domain',
      { managedBy: 'queue' },
      ['spec.managedBy: Invalid value: "queue": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'a replacement policy against the failure policy',
      { podReplacementPolicy: 'TerminatingOrFailed', ...codes({}) },
      ['spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"'],
    ],
    [
      'a failure policy with restarts in place',
      { template: template({ restartPolicy: 'OnFailure' }), ...codes({}) },
      [
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
    ],
    [
      'a rule without action or condition',
      rule({}),
      [
        `${POLICY}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`,
        `${POLICY}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
      ],
    ],
    [
      'FailIndex without limits by index',
      rule({ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }),
      [`${POLICY}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`],
    ],
    [
      'exit codes that are wrong',
      codes({ containerName: 'other', values: [3, 0, 3] }),
      [
        `${POLICY}.onExitCodes.containerName: Invalid value: "other": must be one of the container or initContainer names in the pod template`,
        `${POLICY}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
        `${POLICY}.onExitCodes.values[2]: Duplicate value: 3`,
        `${POLICY}.onExitCodes.values: Invalid value: [3,0,3]: must be ordered`,
      ],
    ],
    [
      'no exit codes',
      codes({ values: [] }),
      [`${POLICY}.onExitCodes.values: Invalid value: []: at least one value is required`],
    ],
    [
      'a success policy without indexes',
      { successPolicy: { rules: [{ succeededCount: 1 }] } },
      ['spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode'],
    ],
    [
      'a success rule that says nothing',
      success({}),
      [
        'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
      ],
    ],
    [
      'indexes that cannot be',
      success({ succeededIndexes: '0,5' }),
      [
        'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0,5": error parsing succeededIndexes: too large index: "5"',
      ],
    ],
    [
      'more successes than indexes named',
      success({ succeededIndexes: '0-1', succeededCount: 3 }),
      [
        'spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)',
      ],
    ],
  ];
  for (const [condition, spec, expected] of table) {
    it(`is judged as upstream does with ${condition}`, () => assert.deepEqual(created(spec), expected));
  }

  it('refuses an Indexed Job whose pods could have no host name', () => {
    const name = `work.${'x'.repeat(40)}`;
    assert.deepEqual(created(indexed, name), [
      `metadata.name: Invalid value: "${name}": will not able to create pod with invalid DNS label: ${name}-2`,
    ]);
    assert.match(
      job.strategy.warnings!(makeJob({}, name), undefined)[0]!,
      /^metadata\.name: this is used in Pod names/,
    );
  });

  it('refuses labels that contradict the generated selector', () => {
    const spec = { template: { ...template(), metadata: { labels: { 'batch.kubernetes.io/job-name': 'other' } } } };
    assert.match(
      created(spec)[0]!,
      /^spec\.template\.metadata\.labels\[batch\.kubernetes\.io\/job-name\]: Invalid value: .*: must be 'work'$/,
    );
  });

  it('wants labels that match a selector made by hand', () => {
    const spec = { manualSelector: true, selector: { matchLabels: { app: 'work' } } };
    assert.deepEqual(created(spec), [
      'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
    ]);
    assert.deepEqual(created({ ...spec, template: { ...template(), metadata: { labels: { app: 'work' } } } }), []);
  });
});

describe('an update of a Job', () => {
  const updated = (old: Job, change: (spec: JobSpec) => Partial<JobSpec>) =>
    texts(job.strategy.validateUpdate!({ ...old, spec: { ...old.spec!, ...change(old.spec!) } }, old));
  const IMMUTABLE = 'field is immutable';

  it('may change parallelism, suspension, deadlines and limits', () => {
    const change = {
      parallelism: 4,
      suspend: true,
      activeDeadlineSeconds: 5,
      backoffLimit: 0,
      ttlSecondsAfterFinished: 1,
    };
    assert.deepEqual(
      updated(makeJob(), () => change),
      [],
    );
  });

  it('may not change completions, but of an Indexed Job together with parallelism', () => {
    assert.deepEqual(
      updated(makeJob(), () => ({ completions: 2 })),
      [`spec.completions: Invalid value: 2: ${IMMUTABLE}`],
    );
    const indexed = makeJob({ completionMode: 'Indexed', completions: 3, parallelism: 3 });
    assert.deepEqual(
      updated(indexed, () => ({ completions: 5, parallelism: 5 })),
      [],
    );
    assert.deepEqual(
      updated(indexed, () => ({ completions: 5 })),
      ['spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism'],
    );
  });

  it('may not change how completions count, nor who manages it', () => {
    const [first, ...more] = updated(makeJob(), () => ({ completionMode: 'Indexed', managedBy: 'a.io/b' }));
    assert.equal(first, `spec.completionMode: Invalid value: "Indexed": ${IMMUTABLE}`);
    assert.deepEqual(more, [`spec.managedBy: Invalid value: "a.io/b": ${IMMUTABLE}`]);
  });

  const withPod = (more: Record<string, unknown>) => (spec: JobSpec) => ({
    template: { ...spec.template, spec: { ...spec.template.spec!, ...more } } as PodTemplateSpec,
  });
  const where = withPod({ nodeSelector: { zone: 'a' }, tolerations: [{ key: 'k', operator: 'Exists' }] });
  const bigger = withPod({
    containers: [{ ...makeJob().spec!.template.spec!.containers[0]!, resources: { requests: { cpu: '2' } } }],
  });
  const image = withPod({ containers: [{ ...makeJob().spec!.template.spec!.containers[0]!, image: 'work:2' }] });
  const suspended = makeJob({ suspend: true });
  const status = (status: JobStatus): Job => ({ ...suspended, status });
  const marked = [{ type: 'Suspended', status: 'True' }];

  for (const [condition, old, allowed] of [
    ['it runs', makeJob(), false],
    ['it is suspended and never began', suspended, true],
    ['it is suspended and began, and its end is not seen yet', status({ startTime: context.now }), false],
    ['it was suspended while it ran', status({ startTime: context.now, conditions: marked }), true],
    ['it still has pods', status({ active: 1, conditions: marked }), false],
  ] as const) {
    it(`may ${allowed ? '' : 'not '}say where pods go and what they request when ${condition}`, () => {
      for (const change of [where, bigger]) {
        const [error] = updated(old, change);
        if (allowed) assert.equal(error, undefined);
        else assert.match(error!, /^spec\.template: Invalid value: .*: field is immutable$/);
      }
      assert.match(updated(old, image)[0]!, /field is immutable$/);
    });
  }
});

describe('validateJobStatusUpdate', () => {
  const with_ = (status: JobStatus, spec: Partial<JobSpec> = {}): Job => ({ ...makeJob(spec), status });
  const changed = (from: JobStatus, to: JobStatus, spec: Partial<JobSpec> = {}) =>
    texts(validateJobStatusUpdate(with_(to, spec), with_(from, spec)));
  const is = (...types: readonly string[]) => types.map((type) => ({ type, status: 'True' }));
  const done = {
    startTime: context.now,
    completionTime: context.now,
    conditions: is('SuccessCriteriaMet', 'Complete'),
  };

  const table: readonly (readonly [string, JobStatus, JobStatus, readonly string[], Partial<JobSpec>?])[] = [
    ['it goes its way', { startTime: context.now, active: 1 }, { ...done, succeeded: 1 }, []],
    [
      'a counter falls',
      { failed: 2 },
      { failed: 1 },
      ['status.failed: Invalid value: 1: cannot decrease the failed counter'],
    ],
    [
      'it ends both ways',
      {},
      { ...done, conditions: is('SuccessCriteriaMet', 'Complete', 'Failed') },
      [
        'status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions',
        'status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition',
        'status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and Failed=true conditions',
      ],
    ],
    [
      'it is complete without having said why',
      { startTime: context.now },
      { ...done, conditions: is('Complete') },
      [
        'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
      ],
    ],
    [
      'it is complete with no time of it',
      { startTime: context.now },
      { ...done, completionTime: undefined },
      ['status.completionTime: Required value: completionTime is required for Complete jobs'],
    ],
    [
      'a finished Job is to go on',
      done,
      { startTime: context.now },
      [
        'status.conditions: Invalid value: cannot disable the terminal Complete=True condition',
        'status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition',
      ],
    ],
    [
      'it is finished with pods left',
      { startTime: context.now },
      { ...done, active: 1, uncountedTerminatedPods: { failed: ['a', 'a'] } },
      [
        'status.uncountedTerminatedPods.failed[1]: Duplicate value: "a"',
        'status.active: Invalid value: 1: active>0 is invalid for finished job',
        'status.uncountedTerminatedPods: Invalid value: {"failed":["a","a"]}: must be empty for finished job',
      ],
    ],
    [
      'more are ready than run',
      {},
      { active: 1, ready: 2 },
      ['status.ready: Invalid value: 2: cannot set more ready pods than active'],
    ],
    [
      'its start moves while it runs',
      { startTime: context.now },
      { startTime: '2026-01-02T00:00:00Z' },
      ['status.startTime: Required value: startTime cannot be removed for unsuspended job'],
    ],
    ['its start moves while it is suspended', { startTime: context.now }, {}, [], { suspend: true }],
    [
      'indexes are in both lists',
      {},
      { completedIndexes: '0,2', failedIndexes: '1-2', succeeded: 2 },
      ['status.failedIndexes: Invalid value: "1-2": failedIndexes and completedIndexes overlap at index: 2'],
      { completionMode: 'Indexed', completions: 3, backoffLimitPerIndex: 1 },
    ],
    [
      'it has indexes and should not',
      {},
      { completedIndexes: '0' },
      [
        'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
      ],
    ],
  ];
  for (const [condition, from, to, expected, spec] of table) {
    it(`answers as upstream when ${condition}`, () => assert.deepEqual(changed(from, to, spec), expected));
  }
});

describe('cronJob', () => {
  const created = (spec: Partial<CronJobSpec>, name?: string) =>
    texts(cronJob.strategy.validateCreate!(makeCronJob(spec, name)));

  for (const [condition, spec, expected] of [
    ['an ordinary CronJob', {}, []],
    ['a zone', { timeZone: 'Europe/Berlin' }, []],
    ['no schedule', { schedule: '' }, ['spec.schedule: Required value']],
    [
      'a schedule that cannot be read',
      { schedule: '* * * *' },
      ['spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'],
    ],
    [
      'a zone in the schedule',
      { schedule: 'TZ=UTC 0 * * * *' },
      [
        'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [
      'an unknown zone',
      { timeZone: 'Mars/Base' },
      ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'],
    ],
    ['an empty zone', { timeZone: '' }, ['spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string']],
    [
      'the zone Local',
      { timeZone: 'Local' },
      [
        'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ],
    ],
    [
      'an unknown concurrency policy',
      { concurrencyPolicy: 'Maybe' },
      ['spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"'],
    ],
    [
      'a selector',
      { jobTemplate: { spec: { template: template(), selector: {}, manualSelector: true } } },
      [
        'spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated',
        'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
      ],
    ],
  ] as const) {
    it(`is judged as upstream does with ${condition}`, () => assert.deepEqual(created(spec), expected));
  }

  it('leaves room in its name for that of its Jobs', () => {
    assert.deepEqual(created({}, 'x'.repeat(52)), []);
    assert.match(created({}, 'x'.repeat(53))[0]!, /must be no more than 52 characters$/);
  });

  it('has the defaults of upstream, and leaves those of its Jobs to them', () => {
    const { concurrencyPolicy, suspend, successfulJobsHistoryLimit, failedJobsHistoryLimit, jobTemplate } =
      makeCronJob().spec;
    assert.deepEqual(
      { concurrencyPolicy, suspend, successfulJobsHistoryLimit, failedJobsHistoryLimit },
      { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
    );
    assert.deepEqual(Object.keys(jobTemplate.spec!), ['template']);
  });
});
