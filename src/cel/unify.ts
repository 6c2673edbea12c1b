// Whether a type fits where another is wanted, and what that says about type parameters. `list(A)` fits `list(int)` when
// A may be int; from then on it is.

import { type CelType, DYN, isDynamic, sameType } from './types.ts';

/** Bindings of type parameters found so far. A failed attempt leaves none behind. */
export class Bindings {
  #bound: ReadonlyMap<string, CelType> = new Map();
  #fresh = 0;

  /** A type parameter that nothing is known of. */
  newVariable(): CelType {
    const name = `_var${this.#fresh}`;
    this.#fresh += 1;
    return { kind: 'param', name };
  }

  /** Notes what it implies and says true when a value of each `from` may stand where the `to` beside it is wanted. */
  assignAll(from: readonly CelType[], to: readonly CelType[]): boolean {
    if (from.length !== to.length) return false;
    const attempt = new Map(this.#bound);
    if (!from.every((type, i) => assignable(attempt, type, to[i]!))) return false;
    this.#bound = attempt;
    return true;
  }

  assign(from: CelType, to: CelType): boolean {
    return this.assignAll([from], [to]);
  }

  /** With all that is known of its parameters; what is unknown stays a parameter, or becomes dyn. */
  substitute(type: CelType, unknownToDyn = false): CelType {
    return substitute(this.#bound, type, unknownToDyn);
  }

  /** The same types with parameters of their own. */
  instantiate(types: readonly CelType[]): readonly CelType[] {
    const fresh = new Map<string, CelType>();
    const collect = (type: CelType): void => {
      if (type.kind === 'param' && !fresh.has(type.name)) fresh.set(type.name, this.newVariable());
      for (const inner of innerTypes(type)) collect(inner);
    };
    for (const type of types) collect(type);
    return fresh.size === 0 ? types : types.map((type) => substitute(fresh, type, false));
  }
}

function innerTypes(type: CelType): readonly CelType[] {
  switch (type.kind) {
    case 'list':
      return [type.element];
    case 'map':
      return [type.key, type.value];
    case 'opaque':
      return type.parameters;
    case 'type':
      return type.of === undefined ? [] : [type.of];
    default:
      return [];
  }
}

function substitute(bound: ReadonlyMap<string, CelType>, type: CelType, unknownToDyn: boolean): CelType {
  const inner = (t: CelType): CelType => substitute(bound, t, unknownToDyn);
  switch (type.kind) {
    case 'param': {
      const known = bound.get(type.name);
      if (known !== undefined) return inner(known);
      return unknownToDyn ? DYN : type;
    }
    case 'list':
      return { ...type, element: inner(type.element) };
    case 'map':
      return { ...type, key: inner(type.key), value: inner(type.value) };
    case 'opaque':
      return type.parameters.length === 0 ? type : { ...type, parameters: type.parameters.map(inner) };
    case 'type':
      return type.of === undefined ? type : { ...type, of: inner(type.of) };
    default:
      return type;
  }
}

function assignable(bound: Map<string, CelType>, from: CelType, to: CelType): boolean {
  if (to.kind === 'param') {
    const { fits, known } = bind(bound, from, to.name, to);
    if (fits) return true;
    if (known) return false;
  }
  if (from.kind === 'param') return bind(bound, to, from.name, from).fits;
  if (isWild(from) || isWild(to)) return true;
  if (from.kind === 'null') return isNullable(to);
  if (to.kind === 'null') return isNullable(from);
  if (from.kind === 'wrapper' || to.kind === 'wrapper') return sameType(unwrapped(from), unwrapped(to));
  switch (from.kind) {
    case 'type':
      return to.kind === 'type';
    case 'list':
      return to.kind === 'list' && assignable(bound, from.element, to.element);
    case 'map':
      return to.kind === 'map' && assignable(bound, from.key, to.key) && assignable(bound, from.value, to.value);
    case 'opaque':
      return (
        to.kind === 'opaque' &&
        to.name === from.name &&
        to.parameters.length === from.parameters.length &&
        from.parameters.every((parameter, i) => assignable(bound, parameter, to.parameters[i]!))
      );
    default:
      return sameType(from, to);
  }
}

const unwrapped = (type: CelType): CelType => (type.kind === 'wrapper' ? type.of : type);
const isWild = (type: CelType): boolean => isDynamic(type) || type.kind === 'error';
const isNullable = (type: CelType): boolean =>
  ['null', 'wrapper', 'object', 'opaque', 'timestamp', 'duration', 'any'].includes(type.kind);

function bind(
  bound: Map<string, CelType>,
  type: CelType,
  name: string,
  parameter: CelType,
): { fits: boolean; known: boolean } {
  if (sameType(type, parameter)) return { fits: true, known: true };
  const known = bound.get(name);
  if (known !== undefined) {
    if (sameType(type, known)) return { fits: true, known: true };
    if (!assignable(bound, type, known)) return { fits: false, known: true };
    const general = mostGeneral(type, known);
    if (!mentions(bound, name, general)) bound.set(name, general);
    return { fits: true, known: true };
  }
  if (mentions(bound, name, type)) return { fits: false, known: false };
  bound.set(name, type);
  return { fits: true, known: false };
}

function mentions(bound: ReadonlyMap<string, CelType>, name: string, type: CelType): boolean {
  if (type.kind === 'param') {
    if (type.name === name) return true;
    const known = bound.get(type.name);
    return known !== undefined && mentions(bound, name, known);
  }
  return innerTypes(type).some((inner) => mentions(bound, name, inner));
}

/** The one of two that fit each other that says less. */
export function mostGeneral(a: CelType, b: CelType): CelType {
  return isAtLeastAsGeneral(a, b) ? a : b;
}

function isAtLeastAsGeneral(a: CelType, b: CelType): boolean {
  if (isDynamic(a) || a.kind === 'param') return true;
  if (isDynamic(b) || b.kind === 'param') return false;
  if (a.kind === 'wrapper' && b.kind !== 'wrapper') return true;
  if (a.kind !== b.kind) return false;
  if (a.kind === 'type') return true;
  const inner = innerTypes(a);
  const others = innerTypes(b);
  if (inner.length === 0 || inner.length !== others.length) return sameType(a, b);
  return inner.every((type, i) => isAtLeastAsGeneral(type, others[i]!));
}
