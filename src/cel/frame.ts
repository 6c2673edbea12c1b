// The state of one evaluation: variables, what comprehensions have bound, and the cost so far.

import { adapt, type CelError, celError, type Value } from './values.ts';

/** A node made runnable. */
export type Evaluate = (frame: Frame) => Value;

/** Thrown when the cost limit is reached: not an error that `||` could forgive. */
export class BudgetExceeded {
  readonly message = 'operation cancelled: actual cost limit exceeded';
}

/** What an accumulator holds after its step failed, when a later step may still decide (`[0, 1].exists(x, 1 / x > 0)`). */
export class Failure {
  readonly error: CelError;
  constructor(error: CelError) {
    this.error = error;
  }
}

export class Frame {
  cost = 0;
  readonly locals: Value[];
  readonly #limit: number;
  readonly #variables: Readonly<Record<string, unknown>>;
  /** Values of variables that were given as functions. */
  #computed: Map<string, Value> | undefined;

  constructor(variables: Readonly<Record<string, unknown>>, locals: number, limit: number) {
    this.#variables = variables;
    this.#limit = limit;
    this.locals = locals === 0 ? NO_LOCALS : Array.from<Value>({ length: locals });
  }

  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#limit) throw new BudgetExceeded();
  }

  variable(name: string): Value {
    const value = this.#variables[name];
    if (value === undefined) throw celError(`no such attribute(s): ${name}`);
    if (typeof value !== 'function') return adapt(value);
    this.#computed ??= new Map();
    if (!this.#computed.has(name)) this.#computed.set(name, adapt((value as () => Value)()));
    return this.#computed.get(name);
  }
}

const NO_LOCALS: Value[] = [];
