// What is served right now: for each group, version and resource its definition and cache. Built-in kinds are put in at
// the start; CustomResourceDefinitions may come and go later.
import type { KubeObject } from '#machinery/object.ts';
import { StatusError, type StatusSubject } from '#machinery/status.ts';
import { rebuild } from '#schema/rebuild.ts';
import type { ResourceDefinition, VersionDefinition } from '#schema/resource.ts';
import { CacheEntry, type EntryContext, type ParsedObjects } from '#watchcache/entry.ts';
import type { ResourceCache } from '#watchcache/cache.ts';
import type { ObjectSource } from './computed.ts';

/** One resource in one version. */
export interface Served {
  readonly definition: ResourceDefinition;
  readonly version: VersionDefinition;
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  /** apiVersion of stored objects. */
  readonly storageApiVersion: string;
  readonly subject: StatusSubject;
  /** Undefined for kinds that are not stored (reviews). */
  readonly cache: ResourceCache | undefined;
  /** For resources made when asked (computed.ts). */
  readonly source?: ObjectSource;
  /** Key space in the store, with a slash at its end. */
  readonly prefix: string;
  readonly entryContext: EntryContext;
  readonly verbs: ReadonlySet<string>;
  readonly subresources: ReadonlySet<string>;
  /** metadata.generation is kept. */
  readonly generation: boolean;
  readonly hasStatus: boolean;
}

export function makeServed(
  definition: ResourceDefinition,
  version: VersionDefinition,
  cache: ResourceCache | undefined,
  parsed: ParsedObjects,
): Served {
  const apiVersion = qualify(definition.group, version.version);
  const fields = version.schema.type === 'object' ? version.schema.byName : new Map<string, unknown>();
  return {
    definition,
    version,
    apiVersion,
    storageApiVersion: definition.storedAs?.apiVersion ?? qualify(definition.group, definition.storageVersion),
    subject: { group: definition.group, resource: definition.resource },
    cache,
    prefix: `/registry/${definition.storagePrefix.replace(/^\/?(registry\/)?/, '').replace(/\/$/, '')}/`,
    entryContext: { selectableFields: definition.selectableFields as EntryContext['selectableFields'], parsed },
    verbs: new Set(definition.verbs),
    subresources: new Set(definition.subresources),
    generation: definition.strategy.generation ?? (fields.has('spec') && fields.has('status')),
    hasStatus: definition.subresources.includes('status'),
  };
}

const qualify = (group: string, version: string): string => (group === '' ? version : `${group}/${version}`);

export function storeKey(served: Served, namespace: string, name: string): string {
  return namespace === '' ? served.prefix + name : `${served.prefix}${namespace}/${name}`;
}

/** JSON bytes of an entry in the version that is asked for. */
export function entryBytes(served: Served, entry: CacheEntry): Uint8Array {
  if (served.version.fromStorage === undefined) return entry.bytes(served.apiVersion);
  return Buffer.from(JSON.stringify(presented(served, entry.object)));
}

/** A stored object (with resourceVersion) in the version that is asked for. */
export function presented(served: Served, object: KubeObject): KubeObject {
  const { fromStorage } = served.version;
  const shown = fromStorage === undefined ? object : rebuild<KubeObject>(fromStorage(object), served.version.schema);
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = shown;
  return { kind: served.definition.kind, apiVersion: served.apiVersion, ...rest };
}

/** Namespaces have finalizers in spec as well: they wait for the namespace controller to empty them. */
export function specFinalizers(served: Served, object: KubeObject): readonly string[] {
  if (served.definition.kind !== 'Namespace' || served.definition.group !== '') return NONE;
  return (object as { spec?: { finalizers?: readonly string[] } }).spec?.finalizers ?? NONE;
}

const NONE: readonly string[] = [];

export class ServedResources {
  /** group → version → resource. */
  readonly #byGroup = new Map<string, Map<string, Map<string, Served>>>();
  /** Called after every change: discovery and OpenAPI documents are made anew. */
  readonly #listeners: (() => void)[] = [];

  add(served: Served): void {
    const versions = this.#byGroup.getOrInsertComputed(served.definition.group, () => new Map());
    const resources = versions.getOrInsertComputed(served.version.version, () => new Map());
    if (resources.has(served.definition.resource))
      throw new Error(`${served.apiVersion} ${served.definition.resource} is served already`);
    resources.set(served.definition.resource, served);
    for (const listener of this.#listeners) listener();
  }

  remove(served: Served): void {
    const versions = this.#byGroup.get(served.definition.group);
    const resources = versions?.get(served.version.version);
    resources?.delete(served.definition.resource);
    if (resources?.size === 0) versions!.delete(served.version.version);
    if (versions?.size === 0) this.#byGroup.delete(served.definition.group);
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  find(group: string, version: string, resource: string): Served | undefined {
    return this.#byGroup.get(group)?.get(version)?.get(resource);
  }

  /** The resource in its preferred served version. */
  findPreferred(group: string, resource: string): Served | undefined {
    for (const resources of this.#byGroup.get(group)?.values() ?? []) {
      const served = resources.get(resource);
      if (served !== undefined) return served;
    }
    return undefined;
  }

  /** As find, but throws upstream's 404 for what is not served. */
  get(group: string, version: string, resource: string): Served {
    const served = this.find(group, version, resource);
    if (served === undefined) throw pathNotFound();
    return served;
  }

  groups(): ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, Served>>> {
    return this.#byGroup;
  }

  *all(): Iterable<Served> {
    for (const versions of this.#byGroup.values()) for (const resources of versions.values()) yield* resources.values();
  }
}

/** Upstream's answer for paths nothing stands at. */
export const pathNotFound = (): StatusError =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
