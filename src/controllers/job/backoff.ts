// How long a Job waits before it replaces failed pods: 10 s, doubled with every failure since the last success, 10 minutes at most.
import { backoffMs } from '#base/backoff.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { finishedAtMs, ignoredIndexFailures, indexFailures } from './pods.ts';

/** Upstream's DefaultJobPodFailureBackOff and MaxJobPodFailureBackOff. */
const POD_BACKOFF = { baseMs: 10_000, maxMs: 600_000 };

export interface BackoffRecord {
  readonly failures: number;
  readonly lastFailureMs: number;
}

export const NO_FAILURES: BackoffRecord = { failures: 0, lastFailureMs: 0 };

/** The record after these pods ended: only failures after the last success count. */
export function withEnded(record: BackoffRecord, succeeded: readonly Pod[], failed: readonly Pod[]): BackoffRecord {
  const lastSuccessMs = Math.max(Number.NEGATIVE_INFINITY, ...succeeded.map(finishedAtMs));
  const since = failed.map(finishedAtMs).filter((ms) => ms > lastSuccessMs);
  const before = succeeded.length > 0 ? NO_FAILURES : record;
  return since.length === 0 ? before : { failures: before.failures + since.length, lastFailureMs: Math.max(...since) };
}

/** Milliseconds until pods may be made again. */
export function msUntilRetry({ failures, lastFailureMs }: BackoffRecord, nowMs: number): number {
  return failures === 0 ? 0 : Math.max(0, lastFailureMs + backoffMs(failures, POD_BACKOFF) - nowMs);
}

/** The same for one index, whose last pod carries the number of failures before it. */
export function msUntilIndexRetry(lastFailed: Pod | undefined, nowMs: number): number {
  if (lastFailed === undefined) return 0;
  const failures = indexFailures(lastFailed) + ignoredIndexFailures(lastFailed) + 1;
  return msUntilRetry({ failures, lastFailureMs: finishedAtMs(lastFailed) }, nowMs);
}
