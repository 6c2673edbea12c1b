// Job.
import type { Job, JobSpec } from '#generated/api/batch-v1.ts';
import type { PodSpec } from '#generated/api/core-v1.ts';
import { isDns1123Label } from '#machinery/names.ts';
import { humanDuration, parseTime } from '#machinery/time.ts';
import { formatLabelSelector, matcherOf, matchesLabels, SelectorError } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, immutable, sameJson } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate } from '../workload.ts';
import { validateJobSpec } from './job-spec.ts';
import {
  CONTROLLER_UID_LABEL,
  JOB_NAME_LABEL,
  LEGACY_CONTROLLER_UID_LABEL,
  LEGACY_JOB_NAME_LABEL,
  isIndexed,
  isJobConditionTrue,
  isSuspended,
} from './job-state.ts';
import { validateJobStatusUpdate } from './job-status.ts';

/** Retries that are "no limit" when failures are counted by index. */
const BACKOFF_UNLIMITED = 2 ** 31 - 1;
const DEFAULT_BACKOFF = 6;

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
    default: (j) => (j.spec === undefined ? j : { ...withTemplateLabels(j), spec: defaultJobSpec(j.spec) }),
    prepareForCreate: (j, context) => {
      const { status: _, ...bare } = j;
      const uid = j.metadata.uid ?? context.uid();
      const metadata = { ...j.metadata, uid };
      if (j.spec === undefined || j.spec.manualSelector === true) return { ...bare, metadata };
      return withTemplateLabels({
        ...bare,
        metadata,
        spec: withGeneratedSelector(j.spec, j.metadata.name ?? '', uid),
      });
    },
    validateCreate: (j) => validateJob(j, true),
    validateUpdate: (j, old) => {
      const labels = old.spec?.template?.metadata?.labels;
      const hadLabels = labels?.[JOB_NAME_LABEL] !== undefined && labels[CONTROLLER_UID_LABEL] !== undefined;
      const errors: Errors = [...validateJob(j, hadLabels)];
      if (j.spec !== undefined && old.spec !== undefined) validateSpecUpdate(j.spec, old, errors);
      return errors;
    },
    validateStatusUpdate: validateJobStatusUpdate,
    warnings: (j, old) => [...(old === undefined ? nameWarnings(j.metadata.name) : []), ...jobSpecWarnings(j.spec)],
    // Upstream keeps the first version's default; kubectl always names one.
    defaultPropagation: 'Orphan',
    unnamedPropagationWarning:
      'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  },
});

/** A Job without labels has its template's. */
function withTemplateLabels(j: Job): Job {
  const labels = j.spec?.template?.metadata?.labels;
  if (labels === undefined || Object.keys(j.metadata.labels ?? {}).length > 0) return j;
  return { ...j, metadata: { ...j.metadata, labels } };
}

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

/** What the user set is kept: the rules tell when it does not fit. */
function withGeneratedSelector(spec: JobSpec, name: string, uid: string): JobSpec {
  const labels = {
    [LEGACY_JOB_NAME_LABEL]: name,
    [JOB_NAME_LABEL]: name,
    [LEGACY_CONTROLLER_UID_LABEL]: uid,
    [CONTROLLER_UID_LABEL]: uid,
    ...spec.template?.metadata?.labels,
  };
  const matchLabels = { [CONTROLLER_UID_LABEL]: uid, ...spec.selector?.matchLabels };
  return {
    ...spec,
    selector: { ...spec.selector, matchLabels },
    template: { ...spec.template, metadata: { ...spec.template?.metadata, labels } },
  };
}

function validateJob(j: Job, prefixedLabels: boolean): readonly FieldError[] {
  const errors: Errors = [];
  const { spec } = j;
  if (spec === undefined) return [fieldError.required('spec')];
  validateGeneratedSelector(j, prefixedLabels, errors);
  validateJobSpec(spec, 'spec', errors);
  if (spec.selector === undefined) errors.push(fieldError.required('spec.selector'));
  else validateLabelSelector(spec.selector, 'spec.selector', errors);
  const labels = spec.template?.metadata?.labels;
  if (selects(spec.selector, labels ?? {}) === false) {
    const detail = '`selector` does not match template `labels`';
    errors.push(fieldError.invalid('spec.template.metadata.labels', labels ?? null, detail));
  }
  if (isIndexed(spec) && (spec.completions ?? 0) > 0) {
    const hostname = `${j.metadata.name}-${spec.completions! - 1}`;
    if (isDns1123Label(hostname).length > 0) {
      const detail = `will not able to create pod with invalid DNS label: ${hostname}`;
      errors.push(fieldError.invalid('metadata.name', j.metadata.name, detail));
    }
  }
  return errors;
}

