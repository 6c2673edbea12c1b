// Resource quantities: quantity('1.5Gi') with arithmetic and order.

import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  makeQuantity,
  parseQuantity,
  type Quantity,
  QuantityError,
  subQuantity,
  tryParseQuantity,
} from '#machinery/quantity.ts';
import type { Int } from '../arithmetic.ts';
import { fn, global, type Library, member } from '../functions.ts';
import { BOOL, DOUBLE, INT, opaque, STRING } from '../types.ts';
import { canonicalInt, celError, Double, INT_MAX, INT_MIN, type Opaque } from '../values.ts';

export const QUANTITY_TYPE = opaque('kubernetes.Quantity');

export class QuantityValue implements Opaque {
  readonly typeName = 'kubernetes.Quantity';
  readonly quantity: Quantity;
  /** Upstream reads some texts into a form that it does not turn into an integer, whatever their value (`1000m`, `1.5Gi`). */
  readonly inexact: boolean;
  constructor(quantity: Quantity, inexact = false) {
    this.quantity = quantity;
    this.inexact = inexact;
  }
  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && compareQuantity(this.quantity, other.quantity) === 0;
  }
  toJSON(): string {
    return formatQuantity(this.quantity);
  }
}

function quantity(text: string): QuantityValue {
  try {
    return new QuantityValue(parseQuantity(text), isInexact(text));
  } catch (error) {
    if (error instanceof QuantityError) throw celError(error.message);
    throw error;
  }
}

/** With a fraction, or with a suffix below 1. */
const isInexact = (text: string): boolean => /\.\d|[num]$/.test(text);

/** Undefined: not whole, or beyond an int. */
function integerOf({ quantity: { unscaled, scale }, inexact }: QuantityValue): Int | undefined {
  if (inexact || scale < 0 || scale > 20) return undefined;
  const value = unscaled * 10n ** BigInt(scale);
  return value < INT_MIN || value > INT_MAX ? undefined : canonicalInt(value);
}

function asInteger(value: QuantityValue): Int {
  const whole = integerOf(value);
  if (whole === undefined) throw celError('cannot convert value to integer');
  return whole;
}

type Combine = (a: Quantity, b: Quantity) => Quantity;
const combine =
  (run: Combine) =>
  (a: QuantityValue, b: QuantityValue): QuantityValue =>
    new QuantityValue(run(a.quantity, b.quantity));
const combineInt =
  (run: Combine) =>
  (a: QuantityValue, b: Int): QuantityValue =>
    new QuantityValue(run(a.quantity, makeQuantity(BigInt(b))));
const order = (a: QuantityValue, b: QuantityValue): number => compareQuantity(a.quantity, b.quantity);
const Q = QUANTITY_TYPE;

export const QUANTITY_LIBRARY: Library = {
  functions: [
    fn('quantity', global('string_to_quantity', [STRING], Q, quantity)),
    fn(
      'isQuantity',
      global('is_quantity_string', [STRING], BOOL, (text: string) => tryParseQuantity(text) !== undefined),
    ),
    fn(
      'sign',
      global(
        'quantity_sign',
        [Q],
        INT,
        (a: QuantityValue) => Number(a.quantity.unscaled > 0n) - Number(a.quantity.unscaled < 0n),
      ),
    ),
    fn(
      'isGreaterThan',
      member('quantity_is_greater_than', [Q, Q], BOOL, (a: QuantityValue, b: QuantityValue) => order(a, b) > 0),
    ),
    fn(
      'isLessThan',
      member('quantity_is_less_than', [Q, Q], BOOL, (a: QuantityValue, b: QuantityValue) => order(a, b) < 0),
    ),
    fn('compareTo', member('quantity_compare_to', [Q, Q], INT, order)),
    fn(
      'asApproximateFloat',
      member(
        'quantity_get_float',
        [Q],
        DOUBLE,
        (a: QuantityValue) => new Double(Number(`${a.quantity.unscaled}e${a.quantity.scale}`)),
      ),
    ),
    fn('asInteger', member('quantity_get_int', [Q], INT, asInteger)),
    fn(
      'isInteger',
      member('quantity_is_integer', [Q], BOOL, (a: QuantityValue) => integerOf(a) !== undefined),
    ),
    fn(
      'add',
      member('quantity_add', [Q, Q], Q, combine(addQuantity)),
      member('quantity_add_int', [Q, INT], Q, combineInt(addQuantity)),
    ),
    fn(
      'sub',
      member('quantity_sub', [Q, Q], Q, combine(subQuantity)),
      member('quantity_sub_int', [Q, INT], Q, combineInt(subQuantity)),
    ),
  ],
};
