// The paths that an applied configuration names: what its manager owns. Not the same as all paths of the object: a struct
// counts only when it is empty or null, keys of maps and items of lists always do.
import type { Schema } from '#schema/types.ts';
import { childSchema, elementsOf, isGranular } from './compare.ts';
import { FieldSet, FieldSetBuilder } from './field-set.ts';
import { isObject } from './json.ts';

export function pathsOf(configuration: unknown, schema: Schema): FieldSet {
  const out = new FieldSetBuilder();
  walk(configuration, schema, [], out);
  return out.build();
}

function walk(value: unknown, schema: Schema | undefined, path: readonly string[], out: FieldSetBuilder): void {
  if (!isGranular(schema)) {
    out.insert(path);
    return;
  }
  for (const [element, member] of elementsOf(schema, value)) {
    const below = [...path, element];
    walk(member, childSchema(schema, element), below, out);
    const named = schema.type === 'object' && schema.byName.has(element.slice(2));
    if (!named || isEmpty(member)) out.insert(below);
  }
}

const isEmpty = (value: unknown): boolean => value === null || (isObject(value) && Object.keys(value).length === 0);

/** The set with every named field that has something below it as a member of its own. */
export function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  if (set.children.size === 0) return set;
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    if (schema?.type === 'object' && schema.byName.has(element.slice(2))) members.add(element);
    children.set(element, withNamedFields(child, isGranular(schema) ? childSchema(schema, element) : undefined));
  }
  return new FieldSet(members, children);
}

/** `.spec.containers[name="web"].image`, as upstream's messages have it. */
export function formatPath(path: readonly string[]): string {
  return path.map(formatElement).join('');
}

function formatElement(element: string): string {
  const text = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${text}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(text) as object);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${text}]`;
    default:
      return `[${text}]`;
  }
}