/** Undefined when the selector cannot be read: that is told elsewhere. */
function selects(selector: JobSpec['selector'], labels: Readonly<Record<string, string>>): boolean | undefined {
  try {
    return matchesLabels(matcherOf(selector), labels);
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

/** The labels by which a generated selector finds its pods must be as they were generated. */
function validateGeneratedSelector(j: Job, prefixedLabels: boolean, errors: Errors): void {
  const { spec, metadata } = j;
  if (spec!.manualSelector === true || spec!.selector === undefined) return;
  if ((metadata.uid ?? '') === '') errors.push(fieldError.required('metadata.uid'));
  const expected: Record<string, string> = {
    [LEGACY_CONTROLLER_UID_LABEL]: metadata.uid ?? '',
    [LEGACY_JOB_NAME_LABEL]: metadata.name ?? '',
    ...(prefixedLabels ? { [CONTROLLER_UID_LABEL]: metadata.uid ?? '', [JOB_NAME_LABEL]: metadata.name ?? '' } : {}),
  };
  const labels = spec!.template?.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(expected)) {
    const where = `spec.template.metadata.labels[${key}]`;
    if (labels[key] === undefined) errors.push(fieldError.required(where, `must be '${value}'`));
    else if (labels[key] !== value) errors.push(fieldError.invalid(where, labels, `must be '${value}'`));
  }
  if (selects(spec!.selector, expected) === false)
    errors.push(fieldError.invalid('spec.selector', spec!.selector, '`selector` not auto-generated'));
}

function validateSpecUpdate(spec: JobSpec, old: Job, errors: Errors): void {
  const before = old.spec!;
  if (!isIndexed(spec)) immutable(spec.completions, before.completions, 'spec.completions', errors);
  else if (spec.completions !== undefined && spec.completions !== before.completions) {
    const detail = 'can only be modified in tandem with spec.parallelism';
    if (spec.completions !== spec.parallelism)
      errors.push(fieldError.invalid('spec.completions', spec.completions, detail));
  }
  immutable(spec.selector, before.selector, 'spec.selector', errors);
  validateTemplateUpdate(spec, old, errors);
  for (const field of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const) {
    immutable(spec[field], before[field], `spec.${field}`, errors);
  }
}

/**
 * The template is fixed, but for a suspended Job with no pod of the old template left: queueing controllers may then say where
 * its pods go and what they request.
 */
function validateTemplateUpdate(spec: JobSpec, old: Job, errors: Errors): void {
  const before = old.spec!.template;
  const idle =
    isSuspended(old) &&
    (old.status?.active ?? 0) === 0 &&
    (old.status?.startTime === undefined || isJobConditionTrue(old, 'Suspended'));
  if (!idle) {
    immutable(spec.template, before, 'spec.template', errors);
    return;
  }
  const now = spec.template.spec!;
  const fixed = withoutChangeable(before.spec!, now);
  if (!sameJson(withoutChangeable(now, now), fixed)) immutable(now, fixed, 'spec.template.spec', errors);
}

/** The pod spec with what may change taken from `next`. */
function withoutChangeable(spec: PodSpec, next: PodSpec): PodSpec {
  const resourcesOf = (list: PodSpec['containers'] | undefined, from: PodSpec['containers'] | undefined) =>
    list?.length === from?.length
      ? list?.map((c, i) => (c.name === from![i]!.name ? { ...c, resources: from![i]!.resources } : c))
      : list;
  const affinity = { ...spec.affinity, nodeAffinity: next.affinity?.nodeAffinity };
  return {
    ...spec,
    affinity: Object.values(affinity).every((part) => part === undefined) ? undefined : affinity,
    nodeSelector: next.nodeSelector,
    tolerations: next.tolerations,
    schedulingGates: next.schedulingGates,
    containers: resourcesOf(spec.containers, next.containers)!,
    initContainers: resourcesOf(spec.initContainers, next.initContainers),
  };
}

/** Above both, lists of indexes in the status may outgrow what can be stored. */
const MANY_COMPLETIONS = 100_000;
const MUCH_PARALLELISM = 10_000;

export function nameWarnings(name: string | undefined): readonly string[] {
  const wrong = isDns1123Label(name ?? '');
  return wrong.length === 0
    ? []
    : [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${wrong.join(' ')}]`,
      ];
}

export function jobSpecWarnings(spec: JobSpec | undefined, path = 'spec'): readonly string[] {
  const many = (spec?.completions ?? 0) > MANY_COMPLETIONS && (spec?.parallelism ?? 0) > MUCH_PARALLELISM;
  return isIndexed(spec) && many
    ? [
        `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
      ]
    : [];
}

function jobState(j: Job): string {
  const is = (type: string): boolean => isJobConditionTrue(j, type);
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
