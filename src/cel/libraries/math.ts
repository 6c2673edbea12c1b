// math.greatest and the others (cel-go's math extension; not part of Kubernetes' environments).

import { compareNumeric, type Int, intOverflow, makeInt, type Numeric } from '../arithmetic.ts';
import { fn, type FunctionDeclaration, global, type Library } from '../functions.ts';
import type { MacroSet, MacroCall, Expansion } from '../macros.ts';
import { BOOL, type CelType, DOUBLE, DYN, INT, listOf, UINT } from '../types.ts';
import { adapt, celError, Double, Uint, type Value } from '../values.ts';

const NUMBERS: readonly (readonly [string, CelType])[] = [
  ['int', INT],
  ['double', DOUBLE],
  ['uint', UINT],
];

function best(values: readonly Value[], sign: 1 | -1, name: string): Value {
  if (values.length === 0) throw celError(`math.@${name}(list) argument must not be empty`);
  return values.map(adapt).reduce((a, b) => {
    const order = compareNumeric(b as Numeric, a as Numeric);
    if (order === undefined) throw celError('no such overload');
    return order * sign > 0 ? b : a;
  });
}

function extreme(name: 'max' | 'min', sign: 1 | -1): FunctionDeclaration {
  const two = NUMBERS.flatMap(([a, typeA]) =>
    NUMBERS.map(([b, typeB]) =>
      global(`math_@${name}_${a}_${b}`, [typeA, typeB], a === b ? typeA : DYN, (x: Value, y: Value) =>
        best([x, y], sign, name),
      ),
    ),
  );
  const one = NUMBERS.map(([a, type]) => global(`math_@${name}_${a}`, [type], type, (x: Value) => x));
  const lists = NUMBERS.map(([a, type]) =>
    global(`math_@${name}_list_${a}`, [listOf(type)], type, (list: readonly Value[]) => best(list, sign, name)),
  );
  return fn(`math.@${name}`, ...one, ...two, ...lists);
}

const ofDouble = (name: string, run: (value: number) => number): FunctionDeclaration =>
  fn(
    `math.${name}`,
    global(`math_${name}_double`, [DOUBLE], DOUBLE, (d: Double) => new Double(run(d.value))),
  );
const isDouble = (name: string, run: (value: number) => boolean): FunctionDeclaration =>
  fn(
    `math.${name}`,
    global(`math_${name}_double`, [DOUBLE], BOOL, (d: Double) => run(d.value)),
  );

/** Halves go away from zero. */
const round = (value: number): number => {
  const truncated = Math.trunc(value);
  return Math.abs(value - truncated) >= 0.5 ? truncated + Math.sign(value) : truncated;
};

function bits(name: string, run: (a: bigint, b: bigint) => bigint): FunctionDeclaration {
  return fn(
    `math.${name}`,
    global(`math_${name}_int_int`, [INT, INT], INT, (a: Int, b: Int) =>
      makeInt(BigInt.asIntN(64, run(BigInt(a), BigInt(b)))),
    ),
    global(
      `math_${name}_uint_uint`,
      [UINT, UINT],
      UINT,
      (a: Uint, b: Uint) => new Uint(BigInt.asUintN(64, run(a.value, b.value))),
    ),
  );
}

function shift(name: string, run: (a: bigint, by: bigint) => bigint): FunctionDeclaration {
  const by = (count: Int): bigint => {
    if (count < 0) throw celError(`math.${name}() negative offset: ${count}`);
    return count > 64 ? 64n : BigInt(count);
  };
  return fn(
    `math.${name}`,
    // The bits of an int, without regard to its sign.
    global(`math_${name}_int_int`, [INT, INT], INT, (a: Int, b: Int) =>
      makeInt(BigInt.asIntN(64, run(BigInt.asUintN(64, BigInt(a)), by(b)))),
    ),
    global(
      `math_${name}_uint_int`,
      [UINT, INT],
      UINT,
      (a: Uint, b: Int) => new Uint(BigInt.asUintN(64, run(a.value, by(b)))),
    ),
  );
}

