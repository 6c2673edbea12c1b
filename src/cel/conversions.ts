// string(x), int(x) and the other conversions, and Go's way of writing numbers.

import { type Int, intOverflow, makeInt, uintOverflow } from './arithmetic.ts';
import { fn, global, type Library } from './functions.ts';
import {
  Duration,
  formatDuration,
  formatTimestamp,
  makeTimestamp,
  parseDuration,
  parseTimestamp,
  type Timestamp,
} from './times.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  param,
  STRING,
  TIMESTAMP,
  typeOf,
  UINT,
} from './types.ts';
import { type CelError, celError, Double, typeNameOf, TypeValue, Uint, UINT_MAX, type Value } from './values.ts';

const unconvertible = (from: string, to: string): CelError =>
  celError(`type conversion error from '${from}' to '${to}'`);

/** A conversion that no overload takes: `no such overload: int(list)`. */
export const typeConversionError = (name: string, value: Value): CelError =>
  celError(`no such overload: ${name}(${typeNameOf(value)})`);

/** Go's %g: shortest digits that read back the same; with an exponent below -4 and from 6 on. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (value === 0 || (exponent >= -4 && exponent < 6)) return String(value);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

export function stringToInt(text: string): Int {
  if (!/^[+-]?\d+$/.test(text)) throw unconvertible('string', 'int');
  try {
    return makeInt(BigInt(text.replace(/^\+/, '')));
  } catch {
    throw unconvertible('string', 'int');
  }
}

function stringToUint(text: string): Uint {
  if (!/^\d+$/.test(text) || BigInt(text) > UINT_MAX) throw unconvertible('string', 'uint');
  return new Uint(BigInt(text));
}

function stringToDouble(text: string): Double {
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special !== null)
    return new Double(special[2]!.toLowerCase() === 'nan' ? Number.NaN : special[1] === '-' ? -Infinity : Infinity);
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw unconvertible('string', 'double');
  return new Double(value);
}

const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

function stringToBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw unconvertible('string', 'bool');
}

function doubleToInt({ value }: Double): Int {
  // 2^63 is not an int, and neither is what rounds to it.
  if (Number.isNaN(value) || value <= -(2 ** 63) || value >= 2 ** 63) throw intOverflow();
  return makeInt(BigInt(Math.trunc(value)));
}

function doubleToUint({ value }: Double): Uint {
  if (Number.isNaN(value) || value < 0 || value >= 2 ** 64) throw uintOverflow();
  return new Uint(BigInt(Math.trunc(value)));
}

function bytesToString(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw celError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

function stringToTimestamp(text: string): Timestamp {
  const timestamp = parseTimestamp(text);
  if (timestamp === undefined) throw unconvertible('string', 'google.protobuf.Timestamp');
  return timestamp;
}

function stringToDuration(text: string): Duration {
  const duration = parseDuration(text);
  if (duration === undefined) throw unconvertible('string', 'google.protobuf.Duration');
  return duration;
}

const same = (value: Value): Value => value;
const from = (id: string, type: CelType, to: CelType, run: (value: never) => Value): ReturnType<typeof global> =>
  global(id, [type], to, run);

export const CONVERSIONS: Library = {
  functions: [
    fn('bool', from('bool_to_bool', BOOL, BOOL, same), from('string_to_bool', STRING, BOOL, stringToBool)),
    fn(
      'bytes',
      from('bytes_to_bytes', BYTES, BYTES, same),
      from('string_to_bytes', STRING, BYTES, (text: string) => new TextEncoder().encode(text)),
    ),
    fn(
      'double',
      from('double_to_double', DOUBLE, DOUBLE, same),
      from('int64_to_double', INT, DOUBLE, (value: Int) => new Double(Number(value))),
      from('string_to_double', STRING, DOUBLE, stringToDouble),
      from('uint64_to_double', UINT, DOUBLE, (value: Uint) => new Double(Number(value.value))),
    ),
    fn(
      'duration',
      from('duration_to_duration', DURATION, DURATION, same),
      from('int64_to_duration', INT, DURATION, (nanos: Int) => new Duration(BigInt(nanos))),
      from('string_to_duration', STRING, DURATION, stringToDuration),
    ),
    fn('dyn', from('to_dyn', param('A'), DYN, same)),
    fn(
      'int',
      from('int64_to_int64', INT, INT, same),
      from('double_to_int64', DOUBLE, INT, doubleToInt),
      from('duration_to_int64', DURATION, INT, (value: Duration) => makeInt(value.nanos)),
      from('string_to_int64', STRING, INT, stringToInt),
      from('timestamp_to_int64', TIMESTAMP, INT, (value: Timestamp) => makeInt(value.seconds)),
      from('uint64_to_int64', UINT, INT, (value: Uint) => makeInt(value.value)),
    ),
    fn(
      'string',
      from('string_to_string', STRING, STRING, same),
      from('bool_to_string', BOOL, STRING, String),
      from('bytes_to_string', BYTES, STRING, bytesToString),
      from('double_to_string', DOUBLE, STRING, (value: Double) => formatDouble(value.value)),
      from('duration_to_string', DURATION, STRING, formatDuration),
      from('int64_to_string', INT, STRING, String),
      from('timestamp_to_string', TIMESTAMP, STRING, formatTimestamp),
      from('uint64_to_string', UINT, STRING, (value: Uint) => String(value.value)),
    ),
    fn(
      'timestamp',
      from('timestamp_to_timestamp', TIMESTAMP, TIMESTAMP, same),
      from('int64_to_timestamp', INT, TIMESTAMP, (seconds: Int) => makeTimestamp(BigInt(seconds) * 1_000_000_000n)),
      from('string_to_timestamp', STRING, TIMESTAMP, stringToTimestamp),
    ),
    fn(
      'uint',
      from('uint64_to_uint64', UINT, UINT, same),
      from('double_to_uint64', DOUBLE, UINT, doubleToUint),
      from('int64_to_uint64', INT, UINT, (value: Int) => {
        if (value < 0) throw uintOverflow();
        return new Uint(BigInt(value));
      }),
      from('string_to_uint64', STRING, UINT, stringToUint),
    ),
    fn(
      'type',
      from('type', param('A'), typeOf(param('A')), (value: Value) => new TypeValue(typeNameOf(value))),
    ),
  ],
};
