// The watch cache of one resource: everything the API server reads is served from here, at a revision at least as new as
// the request demands. It is fed by one list and one watch of the store; own writes are never applied ahead of that watch.
//
//   const pods = new ResourceCache({ store, clock, log, definition });   // definition: a ResourceDefinition
//   await pods.start(signal);
//   await pods.get('default', 'web-0')                        // consistent; undefined when absent
//   await pods.get('default', 'web-0', { resourceVersion: '0' })  // whatever the cache has
//   const page = await pods.list({ selection: { namespace: 'db' }, limit: 500 });
//   page.entries.map((e) => e.bytes('v1')); page.revision; page.continue; page.remainingItemCount
//   const watch = await pods.watch({ selection, resourceVersion: '17', allowBookmarks: true }, signal);
//   for await (const batch of watch) socket.write(batch.frames('Pod', 'v1'));   // or walk batch.events
//   pods.remember(value, object);   // a writer gives its parsed object before commit: saves parsing it again
//
// Errors are StatusErrors in upstream's words: 410 Expired, 504 Timeout "Too large resource version", 400 for bad tokens.
import { sleep, type Clock, type Timer } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { makeKey, type KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { LAST_KEY, OrderedMap, prefixEnd, type OrderedView } from '#store/ordered-map.ts';
import { CompactedError, FutureRevisionError, type Store, type StoreBatch, type StoredEntry } from '#store/store.ts';
import { decodeContinue, encodeContinue, ExpiredContinueError, INCONSISTENT } from './continue.ts';
import { CacheEntry, ParsedObjects, type EntryContext } from './entry.ts';
import { EntryIndex } from './entry-index.ts';
import { CacheBatch, type CacheEvent } from './events.ts';
import { Freshness, tooLarge } from './freshness.ts';
import { everything, hasSelectors, type Selection } from './selection.ts';
import { eventFor, matches, WatchGroups } from './watchers.ts';
import { ChangeWindow, type Change } from './window.ts';

export type CacheDefinition = Pick<
  ResourceDefinition<never>,
  'group' | 'resource' | 'kind' | 'namespaced' | 'storagePrefix' | 'selectableFields' | 'triggerField'
>;

export interface ResourceCacheDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly definition: CacheDefinition;
  /** Bounds the parsed objects kept; share one between caches. Default: one of its own. */
  readonly parsed?: ParsedObjects;
}

export interface ReadOptions {
  /** As in the request. Undefined or '': the newest (consistent). '0': any. N: not older than N. */
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
}

export interface CacheListOptions extends ReadOptions {
  readonly selection?: Selection;
  /** '' and undefined mean upstream's default for the combination. */
  readonly resourceVersionMatch?: string;
  /** 0 or undefined: no limit. */
  readonly limit?: number;
  /** The token of the page before. */
  readonly continue?: string;
}

export interface CacheListResult {
  readonly entries: readonly CacheEntry[];
  /** resourceVersion of the list. */
  readonly revision: number;
  /** Token of the next page; undefined at the end. */
  readonly continue: string | undefined;
  /** Exact count of what is left; undefined when the page is the last or when a selector is there, as upstream. */
  readonly remainingItemCount: number | undefined;
}

export interface CacheWatchOptions {
  readonly selection?: Selection;
  /** Undefined or '': initial state as ADDED events from the newest (consistent) state, then live. '0': the same from any
   *  state. N: everything after N; 410 Expired when that history is gone. */
  readonly resourceVersion?: string;
  /** WatchList: initial state as ADDED events and then a bookmark with the annotation; resourceVersion is a minimum then. */
  readonly sendInitialEvents?: boolean;
  /** A bookmark a minute. */
  readonly allowBookmarks?: boolean;
}

/** Ends when the signal aborts, the cache stops, or the watcher is too slow (its client then resumes from its last
 *  resourceVersion). Iterate once. */
export type CacheWatch = AsyncIterable<CacheBatch>;

