// The static cost of an expression, from the bounds of its variables' types: what upstream compares with its limits before it
// accepts a rule. Sizes are looked up by where a value comes from (`self.items[0].name`), as upstream does.

import type { Call, Comprehension, Expr, Select } from './ast.ts';
import { ACCUMULATOR, OPERATORS } from './ast.ts';
import { type CallEstimate, estimateCall, type Sized, unionOf } from './cost-calls.ts';
import { exactly, ONE, plus, type Range, times, union, UNKNOWN_SIZE, ZERO } from './cost-range.ts';
import type { CelEnvironment } from './environment.ts';
import { sizeOf } from './typed-values.ts';
import type { CelType } from './types.ts';
import { codePoints } from './values.ts';

const LIST_COST = exactly(10);
const MAP_COST = exactly(30);
const STRUCT_COST = exactly(40);

export function estimateCost(expr: Expr, env: CelEnvironment): Range {
  return new Estimator(env).cost(expr);
}

interface EntrySizes {
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly declared: CelType | undefined;
  readonly size: Range | undefined;
  readonly entries: EntrySizes | undefined;
}

class Estimator {
  readonly #env: CelEnvironment;
  readonly #locals: { readonly name: string; readonly local: Local }[] = [];
  /** Node → the declared type of where its value comes from, with its bounds. */
  readonly #declared = new Map<Expr, CelType>();
  /** Node → computed size of its value. */
  readonly #sizes = new Map<Expr, Range>();
  readonly #entries = new Map<Expr, EntrySizes>();

  constructor(env: CelEnvironment) {
    this.#env = env;
  }

  cost(expr: Expr): Range {
    switch (expr.kind) {
      case 'const':
        return ZERO;
      case 'ident':
        return this.#ident(expr);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return plus(STRUCT_COST, ...expr.entries.map(({ value }) => this.cost(value)));
      case 'comprehension':
        return this.#comprehension(expr);
    }
  }

