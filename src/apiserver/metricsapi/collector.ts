// Reads nodes when somebody asks for usage and not otherwise: an idle cluster pays nothing. Two readings make a rate, so the
// first question after a while waits a moment for the second one; who asks again soon gets the usage since the last time.
import type { Clock } from '#base/clock.ts';
import { describeError, type Log } from '#base/log.ts';
import { type NodeReading, parseResourceMetrics } from './exposition.ts';
import { LONGEST_START_MS, type NodeUsage, usageBetween } from './usage.ts';

/** An answer younger than this is given again. */
const FRESH_MS = 5_000;
/** Between the two readings of a first question. */
const FIRST_WINDOW_MS = 1_000;
/** A node that does not answer within this has no metrics; less than clients wait. */
const SCRAPE_TIMEOUT_MS = 5_000;
/** Nodes asked at a time. */
const PARALLEL = 50;

export interface CollectorDeps {
  /** The node's /metrics/resource. */
  readonly scrape: (node: string, signal: AbortSignal) => Promise<string>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry {
  readonly reading: NodeReading;
  readonly readMs: number;
  readonly usage: NodeUsage;
}

export class UsageCollector {
  readonly #deps: CollectorDeps;
  /** Node → its newest reading and what it amounts to. */
  readonly #entries = new Map<string, Entry>();
  /** Node → the reading under way, shared by all who ask meanwhile. */
  readonly #running = new Map<string, Promise<Entry | undefined>>();

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  /** Usage of these nodes; those that do not answer are missing. */
  async usage(nodes: readonly string[]): Promise<ReadonlyMap<string, NodeUsage>> {
    const out = new Map<string, NodeUsage>();
    const waiting = nodes[Symbol.iterator]();
    const worker = async () => {
      for (const node of waiting) {
        const entry = await this.#current(node);
        if (entry !== undefined) out.set(node, entry.usage);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, nodes.length) }, worker));
    return out;
  }

  /** Forgets nodes that are gone. */
  retain(nodes: ReadonlySet<string>): void {
    for (const node of this.#entries.keys()) if (!nodes.has(node)) this.#entries.delete(node);
  }

  #current(node: string): Promise<Entry | undefined> | Entry {
    const entry = this.#entries.get(node);
    if (entry !== undefined && this.#age(entry) < FRESH_MS) return entry;
    return this.#running.getOrInsertComputed(node, () =>
      this.#read(node, entry).finally(() => this.#running.delete(node)),
    );
  }

  #age = (entry: Entry): number => this.#deps.clock.monotonic() - entry.readMs;

  async #read(node: string, last: Entry | undefined): Promise<Entry | undefined> {
    const { clock, log } = this.#deps;
    try {
      let before = last !== undefined && this.#age(last) < LONGEST_START_MS ? last.reading : undefined;
      if (before === undefined) {
        before = await this.#scrape(node);
        await new Promise<void>((resolve) => void clock.setTimer(FIRST_WINDOW_MS, resolve));
      }
      const reading = await this.#scrape(node);
      const entry = { reading, readMs: clock.monotonic(), usage: usageBetween(before, reading) };
      this.#entries.set(node, entry);
      return entry;
    } catch (error) {
      log.debug('no metrics of the node', { node, error: describeError(error) });
      this.#entries.delete(node);
      return undefined;
    }
  }

  async #scrape(node: string): Promise<NodeReading> {
    const { clock, scrape } = this.#deps;
    const ending = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = clock.setTimer(SCRAPE_TIMEOUT_MS, () => {
      ending.abort();
      late.reject(new Error(`no answer within ${SCRAPE_TIMEOUT_MS} ms`));
    });
    try {
      const text = await Promise.race([scrape(node, ending.signal), late.promise]);
      return parseResourceMetrics(text, clock.now());
    } finally {
      timer.cancel();
    }
  }
}
