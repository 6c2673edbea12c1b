// Keeps a reconciler from deciding on a cache that has not yet seen its own writes (creating a pod twice because the
// first is not in the informer yet). Instead of counting expectations, it remembers the uids it created and deleted
// until the informer has shown them.
import type { Clock } from '#base/clock.ts';
import type { Informer } from '#client/client.ts';
import { keyOf, type KubeObject, type ObjectKey } from '#machinery/object.ts';

/** A write whose event never came is given up after this: upstream's ExpectationsTimeout. */
const GIVE_UP_MS = 5 * 60_000;

interface Pending {
  readonly owner: ObjectKey;
  readonly kind: 'created' | 'deleted';
  readonly sinceMs: number;
}

export class WriteGuard<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #clock: Clock;
  /** Object uid → the write still to be seen. */
  readonly #pending = new Map<string, Pending>();
  /** Owner key → number of its pending writes. */
  readonly #byOwner = new Map<ObjectKey, number>();
  /** Creates whose answer is outstanding. While there are any, uids that pass by are kept: the event may beat the answer. */
  #inFlight = 0;
  readonly #passedBy = new Set<string>();

  constructor(informer: Informer<T>, clock: Clock) {
    this.#informer = informer;
    this.#clock = clock;
    informer.subscribe(({ old, object }) => {
      const uid = (object ?? old)?.metadata.uid;
      if (uid === undefined) return;
      if (this.#inFlight > 0) this.#passedBy.add(uid);
      const pending = this.#pending.get(uid);
      if (pending === undefined) return;
      const seen =
        pending.kind === 'created' || object === undefined || object.metadata.deletionTimestamp !== undefined;
      if (seen) this.#settle(uid);
    });
  }

  /** Whether every write made for this owner has been seen. A reconciler that gets false returns: the event wakes it. */
  settled(owner: ObjectKey): boolean {
    if (!this.#byOwner.has(owner)) return true;
    const limit = this.#clock.monotonic() - GIVE_UP_MS;
    for (const [uid, pending] of this.#pending) {
      if (pending.owner === owner && pending.sinceMs < limit) this.#settle(uid);
    }
    return !this.#byOwner.has(owner);
  }

  /** Makes an object and remembers it. */
  async create(owner: ObjectKey, make: () => Promise<T>): Promise<T> {
    this.#inFlight++;
    try {
      const made = await make();
      const uid = made.metadata.uid!;
      if (!this.#passedBy.has(uid)) this.#remember(uid, owner, 'created');
      return made;
    } finally {
      if (--this.#inFlight === 0) this.#passedBy.clear();
    }
  }

  /** Deletes an object and remembers it. `remove` resolves to undefined when it was already gone. */
  async delete(owner: ObjectKey, object: T, remove: () => Promise<unknown>): Promise<void> {
    const uid = object.metadata.uid!;
    this.#remember(uid, owner, 'deleted');
    try {
      await remove();
    } catch (error) {
      this.#settle(uid);
      throw error;
    }
    // The event may have come before this line, or the cache may already be past it.
    const cached = this.#informer.get(keyOf(object));
    if (cached === undefined || cached.metadata.uid !== uid || cached.metadata.deletionTimestamp !== undefined)
      this.#settle(uid);
  }

  #remember(uid: string, owner: ObjectKey, kind: Pending['kind']): void {
    if (this.#pending.has(uid)) return;
    this.#pending.set(uid, { owner, kind, sinceMs: this.#clock.monotonic() });
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + 1);
  }

  #settle(uid: string): void {
    const pending = this.#pending.get(uid);
    if (pending === undefined) return;
    this.#pending.delete(uid);
    const left = this.#byOwner.get(pending.owner)! - 1;
    if (left === 0) this.#byOwner.delete(pending.owner);
    else this.#byOwner.set(pending.owner, left);
  }
}
