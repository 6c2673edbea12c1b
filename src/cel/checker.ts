// Gives every node its type and every name and call what it refers to, after the rules of cel-spec (doc/langdef.md, "Gradual
// type checking"); what does not fit is said in upstream's words.

import type { Call, Comprehension, Expr, StructLiteral } from './ast.ts';
import { OPERATORS } from './ast.ts';
import type { CelEnvironment } from './environment.ts';
import type { FunctionDeclaration, Overload } from './functions.ts';
import type { Issue } from './source.ts';
import {
  BOOL,
  type CelType,
  DYN,
  ERROR,
  formatSignature,
  formatType,
  INT,
  isDynamic,
  isOptional,
  listOf,
  mapOf,
  optionalOf,
  sameType,
} from './types.ts';
import { Bindings, mostGeneral } from './unify.ts';

/** Types the tree in place. Issues: it is not to be evaluated. */
export function check(expr: Expr, env: CelEnvironment): { type: CelType; issues: readonly Issue[] } {
  const checker = new Checker(env);
  checker.check(expr);
  checker.settle();
  return { type: expr.type!, issues: checker.issues };
}

interface Scope {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly outer: Scope | undefined;
}

class Checker {
  readonly issues: Issue[] = [];
  readonly #env: CelEnvironment;
  readonly #bindings = new Bindings();
  readonly #typed: Expr[] = [];
  #scope: Scope | undefined;

  constructor(env: CelEnvironment) {
    this.#env = env;
  }

  /** Type parameters that nothing was learned about are dyn. */
  settle(): void {
    for (const expr of this.#typed) expr.type = this.#bindings.substitute(expr.type!, true);
  }

  check(expr: Expr): CelType {
    const type = this.#typeOf(expr);
    if (expr.type === undefined) this.#typed.push(expr);
    expr.type = type;
    return type;
  }

  #wrong(offset: number, message: string): CelType {
    this.issues.push({ offset, message });
    return ERROR;
  }

