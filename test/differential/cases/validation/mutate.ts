// One object → the same object with one fault, for each member and each fault its type can have.
import type { Schema } from '#schema/types.ts';
import { isObject } from './subject.ts';

export type Path = readonly (string | number)[];

export interface Fault {
  /** `spec.containers[0].name`. */
  readonly field: string;
  /** `empty`, `too-long`, … */
  readonly name: string;
  /** Faults of one mark are the same question asked at another place. */
  readonly mark: string;
  readonly object: unknown;
}

const LONG = 'a'.repeat(260);
const INT32_OVER = 3_000_000_000;

/** All single faults of the members that `object` has and `base` has not, in the order of the object. */
export function faultsOf(object: unknown, base: unknown, schema: Schema): readonly Fault[] {
  const faults: Fault[] = [];
  const visit = (value: unknown, old: unknown, at: Schema, path: Path, owner: string): void => {
    const isNew = old === undefined;
    if (isNew && path.length > 0) {
      const field = fieldOf(path);
      const mark = `${owner}:${markOf(path)}`;
      const add = (name: string, replacement: unknown, isOfType = false): void => {
        faults.push({
          field,
          name,
          mark: `${isOfType ? `${owner}:${String(path.findLast((p) => typeof p === 'string'))}` : mark}:${name}`,
          object: replaced(object, path, replacement),
        });
      };
      if (typeof path.at(-1) === 'string') add('missing', undefined);
      for (const [name, wrong] of wrongTypes(at)) add(name, wrong, true);
      for (const [name, wrong] of badValues(value, at)) add(name, wrong);
    }
    if (at.type === 'object' && isObject(value)) {
      const name = at.name?.split('.').slice(-3).join('.') ?? owner;
      for (const field of at.fields) {
        if (value[field.name] === undefined || HEAD.has(field.name)) continue;
        visit(
          value[field.name],
          isObject(old) ? old[field.name] : undefined,
          field.schema,
          [...path, field.name],
          name,
        );
      }
    } else if (at.type === 'map' && isObject(value)) {
      for (const key of Object.keys(value))
        if (typeof value[key] === 'object')
          visit(value[key], isObject(old) ? old[key] : undefined, at.values, [...path, key], owner);
    } else if (at.type === 'list' && Array.isArray(value)) {
      for (const [i, item] of value.entries())
        visit(item, Array.isArray(old) ? old[i] : undefined, at.items, [...path, i], owner);
    }
  };
  visit(object, base, schema, [], '');
  return faults;
}

/** Not the matter of a kind's own validation. */
const HEAD = new Set(['apiVersion', 'kind', 'metadata']);

function wrongTypes(schema: Schema): readonly (readonly [string, unknown])[] {
  switch (schema.type) {
    case 'string':
      return [['of-type-number', 7]];
    case 'integer':
      return schema.format === 'int32'
        ? [
            ['of-type-string', 'seven'],
            ['over-int32', INT32_OVER],
          ]
        : [
            ['of-type-string', 'seven'],
            ['with-fraction', 1.5],
          ];
    case 'number':
      return [['of-type-string', 'seven']];
    case 'boolean':
      return [['of-type-string', 'yes']];
    case 'quantity':
    case 'intOrString':
      return [
        ['of-type-object', {}],
        ['of-type-boolean', true],
      ];
    case 'time':
    case 'microTime':
    case 'duration':
    case 'bytes':
      return [['of-type-number', 7]];
    case 'list':
      return [['of-type-object', {}]];
    case 'map':
      return [['of-type-list', []]];
    case 'object':
      return [['of-type-string', 'text']];
    default:
      return [];
  }
}

