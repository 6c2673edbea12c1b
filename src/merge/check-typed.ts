// Whether a configuration fits the schema, in structured-merge-diff's words: what an apply answers before anything is merged.
import type { ListSchema, ScalarSchema, Schema } from '#schema/types.ts';
import { keyElement } from './compare.ts';
import { formatPath } from './field-paths.ts';
import { isObject, type JsonObject } from './json.ts';

interface TypeFault {
  readonly path: string;
  readonly text: string;
}

/** Undefined when it fits. `.spec.foo: field not declared in schema`; several stand below `errors:`. */
export function typeErrors(configuration: unknown, schema: Schema): string | undefined {
  const faults = [...check(configuration, schema, '')].map((f) => (f.path === '' ? f.text : `${f.path}: ${f.text}`));
  if (faults.length === 0) return undefined;
  return faults.length === 1 ? faults[0] : ['errors:', ...faults.map((f) => `  ${f}`)].join('\n');
}

function* check(value: unknown, schema: Schema, path: string): Iterable<TypeFault> {
  if (value === null || value === undefined) return;
  switch (schema.type) {
    case 'any':
      return;
    case 'list':
      if (Array.isArray(value)) yield* items(value, schema, path);
      else yield { path, text: `expected list, got &{${goText(value)}}` };
      return;
    case 'map':
    case 'object':
      if (!isObject(value)) yield { path, text: `expected map, got &{${goText(value)}}` };
      else yield* members(value, schema, path);
      return;
    default:
      yield* scalar(value, schema, path);
  }
}

function* members(value: JsonObject, schema: Extract<Schema, { type: 'map' | 'object' }>, path: string) {
  for (const [name, member] of Object.entries(value)) {
    const below = schema.type === 'map' ? schema.values : schema.byName.get(name)?.schema;
    if (below === undefined) {
      yield { path: `${path}.${name}`, text: 'field not declared in schema' };
      // Upstream stops at a struct's first unknown field.
      return;
    }
    yield* check(member, below, `${path}.${name}`);
  }
}

function* items(value: readonly unknown[], schema: ListSchema, path: string): Iterable<TypeFault> {
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    if (schema.listType !== 'map' && schema.listType !== 'set') {
      yield* check(item, schema.items, `${path}[${index}]`);
      continue;
    }
    const wrong = schema.listType === 'set' ? wrongSetItem(item) : wrongKeyedItem(item, schema);
    if (wrong !== undefined) {
      yield { path, text: `element ${index}: ${wrong}` };
      return;
    }
    const element = schema.listType === 'set' ? `v:${JSON.stringify(item)}` : keyElement(schema, item);
    const shown = formatPath([element]);
    if (seen.has(element)) yield { path, text: `duplicate entries for key ${shown}` };
    seen.add(element);
    yield* check(item, schema.items, path + shown);
  }
}

function wrongSetItem(item: unknown): string | undefined {
  if (item === null) return "associative list without keys has an element that's an explicit null";
  if (Array.isArray(item)) return 'not supported: associative list with lists as elements';
  return isObject(item) ? "associative list without keys has an element that's a map type" : undefined;
}

function wrongKeyedItem(item: unknown, schema: ListSchema): string | undefined {
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  const keys = schema.mapKeys ?? [];
  if (keys.length === 0 || keyElement(schema, item) !== 'k:{}') return undefined;
  const names = keys.map((k) => JSON.stringify(k)).join(' ');
  return `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`;
}

function* scalar(value: unknown, schema: ScalarSchema, path: string): Iterable<TypeFault> {
  const type = typeof value;
  switch (schema.type) {
    case 'integer':
    case 'number':
      if (type !== 'number') yield { path, text: `expected numeric (int or float), got ${goType(value)}` };
      return;
    case 'boolean':
      if (type !== 'boolean') yield { path, text: `expected boolean, got &{${goText(value)}}` };
      return;
    case 'string':
    case 'bytes':
    case 'duration':
      if (type !== 'string')
        yield { path, text: `expected string, got &value.valueUnstructured{Value:${goText(value)}}` };
      return;
    default:
      if (type === 'object') yield { path, text: `expected any scalar, got &{${goText(value)}}` };
  }
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/** As Go prints the value. */
function goText(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isObject(value)) return String(value);
  const members = Object.keys(value).sort();
  return `map[${members.map((name) => `${name}:${goText(value[name])}`).join(' ')}]`;
}
