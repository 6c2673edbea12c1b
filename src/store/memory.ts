// The store in memory: tests, simulation, and the measure for the other two. Nothing survives the process.
import type { Clock } from '#base/clock.ts';
import { Expiry } from './expiry.ts';
import { WatchHub, watchThrough } from './hub.ts';
import { OrderedMap, prefixEnd } from './ordered-map.ts';
import {
  CompactedError,
  FutureRevisionError,
  StoreError,
  type Commit,
  type CommitResult,
  type ListOptions,
  type ListResult,
  type Store,
  type StoreBatch,
  type StoredEntry,
  type StoreEvent,
} from './store.ts';

export interface MemoryStoreOptions {
  /** Drives time to live. */
  readonly clock: Clock;
}

export function createMemoryStore(options: MemoryStoreOptions): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #newest = new OrderedMap<StoredEntry>();
  readonly #hub = new WatchHub();
  readonly #expiry: Expiry;
  /** Every change above the compacted revision, in order. */
  #history: StoreEvent[] = [];
  #revision = 0;
  #compacted = 0;
  #closed = false;

  constructor({ clock }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#expiry = new Expiry(clock, (key, revision) => this.commit({ key, expected: revision, value: undefined }));
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    this.#open();
    return this.#newest.get(key);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#open();
    const { revision = 0, limit = 0, from = prefix } = options;
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision > 0 && revision < this.#compacted) throw new CompactedError(this.#compacted);
    const view = revision === 0 || revision === this.#revision ? this.#newest : this.#rolledBack(prefix, revision);
    const entries: StoredEntry[] = [];
    for (const entry of view.range(from < prefix ? prefix : from, prefixEnd(prefix))) {
      if (limit > 0 && entries.length === limit) return { entries, revision: revision || this.#revision, more: true };
      entries.push(entry);
    }
    return { entries, revision: revision || this.#revision, more: false };
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#open();
    const { key, expected, value, ttlSeconds } = commit;
    const current = this.#newest.get(key);
    if ((current?.modRevision ?? 0) !== expected || (value === undefined && current === undefined))
      return { ok: false, current };
    const revision = ++this.#revision;
    let entry: StoredEntry | undefined;
    if (value === undefined) {
      this.#newest.delete(key);
    } else {
      entry = { key, value, createRevision: current?.createRevision ?? revision, modRevision: revision };
      this.#newest.set(key, entry);
      if (ttlSeconds !== undefined) this.#expiry.add(key, revision, this.#clock.now() + ttlSeconds * 1000);
    }
    const event: StoreEvent = { type: entry === undefined ? 'delete' : 'put', key, revision, entry, previous: current };
    this.#history.push(event);
    this.#hub.dispatch([event], revision);
    return { ok: true, revision };
  }

  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch> {
    return watchThrough(this.#hub.open(prefix, signal), fromRevision, this.#revision, (after, upTo) =>
      this.#past(prefix, after, upTo),
    );
  }

  async revision(): Promise<number> {
    this.#open();
    return this.#revision;
  }

  progress(prefix?: string): void {
    this.#hub.progress(prefix);
  }

  get compacted(): number {
    return this.#compacted;
  }

  async compact(revision: number): Promise<void> {
    this.#open();
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    this.#history = this.#history.slice(this.#after(revision));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#expiry.stop();
    this.#hub.fail(new StoreError('Closed', 'the store is closed'));
  }

  async *#past(prefix: string, after: number, upTo: number): AsyncGenerator<StoreBatch, void, undefined> {
    if (after < this.#compacted) throw new CompactedError(this.#compacted);
    const events = this.#history
      .slice(this.#after(after))
      .filter((event) => event.revision <= upTo && event.key.startsWith(prefix));
    yield { events, revision: upTo };
  }

  /** Index of the first event in the history that is newer than `revision`. */
  #after(revision: number): number {
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The keys under `prefix` as they were at `revision`: the changes since, undone from the newest back. */
  #rolledBack(prefix: string, revision: number): OrderedMap<StoredEntry> {
    const view = new OrderedMap<StoredEntry>();
    for (const entry of this.#newest.range(prefix, prefixEnd(prefix))) view.set(entry.key, entry);
    for (let i = this.#history.length - 1; i >= 0 && this.#history[i]!.revision > revision; i--) {
      const { key, previous } = this.#history[i]!;
      if (!key.startsWith(prefix)) continue;
      if (previous === undefined) view.delete(key);
      else view.set(key, previous);
    }
    return view;
  }

  #open(): void {
    if (this.#closed) throw new StoreError('Closed', 'the store is closed');
  }
}
