// A local, always-current copy of one resource: list, then watch from there, for as long as the process lives. Begins
// with WatchList where the server has it; resumes from the last resourceVersion; lists again when that is too old.
import { type BackoffOptions, backoffMs } from '#base/backoff.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { type KubeObject, type ObjectKey, type ResourceRef, keyOf } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import type { Client, Informer, InformerChange, ResourceClient, WatchEvent } from './client.ts';
import { deepFreeze } from './freeze.ts';

export interface InformerDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Freezes the cached objects deeply: for tests and simulation. */
  readonly freeze?: boolean;
  /** False never tries WatchList. */
  readonly watchList?: boolean;
}

/**
 * Between tries to reach the server. Upstream has 800 ms to 30 s; a server on the same machine is back sooner, and after a long absence
 * nobody may go on for a minute with what was true before.
 */
const BACKOFF: BackoffOptions = { baseMs: 200, maxMs: 5_000, jitter: 1 };
/** A watch that lived this long was a success: the next failure starts the back-off anew. */
const HEALTHY_MS = 10_000;
/** Watches end by themselves after this or up to twice as long, so that servers shed them evenly (upstream's value). */
const WATCH_SECONDS = 300;
/** Objects per page of a list, where WatchList is not available (upstream's value). */
const PAGE = 500;

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

interface Index<T> {
  readonly values: (object: T) => readonly string[];
  /** Index value → keys of its objects. */
  readonly keys: Map<string, Set<ObjectKey>>;
}

export class ListWatchInformer<T extends KubeObject> implements Informer<T> {
  readonly ref: ResourceRef<T>;
  readonly #deps: InformerDeps;
  readonly #options: InformerOptions;
  readonly #resource: ResourceClient<T>;
  readonly #objects = new Map<ObjectKey, T>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers = new Set<(change: InformerChange<T>) => void>();
  #resourceVersion: string | undefined;
  #watchList: boolean;
  #synced = false;
  readonly #whenSynced = Promise.withResolvers<void>();

  constructor(deps: InformerDeps, ref: ResourceRef<T>, options: InformerOptions = {}) {
    this.ref = ref;
    this.#deps = deps;
    this.#options = options;
    this.#resource = deps.client.resource(ref);
    this.#watchList = options.watchList ?? true;
    this.addIndex('namespace', (object) => [object.metadata.namespace ?? '']);
  }

  get synced(): boolean {
    return this.#synced;
  }

  whenSynced(): Promise<void> {
    return this.#whenSynced.promise;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  listNamespace(namespace: string): readonly T[] {
    return this.byIndex('namespace', namespace);
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`informer of ${this.ref.resource} has no index ${JSON.stringify(name)}`);
    const keys = index.keys.get(value);
    return keys === undefined ? [] : [...keys].map((key) => this.#objects.get(key)!);
  }

