// The one structure in which a built-in kind and a CustomResourceDefinition end. Verbs, discovery, OpenAPI, tables,
// apply, quota and garbage collection read it and know no kind by name.
import type { UserInfo } from '#machinery/exchange.ts';
import type { FieldError } from '#machinery/status.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { Schema } from './types.ts';

/** What rules may ask of the world: handed in by the API server, fixed in tests. */
export interface StrategyContext {
  /** RFC 3339 seconds, UTC: the request's time. */
  readonly now: string;
  readonly uid: () => string;
  /** Who asks. */
  readonly user: UserInfo;
}

/**
 * The rules of a kind, all pure. Objects come in decoded, in the storage version, with schema defaults applied, and are
 * never mutated: rules that change return a new object. Missing members mean upstream's generic behaviour.
 */
export interface Strategy<T extends KubeObject = KubeObject> {
  /** Defaulting beyond the schema's static defaults (one field from another). Runs on every decode of a written object. */
  default?(object: T): T;
  /** Fields the creator may not set: reset status, set generation, … */
  prepareForCreate?(object: T, context: StrategyContext): T;
  /** Fields the updater may not change: keep status, … (generation is bumped by the generic code when `spec` differs.) */
  prepareForUpdate?(object: T, old: T, context: StrategyContext): T;
  validateCreate?(object: T): readonly FieldError[];
  validateUpdate?(object: T, old: T): readonly FieldError[];
  /** Only for writes to /status; the generic code already keeps everything but status and parts of metadata. */
  validateStatusUpdate?(object: T, old: T): readonly FieldError[];
  /** Texts of Warning headers on create and update (deprecated fields, …). */
  warnings?(object: T, old: T | undefined): readonly string[];
  /** Undefined or 'subdomain': DNS-1123 subdomain; services are 'label1035', namespaces 'label', RBAC 'path', … */
  readonly nameRule?: NameRule;
  /** PUT of an absent name creates it (leases, endpoints, events, …). */
  readonly allowCreateOnUpdate?: boolean;
  /** PUT without resourceVersion is allowed. Default true except where upstream demands one. */
  readonly allowUnconditionalUpdate?: boolean;
  /** Whether metadata.generation is kept: counts changes of spec, or of all but metadata where there is none. Default: true
   *  where the kind has spec and status. Several kinds differ upstream, for no reason but history. */
  readonly generation?: boolean;
  /** Seconds an object lives on after delete when the request names none (pods). Undefined: deleted at once. */
  gracefulDeletionSeconds?(object: T, requested: number | undefined): number | undefined;
  /** Objects expire by themselves (events: 3600). */
  readonly ttlSeconds?: number;
  /** Default propagation when DELETE names none. Default background. */
  readonly defaultPropagation?: 'Orphan' | 'Background';
  /** Text of the Warning header when DELETE names no propagation. */
  readonly unnamedPropagationWarning?: string;
}

export type NameRule = 'subdomain' | 'label' | 'label1035' | 'path' | 'any';

/** A column of server-side tables (`kubectl get`). `cells` gives one value a column in order. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, 1 with -o wide. */
  readonly priority?: number;
}

export interface TableDefinition<T extends KubeObject = KubeObject> {
  readonly columns: readonly Column[];
  /** `nowMs` for ages. Strings, numbers or null. */
  cells(object: T, nowMs: number): readonly (string | number | boolean | null)[];
}

/** Where the Scale of a kind reads and writes. Paths are dotted (`spec.replicas`). */
export interface ScaleDefinition {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** Path of the status' serialized selector, or a function of the object. */
  readonly selector: string | ((object: KubeObject) => string);
}

export interface VersionDefinition {
  /** `v1` */
  readonly version: string;
  readonly served: boolean;
  readonly schema: Schema;
  /** Text of the deprecation warning, when deprecated. */
  readonly deprecationWarning?: string;
  /** From and to the storage version; absent when the shapes are equal. */
  readonly toStorage?: (object: KubeObject) => KubeObject;
  readonly fromStorage?: (object: KubeObject) => KubeObject;
}

export interface ResourceDefinition<T extends KubeObject = KubeObject> {
  readonly group: string;
  /** Plural: `pods`. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** In order of preference; the first served one is the preferred version. */
  readonly versions: readonly VersionDefinition[];
  readonly storageVersion: string;
  /** Key space in the store, upstream's layout: `/registry/` + this + `/` + [namespace + `/`] + name. */
  readonly storagePrefix: string;
  /** When objects are stored in another group's shape (events.k8s.io in the core group's): its apiVersion and schema. */
  readonly storedAs?: { readonly apiVersion: string; readonly schema: Schema };
  /** Verbs of the resource itself. Kinds that are not stored (reviews) have only `create`. */
  readonly verbs: readonly string[];
  /** Names of subresources served: `status`, `scale`, `binding`, … */
  readonly subresources: readonly string[];
  readonly scale?: ScaleDefinition;
  readonly strategy: Strategy<T>;
  readonly table: TableDefinition<T>;
  /** Field-selector labels beyond metadata.name and metadata.namespace → how to read them. */
  readonly selectableFields: Readonly<Record<string, (object: T) => string>>;
  /** Field by which watches are indexed (`spec.nodeName` of pods). */
  readonly triggerField?: string;
}
