// The embedded store: node:sqlite in a thread of its own. This is the API thread's side: it compares a write with the newest
// PENDING revision, so a batch can hold many writes, also chains on one key; but it acknowledges, shows to watches and
// makes readable only what the store thread has reported durable. Newest values are kept here, so reads of them wait for nobody.
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import { AutoCompaction } from '../compaction.ts';
import { Expiry } from '../expiry.ts';
import { WatchHub, watchThrough } from '../hub.ts';
import { OrderedMap, prefixEnd } from '../ordered-map.ts';
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
} from '../store.ts';
import { sameThreadLink, workerLink, type Link } from './link.ts';
import { packRows, unpackRows, type Reply, type Request, type Row } from './protocol.ts';

export interface EmbeddedStoreOptions {
  /** Data directory; made when absent. One process at a time. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The store thread's program. Default: the source file; a bundle names its own. */
  readonly workerEntry?: URL | string;
  /** Runs the database in the calling thread: for simulation. */
  readonly sameThread?: boolean;
  /** Milliseconds of history kept; 0 never compacts by itself. Default 5 minutes, as kube-apiserver. */
  readonly compactEveryMs?: number;
}

const DEFAULT_COMPACT_EVERY_MS = 5 * 60_000;
/** Revisions the store thread looks through in one answer of history: bounds how long a write waits behind it. */
const HISTORY_STEP = 2_000;
/** Entries of an old list read in one answer, for the same reason. */
const LIST_STEP = 500;

/** Opens the store. Rejects with StoreError Locked, Corrupt, WrongFormat or NoSpace. */
export async function createEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const link = options.sameThread
    ? sameThreadLink(options.dir, process.pid)
    : workerLink(options.workerEntry ?? new URL('./worker.ts', import.meta.url), options.dir);
  const store = new EmbeddedStore(link, options);
  await store.opened;
  return store;
}

interface PendingWrite {
  readonly row: Row;
  /** What will stand there; undefined for a deletion. */
  readonly entry: StoredEntry | undefined;
  readonly previous: StoredEntry | undefined;
  readonly done: Promise<CommitResult>;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

type Found = { readonly rows: Row[]; readonly previous: Row[] };

class EmbeddedStore implements Store {
  readonly opened: Promise<void>;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #expiry: Expiry;
  readonly #compaction: AutoCompaction | undefined;
  /** Durable. */
  readonly #newest = new OrderedMap<StoredEntry>();
  #hub = new WatchHub();
  #compacted = 0;
  /** Key → its newest write that is not yet durable. */
  readonly #pending = new Map<string, PendingWrite>();
  /** Writes that are not yet durable, by revision; those from `#unsent` on have not been handed to the thread. */
  #inFlight: PendingWrite[] = [];
  #unsent = 0;
  #flushing = false;
  #epoch = 0;
  #next = 1;
  /** Request → who waits for its answer. */
  readonly #asked = new Map<
    number,
    { readonly resolve: (found: Found) => void; readonly reject: (error: Error) => void }
  >();
  #lastId = 0;
  /** Nothing can be written any more. */
  #broken: StoreError | undefined;
  /** Nobody answers any more. */
  #gone: StoreError | undefined;
  #closing: Promise<void> | undefined;
  #setOpened!: { resolve: () => void; reject: (error: Error) => void };

