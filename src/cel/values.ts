// Values while an expression runs. Integers are numbers while they are safe and bigints beyond; whatever else JavaScript
// would confuse with them has a class. JSON is read in place: `adapt` turns a JSON number into a value when it is read out
// of an object or list.

import { type CelType, typeName } from './types.ts';

/** null, boolean, string, number | bigint (int), Double, Uint, Uint8Array, Timestamp, Duration, arrays, CelMap or plain JSON objects, CelObject, TypeValue, Optional, and what libraries bring. */
export type Value = unknown;

export const INT_MIN = -(2n ** 63n);
export const INT_MAX = 2n ** 63n - 1n;
export const UINT_MAX = 2n ** 64n - 1n;

/**
 * A failed evaluation; the text is upstream's. It is thrown, and caught before it leaves a program, but is no Error: failing
 * is ordinary here (`a.b == 1 || true`), and a stack, which nobody reads, would cost more than the evaluation.
 */
export class CelError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export const celError = (message: string): CelError => new CelError(message);

export class Double {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A value of type `type`. */
export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  static of(type: CelType): TypeValue {
    return new TypeValue(typeName(type));
  }
}

export class Optional {
  static readonly none = new Optional(undefined);
  /** Undefined: no value. */
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
  get present(): boolean {
    return this.value !== undefined;
  }
}

/** A value in an object that is computed when it is first read: `variables.x` of a policy. */
export class Lazy {
  readonly #compute: () => Value;
  #computed: { readonly value: Value } | undefined;
  constructor(compute: () => Value) {
    this.#compute = compute;
  }
  get value(): Value {
    this.#computed ??= { value: this.#compute() };
    return this.#computed.value;
  }
}

/** Values of a library's own type: addresses, quantities, semantic versions. */
export interface Opaque {
  readonly typeName: string;
  equals(other: Opaque): boolean;
  /** Elements counted by the cost of comparing; 1 when undefined. */
  readonly size?: number;
}

export function isOpaque(value: Value): value is Opaque {
  return typeof value === 'object' && value !== null && 'typeName' in value && typeof value.typeName === 'string';
}

/** An object made by the expression: `JSONPatch{op: "add"}`, `Object{spec: …}`. Fields are by JSON name. */
export class CelObject {
  readonly type: string;
  readonly fields: Readonly<Record<string, Value>>;
  constructor(type: string, fields: Readonly<Record<string, Value>>) {
    this.type = type;
    this.fields = fields;
  }
}

/** A map made by the expression: keys are strings, booleans and numbers of all three types, which compare across types. */
export class CelMap {
  /** mapKey(key) → key and value, in order of insertion. */
  readonly entries: ReadonlyMap<string | number | bigint | boolean, readonly [Value, Value]>;
  constructor(entries: ReadonlyMap<string | number | bigint | boolean, readonly [Value, Value]>) {
    this.entries = entries;
  }
}

/** Equal keys, and only those, have the same mapKey; undefined: no value may be such a key. */
export function mapKey(key: Value): string | number | bigint | boolean | undefined {
  switch (typeof key) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return key;
    default:
      if (key instanceof Uint) return canonicalInt(key.value);
      if (key instanceof Double)
        return Number.isInteger(key.value) ? canonicalInt(BigInt(key.value)) : `double:${key.value}`;
      return undefined;
  }
}

/** A safe number where possible: so that equal integers are identical. */
export function canonicalInt(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
}

/** A value read from JSON, or one already made: numbers become int or double as upstream's decoder decides. */
export function adapt(value: Value): Value {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) return BigInt(value);
  return new Double(value);
}

export function isMap(value: Value): value is CelMap | Readonly<Record<string, Value>> {
  if (typeof value !== 'object' || value === null) return false;
  return value instanceof CelMap || isPlainObject(value);
}

export function isPlainObject(value: object): value is Readonly<Record<string, Value>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function mapSize(map: CelMap | Readonly<Record<string, Value>>): number {
  return map instanceof CelMap ? map.entries.size : Object.keys(map).length;
}

export function mapKeys(map: CelMap | Readonly<Record<string, Value>>): Value[] {
  return map instanceof CelMap ? [...map.entries.values()].map(([key]) => key) : Object.keys(map);
}

/** Undefined: no such key. */
export function mapGet(map: CelMap | Readonly<Record<string, Value>>, key: Value): Value | undefined {
  if (map instanceof CelMap) {
    const canonical = mapKey(key);
    return canonical === undefined ? undefined : adapt(map.entries.get(canonical)?.[1]);
  }
  return typeof key === 'string' && Object.hasOwn(map, key) ? adapt(map[key]) : undefined;
}

export function mapEntries(map: CelMap | Readonly<Record<string, Value>>): (readonly [Value, Value])[] {
  if (map instanceof CelMap) return [...map.entries.values()];
  return Object.entries(map).map(([key, value]) => [key, adapt(value)] as const);
}

/** The name `type(value)` answers with. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isSafeInteger(value) ? 'int' : 'double';
    case 'bigint':
      return 'int';
    case 'undefined':
      return 'null_type';
    default:
  }
  if (value === null) return 'null_type';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Double) return 'double';
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof TypeValue) return 'type';
  if (value instanceof Optional) return 'optional_type';
  if (value instanceof CelObject) return value.type;
  return isOpaque(value) ? value.typeName : 'map';
}

export const codePoints = (text: string): number => {
  // Only text with surrogates needs counting.
  let count = text.length;
  for (let i = 0; i < text.length - 1; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(i + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      count -= 1;
      i += 1;
    }
  }
  return count;
};
