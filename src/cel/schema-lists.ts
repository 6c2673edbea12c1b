// Lists that a schema calls sets or maps (x-kubernetes-list-type): `==` does not see their order, and `+` is a union, in
// which entries of the right side replace those of the same key.

import { type Expr, OPERATORS } from './ast.ts';
import { equals } from './equality.ts';
import type { ListType } from './types.ts';
import { isPlainObject, type Value } from './values.ts';

/** The list type when the expression is a list of kind set or map, or such a list with something added. */
export function schemaListOf(expr: Expr): ListType | undefined {
  if (expr.type?.kind === 'list' && (expr.type.listType === 'set' || expr.type.listType === 'map')) return expr.type;
  return expr.kind === 'call' && expr.name === OPERATORS.add ? schemaListOf(expr.args[0]!) : undefined;
}

export function equalSchemaLists(type: ListType, a: Value, b: Value): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return equals(a, b);
  if (a.length !== b.length) return false;
  const keys = keysOf(type, b);
  return a.every((element) => {
    const other = keys.get(keyOf(type, element));
    return other !== undefined && equals(element, other);
  });
}

export function addSchemaList(type: ListType, a: readonly Value[], b: readonly Value[]): Value[] {
  const merged = keysOf(type, a);
  for (const element of b) merged.set(keyOf(type, element), element);
  return [...merged.values()];
}

const keysOf = (type: ListType, list: readonly Value[]): Map<string, Value> =>
  new Map(list.map((element) => [keyOf(type, element), element]));

/** What identifies an element: its value in a set, its keys in a map. */
function keyOf(type: ListType, element: Value): string {
  if (type.listType === 'map' && typeof element === 'object' && element !== null && isPlainObject(element))
    return JSON.stringify((type.mapKeys ?? []).map((key) => element[key] ?? null));
  return JSON.stringify(element, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
