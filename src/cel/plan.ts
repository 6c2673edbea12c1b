// A checked tree to closures. Each closure charges what upstream's evaluator would count for the same step: reading a name
// or a field costs 1, literals of lists 10, of maps 30, of structs 40, calls what runtime-costs.ts says.

import { type Comprehension, type Expr, OPERATORS, type Select } from './ast.ts';
import type { CelEnvironment } from './environment.ts';
import { Failure, type Evaluate, type Frame } from './frame.ts';
import { insert } from './map-entries.ts';
import { isAppend, planAppend } from './plan-append.ts';
import { planCall } from './plan-calls.ts';
import { constantOf, foldConstants } from './plan-constants.ts';
import { hasField, optionalField, planKey, readField } from './plan-fields.ts';
import { readerOf } from './typed-values.ts';
import type { CelType } from './types.ts';
import {
  CelError,
  celError,
  CelMap,
  CelObject,
  isMap,
  mapEntries,
  Optional,
  typeNameOf,
  type Value,
} from './values.ts';

const LIST_COST = 10;
const MAP_COST = 30;
const STRUCT_COST = 40;

export class Planner {
  readonly env: CelEnvironment;
  /** Most locals in use at once. */
  locals = 0;
  /** Names of comprehension variables in scope, innermost last, with their place in the frame. */
  readonly #scope: { readonly name: string; readonly slot: number; readonly read: (value: Value) => Value }[] = [];

  constructor(env: CelEnvironment) {
    this.env = env;
  }

  plan(expr: Expr): Evaluate {
    const folded = foldConstants(expr, this.env);
    if (folded !== undefined) {
      const { value } = folded;
      return () => value;
    }
    switch (expr.kind) {
      case 'const': {
        const { value } = expr;
        return () => value;
      }
      case 'ident':
        return this.#name(expr.reference ?? expr.name, expr.type!, 1);
      case 'select':
        return this.#select(expr, 1);
      case 'call':
        return planCall(this, expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'comprehension':
        return this.#comprehension(expr);
    }
  }

  /** What is read by name, field or index is one step upstream: as a branch of a condition it costs 1 less. */
  planBranch(expr: Expr): Evaluate {
    if (expr.kind === 'ident' && expr.constant === undefined)
      return this.#name(expr.reference ?? expr.name, expr.type!, 0);
    if (expr.kind === 'select' && !expr.testOnly) return this.#select(expr, 0);
    if (expr.kind === 'call' && isIndex(expr)) return planCall(this, expr, 0);
    return this.plan(expr);
  }

  /** The operand of a field or index: what is not itself read from a name costs 1 for the first step into it. */
  planOperand(expr: Expr, base: number): Evaluate {
    if (expr.kind === 'ident' && expr.constant === undefined)
      return this.#name(expr.reference ?? expr.name, expr.type!, base);
    if (expr.kind === 'select' && !expr.testOnly) return this.#select(expr, base);
    if (expr.kind === 'call' && isIndex(expr)) return planCall(this, expr, base);
    if (expr.kind === 'call' && expr.name === OPERATORS.conditional) return this.plan(expr);
    const operand = this.plan(expr);
    if (base === 0) return operand;
    return (frame) => {
      const value = operand(frame);
      frame.charge(base);
      return value;
    };
  }

  #name(name: string, type: CelType, cost: number): Evaluate {
    const local = this.#scope.findLast((candidate) => candidate.name === name);
    if (local !== undefined) {
      const { slot, read } = local;
      return (frame) => {
        frame.charge(cost);
        const value = frame.locals[slot];
        if (value instanceof Failure) throw value.error;
        return read(value);
      };
    }
    const read = readerOf(type);
    return (frame) => {
      frame.charge(cost);
      return read(frame.variable(name));
    };
  }

