// Numbers: int and uint are exact and say when they overflow, double is IEEE 754. int is a number while it is safe.

import { canonicalInt, type CelError, celError, Double, INT_MAX, INT_MIN, Uint, UINT_MAX } from './values.ts';

export type Int = number | bigint;
export type Numeric = Int | Double | Uint;

export const intOverflow = (): CelError => celError('integer overflow');
export const uintOverflow = (): CelError => celError('unsigned integer overflow');

export function makeInt(value: bigint): Int {
  if (value < INT_MIN || value > INT_MAX) throw intOverflow();
  return canonicalInt(value);
}

export function makeUint(value: bigint): Uint {
  if (value < 0n || value > UINT_MAX) throw uintOverflow();
  return new Uint(value);
}

export function addInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return makeInt(BigInt(a) + BigInt(b));
}

export function subtractInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return makeInt(BigInt(a) - BigInt(b));
}

export function multiplyInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return makeInt(BigInt(a) * BigInt(b));
}

export function divideInt(a: Int, b: Int): Int {
  if (b === 0) throw celError('division by zero');
  if (typeof a === 'number' && typeof b === 'number') return Math.trunc(a / b) + 0;
  return makeInt(BigInt(a) / BigInt(b));
}

export function moduloInt(a: Int, b: Int): Int {
  if (b === 0) throw celError('modulus by zero');
  if (typeof a === 'number' && typeof b === 'number') return (a % b) + 0;
  return makeInt(BigInt(a) % BigInt(b));
}

export function negateInt(a: Int): Int {
  return typeof a === 'number' ? 0 - a : makeInt(-a);
}

export function divideUint(a: Uint, b: Uint): Uint {
  if (b.value === 0n) throw celError('division by zero');
  return new Uint(a.value / b.value);
}

export function moduloUint(a: Uint, b: Uint): Uint {
  if (b.value === 0n) throw celError('modulus by zero');
  return new Uint(a.value % b.value);
}

export const isInt = (value: unknown): value is Int => typeof value === 'number' || typeof value === 'bigint';
export const isNumeric = (value: unknown): value is Numeric =>
  isInt(value) || value instanceof Double || value instanceof Uint;

const rounded = (value: Int): Int => (typeof value === 'bigint' ? Number(value) : value);
const plain = (value: Numeric): Int => (typeof value === 'object' ? value.value : value);

/** Undefined when one is not a number (NaN). Where one is a double, an integer beyond 2^53 is rounded as upstream rounds it. */
export function compareNumeric(a: Numeric, b: Numeric): number | undefined {
  const x = b instanceof Double ? rounded(plain(a)) : plain(a);
  const y = a instanceof Double ? rounded(plain(b)) : plain(b);
  if (x < y) return -1;
  if (x > y) return 1;
  // JavaScript compares numbers with bigints exactly.
  // oxlint-disable-next-line eqeqeq
  return x == y ? 0 : undefined;
}
