// Job.
import type { Job, JobSpec } from '#generated/api/batch-v1.ts';
import { humanDuration, parseTime } from '#machinery/time.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { validatePodTemplateSpec } from '../core/pod/validate-spec.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows, immutable } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate } from '../workload.ts';

const SPEC_ROWS: readonly Row<JobSpec>[] = [
  { field: 'parallelism', min: 0 },
  { field: 'completions', min: 0 },
  { field: 'activeDeadlineSeconds', min: 0 },
  { field: 'backoffLimit', min: 0 },
  { field: 'ttlSecondsAfterFinished', min: 0 },
  { field: 'backoffLimitPerIndex', min: 0 },
  { field: 'maxFailedIndexes', min: 0 },
  { field: 'completionMode', oneOf: ['NonIndexed', 'Indexed'] },
  { field: 'podReplacementPolicy', oneOf: ['Failed', 'TerminatingOrFailed'] },
];

/** Retries that are "no limit" when failures are counted by index. */
const BACKOFF_UNLIMITED = 2 ** 31 - 1;
const DEFAULT_BACKOFF = 6;
const UID_LABELS = ['batch.kubernetes.io/controller-uid', 'controller-uid'];
const NAME_LABELS = ['batch.kubernetes.io/job-name', 'job-name'];

export const job: ResourceDefinition<Job> = defineKind<Job>({
  group: 'batch',
  resource: 'jobs',
  categories: ['all'],
  selectableFields: { 'status.successful': (j) => String(j.status?.succeeded ?? 0) },
  table: {
    columns: [
      NAME,
      column('Status'),
      column('Completions'),
      column('Duration'),
      AGE,
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    cells: (j, nowMs) => [
      nameOf(j),
      jobState(j),
      completionsText(j),
      durationText(j, nowMs),
      ageOf(j, nowMs),
      containerNames(j.spec?.template.spec?.containers),
      containerImages(j.spec?.template.spec?.containers),
      formatLabelSelector(j.spec?.selector),
    ],
  },
  strategy: {
    ...statusStrategy,
    default: (j) => (j.spec === undefined ? j : { ...j, spec: defaultJobSpec(j.spec) }),
    prepareForCreate: (j, context) => {
      const { status: _, ...bare } = j;
      const uid = j.metadata.uid ?? context.uid();
      return {
        ...bare,
        metadata: { ...j.metadata, uid },
        spec:
          j.spec === undefined || j.spec.manualSelector === true
            ? j.spec
            : withGeneratedSelector(j.spec, j.metadata.name ?? '', uid),
      };
    },
    validateCreate: (j) => validateJob(j),
    validateUpdate: (j, old) => {
      const errors: Errors = [...validateJob(j)];
      for (const field of [
        'selector',
        'completionMode',
        'podFailurePolicy',
        'successPolicy',
        'backoffLimitPerIndex',
        'managedBy',
      ] as const) {
        immutable(j.spec?.[field], old.spec?.[field], `spec.${field}`, errors);
      }
      const elastic = j.spec?.completionMode === 'Indexed' && j.spec.completions === j.spec.parallelism;
      if (!elastic) immutable(j.spec?.completions, old.spec?.completions, 'spec.completions', errors);
      const notStarted = old.spec?.suspend === true && old.status?.startTime === undefined;
      if (!notStarted) immutable(j.spec?.template, old.spec?.template, 'spec.template', errors);
      return errors;
    },
    defaultPropagation: 'Background',
  },
});

export function defaultJobSpec(spec: JobSpec): JobSpec {
  const both = spec.completions === undefined && spec.parallelism === undefined;
  return {
    ...spec,
    completionMode: spec.completionMode ?? 'NonIndexed',
    suspend: spec.suspend ?? false,
    manualSelector: spec.manualSelector ?? false,
    parallelism: spec.parallelism ?? 1,
    ...(both ? { completions: 1 } : {}),
    backoffLimit: spec.backoffLimit ?? (spec.backoffLimitPerIndex === undefined ? DEFAULT_BACKOFF : BACKOFF_UNLIMITED),
    podReplacementPolicy:
      spec.podReplacementPolicy ?? (spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed'),
    template: defaultTemplate(spec.template),
  };
}

function withGeneratedSelector(spec: JobSpec, name: string, uid: string): JobSpec {
  const labels: Record<string, string> = { ...spec.template.metadata?.labels };
  for (const label of UID_LABELS) labels[label] = uid;
  for (const label of NAME_LABELS) labels[label] = name;
  return {
    ...spec,
    selector: { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, [UID_LABELS[0]!]: uid } },
    template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
  };
}

function validateJob(j: Job): readonly FieldError[] {
  const errors: Errors = [];
  if (j.spec === undefined) return [fieldError.required('spec')];
  validateJobSpec(j.spec, 'spec', errors);
  return errors;
}

export function validateJobSpec(spec: JobSpec, path: string, errors: Errors): void {
  checkRows(spec, path, SPEC_ROWS, errors);
  if (spec.completionMode === 'Indexed' && spec.completions === undefined)
    errors.push(fieldError.required(`${path}.completions`, 'when completion mode is Indexed'));
  if (spec.backoffLimitPerIndex !== undefined && spec.completionMode !== 'Indexed') {
    errors.push(
      fieldError.invalid(`${path}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, 'requires indexed completion mode'),
    );
  }
  validatePodTemplateSpec(spec.template, `${path}.template`, errors);
  const policy = spec.template.spec?.restartPolicy ?? '';
  if (policy === 'Always')
    errors.push(fieldError.required(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never')
    errors.push(fieldError.notSupported(`${path}.template.spec.restartPolicy`, policy, ['OnFailure', 'Never']));
}

function jobState(j: Job): string {
  const is = (type: string): boolean =>
    j.status?.conditions?.some((c) => c.type === type && c.status === 'True') === true;
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (j.metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (is('Suspended')) return 'Suspended';
  if (is('FailureTarget')) return 'FailureTarget';
  if (is('SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return 'Running';
}

function completionsText(j: Job): string {
  const succeeded = j.status?.succeeded ?? 0;
  if (j.spec?.completions !== undefined) return `${succeeded}/${j.spec.completions}`;
  const parallelism = j.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText(j: Job, nowMs: number): string {
  const start = j.status?.startTime === undefined ? undefined : parseTime(j.status.startTime);
  if (start === undefined) return '';
  const end = j.status?.completionTime === undefined ? undefined : parseTime(j.status.completionTime);
  return humanDuration((end ?? nowMs) - start);
}
