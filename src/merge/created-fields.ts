// What the creator of an object owns, written as FieldsV1 in one walk. The same as comparing the object with an empty one
// (compare.ts) and encoding the result: most writes are creations by controllers, and this is several times faster.
import type { KubeObject } from '#machinery/object.ts';
import type { ListSchema, ObjectSchema, Schema } from '#schema/types.ts';
import { isGranular, keyElement, zeroObject } from './compare.ts';
import { compareElements, LEAF, type FieldsV1 } from './field-set.ts';
import { isObject, jsonEqual } from './json.ts';

/** Members of metadata that nobody owns. */
const UNOWNED_METADATA: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
]);

/** Undefined when that is nothing. */
export function createdFields(object: KubeObject, schema: Schema, subresource: string): FieldsV1 | undefined {
  if (schema.type !== 'object') return undefined;
  const zero = zeroObject(schema) as Readonly<Record<string, unknown>>;
  const source = object as unknown as Readonly<Record<string, unknown>>;
  const out: Record<string, FieldsV1> = {};
  for (const [name, element] of orderOf(schema)) {
    if (name === 'kind' || name === 'apiVersion') continue;
    if (name === 'status' && subresource === '') continue;
    if (name === 'spec' && subresource === 'status') continue;
    const value = source[name];
    if (value === undefined) continue;
    const fields = name === 'metadata' ? metadataFields(schema, value) : added(below(schema, name), value, zero[name]);
    if (fields !== undefined) out[element] = fields;
  }
  return Object.keys(out).length === 0 ? undefined : out;
}

function metadataFields(schema: ObjectSchema, value: unknown): FieldsV1 | undefined {
  const type = below(schema, 'metadata');
  if (type?.type !== 'object' || !isObject(value)) return undefined;
  const out: Record<string, FieldsV1> = {};
  let any = false;
  for (const [name, element] of orderOf(type)) {
    if (UNOWNED_METADATA.has(name) || value[name] === undefined) continue;
    out[element] = added(below(type, name), value[name], undefined) ?? LEAF;
    any = true;
  }
  return any ? out : undefined;
}

/** The fields of a value that stands where `zero` stood (undefined: nothing). Undefined when there is nothing to own. */
function added(schema: Schema | undefined, value: unknown, zero: unknown): FieldsV1 | undefined {
  if (!isGranular(schema)) return zero !== undefined && jsonEqual(zero, value) ? undefined : LEAF;
  const out: Record<string, FieldsV1> = {};
  // What stood there from the start is not the creator's own; what is below it is.
  if (zero === undefined) out['.'] = LEAF;
  let any = false;
  const put = (element: string, fields: FieldsV1 | undefined) => {
    if (fields === undefined) return;
    out[element] = fields;
    any = true;
  };
  if (schema.type === 'list') {
    for (const [element, item] of itemsOf(schema, value))
      put(element, schema.listType === 'set' ? LEAF : added(schema.items, item, undefined));
  } else if (isObject(value)) {
    const before = isObject(zero) ? zero : undefined;
    if (schema.type === 'map') {
      const names = Object.keys(value);
      if (names.length > 1) names.sort();
      for (const name of names)
        if (value[name] !== undefined) put(`f:${name}`, added(schema.values, value[name], before?.[name]));
    } else {
      for (const [name, element] of orderOf(schema)) {
        const member = value[name];
        if (member !== undefined) put(element, added(below(schema, name), member, before?.[name]));
      }
    }
  }
  if (any) return out;
  return zero === undefined ? LEAF : undefined;
}

const below = (schema: ObjectSchema, name: string): Schema | undefined => schema.byName.get(name)?.schema;

/** Items by their path elements, in FieldsV1's order; of equal ones the last. */
function itemsOf(schema: ListSchema, value: unknown): readonly (readonly [string, unknown])[] {
  if (!Array.isArray(value)) return [];
  const items = new Map<string, unknown>();
  for (const item of value)
    items.set(schema.listType === 'set' ? `v:${JSON.stringify(item)}` : keyElement(schema, item), item);
  const out = [...items];
  return out.length > 1 ? out.sort((a, b) => compareElements(a[0], b[0])) : out;
}

const orders = new WeakMap<ObjectSchema, readonly (readonly [string, string])[]>();

/** Names of fields and their path elements, in FieldsV1's order. */
function orderOf(schema: ObjectSchema): readonly (readonly [string, string])[] {
  let order = orders.get(schema);
  if (order === undefined) {
    order = schema.fields
      .map((f) => f.name)
      .sort()
      .map((name) => [name, `f:${name}`] as const);
    orders.set(schema, order);
  }
  return order;
}
