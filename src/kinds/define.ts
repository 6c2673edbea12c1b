// Makes a built-in kind's ResourceDefinition: what is common comes from the upstream API description (generated/served.ts),
// the kind's file adds what that lacks.
import { servedResources } from '#generated/served.ts';
import type { KubeObject } from '#machinery/object.ts';
import { schemaByName } from '#schema/load.ts';
import type {
  ResourceDefinition,
  ScaleDefinition,
  Strategy,
  TableDefinition,
  VersionDefinition,
} from '#schema/resource.ts';
import { plainTable } from './table.ts';

/** What a kind's own file says. */
export interface KindFacts<T extends KubeObject> {
  readonly group?: string;
  readonly resource: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Below /registry/; the plural when absent. */
  readonly storagePrefix?: string;
  /** The newest stable version when absent. */
  readonly storageVersion?: string;
  readonly strategy?: Strategy<T>;
  readonly table?: TableDefinition<T>;
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>>;
  readonly triggerField?: string;
  readonly scale?: ScaleDefinition;
  /** Version → how to get to the storage version and back. */
  readonly conversions?: Readonly<Record<string, Pick<VersionDefinition, 'toStorage' | 'fromStorage'>>>;
  readonly deprecationWarnings?: Readonly<Record<string, string>>;
}

/** Throws when the resource is not in the API description. */
export function defineKind<T extends KubeObject>(facts: KindFacts<T>): ResourceDefinition<T> {
  const group = facts.group ?? '';
  const rows = servedResources
    .filter((r) => r.group === group && r.resource === facts.resource)
    .toSorted((a, b) => stability(a.version) - stability(b.version));
  const first = rows[0];
  if (first === undefined) throw new Error(`no resource ${facts.resource} in group "${group}"`);
  const versions = rows.map(
    (row): VersionDefinition => ({
      version: row.version,
      served: servedByDefault(row.version),
      get schema() {
        return schemaByName(row.definition);
      },
      ...(facts.deprecationWarnings?.[row.version] === undefined
        ? {}
        : { deprecationWarning: facts.deprecationWarnings[row.version] }),
      ...facts.conversions?.[row.version],
    }),
  );
  return {
    group,
    resource: facts.resource,
    singular: first.kind.toLowerCase(),
    kind: first.kind,
    listKind: `${first.kind}List`,
    namespaced: first.namespaced,
    shortNames: facts.shortNames ?? [],
    categories: facts.categories ?? [],
    versions,
    storageVersion: facts.storageVersion ?? first.version,
    storagePrefix: facts.storagePrefix ?? facts.resource,
    verbs: first.verbs,
    subresources: first.subresources,
    ...(facts.scale === undefined ? {} : { scale: facts.scale }),
    strategy: facts.strategy ?? {},
    table: facts.table ?? (plainTable as TableDefinition<T>),
    selectableFields: facts.selectableFields ?? {},
    ...(facts.triggerField === undefined ? {} : { triggerField: facts.triggerField }),
  };
}

/** Upstream serves stable versions by default; alpha and beta versions only under --runtime-config. */
const servedByDefault = (version: string): boolean => /^v\d+$/.test(version);

/** GA before beta before alpha, higher numbers first. */
function stability(version: string): number {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return 999;
  const level = match[2] === undefined ? 0 : match[2] === 'beta' ? 300 : 600;
  return level + 200 - 10 * Number(match[1]) - Number(match[3] ?? 0);
}

/** Keeps the old status on updates of the main resource and starts without one. */
export function resetStatusOnCreate<T extends KubeObject>(object: T): T {
  const { status: _, ...rest } = object as T & { status?: unknown };
  return rest as unknown as T;
}

export function keepStatus<T extends KubeObject>(object: T, old: T): T {
  return { ...object, status: (old as T & { status?: unknown }).status };
}

/** The pair every kind with a status subresource has. */
export const statusStrategy = {
  prepareForCreate: <T extends KubeObject>(object: T): T => resetStatusOnCreate(object),
  prepareForUpdate: <T extends KubeObject>(object: T, old: T): T => keepStatus(object, old),
};
