// 'text %s %d'.format([…]): the verbs s d f e b x X o. What is wrong with a literal format is already said when the
// expression is compiled.

import { isInt } from '../arithmetic.ts';
import { formatDouble } from '../conversions.ts';
import { Duration, formatDuration, formatTimestamp, Timestamp } from '../times.ts';
import { type CelType, typeName } from '../types.ts';
import {
  adapt,
  type CelError,
  celError,
  CelMap,
  Double,
  isMap,
  mapEntries,
  typeNameOf,
  TypeValue,
  Uint,
  type Value,
} from '../values.ts';

export interface Verb {
  readonly verb: string;
  readonly precision: number;
}

const PRECISION = 'could not parse formatting clause: error while parsing precision: ';

/** The pieces of a format: literal text and verbs in turn. Throws on a verb that does not exist. */
export function parseFormat(format: string): (string | Verb)[] {
  const parts: (string | Verb)[] = [];
  let text = '';
  for (let i = 0; i < format.length; i += 1) {
    if (format[i] !== '%') {
      text += format[i];
      continue;
    }
    i += 1;
    if (i >= format.length) throw celError('unexpected end of string');
    if (format[i] === '%') {
      text += '%';
      continue;
    }
    let precision = 6;
    if (format[i] === '.') {
      const digits = /^\d*/.exec(format.slice(i + 1))![0];
      i += 1 + digits.length;
      if (i >= format.length) throw celError(`${PRECISION}could not find end of precision specifier`);
      if (digits === '')
        throw celError(
          `${PRECISION}error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax`,
        );
      precision = Number(digits);
    }
    const verb = format[i]!;
    if (!'sdfebxXo'.includes(verb))
      throw celError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
    parts.push(text, { verb, precision });
    text = '';
  }
  parts.push(text);
  return parts;
}

/**
 * How lists and maps look. Versions of the extension up to 3, and so Kubernetes, quote the strings in them, name times, and
 * write exponents in superscript; later versions do not.
 */
export type FormatStyle = 'quoted' | 'plain';

export const formatString =
  (style: FormatStyle) =>
  (format: string, args: readonly Value[]): string =>
    formatWith(style, format, args);

function formatWith(style: FormatStyle, format: string, args: readonly Value[]): string {
  const parts = parseFormat(format);
  let next = 0;
  let result = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      result += part;
      continue;
    }
    if (next >= args.length) throw celError(`index ${next} out of range`);
    result += formatVerb(part, adapt(args[next]), style);
    next += 1;
  }
  return result;
}

function formatVerb({ verb, precision }: Verb, value: Value, style: FormatStyle): string {
  switch (verb) {
    case 's':
      return formatAny(value, style, false);
    case 'd':
      return formatDecimal(value);
    case 'f':
      return special(value) ?? fixed(number(value, 'fixed-point'), precision);
    case 'e':
      return special(value) ?? scientific(number(value, 'scientific'), precision, style);
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return radix(value, 2, 'only integers and bools can be formatted as binary');
    case 'o':
      return radix(value, 8, 'octal clause can only be used on integers');
    default: {
      const text = hexadecimal(value);
      return verb === 'X' ? text.toUpperCase() : text;
    }
  }
}

const wrong = (rule: string, value: Value): CelError =>
  celError(`error during formatting: ${rule}, was given ${nameOf(value)}`);
const nameOf = (value: Value): string => typeNameOf(value);

function formatDecimal(value: Value): string {
  if (isInt(value)) return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Double && !Number.isFinite(value.value)) return special(value)!;
  throw wrong('decimal clause can only be used on integers', value);
}

function special(value: Value): string | undefined {
  const double = value instanceof Double ? value.value : typeof value === 'string' ? fromName(value) : undefined;
  if (double === undefined || Number.isFinite(double)) return undefined;
  return Number.isNaN(double) ? 'NaN' : double > 0 ? 'Infinity' : '-Infinity';
}

const fromName = (text: string): number | undefined =>
  text === 'NaN' ? Number.NaN : text === 'Infinity' ? Infinity : text === '-Infinity' ? -Infinity : undefined;

