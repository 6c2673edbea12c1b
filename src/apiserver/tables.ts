// Server-side tables and partial metadata: what `kubectl get` prints, made from a kind's columns.
import type { KubeObject } from '#machinery/object.ts';
import type { Served } from './served.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableRow {
  readonly cells: readonly (string | number | boolean | null)[];
  readonly object?: unknown;
}

interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export function columnDefinitions(served: Served): readonly ColumnDefinition[] {
  return served.definition.table.columns.map((c) => ({
    name: c.name,
    type: c.type === 'date' ? 'string' : c.type,
    format: c.format ?? '',
    description: c.description ?? '',
    priority: c.priority ?? 0,
  }));
}

/** `object` is the stored object with its resourceVersion. */
export function tableRow(
  served: Served,
  object: KubeObject,
  include: IncludeObject,
  metaVersion: string,
  nowMs: number,
  full?: () => KubeObject,
): TableRow {
  const cells = served.definition.table.cells(object, nowMs);
  if (include === 'None') return { cells, object: null };
  if (include === 'Object') return { cells, object: full === undefined ? object : full() };
  return { cells, object: partialMetadata(object, metaVersion) };
}

export function table(
  metadata: object,
  columns: readonly ColumnDefinition[] | undefined,
  rows: readonly TableRow[],
  metaVersion: string,
): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata,
    columnDefinitions: columns ?? null,
    rows,
  };
}

export function partialMetadata(object: KubeObject, metaVersion: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata: object.metadata };
}

export function includeObject(query: URLSearchParams): IncludeObject {
  const asked = query.get('includeObject');
  return asked === 'None' || asked === 'Object' ? asked : 'Metadata';
}
