// Resource quantities (`500m`, `1Gi`, `1e3`): parsed exactly, kept as a bigint times a power of ten, written in
// upstream's canonical form (apimachinery, api/resource): the suffix class given is kept, mantissas are whole numbers.
// Values finer than nano are rounded up, as upstream does.

export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

/** value = unscaled × 10^scale. scale is never below -9. */
export interface Quantity {
  readonly unscaled: bigint;
  readonly scale: number;
  readonly format: QuantityFormat;
}

export const QUANTITY_PATTERN_MESSAGE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
export const QUANTITY_SUFFIX_MESSAGE = "unable to parse quantity's suffix";

const BINARY: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const DECIMAL_SUFFIX: Readonly<Record<string, string>> = {
  '-9': 'n',
  '-6': 'u',
  '-3': 'm',
  0: '',
  3: 'k',
  6: 'M',
  9: 'G',
  12: 'T',
  15: 'P',
  18: 'E',
};

/** Thrown by parseQuantity; the text is upstream's. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*)([+-]?\d*)$/;

export function parseQuantity(text: string | number): Quantity {
  const source = typeof text === 'number' ? String(text) : text;
  const match = PATTERN.exec(source);
  if (match === null) throw new QuantityError(QUANTITY_PATTERN_MESSAGE);
  const [, sign = '', whole = '', fraction = '', letters = '', digits = ''] = match;
  if (whole === '' && fraction === '') throw new QuantityError(QUANTITY_PATTERN_MESSAGE);
  const suffix = suffixOf(letters, digits);
  const magnitude = BigInt(`${whole}${fraction}` || '0') * (sign === '-' ? -1n : 1n);
  return roundToNano(magnitude * suffix.factor, suffix.exponent - fraction.length, suffix.format);
}

/** Undefined instead of an error. */
export function tryParseQuantity(text: string | number): Quantity | undefined {
  try {
    return parseQuantity(text);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

function suffixOf(letters: string, digits: string): { factor: bigint; exponent: number; format: QuantityFormat } {
  if (digits !== '') {
    if (letters !== 'e' && letters !== 'E')
      throw new QuantityError(letters === '' ? QUANTITY_PATTERN_MESSAGE : QUANTITY_SUFFIX_MESSAGE);
    const exponent = Number(digits);
    if (Number.isNaN(exponent)) throw new QuantityError(QUANTITY_SUFFIX_MESSAGE);
    return { factor: 1n, exponent, format: 'DecimalExponent' };
  }
  const binary = BINARY[letters];
  if (binary !== undefined) return { factor: binary, exponent: 0, format: 'BinarySI' };
  const decimal = DECIMAL[letters];
  if (decimal === undefined) throw new QuantityError(QUANTITY_SUFFIX_MESSAGE);
  return { factor: 1n, exponent: decimal, format: 'DecimalSI' };
}

function roundToNano(unscaled: bigint, scale: number, format: QuantityFormat): Quantity {
  if (scale >= -9) return normalize({ unscaled, scale, format });
  const divisor = 10n ** BigInt(-9 - scale);
  return normalize({ unscaled: divideAwayFromZero(unscaled, divisor), scale: -9, format });
}

/** Division that rounds away from zero (upstream's "round up"). */
function divideAwayFromZero(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (value % divisor === 0n) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

function normalize(q: Quantity): Quantity {
  if (q.unscaled === 0n) return { unscaled: 0n, scale: 0, format: q.format };
  let { unscaled, scale } = q;
  while (unscaled % 10n === 0n) {
    unscaled /= 10n;
    scale += 1;
  }
  return { unscaled, scale, format: q.format };
}

/** Canonical text: `1500m`, `1Gi`, `2`, `1e3`. */
export function formatQuantity(q: Quantity): string {
  if (q.unscaled === 0n) return '0';
  if (q.format === 'BinarySI') {
    const binary = formatBinary(q);
    if (binary !== undefined) return binary;
    // Fractional or small values fall back to decimal suffixes.
    return formatDecimal({ ...q, format: 'DecimalSI' });
  }
  return formatDecimal(q);
}

function formatBinary(q: Quantity): string | undefined {
  if (q.scale < 0) return undefined;
  let value = q.unscaled * 10n ** BigInt(q.scale);
  if (value > -1024n && value < 1024n) return undefined;
  const suffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
  let index = 0;
  while (index < suffixes.length - 1 && value % 1024n === 0n) {
    value /= 1024n;
    index += 1;
  }
  return `${value}${suffixes[index]}`;
}

function formatDecimal(q: Quantity): string {
  let { unscaled, scale } = q;
  // Exponents are multiples of three, mantissas whole.
  let exponent = Math.floor(scale / 3) * 3;
  if (exponent > 18 && q.format === 'DecimalSI') exponent = 18;
  if (scale > exponent) unscaled *= 10n ** BigInt(scale - exponent);
  if (q.format === 'DecimalExponent') return exponent === 0 ? `${unscaled}` : `${unscaled}e${exponent}`;
  return `${unscaled}${DECIMAL_SUFFIX[exponent]}`;
}

const canonicalCache = new Map<string, string>();
/** Texts; the values of one cluster are few, so a small cache spares the bigint work. */
const CANONICAL_CACHE_MAX = 4096;

/** The canonical form of a quantity's text; throws QuantityError. */
export function canonicalQuantity(text: string | number): string {
  const source = typeof text === 'number' ? String(text) : text;
  const cached = canonicalCache.get(source);
  if (cached !== undefined) return cached;
  const canonical = formatQuantity(parseQuantity(source));
  if (canonicalCache.size >= CANONICAL_CACHE_MAX) canonicalCache.clear();
  canonicalCache.set(source, canonical);
  return canonical;
}

/** Both brought to the same scale. */
function align(a: Quantity, b: Quantity): [bigint, bigint, number] {
  const scale = Math.min(a.scale, b.scale);
  return [a.unscaled * 10n ** BigInt(a.scale - scale), b.unscaled * 10n ** BigInt(b.scale - scale), scale];
}

export function compareQuantity(a: Quantity, b: Quantity): -1 | 0 | 1 {
  const [x, y] = align(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The format of the left operand stays unless it is zero (upstream's Add). */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  const [x, y, scale] = align(a, b);
  return normalize({ unscaled: x + y, scale, format: a.unscaled === 0n ? b.format : a.format });
}

export function subQuantity(a: Quantity, b: Quantity): Quantity {
  const [x, y, scale] = align(a, b);
  return normalize({ unscaled: x - y, scale, format: a.unscaled === 0n ? b.format : a.format });
}

export const isZeroQuantity = (q: Quantity): boolean => q.unscaled === 0n;

export function makeQuantity(value: bigint | number, format: QuantityFormat = 'DecimalSI'): Quantity {
  return normalize({ unscaled: BigInt(value), scale: 0, format });
}

/** value in thousandths. */
export function makeMilliQuantity(millis: bigint | number, format: QuantityFormat = 'DecimalSI'): Quantity {
  return normalize({ unscaled: BigInt(millis), scale: -3, format });
}

/** Value times 10^-exponent as a whole number, rounded away from zero (upstream's ScaledValue). */
function scaled(q: Quantity, exponent: number): bigint {
  const shift = q.scale - exponent;
  return shift >= 0 ? q.unscaled * 10n ** BigInt(shift) : divideAwayFromZero(q.unscaled, 10n ** BigInt(-shift));
}

/** Whole units, rounded up. */
export const quantityValue = (q: Quantity): bigint => scaled(q, 0);
/** Thousandths, rounded up. */
export const quantityMilliValue = (q: Quantity): bigint => scaled(q, -3);

const asQuantity = (q: Quantity | string | number | undefined): Quantity | undefined =>
  q === undefined || q === null ? undefined : typeof q === 'object' ? q : parseQuantity(q);

const numberCache = new Map<string, number>();

/** Whole units as a number (bytes, counts), rounded up; 0 when absent. */
export function quantityToNumber(q: Quantity | string | number | undefined): number {
  if (typeof q !== 'string') {
    const parsed = asQuantity(q);
    return parsed === undefined ? 0 : Number(quantityValue(parsed));
  }
  const cached = numberCache.get(q);
  if (cached !== undefined) return cached;
  const value = Number(quantityValue(parseQuantity(q)));
  if (numberCache.size >= CANONICAL_CACHE_MAX) numberCache.clear();
  numberCache.set(q, value);
  return value;
}

/** CPU quantities in thousandths of a core, rounded up; 0 when absent. */
export function cpuMillis(q: Quantity | string | number | undefined): number {
  const parsed = asQuantity(q);
  return parsed === undefined ? 0 : Number(quantityMilliValue(parsed));
}