function number(value: Value, clause: string): number {
  if (value instanceof Double) return value.value;
  if (isInt(value)) return Number(value);
  if (value instanceof Uint) return Number(value.value);
  throw wrong(`${clause} clause can only be used on doubles`, value);
}

/** Halves go to the even digit, where JavaScript rounds them up. */
function fixed(value: number, precision: number): string {
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}${precision === 0 ? '' : `.${'0'.repeat(precision)}`}`;
  const rounded = value.toFixed(Math.min(precision, 100));
  const exact = value.toFixed(Math.min(precision + 25, 100));
  const kept = exact.slice(0, exact.length - Math.min(25, 100 - precision)).replace(/\.$/, '');
  const isHalf = precision < 75 && /^\.?50*$/.test(exact.slice(kept.length));
  return isHalf && Number(kept.at(-1)) % 2 === 0 ? kept : rounded;
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** 1.5 with an exponent of two digits at least. */
function scientific(value: number, precision: number, style: FormatStyle): string {
  const [mantissa, power] = value.toExponential(precision).split('e') as [string, string];
  const exponent = Number(power);
  const digits = String(Math.abs(exponent)).padStart(2, '0');
  if (style === 'plain') return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  const raised = digits.replaceAll(/\d/g, (digit) => SUPERSCRIPTS[Number(digit)]!);
  return `${mantissa}×10${exponent < 0 ? '⁻' : ''}${raised}`;
}

function radix(value: Value, base: number, rule: string): string {
  if (isInt(value)) return value.toString(base);
  if (value instanceof Uint) return value.value.toString(base);
  throw wrong(rule, value);
}

function hexadecimal(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return radix(value, 16, 'only integers, byte buffers, and strings can be formatted as hex');
}

/** %s: strings within lists and maps are quoted. */
function formatAny(value: Value, style: FormatStyle, inner: boolean): string {
  const nested = inner && style === 'quoted';
  if (typeof value === 'string') return nested ? JSON.stringify(value) : value;
  if (typeof value === 'boolean' || isInt(value)) return String(value);
  if (value === null) return 'null';
  if (value instanceof Double) return special(value) ?? formatDouble(value.value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof Timestamp) return nested ? `timestamp("${formatTimestamp(value)}")` : formatTimestamp(value);
  if (value instanceof Duration) return nested ? `duration("${formatDuration(value)}")` : formatDuration(value);
  if (Array.isArray(value)) return `[${value.map((element) => formatAny(adapt(element), style, true)).join(', ')}]`;
  if (value instanceof CelMap || isMap(value)) {
    const entries = mapEntries(value).map(
      ([key, element]) => [formatAny(key, style, true), formatAny(element, style, true)] as const,
    );
    const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${sorted.map(([key, element]) => `${key}:${style === 'quoted' ? '' : ' '}${element}`).join(', ')}}`;
  }
  throw wrong(
    'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
    value,
  );
}

const STRINGABLE = 'string bool bytes int uint double map list type null duration timestamp'.split(' ');

/** What a verb would say to an argument of this type; undefined: it takes it. */
export function verbAccepts(verb: string, type: CelType): string | undefined {
  const { kind } = type;
  const accepted: Readonly<Record<string, readonly [readonly string[], string]>> = {
    s: [
      STRINGABLE,
      'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
    ],
    f: [['double', 'string'], 'fixed-point clause can only be used on doubles'],
    e: [['double', 'string'], 'scientific clause can only be used on doubles'],
    d: [['int', 'uint'], 'decimal clause can only be used on integers'],
    b: [['int', 'uint', 'bool'], 'only integers and bools can be formatted as binary'],
    o: [['int', 'uint'], 'octal clause can only be used on integers'],
    x: [['int', 'uint', 'bytes', 'string'], 'only integers, byte buffers, and strings can be formatted as hex'],
    X: [['int', 'uint', 'bytes', 'string'], 'only integers, byte buffers, and strings can be formatted as hex'],
  };
  const rule = accepted[verb];
  if (rule === undefined || kind === 'dyn' || kind === 'param' || rule[0].includes(kind)) return undefined;
  return `${rule[1]}, was given ${typeName(type)}`;
}
