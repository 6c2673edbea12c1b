// The functions and operators of the language itself, under upstream's overload names.

import { RE2JS } from 're2js';
import {
  addInt,
  divideInt,
  divideUint,
  type Int,
  makeUint,
  moduloInt,
  moduloUint,
  multiplyInt,
  negateInt,
  subtractInt,
} from './arithmetic.ts';
import { OPERATORS } from './ast.ts';
import { compare, equals } from './equality.ts';
import { fn, global, type Library, member, type Overload } from './functions.ts';
import {
  Duration,
  fieldsOf,
  makeDuration,
  makeTimestamp,
  type TimeFields,
  type Timestamp,
  zoneOffset,
} from './times.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  INT,
  listOf,
  mapOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
} from './types.ts';
import { celError, type CelMap, codePoints, Double, mapGet, mapSize, Uint, type Value } from './values.ts';

const A = param('A');
const B = param('B');

const binary = (id: string, left: CelType, right: CelType, result: CelType, run?: Overload['run']): Overload =>
  global(id, [left, right], result, run);

const double =
  (run: (a: number, b: number) => number) =>
  (a: Double, b: Double): Double =>
    new Double(run(a.value, b.value));
const uint =
  (run: (a: bigint, b: bigint) => bigint) =>
  (a: Uint, b: Uint): Uint =>
    makeUint(run(a.value, b.value));

const NUMBERS = [
  ['int64', INT],
  ['uint64', UINT],
  ['double', DOUBLE],
] as const;

const ORDERINGS: readonly (readonly [string, string, (order: number) => boolean])[] = [
  [OPERATORS.less, 'less', (order) => order < 0],
  [OPERATORS.lessEquals, 'less_equals', (order) => order <= 0],
  [OPERATORS.greater, 'greater', (order) => order > 0],
  [OPERATORS.greaterEquals, 'greater_equals', (order) => order >= 0],
];

const ordered =
  (holds: (order: number) => boolean) =>
  (a: Value, b: Value): boolean => {
    const order = compare(a, b);
    return order !== undefined && holds(order);
  };

function ordering([name, id, holds]: (typeof ORDERINGS)[number]): ReturnType<typeof fn> {
  const run = ordered(holds);
  const overloads = [binary(`${id}_bool`, BOOL, BOOL, BOOL, run)];
  for (const [kind, type] of [
    ...NUMBERS,
    ['string', STRING],
    ['bytes', BYTES],
    ['timestamp', TIMESTAMP],
    ['duration', DURATION],
  ] as const)
    overloads.push(binary(`${id}_${kind}`, type, type, BOOL, run));
  return fn(name, ...overloads);
}

/** `1 < 1.5`: numbers compare across types. */
export const CROSS_TYPE_LIBRARY: Library = {
  functions: ORDERINGS.map(([name, id, holds]) =>
    fn(
      name,
      ...NUMBERS.flatMap(([left, leftType]) =>
        NUMBERS.filter(([right]) => right !== left).map(([right, rightType]) =>
          binary(`${id}_${left}_${right}`, leftType, rightType, BOOL, ordered(holds)),
        ),
      ),
    ),
  ),
};

const concatBytes = (a: Uint8Array, b: Uint8Array): Uint8Array => Buffer.concat([a, b]);

