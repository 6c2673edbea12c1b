// Keeps one table of the kernel equal to its elements: changes are gathered for a moment, one transaction is in flight at
// a time, and after a refusal the whole table is replaced. Cost follows the change, not what is there.
import { backoffMs } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Elements } from '#netmodel/elements.ts';
import type { Table } from '#netmodel/rules.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Nft } from './nft.ts';

export interface TableSyncDeps {
  readonly nft: Nft;
  readonly elements: Elements;
  /** The fixed part; asked again at each full load. */
  readonly table: () => Table;
  /** Called before each transaction: the place to turn gathered events into elements. */
  readonly prepare: () => void;
  /** Called after each transaction that the kernel took. */
  readonly written?: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
}

/** Long enough for the events of one rollout step to meet, short against the 50 ms that a change may take. */
const GATHER_MS = 2;
const RETRY = { baseMs: 100, maxMs: 10_000 } as const;

export class TableSync {
  readonly #deps: TableSyncDeps;
  #timer: Timer | undefined;
  #running = false;
  /** The kernel's table is unknown, or its fixed part changed. */
  #mustLoad = true;
  #started = false;
  #stopped = false;
  #failures = 0;
  /** Counts pokes, and the pokes that are in the kernel. */
  #asked = 0;
  #done = 0;
  readonly #waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];

  constructor(deps: TableSyncDeps) {
    this.#deps = deps;
  }

  /** Begins writing; the first transaction replaces the table. Resolves when that is in the kernel. */
  start(signal: AbortSignal): Promise<void> {
    this.#started = true;
    return this.inForce(signal);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Whether the kernel took what it was last told. */
  get healthy(): boolean {
    return this.#failures === 0;
  }

  /** Something changed. */
  poke(): void {
    this.#asked++;
    this.#schedule(GATHER_MS);
  }

  /** The fixed part changed. */
  reload(): void {
    this.#mustLoad = true;
    this.poke();
  }

  /** Resolves when everything that was changed before this call is in the kernel. */
  inForce(signal: AbortSignal): Promise<void> {
    this.poke();
    const upTo = this.#asked;
    return unlessAborted(new Promise((resolve) => this.#waiting.push({ upTo, resolve })), signal);
  }

  #schedule(delayMs: number): void {
    if (!this.#started || this.#stopped || this.#running || this.#timer !== undefined) return;
    this.#timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    const { nft, elements, table, prepare, clock, log, metrics } = this.#deps;
    this.#running = true;
    const upTo = this.#asked;
    const began = clock.monotonic();
    let name = '';
    try {
      prepare();
      const fixed = table();
      name = fixed.name;
      if (this.#mustLoad) {
        this.#mustLoad = false;
        elements.forgetTold();
        const { add } = elements.take();
        await nft.load(fixed, add);
      } else await nft.change(elements.take());
      this.#failures = 0;
      this.#done = upTo;
      this.#deps.written?.();
      metrics
        .histogram('coracle_network_sync_duration_seconds', 'Time one transaction took.', { table: name })
        .observe((clock.monotonic() - began) / 1000);
    } catch (error) {
      this.#mustLoad = true;
      this.#failures++;
      log.error('rules were not accepted; the whole table is loaded again', { table: name, error });
    }
    this.#running = false;
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]!.upTo <= this.#done) this.#waiting.splice(i, 1)[0]!.resolve();
    if (this.#failures > 0) this.#schedule(backoffMs(this.#failures, RETRY));
    else if (this.#asked > this.#done) this.#schedule(0);
  }
}
