// An applied configuration laid over an object, and items taken out of one, along the schema: structs, maps, keyed lists and
// sets are merged, everything atomic is replaced whole. `undefined` is absent, null is a value, as for structured-merge-diff.
import type { ListSchema, Schema } from '#schema/types.ts';
import { childSchema, isGranular, keyElement } from './compare.ts';
import type { FieldSet } from './field-set.ts';
import { assign, isObject, type JsonObject } from './json.ts';

/** Nothing is removed by merging; where both have a leaf, the configuration's counts. */
export function mergeConfiguration(live: unknown, configuration: unknown, schema: Schema | undefined): unknown {
  if (configuration === undefined) return live;
  const [left, right] = [live ?? undefined, configuration ?? undefined];
  // Two empty ones are a leaf: null and empty stay what they are.
  if (!isGranular(schema) || (isEmpty(left) && isEmpty(right))) return configuration;
  if (schema.type === 'list') {
    const merged = mergeLists(schema, Array.isArray(left) ? left : [], Array.isArray(right) ? right : []);
    return merged.length === 0 ? undefined : merged;
  }
  const [before, wanted] = [isObject(left) ? left : NOTHING, isObject(right) ? right : NOTHING];
  const out: Record<string, unknown> = {};
  const put = (name: string, value: unknown) => {
    if (value !== undefined) assign(out, name, value);
  };
  for (const name of Object.keys(before))
    put(name, mergeConfiguration(before[name], own(wanted, name), memberSchema(schema, name)));
  for (const name of Object.keys(wanted))
    if (own(before, name) === undefined)
      put(name, mergeConfiguration(undefined, wanted[name], memberSchema(schema, name)));
  return Object.keys(out).length === 0 ? undefined : out;
}

const memberSchema = (schema: Extract<Schema, { type: 'map' | 'object' }>, name: string): Schema | undefined =>
  schema.type === 'map' ? schema.values : schema.byName.get(name)?.schema;
const NOTHING: JsonObject = Object.freeze({});
const own = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);

function isEmpty(value: unknown): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

export const elementOf = (schema: ListSchema, item: unknown): string =>
  schema.listType === 'set' ? `v:${JSON.stringify(item)}` : keyElement(schema, item);

/** Items of both lists: those of the configuration in its order, the others where they stood between them. */
function mergeLists(schema: ListSchema, live: readonly unknown[], wanted: readonly unknown[]): unknown[] {
  const items = schema.listType === 'map' ? schema.items : undefined;
  const leftKeys = live.map((item) => elementOf(schema, item));
  const rightKeys = wanted.map((item) => elementOf(schema, item));
  const left = new Map<string, unknown>();
  // Of items that stand there several times none is merged.
  for (const [i, key] of leftKeys.entries()) left.set(key, left.has(key) ? null : live[i]);
  const right = new Map(rightKeys.map((key, i) => [key, wanted[i]]));
  const shared = rightKeys.filter((key) => left.has(key));
  let nextShared = shared.shift();
  const taken = new Set<string>();
  const out: unknown[] = [];
  const push = (was: unknown, now: unknown) => {
    const merged = mergeConfiguration(was, now, items);
    if (merged !== undefined) out.push(merged);
  };
  let l = 0;
  let r = 0;
  while (l < leftKeys.length || r < rightKeys.length) {
    const key = leftKeys[l];
    if (key !== undefined && r < rightKeys.length) {
      if (key === rightKeys[r]) {
        taken.add(key);
        push(left.get(key), right.get(key));
        l++;
        r++;
        nextShared = shared.shift();
        continue;
      }
      if (right.has(key) && nextShared !== undefined && nextShared !== key) {
        // Shared, but not the one whose turn it is: it comes in the configuration's order.
        l++;
        continue;
      }
    }
    if (key !== undefined) {
      if (!right.has(key)) {
        push(live[l], undefined);
        l++;
        continue;
      }
      if (taken.has(key)) l++;
    }
    const wantedKey = rightKeys[r];
    if (wantedKey === undefined) continue;
    taken.add(wantedKey);
    push(left.get(wantedKey), right.get(wantedKey));
    r++;
    if (nextShared === wantedKey) nextShared = shared.shift();
  }
  return out;
}

/** The value without the items of the set. What is left empty becomes null; atomic values do not survive a removal in them. */
export function removeItems(value: unknown, items: FieldSet, schema: Schema | undefined): unknown {
  if (!Array.isArray(value) && !isObject(value)) return value;
  if (!isGranular(schema)) return isContainer(schema) ? null : value;
  const left = (element: string, member: unknown): unknown => {
    if (items.members.has(element)) return undefined;
    const below = items.children.get(element);
    return below === undefined ? member : removeItems(member, below, childSchema(schema, element));
  };
  if (schema.type === 'list') {
    if (!Array.isArray(value)) return null;
    const out: unknown[] = [];
    for (const item of value) {
      const kept = left(elementOf(schema, item), item);
      if (kept !== undefined) out.push(kept);
    }
    return out.length === 0 ? null : out;
  }
  if (!isObject(value)) return null;
  const out: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const kept = left(`f:${name}`, member);
    if (kept !== undefined) assign(out, name, kept);
  }
  return Object.keys(out).length === 0 ? null : out;
}

const isContainer = (schema: Schema | undefined): boolean =>
  schema?.type === 'list' || schema?.type === 'map' || schema?.type === 'object';
