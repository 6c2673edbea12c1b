// What every component knows of the cluster: one interface over three transports (same thread, between threads,
// HTTPS), with the same identity, the same errors (StatusError) and read-only results.
import type { KubeList, KubeObject, ResourceRef } from '#machinery/object.ts';

export interface ListOptions {
  /** Undefined lists all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  /** WatchList: begin with the present objects as ADDED and a bookmark annotated k8s.io/initial-events-end. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly object: Pick<T, 'metadata'> };

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json'
  | 'application/apply-patch+yaml';

/** Named part of an object: `status`, `scale`, `binding`, `eviction`, `token`, … */
export type Subresource = string;

export interface ResourceClient<T extends KubeObject> {
  readonly ref: ResourceRef<T>;
  /** Undefined when it does not exist; any other failure throws StatusError. */
  get(namespace: string | undefined, name: string): Promise<T | undefined>;
  list(options?: ListOptions): Promise<KubeList<T>>;
  /** Ends when the server ends it; an ERROR event is thrown as StatusError. */
  watch(options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
  /** Namespace and name are the object's own. apiVersion and kind are filled in. */
  create(object: T, options?: WriteOptions): Promise<T>;
  update(object: T, options?: WriteOptions): Promise<T>;
  updateStatus(object: T, options?: WriteOptions): Promise<T>;
  patch(
    namespace: string | undefined,
    name: string,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions & { readonly subresource?: Subresource; readonly force?: boolean },
  ): Promise<T>;
  /** Undefined when it did not exist. Otherwise the object as it was deleted, or as it now waits for its finalizers. */
  delete(namespace: string | undefined, name: string, options?: DeleteOptions): Promise<T | undefined>;
  deleteCollection(list: ListOptions, options?: DeleteOptions): Promise<void>;
  /** Subresources whose body is another kind (binding, eviction, token, scale). */
  getSubresource<R>(namespace: string | undefined, name: string, subresource: Subresource): Promise<R>;
  createSubresource<R>(
    namespace: string | undefined,
    name: string,
    subresource: Subresource,
    body: unknown,
    options?: WriteOptions,
  ): Promise<R>;
  updateSubresource<R>(
    namespace: string | undefined,
    name: string,
    subresource: Subresource,
    body: unknown,
    options?: WriteOptions,
  ): Promise<R>;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
}

export interface Client {
  resource<T extends KubeObject>(ref: ResourceRef<T>): ResourceClient<T>;
  /** Any request: discovery, health, metrics, non-resource paths. Does not throw on 4xx/5xx. */
  raw(
    method: string,
    path: string,
    body?: Uint8Array,
    headers?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<RawResponse>;
}

/** A local, always-current copy of a resource, kept by list and watch. Reads never wait. */
export interface Informer<T extends KubeObject> {
  readonly ref: ResourceRef<T>;
  /** Key: `namespace/name` or `name` (machinery/object.ts keyOf). */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Objects of one namespace; indexed. */
  listNamespace(namespace: string): readonly T[];
  /** Objects for which the index function named `index` returned `value`. */
  byIndex(index: string, value: string): readonly T[];
  /** Declares an index; allowed any time. `values` is called once per object change. */
  addIndex(name: string, values: (object: T) => readonly string[]): void;
  /** Called for each change, in order, also for objects already present when subscribing after the first list (old undefined).
   *  Returns the unsubscribe function. `object` undefined means deleted. */
  subscribe(handler: (change: InformerChange<T>) => void): () => void;
  /** True once the first list is in and delivered. */
  readonly synced: boolean;
  whenSynced(): Promise<void>;
}

export interface InformerChange<T extends KubeObject> {
  readonly key: string;
  readonly old: T | undefined;
  readonly object: T | undefined;
}

/** Hands out one shared informer per resource and selector; started and stopped together. */
export interface Informers {
  informer<T extends KubeObject>(
    ref: ResourceRef<T>,
    options?: { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string },
  ): Informer<T>;
  /** Starts informers asked for so far and later; resolves when those asked for so far are synced. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Records Kubernetes Events about objects: aggregates repeats, bounds its queue, never throws, never blocks. */
export interface EventRecorder {
  event(
    about: KubeObject,
    ref: ResourceRef,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    options?: EventOptions,
  ): void;
}

export interface EventOptions {
  /** The part of the object that is meant: `spec.containers{web}`. */
  readonly fieldPath?: string;
}