/** Parsed objects a cache keeps when it is given no shared bound. */
const PARSED_OBJECTS = 2_000;
/** Objects of writers that wait for their commit to come back through the watch. */
const REMEMBERED = 512;
/** Pause before a lost list or watch of the store is tried again. */
const RETRY_MS = 1_000;
/** Upstream's period of bookmarks. */
const BOOKMARK_MS = 60_000;
/** Initial events handed out at once. */
const INITIAL_BATCH = 500;
/** A walk over many entries lets others run after this long. */
const SLICE_MS = 4;
/** First pages pin their state for the pages that follow. Older ones are read from the store, until it compacts. */
const PINNED_LISTS = 16;
const PINNED_MS = 60_000;

export class ResourceCache implements Component {
  readonly name: string;
  readonly #deps: ResourceCacheDeps;
  /** Store key of the resource: everything under it is one of its objects. */
  readonly #prefix: string;
  readonly #context: EntryContext;
  readonly #freshness: Freshness;
  readonly #groups: WatchGroups;
  readonly #stopping = new AbortController();
  readonly #remembered = new Map<Uint8Array, KubeObject>();
  /** First pages: revision → the state they were read from. */
  readonly #pinned = new Map<number, { readonly view: OrderedView<CacheEntry>; readonly untilMs: number }>();
  #index: EntryIndex;
  #window = new ChangeWindow(0);
  #revision = 0;
  #bookmarks: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(deps: ResourceCacheDeps) {
    this.#deps = deps;
    const { definition, store, clock } = deps;
    this.name = `watchcache ${definition.storagePrefix}`;
    this.#prefix = `/registry/${definition.storagePrefix}/`;
    this.#context = {
      selectableFields: definition.selectableFields,
      parsed: deps.parsed ?? new ParsedObjects(PARSED_OBJECTS),
    };
    this.#freshness = new Freshness({ store, clock, prefix: this.#prefix, current: () => this.#revision });
    this.#groups = new WatchGroups(definition.triggerField);
    this.#index = new EntryIndex(definition.triggerField);
  }

  /** Resolves when the first list is in. A lost watch is taken up again by itself. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running !== undefined) return;
    await this.#relist();
    this.#running = this.#follow();
    this.#scheduleBookmarks();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#bookmarks?.cancel();
    for (const watcher of this.#groups.all) watcher.end();
    this.#freshness.stop();
    await this.#running;
  }

  /** The newest revision applied here. */
  get revision(): number {
    return this.#revision;
  }

  /** How many objects there are right now. */
  get size(): number {
    return this.#index.ordered.size;
  }

  /** What is here right now, without waiting; for hints and tests. */
  peek(namespace: string | undefined, name: string): CacheEntry | undefined {
    return this.#index.get(makeKey(namespace, name));
  }

  async get(namespace: string | undefined, name: string, options: ReadOptions = {}): Promise<CacheEntry | undefined> {
    await this.#freshEnough(options);
    return this.#index.get(makeKey(namespace, name));
  }

  async list(options: CacheListOptions = {}): Promise<CacheListResult> {
    const { selection = everything, resourceVersion = '', resourceVersionMatch = '' } = options;
    const folder = folderOf(selection);
    if (options.continue !== undefined && options.continue !== '') {
      if (resourceVersion !== '' && resourceVersion !== '0') {
        throw StatusError.badRequest('specifying resource version is not allowed when using continue');
      }
      const { revision, start } = decodeContinue(options.continue);
      const from = folder + start;
      if (revision === INCONSISTENT) {
        await this.#freshEnough({ signal: options.signal });
        return this.#page(this.#index.ordered, this.#revision, from, options);
      }
      return this.#listAt(revision, from, options, () => new ExpiredContinueError(start));
    }
    const wanted = parseResourceVersion(resourceVersion);
    const limited = (options.limit ?? 0) > 0;
    // Upstream's table: a limit with a resourceVersion and no match means exactly that revision.
    if (
      wanted !== undefined &&
      wanted > 0 &&
      (resourceVersionMatch === 'Exact' || (resourceVersionMatch === '' && limited))
    ) {
      return this.#listAt(wanted, folder, options, () =>
        StatusError.expired('The resourceVersion for the provided list is too old.'),
      );
    }
    await this.#freshEnough(options);
    // "Any" is answered whole, as upstream does from its cache.
    return this.#page(this.#index.ordered, this.#revision, folder, wanted === 0 ? { ...options, limit: 0 } : options);
  }

  async watch(options: CacheWatchOptions, signal: AbortSignal): Promise<CacheWatch> {
    const { selection = everything, sendInitialEvents, allowBookmarks = false } = options;
    const wanted = parseResourceVersion(options.resourceVersion);
    const initial = sendInitialEvents ?? (wanted === undefined || wanted === 0);
    if (initial || wanted === undefined || wanted === 0) {
      await this.#freshEnough({ resourceVersion: options.resourceVersion, signal });
    } else if (wanted > this.#revision) {
      await this.#freshness.waitFor(wanted, signal);
    }
    signal.throwIfAborted();
    // From here to join() nothing may wait: prelude and live events meet without a gap.
    const prelude = initial
      ? this.#initialState(selection, sendInitialEvents === true)
      : this.#since(selection, wanted === undefined || wanted === 0 ? this.#revision : wanted, signal);
    const watcher = this.#groups.join(selection, prelude, allowBookmarks);
    signal.addEventListener('abort', () => watcher.end(), { once: true });
    if (this.#stopping.signal.aborted) watcher.end();
    return watcher;
  }

  /** Waits until everything up to `revision` is applied. Rejects with 504 after 3 s, as upstream. */
  async waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    await this.#freshness.waitFor(revision, signal);
  }

  /** A writer's parsed object for the bytes it is about to commit (same Uint8Array), WITHOUT resourceVersion. */
  remember(value: Uint8Array, object: KubeObject): void {
    if (this.#remembered.size >= REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!);
    this.#remembered.set(value, object);
  }

  // ---- feeding ----

  async #relist(): Promise<void> {
    const { entries, revision } = await this.#deps.store.list(this.#prefix);
    const index = new EntryIndex(this.#deps.definition.triggerField);
    const yielding = this.#yielder(this.#stopping.signal);
    for (const stored of entries) {
      await yielding();
      index.put(this.#makeEntry(stored), undefined);
    }
    this.#index = index;
    this.#window = new ChangeWindow(revision);
    this.#revision = revision;
    this.#freshness.reached(revision);
  }

  /** Follows the store until stopped. */
  async #follow(): Promise<void> {
    const { store, clock, log } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const batch of store.watch(this.#prefix, this.#revision, signal)) this.#apply(batch);
      } catch (error) {
        if (signal.aborted) return;
        log.warn('The watch of the store was lost', { cache: this.name, error });
        if (error instanceof CompactedError) await this.#startOver();
        else await sleep(clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  /** The gap cannot be closed: list again. Watchers resume from their last resourceVersion, or get 410. */
  async #startOver(): Promise<void> {
    try {
      await this.#relist();
      for (const watcher of this.#groups.all) watcher.end();
    } catch (error) {
      this.#deps.log.warn('The list of the store failed', { cache: this.name, error });
      await sleep(this.#deps.clock, RETRY_MS, this.#stopping.signal).catch(() => {});
    }
  }

  #apply(batch: StoreBatch): void {
    const now = this.#deps.clock.monotonic();
    for (const event of batch.events) {
      if (event.revision <= this.#revision) continue;
      const key = event.key.slice(this.#prefix.length);
      const previous = this.#index.get(key);
      const entry = event.entry === undefined ? undefined : this.#makeEntry(event.entry);
      if (entry !== undefined) this.#index.put(entry, previous);
      else if (previous !== undefined) this.#index.remove(previous);
      const change: Change = { revision: event.revision, entry, previous };
      this.#window.push(change, now);
      if (entry !== undefined || previous !== undefined) this.#groups.note(change);
    }
    this.#revision = Math.max(this.#revision, batch.revision);
    this.#groups.flush();
    this.#freshness.reached(this.#revision);
  }

  #makeEntry(stored: StoredEntry): CacheEntry {
    const object = this.#remembered.get(stored.value);
    const key = stored.key.slice(this.#prefix.length);
    if (object === undefined) return new CacheEntry(key, stored, this.#context);
    this.#remembered.delete(stored.value);
    const metadata = { ...object.metadata, resourceVersion: String(stored.modRevision) };
    return new CacheEntry(key, stored, this.#context, { ...object, metadata });
  }

  // ---- reading ----

  async #freshEnough({ resourceVersion, signal }: ReadOptions): Promise<void> {
    const wanted = parseResourceVersion(resourceVersion);
    if (wanted === 0) return;
    if (wanted === undefined) await this.#freshness.consistent(signal);
    else await this.#freshness.waitFor(wanted, signal);
  }

  async #listAt(
    revision: number,
    from: string,
    options: CacheListOptions,
    expired: () => StatusError,
  ): Promise<CacheListResult> {
    if (revision > this.#revision) await this.#freshness.waitFor(revision, options.signal);
    // However well this state is known here: clients count on it that a list which takes too long ends and begins anew, and a
    // client that comes again and again would keep its state for ever.
    if (revision < this.#deps.store.compacted) throw expired();
    const pinned = this.#pinned.get(revision);
    if (pinned !== undefined && pinned.untilMs > this.#deps.clock.monotonic())
      return this.#page(pinned.view, revision, from, options);
    if (revision === this.#revision) return this.#page(this.#index.ordered, revision, from, options);
    try {
      return this.#page(
        await this.#readPast(revision, folderOf(options.selection ?? everything)),
        revision,
        from,
        options,
      );
    } catch (error) {
      if (error instanceof CompactedError) throw expired();
      if (error instanceof FutureRevisionError) throw tooLarge(revision, this.#revision);
      throw error;
    }
  }

  /** A past state from the store, whole: what follows pages from it. */
  async #readPast(revision: number, folder: string): Promise<OrderedView<CacheEntry>> {
    const { entries } = await this.#deps.store.list(this.#prefix + folder, { revision });
    const view = new OrderedMap<CacheEntry>();
    for (const stored of entries) {
      const entry = new CacheEntry(stored.key.slice(this.#prefix.length), stored, this.#context);
      view.set(entry.key, entry);
    }
    return view;
  }

  async #page(
    source: OrderedView<CacheEntry>,
    revision: number,
    from: string,
    options: CacheListOptions,
  ): Promise<CacheListResult> {
    const { selection = everything, limit = 0 } = options;
    const folder = folderOf(selection);
    const to = folder === '' ? LAST_KEY : prefixEnd(folder);
    const view = source === this.#index.ordered ? this.#index.ordered.snapshot() : source;
    const candidates =
      (source === this.#index.ordered ? this.#indexed(selection, from) : undefined) ?? view.range(from, to);
    const selecting = hasSelectors(selection);
    const entries: CacheEntry[] = [];
    let more = false;
    const yielding = this.#yielder(options.signal);
    for (const entry of candidates) {
      if (selecting) {
        await yielding();
        if (!matches(selection, entry)) continue;
      }
      if (limit > 0 && entries.length === limit) {
        more = true;
        break;
      }
      entries.push(entry);
    }
    if (!more) return { entries, revision, continue: undefined, remainingItemCount: undefined };
    const start = `${entries.at(-1)!.key}\0`;
    this.#pin(revision, view);
    return {
      entries,
      revision,
      continue: encodeContinue({ revision, start: start.slice(folder.length) }),
      remainingItemCount: selecting ? undefined : view.count(start, to),
    };
  }

  /** The few entries an exact field names, in order; undefined when none does. */
  #indexed({ namespace = '', fields }: Selection, from: string): readonly CacheEntry[] | undefined {
    if (fields === undefined || fields.text === '') return undefined;
    const name = fields.exact('metadata.name');
    if (name !== undefined && (namespace !== '' || !this.#deps.definition.namespaced)) {
      const entry = this.#index.get(makeKey(namespace, name));
      return entry === undefined || entry.key < from ? [] : [entry];
    }
    const field = this.#deps.definition.triggerField;
    const value = field === undefined ? undefined : fields.exact(field);
    if (value === undefined) return undefined;
    return this.#index.triggered(value).filter((e) => e.key >= from && (namespace === '' || e.namespace === namespace));
  }

  #pin(revision: number, view: OrderedView<CacheEntry>): void {
    const now = this.#deps.clock.monotonic();
    for (const [old, { untilMs }] of this.#pinned) if (untilMs <= now) this.#pinned.delete(old);
    if (this.#pinned.has(revision)) return;
    if (this.#pinned.size >= PINNED_LISTS) this.#pinned.delete(this.#pinned.keys().next().value!);
    this.#pinned.set(revision, { view, untilMs: now + PINNED_MS });
  }

  /** Awaited in a long walk: lets others run when the slice is used up. */
  #yielder(signal: AbortSignal | undefined): () => Promise<void> | undefined {
    const { clock } = this.#deps;
    let since = clock.monotonic();
    let steps = 0;
    return () => {
      if (++steps % 32 !== 0 || clock.monotonic() - since < SLICE_MS) return undefined;
      return new Promise((resolve, reject) =>
        setImmediate(() => {
          since = clock.monotonic();
          if (signal?.aborted) reject(signal.reason);
          else resolve();
        }),
      );
    };
  }

  // ---- watching ----

  #initialState(selection: Selection, endBookmark: boolean): AsyncIterator<CacheBatch> {
    const folder = folderOf(selection);
    const revision = this.#revision;
    const candidates =
      this.#indexed(selection, folder) ??
      this.#index.ordered.snapshot().range(folder, folder === '' ? LAST_KEY : prefixEnd(folder));
    const yielding = this.#yielder(undefined);
    return (async function* () {
      let events: CacheEvent[] = [];
      for (const entry of candidates) {
        await yielding();
        if (!matches(selection, entry)) continue;
        events.push({ type: 'ADDED', entry, revision: entry.revision });
        if (events.length < INITIAL_BATCH) continue;
        yield new CacheBatch(events);
        events = [];
      }
      if (endBookmark) events.push({ type: 'BOOKMARK', revision, initialEventsEnd: true });
      yield new CacheBatch(events);
    })();
  }

  /** What happened after `revision` up to now: from the window, or, where that does not reach, from the store's history. */
  #since(
    selection: Selection,
    revision: number,
    signal: AbortSignal,
  ): Iterator<CacheBatch> | AsyncIterator<CacheBatch> {
    if (revision >= this.#window.low) {
      const events = [...this.#window.after(revision)].flatMap((change) => eventFor(selection, change) ?? []);
      return [new CacheBatch(events)].values();
    }
    return this.#history(selection, revision, this.#revision, signal);
  }

  async *#history(
    selection: Selection,
    after: number,
    upTo: number,
    signal: AbortSignal,
  ): AsyncGenerator<CacheBatch, void, undefined> {
    const over = new AbortController();
    const entryOf = (stored: StoredEntry | undefined) =>
      stored === undefined ? undefined : new CacheEntry(stored.key.slice(this.#prefix.length), stored, this.#context);
    try {
      for await (const batch of this.#deps.store.watch(
        this.#prefix + folderOf(selection),
        after,
        AbortSignal.any([signal, over.signal]),
      )) {
        const events: CacheEvent[] = [];
        for (const { revision, entry, previous } of batch.events) {
          if (revision > upTo) break;
          const event = eventFor(selection, { revision, entry: entryOf(entry), previous: entryOf(previous) });
          if (event !== undefined) events.push(event);
        }
        yield new CacheBatch(events);
        if (batch.revision >= upTo) return;
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      throw StatusError.expired(`too old resource version: ${after} (${error.revision})`);
    } finally {
      over.abort();
    }
  }

  #scheduleBookmarks(): void {
    this.#bookmarks = this.#deps.clock.setTimer(
      BOOKMARK_MS,
      () => void this.#bookmark().then(() => this.#scheduleBookmarks()),
    );
  }

  async #bookmark(): Promise<void> {
    if (this.#stopping.signal.aborted || !this.#groups.all.some((w) => w.allowBookmarks)) return;
    try {
      await this.#freshness.consistent();
      this.#groups.bookmark(this.#revision);
    } catch (error) {
      this.#deps.log.debug('No bookmark this time', { cache: this.name, error });
    }
  }
}

/** Undefined for '' and undefined. Throws 400 for what is no revision. */
export function parseResourceVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const revision = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(revision)) {
    throw StatusError.badRequest(
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return revision;
}

function folderOf({ namespace = '' }: Selection): string {
  return namespace === '' ? '' : `${namespace}/`;
}
