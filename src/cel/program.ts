// The door to the expression language: text and environment in, a program that can be evaluated many times out.

import type { CelEnvironment } from './environment.ts';
import type { CelType } from './types.ts';

export interface CompileError {
  /** 1-based line, 0-based column in characters. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface CompileErrors {
  readonly ok: false;
  readonly errors: readonly CompileError[];
  /** All errors as upstream prints them, with the line of source and a mark under the place. */
  readonly text: string;
}

export interface EvaluateOptions {
  /** Cost at which evaluation is given up; none: unbounded. */
  readonly budget?: number;
}

export type Evaluation =
  | { readonly ok: true; readonly value: unknown; readonly cost: number }
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
  /** Values of variables are plain JSON, or values of the language. A function is called at most once, when the variable is first read. */
  evaluate(variables: Readonly<Record<string, unknown>>, options?: EvaluateOptions): Evaluation;
  /** The static estimate, from the bounds of the variables' types (maxElements). */
  estimateCost(): CostRange;
}

export function compile(_expression: string, _env: CelEnvironment): Program | CompileErrors {
  throw new Error('compile comes with the parser');
}
