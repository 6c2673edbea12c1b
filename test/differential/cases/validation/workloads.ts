// What makes pods: templates, replica sets and controllers, deployments, stateful and daemon sets, jobs, cron jobs.
import { type Change, type Subject, type Update, gone } from './subject.ts';

const LABELS: Change = { app: 'x' };
const TEMPLATE: Change = { metadata: { labels: LABELS }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } };
const SELECTOR: Change = { matchLabels: LABELS };
const spec = (change: Change): Change => ({ spec: change });
const template = (change: Change): Change => ({ spec: { template: change } });
const update = (to: Change, from: Change = {}): Update => ({ from, to });
const status = (to: Change): Update => ({ to: { status: to }, subresource: 'status' });

/** What every template is checked for; the pod's own fields are the pod's matter. */
const templateCrossed: Readonly<Record<string, Change>> = {
  'template-gone': { spec: { template: gone } },
  'template-empty': { spec: { template: { metadata: gone, spec: gone } } },
  'template-without-containers': template({ spec: { containers: [] } }),
  'template-container-nameless': template({ spec: { containers: [{ name: gone }] } }),
  'template-image-missing': template({ spec: { containers: [{ image: gone }] } }),
  'template-labels-other': template({ metadata: { labels: { app: 'other' } } }),
  'template-labels-bad': template({ metadata: { labels: { 'Bad Key!': 'Bad Value!' } } }),
  'template-annotation-bad': template({ metadata: { annotations: { 'Bad Key!': 'x' } } }),
  'template-restart-on-failure': template({ spec: { restartPolicy: 'OnFailure' } }),
  'template-restart-never': template({ spec: { restartPolicy: 'Never' } }),
  'template-restart-unknown': template({ spec: { restartPolicy: 'Sometimes' } }),
  'template-active-deadline': template({ spec: { activeDeadlineSeconds: 5 } }),
  'template-ephemeral-container': template({ spec: { ephemeralContainers: [{ name: 'e', image: 'i' }] } }),
  'template-volume-missing': template({ spec: { containers: [{ volumeMounts: [{ name: 'v', mountPath: '/m' }] }] } }),
  'template-probe-bad': template({ spec: { containers: [{ livenessProbe: { httpGet: { port: 0 } } }] } }),
  'template-requests-over-limits': template({
    spec: { containers: [{ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }] },
  }),
  'template-host-port': template({ spec: { containers: [{ ports: [{ containerPort: 80, hostPort: 80 }] }] } }),
  'template-spread-unknown': template({
    spec: { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'Maybe' }] },
  }),
  'template-deprecated-node-label': template({ spec: { nodeSelector: { 'beta.kubernetes.io/arch': 'amd64' } } }),
  'template-name-given': template({ metadata: { name: 'Bad Name!' } }),
  'template-scheduling-gate': template({ spec: { schedulingGates: [{ name: 'a' }] } }),
  'template-node-name': template({ spec: { nodeName: 'Bad Value!' } }),
};
const selectorCrossed: Readonly<Record<string, Change>> = {
  'selector-gone': spec({ selector: gone }),
  'selector-empty': spec({ selector: { matchLabels: gone } }),
  'selector-value-bad': spec({ selector: { matchLabels: { app: 'Bad Value!' } } }),
  'selector-key-bad': spec({ selector: { matchLabels: { 'Bad Key!': 'x' } } }),
  'selector-operator-unknown': spec({
    selector: { matchExpressions: [{ key: 'app', operator: 'Near', values: ['x'] }] },
  }),
  'selector-in-without-values': spec({ selector: { matchExpressions: [{ key: 'app', operator: 'In' }] } }),
  'selector-exists-with-values': spec({
    selector: { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['x'] }] },
  }),
};
const selectorUpdates: Readonly<Record<string, Update>> = {
  'selector-changed': update({
    spec: { selector: { matchLabels: { app: 'y' } }, template: { metadata: { labels: { app: 'y' } } } },
  }),
  'selector-gone': update(spec({ selector: gone })),
  'template-image': update(template({ spec: { containers: [{ image: 'nginx:2' }] } })),
  'template-image-gone': update(template({ spec: { containers: [{ image: gone }] } })),
  replicas: update(spec({ replicas: 3 })),
  'replicas-negative': update(spec({ replicas: -1 })),
  'status-negative': status({ replicas: -1, readyReplicas: -1, availableReplicas: -1, observedGeneration: -1 }),
  'status-more-ready-than-there': status({
    replicas: 1,
    readyReplicas: 2,
    availableReplicas: 3,
    observedGeneration: 1,
  }),
  'status-good': status({ replicas: 1, readyReplicas: 1, observedGeneration: 1 }),
};

