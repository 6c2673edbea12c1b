// Strategic merge patch: a merge patch that knows from the schema which lists are merged by a key. Follows upstream's
// strategicpatch package, its order of elements included: what the patch brings comes in the patch's order, what only the
// server has keeps its own, and a new element stands in front unless `$setElementOrder` says otherwise.
import { StatusError } from '#machinery/status.ts';
import type { Schema } from '#schema/types.ts';
import { assign, goWord, isObject, jsonEqual, unprocessablePatch, type JsonObject } from './json.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_PRIMITIVE_LIST = '$deleteFromPrimitiveList/';
const SET_ELEMENT_ORDER = '$setElementOrder/';

const BAD_PRIMITIVE_LIST = 'invalid patch format of primitive list';
const BAD_RETAIN_KEYS = 'invalid patch format of retainKeys';
const BAD_ELEMENT_ORDER = 'invalid patch format of setElementOrder list';

/** The merged document; `document` stays as it is. Throws StatusError 400 (malformed), 422 or 500 (cannot be applied), as upstream. */
export function applyStrategicMergePatch(document: unknown, patch: unknown, schema: Schema): unknown {
  if (!isObject(patch))
    throw StatusError.badRequest(
      `json: cannot unmarshal ${goWord(patch)} into Go value of type map[string]interface {}`,
    );
  return mergeMap(isObject(document) ? document : {}, patch, schema);
}

/** How a list member is merged; undefined: it is replaced. */
interface ListMerge {
  /** Undefined: a list of scalars. */
  readonly mergeKey: string | undefined;
  readonly items: Schema | undefined;
}

function fieldSchema(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.type === 'object') return schema.byName.get(key)?.schema;
  return schema?.type === 'map' ? schema.values : undefined;
}

function strategies(schema: Schema | undefined, key: string): readonly string[] {
  const field = schema?.type === 'object' ? schema.byName.get(key) : undefined;
  const own = field?.schema.type === 'list' ? field.schema.patchStrategy : undefined;
  return field?.patchStrategy ?? own ?? [];
}

function listMerge(schema: Schema | undefined, key: string): ListMerge | undefined {
  const list = fieldSchema(schema, key);
  if (list?.type !== 'list' || !strategies(schema, key).includes('merge')) return undefined;
  return { mergeKey: list.patchMergeKey, items: list.items };
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive !== undefined) {
    if (directive === 'replace') return withoutDirectives(omit(patch, DIRECTIVE)) as JsonObject;
    if (directive === 'delete') return {};
    if (directive !== 'merge')
      throw unprocessablePatch(new Error(`unknown patch type found: ${JSON.stringify(directive)}`));
    patch = omit(patch, DIRECTIVE);
  }
  const out: Record<string, unknown> = {};
  const retained = retainKeys(patch);
  for (const [key, value] of Object.entries(original)) {
    if (retained === undefined || retained.has(key)) assign(out, key, value);
  }
  const ordered = applyElementOrders(out, patch, schema);
  for (const [key, value] of Object.entries(patch)) {
    if (key === RETAIN_KEYS || key.startsWith(SET_ELEMENT_ORDER) || ordered.has(key)) continue;
    if (key.startsWith(DELETE_FROM_PRIMITIVE_LIST)) deleteScalars(out, key, value);
    else mergeMember(out, key, value, schema);
  }
  return out;
}

function mergeMember(out: Record<string, unknown>, key: string, value: unknown, schema: Schema | undefined): void {
  if (value === null) {
    delete out[key];
    return;
  }
  const current = Object.hasOwn(out, key) ? out[key] : undefined;
  if (isObject(value) && isObject(current)) {
    const replace = strategies(schema, key).includes('replace');
    assign(out, key, replace ? withoutDirectives(value) : mergeMap(current, value, fieldSchema(schema, key)));
    return;
  }
  if (Array.isArray(value) && Array.isArray(current)) {
    const merge = listMerge(schema, key);
    assign(out, key, merge === undefined ? withoutDirectives(value) : mergeList(current, value, merge));
    return;
  }
  assign(out, key, withoutDirectives(value));
}

function retainKeys(patch: JsonObject): ReadonlySet<string> | undefined {
  const keys = patch[RETAIN_KEYS];
  if (keys === undefined) return undefined;
  if (!Array.isArray(keys) || keys.some((k) => typeof k !== 'string')) throw StatusError.badRequest(BAD_RETAIN_KEYS);
  const retained = new Set(keys as string[]);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$') || value === null) continue;
    if (!retained.has(key)) throw StatusError.badRequest(BAD_RETAIN_KEYS);
  }
  return retained;
}

function deleteScalars(out: Record<string, unknown>, key: string, value: unknown): void {
  const name = key.slice(DELETE_FROM_PRIMITIVE_LIST.length);
  if (name === '' || !Array.isArray(value)) throw StatusError.badRequest(BAD_PRIMITIVE_LIST);
  const current = out[name];
  if (Array.isArray(current))
    assign(
      out,
      name,
      current.filter((item) => !value.some((gone) => jsonEqual(item, gone))),
    );
}

