// What an expression may name: variables, functions, types and macros. Environments are immutable and shared; Kubernetes'
// own, by release, is made in kubernetes.ts.

import { type FunctionDeclaration, type Library, mergeFunctions } from './functions.ts';
import type { MacroSet } from './macros.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  INT,
  LIST_OF_DYN,
  MAP_OF_DYN,
  NULL,
  opaque,
  STRING,
  TIMESTAMP,
  TYPE,
  typeOf,
  UINT,
} from './types.ts';
import { TypeValue, type Value } from './values.ts';

export interface Named {
  /** With its container. */
  readonly name: string;
  readonly type: CelType;
  /** The value, when it is always the same. */
  readonly constant?: Value;
}

/** A type whose values expressions may write: `Name{field: value}`. */
export interface StructType {
  readonly type: CelType;
  /** Field → type; undefined: any field of any type. */
  readonly fields?: ReadonlyMap<string, CelType>;
  /** Makes the value; without it, it is a CelObject of the type's name. */
  readonly make?: (fields: Readonly<Record<string, Value>>) => Value;
}

/** Looks a type up by its name; a map, or a rule for names. */
export interface StructTypes {
  get(name: string): StructType | undefined;
}

export interface CelEnvironment {
  readonly container: string;
  readonly macros: MacroSet;
  readonly optionalSyntax: boolean;
  readonly escapedIdentifiers: boolean;
  /** Elements of a list or map literal must agree in type, as Kubernetes demands. */
  readonly homogeneousLiterals: boolean;
  /** Literal arguments of duration(), timestamp() and matches() are looked at while compiling. */
  readonly checkedLiterals: boolean;
  /** Declared variables, without those of the language. */
  readonly variables: ReadonlyMap<string, CelType>;
  lookup(name: string): Named | undefined;
  function(name: string): FunctionDeclaration | undefined;
  structType(name: string): (StructType & { readonly name: string }) | undefined;
  /** A new environment with more variables and types. */
  extend(
    variables: Readonly<Record<string, CelType>>,
    structs?: StructTypes,
    libraries?: readonly Library[],
  ): CelEnvironment;
}

export interface EnvironmentOptions {
  readonly libraries: readonly Library[];
  readonly macros: readonly MacroSet[];
  readonly variables?: Readonly<Record<string, CelType>>;
  readonly constants?: ReadonlyMap<string, { readonly type: CelType; readonly value: Value }>;
  readonly structs?: StructTypes;
  readonly container?: string;
  readonly optionalSyntax?: boolean;
  readonly escapedIdentifiers?: boolean;
  readonly homogeneousLiterals?: boolean;
  readonly checkedLiterals?: boolean;
}

/** The types that the language has names for. */
const TYPE_NAMES: Readonly<Record<string, CelType>> = {
  bool: BOOL,
  bytes: BYTES,
  double: DOUBLE,
  int: INT,
  list: LIST_OF_DYN,
  map: MAP_OF_DYN,
  null_type: NULL,
  string: STRING,
  type: TYPE,
  uint: UINT,
  'google.protobuf.Timestamp': TIMESTAMP,
  'google.protobuf.Duration': DURATION,
};

export function createEnvironment(options: EnvironmentOptions): CelEnvironment {
  const functions = mergeFunctions(options.libraries);
  const names = new Map<string, Named>();
  for (const [name, type] of Object.entries(TYPE_NAMES))
    names.set(name, { name, type: typeOf(type), constant: new TypeValue(name) });
  if (functions.has('optional.of')) {
    const type = typeOf(opaque('optional_type'));
    names.set('optional_type', { name: 'optional_type', type, constant: new TypeValue('optional_type') });
  }
  for (const [name, { type, value }] of options.constants ?? []) names.set(name, { name, type, constant: value });
  for (const [name, type] of Object.entries(options.variables ?? {})) names.set(name, { name, type });
  const container = options.container ?? '';
  /** The name in the container, then in those around it. */
  const resolve = <T>(name: string, find: (candidate: string) => T | undefined): T | undefined => {
    if (name.startsWith('.')) return find(name.slice(1));
    for (let prefix = container; prefix !== ''; prefix = prefix.slice(0, Math.max(prefix.lastIndexOf('.'), 0))) {
      const found = find(`${prefix}.${name}`);
      if (found !== undefined) return found;
    }
    return find(name);
  };
  return {
    container,
    macros: new Map(options.macros.flatMap((set) => [...set])),
    optionalSyntax: options.optionalSyntax ?? false,
    escapedIdentifiers: options.escapedIdentifiers ?? false,
    homogeneousLiterals: options.homogeneousLiterals ?? false,
    checkedLiterals: options.checkedLiterals ?? false,
    variables: new Map(Object.entries(options.variables ?? {})),
    lookup: (name) => resolve(name, (candidate) => names.get(candidate)),
    function: (name) => resolve(name, (candidate) => functions.get(candidate)),
    structType: (name) =>
      resolve(name, (candidate) => {
        const struct = options.structs?.get(candidate);
        return struct === undefined ? undefined : { ...struct, name: candidate };
      }),
    extend: (variables, structs, libraries) =>
      createEnvironment({
        ...options,
        libraries: [...options.libraries, ...(libraries ?? [])],
        variables: { ...options.variables, ...variables },
        structs: structs === undefined ? options.structs : either(structs, options.structs),
      }),
  };
}

const either = (first: StructTypes, second: StructTypes | undefined): StructTypes => ({
  get: (name) => first.get(name) ?? second?.get(name),
});