export const deployments: Subject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  minimal: { spec: { selector: SELECTOR, template: TEMPLATE } },
  shapes: {
    whole: spec({
      replicas: 3,
      minReadySeconds: 5,
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: 60,
      paused: true,
    }),
    'rolling-update': spec({
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: '25%' } },
    }),
    recreate: spec({ strategy: { type: 'Recreate' } }),
    'selector-expression': spec({ selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['x'] }] } }),
  },
  changing: ['whole'],
  crossed: {
    ...templateCrossed,
    ...selectorCrossed,
    'recreate-with-rolling-update': spec({ strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
    'rolling-update-empty': spec({ strategy: { rollingUpdate: {} } }),
    'surge-only': spec({ strategy: { rollingUpdate: { maxSurge: 2 } } }),
    'surge-and-unavailable-zero': spec({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
    'surge-and-unavailable-zero-percent': spec({
      strategy: { rollingUpdate: { maxSurge: '0%', maxUnavailable: '0%' } },
    }),
    'unavailable-101-percent': spec({ strategy: { rollingUpdate: { maxUnavailable: '101%' } } }),
    'deadline-not-over-min-ready': spec({ minReadySeconds: 60, progressDeadlineSeconds: 60 }),
    'min-ready-over-default-deadline': spec({ minReadySeconds: 700 }),
    'rollback-annotation': { metadata: { annotations: { 'deployment.kubernetes.io/revision': 'x' } } },
  },
  updates: {
    ...selectorUpdates,
    'strategy-to-recreate': update(spec({ strategy: { type: 'Recreate' } })),
    'status-unavailable-negative': status({ unavailableReplicas: -1, updatedReplicas: -1, collisionCount: -1 }),
    'status-collision': status({ collisionCount: 1 }),
    'status-terminating-negative': status({ terminatingReplicas: -1 }),
  },
};

const replicaSets: Subject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  minimal: { spec: { selector: SELECTOR, template: TEMPLATE } },
  shapes: { whole: spec({ replicas: 3, minReadySeconds: 5 }) },
  changing: ['whole'],
  crossed: { ...templateCrossed, ...selectorCrossed },
  updates: { ...selectorUpdates, 'status-labeled-over': status({ replicas: 1, fullyLabeledReplicas: 2 }) },
};

const replicationControllers: Subject = {
  apiVersion: 'v1',
  kind: 'ReplicationController',
  minimal: { spec: { selector: LABELS, template: TEMPLATE } },
  shapes: { whole: spec({ replicas: 3, minReadySeconds: 5 }) },
  changing: ['whole'],
  crossed: {
    ...templateCrossed,
    'selector-gone': spec({ selector: gone }),
    'selector-and-labels-gone': { spec: { selector: gone, template: { metadata: gone } } },
    'selector-value-bad': spec({ selector: { app: 'Bad Value!' } }),
    'labels-of-ones-own': { metadata: { labels: { mine: 'yes' } } },
  },
  updates: {
    'selector-changed': update({ spec: { selector: { app: 'y' }, template: { metadata: { labels: { app: 'y' } } } } }),
    'selector-alone-changed': update(spec({ selector: { app: 'z' } })),
    replicas: update(spec({ replicas: 3 })),
    'status-negative': status({ replicas: -1, readyReplicas: -1 }),
    'status-more-ready-than-there': status({
      replicas: 1,
      fullyLabeledReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 3,
    }),
  },
};

const podTemplates: Subject = {
  apiVersion: 'v1',
  kind: 'PodTemplate',
  minimal: { template: TEMPLATE },
  crossed: Object.fromEntries(
    Object.entries(templateCrossed).map(([name, change]) => [
      name,
      { template: (change['spec'] as Change)['template'] },
    ]),
  ),
  changing: [''],
};

const CLAIM: Change = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};
const statefulSets: Subject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  minimal: { spec: { serviceName: 's', selector: SELECTOR, template: TEMPLATE } },
  shapes: {
    whole: spec({
      replicas: 3,
      minReadySeconds: 5,
      revisionHistoryLimit: 3,
      podManagementPolicy: 'Parallel',
      ordinals: { start: 1 },
    }),
    'rolling-update': spec({
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1, maxUnavailable: 1 } },
    }),
    'on-delete': spec({ updateStrategy: { type: 'OnDelete' } }),
    claims: spec({ volumeClaimTemplates: [CLAIM] }),
    retention: spec({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' } }),
  },
  changing: ['whole', 'claims', 'retention', 'rolling-update'],
  crossed: {
    ...templateCrossed,
    ...selectorCrossed,
    'service-name-missing': spec({ serviceName: gone }),
    'on-delete-with-partition': spec({ updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } }),
    'rolling-update-empty': spec({ updateStrategy: { rollingUpdate: {} } }),
    'max-unavailable-over': spec({ updateStrategy: { rollingUpdate: { maxUnavailable: '101%' } } }),
    'max-unavailable-zero-percent': spec({ updateStrategy: { rollingUpdate: { maxUnavailable: '0%' } } }),
    'retention-half': spec({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' } }),
    'claim-without-name': spec({ volumeClaimTemplates: [{ ...CLAIM, metadata: {} }] }),
    'claim-with-data-source': spec({
      volumeClaimTemplates: [{ ...CLAIM, spec: { dataSource: { kind: 'PersistentVolumeClaim', name: 'x' } } }],
    }),
    'claim-mounted': {
      spec: {
        volumeClaimTemplates: [CLAIM],
        template: { spec: { containers: [{ volumeMounts: [{ name: 'data', mountPath: '/d' }] }] } },
      },
    },
    'name-too-long-for-pods': { metadata: { name: 'a'.repeat(60) } },
    'name-dotted': { metadata: { name: 'a.b' } },
  },
  updates: {
    ...selectorUpdates,
    'status-current': status({ replicas: 1, currentReplicas: 2, updatedReplicas: -1, collisionCount: -1 }),
  },
};

const daemonSets: Subject = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  minimal: { spec: { selector: SELECTOR, template: TEMPLATE } },
  shapes: {
    whole: spec({ minReadySeconds: 5, revisionHistoryLimit: 3 }),
    'rolling-update': spec({
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } },
    }),
    'on-delete': spec({ updateStrategy: { type: 'OnDelete' } }),
  },
  changing: ['whole', 'rolling-update'],
  crossed: {
    ...templateCrossed,
    ...selectorCrossed,
    'rolling-update-empty': spec({ updateStrategy: { rollingUpdate: {} } }),
    'surge-and-unavailable': spec({ updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } }),
    'surge-with-host-port': {
      spec: {
        updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: { spec: { containers: [{ ports: [{ containerPort: 80, hostPort: 80 }] }] } },
      },
    },
    'surge-only': spec({ updateStrategy: { rollingUpdate: { maxSurge: '10%' } } }),
    'both-zero': spec({ updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
    'template-generation-annotation': {
      metadata: { annotations: { 'deprecated.daemonset.template.generation': '7' } },
    },
  },
  updates: {
    ...Object.fromEntries(
      Object.entries(selectorUpdates).filter(([name]) => !name.startsWith('replicas') && !name.startsWith('status')),
    ),
    'status-negative': status({
      currentNumberScheduled: -1,
      numberMisscheduled: -1,
      desiredNumberScheduled: -1,
      numberReady: -1,
      observedGeneration: -1,
      updatedNumberScheduled: -1,
      numberAvailable: -1,
      numberUnavailable: -1,
      collisionCount: -1,
    }),
  },
};