export const OPERATOR_LIBRARY: Library = {
  functions: [
    fn(OPERATORS.and, binary('logical_and', BOOL, BOOL, BOOL)),
    fn(OPERATORS.or, binary('logical_or', BOOL, BOOL, BOOL)),
    fn(
      OPERATORS.not,
      global('logical_not', [BOOL], BOOL, (value: boolean) => !value),
    ),
    fn(OPERATORS.notStrictlyFalse, global('not_strictly_false', [BOOL], BOOL)),
    fn(OPERATORS.conditional, global('conditional', [BOOL, A, A], A)),
    fn(OPERATORS.equals, binary('equals', A, A, BOOL, equals)),
    fn(
      OPERATORS.notEquals,
      binary('not_equals', A, A, BOOL, (a: Value, b: Value) => !equals(a, b)),
    ),
    fn(
      OPERATORS.add,
      binary('add_bytes', BYTES, BYTES, BYTES, concatBytes),
      binary(
        'add_double',
        DOUBLE,
        DOUBLE,
        DOUBLE,
        double((a, b) => a + b),
      ),
      binary('add_duration_duration', DURATION, DURATION, DURATION, (a: Duration, b: Duration) =>
        makeDuration(a.nanos + b.nanos),
      ),
      binary('add_duration_timestamp', DURATION, TIMESTAMP, TIMESTAMP, (a: Duration, b: Timestamp) =>
        makeTimestamp(a.nanos + b.nanos),
      ),
      binary('add_timestamp_duration', TIMESTAMP, DURATION, TIMESTAMP, (a: Timestamp, b: Duration) =>
        makeTimestamp(a.nanos + b.nanos),
      ),
      binary('add_int64', INT, INT, INT, addInt),
      binary('add_list', listOf(A), listOf(A), listOf(A), (a: Value[], b: Value[]) => [...a, ...b]),
      binary('add_string', STRING, STRING, STRING, (a: string, b: string) => a + b),
      binary(
        'add_uint64',
        UINT,
        UINT,
        UINT,
        uint((a, b) => a + b),
      ),
    ),
    fn(
      OPERATORS.divide,
      binary(
        'divide_double',
        DOUBLE,
        DOUBLE,
        DOUBLE,
        double((a, b) => a / b),
      ),
      binary('divide_int64', INT, INT, INT, divideInt),
      binary('divide_uint64', UINT, UINT, UINT, divideUint),
    ),
    fn(
      OPERATORS.modulo,
      binary('modulo_int64', INT, INT, INT, moduloInt),
      binary('modulo_uint64', UINT, UINT, UINT, moduloUint),
    ),
    fn(
      OPERATORS.multiply,
      binary(
        'multiply_double',
        DOUBLE,
        DOUBLE,
        DOUBLE,
        double((a, b) => a * b),
      ),
      binary('multiply_int64', INT, INT, INT, multiplyInt),
      binary(
        'multiply_uint64',
        UINT,
        UINT,
        UINT,
        uint((a, b) => a * b),
      ),
    ),
    fn(
      OPERATORS.negate,
      global('negate_double', [DOUBLE], DOUBLE, (a: Double) => new Double(-a.value)),
      global('negate_int64', [INT], INT, negateInt),
    ),
    fn(
      OPERATORS.subtract,
      binary(
        'subtract_double',
        DOUBLE,
        DOUBLE,
        DOUBLE,
        double((a, b) => a - b),
      ),
      binary('subtract_duration_duration', DURATION, DURATION, DURATION, (a: Duration, b: Duration) =>
        makeDuration(a.nanos - b.nanos),
      ),
      binary('subtract_int64', INT, INT, INT, subtractInt),
      binary('subtract_timestamp_duration', TIMESTAMP, DURATION, TIMESTAMP, (a: Timestamp, b: Duration) =>
        makeTimestamp(a.nanos - b.nanos),
      ),
      binary('subtract_timestamp_timestamp', TIMESTAMP, TIMESTAMP, DURATION, (a: Timestamp, b: Timestamp) =>
        makeDuration(a.nanos - b.nanos),
      ),
      binary(
        'subtract_uint64',
        UINT,
        UINT,
        UINT,
        uint((a, b) => a - b),
      ),
    ),
    ...ORDERINGS.map(ordering),
    fn(
      OPERATORS.in,
      binary('in_list', A, listOf(A), BOOL, (element: Value, list: Value[]) => list.some((e) => equals(e, element))),
      binary('in_map', A, mapOf(A, B), BOOL, (key: Value, map: CelMap) => mapGet(map, key) !== undefined),
    ),
    fn(OPERATORS.index, binary('index_list', listOf(A), INT, A), binary('index_map', mapOf(A, B), A, B)),
  ],
};

const sizes = (kind: string, type: CelType, run: (value: never) => Int): Overload[] => [
  global(`size_${kind}`, [type], INT, run),
  member(`${kind}_size`, [type], INT, run),
];

