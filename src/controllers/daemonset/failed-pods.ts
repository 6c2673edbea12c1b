// How long a failed daemon pod stays before it is made again: longer each time it fails on the same node with the same template.
import type { DaemonSet } from '#generated/api/apps-v1.ts';
import type { Clock } from '#base/clock.ts';
import { type BackoffOptions, backoffMs } from '#base/backoff.ts';

/** Upstream's failedPodsBackoff. */
const BACKOFF: BackoffOptions = { baseMs: 1_000, maxMs: 15 * 60_000 };
/** A node on which nothing failed for this long begins anew. */
const FORGET_MS = 2 * BACKOFF.maxMs;

interface Entry {
  failures: number;
  atMs: number;
}

export class FailedPods {
  readonly #clock: Clock;
  /** `uid/generation/node` → its failures in a row and when the last was. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0: the pod may be removed now, which counts as a failure. */
  msToWait(set: DaemonSet, node: string): number {
    const now = this.#clock.monotonic();
    for (const [key, entry] of this.#entries) if (now - entry.atMs > FORGET_MS) this.#entries.delete(key);
    const key = `${set.metadata.uid}/${set.status?.observedGeneration ?? 0}/${node}`;
    const entry = this.#entries.getOrInsertComputed(key, () => ({ failures: 0, atMs: Number.NEGATIVE_INFINITY }));
    if (entry.failures > 0) {
      const left = entry.atMs + backoffMs(entry.failures, BACKOFF) - now;
      if (left > 0) return left;
    }
    entry.failures++;
    entry.atMs = now;
    return 0;
  }
}
