// Timestamps (years 1 to 9999, nanoseconds) and durations (64-bit nanoseconds): reading and writing them as Go and
// protobuf do, and taking them apart in a time zone.

import { type CelError, celError, INT_MAX, INT_MIN, type Opaque } from './values.ts';

const NANOS = 1_000_000_000n;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds. */
const MIN_SECONDS = -62_135_596_800n;
const MAX_SECONDS = 253_402_300_799n;

export const timestampOverflow = (): CelError => celError('timestamp overflow');
export const durationOverflow = (): CelError => celError('duration overflow');

export class Timestamp implements Opaque {
  readonly typeName = 'google.protobuf.Timestamp';
  /** Nanoseconds since 1970. */
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
  equals(other: Opaque): boolean {
    return other instanceof Timestamp && other.nanos === this.nanos;
  }
  get seconds(): bigint {
    return floorDivide(this.nanos, NANOS);
  }
  /** 0 to 999,999,999 */
  get subsecond(): number {
    return Number(this.nanos - this.seconds * NANOS);
  }
  toJSON(): string {
    return formatTimestamp(this);
  }
}

export class Duration implements Opaque {
  readonly typeName = 'google.protobuf.Duration';
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
  equals(other: Opaque): boolean {
    return other instanceof Duration && other.nanos === this.nanos;
  }
  toJSON(): string {
    return formatDuration(this);
  }
}

const floorDivide = (a: bigint, b: bigint): bigint => (a >= 0n || a % b === 0n ? a / b : a / b - 1n);

export function makeTimestamp(nanos: bigint): Timestamp {
  const seconds = floorDivide(nanos, NANOS);
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) throw timestampOverflow();
  return new Timestamp(nanos);
}

export function makeDuration(nanos: bigint): Duration {
  if (nanos < INT_MIN || nanos > INT_MAX) throw durationOverflow();
  return new Duration(nanos);
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Undefined: not RFC 3339, or out of range. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59)
    return undefined;
  const fraction = BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  const offsetMinutes = match[8] === undefined ? 0 : Number(match[9]) * 60 + Number(match[10]);
  const offset = BigInt(match[8] === '-' ? -offsetMinutes : offsetMinutes) * 60n;
  const nanos = (secondsOf(year, month, day, hour, minute, second) - offset) * NANOS + fraction;
  const seconds = floorDivide(nanos, NANOS);
  return seconds < MIN_SECONDS || seconds > MAX_SECONDS ? undefined : new Timestamp(nanos);
}

/** A day, as CRD schemas of format date have it. */
export function parseDate(text: string): Timestamp | undefined {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? parseTimestamp(`${text}T00:00:00Z`) : undefined;
}

function daysIn(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

function secondsOf(year: number, month: number, day: number, hour: number, minute: number, second: number): bigint {
  // Date.UTC takes years below 100 for 19xx: count from a year that is 400 years later, the calendar's period.
  const ms = Date.UTC(year + 400, month - 1, day, hour, minute, second);
  return BigInt(ms / 1000) - 12_622_780_800n;
}

export function formatTimestamp(timestamp: Timestamp): string {
  const { year, month, day, hour, minute, second } = fieldsOf(timestamp, 0);
  const two = (n: number): string => String(n).padStart(2, '0');
  const fraction = timestamp.subsecond === 0 ? '' : `.${trimZeros(String(timestamp.subsecond).padStart(9, '0'))}`;
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${fraction}Z`;
}

const trimZeros = (digits: string): string => digits.replace(/0+$/, '');

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  '\u00b5s': 1000n,
  '\u03bcs': 1000n,
  ms: 1_000_000n,
  s: NANOS,
  m: 60n * NANOS,
  h: 3600n * NANOS,
};
const PART = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;

/** Go's notation (`1h30m`, `-1.5s`). Undefined: not one, or out of range. */
export function parseDuration(text: string): Duration | undefined {
  const sign = text.startsWith('-') ? -1n : 1n;
  const magnitude = /^[+-]/.test(text) ? text.slice(1) : text;
  if (magnitude === '0') return new Duration(0n);
  if (magnitude === '') return undefined;
  let nanos = 0n;
  PART.lastIndex = 0;
  for (let at = 0; at < magnitude.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const match = PART.exec(magnitude);
    if (match === null) return undefined;
    const [, whole = '', fraction = '', unit] = match;
    if (whole === '' && fraction === '') return undefined;
    const scale = UNITS[unit!]!;
    const digits = fraction.slice(0, 18);
    nanos += BigInt(whole || '0') * scale + (BigInt(digits || '0') * scale) / 10n ** BigInt(digits.length);
  }
  nanos *= sign;
  return nanos < INT_MIN || nanos > INT_MAX ? undefined : new Duration(nanos);
}

/** Protobuf's notation, as string() gives it: seconds with a fraction. */
export function formatDuration(duration: Duration): string {
  const negative = duration.nanos < 0n;
  const nanos = negative ? -duration.nanos : duration.nanos;
  const fraction = nanos % NANOS;
  const digits = fraction === 0n ? '' : `.${trimZeros(String(fraction).padStart(9, '0'))}`;
  return `${negative ? '-' : ''}${nanos / NANOS}${digits}s`;
}

export interface TimeFields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** 0 is 1 January. */
  readonly yearDay: number;
}

export function fieldsOf(timestamp: Timestamp, offsetSeconds: number): TimeFields {
  const date = new Date((Number(timestamp.seconds) + offsetSeconds) * 1000);
  const year = date.getUTCFullYear();
  const first = new Date(date);
  first.setUTCMonth(0, 1);
  return {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
    yearDay: Math.round((date.getTime() - first.getTime()) / 86_400_000),
  };
}

const zones = new Map<string, Intl.DateTimeFormat | undefined>();
/** Names come from users: the formats kept are bounded. */
const ZONES_MAX = 100;

/** Seconds that the zone's clocks are ahead at this time: `+02:00`, `-8:00`, `UTC`, a name of the IANA database. */
export function zoneOffset(timestamp: Timestamp, zone: string): number {
  if (zone === '' || zone === 'UTC') return 0;
  const fixed = /^([+-]?)(\d\d?):(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const [, sign, hours, minutes] = fixed;
    const seconds = Number(hours) * 3600 + Number(minutes) * 60;
    if (Number(hours) < 24 && Number(minutes) < 60) return sign === '-' ? -seconds : seconds;
  }
  const format = zoneFormat(zone);
  if (format === undefined) throw celError(`unknown time zone ${zone}`);
  const seconds = Number(timestamp.seconds);
  const parts = Object.fromEntries(format.formatToParts(seconds * 1000).map((part) => [part.type, part.value]));
  const year = parts.era === 'B' ? 1 - Number(parts.year) : Number(parts.year);
  const [month, day, hour, minute, second] = [parts.month, parts.day, parts.hour, parts.minute, parts.second].map(
    Number,
  ) as [number, number, number, number, number];
  return Number(secondsOf(year, month, day, hour % 24, minute, second)) - seconds;
}

function zoneFormat(zone: string): Intl.DateTimeFormat | undefined {
  if (zones.has(zone)) return zones.get(zone);
  if (zones.size >= ZONES_MAX) zones.clear();
  let format: Intl.DateTimeFormat | undefined;
  try {
    if (!/^[+-]/.test(zone))
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        hourCycle: 'h23',
        era: 'narrow',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
  } catch (error) {
    // Intl knows no zone of that name.
    if (!(error instanceof RangeError)) throw error;
  }
  zones.set(zone, format);
  return format;
}
