// Sets of field paths, as managedFields hold them (FieldsV1). A path element is written as upstream writes it: `f:name` a
// field, `k:{"name":"a"}` an item of a keyed list, `v:"x"` a member of a set, `i:0` an index.
import { jsonEqual } from './json.ts';

export class FieldSet {
  /** Elements that are in the set themselves. */
  readonly members: ReadonlySet<string>;
  /** Element → the paths below it. Never an empty set. */
  readonly children: ReadonlyMap<string, FieldSet>;

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

  union(other: FieldSet): FieldSet {
    if (other.empty) return this;
    if (this.empty) return other;
    return combine(
      this,
      other,
      (a, b) => a || b,
      (a, b) => a.union(b),
    );
  }

  difference(other: FieldSet): FieldSet {
    if (other.empty || this.empty) return this;
    return combine(
      this,
      other,
      (a, b) => a && !b,
      (a, b) => a.difference(b),
    );
  }

  intersection(other: FieldSet): FieldSet {
    if (this.empty || other.empty) return EMPTY;
    return combine(
      this,
      other,
      (a, b) => a && b,
      (a, b) => a.intersection(b),
    );
  }

  /** Without these paths and all that is below them. */
  without(path: readonly string[]): FieldSet {
    const [first, ...rest] = path;
    if (first === undefined) return EMPTY;
    const members = new Set(this.members);
    const children = new Map(this.children);
    const child = children.get(first);
    if (rest.length === 0) {
      members.delete(first);
      children.delete(first);
    } else if (child !== undefined) {
      const left = child.without(rest);
      if (left.empty) children.delete(first);
      else children.set(first, left);
    }
    return new FieldSet(members, children);
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

function combine(
  a: FieldSet,
  b: FieldSet,
  member: (inA: boolean, inB: boolean) => boolean,
  child: (a: FieldSet, b: FieldSet) => FieldSet,
): FieldSet {
  const members = new Set<string>();
  for (const element of a.members) if (member(true, b.members.has(element))) members.add(element);
  for (const element of b.members) if (!a.members.has(element) && member(false, true)) members.add(element);
  const children = new Map<string, FieldSet>();
  for (const element of new Set([...a.children.keys(), ...b.children.keys()])) {
    const both = child(a.children.get(element) ?? EMPTY, b.children.get(element) ?? EMPTY);
    if (!both.empty) children.set(element, both);
  }
  return new FieldSet(members, children);
}

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

/** The set as FieldsV1, elements in upstream's order. */
export function encodeFieldSet(set: FieldSet): FieldsV1 {
  const out: Record<string, FieldsV1> = {};
  for (const element of sorted(set)) {
    const child = set.children.get(element);
    if (child === undefined) out[element] = {};
    else out[element] = set.members.has(element) ? { '.': {}, ...encodeFieldSet(child) } : encodeFieldSet(child);
  }
  return out;
}

/** Throws TypeError on what is no FieldsV1. */
export function decodeFieldSet(fields: unknown): FieldSet {
  if (typeof fields !== 'object' || fields === null) throw new TypeError('fieldsV1 must be an object');
  const members = new Set<string>();
  const children = new Map<string, FieldSet>();
  for (const [element, below] of Object.entries(fields)) {
    if (element === '.') continue;
    if (!/^[fkvi]:/.test(element)) throw new TypeError(`fieldsV1: ${JSON.stringify(element)} is no path element`);
    const child = decodeFieldSet(below);
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

/** Fields by name, then keys by their values (numbers as numbers), then values, then indexes. */
function compareElements(a: string, b: string): number {
  const kinds = 'fkvi';
  const byKind = kinds.indexOf(a[0]!) - kinds.indexOf(b[0]!);
  if (byKind !== 0) return byKind;
  if (a[0] === 'f') return a < b ? -1 : a > b ? 1 : 0;
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
