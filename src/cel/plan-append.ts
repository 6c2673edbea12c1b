// map(), filter() and the transform macros collect into a list or map that nobody else sees while it grows: it grows in
// place, at the price of copying it.

import { ACCUMULATOR, type Comprehension, type Expr, OPERATORS } from './ast.ts';
import type { Evaluate } from './frame.ts';
import { type Entries, insert } from './map-entries.ts';
import type { Planner } from './plan.ts';
import { type CelMap, celError, isMap, mapEntries, type Value } from './values.ts';

const LIST_COST = 10;
const CALL_COST = 1;
const NAME_COST = 1;

/** The accumulator starts empty, and each step only adds to it. */
export function isAppend(expr: Comprehension): boolean {
  if (expr.accumulator !== ACCUMULATOR) return false;
  const empty =
    (expr.init.kind === 'list' && expr.init.elements.length === 0) ||
    (expr.init.kind === 'map' && expr.init.entries.length === 0);
  return empty && addition(expr.step) !== undefined;
}

function addition(step: Expr): Extract<Expr, { kind: 'call' }> | undefined {
  if (step.kind !== 'call') return undefined;
  if (step.name === OPERATORS.conditional && isAccumulator(step.args[2]!)) return addition(step.args[1]!);
  const isAdd = step.name === OPERATORS.add && isSingleton(step.args[1]!);
  return (isAdd || step.name === OPERATORS.mapInsert) && isAccumulator(step.args[0]!) ? step : undefined;
}

const isAccumulator = (expr: Expr): boolean => expr.kind === 'ident' && expr.name === ACCUMULATOR;

/** The step with the accumulator in frame.locals[slot]; charges what the step as written would. */
export function planAppend(planner: Planner, expr: Comprehension, slot: number): Evaluate {
  const add = planAddition(planner, addition(expr.step)!, slot);
  if (expr.step.kind !== 'call' || expr.step.name !== OPERATORS.conditional) return add;
  const predicate = planner.plan(expr.step.args[0]!);
  return (frame) => {
    const wanted = predicate(frame);
    if (typeof wanted !== 'boolean') throw celError('no such overload');
    return wanted ? add(frame) : undefined;
  };
}

function planAddition(planner: Planner, call: Extract<Expr, { kind: 'call' }>, slot: number): Evaluate {
  if (call.name === OPERATORS.add) {
    const list = call.args[1] as Extract<Expr, { kind: 'list' }>;
    const element = planner.plan(list.elements[0]!);
    const literal = list.elements[0]!.kind === 'const' ? 0 : LIST_COST;
    return (frame) => {
      frame.charge(NAME_COST);
      const value = element(frame);
      frame.charge(literal + CALL_COST);
      (frame.locals[slot] as Value[]).push(value);
      return undefined;
    };
  }
  const [first, second] = call.args.slice(1).map((arg) => planner.plan(arg));
  return (frame) => {
    frame.charge(NAME_COST);
    const map = (frame.locals[slot] as CelMap).entries as Entries;
    const key = first!(frame);
    if (second !== undefined) insert(map, key, second(frame), '');
    else {
      if (!isMap(key)) throw celError('no such overload');
      for (const [k, v] of mapEntries(key)) insert(map, k, v, '');
    }
    frame.charge(CALL_COST);
    return undefined;
  };
}

const isSingleton = (expr: Expr): boolean =>
  expr.kind === 'list' && expr.elements.length === 1 && expr.optional.size === 0;
