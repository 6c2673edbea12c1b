// Hands committed changes to the open watches of a store. Watches are found by the folders of a key, so that a change costs
// the watches that want it and not all there are.
import { StoreError, type StoreBatch, type StoreEvent } from './store.ts';

/** Events that may wait for one watch; past it the watch fails, and its owner starts over from a list. */
const MAX_WAITING_EVENTS = 200_000;

export class WatchHub {
  /** Prefix → its open watches. */
  readonly #byPrefix = new Map<string, Set<LiveWatch>>();
  /** Prefixes that are not a folder (do not end in '/'): tried one by one. */
  readonly #odd = new Set<string>();
  #revision: number;
  #failure: Error | undefined;

  constructor(revision = 0) {
    this.#revision = revision;
  }

  /** Everything up to here has been handed out. */
  get revision(): number {
    return this.#revision;
  }

  /** A watch of everything that is dispatched from now on. Ends when `signal` aborts. */
  open(prefix: string, signal: AbortSignal): LiveWatch {
    const watch = new LiveWatch(this, () => this.#remove(prefix, watch));
    if (this.#failure !== undefined) watch.fail(this.#failure);
    let set = this.#byPrefix.get(prefix);
    if (set === undefined) this.#byPrefix.set(prefix, (set = new Set()));
    set.add(watch);
    if (!prefix.endsWith('/')) this.#odd.add(prefix);
    const end = () => watch.close();
    signal.addEventListener('abort', end, { once: true });
    watch.onClose = () => signal.removeEventListener('abort', end);
    if (signal.aborted) watch.close();
    return watch;
  }

  /** Events in revision order, all newer than `revision` so far. */
  dispatch(events: readonly StoreEvent[], revision: number): void {
    this.#revision = revision;
    for (const event of events) {
      for (let slash = event.key.indexOf('/'); slash >= 0; slash = event.key.indexOf('/', slash + 1)) {
        this.#push(event.key.slice(0, slash + 1), event);
      }
      for (const prefix of this.#odd) if (event.key.startsWith(prefix)) this.#push(prefix, event);
    }
  }

  progress(prefix?: string): void {
    const sets = prefix === undefined ? [...this.#byPrefix.values()] : [this.#byPrefix.get(prefix) ?? []];
    for (const set of sets) for (const watch of set) watch.askProgress();
  }

  /** Ends every watch with this error, now and for ever. */
  fail(error: Error): void {
    this.#failure = error;
    for (const set of this.#byPrefix.values()) for (const watch of set) watch.fail(error);
  }

  #push(prefix: string, event: StoreEvent): void {
    const set = this.#byPrefix.get(prefix);
    if (set !== undefined) for (const watch of set) watch.push(event);
  }

  #remove(prefix: string, watch: LiveWatch): void {
    const set = this.#byPrefix.get(prefix);
    if (set === undefined) return;
    set.delete(watch);
    if (set.size > 0) return;
    this.#byPrefix.delete(prefix);
    this.#odd.delete(prefix);
  }
}

/** The live part of one watch: collects between two pulls and gives everything at once. */
export class LiveWatch {
  readonly #hub: WatchHub;
  readonly #detach: () => void;
  #waiting: StoreEvent[] = [];
  #progressAsked = false;
  #closed = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  onClose: (() => void) | undefined;

  constructor(hub: WatchHub, detach: () => void) {
    this.#hub = hub;
    this.#detach = detach;
  }

  push(event: StoreEvent): void {
    if (this.#waiting.length >= MAX_WAITING_EVENTS) {
      this.fail(new StoreError('Failed', `a watch left ${MAX_WAITING_EVENTS} events waiting`));
      return;
    }
    this.#waiting.push(event);
    this.#stir();
  }

  askProgress(): void {
    this.#progressAsked = true;
    this.#stir();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#waiting = [];
    this.#detach();
    this.#stir();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#detach();
    this.onClose?.();
    this.#stir();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What has come since the last pull; waits for something. Undefined at the end. */
  async pull(): Promise<StoreBatch | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closed) return undefined;
      if (this.#waiting.length > 0 || this.#progressAsked) {
        const events = this.#waiting;
        this.#waiting = [];
        this.#progressAsked = false;
        return { events, revision: this.#hub.revision };
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

/** History first, then live, without a gap: what every store's `watch` is made of. `live` was opened when the newest
 *  revision was `joinedAt`; `history` gives what lies between `fromRevision` and that. */
export async function* watchThrough(
  live: LiveWatch,
  fromRevision: number,
  joinedAt: number,
  history: (after: number, upTo: number) => AsyncIterable<StoreBatch>,
): AsyncGenerator<StoreBatch, void, undefined> {
  try {
    if (fromRevision < joinedAt) {
      for await (const batch of history(fromRevision, joinedAt)) {
        if (live.closed) return;
        yield batch;
      }
    }
    for (;;) {
      const batch = await live.pull();
      if (batch === undefined) return;
      // A watch may start above the newest revision: what lies between does not concern it.
      yield fromRevision <= joinedAt
        ? batch
        : { ...batch, events: batch.events.filter((e) => e.revision > fromRevision) };
    }
  } finally {
    live.close();
  }
}
