// Optional values: what may be absent without being an error (cel-go's optional types, version 2 with the list functions).

import { equals } from '../equality.ts';
import { fn, global, type Library, member } from '../functions.ts';
import { BOOL, type CelType, DYN, INT, listOf, mapOf, optionalOf, param } from '../types.ts';
import { OPERATORS } from '../ast.ts';
import { celError, CelMap, CelObject, Double, isOpaque, isPlainObject, Optional, Uint, type Value } from '../values.ts';
import { Duration, Timestamp } from '../times.ts';

const K = param('K');
const V = param('V');
const MAYBE_V = optionalOf(V);
const LIST_V = listOf(V);
const MAP = mapOf(K, V);

/** The value that a type has when nothing was given. */
export function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === '') return true;
  if (value instanceof Double) return value.value === 0;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Optional) return !value.present;
  if (value instanceof Timestamp || value instanceof Duration) return value.nanos === 0n;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof CelMap) return value.entries.size === 0;
  if (value instanceof CelObject) return Object.keys(value.fields).length === 0;
  return typeof value === 'object' && !isOpaque(value) && isPlainObject(value) && Object.keys(value).length === 0;
}

function valueOf(optional: Optional): Value {
  if (!optional.present) throw celError('optional.none() dereference');
  return optional.value;
}

const present = (list: readonly Value[]): Value[] =>
  list.flatMap((element) => (element instanceof Optional ? (element.present ? [element.value] : []) : [element]));

const indexed = (id: string, operand: CelType, key: CelType): ReturnType<typeof global> =>
  global(id, [operand, key], MAYBE_V);

export const OPTIONAL_LIBRARY: Library = {
  functions: [
    fn(
      'optional.of',
      global('optional_of', [V], MAYBE_V, (value: Value) => new Optional(value)),
    ),
    fn(
      'optional.ofNonZeroValue',
      global('optional_ofNonZeroValue', [V], MAYBE_V, (value: Value) =>
        isZero(value) ? Optional.none : new Optional(value),
      ),
    ),
    fn(
      'optional.none',
      global('optional_none', [], MAYBE_V, () => Optional.none),
    ),
    fn('optional.unwrap', global('optional_unwrap', [listOf(MAYBE_V)], LIST_V, present)),
    fn('unwrapOpt', member('optional_unwrapOpt', [listOf(MAYBE_V)], LIST_V, present)),
    fn('value', member('optional_value', [MAYBE_V], V, valueOf)),
    fn(
      'hasValue',
      member('optional_hasValue', [MAYBE_V], BOOL, (optional: Optional) => optional.present),
    ),
    fn('or', member('optional_or_optional', [MAYBE_V, MAYBE_V], MAYBE_V)),
    fn('orValue', member('optional_orValue_value', [MAYBE_V, V], V)),
    fn(OPERATORS.optSelect, global('select_optional_field', [DYN, { kind: 'string' }], MAYBE_V)),
    fn(
      OPERATORS.optIndex,
      indexed('list_optindex_optional_int', LIST_V, INT),
      indexed('optional_list_optindex_optional_int', optionalOf(LIST_V), INT),
      indexed('map_optindex_optional_value', MAP, K),
      indexed('optional_map_optindex_optional_value', optionalOf(MAP), K),
    ),
    fn(
      OPERATORS.index,
      indexed('optional_list_index_int', optionalOf(LIST_V), INT),
      indexed('optional_map_index_value', optionalOf(MAP), K),
    ),
  ],
};

/** first() and last() of lists come with the optional types. */
export const OPTIONAL_LIST_LIBRARY: Library = {
  functions: [
    fn(
      'first',
      member('list_first', [LIST_V], MAYBE_V, (list: readonly Value[]) => at(list, 0)),
    ),
    fn(
      'last',
      member('list_last', [LIST_V], MAYBE_V, (list: readonly Value[]) => at(list, list.length - 1)),
    ),
  ],
};

const at = (list: readonly Value[], index: number): Optional =>
  index >= 0 && index < list.length ? new Optional(list[index]) : Optional.none;

/** Whether a list holds a value. */
export const includes = (list: readonly Value[], value: Value): boolean => list.some((e) => equals(e, value));
