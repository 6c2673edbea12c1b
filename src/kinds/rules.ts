// Validation as data: rows of (field, what must hold), checked in order, with upstream's error kinds and words. Code is
// left for rules that cross fields.
import { type FieldError, fieldError } from '#machinery/status.ts';

/** One rule about one member of an object. Unset members only break `required`. */
export type Row<T> = { readonly field: keyof T & string } & (
  | { readonly required: true; readonly detail?: string }
  | { readonly oneOf: readonly string[] }
  | { readonly range: readonly [number, number] }
  | { readonly min: number }
  | { readonly format: (value: never) => readonly string[] }
);

export type Errors = FieldError[];

export const child = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
export const at = (path: string, index: number): string => `${path}[${index}]`;
/** Map keys: `metadata.labels[key]`. */
export const atKey = (path: string, key: string): string => `${path}[${key}]`;

export const isUnset = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

export function checkRows<T extends object>(object: T, path: string, rows: readonly Row<T>[], errors: Errors): void {
  for (const row of rows) {
    const value = object[row.field] as unknown;
    const field = child(path, row.field);
    if ('required' in row) {
      if (isUnset(value)) errors.push(fieldError.required(field, row.detail));
    } else if (isUnset(value)) {
      continue;
    } else if ('oneOf' in row) {
      if (!row.oneOf.includes(value as string)) errors.push(fieldError.notSupported(field, value, row.oneOf));
    } else if ('range' in row) {
      const [low, high] = row.range;
      if ((value as number) < low || (value as number) > high)
        errors.push(fieldError.invalid(field, value, `must be between ${low} and ${high}, inclusive`));
    } else if ('min' in row) {
      atLeast(value as number, row.min, field, errors);
    } else {
      for (const message of row.format(value as never)) errors.push(fieldError.invalid(field, value, message));
    }
  }
}

export function atLeast(value: number | undefined, min: number, field: string, errors: Errors): void {
  if (value !== undefined && value < min)
    errors.push(fieldError.invalid(field, value, `must be greater than or equal to ${min}`));
}

export function messages(list: readonly string[], field: string, value: unknown, errors: Errors): void {
  for (const message of list) errors.push(fieldError.invalid(field, value, message));
}

export const IMMUTABLE = 'field is immutable';

/** Deep equality of plain JSON; the order of members and members that are undefined do not count. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  for (const key in left) if (!sameJson(left[key], right[key])) return false;
  for (const key in right) if (left[key] === undefined && right[key] !== undefined) return false;
  return true;
}

export function immutable(value: unknown, old: unknown, field: string, errors: Errors): void {
  if (!sameJson(value, old)) errors.push(fieldError.invalid(field, value ?? null, IMMUTABLE));
}
