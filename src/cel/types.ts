// The types of the expression language, as the checker uses them and as variables are declared with. Types made from a
// schema carry the bounds of their values (maxElements), which only the cost estimate reads.

export type CelType =
  | SimpleType
  | ListType
  | MapType
  | ObjectType
  | OpaqueType
  | TypeParameter
  | TypeOfType
  /** A protobuf wrapper: the simple type or null. */
  | WrapperType;

export interface SimpleType {
  readonly kind:
    | 'dyn'
    | 'any'
    | 'error'
    | 'null'
    | 'bool'
    | 'int'
    | 'uint'
    | 'double'
    | 'string'
    | 'bytes'
    | 'timestamp'
    | 'duration';
  readonly maxElements?: number;
}

export interface ListType {
  readonly kind: 'list';
  readonly element: CelType;
  readonly maxElements?: number;
  /** Kubernetes' list types change what `==` and `+` mean; set by the schema. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly mapKeys?: readonly string[];
}

export interface MapType {
  readonly kind: 'map';
  readonly key: CelType;
  readonly value: CelType;
  readonly maxElements?: number;
}

/** An object with declared fields. Values are plain JSON objects, read by each field's JSON name. */
export interface ObjectType {
  readonly kind: 'object';
  readonly name: string;
  /** Escaped name (as expressions write it) → field. */
  readonly fields: { get(name: string): ObjectField | undefined };
  readonly maxElements?: number;
}

export interface ObjectField {
  /** The name in JSON. */
  readonly name: string;
  readonly type: CelType;
  readonly required?: boolean;
  readonly default?: unknown;
}

/** A type known by name and parameters only: `optional_type(int)`, `kubernetes.Quantity`. */
export interface OpaqueType {
  readonly kind: 'opaque';
  readonly name: string;
  readonly parameters: readonly CelType[];
  readonly maxElements?: number;
}

export interface TypeParameter {
  readonly kind: 'param';
  readonly name: string;
  readonly maxElements?: number;
}

export interface TypeOfType {
  readonly kind: 'type';
  /** Undefined: the type of types itself, `type`. */
  readonly of?: CelType;
  readonly maxElements?: number;
}

export interface WrapperType {
  readonly kind: 'wrapper';
  readonly of: SimpleType;
  readonly maxElements?: number;
}

export const DYN: SimpleType = { kind: 'dyn' };
export const ANY: SimpleType = { kind: 'any' };
export const ERROR: SimpleType = { kind: 'error' };
export const NULL: SimpleType = { kind: 'null' };
export const BOOL: SimpleType = { kind: 'bool' };
export const INT: SimpleType = { kind: 'int' };
export const UINT: SimpleType = { kind: 'uint' };
export const DOUBLE: SimpleType = { kind: 'double' };
export const STRING: SimpleType = { kind: 'string' };
export const BYTES: SimpleType = { kind: 'bytes' };
export const TIMESTAMP: SimpleType = { kind: 'timestamp' };
export const DURATION: SimpleType = { kind: 'duration' };
export const TYPE: TypeOfType = { kind: 'type' };
export const LIST_OF_DYN: ListType = { kind: 'list', element: DYN };
export const MAP_OF_DYN: MapType = { kind: 'map', key: DYN, value: DYN };

export const listOf = (element: CelType): ListType => ({ kind: 'list', element });
export const mapOf = (key: CelType, value: CelType): MapType => ({ kind: 'map', key, value });
export const typeOf = (of: CelType): TypeOfType => ({ kind: 'type', of });
export const opaque = (name: string, ...parameters: CelType[]): OpaqueType => ({ kind: 'opaque', name, parameters });
export const optionalOf = (of: CelType): OpaqueType => opaque('optional_type', of);
export const param = (name: string): TypeParameter => ({ kind: 'param', name });
export const wrapperOf = (of: SimpleType): WrapperType => ({ kind: 'wrapper', of });

/** An object type of fields whose names need no escaping. */
export const objectOf = (name: string, fields: Readonly<Record<string, CelType>>): ObjectType => ({
  kind: 'object',
  name,
  fields: new Map(Object.entries(fields).map(([field, type]) => [field, { name: field, type }])),
});

export const isDynamic = (type: CelType): boolean => type.kind === 'dyn' || type.kind === 'any';
export const isOptional = (type: CelType): type is OpaqueType =>
  type.kind === 'opaque' && type.name === 'optional_type' && type.parameters.length === 1;

/** As the checker's messages write types. */
export function formatType(type: CelType): string {
  switch (type.kind) {
    case 'error':
      return '!error!';
    case 'list':
      return `list(${formatType(type.element)})`;
    case 'map':
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case 'object':
    case 'param':
      return type.name;
    case 'opaque':
      return type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.map(formatType).join(', ')})`;
    case 'type':
      return type.of === undefined ? 'type' : `type(${formatType(type.of)})`;
    case 'wrapper':
      return `wrapper(${formatType(type.of)})`;
    default:
      return type.kind;
  }
}

/** As a call without fitting overload is described: `(int, string)` or `list(int).(string)`. */
export function formatSignature(args: readonly CelType[], member: boolean): string {
  const formatted = args.map(formatType);
  return member ? `${formatted[0] ?? ''}.(${formatted.slice(1).join(', ')})` : `(${formatted.join(', ')})`;
}

/** The name the language itself knows a type by: `type(x)` answers with it. */
export function typeName(type: CelType): string {
  switch (type.kind) {
    case 'null':
      return 'null_type';
    case 'timestamp':
      return 'google.protobuf.Timestamp';
    case 'duration':
      return 'google.protobuf.Duration';
    case 'any':
      return 'google.protobuf.Any';
    case 'object':
    case 'opaque':
    case 'param':
      return type.name;
    case 'wrapper':
      return typeName(type.of);
    default:
      return type.kind;
  }
}

/** Same kind, name and parameters; bounds do not count. */
export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'list':
      return b.kind === 'list' && sameType(a.element, b.element);
    case 'map':
      return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.value, b.value);
    case 'object':
      return b.kind === 'object' && a.name === b.name;
    case 'param':
      return b.kind === 'param' && a.name === b.name;
    case 'opaque':
      return (
        b.kind === 'opaque' &&
        a.name === b.name &&
        a.parameters.length === b.parameters.length &&
        a.parameters.every((parameter, i) => sameType(parameter, b.parameters[i]!))
      );
    case 'type':
      if (b.kind !== 'type') return false;
      return a.of === undefined || b.of === undefined ? a.of === b.of : sameType(a.of, b.of);
    case 'wrapper':
      return b.kind === 'wrapper' && sameType(a.of, b.of);
    default:
      return a.kind === b.kind;
  }
}
