// Keys that delete themselves. One timer for the nearest deadline; a deadline that was refreshed or dropped meanwhile is
// recognised by the entry's revision when it comes up.
import type { Clock, Timer } from '#base/clock.ts';

interface Deadline {
  readonly key: string;
  readonly revision: number;
  readonly atMs: number;
}

/** A commit that could not be made is tried again after this long. */
const RETRY_MS = 1_000;

export class Expiry {
  readonly #clock: Clock;
  readonly #expire: (key: string, revision: number) => Promise<unknown>;
  /** A binary heap, nearest deadline first. */
  readonly #heap: Deadline[] = [];
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #stopped = false;

  /** `expire` deletes the key if it still has that modRevision; a rejection means: not now. */
  constructor(clock: Clock, expire: (key: string, revision: number) => Promise<unknown>) {
    this.#clock = clock;
    this.#expire = expire;
  }

  add(key: string, revision: number, atMs: number): void {
    push(this.#heap, { key, revision, atMs });
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const next = this.#heap[0];
    if (this.#stopped || next === undefined) return;
    if (this.#timer !== undefined && this.#timer.atMs <= next.atMs) return;
    this.#timer?.timer.cancel();
    const timer = this.#clock.setTimer(Math.max(0, next.atMs - this.#clock.now()), () => {
      this.#timer = undefined;
      this.#run();
    });
    this.#timer = { atMs: next.atMs, timer };
  }

  #run(): void {
    const now = this.#clock.now();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= now; next = this.#heap[0]) {
      const due = pop(this.#heap)!;
      this.#expire(due.key, due.revision).catch(() => {
        if (!this.#stopped) this.add(due.key, due.revision, this.#clock.now() + RETRY_MS);
      });
    }
    this.#arm();
  }
}

function push(heap: Deadline[], item: Deadline): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]!.atMs <= item.atMs) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = item;
}

function pop(heap: Deadline[]): Deadline | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++;
    if (heap[child]!.atMs >= last.atMs) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}
