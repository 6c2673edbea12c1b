// How new a cache is: waiting until it has applied a revision, and finding out which revision a consistent read needs.
import type { Clock, Timer } from '#base/clock.ts';
import { StatusError } from '#machinery/status.ts';
import type { Store } from '#store/store.ts';

/** Upstream's bound on waiting for a revision, and how often it asks for progress meanwhile. */
const WAIT_MS = 3_000;
const ASK_EVERY_MS = 100;

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface FreshnessDeps {
  readonly store: Pick<Store, 'revision' | 'progress'>;
  readonly clock: Clock;
  readonly prefix: string;
  /** The newest revision the cache has applied. */
  readonly current: () => number;
}

export class Freshness {
  readonly #deps: FreshnessDeps;
  readonly #waiters = new Set<Waiter>();
  #reading: Promise<number> | undefined;
  #queued: Promise<number> | undefined;

  constructor(deps: FreshnessDeps) {
    this.#deps = deps;
  }

  /** Waits until the cache is as new as the store was when this was called. */
  async consistent(signal?: AbortSignal): Promise<void> {
    await this.waitFor(await this.#newest(), signal);
  }

  async waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    if (revision <= this.#deps.current()) return;
    await this.#wait(revision, signal);
  }

  /** The cache has applied everything up to `revision`. */
  reached(revision: number): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of this.#waiters) if (waiter.revision <= revision) waiter.resolve();
  }

  stop(): void {
    for (const waiter of this.#waiters) waiter.reject(StatusError.serviceUnavailable('the server is shutting down'));
  }

  #wait(revision: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, store, prefix, current } = this.#deps;
    return new Promise<void>((resolve, reject) => {
      let timer: Timer;
      const over = () => {
        this.#waiters.delete(waiter);
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        revision,
        resolve: () => (over(), resolve()),
        reject: (error) => (over(), reject(error)),
      };
      const onAbort = () => waiter.reject(signal!.reason);
      const until = clock.monotonic() + WAIT_MS;
      const ask = () => {
        if (clock.monotonic() >= until) return waiter.reject(tooLarge(revision, current()));
        store.progress(prefix);
        timer = clock.setTimer(ASK_EVERY_MS, ask);
      };
      this.#waiters.add(waiter);
      ask();
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
    });
  }

  /** One read of the newest revision serves all who asked before it began. */
  #newest(): Promise<number> {
    if (this.#reading === undefined) {
      const reading = this.#deps.store.revision().finally(() => {
        this.#reading = undefined;
      });
      this.#reading = reading;
      return reading;
    }
    this.#queued ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#queued = undefined;
        return this.#newest();
      });
    return this.#queued;
  }
}

/** 504 in upstream's words: the client knows a revision that this server has not seen (yet). */
export function tooLarge(revision: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}
