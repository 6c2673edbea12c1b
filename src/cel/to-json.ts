// Values of the language as JSON: what policies write, claims map to, messages hold.

import {
  adapt,
  CelMap,
  CelObject,
  Double,
  isMap,
  isOpaque,
  mapEntries,
  Optional,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';
import { celError } from './values.ts';

/** Throws a CelError for what JSON cannot hold. Integers beyond 2^53 become the nearest number. */
export function toJson(given: Value): unknown {
  const value = adapt(given);
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'number':
      return value;
    case 'bigint':
      return Number(value);
    default:
  }
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Double) return finite(value.value);
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Optional) return value.present ? toJson(value.value) : null;
  if (value instanceof CelObject) return fieldsToJson(Object.entries(value.fields));
  if (value instanceof CelMap || isMap(value)) return fieldsToJson(mapEntries(value));
  if (isOpaque(value) && 'toJSON' in value && typeof value.toJSON === 'function')
    return (value.toJSON as () => unknown)();
  throw celError(
    `unsupported conversion of type '${value instanceof TypeValue ? 'type' : isOpaque(value) ? value.typeName : typeof value}' to JSON`,
  );
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw celError('cannot convert a number that is not finite to JSON');
}

function fieldsToJson(entries: readonly (readonly [Value, Value])[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    if (typeof key !== 'string') throw celError('only maps with keys of type string can be converted to JSON');
    // A key may be named like something every object inherits.
    Object.defineProperty(object, key, { value: toJson(value), enumerable: true, writable: true, configurable: true });
  }
  return object;
}
