// What a start leaves behind (parsed files, first lists, code that ran once) is given back once, when it has become quiet: V8 collects when
// memory is wanted, and an idle part never wants any. Needs --expose-gc, which partCommand gives.
import type { Clock } from '#base/clock.ts';

/** Long enough for the first lists, and for the rush of a new cluster to show. */
const LOOK_MS = 8_000;
/** Share of a processor. The collection takes some tens of milliseconds: nobody may be waiting. */
const QUIET = 0.1;
/** A larger heap is one in use. */
const MAX_HEAP_BYTES = 64 * 1024 * 1024;

/** Of the calling thread. */
export function settle(clock: Clock): void {
  const before = process.cpuUsage();
  clock.setTimer(LOOK_MS, () => {
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 / LOOK_MS > QUIET) return settle(clock);
    const { gc } = globalThis as { gc?: (options: object) => void };
    // The flavor that also gives empty pages back to the system.
    if (process.memoryUsage().heapUsed < MAX_HEAP_BYTES)
      gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  });
}
