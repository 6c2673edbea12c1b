// Which pods a Job that goes on is to lose or get. Pure; upstream: manageJob. Pods are removed or made in one pass, never both.
import type { Pod } from '#generated/api/core-v1.ts';
import { addIndexes, freeIndexes, unionIndexes } from '#kinds/batch/indexes.ts';
import { isIndexed, isSuspended, replacesOnlyEnded } from '#kinds/batch/job-state.ts';
import { isPodTerminating } from '#kinds/core/pod/readiness.ts';
import { podsToDelete } from '../replicaset.ts';
import { type BackoffRecord, msUntilIndexRetry, msUntilRetry } from './backoff.ts';
import type { JobFacts } from './facts.ts';
import { completionIndexOf } from './pods.ts';

export interface PodPlan {
  readonly remove: readonly Pod[];
  /** How many to make; of an Indexed Job, for which indexes. */
  readonly create: number;
  readonly indexes?: readonly number[];
  /** Pods are missing, but not before this time. */
  readonly waitMs?: number;
}

/** Pods made or removed in one pass at most: upstream's MaxPodCreateDeletePerSync. */
const MOST_AT_ONCE = 500;
const NOTHING: PodPlan = { remove: [], create: 0 };

export function planPods(facts: JobFacts, backoff: BackoffRecord, nowMs: number): PodPlan {
  const { job, spec, active } = facts;
  if (isSuspended(job)) return { ...NOTHING, remove: active };
  const wanted = wantedActive(facts);
  const remove = superfluous(facts, Math.max(0, active.length - wanted), nowMs).slice(0, MOST_AT_ONCE);
  if (remove.length > 0) return { ...NOTHING, remove };
  const leaving = replacesOnlyEnded(spec) ? facts.terminating : 0;
  const missing = wanted - leaving - active.length;
  if (missing <= 0) return NOTHING;
  if (spec.backoffLimitPerIndex === undefined) {
    const waitMs = msUntilRetry(backoff, nowMs);
    if (waitMs > 0) return { ...NOTHING, waitMs };
  }
  const create = Math.min(missing, MOST_AT_ONCE);
  if (facts.indexes === undefined) return { ...NOTHING, create };
  return planIndexes(facts, pendingIndexes(facts, create), nowMs);
}

function wantedActive({ spec, succeeded, active }: JobFacts): number {
  const parallelism = spec.parallelism!;
  // Without a number of completions the first success ends it: nothing new is started, what runs may finish.
  if (spec.completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, spec.completions - succeeded));
}

/** At least so many pods; of an Indexed Job first those without a valid index and all but one of each index. */
function superfluous({ spec, active }: JobFacts, atLeast: number, nowMs: number): readonly Pod[] {
  if (!isIndexed(spec)) return podsToDelete(active, atLeast, [], nowMs).slice(0, atLeast);
  const byIndex = Map.groupBy(active, (pod) => completionIndexOf(pod) ?? -1);
  const remove: Pod[] = [];
  const keep: Pod[] = [];
  for (const [index, pods] of byIndex) {
    const surplus = index < 0 || index >= spec.completions! ? pods : podsToDelete(pods, pods.length - 1, [], nowMs);
    remove.push(...surplus);
    keep.push(...pods.filter((pod) => !surplus.includes(pod)));
  }
  const more = Math.max(0, atLeast - remove.length);
  return more === 0 ? remove : [...remove, ...podsToDelete(keep, more, [], nowMs)];
}

/** The lowest indexes nobody works on and nobody has finished. */
function pendingIndexes(facts: JobFacts, count: number): readonly number[] {
  const { spec, active, pods, indexes } = facts;
  const busy = [...active, ...(replacesOnlyEnded(spec) ? pods.filter(isPodTerminating) : [])];
  const taken = addIndexes(
    unionIndexes(indexes!.succeeded, indexes!.failed ?? []),
    busy.map(completionIndexOf).filter((index) => index !== undefined),
  );
  return freeIndexes(taken, count, spec.completions!);
}

/** Each index waits for itself after failures. */
function planIndexes(facts: JobFacts, pending: readonly number[], nowMs: number): PodPlan {
  const waits = pending.map((index) => msUntilIndexRetry(facts.indexes!.awaitingReplacement.get(index), nowMs));
  const indexes = facts.spec.backoffLimitPerIndex === undefined ? pending : pending.filter((_, i) => waits[i] === 0);
  if (indexes.length > 0) return { ...NOTHING, create: indexes.length, indexes };
  return pending.length === 0 ? NOTHING : { ...NOTHING, waitMs: Math.min(...waits) };
}
