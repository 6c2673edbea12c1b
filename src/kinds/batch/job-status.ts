// Rules for updates of a Job's status. A Job may be looked after by somebody else's controller, so what clients rely on is held
// here: a finished Job stays finished, counters do not fall. A rule speaks only when something it is about was changed.
import type { Job } from '#generated/api/batch-v1.ts';
import { parseTime } from '#machinery/time.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { type Errors, IMMUTABLE, at, atLeast, sameJson } from '../rules.ts';
import { checkIndexes, firstOverlap } from './indexes.ts';
import { isIndexed, isJobConditionTrue, isJobFinished, isSuspended } from './job-state.ts';

const PATH = 'status';
const CONDITIONS = `${PATH}.conditions`;
const COUNTERS = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;

/** Upstream: ValidateJobUpdateStatus with the options of its strategy. */
export function validateJobStatusUpdate(job: Job, old: Job): readonly FieldError[] {
  const errors: Errors = [];
  for (const field of COUNTERS) atLeast(job.status?.[field], 0, `${PATH}.${field}`, errors);
  validateUncounted(job, errors);
  validateConditions(job, old, errors);
  validateTimes(job, old, errors);
  validateFinished(job, old, errors);
  validateIndexes(job, old, errors);
  validateTransition(job, old, errors);
  return errors;
}

