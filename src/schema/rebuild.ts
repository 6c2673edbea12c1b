// The schema-guided rebuild: any parsed JSON value → the same value in normal form. Fields come out in upstream's order,
// unknown ones are left out, empty ones are dropped or written as upstream's encoder does, quantities and times become
// canonical. The fast pass only notices THAT something was unknown or of a wrong type; diagnose.ts says where.
import { canonicalQuantity } from '#machinery/quantity.ts';
import { normalizeMicroTime, normalizeTime } from '#machinery/time.ts';
import type { Field, ObjectSchema, ScalarSchema, Schema } from './types.ts';

export interface RebuildState {
  /** Object keys seen, those inside free-form values included. */
  keys: number;
  /** Keys that the schema does not know. */
  unknown: number;
}

/** Thrown when a value does not fit its type; diagnose() finds the message. */
export class WrongType extends Error {
  override readonly name = 'WrongType';
}

type Rebuilder = (value: unknown, state: RebuildState) => unknown;

/** Schema → its compiled rebuilder. */
const rebuilders = new WeakMap<Schema, Rebuilder>();
const zeros = new WeakMap<ObjectSchema, object>();

export function rebuilderOf(schema: Schema): Rebuilder {
  let found = rebuilders.get(schema);
  if (found === undefined) {
    found = compile(schema);
    rebuilders.set(schema, found);
  }
  return found;
}

/** The value in normal form. Throws WrongType; unknown fields are left out silently. */
export function rebuild<T = unknown>(value: unknown, schema: Schema): T {
  return rebuilderOf(schema)(value, { keys: 0, unknown: 0 }) as T;
}

/** What upstream writes for a value that was never set. */
export function zeroOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'object': {
      let zero = zeros.get(schema);
      if (zero === undefined) {
        const made: Record<string, unknown> = {};
        for (const field of schema.fields)
          if (field.emitEmpty) made[field.name] = field.pointer ? null : zeroOf(field.schema);
        zero = Object.freeze(made);
        zeros.set(schema, zero);
      }
      return zero;
    }
    case 'string':
      return '';
    case 'integer':
    case 'number':
    case 'intOrString':
      return 0;
    case 'boolean':
      return false;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    default:
      return null;
  }
}

function compile(schema: Schema): Rebuilder {
  switch (schema.type) {
    case 'object':
      return objectRebuilder(schema);
    case 'map':
      return mapRebuilder(schema.values);
    case 'list':
      return listRebuilder(schema.items);
    case 'any':
      return (value, state) => {
        state.keys += countKeys(value);
        return value;
      };
    default:
      return scalarRebuilder(schema);
  }
}

/** The default in normal form (defaults nest: a default of {} brings its members' defaults), else the emitted zero value. */
function absentOf(field: Field): unknown {
  if (field.default !== undefined) return rebuild(field.default, field.schema);
  if (field.emitEmpty !== true) return undefined;
  // A struct that is always written carries its members' defaults.
  return field.schema.type === 'object' ? rebuild({}, field.schema) : zeroOf(field.schema);
}

function objectRebuilder(schema: ObjectSchema): Rebuilder {
  interface Step {
    readonly name: string;
    readonly make: Rebuilder;
    readonly pointer: boolean;
    /** Written when the field is unset (or zero, without a pointer): its default, or what upstream emits; undefined for nothing. */
    readonly absent: unknown;
  }
  let steps: readonly Step[] | undefined;
  const compileSteps = (): readonly Step[] =>
    schema.fields.map((field: Field): Step => {
      // Recursive schemas: a rebuilder is looked up when it is first needed.
      let make: Rebuilder | undefined;
      return {
        name: field.name,
        make: (value, state) => (make ??= rebuilderOf(field.schema))(value, state),
        pointer: field.pointer === true,
        absent: absentOf(field),
      };
    });
  return (value, state) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new WrongType();
    const source = value as Readonly<Record<string, unknown>>;
    const out: Record<string, unknown> = {};
    let seen = 0;
    for (const step of (steps ??= compileSteps())) {
      const name = step.name;
      const given = source[name];
      if (given === undefined) {
        if (step.absent !== undefined) out[name] = step.absent;
        continue;
      }
      seen += 1;
      if (given === null) {
        if (step.absent !== undefined) out[name] = step.absent;
        continue;
      }
      const made = step.make(given, state);
      if (step.pointer || !isEmpty(made)) out[name] = made;
      else if (step.absent !== undefined) out[name] = step.absent;
    }
    let own = 0;
    for (const _ in source) own += 1;
    state.keys += own;
    if (own !== seen) {
      state.unknown += own - seen;
      for (const key in source) if (!schema.byName.has(key)) state.keys += countKeys(source[key]);
    }
    return out;
  };
}