/** Merges and orders the lists that `$setElementOrder` names; returns their names. */
function applyElementOrders(
  out: Record<string, unknown>,
  patch: JsonObject,
  schema: Schema | undefined,
): ReadonlySet<string> {
  const done = new Set<string>();
  for (const [directive, order] of Object.entries(patch)) {
    if (!directive.startsWith(SET_ELEMENT_ORDER)) continue;
    const key = directive.slice(SET_ELEMENT_ORDER.length);
    if (key === '' || !Array.isArray(order)) throw StatusError.badRequest(BAD_ELEMENT_ORDER);
    const current = out[key];
    const change = patch[key];
    if (change === null) continue;
    const merge = listMerge(schema, key) ?? { mergeKey: undefined, items: undefined };
    if (change !== undefined && !Array.isArray(change)) throw StatusError.badRequest(BAD_ELEMENT_ORDER);
    if (change !== undefined) checkOrder(change, order, merge.mergeKey);
    if (current === undefined && change === undefined) continue;
    // Scalars may be taken out of the list by a directive beside this one.
    if (Object.hasOwn(patch, DELETE_FROM_PRIMITIVE_LIST + key))
      deleteScalars(out, DELETE_FROM_PRIMITIVE_LIST + key, patch[DELETE_FROM_PRIMITIVE_LIST + key]);
    const before = Array.isArray(out[key]) ? (out[key] as unknown[]) : [];
    let merged = before;
    if (change !== undefined)
      merged = current === undefined ? (withoutDirectives(change) as unknown[]) : mergeList(before, change, merge);
    assign(out, key, inOrder(merged, order, before, merge.mergeKey));
    done.add(key);
  }
  return done;
}

/** The elements of a patch have to stand in the order it sets. */
function checkOrder(change: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  let at = 0;
  for (const item of change) {
    if (isObject(item) && item[DIRECTIVE] !== undefined) continue;
    while (at < order.length && !same(order[at], item, mergeKey)) at++;
    if (at === order.length) {
      throw StatusError.badRequest(
        `The order in patch list:\n${JSON.stringify(change)}\n doesn't match ${SET_ELEMENT_ORDER.slice(0, -1)} list:\n${JSON.stringify(order)}`,
      );
    }
  }
}

function mergeList(original: readonly unknown[], patch: readonly unknown[], merge: ListMerge): unknown[] {
  const { mergeKey, items } = merge;
  if ([...original, ...patch].some(Array.isArray))
    throw unprocessablePatch(new Error('lists of lists are not supported'));
  if (![...original, ...patch].some(isObject)) {
    const merged = [...original];
    for (const item of patch) if (!merged.some((m) => jsonEqual(m, item))) merged.push(item);
    return inOrder(merged, patch, original, undefined);
  }
  if (mergeKey === undefined) throw StatusError.internal('cannot merge lists without merge key');
  let current = [...original];
  const changes: JsonObject[] = [];
  let replace = false;
  for (const item of patch) {
    if (!isObject(item)) throw StatusError.badRequest('invalid JSON document');
    const directive = item[DIRECTIVE];
    if (directive === undefined) changes.push(item);
    else if (directive === 'replace') replace = true;
    else if (directive === 'delete') {
      const key = keyOf(item, mergeKey);
      current = current.filter((c) => !isObject(c) || !jsonEqual(c[mergeKey], key));
    } else if (directive === 'merge') {
      throw StatusError.internal('merging lists cannot yet be specified in the patch');
    } else {
      throw unprocessablePatch(new Error(`unknown patch type found: ${JSON.stringify(directive)}`));
    }
  }
  if (replace) return changes.map(withoutDirectives);
  for (const change of changes) {
    const key = keyOf(change, mergeKey);
    const at = current.findIndex((c) => isObject(c) && jsonEqual(c[mergeKey], key));
    if (at < 0) current.push(withoutDirectives(change));
    else current[at] = mergeMap(current[at] as JsonObject, change, items);
  }
  return inOrder(current, patch, original, mergeKey);
}

function keyOf(item: JsonObject, mergeKey: string): unknown {
  const key = item[mergeKey];
  if (key === undefined)
    throw StatusError.internal(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
  return key;
}

/** Upstream's normalizeElementOrder: what is in `order` in that order; what only the server has in the server's, each before the
 *  first element that stood behind it there. */
function inOrder(
  merged: readonly unknown[],
  order: readonly unknown[],
  server: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const place = (list: readonly unknown[], item: unknown) => list.findIndex((other) => same(other, item, mergeKey));
  const byPlace = (list: readonly unknown[]) => (a: unknown, b: unknown) => place(list, a) - place(list, b);
  const fromPatch = merged.filter((item) => place(order, item) >= 0).sort(byPlace(order));
  const serverOnly = merged.filter((item) => place(order, item) < 0).sort(byPlace(server));
  const out: unknown[] = [];
  let i = 0;
  for (const item of fromPatch) {
    const at = place(server, item);
    const isBefore = (other: unknown) => place(server, other) >= 0 && place(server, other) < at;
    while (i < serverOnly.length && isBefore(serverOnly[i])) out.push(serverOnly[i++]);
    out.push(item);
  }
  return [...out, ...serverOnly.slice(i)];
}

function same(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined) return jsonEqual(a, b);
  return isObject(a) && isObject(b) && a[mergeKey] !== undefined && jsonEqual(a[mergeKey], b[mergeKey]);
}

function omit(object: JsonObject, gone: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== gone));
}

/** A value of the patch that is taken as it is: without directives, nulls of objects, and elements that only delete. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !isObject(item) || item[DIRECTIVE] === undefined || item[DIRECTIVE] === 'merge')
      .map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  if (value[DIRECTIVE] === 'delete') return {};
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const isDirective =
      key === DIRECTIVE ||
      key === RETAIN_KEYS ||
      key.startsWith(SET_ELEMENT_ORDER) ||
      key.startsWith(DELETE_FROM_PRIMITIVE_LIST);
    if (!isDirective && member !== null) assign(out, key, withoutDirectives(member));
  }
  return out;
}
