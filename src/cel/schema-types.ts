// Types of variables from schemas: OpenAPI v3 as CustomResourceDefinitions have it, and the built-in types. The bounds of
// sizes (maxItems, maxLength, maxProperties, or else what fits into a request) go into the types for the cost estimate.

import type { Schema } from '#schema/types.ts';
import { escapeFieldName } from './field-names.ts';
import { BOOL, BYTES, type CelType, DOUBLE, DURATION, DYN, INT, type ObjectField, STRING, TIMESTAMP } from './types.ts';

/** The parts of a schema that matter here. */
export interface OpenApiSchema {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly additionalProperties?: boolean | OpenApiSchema;
  readonly items?: OpenApiSchema;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

/** Upstream's limit of a request's body, in bytes: nothing in it can be longer. */
const REQUEST_BYTES = 3 * 1024 * 1024;
/** What the shortest values take in JSON, in bytes. */
const SHORTEST = { string: 2, boolean: 4, number: 1, empty: 2, date: 12, dateTime: 21, duration: 3 } as const;
/** The longest texts of these formats, in bytes with quotes. */
const LONGEST_DURATION = 32;
const LONGEST_DATE = 12;
const LONGEST_DATE_TIME = 37;
/** A character takes up to four bytes; limits of schemas count characters. */
const BYTES_PER_CHARACTER = 4;

interface Sized {
  readonly type: CelType;
  /** Fewest bytes of a value in JSON. */
  readonly shortest: number;
}

/** Undefined: values of this schema cannot be named in expressions. `root`: the schema of a whole object, which has the fields of all objects. */
export function typeOfOpenApi(schema: OpenApiSchema, name: string, root = false): CelType | undefined {
  return convert(root ? withObjectFields(schema) : schema, name)?.type;
}

function convert(given: OpenApiSchema, name: string): Sized | undefined {
  const schema = given['x-kubernetes-embedded-resource'] === true ? withObjectFields(given) : given;
  if (schema['x-kubernetes-int-or-string'] === true)
    return { type: { ...DYN, maxElements: REQUEST_BYTES - 2 }, shortest: 1 };
  switch (schema.type) {
    case 'array':
      return convertList(schema, name);
    case 'object':
      return typeof schema.additionalProperties === 'object'
        ? convertMap(schema, schema.additionalProperties, name)
        : convertObject(schema, name);
    case 'string':
      return convertString(schema);
    case 'boolean':
      return { type: BOOL, shortest: SHORTEST.boolean };
    case 'number':
      return { type: DOUBLE, shortest: SHORTEST.number };
    case 'integer':
      return { type: INT, shortest: SHORTEST.number };
    default:
      return undefined;
  }
}

function convertList(schema: OpenApiSchema, name: string): Sized | undefined {
  const items = schema.items && convert(schema.items, `${name}.@idx`);
  if (items === undefined) return undefined;
  const maxElements = positive(schema.maxItems) ?? Math.floor((REQUEST_BYTES - 2) / (items.shortest + 1));
  const listType = schema['x-kubernetes-list-type'];
  const list: CelType = { kind: 'list', element: items.type, maxElements };
  if (listType === 'set') return { type: { ...list, listType }, shortest: SHORTEST.empty };
  if (listType !== 'map') return { type: list, shortest: SHORTEST.empty };
  const mapKeys = schema['x-kubernetes-list-map-keys'] ?? [];
  return { type: { ...list, listType, mapKeys }, shortest: SHORTEST.empty };
}

function convertMap(schema: OpenApiSchema, values: OpenApiSchema, name: string): Sized | undefined {
  const value = convert(values, `${name}.@elem`);
  if (value === undefined) return undefined;
  // Each entry has a key with quotes, a colon and a comma.
  const maxElements = positive(schema.maxProperties) ?? Math.floor((REQUEST_BYTES - 2) / (value.shortest + 6));
  const key: CelType = { ...STRING, maxElements: 0 };
  return { type: { kind: 'map', key, value: value.type, maxElements }, shortest: SHORTEST.empty };
}

function convertObject(schema: OpenApiSchema, name: string): Sized {
  const fields = new Map<string, ObjectField>();
  let shortest: number = SHORTEST.empty;
  for (const [property, inner] of Object.entries(schema.properties ?? {})) {
    const converted = convert(inner, `${name}.${property}`);
    if (converted === undefined) continue;
    const required = schema.required?.includes(property) ?? false;
    const escaped = escapeFieldName(property);
    if (escaped !== undefined) fields.set(escaped, { name: property, type: converted.type, required });
    // Quotes, colon and comma around it. What has a default need not be sent.
    if (required && inner.default === undefined) shortest += property.length + converted.shortest + 4;
  }
  return { type: { kind: 'object', name, fields }, shortest };
}

function convertString(schema: OpenApiSchema): Sized {
  const limit = positive(schema.maxLength);
  switch (schema.format) {
    case 'byte':
      return { type: { ...BYTES, maxElements: limit ?? REQUEST_BYTES - 2 }, shortest: SHORTEST.string };
    case 'duration':
      return { type: { ...DURATION, maxElements: LONGEST_DURATION }, shortest: SHORTEST.duration };
    case 'date':
      return { type: { ...TIMESTAMP, maxElements: LONGEST_DATE }, shortest: SHORTEST.date };
    case 'date-time':
      return { type: { ...TIMESTAMP, maxElements: LONGEST_DATE_TIME }, shortest: SHORTEST.dateTime };
    default: {
      const bytes = limit === undefined ? undefined : limit * BYTES_PER_CHARACTER;
      const maxElements = bytes ?? longestOf(schema.enum) ?? REQUEST_BYTES - 2;
      return { type: { ...STRING, maxElements }, shortest: SHORTEST.string };
    }
  }
}

const longestOf = (values: readonly unknown[] | undefined): number | undefined =>
  values === undefined || values.length === 0 ? undefined : Math.max(...values.map((value) => String(value).length));

const positive = (limit: number | undefined): number | undefined =>
  limit === undefined ? undefined : Math.max(limit, 0);

const TEXT: OpenApiSchema = { type: 'string' };

/** Of the metadata, only the names can be named: everything else is the server's. */
function withObjectFields(schema: OpenApiSchema): OpenApiSchema {
  return {
    ...schema,
    properties: {
      ...schema.properties,
      apiVersion: TEXT,
      kind: TEXT,
      metadata: { type: 'object', properties: { name: TEXT, generateName: TEXT } },
    },
  };
}

const builtIn = new WeakMap<Schema, CelType>();

/** The type of a built-in type's values. Recursive types are recursive. */
export function typeOfSchema(schema: Schema): CelType {
  const known = builtIn.get(schema);
  if (known !== undefined) return known;
  const made = ofBuiltIn(schema);
  builtIn.set(schema, made);
  return made;
}

function ofBuiltIn(schema: Schema): CelType {
  switch (schema.type) {
    case 'object': {
      const fields = new Map<string, ObjectField>();
      const type: CelType = { kind: 'object', name: schema.name ?? 'object', fields };
      builtIn.set(schema, type);
      for (const field of schema.fields) {
        const escaped = escapeFieldName(field.name);
        if (escaped !== undefined)
          fields.set(escaped, { name: field.name, type: typeOfSchema(field.schema), required: field.required });
      }
      return type;
    }
    case 'map':
      return { kind: 'map', key: STRING, value: typeOfSchema(schema.values) };
    case 'list':
      return {
        kind: 'list',
        element: typeOfSchema(schema.items),
        ...(schema.listType === undefined ? {} : { listType: schema.listType }),
        ...(schema.mapKeys === undefined ? {} : { mapKeys: schema.mapKeys }),
      };
    case 'integer':
      return INT;
    case 'number':
      return DOUBLE;
    case 'boolean':
      return BOOL;
    case 'bytes':
      return BYTES;
    case 'time':
    case 'microTime':
      return TIMESTAMP;
    case 'string':
    case 'duration':
      return STRING;
    case 'quantity':
    case 'intOrString':
    case 'any':
      return DYN;
  }
}