const controllerRevisions: Subject = {
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  minimal: { revision: 1, data: { spec: {} } },
  changing: [''],
  crossed: { 'data-missing': { data: gone }, 'data-of-text': { data: 'text' }, 'revision-negative': { revision: -1 } },
  updates: { data: update({ data: { spec: { a: 1 } } }), revision: update({ revision: 2 }) },
};

const JOB_TEMPLATE: Change = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1' }] } };
const INDEXED: Change = { completionMode: 'Indexed', completions: 4, parallelism: 2 };
const failure = (...rules: readonly Change[]): Change => spec({ podFailurePolicy: { rules } });
const success = (...rules: readonly Change[]): Change => spec({ ...INDEXED, successPolicy: { rules } });
const CODES: Change = { operator: 'In', values: [1, 2] };
const jobStatus = (to: Change, from: Change = {}): Update => ({ from, to: { status: to }, subresource: 'status' });

const jobs: Subject = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  // Random names and uids within messages and labels.
  unsteady: [
    'create with metadata generate-name',
    'create with selector-of-ones-own',
    'create with template-with-uid-label',
    'create in manual-selector with spec.manualSelector missing',
    'create in manual-selector with spec.manualSelector flipped',
  ],
  minimal: { spec: { template: JOB_TEMPLATE } },
  shapes: {
    whole: spec({
      parallelism: 2,
      completions: 3,
      backoffLimit: 4,
      activeDeadlineSeconds: 60,
      ttlSecondsAfterFinished: 5,
      suspend: true,
    }),
    indexed: spec({ ...INDEXED, backoffLimitPerIndex: 1, maxFailedIndexes: 2 }),
    'failure-policy': failure(
      { action: 'FailJob', onExitCodes: { containerName: 'main', ...CODES } },
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    ),
    'success-policy': success({ succeededIndexes: '0-2', succeededCount: 1 }),
    replacement: spec({ podReplacementPolicy: 'Failed' }),
    'managed-by': spec({ managedBy: 'example.com/mine' }),
    'manual-selector': {
      spec: {
        manualSelector: true,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } } },
      },
    },
  },
  // Not success-policy: the original's handler panics when the completions it counts on are taken away.
  changing: ['whole', 'indexed', 'failure-policy', 'managed-by'],
  crossed: {
    ...templateCrossed,
    'template-restart-always': template({ spec: { restartPolicy: 'Always' } }),
    'template-restart-missing': template({ spec: { restartPolicy: gone } }),
    'selector-of-ones-own': spec({ selector: { matchLabels: { a: 'b' } } }),
    'manual-without-selector': spec({ manualSelector: true }),
    'manual-selector-mismatch': spec({ manualSelector: true, selector: { matchLabels: { a: 'b' } } }),
    'template-with-uid-label': template({ metadata: { labels: { 'batch.kubernetes.io/controller-uid': 'x' } } }),
    'indexed-without-completions': spec({ completionMode: 'Indexed' }),
    'indexed-too-parallel': spec({ completionMode: 'Indexed', completions: 10, parallelism: 200000 }),
    'indexed-too-many': spec({ completionMode: 'Indexed', completions: 200000, parallelism: 20000 }),
    'indexed-name-long': { metadata: { name: 'a'.repeat(62) }, spec: INDEXED },
    'per-index-not-indexed': spec({ backoffLimitPerIndex: 1 }),
    'failed-indexes-without-per-index': spec({ ...INDEXED, maxFailedIndexes: 1 }),
    'failed-indexes-over': spec({ ...INDEXED, backoffLimitPerIndex: 1, maxFailedIndexes: 5 }),
    'mode-unknown': spec({ completionMode: 'Random', completions: 1 }),
    'policy-with-on-failure': {
      spec: {
        template: { spec: { restartPolicy: 'OnFailure' } },
        podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: CODES }] },
      },
    },
    'policy-without-rules': spec({ podFailurePolicy: {} }),
    'policy-21-rules': failure(...Array.from({ length: 21 }, () => ({ action: 'FailJob', onExitCodes: CODES }))),
    'policy-rule-empty': failure({ action: 'Ignore' }),
    'policy-rule-both': failure({
      action: 'Ignore',
      onExitCodes: CODES,
      onPodConditions: [{ type: 'A', status: 'True' }],
    }),
    'policy-action-unknown': failure({ action: 'Cry', onExitCodes: CODES }),
    'policy-operator-unknown': failure({ action: 'Ignore', onExitCodes: { operator: 'Near', values: [1] } }),
    'policy-codes-unsorted': failure({ action: 'Ignore', onExitCodes: { operator: 'In', values: [3, 1] } }),
    'policy-codes-twice': failure({ action: 'Ignore', onExitCodes: { operator: 'In', values: [1, 1] } }),
    'policy-code-zero': failure({ action: 'Ignore', onExitCodes: { operator: 'In', values: [0] } }),
    'policy-codes-none': failure({ action: 'Ignore', onExitCodes: { operator: 'In', values: [] } }),
    'policy-container-unknown': failure({ action: 'Ignore', onExitCodes: { containerName: 'nope', ...CODES } }),
    'policy-condition-unknown-status': failure({ action: 'Ignore', onPodConditions: [{ type: 'A', status: 'Maybe' }] }),
    'policy-condition-defaulted': failure({ action: 'Count', onPodConditions: [{ type: 'A' }] }),
    'policy-fail-index-not-indexed': failure({ action: 'FailIndex', onExitCodes: CODES }),
    'success-not-indexed': spec({ successPolicy: { rules: [{ succeededCount: 1 }] } }),
    'success-without-rules': success(),
    'success-rule-empty': success({}),
    'success-indexes-bad': success({ succeededIndexes: '3-1' }),
    'success-indexes-over': success({ succeededIndexes: '0-9' }),
    'success-count-over-indexes': success({ succeededIndexes: '0-1', succeededCount: 5 }),
    'success-count-over': success({ succeededCount: 9 }),
    'replacement-with-policy': spec({
      podReplacementPolicy: 'TerminatingOrFailed',
      podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: CODES }] },
    }),
    'managed-by-long': spec({ managedBy: `example.com/${'a'.repeat(60)}` }),
    'name-dotted': { metadata: { name: 'a.b' } },
    'name-of-64': { metadata: { name: 'a'.repeat(64) } },
  },
  updates: {
    'template-image': update(template({ spec: { containers: [{ image: 'busybox:2' }] } })),
    'suspended-node-selector': update(template({ spec: { nodeSelector: { a: 'b' } } }), spec({ suspend: true })),
    'suspended-resources': update(
      template({ spec: { containers: [{ resources: { limits: { cpu: '1' } } }] } }),
      spec({ suspend: true }),
    ),
    'suspended-image': update(template({ spec: { containers: [{ image: 'x' }] } }), spec({ suspend: true })),
    completions: update(spec({ completions: 5 }), spec({ completions: 3 })),
    'indexed-elastic': update(spec({ completions: 5, parallelism: 5 }), spec({ ...INDEXED, parallelism: 4 })),
    'indexed-completions-alone': update(spec({ completions: 5 }), spec(INDEXED)),
    'selector-changed': update(spec({ selector: { matchLabels: { a: 'b' } } })),
    'completion-mode-changed': update(spec({ completionMode: 'Indexed', completions: 1 }), spec({ completions: 1 })),
    'status-negative': jobStatus({ active: -1, succeeded: -1, failed: -1, ready: -1, terminating: -1 }),
    'status-active': jobStatus({ active: 1, startTime: '2030-01-01T00:00:00Z' }),
    'status-suspended-and-started': jobStatus(
      { active: 1, startTime: '2030-01-01T00:00:00Z' },
      spec({ suspend: true }),
    ),
    'status-complete': jobStatus({
      startTime: '2030-01-01T00:00:00Z',
      completionTime: '2030-01-01T00:01:00Z',
      succeeded: 1,
      uncountedTerminatedPods: {},
      conditions: [
        { type: 'SuccessCriteriaMet', status: 'True' },
        { type: 'Complete', status: 'True' },
      ],
    }),
    'status-complete-without-time': jobStatus({
      startTime: '2030-01-01T00:00:00Z',
      conditions: [
        { type: 'SuccessCriteriaMet', status: 'True' },
        { type: 'Complete', status: 'True' },
      ],
    }),
    'status-complete-and-failed': jobStatus({
      startTime: '2030-01-01T00:00:00Z',
      completionTime: '2030-01-01T00:01:00Z',
      conditions: [
        { type: 'Complete', status: 'True' },
        { type: 'Failed', status: 'True' },
        { type: 'FailureTarget', status: 'True' },
      ],
    }),
    'status-complete-without-start': jobStatus({
      completionTime: '2030-01-01T00:01:00Z',
      conditions: [{ type: 'Complete', status: 'True' }],
    }),
    'status-completed-before-start': jobStatus({
      startTime: '2030-01-01T00:01:00Z',
      completionTime: '2030-01-01T00:00:00Z',
    }),
    'status-failed-without-target': jobStatus({
      startTime: '2030-01-01T00:00:00Z',
      conditions: [{ type: 'Failed', status: 'True' }],
    }),
    'status-indexes-not-indexed': jobStatus({ completedIndexes: '0', failedIndexes: '1' }),
    'status-indexes-bad': jobStatus({ completedIndexes: 'zero' }, spec(INDEXED)),
    'status-uncounted-twice': jobStatus({ uncountedTerminatedPods: { succeeded: ['a', 'a'], failed: ['b'] } }),
    'status-ready-over-active': jobStatus({ active: 1, ready: 2, startTime: '2030-01-01T00:00:00Z' }),
  },
};

