// What the controller remembers of each autoscaler between two looks: proposals and changes of size. Lost with the process, as
// upstream's.
import { type Behavior, type Events, longestPeriodMs, type Recommendation, type ScaleEvent } from './behavior.ts';

/** Longest window that validation lets through. */
const LONGEST_WINDOW_MS = 3_600_000;

interface Memory {
  recommendations: Recommendation[];
  up: ScaleEvent[];
  down: ScaleEvent[];
}

export class ScaleHistory {
  /** Key of the autoscaler → what is remembered. */
  readonly #memories = new Map<string, Memory>();

  /** The size at the first look counts as a proposal. */
  recommendations(key: string, current: number, nowMs: number): readonly Recommendation[] {
    const memory = this.#of(key);
    if (memory.recommendations.length === 0) memory.recommendations.push({ replicas: current, atMs: nowMs });
    return memory.recommendations;
  }

  recommend(key: string, replicas: number, nowMs: number): void {
    const memory = this.#of(key);
    memory.recommendations = memory.recommendations.filter((r) => r.atMs >= nowMs - LONGEST_WINDOW_MS);
    memory.recommendations.push({ replicas, atMs: nowMs });
  }

  events(key: string): Events {
    return this.#of(key);
  }

  scaled(key: string, from: number, to: number, behavior: Behavior, nowMs: number): void {
    const memory = this.#of(key);
    const keep = (list: readonly ScaleEvent[], rules: Behavior['up']) =>
      list.filter((e) => e.atMs > nowMs - longestPeriodMs(rules));
    memory.up = keep(memory.up, behavior.up);
    memory.down = keep(memory.down, behavior.down);
    (to > from ? memory.up : memory.down).push({ change: Math.abs(to - from), atMs: nowMs });
  }

  forget(key: string): void {
    this.#memories.delete(key);
  }

  #of(key: string): Memory {
    return this.#memories.getOrInsertComputed(key, () => ({ recommendations: [], up: [], down: [] }));
  }
}
