// The tree of an expression. Macros are expanded while parsing, so that what follows knows comprehensions only. The checker
// writes each node's type and what its name or call refers to into the node.

import type { Overload } from './functions.ts';
import type { CelType } from './types.ts';
import type { Value } from './values.ts';

interface Node {
  /** UTF-16 offset of the token that stands for the node: an operator, a dot, an opening bracket. */
  readonly offset: number;
  /** Set by the checker. */
  type?: CelType;
}

export interface Constant extends Node {
  readonly kind: 'const';
  readonly constType: CelType;
  readonly value: Value;
}

export interface Ident extends Node {
  readonly kind: 'ident';
  /** With a leading dot when the text had one. */
  readonly name: string;
  /** The declared name, set by the checker: a qualified name may be one variable. */
  reference?: string;
  /** A variable of a comprehension around. */
  local?: true;
  /** Set when the name is a constant of the environment (an enum value, a type). */
  constant?: Value;
}

export interface Select extends Node {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** has(operand.field) */
  readonly testOnly: boolean;
  /** Set when the whole of it is one qualified name. */
  reference?: string;
  local?: true;
  constant?: Value;
}

export interface Call extends Node {
  readonly kind: 'call';
  readonly name: string;
  readonly target?: Expr;
  readonly args: readonly Expr[];
  /** The overloads that fit the types of the arguments. */
  overloads?: readonly Overload[];
  /** `strings.quote(x)`: the target is part of the function's name. */
  qualified?: string;
}

export interface ListLiteral extends Node {
  readonly kind: 'list';
  readonly elements: readonly Expr[];
  /** Positions of `?element`. */
  readonly optional: ReadonlySet<number>;
}

export interface MapEntry {
  readonly offset: number;
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}

export interface MapLiteral extends Node {
  readonly kind: 'map';
  readonly entries: readonly MapEntry[];
}

export interface StructField {
  readonly offset: number;
  readonly field: string;
  readonly value: Expr;
  readonly optional: boolean;
}

export interface StructLiteral extends Node {
  readonly kind: 'struct';
  readonly typeName: string;
  readonly entries: readonly StructField[];
}

export interface Comprehension extends Node {
  readonly kind: 'comprehension';
  readonly range: Expr;
  readonly variable: string;
  /** Of two-variable comprehensions. */
  readonly variable2?: string;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

export type Expr = Constant | Ident | Select | Call | ListLiteral | MapLiteral | StructLiteral | Comprehension;

/** The operators under the names that upstream's messages show. */
export const OPERATORS = {
  conditional: '_?_:_',
  and: '_&&_',
  or: '_||_',
  not: '!_',
  equals: '_==_',
  notEquals: '_!=_',
  less: '_<_',
  lessEquals: '_<=_',
  greater: '_>_',
  greaterEquals: '_>=_',
  in: '@in',
  add: '_+_',
  subtract: '_-_',
  multiply: '_*_',
  divide: '_/_',
  modulo: '_%_',
  negate: '-_',
  index: '_[_]',
  optIndex: '_[?_]',
  optSelect: '_?._',
  notStrictlyFalse: '@not_strictly_false',
  mapInsert: 'cel.@mapInsert',
} as const;

export const ACCUMULATOR = '@result';

/** All nodes below and including this one. */
export function* walk(expr: Expr): Generator<Expr> {
  yield expr;
  for (const child of children(expr)) yield* walk(child);
}

export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'const':
    case 'ident':
      return [];
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    case 'list':
      return expr.elements;
    case 'map':
      return expr.entries.flatMap((entry) => [entry.key, entry.value]);
    case 'struct':
      return expr.entries.map((entry) => entry.value);
    case 'comprehension':
      return [expr.range, expr.init, expr.condition, expr.step, expr.result];
  }
}
