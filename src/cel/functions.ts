// What a function is to the checker and the evaluator, and the short way in which libraries declare theirs.

import type { CelType } from './types.ts';
import type { Value } from './values.ts';

/** One signature of a function. Strict: the evaluator has evaluated all arguments. */
export interface Overload {
  /** Upstream's name of the overload: costs are looked up by it. */
  readonly id: string;
  /** Called as `args[0].f(args[1], …)`. */
  readonly member: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Undefined for operators that the evaluator itself knows. */
  readonly run?: (...args: readonly never[]) => Value;
}

export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
}

/** A library: functions that come into an environment together. */
export interface Library {
  readonly functions: readonly FunctionDeclaration[];
}

type Run = (...args: never[]) => Value;

export const fn = (name: string, ...overloads: Overload[]): FunctionDeclaration => ({ name, overloads });

/** f(args) */
export const global = (id: string, args: readonly CelType[], result: CelType, run?: Run): Overload => ({
  id,
  member: false,
  args,
  result,
  run,
});

/** args[0].f(args[1…]) */
export const member = (id: string, args: readonly CelType[], result: CelType, run?: Run): Overload => ({
  id,
  member: true,
  args,
  result,
  run,
});

/** All declarations of one name become one function, in the order given. */
export function mergeFunctions(libraries: readonly Library[]): ReadonlyMap<string, FunctionDeclaration> {
  const merged = new Map<string, FunctionDeclaration>();
  for (const { functions } of libraries)
    for (const declaration of functions) {
      const known = merged.get(declaration.name)?.overloads ?? [];
      const ids = new Set(declaration.overloads.map((overload) => overload.id));
      const overloads = [...known.filter((overload) => !ids.has(overload.id)), ...declaration.overloads];
      merged.set(declaration.name, { name: declaration.name, overloads });
    }
  return merged;
}
