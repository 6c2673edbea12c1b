// Time as a dependency. Everything that waits or stamps takes a Clock, so that the whole control plane runs in
// simulated time on one seed. Only this file touches the real timers.

/** A pending timer; cancel() may be called twice. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds with fractions; only differences mean something. */
  monotonic(): number;
  /** Calls `fn` once after `delayMs`. Never calls it synchronously. */
  setTimer(delayMs: number, fn: () => void): Timer;
}

/** Node's timers overflow above this and fire at once; longer waits are cut into pieces. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    let handle: ReturnType<typeof setTimeout>;
    const arm = (left: number) => {
      const piece = Math.min(left, LONGEST_TIMER_MS);
      handle = setTimeout(() => (left > piece ? arm(left - piece) : fn()), Math.max(0, piece));
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  }
}

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that moves only when told to. Timers fire in order of time, then of creation. */
export class SteppedClock implements Clock {
  #nowMs: number;
  #order = 0;
  /** Pending timers, unsorted: simulations keep few enough that a scan beats a heap. */
  readonly #timers = new Set<Scheduled>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  /** Whole milliseconds, as every wall clock; timers with fractions show in monotonic(). */
  now(): number {
    return Math.floor(this.#nowMs);
  }

  monotonic(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const scheduled = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#timers.add(scheduled);
    return { cancel: () => void this.#timers.delete(scheduled) };
  }

  /** Milliseconds until the next timer; undefined when there is none. */
  untilNext(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.atMs - this.#nowMs;
  }

  /** Moves time by `ms`, firing what falls due, with the microtasks and I/O turns between timers run to rest. */
  async step(ms: number): Promise<void> {
    const target = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.atMs > target) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
      await settle();
    }
    this.#nowMs = target;
  }

  #next(): Scheduled | undefined {
    let best: Scheduled | undefined;
    for (const t of this.#timers) {
      if (best === undefined || t.atMs < best.atMs || (t.atMs === best.atMs && t.order < best.order)) best = t;
    }
    return best;
  }
}

/** Lets pending promise chains and immediates run until nothing more is likely to move without time. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Resolves after `ms`; rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal!.reason);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
