// The queue under every reconciler: a key is in work at most once at a time, never lost, and failures wait
// longer and longer. Level triggered: many adds of one key are one unit of work.
import { type BackoffOptions, backoffMs } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';

/** client-go's default per-item limiter: 5 ms doubling to 1000 s. */
export const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 5, maxMs: 1_000_000 };

export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: BackoffOptions;
  /** Keys ready for work, in order of arrival. */
  readonly #ready = new Set<string>();
  /** Keys being worked on. */
  readonly #active = new Set<string>();
  /** Keys added while they were being worked on. */
  readonly #dirty = new Set<string>();
  /** Key → timer that will make it ready, with its due time. */
  readonly #waiting = new Map<string, { readonly timer: Timer; readonly atMs: number }>();
  /** Key → failures in a row. */
  readonly #failures = new Map<string, number>();
  /** Workers waiting for a key. */
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(clock: Clock, backoff: BackoffOptions = DEFAULT_BACKOFF) {
    this.#clock = clock;
    this.#backoff = backoff;
  }

  get length(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.timer.cancel();
      this.#waiting.delete(key);
    }
    if (this.#active.has(key)) {
      this.#dirty.add(key);
      return;
    }
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#ready.add(key);
      return;
    }
    this.#ready.delete(key);
    this.#active.add(key);
    taker(key);
  }

  /** Adds the key after `delayMs`; an earlier pending time wins. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) return this.add(key);
    const atMs = this.#clock.monotonic() + delayMs;
    const pending = this.#waiting.get(key);
    if (pending !== undefined && pending.atMs <= atMs) return;
    pending?.timer.cancel();
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#waiting.delete(key);
      this.add(key);
    });
    this.#waiting.set(key, { timer, atMs });
  }

  /** Adds the key after its back-off. */
  retry(key: string): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.addAfter(key, backoffMs(failures, this.#backoff));
  }

  /** How often the key failed in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, now in work until done(key); undefined once closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const [key] = this.#ready;
    if (key === undefined) return new Promise((resolve) => this.#takers.push(resolve));
    this.#ready.delete(key);
    this.#active.add(key);
    return Promise.resolve(key);
  }

  done(key: string): void {
    this.#active.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    this.#ready.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
