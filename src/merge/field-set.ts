// Sets of field paths, as managedFields hold them (FieldsV1). A path element is written as upstream writes it: `f:name` a
// field, `k:{"name":"a"}` an item of a keyed list, `v:"x"` a member of a set, `i:0` an index.
import { jsonEqual } from './json.ts';

export class FieldSet {
  /** Elements that are in the set themselves. */
  readonly members: ReadonlySet<string>;
  /** Element → the paths below it. Never an empty set. */
  readonly children: ReadonlyMap<string, FieldSet>;
  /** Memo of encodeFieldSet. */
  encoded: FieldsV1 | undefined = undefined;

  constructor(members: ReadonlySet<string> = NO_MEMBERS, children: ReadonlyMap<string, FieldSet> = NO_CHILDREN) {
    this.members = members;
    this.children = children;
  }

  get empty(): boolean {
    return this.members.size === 0 && this.children.size === 0;
  }

  has(path: readonly string[]): boolean {
    const [first, ...rest] = path;
    if (first === undefined) return false;
    return rest.length === 0 ? this.members.has(first) : (this.children.get(first)?.has(rest) ?? false);
  }

  /** The set itself when `other` brings nothing new. */
  union(other: FieldSet): FieldSet {
    if (other.empty || other === this) return this;
    if (this.empty) return other;
    let members: Set<string> | undefined;
    let children: Map<string, FieldSet> | undefined;
    for (const element of other.members)
      if (!this.members.has(element)) (members ??= new Set(this.members)).add(element);
    for (const [element, theirs] of other.children) {
      const mine = this.children.get(element);
      const both = mine === undefined ? theirs : mine.union(theirs);
      if (both !== mine) (children ??= new Map(this.children)).set(element, both);
    }
    return this.#with(members, children);
  }

  /** The set itself when nothing of `other` is in it. */
  difference(other: FieldSet): FieldSet {
    if (other.empty || this.empty) return this;
    let members: Set<string> | undefined;
    let children: Map<string, FieldSet> | undefined;
    for (const element of other.members)
      if (this.members.has(element)) (members ??= new Set(this.members)).delete(element);
    for (const [element, theirs] of other.children) {
      const mine = this.children.get(element);
      if (mine === undefined) continue;
      const left = mine.difference(theirs);
      if (left === mine) continue;
      children ??= new Map(this.children);
      if (left.empty) children.delete(element);
      else children.set(element, left);
    }
    return this.#with(members, children);
  }

  intersection(other: FieldSet): FieldSet {
    if (this.empty || other.empty) return EMPTY;
    const members = new Set<string>();
    for (const element of this.members) if (other.members.has(element)) members.add(element);
    const children = new Map<string, FieldSet>();
    for (const [element, mine] of this.children) {
      const both = mine.intersection(other.children.get(element) ?? EMPTY);
      if (!both.empty) children.set(element, both);
    }
    return new FieldSet(members, children);
  }

  /** Without these paths and all that is below them; the set itself when they are not in it. */
  without(path: readonly string[], depth = 0): FieldSet {
    const element = path[depth];
    if (element === undefined) return EMPTY;
    const child = this.children.get(element);
    if (depth < path.length - 1) {
      if (child === undefined) return this;
      const left = child.without(path, depth + 1);
      if (left === child) return this;
      const children = new Map(this.children);
      if (left.empty) children.delete(element);
      else children.set(element, left);
      return new FieldSet(this.members, children);
    }
    if (child === undefined && !this.members.has(element)) return this;
    const members = new Set(this.members);
    const children = new Map(this.children);
    members.delete(element);
    children.delete(element);
    return new FieldSet(members, children);
  }

  #with(members: Set<string> | undefined, children: Map<string, FieldSet> | undefined): FieldSet {
    if (members === undefined && children === undefined) return this;
    return new FieldSet(members ?? this.members, children ?? this.children);
  }

  equals(other: FieldSet): boolean {
    return this === other || jsonEqual(encodeFieldSet(this), encodeFieldSet(other));
  }

  /** Every path of the set, in order. */
  *paths(prefix: readonly string[] = []): IterableIterator<readonly string[]> {
    for (const element of sorted(this)) {
      if (this.members.has(element)) yield [...prefix, element];
      const child = this.children.get(element);
      if (child !== undefined) yield* child.paths([...prefix, element]);
    }
  }
}

