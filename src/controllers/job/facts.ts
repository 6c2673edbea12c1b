// What is known of a Job before anything is decided: its pods sorted, and the counters as they will be once all that has ended is
// counted. Pure.
import type { Job, JobSpec } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { addIndexes, hasIndex, type IndexSet, parseIndexes } from '#kinds/batch/indexes.ts';
import { isIndexed } from '#kinds/batch/job-state.ts';
import { isPodActive, isPodReady, isPodTerminating } from '#kinds/core/pod/readiness.ts';
import { countIndexes } from '#kinds/batch/indexes.ts';
import { judgeFailure } from './failure-policy.ts';
import {
  completionIndexOf,
  finishedAtMs,
  hasValidIndex,
  ignoredIndexFailures,
  indexFailures,
  isPodFailed,
  isTracked,
} from './pods.ts';

export interface JobFacts {
  readonly job: Job;
  readonly spec: JobSpec;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly ready: number;
  readonly terminating: number;
  /** Uids of pods whose end is written down in the status, but not yet in its counters. */
  readonly uncounted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> };
  /** Uids of pods whose finalizer was taken off, though the cache does not show it yet. */
  readonly released: ReadonlySet<string>;
  /** Pods that ended and are not written down anywhere. */
  readonly newSucceeded: readonly Pod[];
  readonly newFailed: readonly Pod[];
  /** Counters that include all of these. */
  readonly succeeded: number;
  readonly failed: number;
  /** Of an Indexed Job. */
  readonly indexes?: IndexFacts;
}

export interface IndexFacts {
  /** As the status has them. */
  readonly before: IndexSet;
  readonly succeeded: IndexSet;
  /** Only where failures are counted by index. */
  readonly failed?: IndexSet;
  /**
   * Index → its last failed pod. It keeps its finalizer until the pod that replaces it is there: the number of failures is
   * handed on from the one to the other.
   */
  readonly awaitingReplacement: ReadonlyMap<number, Pod>;
}

export function gatherFacts(job: Job, pods: readonly Pod[], released: ReadonlySet<string>): JobFacts {
  const spec = job.spec!;
  const active = pods.filter(isPodActive);
  const uncounted = {
    succeeded: new Set(job.status?.uncountedTerminatedPods?.succeeded),
    failed: new Set(job.status?.uncountedTerminatedPods?.failed),
  };
  /** Not counted yet, and able to count. */
  const open = pods.filter((p) => isTracked(p) && !released.has(p.metadata.uid!) && hasValidIndex(p, spec));
  const newSucceeded = open.filter((p) => p.status?.phase === 'Succeeded' && !uncounted.succeeded.has(p.metadata.uid!));
  const newFailed = open.filter((p) => isPodFailed(p, spec) && !uncounted.failed.has(p.metadata.uid!));
  const counting = newFailed.filter((p) => judgeFailure(spec.podFailurePolicy, p).counts);
  const indexes = isIndexed(spec) ? indexFacts(job, pods, open, active) : undefined;
  return {
    job,
    spec,
    pods,
    active,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter(isPodTerminating).length,
    uncounted,
    released,
    newSucceeded,
    newFailed,
    succeeded:
      indexes === undefined
        ? (job.status?.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.size
        : countIndexes(indexes.succeeded),
    failed: (job.status?.failed ?? 0) + counting.length + uncounted.failed.size,
    ...(indexes === undefined ? {} : { indexes }),
  };
}

function indexFacts(job: Job, pods: readonly Pod[], open: readonly Pod[], active: readonly Pod[]): IndexFacts {
  const spec = job.spec!;
  const tracked = pods.filter((p) => isTracked(p) && hasValidIndex(p, spec));
  const before = parseIndexes(job.status?.completedIndexes, spec.completions!);
  const succeeded = addIndexes(
    before,
    tracked.filter((p) => p.status?.phase === 'Succeeded').map((p) => completionIndexOf(p)!),
  );
  if (spec.backoffLimitPerIndex === undefined) return { before, succeeded, awaitingReplacement: new Map() };
  const failed = addIndexes(
    parseIndexes(job.status?.failedIndexes, spec.completions!),
    tracked.filter((p) => failsIndex(p, spec)).map((p) => completionIndexOf(p)!),
  );
  return { before, succeeded, failed, awaitingReplacement: awaitingReplacement(open, active, spec, succeeded, failed) };
}

/** Whether this pod's failure is one too many for its index. */
function failsIndex(pod: Pod, spec: JobSpec): boolean {
  if (!isPodFailed(pod, spec)) return false;
  const { action, counts } = judgeFailure(spec.podFailurePolicy, pod);
  return action === 'FailIndex' || (counts && indexFailures(pod) >= spec.backoffLimitPerIndex!);
}

function awaitingReplacement(
  open: readonly Pod[],
  active: readonly Pod[],
  spec: JobSpec,
  succeeded: IndexSet,
  failed: IndexSet,
): ReadonlyMap<number, Pod> {
  // A pod that runs already has the number.
  const running = new Set(active.map(completionIndexOf));
  const waiting = new Map<number, Pod>();
  const total = (pod: Pod): number => indexFailures(pod) + ignoredIndexFailures(pod);
  for (const pod of open.filter((p) => isPodFailed(p, spec))) {
    const index = completionIndexOf(pod)!;
    if (hasIndex(succeeded, index) || hasIndex(failed, index) || running.has(index)) continue;
    const last = waiting.get(index);
    if (last === undefined || (total(last) <= total(pod) && finishedAtMs(last) <= finishedAtMs(pod)))
      waiting.set(index, pod);
  }
  return waiting;
}
