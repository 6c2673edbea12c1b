// The live side of watches. Watchers of equal selection form a group that is filtered and batched once; groups are found by
// what their selection pins (trigger field, one object, one namespace), so that a change costs only those that may want it.
import type { CacheEntry } from './entry.ts';
import { CacheBatch, type CacheEvent } from './events.ts';
import { hasSelectors, selectionText, type Selection } from './selection.ts';
import type { Change } from './window.ts';

/** Events that may wait for one watcher. A slower one is ended; its client resumes from its last resourceVersion. */
const MAX_WAITING_EVENTS = 10_000;

export function matches(selection: Selection, entry: CacheEntry): boolean {
  const { namespace, labels, fields } = selection;
  if (namespace !== undefined && namespace !== '' && entry.namespace !== namespace) return false;
  if (!hasSelectors(selection)) return true;
  if (labels !== undefined && labels.text !== '' && !labels.matches(entry.labels)) return false;
  return fields === undefined || fields.text === '' || fields.matches((label) => entry.field(label));
}

/** What a change means to a selection: entering it is ADDED, leaving it DELETED (with the last selected state). */
export function eventFor(selection: Selection, change: Change): CacheEvent | undefined {
  const { revision, entry, previous } = change;
  const is = entry !== undefined && matches(selection, entry);
  const was = previous !== undefined && matches(selection, previous);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', entry, revision };
  return was ? { type: 'DELETED', entry: previous, revision } : undefined;
}

export class Watcher implements AsyncIterable<CacheBatch> {
  readonly allowBookmarks: boolean;
  readonly #prelude: AsyncIterator<CacheBatch> | Iterator<CacheBatch>;
  readonly #detach: (watcher: Watcher) => void;
  #preludeOver = false;
  #waiting: CacheBatch[] = [];
  #waitingEvents = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** `prelude`: what comes before the live events: initial state or history. */
  constructor(
    prelude: AsyncIterator<CacheBatch> | Iterator<CacheBatch>,
    allowBookmarks: boolean,
    detach: (watcher: Watcher) => void,
  ) {
    this.#prelude = prelude;
    this.allowBookmarks = allowBookmarks;
    this.#detach = detach;
  }

  push(batch: CacheBatch): void {
    if (this.#ended) return;
    this.#waitingEvents += batch.events.length;
    if (this.#waitingEvents > MAX_WAITING_EVENTS) {
      this.end();
      return;
    }
    this.#waiting.push(batch);
    this.#stir();
  }

  /** Ends the iteration; an error is thrown to its reader. May be called twice. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = error;
    this.#waiting = [];
    this.#detach(this);
    // A history that is still being read lets go of the store.
    void this.#prelude.return?.();
    this.#stir();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CacheBatch, void, undefined> {
    try {
      for (;;) {
        const batch = await this.#next();
        if (batch === undefined) return;
        if (batch.events.length > 0) yield batch;
      }
    } finally {
      this.end();
    }
  }

  async #next(): Promise<CacheBatch | undefined> {
    if (!this.#preludeOver && !this.#ended) {
      const { value, done } = await this.#prelude.next();
      if (done !== true) return value as CacheBatch;
      this.#preludeOver = true;
    }
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      const batch = this.#waiting.shift();
      if (batch !== undefined) {
        this.#waitingEvents -= batch.events.length;
        return batch;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

interface Group {
  readonly text: string;
  readonly bucket: string;
  readonly selection: Selection;
  readonly watchers: Set<Watcher>;
  /** Events of the batch that is being applied. */
  events: CacheEvent[];
}

export class WatchGroups {
  readonly #triggerField: string | undefined;
  readonly #groups = new Map<string, Group>();
  /** What a selection pins → the groups that pin it. */
  readonly #buckets = new Map<string, Set<Group>>();
  /** Groups with events in the batch that is being applied. */
  readonly #dirty = new Set<Group>();

  constructor(triggerField: string | undefined) {
    this.#triggerField = triggerField;
  }

  get all(): Watcher[] {
    return [...this.#groups.values()].flatMap((g) => [...g.watchers]);
  }

  /** Joins the group of the selection; live from the next change on. */
  join(
    selection: Selection,
    prelude: AsyncIterator<CacheBatch> | Iterator<CacheBatch>,
    allowBookmarks: boolean,
  ): Watcher {
    const text = selectionText(selection);
    let group = this.#groups.get(text);
    if (group === undefined) {
      group = { text, bucket: this.#bucketOf(selection), selection, watchers: new Set(), events: [] };
      this.#groups.set(text, group);
      let bucket = this.#buckets.get(group.bucket);
      if (bucket === undefined) this.#buckets.set(group.bucket, (bucket = new Set()));
      bucket.add(group);
    }
    const joined = group;
    const watcher = new Watcher(prelude, allowBookmarks, () => this.#leave(joined, watcher));
    joined.watchers.add(watcher);
    return watcher;
  }

  /** Notes a change for those who want it; `flush` hands it out. */
  note(change: Change): void {
    if (this.#groups.size === 0) return;
    const at = (change.entry ?? change.previous)!;
    this.#noteIn('*', change);
    if (at.namespace !== '') this.#noteIn(`namespace ${at.namespace}`, change);
    this.#noteIn(`object ${at.key}`, change);
    const field = this.#triggerField;
    if (field === undefined) return;
    const value = change.entry?.field(field);
    const before = change.previous?.field(field);
    if (value !== undefined) this.#noteIn(`trigger ${value}`, change);
    if (before !== undefined && before !== value) this.#noteIn(`trigger ${before}`, change);
  }

  flush(): void {
    for (const group of this.#dirty) {
      const batch = new CacheBatch(group.events);
      group.events = [];
      for (const watcher of group.watchers) watcher.push(batch);
    }
    this.#dirty.clear();
  }

  bookmark(revision: number): void {
    const batch = new CacheBatch([{ type: 'BOOKMARK', revision, initialEventsEnd: false }]);
    for (const watcher of this.all) if (watcher.allowBookmarks) watcher.push(batch);
  }

  #noteIn(name: string, change: Change): void {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return;
    for (const group of bucket) {
      const event = eventFor(group.selection, change);
      if (event === undefined) continue;
      group.events.push(event);
      this.#dirty.add(group);
    }
  }

  #bucketOf({ namespace = '', fields }: Selection): string {
    const trigger = this.#triggerField === undefined ? undefined : fields?.exact(this.#triggerField);
    if (trigger !== undefined) return `trigger ${trigger}`;
    const name = fields?.exact('metadata.name');
    const pinned = namespace === '' ? fields?.exact('metadata.namespace') : namespace;
    if (name !== undefined && name !== '' && pinned !== undefined && pinned !== '') return `object ${pinned}/${name}`;
    if (namespace !== '') return `namespace ${namespace}`;
    return '*';
  }

  #leave(group: Group, watcher: Watcher): void {
    group.watchers.delete(watcher);
    if (group.watchers.size > 0 || this.#groups.get(group.text) !== group) return;
    this.#groups.delete(group.text);
    this.#dirty.delete(group);
    const bucket = this.#buckets.get(group.bucket);
    bucket?.delete(group);
    if (bucket?.size === 0) this.#buckets.delete(group.bucket);
  }
}