/** Zero values of non-pointer fields: not written. Objects count as empty only when they have no member. */
function isEmpty(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value === '';
    case 'number':
      return value === 0;
    case 'boolean':
      return !value;
    case 'object': {
      if (value === null) return true;
      if (Array.isArray(value)) return value.length === 0;
      for (const _ in value) return false;
      return true;
    }
    default:
      return false;
  }
}

function mapRebuilder(values: Schema): Rebuilder {
  let make: Rebuilder | undefined;
  return (value, state) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new WrongType();
    make ??= rebuilderOf(values);
    const source = value as Readonly<Record<string, unknown>>;
    // Go writes map keys sorted.
    const keys = Object.keys(source);
    state.keys += keys.length;
    if (keys.length > 1) keys.sort();
    const out: Record<string, unknown> = {};
    for (const key of keys) {
      const given = source[key];
      const made = given === null ? zeroOf(values) : make(given, state);
      if (key === '__proto__')
        Object.defineProperty(out, key, { value: made, enumerable: true, configurable: true, writable: true });
      else out[key] = made;
    }
    return out;
  };
}

function listRebuilder(items: Schema): Rebuilder {
  let make: Rebuilder | undefined;
  return (value, state) => {
    if (!Array.isArray(value)) throw new WrongType();
    const rebuildItem = (make ??= rebuilderOf(items));
    const out: unknown[] = [];
    for (const given of value) out.push(given === null ? zeroOf(items) : rebuildItem(given, state));
    return out;
  };
}

const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2 ** 63;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function scalarRebuilder(schema: ScalarSchema): Rebuilder {
  switch (schema.type) {
    case 'string':
      return (value) => {
        if (typeof value !== 'string') throw new WrongType();
        return value;
      };
    case 'boolean':
      return (value) => {
        if (typeof value !== 'boolean') throw new WrongType();
        return value;
      };
    case 'number':
      return (value) => {
        if (typeof value !== 'number') throw new WrongType();
        return value;
      };
    case 'integer': {
      const [low, high] = schema.format === 'int32' ? [-INT32_MAX - 1, INT32_MAX] : [-INT64_MAX, INT64_MAX];
      return (value) => {
        if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) throw new WrongType();
        return value === 0 ? 0 : value;
      };
    }
    case 'intOrString':
      return (value) => {
        if (typeof value === 'string') return value;
        if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > INT32_MAX) throw new WrongType();
        return value;
      };
    case 'quantity':
      return (value) => {
        if (typeof value !== 'string' && typeof value !== 'number') throw new WrongType();
        return canonicalQuantity(typeof value === 'string' ? value.trim() : value);
      };
    case 'time':
      return (value) => normalTime(value, normalizeTime);
    case 'microTime':
      return (value) => normalTime(value, normalizeMicroTime);
    case 'bytes':
      return (value) => {
        if (typeof value !== 'string') throw new WrongType();
        // Go's decoder ignores line breaks.
        const text = value.includes('\n') || value.includes('\r') ? value.replace(/[\r\n]/g, '') : value;
        if (!BASE64.test(text)) throw new WrongType();
        return text;
      };
    default:
      return (value) => {
        if (typeof value !== 'string') throw new WrongType();
        return value;
      };
  }
}

function normalTime(value: unknown, normalize: (text: string) => string | undefined): string {
  if (typeof value !== 'string') throw new WrongType();
  const time = normalize(value);
  if (time === undefined) throw new WrongType();
  return time;
}

/** Object keys inside a free-form value. */
export function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item);
    return count;
  }
  for (const key in value) count += 1 + countKeys((value as Record<string, unknown>)[key]);
  return count;
}
