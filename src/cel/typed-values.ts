// JSON read by its declared type. Where JSON has one form for several types (numbers, strings), the type the checker knows
// decides: a number of a schema becomes a double, a date-time becomes a timestamp. Also: whether a value is of a type.

import { isNumeric } from './arithmetic.ts';
import { Duration, parseDate, parseDuration, parseTimestamp, Timestamp } from './times.ts';
import type { CelType } from './types.ts';
import {
  adapt,
  CelMap,
  Double,
  isMap,
  isOpaque,
  isPlainObject,
  Optional,
  TypeValue,
  Uint,
  typeNameOf,
  type Value,
} from './values.ts';

type Read = (value: Value) => Value;

/** How a value of this type is read out of JSON. What is a value already stays as it is. */
export function readerOf(type: CelType): Read {
  switch (type.kind) {
    case 'double':
      return (value) => (typeof value === 'number' ? new Double(value) : value);
    case 'uint':
      return (value) => (typeof value === 'number' ? new Uint(BigInt(value)) : value);
    case 'bytes':
      return (value) => (typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value);
    case 'timestamp':
      return (value) => (typeof value === 'string' ? (parseTimestamp(value) ?? parseDate(value) ?? value) : value);
    case 'duration':
      return (value) => (typeof value === 'string' ? (parseDuration(value) ?? value) : value);
    case 'int':
    case 'dyn':
    case 'any':
    case 'param':
      return adapt;
    default:
      return same;
  }
}

const same: Read = (value) => value;

/** For values that leave the reach of the checker's types (arguments of functions): lists and maps are converted as a whole. */
export function deepReaderOf(type: CelType): Read | undefined {
  switch (type.kind) {
    case 'double':
    case 'uint':
    case 'bytes':
    case 'timestamp':
    case 'duration':
      return readerOf(type);
    case 'list': {
      const read = deepReaderOf(type.element);
      return read && ((value) => (Array.isArray(value) ? value.map(read) : value));
    }
    case 'map': {
      const read = deepReaderOf(type.value);
      if (read === undefined) return undefined;
      return (value) =>
        typeof value === 'object' && value !== null && isPlainObject(value)
          ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, read(inner)]))
          : value;
    }
    default:
      return undefined;
  }
}

/** Whether a value may be an argument of this type. Elements are not looked at. */
export function matcherOf(type: CelType): (value: Value) => boolean {
  switch (type.kind) {
    case 'bool':
      return (value) => typeof value === 'boolean';
    case 'int':
      return (value) => typeof value === 'number' || typeof value === 'bigint';
    case 'string':
      return (value) => typeof value === 'string';
    case 'double':
      return (value) => value instanceof Double;
    case 'uint':
      return (value) => value instanceof Uint;
    case 'bytes':
      return (value) => value instanceof Uint8Array;
    case 'null':
      return (value) => value === null;
    case 'timestamp':
      return (value) => value instanceof Timestamp;
    case 'duration':
      return (value) => value instanceof Duration;
    case 'list':
      return (value) => Array.isArray(value);
    case 'map':
      return isMap;
    case 'type':
      return (value) => value instanceof TypeValue;
    case 'object':
      return (value) =>
        isMap(value) || (isOpaque(value) && value.typeName === type.name) || typeNameOf(value) === type.name;
    case 'opaque':
      if (type.name === 'optional_type') return (value) => value instanceof Optional;
      return (value) => isOpaque(value) && value.typeName === type.name;
    case 'wrapper': {
      const inner = matcherOf(type.of);
      return (value) => value === null || inner(value);
    }
    default:
      return () => true;
  }
}

/** Elements, characters, bytes: what costs are counted in. 1 for what has no size. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof CelMap) return value.entries.size;
  if (typeof value !== 'object' || value === null || isNumeric(value)) return 1;
  if (isPlainObject(value)) return Object.keys(value).length;
  return isOpaque(value) ? (value.size ?? 1) : 1;
}
