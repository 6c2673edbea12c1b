// The past changes a cache still knows, so that watches resume from a resourceVersion without asking the store.
import type { CacheEntry } from './entry.ts';

export interface Change {
  readonly revision: number;
  /** What stands there now; undefined for a deletion. */
  readonly entry: CacheEntry | undefined;
  /** What stood there before; undefined for a creation. */
  readonly previous: CacheEntry | undefined;
}

/** Changes kept whatever their age. */
const ALWAYS_KEPT = 1_000;
/** How long a change is kept beyond that: upstream's freshness of 75 s. */
const KEPT_MS = 75_000;
/** Never more than this, nor more stored bytes than that: what one busy resource may hold in memory. */
const MAX_CHANGES = 50_000;
const MAX_BYTES = 32 << 20;

export class ChangeWindow {
  #changes: { readonly change: Change; readonly atMs: number }[] = [];
  /** Index of the oldest one that still counts; the dead head is cut off now and then. */
  #first = 0;
  #bytes = 0;
  #low: number;

  constructor(low: number) {
    this.#low = low;
  }

  /** Every change above this revision is here. */
  get low(): number {
    return this.#low;
  }

  push(change: Change, nowMs: number): void {
    this.#changes.push({ change, atMs: nowMs });
    this.#bytes += sizeOf(change);
    for (let count = this.#count(); count > 0; count--) {
      const oldest = this.#changes[this.#first]!;
      const tooMany = count > MAX_CHANGES || (this.#bytes > MAX_BYTES && count > ALWAYS_KEPT / 10);
      if (!tooMany && (count <= ALWAYS_KEPT || nowMs - oldest.atMs <= KEPT_MS)) break;
      this.#first++;
      this.#bytes -= sizeOf(oldest.change);
      this.#low = oldest.change.revision;
    }
    if (this.#first > 1_024 && this.#first * 2 > this.#changes.length) {
      this.#changes = this.#changes.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The changes above `revision`, which is not below `low`, in order. */
  *after(revision: number): IterableIterator<Change> {
    let low = this.#first;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#changes[middle]!.change.revision <= revision) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < this.#changes.length; i++) yield this.#changes[i]!.change;
  }

  #count(): number {
    return this.#changes.length - this.#first;
  }
}

function sizeOf({ entry, previous }: Change): number {
  return (entry ?? previous)?.stored.length ?? 0;
}
