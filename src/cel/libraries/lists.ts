// Lists: Kubernetes' own functions (sum, min, max, isSorted, indexOf, lastIndexOf) and cel-go's lists extension (slice,
// flatten, sort, sortBy, distinct, reverse, range).

import { addInt, type Int, makeUint } from '../arithmetic.ts';
import type { Expr } from '../ast.ts';
import { compare, equals } from '../equality.ts';
import { fn, type FunctionDeclaration, global, type Library, member } from '../functions.ts';
import type { Expansion, MacroCall, MacroSet } from '../macros.ts';
import { STANDARD_MACROS } from '../macros.ts';
import { Duration, makeDuration } from '../times.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
} from '../types.ts';
import { adapt, celError, Double, Uint, type Value } from '../values.ts';

type List = readonly Value[];
const T = param('T');
const LIST = listOf(T);

const SUMMABLE: readonly (readonly [string, CelType, Value, (a: never, b: never) => Value])[] = [
  ['int', INT, 0, (a: Int, b: Int) => addInt(a, b)],
  ['uint', UINT, new Uint(0n), (a: Uint, b: Uint) => makeUint(a.value + b.value)],
  ['double', DOUBLE, new Double(0), (a: Double, b: Double) => new Double(a.value + b.value)],
  ['duration', DURATION, new Duration(0n), (a: Duration, b: Duration) => makeDuration(a.nanos + b.nanos)],
];

const COMPARABLE: readonly (readonly [string, CelType])[] = [
  ['int', INT],
  ['uint', UINT],
  ['double', DOUBLE],
  ['bool', BOOL],
  ['duration', DURATION],
  ['timestamp', TIMESTAMP],
  ['string', STRING],
  ['bytes', BYTES],
];

const comparable = (
  name: string,
  result: (element: CelType) => CelType,
  run: (list: List) => Value,
): FunctionDeclaration =>
  fn(
    name,
    ...COMPARABLE.map(([kind, type]) =>
      member(`list_${kind}_${name.toLowerCase()}`, [listOf(type)], result(type), run),
    ),
  );

function order(a: Value, b: Value): number {
  const result = compare(adapt(a), adapt(b));
  if (result === undefined) throw celError('no such overload');
  return result;
}

const isSorted = (list: List): boolean => list.every((element, i) => i === 0 || order(list[i - 1], element) <= 0);

function extreme(name: 'min' | 'max', sign: 1 | -1): (list: List) => Value {
  return (list) => {
    if (list.length === 0) throw celError(`${name} called on empty list`);
    return list.map(adapt).reduce((best, element) => (order(element, best) * sign > 0 ? element : best));
  };
}

export const KUBERNETES_LISTS_LIBRARY: Library = {
  functions: [
    comparable('isSorted', () => BOOL, isSorted),
    fn(
      'sum',
      ...SUMMABLE.map(([kind, type, zero, add]) =>
        member(`list_${kind}_sum`, [listOf(type)], type, (list: List) =>
          list.map(adapt).reduce((total, element) => add(total as never, element as never), zero),
        ),
      ),
    ),
    comparable('min', (element) => element, extreme('min', -1)),
    comparable('max', (element) => element, extreme('max', 1)),
    fn(
      'indexOf',
      member('list_a_index_of_int', [LIST, T], INT, (list: List, value: Value) =>
        list.findIndex((element) => equals(element, value)),
      ),
    ),
    fn(
      'lastIndexOf',
      member('list_a_last_index_of_int', [LIST, T], INT, (list: List, value: Value) =>
        list.findLastIndex((element) => equals(element, value)),
      ),
    ),
  ],
};

function slice(list: List, start: Int, end: Int): List {
  if (start < 0 || end < 0) throw celError(`cannot slice(${start}, ${end}), negative indexes not supported`);
  if (start > end)
    throw celError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`);
  if (Number(end) > list.length) throw celError(`cannot slice(${start}, ${end}), list is length ${list.length}`);
  return list.slice(Number(start), Number(end));
}

function flatten(list: List, depth: Int = 1): List {
  if (depth < 0) throw celError('level must be non-negative');
  return list.flat(Math.min(Number(depth), FLATTEN_MAX));
}

/** Deeper than any value can be nested. */
const FLATTEN_MAX = 1000;

function distinct(list: List): List {
  const kept: Value[] = [];
  for (const element of list) if (!kept.some((known) => equals(known, element))) kept.push(element);
  return kept;
}

/** Elements in the order of their keys, which must be of one type that has an order. */
function sortByKeys(list: List, keys: List): List {
  if (list.length !== keys.length)
    throw celError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.length} and ${keys.length} elements respectively`,
    );
  const first = keys[0];
  for (const key of keys)
    if (compare(adapt(first), adapt(key)) === undefined) throw celError('list elements must have the same type');
  return list
    .map((element, i) => [element, keys[i]] as const)
    .toSorted(([, a], [, b]) => order(a, b))
    .map(([element]) => element);
}

/** A list so long would be a limit of its own. */
const RANGE_MAX = 1_000_000;

function range(size: Int): List {
  if (size > RANGE_MAX) throw celError(`lists.range() size ${size} is too large`);
  return Array.from({ length: Math.max(Number(size), 0) }, (_, i) => i);
}

export const LISTS_LIBRARY: Library = {
  functions: [
    fn('slice', member('list_slice', [LIST, INT, INT], LIST, slice)),
    fn(
      'flatten',
      member('list_flatten', [listOf(LIST)], LIST, (list: List) => flatten(list)),
      member('list_flatten_int', [listOf(DYN), INT], listOf(DYN), flatten),
    ),
    fn(
      'sort',
      ...COMPARABLE.map(([kind, type]) =>
        member(`list_${kind}_sort`, [listOf(type)], listOf(type), (list: List) => sortByKeys(list, list)),
      ),
    ),
    fn(
      '@sortByAssociatedKeys',
      ...COMPARABLE.map(([kind, type]) =>
        member(`list_${kind}_sortByAssociatedKeys`, [LIST, listOf(type)], LIST, sortByKeys),
      ),
    ),
    fn('lists.range', global('lists_range', [INT], listOf(INT), range)),
    fn(
      'reverse',
      member('list_reverse', [LIST], LIST, (list: List) => list.toReversed()),
    ),
    fn('distinct', member('list_distinct', [LIST], LIST, distinct)),
  ],
};

const SORT_INPUT = '@__sortBy_input__';

/** list.sortBy(e, key): the list under a name, sorted by the keys of its elements. */
function sortBy({ target, args, offset }: MacroCall): Expansion | undefined {
  const input = (): Expr => ({ kind: 'ident', offset, name: SORT_INPUT });
  const mapped = STANDARD_MACROS.get('.map/2')!({ name: 'map', offset, target: input(), args });
  if (mapped === undefined || 'wrong' in mapped) return mapped;
  return {
    expr: {
      kind: 'comprehension',
      offset,
      range: { kind: 'list', offset, elements: [], optional: new Set() },
      variable: '#unused',
      accumulator: SORT_INPUT,
      init: target!,
      condition: { kind: 'const', offset, constType: BOOL, value: false },
      step: input(),
      result: { kind: 'call', offset, name: '@sortByAssociatedKeys', target: input(), args: [mapped.expr] },
    },
  };
}

export const LISTS_MACROS: MacroSet = new Map([['.sortBy/2', sortBy]]);
