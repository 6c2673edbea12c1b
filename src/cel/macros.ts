// Macros: calls that are rewritten while parsing, because their arguments are expressions over a new variable. All but
// has() become a comprehension:
//
//   accumulator = init; for (variable of range) { if (!condition) break; accumulator = step }; result
//
// The one-variable macros are the language's; the two-variable ones, cel.bind, optMap and optFlatMap are cel-go's
// extensions that Kubernetes switches on by release.

import { ACCUMULATOR, children, type Expr, OPERATORS } from './ast.ts';
import { BOOL, type CelType, INT } from './types.ts';

export interface MacroCall {
  readonly name: string;
  readonly offset: number;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

/** fatal: parsing must not go on. */
export type Expansion =
  | { readonly expr: Expr }
  | { readonly wrong: string; readonly offset: number; readonly fatal?: true };

/** Undefined: the call is none of this macro's after all. */
type Macro = (call: MacroCall) => Expansion | undefined;

/** `name/arguments` for calls without target, `.name/arguments` with. */
export type MacroSet = ReadonlyMap<string, Macro>;

export function expandMacro(macros: MacroSet, call: MacroCall): Expansion | undefined {
  return macros.get(`${call.target === undefined ? '' : '.'}${call.name}/${call.args.length}`)?.(call);
}

const ident = (offset: number, name: string): Expr => ({ kind: 'ident', offset, name });
const constant = (offset: number, constType: CelType, value: unknown): Expr => ({
  kind: 'const',
  offset,
  constType,
  value,
});
const operation = (offset: number, name: string, ...args: Expr[]): Expr => ({ kind: 'call', offset, name, args });
const list = (offset: number, ...elements: Expr[]): Expr => ({ kind: 'list', offset, elements, optional: new Set() });

interface Loop {
  readonly init: Expr;
  readonly condition?: Expr;
  readonly step: Expr;
  readonly result?: Expr;
}

/** The comprehension over the call's target with the variables that its first arguments name. */
function loop(
  call: MacroCall,
  variables: 1 | 2,
  wrongName: string,
  make: (accumulator: () => Expr) => Loop,
): Expansion {
  const names: string[] = [];
  for (const arg of call.args.slice(0, variables)) {
    if (arg.kind !== 'ident' || arg.name.startsWith('.')) return { wrong: wrongName, offset: arg.offset };
    if (arg.name === ACCUMULATOR || arg.name === '__result__')
      return { wrong: 'iteration variable overwrites accumulator variable', offset: arg.offset };
    if (names.includes(arg.name)) return { wrong: `duplicate variable name: ${arg.name}`, offset: arg.offset };
    names.push(arg.name);
  }
  const { offset } = call;
  const accumulator = (): Expr => ident(offset, ACCUMULATOR);
  const { init, condition, step, result } = make(accumulator);
  return {
    expr: {
      kind: 'comprehension',
      offset,
      range: call.target!,
      variable: names[0]!,
      variable2: names[1],
      accumulator: ACCUMULATOR,
      init,
      condition: condition ?? constant(offset, BOOL, true),
      step,
      result: result ?? accumulator(),
    },
  };
}

const SIMPLE_NAME = 'argument must be a simple name';

const all =
  (variables: 1 | 2): Macro =>
  (call) =>
    loop(call, variables, SIMPLE_NAME, (accumulator) => ({
      init: constant(call.offset, BOOL, true),
      condition: operation(call.offset, OPERATORS.notStrictlyFalse, accumulator()),
      step: operation(call.offset, OPERATORS.and, accumulator(), call.args[variables]!),
    }));

const exists =
  (variables: 1 | 2): Macro =>
  (call) =>
    loop(call, variables, SIMPLE_NAME, (accumulator) => ({
      init: constant(call.offset, BOOL, false),
      condition: operation(
        call.offset,
        OPERATORS.notStrictlyFalse,
        operation(call.offset, OPERATORS.not, accumulator()),
      ),
      step: operation(call.offset, OPERATORS.or, accumulator(), call.args[variables]!),
    }));

const existsOne =
  (variables: 1 | 2): Macro =>
  (call) =>
    loop(call, variables, SIMPLE_NAME, (accumulator) => {
      const { offset } = call;
      const one = (): Expr => constant(offset, INT, 1);
      return {
        init: constant(offset, INT, 0),
        step: operation(
          offset,
          OPERATORS.conditional,
          call.args[variables]!,
          operation(offset, OPERATORS.add, accumulator(), one()),
          accumulator(),
        ),
        result: operation(offset, OPERATORS.equals, accumulator(), one()),
      };
    });

/** Collects into a list; the argument before the last, when there is one more, filters. */
const collect =
  (variables: 1 | 2, wrongName: string): Macro =>
  (call) =>
    loop(call, variables, wrongName, (accumulator) => {
      const { offset } = call;
      const add = operation(offset, OPERATORS.add, accumulator(), list(offset, call.args.at(-1)!));
      return { init: list(offset), step: filtered(call, variables, add, accumulator()) };
    });

const filter: Macro = (call) =>
  loop(call, 1, 'argument is not an identifier', (accumulator) => {
    const { offset, args } = call;
    const variable = args[0]!;
    const add = operation(offset, OPERATORS.add, accumulator(), list(offset, { ...variable }));
    return { init: list(offset), step: operation(offset, OPERATORS.conditional, args[1]!, add, accumulator()) };
  });

const transformMap: Macro = (call) =>
  loop(call, 2, SIMPLE_NAME, (accumulator) => {
    const { offset } = call;
    const key = { ...call.args[0]! };
    const insert = operation(offset, OPERATORS.mapInsert, accumulator(), key, call.args.at(-1)!);
    return { init: { kind: 'map', offset, entries: [] }, step: filtered(call, 2, insert, accumulator()) };
  });

const transformMapEntry: Macro = (call) =>
  loop(call, 2, SIMPLE_NAME, (accumulator) => {
    const { offset } = call;
    const insert = operation(offset, OPERATORS.mapInsert, accumulator(), call.args.at(-1)!);
    return { init: { kind: 'map', offset, entries: [] }, step: filtered(call, 2, insert, accumulator()) };
  });

function filtered(call: MacroCall, variables: number, step: Expr, otherwise: Expr): Expr {
  if (call.args.length < variables + 2) return step;
  return operation(call.offset, OPERATORS.conditional, call.args[variables]!, step, otherwise);
}

const has: Macro = ({ args: [arg], offset }) =>
  arg?.kind === 'select' && !arg.testOnly
    ? { expr: { kind: 'select', offset, operand: arg.operand, field: arg.field, testOnly: true } }
    : { wrong: 'invalid argument to has() macro', offset: arg!.offset };

/** A name for a value: a comprehension over nothing. */
function bind(offset: number, variable: string, init: Expr, result: Expr): Expr {
  return {
    kind: 'comprehension',
    offset,
    range: list(offset),
    variable: '#unused',
    accumulator: variable,
    init,
    condition: constant(offset, BOOL, false),
    step: ident(offset, variable),
    result,
  };
}

const celBind: Macro = ({ target, args: [variable, init, result], offset }) => {
  if (target?.kind !== 'ident' || target.name !== 'cel') return undefined;
  if (variable?.kind !== 'ident')
    return { wrong: 'cel.bind() variable names must be simple identifiers', offset: variable!.offset };
  return { expr: bind(offset, variable.name, init!, result!) };
};

/** target.hasValue() ? optional.of(cel.bind(v, target.value(), e)) : optional.none() */
const optionalMap =
  (macro: 'optMap' | 'optFlatMap'): Macro =>
  ({ target, args: [variable, mapped], offset }) => {
    if (variable?.kind !== 'ident')
      return { wrong: `${macro}() variable name must be a simple identifier`, offset: variable!.offset };
    if (isLarge(target!)) return { wrong: `${macro}() target is too large`, offset, fatal: true };
    const member = (name: string): Expr => ({ kind: 'call', offset, name, target: copyOf(target!), args: [] });
    const bound = bind(offset, variable.name, member('value'), mapped!);
    return {
      expr: operation(
        offset,
        OPERATORS.conditional,
        member('hasValue'),
        macro === 'optMap' ? operation(offset, 'optional.of', bound) : bound,
        operation(offset, 'optional.none'),
      ),
    };
  };

/** Nodes of a target; it is copied, so a chain of optMap() doubles with each link. */
const TARGET_MAX = 10_000;

function isLarge(expr: Expr): boolean {
  const left: Expr[] = [expr];
  for (let count = 0; left.length > 0; count += 1) {
    if (count > TARGET_MAX) return true;
    left.push(...children(left.pop()!));
  }
  return false;
}

/** The checker writes into nodes: an expression that stands in two places is two trees. */
function copyOf(expr: Expr): Expr {
  switch (expr.kind) {
    case 'const':
    case 'ident':
      return { ...expr };
    case 'select':
      return { ...expr, operand: copyOf(expr.operand) };
    case 'call':
      return { ...expr, target: expr.target && copyOf(expr.target), args: expr.args.map(copyOf) };
    case 'list':
      return { ...expr, elements: expr.elements.map(copyOf) };
    case 'map':
      return { ...expr, entries: expr.entries.map((e) => ({ ...e, key: copyOf(e.key), value: copyOf(e.value) })) };
    case 'struct':
      return { ...expr, entries: expr.entries.map((e) => ({ ...e, value: copyOf(e.value) })) };
    case 'comprehension':
      return {
        ...expr,
        range: copyOf(expr.range),
        init: copyOf(expr.init),
        condition: copyOf(expr.condition),
        step: copyOf(expr.step),
        result: copyOf(expr.result),
      };
  }
}

export const STANDARD_MACROS: MacroSet = new Map<string, Macro>([
  ['has/1', has],
  ['.all/2', all(1)],
  ['.exists/2', exists(1)],
  ['.exists_one/2', existsOne(1)],
  ['.map/2', collect(1, 'argument is not an identifier')],
  ['.map/3', collect(1, 'argument is not an identifier')],
  ['.filter/2', filter],
]);

export const TWO_VARIABLE_MACROS: MacroSet = new Map<string, Macro>([
  ['.all/3', all(2)],
  ['.exists/3', exists(2)],
  ['.existsOne/3', existsOne(2)],
  ['.exists_one/3', existsOne(2)],
  ['.transformList/3', collect(2, SIMPLE_NAME)],
  ['.transformList/4', collect(2, SIMPLE_NAME)],
  ['.transformMap/3', transformMap],
  ['.transformMap/4', transformMap],
  ['.transformMapEntry/3', transformMapEntry],
  ['.transformMapEntry/4', transformMapEntry],
]);

export const BIND_MACROS: MacroSet = new Map([['.bind/3', celBind]]);

export const OPTIONAL_MACROS: MacroSet = new Map([
  ['.optMap/2', optionalMap('optMap')],
  ['.optFlatMap/2', optionalMap('optFlatMap')],
]);
