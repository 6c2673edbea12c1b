// Fields, keys and indexes: reading them, asking for them, and reading them when they may be absent.

import {
  celError,
  CelMap,
  CelObject,
  Double,
  isMap,
  isPlainObject,
  Lazy,
  mapGet,
  Optional,
  Uint,
  type Value,
} from './values.ts';
import { formatDouble } from './conversions.ts';
import type { CelType } from './types.ts';

/** The JSON name of a field as an expression writes it. */
export function planKey(type: CelType, field: string): string {
  const inner = type.kind === 'opaque' && type.name === 'optional_type' ? type.parameters[0]! : type;
  return inner.kind === 'object' ? (inner.fields.get(field)?.name ?? field) : field;
}

export function readField(operand: Value, key: string, read: (value: Value) => Value): Value {
  const found = fieldOf(operand, key);
  if (found === undefined) throw celError(`no such key: ${key}`);
  return read(found);
}

/** Undefined: absent. */
function fieldOf(operand: Value, key: string): Value | undefined {
  if (typeof operand === 'object' && operand !== null) {
    if (isPlainObject(operand)) {
      const value = operand[key];
      // A key may be named like something every object inherits.
      if (
        value === undefined ||
        (value === (Object.prototype as Record<string, unknown>)[key] && !Object.hasOwn(operand, key))
      )
        return undefined;
      return value instanceof Lazy ? value.value : value;
    }
    if (operand instanceof CelMap) return mapGet(operand, key);
    if (operand instanceof CelObject) return Object.hasOwn(operand.fields, key) ? operand.fields[key] : undefined;
  }
  return undefined;
}

/** has(operand.field) */
export function hasField(operand: Value, key: string): boolean {
  if (operand instanceof Optional) return operand.present && fieldOf(operand.value, key) !== undefined;
  return fieldOf(operand, key) !== undefined;
}

/** operand.?field, and optional.field, where the value that is there must have fields. */
export function optionalField(operand: Value, key: string, read: (value: Value) => Value, strict: boolean): Optional {
  const inner = operand instanceof Optional ? operand.value : operand;
  if (inner === undefined) return Optional.none;
  if (inner === null || (strict && !isMap(inner) && !(inner instanceof CelObject)))
    throw celError(`no such key: ${key}`);
  const found = fieldOf(inner, key);
  return found === undefined ? Optional.none : new Optional(read(found));
}

/** operand[index] */
export function readIndex(operand: Value, index: Value, read: (value: Value) => Value): Value {
  const found = elementOf(operand, index);
  if (found !== undefined) return read(found);
  throw celError(`${Array.isArray(operand) ? 'index out of bounds' : 'no such key'}: ${formatKey(index)}`);
}

/** operand[?index] */
export function optionalIndex(operand: Value, index: Value, read: (value: Value) => Value): Optional {
  const inner = operand instanceof Optional ? operand.value : operand;
  if (inner === undefined) return Optional.none;
  const found = elementOf(inner, index);
  return found === undefined ? Optional.none : new Optional(read(found));
}

function elementOf(operand: Value, index: Value): Value | undefined {
  if (Array.isArray(operand)) return operand[listIndex(index)] as Value;
  if (typeof operand === 'object' && operand !== null) {
    if (operand instanceof CelMap) return mapGet(operand, index);
    if (isPlainObject(operand)) return mapGet(operand, index);
    if (operand instanceof CelObject && typeof index === 'string') return fieldOf(operand, index);
  }
  return undefined;
}

function listIndex(index: Value): number {
  if (typeof index === 'number') return index;
  if (typeof index === 'bigint') return -1;
  if (index instanceof Uint) return Number(index.value);
  if (index instanceof Double && Number.isInteger(index.value)) return index.value;
  if (index instanceof Double) throw celError(`unsupported index value '${formatDouble(index.value)}' in list`);
  throw celError(
    `unsupported index type '${typeof index === 'string' ? 'string' : typeof index === 'boolean' ? 'bool' : 'map'}' in list`,
  );
}

function formatKey(key: Value): string {
  if (key instanceof Double) return formatDouble(key.value);
  return String(key instanceof Uint ? key.value : key);
}