  #note(expr: Expr, declared: CelType | undefined): void {
    if (declared !== undefined) this.#declared.set(expr, declared);
  }

  #ident(expr: Extract<Expr, { kind: 'ident' }>): Range {
    const found = this.#locals.findLast(({ name }) => name === expr.name);
    if (found === undefined) this.#note(expr, this.#env.variables.get(expr.reference ?? expr.name));
    else {
      const { declared, size, entries } = found.local;
      this.#note(expr, declared);
      if (declared === undefined && size !== undefined) this.#sizes.set(expr, size);
      if (entries !== undefined) this.#entries.set(expr, entries);
    }
    return ONE;
  }

  #select(expr: Select): Range {
    if (expr.reference !== undefined) {
      this.#note(expr, this.#env.variables.get(expr.reference));
      return ONE;
    }
    const operand = this.cost(expr.operand);
    if (expr.testOnly) return operand;
    const declared = this.#declared.get(expr.operand);
    if (declared?.kind === 'object') this.#note(expr, declared.fields.get(expr.field)?.type);
    if (declared?.kind === 'map') this.#note(expr, declared.value);
    // Fields of what has no type are not counted.
    const { kind } = expr.operand.type!;
    return kind === 'map' || kind === 'object' || kind === 'param' ? plus(operand, ONE) : operand;
  }

  #call(expr: Call): Range {
    const args = expr.target === undefined || expr.qualified !== undefined ? expr.args : [expr.target, ...expr.args];
    const costs = args.map((arg) => this.cost(arg));
    switch (expr.name) {
      case OPERATORS.and:
      case OPERATORS.or:
        return { min: costs[0]!.min, max: plus(costs[0]!, costs[1]!).max };
      case OPERATORS.conditional:
        this.#sizes.set(expr, union(this.#size(args[1]!), this.#size(args[2]!)));
        this.#joinEntries(expr, args.slice(1));
        return plus(costs[0]!, union(costs[1]!, costs[2]!));
      case OPERATORS.optSelect:
        return plus(costs[0]!, ONE);
      default:
        return plus(...costs, this.#strict(expr, args));
    }
  }

  #strict(expr: Call, args: readonly Expr[]): Range {
    const sized = args.map((arg) => this.#sized(arg));
    let estimate: CallEstimate | undefined;
    for (const { id } of expr.overloads ?? []) {
      estimate = unionOf(estimate, estimateCall(expr.qualified ?? expr.name, id, sized));
      if (id === 'add_list') this.#joinEntries(expr, args);
      const declared = this.#declared.get(args[0]!);
      const entries = this.#entries.get(args[0]!);
      if ((id === 'index_list' || id === 'index_map') && entries !== undefined) this.#sizes.set(expr, entries.value);
      if (id === 'index_list' && declared?.kind === 'list') this.#note(expr, declared.element);
      if (id === 'index_map' && declared?.kind === 'map') this.#note(expr, declared.value);
    }
    if (estimate?.resultSize !== undefined) this.#sizes.set(expr, estimate.resultSize);
    return estimate?.cost ?? ZERO;
  }

  #declaredEntries(expr: Expr): EntrySizes | undefined {
    const declared = this.#declared.get(expr);
    return declared?.kind === 'list' ? { key: ONE, value: exactlyUpTo(declared.element.maxElements) } : undefined;
  }

  #joinEntries(expr: Expr, args: readonly Expr[]): void {
    const [a, b] = args.map((arg) => this.#entries.get(arg) ?? this.#declaredEntries(arg));
    if (a === undefined && b === undefined) return;
    this.#entries.set(
      expr,
      a === undefined ? b! : b === undefined ? a : { key: union(a.key, b.key), value: union(a.value, b.value) },
    );
  }

  #sized(expr: Expr): Sized {
    const declared = this.#declared.get(expr);
    const elementSize = declared?.kind === 'list' ? exactlyUpTo(declared.element.maxElements) : UNKNOWN_SIZE;
    return { expr, type: expr.type!, size: this.#size(expr), elementSize };
  }

  #size(expr: Expr): Range {
    return (
      this.#sizes.get(expr) ?? literalSize(expr) ?? this.#declaredSize(expr) ?? scalarSize(expr.type!) ?? UNKNOWN_SIZE
    );
  }

  #declaredSize(expr: Expr): Range | undefined {
    const declared = this.#declared.get(expr);
    return declared === undefined || !isBounded(declared) ? undefined : exactlyUpTo(declared.maxElements);
  }

  #list(expr: Extract<Expr, { kind: 'list' }>): Range {
    const costs = expr.elements.map((element) => this.cost(element));
    const value = expr.elements
      .map((element) => this.#size(element))
      .reduce<Range | undefined>((joined, size) => (joined === undefined ? size : union(joined, size)), undefined);
    this.#entries.set(expr, { key: ONE, value: value ?? ZERO });
    return plus(LIST_COST, ...costs);
  }

  #map(expr: Extract<Expr, { kind: 'map' }>): Range {
    const costs = expr.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]);
    let entries: EntrySizes | undefined;
    for (const entry of expr.entries) {
      const [key, value] = [this.#size(entry.key), this.#size(entry.value)];
      entries =
        entries === undefined ? { key, value } : { key: union(entries.key, key), value: union(entries.value, value) };
    }
    this.#entries.set(expr, entries ?? { key: ZERO, value: ZERO });
    return plus(MAP_COST, ...costs);
  }

  #comprehension(expr: Comprehension): Range {
    const range = this.cost(expr.range);
    const init = this.cost(expr.init);
    const before = this.#locals.length;
    this.#locals.push({
      name: expr.accumulator,
      local: {
        declared: this.#declared.get(expr.init),
        // What grows in the loop has no known size there.
        size: expr.accumulator === ACCUMULATOR ? undefined : this.#size(expr.init),
        entries: this.#entries.get(expr.init),
      },
    });
    this.#bindElements(expr);
    const each = plus(this.cost(expr.condition), this.cost(expr.step));
    this.#locals.length = before + 1;
    const result = this.cost(expr.result);
    this.#locals.length = before;
    const count = this.#size(expr.range);
    if (expr.accumulator !== ACCUMULATOR) {
      // A name for a value: what it is used in is the result.
      this.#sizes.set(expr, this.#size(expr.result));
    } else if (expr.init.kind === 'list' || expr.init.kind === 'map') {
      this.#sizes.set(expr, count);
      const entries = this.#entries.get(expr.step) ?? this.#entries.get(expr.range);
      if (entries !== undefined) this.#entries.set(expr, entries);
    } else if (expr.init.kind === 'const') this.#sizes.set(expr, this.#size(expr.init));
    return plus(range, init, result, times(count, each));
  }

  #bindElements(expr: Comprehension): void {
    const declared = this.#declared.get(expr.range);
    const entries = this.#entries.get(expr.range);
    const key: Local = {
      declared: declared?.kind === 'map' ? declared.key : undefined,
      size: entries?.key,
      entries: undefined,
    };
    const value: Local = {
      declared: declared?.kind === 'map' ? declared.value : declared?.kind === 'list' ? declared.element : undefined,
      size: entries?.value,
      entries: undefined,
    };
    if (expr.variable2 === undefined)
      this.#locals.push({ name: expr.variable, local: expr.range.type!.kind === 'map' ? key : value });
    else this.#locals.push({ name: expr.variable, local: key }, { name: expr.variable2, local: value });
  }
}

const exactlyUpTo = (max: number | undefined): Range => ({ min: 0, max: max ?? 0 });

/** Types made from a schema say how large their values are; types declared by hand do not. */
function isBounded(type: CelType): boolean {
  return (
    type.maxElements !== undefined ||
    type.kind === 'object' ||
    type.kind === 'int' ||
    type.kind === 'double' ||
    type.kind === 'bool'
  );
}

function literalSize(expr: Expr): Range | undefined {
  switch (expr.kind) {
    case 'const':
      return exactly(typeof expr.value === 'string' ? codePoints(expr.value) : sizeOf(expr.value));
    case 'list':
      return exactly(expr.elements.length);
    case 'map':
      return exactly(expr.entries.length);
    default:
      return undefined;
  }
}

const SCALARS: ReadonlySet<string> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);
const scalarSize = (type: CelType): Range | undefined => (SCALARS.has(type.kind) ? ONE : undefined);
