// Equality of any two values, and order of those that have one.

import { compareNumeric, isNumeric } from './arithmetic.ts';
import { Duration, Timestamp } from './times.ts';
import {
  adapt,
  CelMap,
  CelObject,
  isMap,
  isOpaque,
  isPlainObject,
  mapEntries,
  mapGet,
  mapSize,
  Optional,
  TypeValue,
  type Value,
} from './values.ts';

/** Numbers are equal across types by their value; values of different types are not equal. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return typeof a !== 'object' || a === null || (isOpaque(a) ? a.equals(a) : !containsNaN(a));
  if (typeof a === 'string' || typeof b === 'string' || typeof a === 'boolean' || typeof b === 'boolean') return false;
  if (a === null || b === null || a === undefined || b === undefined) return (a ?? null) === (b ?? null);
  if (typeof a !== 'object' || typeof b !== 'object' || isNumeric(a) || isNumeric(b)) {
    const x = adapt(a);
    const y = adapt(b);
    return isNumeric(x) && isNumeric(y) && compareNumeric(x, y) === 0;
  }
  return equalObjects(a, b);
}

function equalObjects(a: object, b: object): boolean {
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => equals(element, b[i]));
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional) {
    if (!(b instanceof Optional) || a.present !== b.present) return false;
    return !a.present || equals(a.value, b.value);
  }
  if (a instanceof CelObject) return b instanceof CelObject && a.type === b.type && equals(a.fields, b.fields);
  if (isPlainObject(a) || a instanceof CelMap) {
    if (!isMap(b) || mapSize(a as CelMap) !== mapSize(b)) return false;
    return mapEntries(a as CelMap).every(([key, value]) => {
      const other = mapGet(b, key);
      return other !== undefined && equals(value, other);
    });
  }
  return isOpaque(a) && isOpaque(b) && a.typeName === b.typeName && a.equals(b);
}

/** NaN is not equal to itself, wherever it stands. Only values made by expressions can hold it. */
function containsNaN(value: object): boolean {
  if ('value' in value && typeof value.value === 'number') return Number.isNaN(value.value);
  return (
    Array.isArray(value) &&
    value.some((element) => typeof element === 'object' && element !== null && containsNaN(element))
  );
}

/** Negative, 0 or positive; undefined when these values have no order. */
export function compare(a: Value, b: Value): number | undefined {
  if (typeof a === 'string') return typeof b === 'string' ? compareStrings(a, b) : undefined;
  if (typeof a === 'boolean') return typeof b === 'boolean' ? Number(a) - Number(b) : undefined;
  if (isNumeric(a)) return isNumeric(b) ? compareNumeric(a, b) : undefined;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? Buffer.compare(a, b) : undefined;
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration))
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  return undefined;
}

/** By code points, where JavaScript's own order goes by UTF-16 units. */
export function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogateX = x >= 0xd800 && x <= 0xdfff;
    const surrogateY = y >= 0xd800 && y <= 0xdfff;
    return surrogateX === surrogateY ? x - y : surrogateX ? 1 : -1;
  }
  return a.length - b.length;
}
