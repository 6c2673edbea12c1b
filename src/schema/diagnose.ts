// Says what is wrong with a document that the fast rebuild stumbled over: upstream's texts for unknown fields and wrong
// types (sigs.k8s.io/json), duplicates from the exact parser. Slow, and only run when something IS wrong.
import { QuantityError, parseQuantity } from '#machinery/quantity.ts';
import { parseTime } from '#machinery/time.ts';
import { embeddingOf, goTypeOfField } from './go-names.ts';
import type { Schema } from './types.ts';

export interface Diagnosis {
  /** `unknown field "spec.foo"`, in the order of the document. */
  readonly unknown: readonly string[];
  /** The first wrong type: `json: cannot unmarshal …`. */
  readonly wrongType: string | undefined;
}

export function diagnose(value: unknown, schema: Schema): Diagnosis {
  const unknown: string[] = [];
  let wrongType: string | undefined;

  const mismatch = (given: unknown, wanted: Schema, struct: string, path: string): void => {
    const [definition = '', group = ''] = struct.split(' ');
    const type = goTypeAt(wanted, definition, path.slice(path.lastIndexOf('.') + 1), group);
    const where = struct === '' ? `Go value of type ${type}` : `Go struct field ${definition}.${path} of type ${type}`;
    wrongType ??= `json: cannot unmarshal ${jsonWord(given, wanted)} into ${where}`;
  };

  /** `struct` is the definition and its group; `path` has indices (for unknown fields), `fieldPath` only names (for wrong types). */
  const visit = (given: unknown, wanted: Schema, struct: string, path: string, fieldPath: string): void => {
    if (given === null || given === undefined) return;
    switch (wanted.type) {
      case 'any':
        return;
      case 'object': {
        if (typeof given !== 'object' || Array.isArray(given)) return mismatch(given, wanted, struct, fieldPath);
        const parts = wanted.name?.split('.') ?? [];
        const name = parts.at(-1) ?? '';
        for (const [key, member] of Object.entries(given)) {
          const field = wanted.byName.get(key);
          const at = path === '' ? key : `${path}.${key}`;
          if (field === undefined) unknown.push(`unknown field ${JSON.stringify(at)}`);
          else {
            const own = `${embeddingOf(name, key)}${key}`;
            visit(
              member,
              field.schema,
              `${name} ${parts.at(-3) ?? ''}`,
              at,
              fieldPath === '' ? own : `${fieldPath}.${own}`,
            );
          }
        }
        return;
      }
      case 'map': {
        if (typeof given !== 'object' || Array.isArray(given)) return mismatch(given, wanted, struct, fieldPath);
        for (const [key, member] of Object.entries(given))
          visit(member, wanted.values, struct, `${path}.${key}`, fieldPath);
        return;
      }
      case 'list': {
        if (!Array.isArray(given)) return mismatch(given, wanted, struct, fieldPath);
        for (const [index, item] of given.entries()) visit(item, wanted.items, struct, `${path}[${index}]`, fieldPath);
        return;
      }
      case 'string':
      case 'duration':
        if (typeof given !== 'string') mismatch(given, wanted, struct, fieldPath);
        return;
      case 'boolean':
        if (typeof given !== 'boolean') mismatch(given, wanted, struct, fieldPath);
        return;
      case 'number':
        if (typeof given !== 'number') mismatch(given, wanted, struct, fieldPath);
        return;
      case 'integer': {
        const limit = wanted.format === 'int32' ? 2 ** 31 : 2 ** 63;
        if (typeof given !== 'number' || !Number.isInteger(given) || given >= limit || given < -limit)
          mismatch(given, wanted, struct, fieldPath);
        return;
      }
      case 'intOrString':
        if (
          typeof given !== 'string' &&
          (typeof given !== 'number' || !Number.isInteger(given) || Math.abs(given) >= 2 ** 31)
        ) {
          mismatch(given, { type: 'integer', format: 'int32' }, struct, fieldPath);
        }
        return;
      case 'quantity':
        try {
          if (typeof given === 'string' || typeof given === 'number')
            parseQuantity(typeof given === 'string' ? given.trim() : given);
          else
            wrongType ??= `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`;
        } catch (error) {
          if (!(error instanceof QuantityError)) throw error;
          wrongType ??= error.message;
        }
        return;
      case 'time':
      case 'microTime': {
        if (typeof given !== 'string') mismatch(given, { type: 'string' }, struct, fieldPath);
        else if (parseTime(given) === undefined) {
          const layout = wanted.type === 'time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
          wrongType ??= `parsing time ${JSON.stringify(given)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(given)} as "2006"`;
        }
        return;
      }
      case 'bytes': {
        if (typeof given !== 'string') return mismatch(given, wanted, struct, fieldPath);
        const bad = badBase64Byte(given);
        if (bad !== undefined) wrongType ??= `illegal base64 data at input byte ${bad}`;
      }
    }
  };

  visit(value, schema, '', '', '');
  return { unknown, wrongType };
}

function jsonWord(value: unknown, wanted: Schema): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return wanted.type === 'integer' ? `number ${value}` : 'number';
    default:
      return Array.isArray(value) ? 'array' : 'object';
  }
}

/** The type of a struct's field, or of the items of its list. */
function goTypeAt(schema: Schema, definition: string, field: string, group: string): string {
  if (schema.type === 'map' && schema.values.type === 'quantity')
    return group === 'resource' ? 'map[v1.QualifiedName]resource.Quantity' : 'v1.ResourceList';
  if (schema.type === 'map' && definition === 'Device' && schema.values.type === 'object')
    return `map[v1.QualifiedName]${goType(schema.values)}`;
  if (definition === 'JSONSchemaProps' && field === 'x-kubernetes-validations') return 'v1.ValidationRules';
  if (field === 'extra' && schema.type !== 'string')
    return schema.type === 'map' ? 'map[string]v1.ExtraValue' : 'v1.ExtraValue';
  const named = goTypeOfField(definition, field);
  if (named !== undefined && schema.type === 'list' && schema.items.type === 'string') return `[]${named}`;
  return named !== undefined && schema.type === 'string' ? named : goType(schema);
}

function goType(schema: Schema): string {
  switch (schema.type) {
    case 'object': {
      const parts = schema.name?.split('.') ?? [];
      return parts.length > 1 ? `${parts.at(-2)}.${parts.at(-1)}` : 'map[string]interface {}';
    }
    case 'map':
      return `map[string]${goType(schema.values)}`;
    case 'list':
      return `[]${goType(schema.items)}`;
    case 'integer':
      return schema.format ?? 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'bytes':
      return '[]uint8';
    case 'quantity':
      return 'resource.Quantity';
    case 'intOrString':
      return 'intstr.IntOrString';
    default:
      return 'string';
  }
}

/** Where Go's decoder stops, undefined when the text is base64. */
function badBase64Byte(text: string): number | undefined {
  const clean = text.replace(/[\r\n]/g, '');
  const bad = /[^A-Za-z0-9+/=]/.exec(clean);
  if (bad !== null) return bad.index;
  const padding = clean.indexOf('=');
  if (padding >= 0 && !/^={1,2}$/.test(clean.slice(padding))) return padding;
  return clean.length % 4 === 0 ? undefined : clean.length;
}