const NO_MEMBERS: ReadonlySet<string> = new Set();
const NO_CHILDREN: ReadonlyMap<string, FieldSet> = new Map();
export const EMPTY = new FieldSet();

/** Collects paths; `build()` gives the set. */
export class FieldSetBuilder {
  readonly #members = new Set<string>();
  readonly #children = new Map<string, FieldSetBuilder>();

  insert(path: readonly string[], depth = 0): void {
    const element = path[depth];
    if (element === undefined) return;
    if (depth === path.length - 1) {
      this.#members.add(element);
      return;
    }
    let child = this.#children.get(element);
    if (child === undefined) this.#children.set(element, (child = new FieldSetBuilder()));
    child.insert(path, depth + 1);
  }

  build(): FieldSet {
    const children = new Map<string, FieldSet>();
    for (const [element, child] of this.#children) children.set(element, child.build());
    return new FieldSet(this.#members, children);
  }
}

export type FieldsV1 = { readonly [element: string]: FieldsV1 };

/** FieldsV1 → the set it was read from or written for; both are never changed. Objects that are written again and again
 *  keep their other managers' FieldsV1, so the newest few hit often. No WeakMap: each write would burden the collector. */
const decoded = new Map<object, FieldSet>();
const DECODED_MAX = 1_000;

function remember(fields: object, set: FieldSet): void {
  if (decoded.size >= DECODED_MAX) decoded.clear();
  decoded.set(fields, set);
}

/** The set as FieldsV1, elements in upstream's order. */
export function encodeFieldSet(set: FieldSet): FieldsV1 {
  if (set.encoded === undefined) remember((set.encoded = encode(set)), set);
  return set.encoded;
}

function encode(set: FieldSet): FieldsV1 {
  const out: Record<string, FieldsV1> = {};
  for (const element of sorted(set)) {
    const child = set.children.get(element);
    if (child === undefined) out[element] = LEAF;
    else out[element] = set.members.has(element) ? { '.': LEAF, ...encode(child) } : encode(child);
  }
  return out;
}

/** Throws TypeError on what is no FieldsV1. */
export function decodeFieldSet(fields: unknown): FieldSet {
  if (typeof fields !== 'object' || fields === null) throw new TypeError('fieldsV1 must be an object');
  let set = decoded.get(fields);
  if (set === undefined) remember(fields, (set = decode(fields)));
  return set;
}

function decode(fields: unknown): FieldSet {
  if (typeof fields !== 'object' || fields === null) throw new TypeError('fieldsV1 must be an object');
  const members = new Set<string>();
  const children = new Map<string, FieldSet>();
  for (const [element, below] of Object.entries(fields)) {
    if (element === '.') continue;
    if (!/^[fkvi]:/.test(element)) throw new TypeError(`fieldsV1: ${JSON.stringify(element)} is no path element`);
    const child = decode(below);
    if (child.empty || Object.hasOwn(below as object, '.')) members.add(element);
    if (!child.empty) children.set(element, child);
  }
  return new FieldSet(members, children);
}

function sorted(set: FieldSet): string[] {
  const elements = new Set(set.members);
  for (const element of set.children.keys()) elements.add(element);
  return [...elements].sort(compareElements);
}

/** A leaf's FieldsV1. */
export const LEAF: FieldsV1 = Object.freeze({});

/** Fields by name, then keys by their values (numbers as numbers), then values, then indexes. */
export function compareElements(a: string, b: string): number {
  const kinds = 'fkvi';
  const byKind = kinds.indexOf(a[0]!) - kinds.indexOf(b[0]!);
  if (byKind !== 0) return byKind;
  if (a[0] === 'f' || a === b) return a < b ? -1 : a > b ? 1 : 0;
  return compareValues(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)));
}

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null) {
    const [left, right] = [Object.entries(a), Object.entries(b)];
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      const byName = compareText(left[i]![0], right[i]![0]);
      const order = byName !== 0 ? byName : compareValues(left[i]![1], right[i]![1]);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  return compareText(String(a), String(b));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