const absolute = (value: Int): Int => {
  if (value === -(2n ** 63n)) throw intOverflow();
  return value < 0 ? makeInt(-BigInt(value)) : value;
};
const signOf = (value: number): number => (Number.isNaN(value) ? value : Math.sign(value));
const toDouble = (value: Numeric): Double =>
  new Double(Math.sqrt(Number(typeof value === 'object' ? value.value : value)));

export const MATH_LIBRARY: Library = {
  functions: [
    extreme('max', 1),
    extreme('min', -1),
    ofDouble('ceil', Math.ceil),
    ofDouble('floor', Math.floor),
    ofDouble('round', round),
    ofDouble('trunc', Math.trunc),
    isDouble('isInf', (value) => value === Infinity || value === -Infinity),
    isDouble('isNaN', (value) => Number.isNaN(value)),
    isDouble('isFinite', (value) => Number.isFinite(value)),
    fn(
      'math.abs',
      global('math_abs_double', [DOUBLE], DOUBLE, (d: Double) => new Double(Math.abs(d.value))),
      global('math_abs_int', [INT], INT, absolute),
      global('math_abs_uint', [UINT], UINT, (value: Uint) => value),
    ),
    fn(
      'math.sign',
      global('math_sign_double', [DOUBLE], DOUBLE, (d: Double) => new Double(signOf(d.value))),
      global('math_sign_int', [INT], INT, (value: Int) => (value < 0 ? -1 : value > 0 ? 1 : 0)),
      global('math_sign_uint', [UINT], UINT, (value: Uint) => new Uint(value.value === 0n ? 0n : 1n)),
    ),
    fn('math.sqrt', ...NUMBERS.map(([name, type]) => global(`math_sqrt_${name}`, [type], DOUBLE, toDouble))),
    bits('bitAnd', (a, b) => a & b),
    bits('bitOr', (a, b) => a | b),
    bits('bitXor', (a, b) => a ^ b),
    fn(
      'math.bitNot',
      global('math_bitNot_int_int', [INT], INT, (a: Int) => makeInt(~BigInt(a))),
      global('math_bitNot_uint_uint', [UINT], UINT, (a: Uint) => new Uint(BigInt.asUintN(64, ~a.value))),
    ),
    shift('bitShiftLeft', (a, by) => a << by),
    shift('bitShiftRight', (a, by) => a >> by),
  ],
};

/** Any number of arguments: one or two stay, more become a list. */
function expandExtreme({ target, args, offset, name }: MacroCall): Expansion | undefined {
  if (target?.kind !== 'ident' || target.name !== 'math') return undefined;
  const run = name === 'greatest' ? 'math.@max' : 'math.@min';
  if (args.length === 0) return { wrong: `math.${name}() requires at least one argument`, offset };
  for (const arg of args) {
    const isNumber = arg.kind === 'const' && ['int', 'uint', 'double'].includes(arg.constType.kind);
    const isText = (arg.kind === 'const' && !isNumber) || arg.kind === 'map' || arg.kind === 'struct';
    if (isText || (arg.kind === 'list' && args.length > 1))
      return { wrong: `math.${name}() simple literal arguments must be numeric`, offset: arg.offset };
  }
  const list = { kind: 'list', offset, elements: args, optional: new Set<number>() } as const;
  return { expr: { kind: 'call', offset, name: run, args: args.length <= 2 ? args : [list] } };
}

/** Counts of arguments that the macros take; far more than anybody writes. */
const ARGUMENTS_MAX = 64;

export const MATH_MACROS: MacroSet = new Map(
  ['greatest', 'least'].flatMap((name) =>
    Array.from({ length: ARGUMENTS_MAX }, (_, count) => [`.${name}/${count}`, expandExtreme] as const),
  ),
);
