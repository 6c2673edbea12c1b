// Exponential back-off, as a pure function of the number of failures.
import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly factor?: number;
  /** Share of the delay that is randomised upwards, 0 to 1. */
  readonly jitter?: number;
}

/** Delay before the next try after `failures` failures in a row (1 → base). */
export function backoffMs(failures: number, options: BackoffOptions, random?: Random): number {
  const { baseMs, maxMs, factor = 2, jitter = 0 } = options;
  const delay = Math.min(maxMs, baseMs * factor ** Math.max(0, failures - 1));
  return random === undefined ? delay : delay * (1 + jitter * random.next());
}
