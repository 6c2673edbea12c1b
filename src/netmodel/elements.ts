// The elements of one table, with who wants them. Owners (a service port, a pod, a policy) replace their list; what
// the kernel has to be told is the difference since it was last told, however many owners changed meanwhile.
import type { Family } from './family.ts';
import type { Element, ElementChanges } from './rules.ts';

interface Entry {
  readonly element: { readonly set: string; readonly key: string };
  /** Owner → the value it wants. The first owner wins until it lets go, as the older service keeps a shared port. */
  readonly wanted: Map<string, string>;
  /** What the kernel has; undefined when it has nothing. */
  told: string | undefined;
}

export class Elements {
  readonly #table: string;
  readonly #family: Family;
  /** Set name and key → entry. */
  readonly #entries = new Map<string, Entry>();
  /** Owner → identities of the elements it holds. */
  readonly #owned = new Map<string, ReadonlySet<string>>();
  /** Identities whose wanted value may differ from what the kernel was told. */
  readonly #dirty = new Set<string>();

  constructor(table: string, family: Family = 4) {
    this.#table = table;
    this.#family = family;
  }

  /** The owner now wants exactly these; none lets go of all. Costs the size of the owner's old and new lists. */
  replace(owner: string, elements: readonly Element[]): void {
    const before = this.#owned.get(owner);
    const after = new Set<string>();
    for (const { set, key, value } of elements) {
      const identity = `${set} ${key}`;
      after.add(identity);
      let entry = this.#entries.get(identity);
      if (entry === undefined) {
        entry = { element: { set, key }, wanted: new Map(), told: undefined };
        this.#entries.set(identity, entry);
      }
      if (entry.wanted.get(owner) === value) continue;
      entry.wanted.set(owner, value);
      this.#dirty.add(identity);
    }
    for (const identity of before ?? []) {
      if (after.has(identity)) continue;
      this.#entries.get(identity)?.wanted.delete(owner);
      this.#dirty.add(identity);
    }
    if (after.size === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, after);
  }

  get pending(): boolean {
    return this.#dirty.size > 0;
  }

  /** The changes since the last call; the caller must bring them to the kernel, or call forgetTold and reload. */
  take(): ElementChanges {
    const remove: Element[] = [];
    const add: Element[] = [];
    for (const identity of this.#dirty) {
      const entry = this.#entries.get(identity);
      if (entry === undefined) continue;
      const value = first(entry.wanted);
      if (value !== entry.told) {
        if (entry.told !== undefined) remove.push({ ...entry.element, value: entry.told });
        if (value !== undefined) add.push({ ...entry.element, value });
        entry.told = value;
      }
      if (value === undefined) this.#entries.delete(identity);
    }
    this.#dirty.clear();
    return { table: this.#table, ...(this.#family === 4 ? {} : { family: this.#family }), remove, add };
  }

  /** The kernel's copy is unknown or gone: the next take() gives everything as additions. */
  forgetTold(): void {
    for (const [identity, entry] of this.#entries) {
      entry.told = undefined;
      this.#dirty.add(identity);
    }
  }

  /** Every element as wanted now. */
  all(): Element[] {
    const out: Element[] = [];
    for (const { element, wanted } of this.#entries.values()) {
      const value = first(wanted);
      if (value !== undefined) out.push({ ...element, value });
    }
    return out;
  }

  get size(): number {
    return this.#entries.size;
  }
}

function first(wanted: ReadonlyMap<string, string>): string | undefined {
  for (const value of wanted.values()) return value;
  return undefined;
}