  constructor(link: Link, { clock, log, compactEveryMs = DEFAULT_COMPACT_EVERY_MS }: EmbeddedStoreOptions) {
    this.#link = link;
    this.#clock = clock;
    this.#log = log;
    this.#expiry = new Expiry(clock, (key, revision) => this.commit({ key, expected: revision, value: undefined }));
    this.#compaction =
      compactEveryMs > 0 ? new AutoCompaction({ store: this, clock, log, everyMs: compactEveryMs }) : undefined;
    this.opened = new Promise((resolve, reject) => {
      this.#setOpened = { resolve, reject };
    });
    link.listen(
      (reply) => this.#receive(reply),
      (error) => this.#lost(error),
    );
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    this.#usable();
    return this.#newest.get(key);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#usable();
    const { revision = 0, limit = 0 } = options;
    const from = options.from === undefined || options.from < prefix ? prefix : options.from;
    const newest = this.#hub.revision;
    if (revision > newest) throw new FutureRevisionError(revision, newest);
    if (revision > 0 && revision < this.#compacted) throw new CompactedError(this.#compacted);
    if (revision > 0 && revision < newest) return this.#listPast(from, prefixEnd(prefix), revision, limit);
    const entries: StoredEntry[] = [];
    for (const entry of this.#newest.range(from, prefixEnd(prefix))) {
      if (limit > 0 && entries.length === limit) return { entries, revision: newest, more: true };
      entries.push(entry);
    }
    return { entries, revision: newest, more: false };
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#usable();
    if (this.#broken !== undefined) throw this.#broken;
    const { key, expected, value, ttlSeconds } = commit;
    const pending = this.#pending.get(key);
    const current = pending === undefined ? this.#newest.get(key) : pending.entry;
    if ((current?.modRevision ?? 0) !== expected || (value === undefined && current === undefined)) {
      // What it lost against may be told only once it is durable.
      if (pending !== undefined) await pending.done;
      return { ok: false, current };
    }
    const revision = this.#next++;
    const createRevision = value === undefined ? 0 : (current?.createRevision ?? revision);
    const expiresMs = ttlSeconds === undefined || value === undefined ? 0 : this.#clock.now() + ttlSeconds * 1000;
    const { promise: done, resolve, reject } = Promise.withResolvers<CommitResult>();
    const write: PendingWrite = {
      row: { revision, key, value, createRevision, previous: current?.modRevision ?? 0, expiresMs },
      entry: value === undefined ? undefined : { key, value, createRevision, modRevision: revision },
      previous: current,
      done,
      resolve,
      reject,
    };
    this.#pending.set(key, write);
    this.#inFlight.push(write);
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
    return done;
  }

  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<StoreBatch> {
    const live = this.#hub.open(prefix, signal);
    return watchThrough(live, fromRevision, this.#hub.revision, (after, upTo) => this.#past(prefix, after, upTo));
  }

  async revision(): Promise<number> {
    this.#usable();
    return this.#hub.revision;
  }

  progress(prefix?: string): void {
    this.#hub.progress(prefix);
  }

  get compacted(): number {
    return this.#compacted;
  }

  async compact(revision: number): Promise<void> {
    this.#usable();
    if (revision > this.#hub.revision) throw new FutureRevisionError(revision, this.#hub.revision);
    if (revision <= this.#compacted) return;
    await this.#ask((id) => ({ type: 'compact', id, revision }));
    this.#compacted = Math.max(this.#compacted, revision);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#expiry.stop();
    await this.#compaction?.stop();
    this.#hub.fail(new StoreError('Closed', 'the store is closed'));
    await Promise.allSettled(this.#inFlight.map((w) => w.done));
    try {
      await this.#ask((id) => ({ type: 'close', id }));
    } catch (error) {
      this.#log.warn('The store did not close cleanly', { error });
    }
    await this.#link.ended();
  }

  /** Once an event-loop turn: everything that was committed in it goes over as one message. */
  #flush(): void {
    this.#flushing = false;
    const writes = this.#inFlight.slice(this.#unsent);
    if (writes.length === 0) return;
    this.#unsent = this.#inFlight.length;
    this.#link.post({ type: 'write', epoch: this.#epoch, rows: packRows(writes.map((w) => w.row)) });
  }

  #receive(reply: Reply): void {
    switch (reply.type) {
      case 'durable':
        return this.#durable(reply.revision);
      case 'rows':
        return this.#settle(reply.id)?.resolve({
          rows: unpackRows(reply.rows, true),
          previous: unpackRows(reply.previous, true),
        });
      case 'done':
        return this.#settle(reply.id)?.resolve({ rows: [], previous: [] });
      case 'error':
        return this.#settle(reply.id)?.reject(
          reply.code === 'Compacted' ? new CompactedError(reply.revision) : new StoreError(reply.code, reply.message),
        );
      case 'failed':
        return this.#failed(reply);
      case 'newest':
        for (const row of unpackRows(reply.rows, true)) this.#load(row);
        return;
      case 'opened':
        this.#compacted = reply.compacted;
        this.#next = reply.revision + 1;
        this.#hub = new WatchHub(reply.revision);
        this.#compaction?.begin();
        return this.#setOpened.resolve();
      case 'refused':
        this.#setOpened.reject(new StoreError(reply.code, reply.message));
        this.close().catch(() => {
          // Nothing was opened; why is what the opener is told.
        });
    }
  }

  #load(row: Row): void {
    const { key, value, createRevision, revision, expiresMs } = row;
    this.#newest.set(key, { key, value: value!, createRevision, modRevision: revision });
    if (expiresMs > 0) this.#expiry.add(key, revision, expiresMs);
  }