  #undeclared(offset: number, name: string): CelType {
    return this.#wrong(offset, `undeclared reference to '${name}' (in container '${this.#env.container}')`);
  }

  #mismatch(offset: number, expected: CelType, found: CelType): CelType {
    const text = (type: CelType): string => formatType(this.#bindings.substitute(type));
    return this.#wrong(offset, `expected type '${text(expected)}' but found '${text(found)}'`);
  }

  #typeOf(expr: Expr): CelType {
    switch (expr.kind) {
      case 'const':
        return expr.constType;
      case 'ident':
        return this.#name(expr, expr.name) ?? this.#undeclared(expr.offset, expr.name.replace(/^\./, ''));
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
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

  /** A variable of a comprehension around, a variable or a constant of the environment, the name of a type. */
  #name(expr: Extract<Expr, { kind: 'ident' | 'select' }>, name: string): CelType | undefined {
    if (!name.startsWith('.'))
      for (let scope = this.#scope; scope !== undefined; scope = scope.outer) {
        const local = scope.variables.get(name);
        if (local === undefined) continue;
        expr.reference = name;
        expr.local = true;
        return local;
      }
    const found = this.#env.lookup(name);
    if (found === undefined) return undefined;
    expr.reference = found.name;
    if (found.constant !== undefined) expr.constant = found.constant;
    return found.type;
  }

  #select(expr: Extract<Expr, { kind: 'select' }>): CelType {
    if (!expr.testOnly) {
      const qualified = qualifiedName(expr);
      const type = qualified === undefined ? undefined : this.#name(expr, qualified);
      if (type !== undefined) return type;
    }
    const type = this.#field(expr.offset, expr.operand, expr.field, false);
    return expr.testOnly ? BOOL : this.#bindings.substitute(type);
  }

  #field(offset: number, operand: Expr, field: string, optional: boolean): CelType {
    const operandType = this.#bindings.substitute(this.check(operand));
    const inner = isOptional(operandType) ? operandType.parameters[0]! : operandType;
    const type = this.#fieldType(offset, inner, field);
    return optional || isOptional(operandType) ? optionalOf(type) : type;
  }

  #fieldType(offset: number, type: CelType, field: string): CelType {
    switch (type.kind) {
      case 'map':
        return type.value;
      case 'object':
        return type.fields.get(field)?.type ?? this.#wrong(offset, `undefined field '${field}'`);
      case 'param':
        this.#bindings.assign(DYN, type);
        return DYN;
      default:
        if (type.kind === 'opaque') return this.#wrong(offset, `unexpected failed resolution of '${type.name}'`);
        if (!isDynamic(type) && type.kind !== 'error')
          this.#wrong(offset, `type '${formatType(type)}' does not support field selection`);
        return DYN;
    }
  }

  #call(expr: Call): CelType {
    const { name, target, args } = expr;
    if (name === OPERATORS.optSelect) {
      const [operand, field] = args;
      if (field!.kind === 'const') this.check(field!);
      return this.#bindings.substitute(
        this.#field(expr.offset, operand!, field!.kind === 'const' ? String(field!.value) : '', true),
      );
    }
    for (const arg of args) this.check(arg);
    if (target === undefined) {
      const declared = this.#env.function(name);
      if (declared === undefined) return this.#undeclared(expr.offset, name);
      return this.#resolve(expr, declared, undefined);
    }
    const prefix = qualifiedName(target);
    const qualified = prefix === undefined ? undefined : this.#env.function(`${prefix}.${name}`);
    if (qualified !== undefined) {
      expr.qualified = qualified.name;
      return this.#resolve(expr, qualified, undefined);
    }
    this.check(target);
    const declared = this.#env.function(name);
    return declared === undefined ? this.#undeclared(expr.offset, name) : this.#resolve(expr, declared, target);
  }

  /** Of all overloads that fit, the result; dyn when they differ in it. */
  #resolve(expr: Call, declared: FunctionDeclaration, target: Expr | undefined): CelType {
    const args = target === undefined ? expr.args : [target, ...expr.args];
    const types = args.map((arg) => arg.type!);
    if (expr.name === OPERATORS.and || expr.name === OPERATORS.or) return this.#logical(expr, declared);
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of declared.overloads) {
      if (overload.member !== (target !== undefined)) continue;
      const [overloadResult, ...wanted] = this.#bindings.instantiate([overload.result, ...overload.args]);
      if (!this.#bindings.assignAll(types, wanted)) continue;
      fitting.push(overload);
      const found = this.#bindings.substitute(overloadResult!);
      if (result === undefined) result = found;
      else if (!isDynamic(result) && !sameType(found, result)) result = DYN;
    }
    expr.overloads = fitting;
    if (result !== undefined) return result;
    const found = types.map((type) => this.#bindings.substitute(type, true));
    const signature = formatSignature(found, target !== undefined);
    return this.#wrong(expr.offset, `found no matching overload for '${declared.name}' applied to '${signature}'`);
  }

  /** Each side for itself must be a bool. */
  #logical(expr: Call, declared: FunctionDeclaration): CelType {
    let type: CelType = BOOL;
    for (const arg of expr.args)
      if (!this.#bindings.assign(arg.type!, BOOL)) type = this.#mismatch(arg.offset, BOOL, arg.type!);
    expr.overloads = declared.overloads;
    return type;
  }

  /** An optional element or value is counted as what it holds. */
  #element(expr: Expr, optional: boolean): CelType {
    const type = this.check(expr);
    if (!optional) return type;
    const settled = this.#bindings.substitute(type);
    if (isOptional(settled)) return settled.parameters[0]!;
    if (!isDynamic(settled)) this.#mismatch(expr.offset, optionalOf(settled), settled);
    return settled;
  }

  #join(previous: CelType | undefined, type: CelType): CelType {
    if (previous === undefined) return type;
    if (this.#bindings.assign(previous, type)) return mostGeneral(previous, type);
    return DYN;
  }

  #list(expr: Extract<Expr, { kind: 'list' }>): CelType {
    let joined: CelType | undefined;
    expr.elements.forEach((element, i) => {
      joined = this.#join(joined, this.#element(element, expr.optional.has(i)));
    });
    return listOf(joined ?? this.#bindings.newVariable());
  }

  #map(expr: Extract<Expr, { kind: 'map' }>): CelType {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, optional } of expr.entries) {
      keys = this.#join(keys, this.check(key));
      values = this.#join(values, this.#element(value, optional));
    }
    return mapOf(keys ?? this.#bindings.newVariable(), values ?? this.#bindings.newVariable());
  }

  #struct(expr: StructLiteral): CelType {
    const name = expr.typeName.replace(/^\./, '');
    const declared = this.#env.structType(name);
    if (declared === undefined) {
      const other = this.#env.lookup(name);
      for (const { value } of expr.entries) this.check(value);
      if (other === undefined) return this.#undeclared(expr.offset, name);
      const isType = other.type.kind === 'type';
      for (const { offset } of expr.entries) this.#wrong(offset, `unexpected failed resolution of '${name}'`);
      const problem = isType ? `'${name}' is not a message type` : `'${formatType(other.type)}' is not a type`;
      return this.#wrong(expr.offset, problem);
    }
    for (const { offset, field, value, optional } of expr.entries) {
      const type = this.#element(value, optional);
      const wanted = declared.fields?.get(field);
      if (declared.fields !== undefined && wanted === undefined) this.#wrong(offset, `undefined field '${field}'`);
      else if (wanted !== undefined && !this.#bindings.assign(wanted, type)) {
        const found = formatType(this.#bindings.substitute(type));
        this.#wrong(
          offset,
          `expected type of field '${field}' is '${formatType(wanted)}' but provided type is '${found}'`,
        );
      }
    }
    return declared.type;
  }

  #comprehension(expr: Comprehension): CelType {
    this.check(expr.range);
    const accumulator = this.check(expr.init);
    const range = this.#bindings.substitute(expr.range.type!);
    const [first, second] = this.#iterated(expr, range);
    const outer = this.#scope;
    const around: Scope = { variables: new Map([[expr.accumulator, accumulator]]), outer };
    const variables = new Map([[expr.variable, first]]);
    if (expr.variable2 !== undefined) variables.set(expr.variable2, second);
    this.#scope = { variables, outer: around };
    this.#expect(expr.condition, BOOL);
    this.#expect(expr.step, accumulator);
    this.#scope = around;
    const result = this.check(expr.result);
    this.#scope = outer;
    return this.#bindings.substitute(result);
  }

  #iterated(expr: Comprehension, range: CelType): readonly [CelType, CelType] {
    const two = expr.variable2 !== undefined;
    switch (range.kind) {
      case 'list':
        return two ? [INT, range.element] : [range.element, DYN];
      case 'map':
        return [range.key, range.value];
      case 'dyn':
      case 'any':
      case 'error':
      case 'param':
        this.#bindings.assign(DYN, range);
        return [DYN, DYN];
      default:
        this.#wrong(
          expr.range.offset,
          `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [ERROR, ERROR];
    }
  }

  #expect(expr: Expr, wanted: CelType): void {
    const found = this.check(expr);
    if (!this.#bindings.assign(wanted, found)) this.#mismatch(expr.offset, wanted, found);
  }
}

/** `a.b.c`, when the expression is nothing but names and dots. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.testOnly) return undefined;
  const operand = qualifiedName(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}
