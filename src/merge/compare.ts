// Which fields of an object were added, removed and modified: two objects walked side by side along the schema. What is
// granular is upstream's: structs, maps, keyed lists and sets have paths below them; everything atomic is one leaf.
import type { Field, ListSchema, ObjectSchema, Schema } from '#schema/types.ts';
import { FieldSetBuilder, type FieldSet } from './field-set.ts';
import { isObject, jsonEqual, type JsonObject } from './json.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly removed: FieldSet;
  readonly modified: FieldSet;
}

export function compareObjects(before: unknown, after: unknown, schema: Schema): Comparison {
  const walk = new Walk();
  walk.node(schema, before, after, []);
  return { added: walk.added.build(), removed: walk.removed.build(), modified: walk.modified.build() };
}

/** All paths of an object: what somebody who sets it whole owns. */
export function fieldsOf(object: unknown, schema: Schema): FieldSet {
  return compareObjects(undefined, object, schema).added;
}

class Walk {
  readonly added = new FieldSetBuilder();
  readonly removed = new FieldSetBuilder();
  readonly modified = new FieldSetBuilder();

  node(schema: Schema | undefined, before: unknown, after: unknown, path: string[]): void {
    if (before === after) return;
    if (before === undefined) this.added.insert(path);
    else if (after === undefined) this.removed.insert(path);
    if (!isGranular(schema)) {
      if (before !== undefined && after !== undefined && !jsonEqual(before, after)) this.modified.insert(path);
    } else if (schema.type === 'list') this.#items(schema, before, after, path);
    else this.#members(schema, before, after, path);
  }

  #members(schema: Exclude<Granular, ListSchema>, before: unknown, after: unknown, path: string[]): void {
    const left = isObject(before) ? before : NOTHING;
    const right = isObject(after) ? after : NOTHING;
    const at = path.length;
    const below = (name: string) => (schema.type === 'map' ? schema.values : schema.byName.get(name)?.schema);
    for (const name in right) {
      const now = right[name];
      const was = Object.hasOwn(left, name) ? left[name] : undefined;
      if (now === undefined || now === was) continue;
      path[at] = `f:${name}`;
      this.node(below(name), was, now, path);
    }
    for (const name in left) {
      const was = left[name];
      if (was === undefined || (Object.hasOwn(right, name) && right[name] !== undefined)) continue;
      path[at] = `f:${name}`;
      this.node(below(name), was, undefined, path);
    }
    path.length = at;
  }

  #items(schema: ListSchema, before: unknown, after: unknown, path: string[]): void {
    const at = path.length;
    if (Array.isArray(before) && Array.isArray(after) && sameKeys(schema, before, after)) {
      for (const [index, was] of before.entries()) {
        const now: unknown = after[index];
        // Most items did not change: their keys are not even written.
        if (jsonEqual(was, now)) continue;
        path[at] = keyElement(schema, now);
        this.node(schema.items, was, now, path);
      }
    } else {
      const [left, right] = [elementsOf(schema, before), elementsOf(schema, after)];
      for (const [element, item] of right) {
        path[at] = element;
        this.node(childSchema(schema, element), left.get(element), item, path);
      }
      for (const [element, item] of left) {
        if (right.has(element)) continue;
        path[at] = element;
        this.node(childSchema(schema, element), item, undefined, path);
      }
    }
    path.length = at;
  }
}

const NOTHING: JsonObject = Object.freeze({});
type Granular = ObjectSchema | ListSchema | Extract<Schema, { type: 'map' }>;

/** Both lists hold the same items, as far as their written keys tell, in the same order. */
function sameKeys(schema: ListSchema, before: readonly unknown[], after: readonly unknown[]): boolean {
  if (before.length !== after.length) return false;
  for (const [index, was] of before.entries()) {
    const now = after[index];
    if (schema.listType === 'set') {
      if (was !== now) return false;
      continue;
    }
    if (!isObject(was) || !isObject(now)) return false;
    for (const key of schema.mapKeys ?? []) if (was[key] !== now[key]) return false;
  }
  return true;
}

/** A schema whose values have paths below them. */
export function isGranular(
  schema: Schema | undefined,
): schema is ObjectSchema | ListSchema | Extract<Schema, { type: 'map' }> {
  if (schema === undefined) return false;
  if (schema.type === 'object' || schema.type === 'map') return schema.atomic !== true;
  return schema.type === 'list' && (schema.listType === 'map' || schema.listType === 'set');
}

export function childSchema(
  schema: ObjectSchema | ListSchema | Extract<Schema, { type: 'map' }>,
  element: string,
): Schema | undefined {
  if (schema.type === 'object') return schema.byName.get(element.slice(2))?.schema;
  if (schema.type === 'map') return schema.values;
  return schema.listType === 'map' ? schema.items : undefined;
}

/** Path element → value, of a granular value. Null and values of a wrong type have none. */
export function elementsOf(
  schema: ObjectSchema | ListSchema | Extract<Schema, { type: 'map' }>,
  value: unknown,
): Map<string, unknown> {
  const out = new Map<string, unknown>();
  if (schema.type !== 'list') {
    if (isObject(value))
      for (const [key, member] of Object.entries(value)) if (member !== undefined) out.set(`f:${key}`, member);
    return out;
  }
  if (!Array.isArray(value)) return out;
  for (const item of value)
    out.set(schema.listType === 'set' ? `v:${JSON.stringify(item)}` : keyElement(schema, item), item);
  return out;
}

/** `k:{"containerPort":80,"protocol":"TCP"}`: keys in order of their names, absent ones by their defaults. */
export function keyElement(schema: ListSchema, item: unknown): string {
  const key: Record<string, unknown> = {};
  for (const name of [...(schema.mapKeys ?? [])].sort()) {
    const own = isObject(item) ? item[name] : undefined;
    const value = own ?? defaultOf(schema.items, name);
    if (value !== undefined) key[name] = value;
  }
  return `k:${JSON.stringify(key)}`;
}

function defaultOf(schema: Schema, name: string): unknown {
  return schema.type === 'object' ? schema.byName.get(name)?.default : undefined;
}

const zeros = new WeakMap<ObjectSchema, JsonObject>();

/** What upstream's encoder writes for an object without content: what is there from the start is not "added" by its creator. */
export function zeroObject(schema: Schema): JsonObject {
  if (schema.type !== 'object') return {};
  let zero = zeros.get(schema);
  if (zero === undefined) {
    zero = Object.fromEntries(schema.fields.filter((f) => f.emitEmpty === true).map((f) => [f.name, zeroValue(f)]));
    zeros.set(schema, zero);
  }
  return zero;
}

function zeroValue({ schema }: Field): unknown {
  return schema.type === 'object' ? zeroObject(schema) : null;
}