const cron = (change: Change): Change => ({ spec: change });
const cronJobs: Subject = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  minimal: { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: JOB_TEMPLATE } } } },
  shapes: {
    whole: cron({
      timeZone: 'Europe/Berlin',
      startingDeadlineSeconds: 60,
      concurrencyPolicy: 'Forbid',
      suspend: true,
      successfulJobsHistoryLimit: 2,
      failedJobsHistoryLimit: 2,
    }),
    'job-template': cron({
      jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { parallelism: 2, completions: 2 } },
    }),
  },
  changing: ['whole'],
  crossed: {
    ...Object.fromEntries(
      [
        '@hourly',
        '@every 5m',
        '@never',
        '* * * *',
        '60 * * * *',
        '* 24 * * *',
        '* * 0 * *',
        '* * * 13 *',
        '* * * * 8',
        '* * * JAN MON',
        '1,2-5/2 * * * *',
        'TZ=UTC * * * * *',
        'CRON_TZ=UTC * * * * *',
        '? * * * *',
        '*/0 * * * *',
        '5-1 * * * *',
        '* * * * * *',
        'a b c d e',
      ].map((schedule) => [`schedule-${schedule}`, cron({ schedule })]),
    ),
    ...Object.fromEntries(
      ['UTC', 'Etc/UTC', 'Local', 'Mars/Olympus', 'europe/berlin', '../x', ' UTC', 'EST'].map((timeZone) => [
        `zone-${timeZone}`,
        cron({ timeZone }),
      ]),
    ),
    'zone-in-both': cron({ schedule: 'TZ=UTC * * * * *', timeZone: 'UTC' }),
    'job-restart-always': cron({ jobTemplate: { spec: { template: { spec: { restartPolicy: 'Always' } } } } }),
    'job-restart-missing': cron({ jobTemplate: { spec: { template: { spec: { restartPolicy: gone } } } } }),
    'job-selector': cron({ jobTemplate: { spec: { selector: { matchLabels: { a: 'b' } } } } }),
    'job-manual-selector': cron({ jobTemplate: { spec: { manualSelector: true } } }),
    'job-backoff-negative': cron({ jobTemplate: { spec: { backoffLimit: -1 } } }),
    'job-indexed-without-completions': cron({ jobTemplate: { spec: { completionMode: 'Indexed' } } }),
    'job-label-bad': cron({ jobTemplate: { metadata: { labels: { a: 'Bad Value!' } } } }),
    'name-of-53': { metadata: { name: 'a'.repeat(53) } },
    'name-of-52': { metadata: { name: 'a'.repeat(52) } },
  },
  updates: {
    schedule: update(cron({ schedule: '@daily' })),
    'schedule-bad': update(cron({ schedule: 'sometimes' })),
    'zone-bad': update(cron({ timeZone: 'Mars/Olympus' })),
    'zone-gone': update(cron({ timeZone: gone }), cron({ timeZone: 'UTC' })),
    'schedule-with-zone-word': update(cron({ schedule: 'TZ=UTC 1 * * * *' })),
    'template-image': update(cron({ jobTemplate: { spec: { template: { spec: { containers: [{ image: 'x' }] } } } } })),
    status: { subresource: 'status', to: { status: { lastScheduleTime: '2030-01-01T00:00:00Z' } } },
  },
};

export const workloads: readonly Subject[] = [
  podTemplates,
  replicationControllers,
  replicaSets,
  deployments,
  statefulSets,
  daemonSets,
  controllerRevisions,
  jobs,
  cronJobs,
];
