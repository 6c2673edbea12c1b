// The door to the expression language: text and environment in, a program that can be evaluated many times out.

import { walk, type Expr } from './ast.ts';
import { check } from './checker.ts';
import { estimateCost } from './cost-estimate.ts';
import type { CelEnvironment } from './environment.ts';
import { BudgetExceeded, type Evaluate, Frame } from './frame.ts';
import { parse } from './parser.ts';
import { Planner } from './plan.ts';
import { formatIssues, type Issue, toCompileErrors } from './source.ts';
import type { CelType } from './types.ts';
import { validateLiterals } from './validate-literals.ts';
import { CelError, type Value } from './values.ts';

export interface CompileError {
  /** 1-based line, 0-based column in characters; -1: the expression as a whole. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface CompileErrors {
  readonly ok: false;
  /** program: it is well formed, but a constant in it cannot be computed (`int('a')`). */
  readonly stage: 'compile' | 'program';
  readonly errors: readonly CompileError[];
  /** All errors as upstream prints them, with the line of source and a mark under the place. */
  readonly text: string;
}

export interface EvaluateOptions {
  /** Cost at which evaluation is given up; none: unbounded. */
  readonly budget?: number;
}

export type Evaluation =
  | { readonly ok: true; readonly value: Value; readonly cost: number }
  /** `code` budget: the cost limit was reached. */
  | { readonly ok: false; readonly code: 'error' | 'budget'; readonly message: string; readonly cost: number };

export interface CostRange {
  readonly min: number;
  readonly max: number;
}

export interface Program {
  readonly ok: true;
  readonly expression: string;
  /** What it evaluates to. */
  readonly type: CelType;
  /** Variables of the environment that the expression names. */
  readonly references: ReadonlySet<string>;
  /** Values of variables are plain JSON or values of the language. A function is called at most once, when the variable is first read. */
  evaluate(variables: Readonly<Record<string, unknown>>, options?: EvaluateOptions): Evaluation;
  /** The static estimate, from the bounds of the variables' types (maxElements). */
  estimateCost(): CostRange;
}

export function compile(expression: string, env: CelEnvironment): Program | CompileErrors {
  const parsed = parse(expression, env);
  if ('issues' in parsed) return failed(expression, parsed.issues);
  const { expr } = parsed;
  const checked = check(expr, env);
  if (checked.issues.length > 0) return failed(expression, checked.issues);
  const invalid = validateLiterals(expr, env);
  if (invalid.length > 0) return failed(expression, invalid);
  const planner = new Planner(env);
  let evaluate: Evaluate;
  try {
    evaluate = planner.plan(expr);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const errors = [{ line: -1, column: -1, message: error.message }];
    return { ok: false, stage: 'program', errors, text: error.message };
  }
  return {
    ok: true,
    expression,
    type: checked.type,
    references: referencesOf(expr, env),
    evaluate: (variables, options) => run(evaluate, new Frame(variables, planner.locals, options?.budget ?? Infinity)),
    estimateCost: () => estimateCost(expr, env),
  };
}

function failed(expression: string, issues: readonly Issue[]): CompileErrors {
  const errors = toCompileErrors(expression, issues);
  return { ok: false, stage: 'compile', errors, text: formatIssues(expression, issues) };
}

function referencesOf(expr: Expr, env: CelEnvironment): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of walk(expr))
    if (
      (node.kind === 'ident' || node.kind === 'select') &&
      node.reference !== undefined &&
      node.local !== true &&
      env.variables.has(node.reference)
    )
      names.add(node.reference);
  return names;
}

function run(evaluate: Evaluate, frame: Frame): Evaluation {
  try {
    return { ok: true, value: evaluate(frame), cost: frame.cost };
  } catch (error) {
    if (error instanceof CelError) return { ok: false, code: 'error', message: error.message, cost: frame.cost };
    if (error instanceof BudgetExceeded) return { ok: false, code: 'budget', message: error.message, cost: frame.cost };
    throw error;
  }
}
