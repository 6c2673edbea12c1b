// Calls to closures. Operators that do not evaluate all their arguments stand here; everything else evaluates its arguments,
// picks the overload that takes them, runs it and charges its cost.

import type { Call, Expr } from './ast.ts';
import { OPERATORS } from './ast.ts';
import { equals } from './equality.ts';
import { type Evaluate, type Frame } from './frame.ts';
import type { Overload } from './functions.ts';
import { addSchemaList, equalSchemaLists, schemaListOf } from './schema-lists.ts';
import type { Planner } from './plan.ts';
import { foldConstants } from './plan-constants.ts';
import { optionalField, optionalIndex, planKey, readIndex } from './plan-fields.ts';
import { COSTED_BY_RESULT, type RuntimeCost, runtimeCostOf } from './runtime-costs.ts';
import { compilePattern } from './standard.ts';
import { deepReaderOf, matcherOf, readerOf } from './typed-values.ts';
import { isOptional, type CelType } from './types.ts';
import { CelError, celError, isMap, mapGet, Optional, type Value } from './values.ts';
import { typeConversionError } from './conversions.ts';

export function planCall(planner: Planner, expr: Call, base = 1): Evaluate {
  switch (expr.name) {
    case OPERATORS.and:
      return planLogical(planner, expr, false);
    case OPERATORS.or:
      return planLogical(planner, expr, true);
    case OPERATORS.conditional:
      return planConditional(planner, expr);
    case OPERATORS.notStrictlyFalse:
      return planNotStrictlyFalse(planner, expr);
    case OPERATORS.index:
    case OPERATORS.optIndex:
      return planIndex(planner, expr, base);
    case OPERATORS.optSelect:
      return planOptionalSelect(planner, expr, base);
    case OPERATORS.equals:
    case OPERATORS.notEquals:
      return planEquality(planner, expr);
    case OPERATORS.add:
      return planAdd(planner, expr);
    case OPERATORS.in:
      return planMembership(planner, expr);
    default:
      return expr.target !== undefined && (expr.name === 'orValue' || expr.name === 'or')
        ? planOr(planner, expr)
        : planStrict(planner, expr);
  }
}

