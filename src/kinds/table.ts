// Columns that many kinds share, and the words kubectl prints in cells.
import type { KubeObject } from '#machinery/object.ts';
import { humanDuration, parseTime } from '#machinery/time.ts';
import type { Column, TableDefinition } from '#schema/resource.ts';

export const NAME: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description:
    'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically.',
};
export const AGE: Column = {
  name: 'Age',
  type: 'string',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
};

export const column = (name: string, type: Column['type'] = 'string', priority = 0): Column => ({
  name,
  type,
  priority,
});
/** Shown with -o wide only. */
export const wide = (name: string, type: Column['type'] = 'string'): Column => ({ name, type, priority: 1 });

/** Time since `time`, as kubectl prints it; `<unknown>` when there is none. */
export function since(time: string | undefined | null, nowMs: number): string {
  if (time === undefined || time === null || time === '') return '<unknown>';
  const ms = parseTime(time);
  return ms === undefined ? '<unknown>' : humanDuration(nowMs - ms);
}

export const ageOf = (object: KubeObject, nowMs: number): string => since(object.metadata.creationTimestamp, nowMs);

export const nameOf = (object: KubeObject): string => object.metadata.name ?? '';

/** NAME and AGE, for kinds without a printer of their own: upstream's default has `Created At`. */
export const plainTable: TableDefinition = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: NAME.description },
    { name: 'Created At', type: 'date', description: AGE.description },
  ],
  cells: (object) => [nameOf(object), object.metadata.creationTimestamp ?? null],
};

export const orNone = (value: string | undefined): string => (value === undefined || value === '' ? '<none>' : value);

/** `a=b,c=d` sorted by key; `<none>` when empty. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const text = Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${v}`)
    .join(',');
  return text === '' ? '<none>' : text;
}
