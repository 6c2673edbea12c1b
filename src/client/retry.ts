// Optimistic concurrency: read, change, write, and again when somebody else was faster.
import { backoffMs } from '#base/backoff.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { isStatus } from '#machinery/status.ts';

export interface RetryDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** client-go's DefaultRetry. */
const TRIES = 5;
const BACKOFF = { baseMs: 10, maxMs: 10, factor: 1, jitter: 0.1 };

/** Calls `attempt`, which must read afresh, until it does not fail with Conflict; the fifth conflict is thrown. */
export async function retryOnConflict<R>(deps: RetryDeps, attempt: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries >= TRIES || !isStatus(error, 'Conflict')) throw error;
      await sleep(deps.clock, backoffMs(tries, BACKOFF, deps.random));
    }
  }
}