  #select(expr: Select, base: number): Evaluate {
    if (expr.constant !== undefined) {
      const { constant } = expr;
      return () => constant;
    }
    if (expr.reference !== undefined) return this.#name(expr.reference, expr.type!, base);
    const key = planKey(expr.operand.type!, expr.field);
    if (expr.testOnly) {
      const operand = this.planOperand(expr.operand, 1);
      return (frame) => hasField(operand(frame), key);
    }
    const operand = this.planOperand(expr.operand, base);
    const read = readerOf(expr.type!);
    return (frame) => {
      const value = operand(frame);
      frame.charge(1);
      return value instanceof Optional ? optionalField(value, key, read, true) : readField(value, key, read);
    };
  }

  #list(expr: Extract<Expr, { kind: 'list' }>): Evaluate {
    const elements = expr.elements.map((element) => this.plan(element));
    const { optional } = expr;
    return (frame) => {
      const list: Value[] = [];
      for (let i = 0; i < elements.length; i += 1) {
        const value = orCharge(elements[i]!, frame, LIST_COST);
        if (!optional.has(i)) list.push(value);
        else if (asOptional(value).present) list.push((value as Optional).value);
      }
      frame.charge(LIST_COST);
      return list;
    };
  }

  #map(expr: Extract<Expr, { kind: 'map' }>): Evaluate {
    const entries = expr.entries.map((entry) => ({
      key: this.plan(entry.key),
      value: this.plan(entry.value),
      optional: entry.optional,
    }));
    return (frame) => {
      const map = new Map<string | number | bigint | boolean, readonly [Value, Value]>();
      for (const entry of entries) {
        const key = orCharge(entry.key, frame, MAP_COST);
        const value = orCharge(entry.value, frame, MAP_COST);
        if (!entry.optional) insert(map, key, value);
        else if (asOptional(value).present) insert(map, key, (value as Optional).value);
      }
      frame.charge(MAP_COST);
      return new CelMap(map);
    };
  }

  #struct(expr: Extract<Expr, { kind: 'struct' }>): Evaluate {
    const struct = this.env.structType(expr.typeName.replace(/^\./, ''))!;
    const entries = expr.entries.map(({ field, value, optional }) => ({ field, optional, value: this.plan(value) }));
    return (frame) => {
      const fields: Record<string, Value> = {};
      for (const { field, value, optional } of entries) {
        const given = value(frame);
        if (!optional) fields[field] = given;
        else if (asOptional(given).present) fields[field] = (given as Optional).value;
      }
      frame.charge(STRUCT_COST);
      return struct.make === undefined ? new CelObject(struct.name, fields) : struct.make(fields);
    };
  }

  #bind(name: string, type: CelType): number {
    const slot = this.#scope.length;
    this.#scope.push({ name, slot, read: readerOf(type) });
    this.locals = Math.max(this.locals, this.#scope.length);
    return slot;
  }

  #comprehension(expr: Comprehension): Evaluate {
    const range = this.plan(expr.range);
    const init = this.plan(expr.init);
    const depth = this.#scope.length;
    const accumulator = this.#bind(expr.accumulator, expr.init.type!);
    const [first, second] = iteratedTypes(expr.range.type!, expr.variable2 !== undefined);
    const variable = this.#bind(expr.variable, first);
    const variable2 = expr.variable2 === undefined ? undefined : this.#bind(expr.variable2, second);
    const condition = this.plan(expr.condition);
    const append = isAppend(expr);
    const step = append ? planAppend(this, expr, accumulator) : this.plan(expr.step);
    this.#scope.length = depth + 1;
    const result = this.plan(expr.result);
    this.#scope.length = depth;
    const always = constantOf(expr.condition) === true;
    const forgiving = expr.condition.kind === 'call' && expr.condition.name === OPERATORS.notStrictlyFalse;

    const once = (frame: Frame, a: Value, b: Value): boolean => {
      frame.locals[variable] = a;
      if (variable2 !== undefined) frame.locals[variable2] = b;
      if (!always && condition(frame) !== true) return false;
      if (forgiving) frame.locals[accumulator] = attempt(step, frame);
      else if (append) step(frame);
      else frame.locals[accumulator] = step(frame);
      return true;
    };
    const two = variable2 !== undefined;
    return (frame) => {
      const over = range(frame);
      const start = init(frame);
      frame.locals[accumulator] = append ? (Array.isArray(start) ? [] : new CelMap(new Map())) : start;
      if (Array.isArray(over)) {
        for (let i = 0; i < over.length; i += 1) if (!once(frame, two ? i : over[i], over[i])) break;
      } else if (isMap(over)) {
        for (const [key, value] of mapEntries(over)) if (!once(frame, key, value)) break;
      } else throw celError(`got '${goTypeName(over)}', expected iterable type`);
      return result(frame);
    };
  }
}

/** Upstream's message shows the type of its implementation. */
function goTypeName(value: Value): string {
  const name = typeNameOf(value).replace(/^google\.protobuf\.|_type$/, '');
  return `types.${name[0]!.toUpperCase()}${name.slice(1)}`;
}

const isIndex = (expr: Extract<Expr, { kind: 'call' }>): boolean =>
  expr.name === OPERATORS.index || expr.name === OPERATORS.optIndex || expr.name === OPERATORS.optSelect;

function iteratedTypes(range: CelType, two: boolean): [CelType, CelType] {
  const int: CelType = { kind: 'int' };
  const dyn: CelType = { kind: 'dyn' };
  if (range.kind === 'list') return two ? [int, range.element] : [range.element, dyn];
  return range.kind === 'map' ? [range.key, range.value] : [dyn, dyn];
}

/** A literal that fails in one of its parts costs what it costs. */
function orCharge(part: Evaluate, frame: Frame, cost: number): Value {
  try {
    return part(frame);
  } catch (error) {
    if (error instanceof CelError) frame.charge(cost);
    throw error;
  }
}

/** An error of the step is kept: a later element may decide. */
function attempt(step: Evaluate, frame: Frame): Value {
  try {
    return step(frame);
  } catch (error) {
    if (error instanceof CelError) return new Failure(error);
    throw error;
  }
}

function asOptional(value: Value): Optional {
  if (value instanceof Optional) return value;
  throw celError(`cannot initialize optional list element from non-optional value ${String(value)}`);
}