function validateUncounted(job: Job, errors: Errors): void {
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed'] as const) {
    for (const [i, uid] of (job.status?.uncountedTerminatedPods?.[list] ?? []).entries()) {
      const where = at(`${PATH}.uncountedTerminatedPods.${list}`, i);
      if (uid === '') errors.push(fieldError.invalid(where, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(fieldError.duplicate(where, uid));
      else seen.add(uid);
    }
  }
}

/** Pairs of conditions that exclude each other, and conditions that need another before them. */
function validateConditions(job: Job, old: Job, errors: Errors): void {
  const is = (type: string): boolean => isJobConditionTrue(job, type);
  const changed = (...types: readonly string[]): boolean =>
    types.some((type) => is(type) !== isJobConditionTrue(old, type));
  const refuse = (detail: string): void => void errors.push(fieldError.invalidWhole(CONDITIONS, detail));
  if (changed('Complete', 'Failed') && is('Complete') && is('Failed'))
    refuse('cannot set Complete=True and Failed=true conditions');
  if (changed('Complete', 'FailureTarget') && is('Complete') && is('FailureTarget'))
    refuse('cannot set Complete=True and FailureTarget=true conditions');
  if (changed('Failed', 'FailureTarget') && is('Failed') && !is('FailureTarget'))
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  if (changed('Complete', 'SuccessCriteriaMet') && is('Complete') && !is('SuccessCriteriaMet'))
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  if (is('SuccessCriteriaMet') && is('Failed')) refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (is('SuccessCriteriaMet') && is('FailureTarget'))
    refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  if (job.spec?.successPolicy !== undefined && !is('SuccessCriteriaMet') && is('Complete'))
    refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
}

function validateTimes(job: Job, old: Job, errors: Errors): void {
  const { startTime, completionTime } = job.status ?? {};
  const complete = isJobConditionTrue(job, 'Complete');
  const where = `${PATH}.completionTime`;
  const ended = completionTime !== old.status?.completionTime;
  if (complete !== isJobConditionTrue(old, 'Complete') || ended) {
    if (completionTime !== undefined && !complete) {
      const detail = 'cannot set completionTime when there is no Complete=True condition';
      errors.push(fieldError.invalid(where, completionTime, detail));
    }
    if (completionTime === undefined && complete)
      errors.push(fieldError.required(where, 'completionTime is required for Complete jobs'));
  }
  const started = startTime !== old.status?.startTime;
  if ((started || ended) && (parseTime(completionTime ?? '') ?? Infinity) < (parseTime(startTime ?? '') ?? -Infinity))
    errors.push(fieldError.invalid(where, completionTime, 'must be equal to or after `startTime`'));
}

function validateFinished(job: Job, old: Job, errors: Errors): void {
  const { status = {} } = job;
  const finished = isJobFinished(job);
  const changed = (field: keyof NonNullable<Job['status']>): boolean =>
    finished !== isJobFinished(old) || !sameJson(status[field], old.status?.[field]);
  if (changed('active') && finished && (status.active ?? 0) > 0)
    errors.push(fieldError.invalid(`${PATH}.active`, status.active, 'active>0 is invalid for finished job'));
  if (changed('startTime') && finished && status.startTime === undefined)
    errors.push(fieldError.required(`${PATH}.startTime`, 'startTime is required for finished job'));
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  if (changed('uncountedTerminatedPods') && finished && succeeded.length + failed.length > 0) {
    const where = `${PATH}.uncountedTerminatedPods`;
    errors.push(fieldError.invalid(where, status.uncountedTerminatedPods, 'must be empty for finished job'));
  }
  if (changed('terminating') && finished && (status.terminating ?? 0) > 0)
    errors.push(
      fieldError.invalid(`${PATH}.terminating`, status.terminating, 'terminating>0 is invalid for finished job'),
    );
  if (
    (status.ready !== old.status?.ready || status.active !== old.status?.active) &&
    (status.ready ?? 0) > (status.active ?? 0)
  )
    errors.push(fieldError.invalid(`${PATH}.ready`, status.ready, 'cannot set more ready pods than active'));
}

function validateIndexes(job: Job, old: Job, errors: Errors): void {
  const { completedIndexes = '', failedIndexes } = job.status ?? {};
  const { completions, backoffLimitPerIndex } = job.spec ?? {};
  const completedChanged = completedIndexes !== (old.status?.completedIndexes ?? '');
  const failedChanged = failedIndexes !== old.status?.failedIndexes;
  const check = (field: 'completedIndexes' | 'failedIndexes', value: string): void => {
    const { error } = checkIndexes(value, completions!);
    if (error !== undefined)
      errors.push(fieldError.invalid(`${PATH}.${field}`, value, `error parsing ${field}: ${error}`));
  };
  if (completedChanged && completions !== undefined) check('completedIndexes', completedIndexes);
  if (failedChanged && completions !== undefined && backoffLimitPerIndex !== undefined && failedIndexes !== undefined)
    check('failedIndexes', failedIndexes);
  if (completedChanged && completedIndexes !== '' && !isIndexed(job.spec)) {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(fieldError.invalid(`${PATH}.completedIndexes`, completedIndexes, detail));
  }
  if (failedChanged && failedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(fieldError.invalid(`${PATH}.failedIndexes`, failedIndexes, detail));
  }
  if ((completedChanged || failedChanged) && completions !== undefined && failedIndexes !== undefined) {
    const index = firstOverlap(completedIndexes, failedIndexes, completions);
    const detail = `failedIndexes and completedIndexes overlap at index: ${index}`;
    if (index !== undefined) errors.push(fieldError.invalid(`${PATH}.failedIndexes`, failedIndexes, detail));
  }
}

/** What may not be taken back. */
function validateTransition(job: Job, old: Job, errors: Errors): void {
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (isJobConditionTrue(old, type) && !isJobConditionTrue(job, type))
      errors.push(fieldError.invalidWhole(CONDITIONS, `cannot disable the terminal ${type}=True condition`));
  }
  const fell = (field: 'failed' | 'succeeded'): boolean => (job.status?.[field] ?? 0) < (old.status?.[field] ?? 0);
  if (fell('failed'))
    errors.push(fieldError.invalid(`${PATH}.failed`, job.status?.failed ?? 0, 'cannot decrease the failed counter'));
  // A Job whose completions and parallelism are equal may be scaled down.
  const elastic = isIndexed(job.spec) && job.spec?.completions === job.spec?.parallelism;
  if (!elastic && fell('succeeded')) {
    const detail = 'cannot decrease the succeeded counter';
    errors.push(fieldError.invalid(`${PATH}.succeeded`, job.status?.succeeded ?? 0, detail));
  }
  const { startTime, completionTime } = job.status ?? {};
  const before = old.status?.completionTime;
  if (completionTime !== undefined && before !== undefined && completionTime !== before)
    errors.push(fieldError.invalid(`${PATH}.completionTime`, completionTime, IMMUTABLE));
  if (old.status?.startTime !== undefined && old.status.startTime !== startTime && !isSuspended(job))
    errors.push(fieldError.required(`${PATH}.startTime`, 'startTime cannot be removed for unsuspended job'));
  const met = isJobConditionTrue(job, 'SuccessCriteriaMet');
  const wasMet = isJobConditionTrue(old, 'SuccessCriteriaMet');
  if (wasMet && !met)
    errors.push(fieldError.invalidWhole(CONDITIONS, 'cannot disable the SuccessCriteriaMet=True condition'));
  if (isJobConditionTrue(old, 'Complete') && !wasMet && met) {
    const detail = 'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions';
    errors.push(fieldError.invalidWhole(CONDITIONS, detail));
  }
}