/** `&&` and `||`: a side that decides makes up for an error of the other. */
function planLogical(planner: Planner, expr: Call, decisive: boolean): Evaluate {
  const left = planner.plan(expr.args[0]!);
  const right = planner.plan(expr.args[1]!);
  const bool = (value: Value): boolean => {
    if (typeof value === 'boolean') return value;
    throw celError('no such overload');
  };
  return (frame) => {
    let failed: CelError;
    try {
      if (bool(left(frame)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      failed = error;
      if (bool(right(frame)) === decisive) return decisive;
      throw failed;
    }
    return bool(right(frame));
  };
}

function planConditional(planner: Planner, expr: Call): Evaluate {
  const condition = planner.plan(expr.args[0]!);
  const yes = planner.planBranch(expr.args[1]!);
  const no = planner.planBranch(expr.args[2]!);
  return (frame) => {
    const value = condition(frame);
    if (value === true) return yes(frame);
    if (value === false) return no(frame);
    throw celError('no such overload');
  };
}

function planNotStrictlyFalse(planner: Planner, expr: Call): Evaluate {
  const condition = planner.plan(expr.args[0]!);
  return (frame) => {
    let value: Value = true;
    try {
      value = condition(frame);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
    }
    frame.charge(1);
    return value !== false;
  };
}

function planIndex(planner: Planner, expr: Call, base: number): Evaluate {
  const operand = planner.planOperand(expr.args[0]!, base);
  const key = expr.args[1]!;
  const optional = expr.name === OPERATORS.optIndex;
  // A name or field as the index is a step like the index itself; anything else is a step more.
  const isPath = (key.kind === 'ident' || (key.kind === 'select' && !key.testOnly)) && key.constant === undefined;
  const cost = isPath || (key.kind === 'call' && key.name === OPERATORS.index) ? 0 : 1;
  const index = planner.plan(key);
  const read = readerOf(optional && isOptional(expr.type!) ? expr.type.parameters[0]! : expr.type!);
  return (frame) => {
    const value = operand(frame);
    const at = index(frame);
    if (optional || value instanceof Optional) {
      const found = optionalIndex(value, at, read);
      if (found.present) frame.charge(cost);
      return found;
    }
    frame.charge(cost);
    return readIndex(value, at, read);
  };
}

function planOptionalSelect(planner: Planner, expr: Call, base: number): Evaluate {
  const operand = planner.planOperand(expr.args[0]!, base);
  const key = planKey(expr.args[0]!.type!, String((expr.args[1] as Extract<Expr, { kind: 'const' }>).value));
  const read = readerOf(isOptional(expr.type!) ? expr.type.parameters[0]! : expr.type!);
  return (frame) => {
    const found = optionalField(operand(frame), key, read, false);
    if (found.present) frame.charge(1);
    return found;
  };
}

function planEquality(planner: Planner, expr: Call): Evaluate {
  const left = planner.plan(expr.args[0]!);
  const right = planner.plan(expr.args[1]!);
  const wanted = expr.name === OPERATORS.equals;
  const cost = runtimeCostOf(expr.name, 'equals');
  const list = schemaListOf(expr.args[0]!) ?? schemaListOf(expr.args[1]!);
  const same = list === undefined ? equals : (a: Value, b: Value): boolean => equalSchemaLists(list, a, b);
  return (frame) => {
    const a = argument(frame, left, right);
    const b = argument(frame, right);
    frame.charge(typeof a === 'object' || typeof a === 'string' ? cost([a, b], undefined) : 1);
    return same(a, b) === wanted;
  };
}

function planAdd(planner: Planner, expr: Call): Evaluate {
  const list = schemaListOf(expr.args[0]!);
  if (list === undefined) return planStrict(planner, expr);
  const left = planner.plan(expr.args[0]!);
  const right = planner.plan(expr.args[1]!);
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    if (!Array.isArray(a) || !Array.isArray(b)) throw celError('no such overload');
    frame.charge(1);
    return addSchemaList(list, a, b);
  };
}

/** `x in [literals]` is a look-up and free; other lists are walked. */
function planMembership(planner: Planner, expr: Call): Evaluate {
  const [element, container] = expr.args;
  const literals = container!.kind === 'list' ? foldConstants(container!, planner.env)?.value : undefined;
  if (Array.isArray(literals) && literals.every((literal) => typeof literal !== 'object')) {
    const value = planner.plan(element!);
    const set = new Set<Value>(literals);
    return (frame) => {
      const wanted = value(frame);
      return typeof wanted === 'object' ? literals.some((literal) => equals(literal, wanted)) : set.has(wanted);
    };
  }
  const value = planner.plan(element!);
  const within = planner.plan(container!);
  return (frame) => {
    const wanted = value(frame);
    const collection = within(frame);
    if (Array.isArray(collection)) {
      frame.charge(expr.overloads?.length === 1 ? collection.length : 1);
      return collection.some((candidate) => equals(candidate, wanted));
    }
    if (!isMap(collection)) throw celError('no such overload');
    frame.charge(1);
    return mapGet(collection, wanted) !== undefined;
  };
}

/** a.or(b), a.orValue(b): b is not evaluated when a has a value. */
function planOr(planner: Planner, expr: Call): Evaluate {
  const target = planner.plan(expr.target!);
  const other = planner.plan(expr.args[0]!);
  const unwrap = expr.name === 'orValue';
  return (frame) => {
    const optional = target(frame);
    if (!(optional instanceof Optional)) throw celError('no such overload');
    if (!optional.present) return other(frame);
    return unwrap ? optional.value : optional;
  };
}

/** A pattern that is a literal is found wrong before anything runs. */
function compileLiteralPattern(name: string, expr: Call): void {
  const pattern = expr.args[expr.target === undefined ? 1 : 0];
  if (['find', 'findAll', 'matches'].includes(name) && pattern?.kind === 'const' && typeof pattern.value === 'string')
    compilePattern(pattern.value);
}

interface Candidate {
  readonly run: (...args: Value[]) => Value;
  readonly matches: readonly ((value: Value) => boolean)[];
  readonly cost: RuntimeCost;
  readonly costedByResult: boolean;
}

function planStrict(planner: Planner, expr: Call): Evaluate {
  const name = expr.qualified ?? expr.name;
  compileLiteralPattern(name, expr);
  const args = expr.target === undefined || expr.qualified !== undefined ? expr.args : [expr.target, ...expr.args];
  const plans = args.map((arg) => planArgument(planner, arg));
  const candidates = candidatesOf(name, expr, planner);
  const fail = (values: readonly Value[]): CelError => noOverload(name, values);
  const [a, b] = plans;
  const [only] = candidates;
  if (candidates.length === 1 && plans.length === 1) {
    const [matches] = only!.matches;
    return (frame) => {
      const x = argument(frame, a!);
      if (!matches!(x)) return refuse(frame, fail([x]));
      return apply(frame, only!, [x]);
    };
  }
  if (candidates.length === 1 && plans.length === 2) {
    const [matchesA, matchesB] = only!.matches;
    return (frame) => {
      const x = argument(frame, a!, b);
      const y = argument(frame, b!);
      if (!matchesA!(x) || !matchesB!(y)) return refuse(frame, fail([x, y]));
      return apply(frame, only!, [x, y]);
    };
  }
  return (frame) => runAny(frame, plans, candidates, fail);
}

function runAny(
  frame: Frame,
  plans: readonly Evaluate[],
  candidates: readonly Candidate[],
  fail: (values: readonly Value[]) => CelError,
): Value {
  const values = plans.map((plan, i) => argument(frame, plan, ...plans.slice(i + 1)));
  const fitting = candidates.find(({ matches }) => matches.every((fits, i) => fits(values[i])));
  return fitting === undefined ? refuse(frame, fail(values)) : apply(frame, fitting, values);
}

/** A call whose argument fails has evaluated the others too, and has cost something. */
function argument(frame: Frame, plan: Evaluate, ...others: readonly (Evaluate | undefined)[]): Value {
  try {
    return plan(frame);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    for (const other of others) settle(frame, other);
    frame.charge(1);
    throw error;
  }
}

function settle(frame: Frame, plan: Evaluate | undefined): void {
  try {
    plan?.(frame);
  } catch (error) {
    // The first error is the one that counts.
    if (!(error instanceof CelError)) throw error;
  }
}

function refuse(frame: Frame, error: CelError): never {
  frame.charge(1);
  throw error;
}

function apply(frame: Frame, candidate: Candidate, values: readonly Value[]): Value {
  if (!candidate.costedByResult) {
    frame.charge(candidate.cost(values, undefined));
    return candidate.run(...values);
  }
  let result: Value;
  try {
    result = candidate.run(...values);
  } catch (error) {
    if (error instanceof CelError) frame.charge(candidate.cost(values, undefined));
    throw error;
  }
  frame.charge(candidate.cost(values, result));
  return result;
}

/** With arguments of unknown type, an overload that the checker did not think of may fit when it runs. */
function candidatesOf(name: string, expr: Call, planner: Planner): Candidate[] {
  const checked = expr.overloads ?? [];
  const declared = planner.env.function(name)?.overloads ?? [];
  const overloads = checked.length === 0 ? declared : checked;
  return overloads.map((overload: Overload) => ({
    run: overload.run as unknown as (...args: Value[]) => Value,
    matches: overload.args.map(matcherOf),
    // Where the types leave several overloads open, upstream counts by the function alone.
    costedByResult: COSTED_BY_RESULT.has(name),
    cost: runtimeCostOf(name, overloads.length === 1 ? overload.id : ''),
  }));
}

function planArgument(planner: Planner, arg: Expr): Evaluate {
  const value = planner.plan(arg);
  const type: CelType = arg.type!;
  const read = type.kind === 'list' || type.kind === 'map' ? deepReaderOf(type) : undefined;
  return read === undefined ? value : (frame) => read(value(frame));
}

const CONVERSIONS: ReadonlySet<string> = new Set('bool bytes double duration int string timestamp uint'.split(' '));

function noOverload(name: string, values: readonly Value[]): CelError {
  if (CONVERSIONS.has(name)) return typeConversionError(name, values[0]);
  return celError(name === 'size' ? 'no such overload: size' : 'no such overload');
}
