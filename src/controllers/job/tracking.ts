// Counting ended pods, once each, across crashes. A pod holds a finalizer until it is counted. First its uid is written down in
// status.uncountedTerminatedPods, then its finalizer is taken off, then the uid turns into a count. Whoever comes after a crash
// finds either the finalizer or the uid, and never both gone before the counter has it. Succeeded pods of Indexed Jobs need no
// uid: their index is what is written down. Upstream: trackJobStatusAndRemoveFinalizers.
import type { JobCondition, JobStatus } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { addIndexes, countIndexes, formatIndexes, hasIndex } from '#kinds/batch/indexes.ts';
import type { JobFacts } from './facts.ts';
import { judgeFailure } from './failure-policy.ts';
import { completionIndexOf, hasValidIndex, isPodFailed, isTracked } from './pods.ts';

/** Uids written down at a time, at most (upstream): so the status stays small, and one Job does not hold up the others. */
const MAX_UNCOUNTED = 500;

export interface Tally {
  readonly status: JobStatus;
  /** Whether the status must be written before any finalizer is taken off. */
  readonly changed: boolean;
  /** Pods that are accounted for by this status, or need not be. */
  readonly release: readonly Pod[];
  /** There are more than fit at a time: the Job is not finished by this pass. */
  readonly more: boolean;
}

/** Writes down what has ended. `end` is the condition by which the Job ends, if it does. */
export function tally(facts: JobFacts, status: JobStatus, end: JobCondition | undefined): Tally {
  const { spec, uncounted, indexes } = facts;
  const tracked = facts.pods.filter((p) => isTracked(p) && !facts.released.has(p.metadata.uid!));
  const settled = settle(status, new Set(tracked.map((p) => p.metadata.uid!)));
  let changed = settled !== status;
  const succeeded = [...(settled.uncountedTerminatedPods?.succeeded ?? [])];
  const failed = [...(settled.uncountedTerminatedPods?.failed ?? [])];
  const newIndexes: number[] = [];
  const release: Pod[] = [];
  let more = false;
  for (const pod of indexes === undefined ? tracked : tracked.toSorted(byIndex)) {
    const uid = pod.metadata.uid!;
    const isFailed = isPodFailed(pod, spec);
    if (!mayRelease(facts, pod, isFailed, end)) continue;
    release.push(pod);
    if (pod.status?.phase === 'Succeeded' && !uncounted.failed.has(uid)) {
      if (indexes !== undefined) {
        const index = completionIndexOf(pod);
        if (hasValidIndex(pod, spec) && !hasIndex(indexes.before, index!)) newIndexes.push(index!);
      } else if (!uncounted.succeeded.has(uid)) succeeded.push(uid);
    } else if (isFailed || (end !== undefined && end.type !== 'SuccessCriteriaMet')) {
      // In a Job that failed every pod that has not ended is a failed one.
      const counts = judgeFailure(spec.podFailurePolicy, pod).counts;
      if (counts && !uncounted.failed.has(uid) && hasValidIndex(pod, spec)) failed.push(uid);
    }
    if (newIndexes.length + succeeded.length + failed.length >= MAX_UNCOUNTED) {
      more = true;
      break;
    }
  }
  changed ||= newIndexes.length > 0;
  changed ||= succeeded.length + failed.length > countUncounted(settled);
  let next: JobStatus = { ...settled, uncountedTerminatedPods: { succeeded, failed } };
  if (indexes !== undefined) {
    const done = addIndexes(indexes.succeeded, newIndexes);
    const completedIndexes = formatIndexes(done);
    const failedIndexes = indexes.failed === undefined ? undefined : formatIndexes(indexes.failed);
    changed ||= completedIndexes !== (status.completedIndexes ?? '') || failedIndexes !== status.failedIndexes;
    next = { ...next, succeeded: countIndexes(done), completedIndexes, failedIndexes };
  }
  return { status: next, changed, release, more };
}

const byIndex = (a: Pod, b: Pod): number => (completionIndexOf(a) ?? -1) - (completionIndexOf(b) ?? -1);

/** Whether nothing depends on the pod's finalizer any more. */
function mayRelease(facts: JobFacts, pod: Pod, isFailed: boolean, end: JobCondition | undefined): boolean {
  if (facts.job.metadata.deletionTimestamp !== undefined || end !== undefined || pod.status?.phase === 'Succeeded')
    return true;
  if (!isFailed) return false;
  const waiting = facts.indexes?.awaitingReplacement.get(completionIndexOf(pod) ?? -1);
  return waiting?.metadata.uid !== pod.metadata.uid;
}

/** Turns uids of pods that hold no finalizer any more into counts. The same status when there are none. */
export function settle(status: JobStatus, tracked: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const left = {
    succeeded: succeeded.filter((uid) => tracked.has(uid)),
    failed: failed.filter((uid) => tracked.has(uid)),
  };
  const done = { succeeded: succeeded.length - left.succeeded.length, failed: failed.length - left.failed.length };
  if (done.succeeded + done.failed === 0) return status;
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + done.succeeded,
    failed: (status.failed ?? 0) + done.failed,
    uncountedTerminatedPods: left,
  };
}

export const countUncounted = (status: JobStatus): number =>
  (status.uncountedTerminatedPods?.succeeded?.length ?? 0) + (status.uncountedTerminatedPods?.failed?.length ?? 0);

/** As it is written: upstream leaves out what is empty and counters that are zero, but for those it knows to be zero. */
export function tidyStatus(status: JobStatus): JobStatus {
  const some = (n: number | undefined) => (n === 0 ? undefined : n);
  const { succeeded, failed } = status.uncountedTerminatedPods ?? {};
  return {
    ...status,
    active: some(status.active),
    succeeded: some(status.succeeded),
    failed: some(status.failed),
    completedIndexes: status.completedIndexes === '' ? undefined : status.completedIndexes,
    uncountedTerminatedPods: {
      ...(succeeded?.length ? { succeeded } : {}),
      ...(failed?.length ? { failed } : {}),
    },
  };
}
