// The revisioned key-value contract under the API server. A flat, ordered key space with ONE revision counter: every
// committed change gets the next revision. Three implementations (memory, embedded, etcd) run `store.suite.ts`.

export interface StoredEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the commit that created this generation of the key. */
  readonly createRevision: number;
  /** Revision of the newest commit of the key. */
  readonly modRevision: number;
}

export interface ListOptions {
  /** Read at this revision; throws CompactedError below the compaction, FutureRevisionError above the newest. 0 = newest. */
  readonly revision?: number;
  /** At most this many entries; 0 = all. */
  readonly limit?: number;
  /** Start at this key (inclusive) instead of the prefix's beginning. */
  readonly from?: string;
}

export interface ListResult {
  readonly entries: readonly StoredEntry[];
  /** The revision the list was read at. */
  readonly revision: number;
  /** Whether entries remain after the last one. */
  readonly more: boolean;
}

export interface Commit {
  readonly key: string;
  /** modRevision the key must have; 0 = it must not exist. */
  readonly expected: number;
  /** New value; undefined deletes. */
  readonly value: Uint8Array | undefined;
  /** Seconds until the key deletes itself; refreshed by each commit that gives it. */
  readonly ttlSeconds?: number;
}

export type CommitResult =
  | { readonly ok: true; readonly revision: number }
  /** The comparison failed; `current` is what stands there now. Nothing was written. */
  | { readonly ok: false; readonly current: StoredEntry | undefined };

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Revision of the change. */
  readonly revision: number;
  /** For put: the new entry. */
  readonly entry: StoredEntry | undefined;
  /** What stood there before; undefined for a creation. */
  readonly previous: StoredEntry | undefined;
}

/** Events in revision order; a batch never splits one revision. `revision`: everything up to it has been delivered. */
export interface StoreBatch {
  readonly events: readonly StoreEvent[];
  readonly revision: number;
}

export interface Store {
  get(key: string): Promise<StoredEntry | undefined>;
  list(prefix: string, options?: ListOptions): Promise<ListResult>;
  /** Resolves only when the change is durable and readable. Rejects with StoreError when durability failed: then nothing was
   *  acknowledged, and every commit queued behind it fails as well. */
  commit(commit: Commit): Promise<CommitResult>;
  /** All changes under `prefix` after `fromRevision` (exclusive), then live. Throws CompactedError when that history is gone.
   *  Yields empty batches as progress at least when `progress()` is called. */
  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch>;
  /** The newest committed revision (linearizable). */
  revision(): Promise<number>;
  /** Asks every open watch (given `prefix`: only those of exactly that prefix) to yield a batch at the newest revision, even if empty. */
  progress(prefix?: string): void;
  /** Drops history below `revision`: reads and watches below it then throw CompactedError. */
  compact(revision: number): Promise<void>;
  /** The oldest revision that can still be read, as far as is known here. */
  readonly compacted: number;
  close(): Promise<void>;
}

export class CompactedError extends Error {
  readonly code = 'Compacted';
  /** The oldest revision that can still be read. */
  readonly revision: number;
  constructor(revision: number) {
    super(`history before revision ${revision} has been compacted`);
    this.revision = revision;
  }
}

export class FutureRevisionError extends Error {
  readonly code = 'FutureRevision';
  readonly requested: number;
  readonly newest: number;
  constructor(requested: number, newest: number) {
    super(`revision ${requested} is newer than the newest revision ${newest}`);
    this.requested = requested;
    this.newest = newest;
  }
}

export class StoreError extends Error {
  readonly code: 'Closed' | 'Locked' | 'Corrupt' | 'WrongFormat' | 'NoSpace' | 'Failed';
  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
