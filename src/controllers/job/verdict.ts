// Whether a Job is to end, and by which condition. Pure; upstream decides the same inside syncJob.
import type { Job, JobCondition, SuccessPolicy } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { countCommon, countIndexes, type IndexSet, parseIndexes } from '#kinds/batch/indexes.ts';
import { isSuspended } from '#kinds/batch/job-state.ts';
import { findCondition } from '#machinery/conditions.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import type { JobFacts } from './facts.ts';
import { judgeFailure } from './failure-policy.ts';
import { isPodFailed } from './pods.ts';

export function makeCondition(type: string, nowMs: number, reason = '', message = '', status = 'True'): JobCondition {
  const now = formatTime(nowMs);
  return {
    type,
    status,
    lastProbeTime: now,
    lastTransitionTime: now,
    ...(reason === '' ? {} : { reason }),
    ...(message === '' ? {} : { message }),
  };
}

/** The list with this condition; the same list when nothing changed. One that was never there does not begin as False. */
export function ensureCondition(
  list: readonly JobCondition[] | undefined,
  wanted: JobCondition,
): readonly JobCondition[] {
  const conditions = list ?? [];
  const index = conditions.findIndex((c) => c.type === wanted.type);
  if (index < 0) return wanted.status === 'False' ? conditions : [...conditions, wanted];
  const old = conditions[index]!;
  const same =
    old.status === wanted.status &&
    (old.reason ?? '') === (wanted.reason ?? '') &&
    (old.message ?? '') === (wanted.message ?? '');
  return same ? conditions : conditions.with(index, wanted);
}

/**
 * The condition by which the Job ends, for reasons other than that all is done: SuccessCriteriaMet or FailureTarget, the first time
 * and ever after, or Failed once FailureTarget is written down.
 */
export function endOf(facts: JobFacts, nowMs: number): JobCondition | undefined {
  const { job, spec, pods } = facts;
  const met = findCondition(job.status?.conditions, 'SuccessCriteriaMet');
  if (met?.status === 'True') return met;
  const target = findCondition(job.status?.conditions, 'FailureTarget');
  if (target?.status === 'True') return failedBy(target, nowMs);
  const fail = (reason: string, message: string) => makeCondition('FailureTarget', nowMs, reason, message);
  const message = spec.podFailurePolicy === undefined ? undefined : failJobMessage(job, pods);
  if (message !== undefined) return fail('PodFailurePolicy', message);
  if (facts.failed > spec.backoffLimit! || restartsExceed(job, pods))
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (msUntilDeadline(job, nowMs) === 0)
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  const { indexes } = facts;
  if (indexes === undefined) return undefined;
  if (indexes.failed !== undefined) {
    const failed = countIndexes(indexes.failed);
    if (spec.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes)
      return fail('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
    if (failed > 0 && failed + countIndexes(indexes.succeeded) >= spec.completions!)
      return fail('FailedIndexes', 'Job has failed indexes');
  }
  const rule = matchSuccessPolicy(spec.successPolicy, spec.completions!, indexes.succeeded);
  return rule === undefined
    ? undefined
    : makeCondition('SuccessCriteriaMet', nowMs, 'SuccessPolicy', `Matched rules at index ${rule}`);
}

export const failedBy = (target: JobCondition, nowMs: number): JobCondition =>
  makeCondition('Failed', nowMs, target.reason, target.message);

/** All that was asked for is done. */
export const reachedCompletions = (nowMs: number): JobCondition =>
  makeCondition('SuccessCriteriaMet', nowMs, 'CompletionsReached', 'Reached expected number of succeeded pods');

function failJobMessage(job: Job, pods: readonly Pod[]): string | undefined {
  for (const pod of pods) {
    if (!isPodFailed(pod, job.spec!)) continue;
    const { message } = judgeFailure(job.spec!.podFailurePolicy, pod);
    if (message !== undefined) return message;
  }
  return undefined;
}

/** With restartPolicy OnFailure the kubelet retries: its restarts count. */
function restartsExceed(job: Job, pods: readonly Pod[]): boolean {
  const { template, backoffLimit } = job.spec!;
  if (template.spec?.restartPolicy !== 'OnFailure') return false;
  const restarts = pods
    .filter((p) => p.status?.phase === 'Running' || p.status?.phase === 'Pending')
    .flatMap((p) => [...(p.status?.initContainerStatuses ?? []), ...(p.status?.containerStatuses ?? [])])
    .reduce((sum, c) => sum + c.restartCount, 0);
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit!;
}

/** Undefined: the Job has none, or it does not count now. */
export function msUntilDeadline(job: Job, nowMs: number): number | undefined {
  const started = parseTime(job.status?.startTime ?? '');
  const seconds = job.spec!.activeDeadlineSeconds;
  if (seconds === undefined || started === undefined || isSuspended(job)) return undefined;
  return Math.max(0, started + seconds * 1000 - nowMs);
}

/** The first rule that is fulfilled. */
export function matchSuccessPolicy(
  policy: SuccessPolicy | undefined,
  completions: number,
  succeeded: IndexSet,
): number | undefined {
  if (policy === undefined || succeeded.length === 0) return undefined;
  const index = policy.rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined)
      return succeededCount !== undefined && countIndexes(succeeded) >= succeededCount;
    const wanted = parseIndexes(succeededIndexes, completions);
    const reached = countCommon(wanted, succeeded);
    return wanted.length > 0 && (reached === countIndexes(wanted) || (succeededCount ?? Infinity) <= reached);
  });
  return index < 0 ? undefined : index;
}
