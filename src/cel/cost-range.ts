// Arithmetic on estimates: from at least min to at most max, both stopping at what 64 bits hold.

export interface Range {
  readonly min: number;
  readonly max: number;
}

export const UNBOUNDED = 2 ** 64;
export const UNKNOWN_SIZE: Range = { min: 0, max: UNBOUNDED };

const cap = (value: number): number => Math.min(value, UNBOUNDED);

export const exactly = (value: number): Range => ({ min: value, max: value });
export const ZERO = exactly(0);
export const ONE = exactly(1);
export const plus = (...ranges: readonly Range[]): Range => ({
  min: cap(ranges.reduce((total, { min }) => total + min, 0)),
  max: cap(ranges.reduce((total, { max }) => total + max, 0)),
});
export const times = (a: Range, b: Range): Range => ({
  min: cap(product(a.min, b.min)),
  max: cap(product(a.max, b.max)),
});
/** Rounded up, so that a little is never nothing. */
export const scaled = (range: Range, factor: number): Range => ({
  min: cap(Math.ceil(range.min * factor)),
  max: cap(Math.ceil(range.max * factor)),
});
export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