  /** Declaring a name again keeps the first: parts that share an informer may each declare what they need. */
  addIndex(name: string, values: (object: T) => readonly string[]): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { values, keys: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) indexAdd(index, key, object);
  }

  subscribe(handler: (change: InformerChange<T>) => void): () => void {
    this.#handlers.add(handler);
    if (this.#synced)
      for (const [key, object] of this.#objects.entries().toArray())
        this.#call(handler, { key, old: undefined, object });
    return () => void this.#handlers.delete(handler);
  }

  /** Runs until aborted; never rejects. To be called once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = clock.monotonic();
      try {
        if (this.#resourceVersion === undefined) await this.#begin(signal);
        else await this.#follow(this.#resourceVersion, signal);
        // A server that ends watches at once must not be asked in a tight loop.
        failures = clock.monotonic() - startedMs < 1_000 ? failures + 1 : 0;
        if (failures <= 1) continue;
      } catch (error) {
        if (signal.aborted) return;
        failures = clock.monotonic() - startedMs > HEALTHY_MS ? 1 : failures + 1;
        if (isExpired(error)) {
          this.#resourceVersion = undefined;
          if (failures === 1) continue;
        }
        const level = failures > 3 ? 'warn' : 'debug';
        log[level]('watch interrupted', { resource: this.ref.resource, failures, err: error });
      }
      await sleep(clock, backoffMs(failures, BACKOFF, random), signal).catch(() => undefined);
    }
  }

  /** Fills the copy, and with WatchList goes on watching in the same request. */
  async #begin(signal: AbortSignal): Promise<void> {
    if (this.#watchList) {
      try {
        return await this.#beginByWatch(signal);
      } catch (error) {
        if (!refusesWatchList(error)) throw error;
        this.#watchList = false;
      }
    }
    await this.#beginByList();
  }

  async #beginByList(): Promise<void> {
    const objects = new Map<ObjectKey, T>();
    let next: string | undefined;
    do {
      const page = await this.#resource.list({
        ...this.#selection(),
        limit: PAGE,
        ...(next === undefined ? {} : { continue: next }),
      });
      for (const item of page.items) objects.set(keyOf(item), this.#prepare(item));
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      if (next === undefined) this.#replace(objects, page.metadata.resourceVersion);
    } while (next !== undefined);
  }

  async #beginByWatch(signal: AbortSignal): Promise<void> {
    /** What has arrived of the initial objects; undefined once they are all in. */
    let initial: Map<ObjectKey, T> | undefined = new Map();
    for await (const event of this.#watch({ sendInitialEvents: true }, signal)) {
      if (initial === undefined) {
        this.#apply(event);
      } else if (event.type !== 'BOOKMARK') {
        const key = keyOf(event.object);
        if (event.type === 'DELETED') initial.delete(key);
        else initial.set(key, this.#prepare(event.object));
      } else if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] === 'true') {
        this.#replace(initial, event.object.metadata.resourceVersion);
        initial = undefined;
      }
    }
    if (initial !== undefined && !signal.aborted)
      throw StatusError.serviceUnavailable('the watch ended before the initial events did');
  }

  async #follow(resourceVersion: string, signal: AbortSignal): Promise<void> {
    for await (const event of this.#watch({ resourceVersion }, signal)) this.#apply(event);
  }

  #watch(
    more: { sendInitialEvents?: boolean; resourceVersion?: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    const timeoutSeconds = Math.floor(WATCH_SECONDS * (1 + this.#deps.random.next()));
    return this.#resource.watch({ ...this.#selection(), ...more, allowWatchBookmarks: true, timeoutSeconds }, signal);
  }

  #selection(): Pick<InformerOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }

  #prepare(object: T): T {
    return this.#options.freeze === true ? deepFreeze(object) : object;
  }

  #apply(event: WatchEvent<T>): void {
    const { resourceVersion } = event.object.metadata;
    if (event.type !== 'BOOKMARK') {
      this.#set(keyOf(event.object), event.type === 'DELETED' ? undefined : this.#prepare(event.object));
    }
    if (resourceVersion !== undefined) this.#resourceVersion = resourceVersion;
  }

  /** Takes over a fresh list: tells what changed since the last one. */
  #replace(objects: Map<ObjectKey, T>, resourceVersion: string | undefined): void {
    for (const key of this.#objects.keys().toArray()) if (!objects.has(key)) this.#set(key, undefined);
    for (const [key, object] of objects) {
      const old = this.#objects.get(key);
      if (old === undefined || old.metadata.resourceVersion !== object.metadata.resourceVersion) this.#set(key, object);
    }
    this.#resourceVersion = resourceVersion;
    if (!this.#synced) {
      this.#synced = true;
      this.#whenSynced.resolve();
    }
  }

  #set(key: ObjectKey, object: T | undefined): void {
    const old = this.#objects.get(key);
    if (old === undefined && object === undefined) return;
    for (const index of this.#indexes.values()) {
      if (old !== undefined) indexRemove(index, key, old);
      if (object !== undefined) indexAdd(index, key, object);
    }
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, object);
    for (const handler of this.#handlers.values().toArray()) this.#call(handler, { key, old, object });
  }

  #call(handler: (change: InformerChange<T>) => void, change: InformerChange<T>): void {
    try {
      handler(change);
    } catch (error) {
      this.#deps.log.error('an informer handler failed', { resource: this.ref.resource, key: change.key, err: error });
    }
  }
}

function indexAdd<T>(index: Index<T>, key: ObjectKey, object: T): void {
  for (const value of index.values(object)) {
    const keys = index.keys.get(value);
    if (keys === undefined) index.keys.set(value, new Set([key]));
    else keys.add(key);
  }
}

function indexRemove<T>(index: Index<T>, key: ObjectKey, object: T): void {
  for (const value of index.values(object)) {
    const keys = index.keys.get(value);
    keys?.delete(key);
    if (keys?.size === 0) index.keys.delete(value);
  }
}

/** 410: the history from here on is gone. */
const isExpired = (error: unknown): boolean =>
  error instanceof StatusError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone');

/** Servers without WatchList refuse sendInitialEvents as invalid. */
const refusesWatchList = (error: unknown): boolean =>
  error instanceof StatusError && (error.code === 422 || error.code === 400);
