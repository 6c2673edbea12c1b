// The objects of a cache, in order of keys and by their trigger field.
import { OrderedMap } from '#store/ordered-map.ts';
import type { CacheEntry } from './entry.ts';

export class EntryIndex {
  readonly ordered = new OrderedMap<CacheEntry>();
  readonly #triggerField: string | undefined;
  /** Value of the trigger field → key → entry. */
  readonly #byTrigger = new Map<string, Map<string, CacheEntry>>();

  constructor(triggerField: string | undefined) {
    this.#triggerField = triggerField;
  }

  get(key: string): CacheEntry | undefined {
    return this.ordered.get(key);
  }

  put(entry: CacheEntry, previous: CacheEntry | undefined): void {
    this.ordered.set(entry.key, entry);
    if (this.#triggerField === undefined) return;
    const value = entry.field(this.#triggerField);
    if (previous !== undefined && previous.field(this.#triggerField) !== value) this.#unindex(previous);
    let group = this.#byTrigger.get(value);
    if (group === undefined) this.#byTrigger.set(value, (group = new Map()));
    group.set(entry.key, entry);
  }

  remove(entry: CacheEntry): void {
    this.ordered.delete(entry.key);
    if (this.#triggerField !== undefined) this.#unindex(entry);
  }

  /** Entries whose trigger field has this value, in order of keys. */
  triggered(value: string): CacheEntry[] {
    return [...(this.#byTrigger.get(value)?.values() ?? [])].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #unindex(entry: CacheEntry): void {
    const value = entry.field(this.#triggerField!);
    const group = this.#byTrigger.get(value);
    group?.delete(entry.key);
    if (group?.size === 0) this.#byTrigger.delete(value);
  }
}
