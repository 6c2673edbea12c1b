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
    if (before === undefined && after === undefined) return;
    if (before === undefined) this.added.insert(path);
    else if (after === undefined) this.removed.insert(path);
    if (!isGranular(schema)) {
      if (before !== undefined && after !== undefined && !jsonEqual(before, after)) this.modified.insert(path);
      return;
    }
    const [left, right] = [elementsOf(schema, before), elementsOf(schema, after)];
    const at = path.length;
    for (const [element, item] of right) {
      path[at] = element;
      this.node(childSchema(schema, element), left.get(element), item, path);
    }
    for (const [element, item] of left) {
      if (right.has(element)) continue;
      path[at] = element;
      this.node(childSchema(schema, element), item, undefined, path);
    }
    path.length = at;
  }
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