const patterns = new Map<string, RE2JS>();
/** Compiled patterns kept; they come from users, so their number is bounded. */
const PATTERNS_MAX = 500;

/** An RE2 pattern, or the error that expressions see. */
export function compilePattern(pattern: string): RE2JS {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  if (patterns.size >= PATTERNS_MAX) patterns.clear();
  try {
    const compiled = RE2JS.compile(pattern);
    patterns.set(pattern, compiled);
    return compiled;
  } catch (error) {
    throw celError(error instanceof Error ? error.message : String(error));
  }
}

const matches = (text: string, pattern: string): boolean => compilePattern(pattern).matcher(text).find();

const STRING_TESTS: Library['functions'] = [
  fn(
    'contains',
    member('contains_string', [STRING, STRING], BOOL, (a: string, b: string) => a.includes(b)),
  ),
  fn(
    'endsWith',
    member('ends_with_string', [STRING, STRING], BOOL, (a: string, b: string) => a.endsWith(b)),
  ),
  fn(
    'startsWith',
    member('starts_with_string', [STRING, STRING], BOOL, (a: string, b: string) => a.startsWith(b)),
  ),
  fn(
    'matches',
    global('matches', [STRING, STRING], BOOL, matches),
    member('matches_string', [STRING, STRING], BOOL, matches),
  ),
];

/** A part of a point in time, in UTC or in a named zone; and of a duration, where it has one. */
function accessor(
  name: string,
  part: string,
  read: (fields: TimeFields) => number,
  ofDuration?: bigint,
): ReturnType<typeof fn> {
  const overloads = [
    member(`timestamp_to_${part}`, [TIMESTAMP], INT, (t: Timestamp) => read(fieldsOf(t, 0))),
    member(`timestamp_to_${part}_with_tz`, [TIMESTAMP, STRING], INT, (t: Timestamp, zone: string) =>
      read(fieldsOf(t, zoneOffset(t, zone))),
    ),
  ];
  if (ofDuration !== undefined)
    overloads.push(member(`duration_to_${part}`, [DURATION], INT, (d: Duration) => Number(d.nanos / ofDuration)));
  return fn(name, ...overloads);
}

const milliseconds = (t: Timestamp): number => Math.trunc(t.subsecond / 1_000_000);

const TIME_PARTS: Library['functions'] = [
  accessor('getFullYear', 'year', (fields) => fields.year),
  accessor('getMonth', 'month', (fields) => fields.month - 1),
  accessor('getDayOfYear', 'day_of_year', (fields) => fields.yearDay),
  accessor('getDate', 'day_of_month_1_based', (fields) => fields.day),
  accessor('getDayOfMonth', 'day_of_month', (fields) => fields.day - 1),
  accessor('getDayOfWeek', 'day_of_week', (fields) => fields.weekday),
  accessor('getHours', 'hours', (fields) => fields.hour, 3_600_000_000_000n),
  accessor('getMinutes', 'minutes', (fields) => fields.minute, 60_000_000_000n),
  accessor('getSeconds', 'seconds', (fields) => fields.second, 1_000_000_000n),
  fn(
    'getMilliseconds',
    member('timestamp_to_milliseconds', [TIMESTAMP], INT, milliseconds),
    member('timestamp_to_milliseconds_with_tz', [TIMESTAMP, STRING], INT, milliseconds),
    member('duration_to_milliseconds', [DURATION], INT, (d: Duration) => Number((d.nanos / 1_000_000n) % 1000n)),
  ),
];

export const STANDARD_LIBRARY: Library = {
  functions: [
    fn(
      'size',
      ...sizes('bytes', BYTES, (bytes: Uint8Array) => bytes.length),
      ...sizes('list', listOf(A), (list: readonly Value[]) => list.length),
      ...sizes('map', mapOf(A, B), (map: CelMap) => mapSize(map)),
      ...sizes('string', STRING, codePoints),
    ),
    ...STRING_TESTS,
    ...TIME_PARTS,
  ],
};