function badValues(value: unknown, schema: Schema): readonly (readonly [string, unknown])[] {
  switch (schema.type) {
    case 'string':
      return [
        ['empty', ''],
        ['malformed', 'Bad Value!'],
        ['too-long', LONG],
      ];
    case 'integer':
      return [
        ['negative', -1],
        ['zero', 0],
        ['huge', 2_147_483_647],
      ];
    case 'boolean':
      return [['flipped', value !== true]];
    case 'quantity':
      return [
        ['negative', '-1'],
        ['zero', '0'],
        ['malformed', '1x'],
        ['fractional', '1500m'],
      ];
    case 'intOrString':
      return [
        ['negative', -1],
        ['zero', 0],
        ['huge', 70_000],
        ['malformed', 'Bad Value!'],
        ['percent', '150%'],
      ];
    case 'time':
    case 'microTime':
      return [['malformed', 'yesterday']];
    case 'duration':
      return [['malformed', 'soon']];
    case 'bytes':
      return [['malformed', '!not base64!']];
    case 'list': {
      const list = value as readonly unknown[];
      return [
        ['empty', []],
        ...(list.length > 0 ? ([['duplicate', [...list, list[0]]]] as const) : []),
        ['null-item', [null]],
      ];
    }
    case 'map': {
      const map = value as Readonly<Record<string, unknown>>;
      const some = Object.values(map)[0];
      return [
        ['empty', {}],
        ['malformed-key', { 'Bad Key!': some }],
        ['empty-key', { '': some }],
        ...badValues(some, schema.values)
          .filter(([name]) => name !== 'empty')
          .map(([name, wrong]) => [`${name}-value`, { [Object.keys(map)[0] ?? 'k']: wrong }] as const),
      ];
    }
    case 'object':
      return [['empty', {}]];
    default:
      return [];
  }
}

/** Every leaf changed to another value of its type, one at a time, and every member that is no leaf taken away. */
export function changesOf(object: unknown, schema: Schema): readonly Fault[] {
  const faults: Fault[] = [];
  const visit = (value: unknown, at: Schema, path: Path): void => {
    const add = (name: string, replacement: unknown): void => {
      faults.push({ field: fieldOf(path), name, mark: '', object: replaced(object, path, replacement) });
    };
    if (at.type === 'object' && isObject(value)) {
      if (path.length > 0 && typeof path.at(-1) === 'string') add('removed', undefined);
      for (const field of at.fields)
        if (value[field.name] !== undefined && !HEAD.has(field.name))
          visit(value[field.name], field.schema, [...path, field.name]);
    } else if (at.type === 'list' && Array.isArray(value)) {
      if (path.length > 0) add('removed', undefined);
      for (const [i, item] of value.entries()) visit(item, at.items, [...path, i]);
    } else if (path.length > 0) {
      const other = otherValue(value, at);
      if (other !== undefined) add('changed', other);
      if (typeof path.at(-1) === 'string') add('removed', undefined);
    }
  };
  visit(object, schema, []);
  return faults;
}

function otherValue(value: unknown, schema: Schema): unknown {
  switch (schema.type) {
    case 'string':
      return `${String(value)}x`;
    case 'integer':
    case 'number':
      return (value as number) + 1;
    case 'boolean':
      return value !== true;
    case 'quantity':
      return '77';
    case 'intOrString':
      return typeof value === 'number' ? value + 1 : `1${String(value)}`;
    case 'time':
      return '2031-02-03T04:05:06Z';
    case 'microTime':
      return '2031-02-03T04:05:06.000000Z';
    case 'bytes':
      return 'b3RoZXI=';
    case 'map':
      return {
        ...(value as object),
        another: schema.values.type === 'string' ? 'value' : Object.values(value as object)[0],
      };
    default:
      return undefined;
  }
}

/** The same object with one member replaced; undefined takes it away. */
export function replaced(object: unknown, path: Path, value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (Array.isArray(object)) return object.map((item, i) => (i === head ? replaced(item, rest, value) : item));
  const out = { ...(object as Record<string, unknown>) };
  const made = replaced(out[head], rest, value);
  if (made === undefined) delete out[head];
  else out[head] = made;
  return out;
}

export const fieldOf = (path: Path): string =>
  path.reduce<string>((text, p) => (typeof p === 'number' ? `${text}[${p}]` : text === '' ? p : `${text}.${p}`), '');

/** The last two names of a path. */
const markOf = (path: Path): string =>
  path
    .filter((p) => typeof p === 'string')
    .slice(-2)
    .join('.');