  #durable(revision: number): void {
    let count = 0;
    while (count < this.#inFlight.length && this.#inFlight[count]!.row.revision <= revision) count++;
    const writes = this.#inFlight.splice(0, count);
    this.#unsent -= count;
    const events: StoreEvent[] = [];
    for (const write of writes) {
      const { row, entry, previous } = write;
      if (entry === undefined) this.#newest.delete(row.key);
      else this.#newest.set(row.key, entry);
      if (row.expiresMs > 0) this.#expiry.add(row.key, row.revision, row.expiresMs);
      if (this.#pending.get(row.key) === write) this.#pending.delete(row.key);
      events.push({
        type: entry === undefined ? 'delete' : 'put',
        key: row.key,
        revision: row.revision,
        entry,
        previous,
      });
    }
    this.#hub.dispatch(events, revision);
    for (const write of writes) write.resolve({ ok: true, revision: write.row.revision });
  }

  /** What was not acknowledged is not there, and what was compared with it cannot be either. */
  #failed(reply: Extract<Reply, { type: 'failed' }>): void {
    if (reply.epoch !== this.#epoch) return;
    this.#failAll(new StoreError(reply.code, reply.message), reply.fatal);
  }

  #failAll(error: StoreError, fatal: boolean): void {
    if (fatal) this.#broken ??= error;
    this.#log.error('Writes to the store failed', { error, count: this.#inFlight.length });
    const writes = this.#inFlight;
    this.#inFlight = [];
    this.#unsent = 0;
    this.#pending.clear();
    this.#epoch++;
    this.#next = this.#hub.revision + 1;
    for (const write of writes) write.reject(error);
  }

  #lost(cause: Error): void {
    if (this.#broken === undefined && this.#closing === undefined)
      this.#log.error('The store thread is gone', { error: cause });
    const error = new StoreError('Failed', `the store thread is gone: ${cause.message}`, { cause });
    this.#gone = error;
    this.#setOpened.reject(error);
    for (const id of this.#asked.keys()) this.#settle(id)?.reject(error);
    if (this.#closing !== undefined) return;
    this.#failAll(error, true);
    this.#hub.fail(error);
  }

  async #listPast(from: string, to: string, revision: number, limit: number): Promise<ListResult> {
    const entries: StoredEntry[] = [];
    let start = from;
    for (;;) {
      const wanted = limit > 0 ? Math.min(LIST_STEP, limit + 1 - entries.length) : LIST_STEP;
      const { rows } = await this.#ask((id) => ({ type: 'list', id, from: start, to, revision, limit: wanted }));
      entries.push(...rows.map(entryOf));
      if (rows.length < wanted) return { entries, revision, more: false };
      if (limit > 0 && entries.length > limit) return { entries: entries.slice(0, limit), revision, more: true };
      start = `${rows.at(-1)!.key}\0`;
    }
  }

  async *#past(prefix: string, after: number, upTo: number): AsyncGenerator<StoreBatch, void, undefined> {
    const to = prefixEnd(prefix);
    for (let at = after; at < upTo; ) {
      const end = Math.min(upTo, at + HISTORY_STEP);
      const start = at;
      const found = await this.#ask((id) => ({ type: 'history', id, from: prefix, to, after: start, upTo: end }));
      const before = new Map(found.previous.map((row) => [row.revision, row]));
      yield { events: found.rows.map((row) => eventOf(row, before.get(row.previous))), revision: end };
      at = end;
    }
  }

  #ask(make: (id: number) => Request): Promise<Found> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Found>();
    this.#asked.set(id, { resolve, reject });
    this.#link.post(make(id));
    return promise;
  }

  #settle(id: number) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }

  #usable(): void {
    if (this.#closing !== undefined) throw new StoreError('Closed', 'the store is closed');
  }
}

function entryOf(row: Row): StoredEntry {
  return { key: row.key, value: row.value!, createRevision: row.createRevision, modRevision: row.revision };
}

function eventOf(row: Row, previous: Row | undefined): StoreEvent {
  return {
    type: row.value === undefined ? 'delete' : 'put',
    key: row.key,
    revision: row.revision,
    entry: row.value === undefined ? undefined : entryOf(row),
    previous: previous === undefined ? undefined : entryOf(previous),
  };
}
