// The one write function. Its hooks, in order: desired (decode, patch) → mutating admission → prepare (strategy) →
// validate → validating admission → allocate → commit, else undo. An update repeats all of it on the newest object after
// each conflict. A write that changes no byte writes nothing.
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import { randomSuffix, uuid, type Random } from '#base/random.ts';
import type { KubeObject, ObjectMeta } from '#machinery/object.ts';
import { StatusError, type FieldError } from '#machinery/status.ts';
import type { StrategyContext } from '#schema/resource.ts';
import type { Store, StoredEntry } from '#store/store.ts';
import { CacheEntry } from '#watchcache/entry.ts';
import type { AdmissionChain } from '../admission-chain.ts';
import type { Allocators } from '../allocation/allocators.ts';
import { bytesOf, type Codec } from '../codec.ts';
import type { RequestContext } from '../context.ts';
import { metadataForUpdate, validateMetadata, validateMetadataUpdate } from '../metadata.ts';
import type { AdmissionAttributes, AdmissionOperation } from '../pipeline.ts';
import { specFinalizers, storeKey, type Served } from '../served.ts';
import type { WriteOptions } from './options.ts';

/** Names tried for one generateName; upstream's maximum. */
const GENERATED_NAME_TRIES = 8;
/** Characters of a generated name before its suffix; upstream's maxGeneratedNameLength. */
const GENERATED_PREFIX_MAX = 58;
/** Conflicts after which a write without resourceVersion gives up. Each means that another writer got through. */
const CONFLICT_TRIES = 100;

export interface WriterDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly codec: Codec;
  readonly admission: AdmissionChain;
  readonly allocators: Allocators;
}

export interface Write {
  readonly served: Served;
  readonly context: RequestContext;
  readonly subresource: string;
  /** create, update, patch. */
  readonly verb: string;
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  /** '' only for creates whose name comes from the object. */
  readonly name: string;
  readonly options: WriteOptions;
  /** The object wanted, in the storage version, from what stands there (with resourceVersion). Undefined old: nothing stands there. */
  desired(old: KubeObject | undefined): KubeObject | Promise<KubeObject>;
  /** What kinds of write are allowed. */
  readonly mode: 'create' | 'update' | 'createOrUpdate';
  /** Instead of the strategy's own, for subresources that have rules of their own. */
  readonly prepare?: (object: KubeObject, old: KubeObject) => KubeObject;
  readonly validate?: (object: KubeObject, old: KubeObject) => readonly FieldError[];
  /** `desired` gives managedFields as they shall stand (apply). */
  readonly ownsFields?: boolean;
  /** A change of spec that is no change of what is wanted (a pod's binding). */
  readonly keepsGeneration?: boolean;
}

export interface Written {
  /** What stands in the store now; for a dry run what would. */
  readonly entry: CacheEntry | undefined;
  /** For dry runs of creates, which have no resourceVersion. */
  readonly object: KubeObject;
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'deleted';
}

export class Writer {
  readonly #deps: WriterDeps;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  async write(write: Write): Promise<Written> {
    if (write.mode === 'create') return this.#create(write, await write.desired(undefined));
    const { served } = write;
    const key = storeKey(served, write.namespace, write.name);
    // The cache may lag behind: whatever goes wrong with its entry is decided again on what the store has.
    let current: { entry: CacheEntry | undefined; fresh: boolean } = {
      entry: served.cache?.peek(write.namespace, write.name),
      fresh: false,
    };
    if (current.entry === undefined) current = { entry: await this.#read(served, key), fresh: true };
    for (let tries = 0; ; tries++) {
      try {
        const result = await this.#attempt(write, key, current.entry);
        if ('written' in result && (current.fresh || result.written.outcome !== 'unchanged')) return result.written;
        if ('conflict' in result) {
          if (tries >= CONFLICT_TRIES) throw modified(served, write.name);
          current = { entry: toEntry(served, key, result.conflict), fresh: true };
          continue;
        }
      } catch (error) {
        // Somebody was quicker to create it: what stands there now is updated.
        const lostRace = current.entry === undefined && write.mode === 'createOrUpdate' && isAlreadyExists(error);
        if (current.fresh && (!lostRace || tries >= CONFLICT_TRIES)) throw error;
      }
      const newest = await this.#read(served, key);
      current = { entry: newest?.revision === current.entry?.revision ? current.entry : newest, fresh: true };
    }
  }

  async #read(served: Served, key: string): Promise<CacheEntry | undefined> {
    return toEntry(served, key, await this.#deps.store.get(key));
  }

  async #attempt(
    write: Write,
    key: string,
    entry: CacheEntry | undefined,
  ): Promise<{ written: Written } | { conflict: StoredEntry | undefined }> {
    const { served } = write;
    if (entry === undefined) {
      if (write.mode !== 'createOrUpdate') throw StatusError.notFound(served.subject, write.name);
      const object = await write.desired(undefined);
      if ((object.metadata.uid ?? '') !== '') {
        throw StatusError.conflict(
          served.subject,
          write.name,
          `Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: `,
        );
      }
      if ((object.metadata.resourceVersion ?? '') !== '') throw StatusError.notFound(served.subject, write.name);
      return { written: await this.#create(write, object) };
    }
    return this.#update(write, key, entry);
  }

  // --- create

  async #create(write: Write, desired: KubeObject): Promise<Written> {
    const { served, context, options } = write;
    const { admission, allocators, store, codec } = this.#deps;
    const { strategy } = served.definition;
    if ((desired.metadata.resourceVersion ?? '') !== '')
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
    let object: KubeObject = { ...desired, metadata: checkedNamespace(served, desired.metadata, write.namespace) };
    const attributes = this.#attributes(write, 'CREATE', object.metadata.name ?? '', undefined);
    // The creator owns what it sent, not what admission and the server add.
    if (write.ownsFields !== true)
      object = codec.manage(served, object, undefined, options.fieldManager, write.subresource, context.nowText);
    object = await admission.admit(attributes, object);
    const strategyContext = this.#strategyContext(context);
    const admitted = object;
    const generated = (admitted.metadata.name ?? '') === '' && (admitted.metadata.generateName ?? '') !== '';

    for (let tries = 1; ; tries++) {
      object = { ...admitted, metadata: this.#systemMetadata(served, admitted.metadata, context.nowText) };
      if (strategy.prepareForCreate !== undefined) object = strategy.prepareForCreate(object, strategyContext);
      const errors = [...validateMetadata(served, object.metadata), ...(strategy.validateCreate?.(object) ?? [])];
      if (errors.length > 0) throw StatusError.invalid(kindOf(served), object.metadata.name ?? '', errors);
      for (const text of strategy.warnings?.(object, undefined) ?? []) context.warn(text);
      await admission.validate(attributes, object);
      const name = object.metadata.name!;
      const allocation = await allocators.allocate(served, object, undefined, options.dryRun);
      let kept = false;
      try {
        if (allocation !== undefined) object = allocation.object;
        object = codec.normalize(served, object);
        const value = bytesOf(object);
        const key = storeKey(served, write.namespace, name);
        if (options.dryRun) {
          if ((served.cache?.peek(write.namespace, name) ?? (await store.get(key))) !== undefined)
            throw StatusError.alreadyExists(served.subject, name);
          return { entry: undefined, object, outcome: 'created' };
        }
        served.cache?.remember(value, object);
        const result = await store.commit({ key, expected: 0, value, ttlSeconds: strategy.ttlSeconds });
        if (result.ok) {
          kept = true;
          const entry = new CacheEntry(
            key.slice(served.prefix.length),
            { value, modRevision: result.revision, createRevision: result.revision },
            served.entryContext,
          );
          return { entry, object, outcome: 'created' };
        }
        if (!generated || tries >= GENERATED_NAME_TRIES) throw StatusError.alreadyExists(served.subject, name);
      } finally {
        if (allocation !== undefined) await (kept ? allocation.committed() : allocation.undo());
      }
    }
  }

  /** Fields only the server sets, and the name for a generateName. */
  #systemMetadata(served: Served, m: ObjectMeta, now: string): ObjectMeta {
    const {
      deletionTimestamp: _d,
      deletionGracePeriodSeconds: _g,
      selfLink: _s,
      resourceVersion: _r,
      generation: _n,
      ...rest
    } = m;
    const name =
      (m.name ?? '') !== ''
        ? m.name
        : (m.generateName ?? '') === ''
          ? undefined
          : m.generateName!.slice(0, GENERATED_PREFIX_MAX) + randomSuffix(this.#deps.random);
    return {
      ...rest,
      name,
      uid: uuid(this.#deps.random),
      creationTimestamp: now,
      ...(served.generation ? { generation: 1 } : {}),
    };
  }

  // --- update

  async #update(
    write: Write,
    key: string,
    entry: CacheEntry,
  ): Promise<{ written: Written } | { conflict: StoredEntry | undefined }> {
    const { served, context, options } = write;
    const { admission, allocators, store, codec } = this.#deps;
    const { strategy } = served.definition;
    const old = entry.object;
    const desired = await write.desired(old);
    this.#checkPreconditions(write, desired.metadata, old.metadata);
    let object: KubeObject = {
      ...desired,
      metadata: metadataForUpdate(checkedNamespace(served, desired.metadata, write.namespace), old.metadata),
    };
    const attributes = this.#attributes(write, 'UPDATE', write.name, old);
    const managed = (o: KubeObject) =>
      write.ownsFields === true
        ? withFieldsOf(o, desired)
        : codec.manage(served, o, old, options.fieldManager, write.subresource, context.nowText);
    // As on create. Subresources with rules of their own take little of what is sent: they go first.
    if (write.prepare === undefined) object = managed(object);
    object = await admission.admit(attributes, object);
    if (write.prepare !== undefined) object = managed(write.prepare(object, old));
    else if (write.subresource === 'status') object = statusOnly(object, old);
    else if (strategy.prepareForUpdate !== undefined)
      object = strategy.prepareForUpdate(object, old, this.#strategyContext(context));
    if (
      served.generation &&
      write.subresource !== 'status' &&
      write.keepsGeneration !== true &&
      !sameIntent(object, old)
    ) {
      object = { ...object, metadata: { ...object.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
    }
    const errors = [
      ...validateMetadata(served, object.metadata).filter(
        (e) => e.field !== 'metadata.name' && e.field !== 'metadata.generateName',
      ),
      ...validateMetadataUpdate(object.metadata, old.metadata),
      ...((write.validate !== undefined
        ? write.validate(object, old)
        : write.subresource === 'status'
          ? strategy.validateStatusUpdate?.(object, old)
          : strategy.validateUpdate?.(object, old)) ?? []),
    ];
    if (errors.length > 0) throw StatusError.invalid(kindOf(served), write.name, errors);
    for (const text of strategy.warnings?.(object, old) ?? []) context.warn(text);
    await admission.validate(attributes, object);

    const allocation =
      write.subresource === '' ? await allocators.allocate(served, object, old, options.dryRun) : undefined;
    let kept = false;
    try {
      if (allocation !== undefined) object = allocation.object;
      object = codec.normalize(served, object);
      const value = bytesOf(object);
      if (codec.changesNothing(served, object, value, old, entry.stored))
        return { written: { entry, object: old, outcome: 'unchanged' } };
      const gone = finishesDeletion(object.metadata, old.metadata) && specFinalizers(served, object).length === 0;
      const show = (revision: number) =>
        new CacheEntry(
          entry.key,
          { value, modRevision: revision, createRevision: entry.createRevision },
          served.entryContext,
        );
      if (options.dryRun)
        return { written: { entry: show(entry.revision), object, outcome: gone ? 'deleted' : 'updated' } };
      if (!gone) served.cache?.remember(value, object);
      const result = await store.commit({
        key,
        expected: entry.revision,
        value: gone ? undefined : value,
        ttlSeconds: gone ? undefined : strategy.ttlSeconds,
      });
      if (!result.ok) return { conflict: result.current };
      kept = true;
      if (gone) await allocators.release(served, old);
      return { written: { entry: show(result.revision), object, outcome: gone ? 'deleted' : 'updated' } };
    } finally {
      if (allocation !== undefined) await (kept ? allocation.committed() : allocation.undo());
    }
  }

  #checkPreconditions(write: Write, wanted: ObjectMeta, old: ObjectMeta): void {
    const { served } = write;
    if ((wanted.uid ?? '') !== '' && wanted.uid !== old.uid) {
      throw StatusError.conflict(
        served.subject,
        write.name,
        `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${old.uid}`,
      );
    }
    const version = wanted.resourceVersion ?? '';
    if (version === '' || version === '0') {
      if (
        served.definition.strategy.allowUnconditionalUpdate === false &&
        write.verb === 'update' &&
        write.subresource === ''
      ) {
        throw StatusError.invalid(kindOf(served), write.name, [
          {
            type: 'FieldValueInvalid',
            field: 'metadata.resourceVersion',
            value: 0,
            detail: 'must be specified for an update',
          },
        ]);
      }
    } else if (version !== old.resourceVersion) {
      throw modified(served, write.name);
    }
  }

  // --- shared

  #strategyContext(context: RequestContext): StrategyContext {
    return { now: context.nowText, uid: () => uuid(this.#deps.random), user: context.user };
  }

  #attributes(
    write: Write,
    operation: AdmissionOperation,
    name: string,
    oldObject: KubeObject | undefined,
  ): Omit<AdmissionAttributes, 'object'> {
    const { served, context, options } = write;
    return {
      user: context.user,
      operation,
      verb: write.verb,
      group: served.definition.group,
      version: served.version.version,
      resource: served.definition.resource,
      subresource: write.subresource,
      kind: served.definition.kind,
      namespace: write.namespace,
      name,
      oldObject,
      options: options as unknown as Record<string, unknown>,
      dryRun: options.dryRun,
      definition: served.definition,
      warn: (text) => context.warn(text),
      annotate: (key, value) => context.annotate(key, value),
    };
  }
}

interface WithSpec {
  readonly spec?: unknown;
}

/** Whether nothing that is wanted changed: spec, and for kinds without one everything but metadata. */
function sameIntent(object: KubeObject, old: KubeObject): boolean {
  const [a, b] = [object as WithSpec, old as WithSpec];
  if (a.spec !== undefined || b.spec !== undefined) return equalJson(a.spec, b.spec);
  const wanted = ({ kind: _k, apiVersion: _v, metadata: _m, ...rest }: KubeObject) => rest;
  return equalJson(wanted(object), wanted(old));
}

export function toEntry(served: Served, key: string, stored: StoredEntry | undefined): CacheEntry | undefined {
  return stored === undefined
    ? undefined
    : new CacheEntry(key.slice(served.prefix.length), stored, served.entryContext);
}

const isAlreadyExists = (error: unknown): boolean => error instanceof StatusError && error.reason === 'AlreadyExists';

export const modified = (served: Served, name: string): StatusError =>
  StatusError.conflict(
    served.subject,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

function checkedNamespace(served: Served, m: ObjectMeta, namespace: string): ObjectMeta {
  if (!served.definition.namespaced) {
    if (m.namespace === undefined) return m;
    const { namespace: _namespace, ...rest } = m;
    return rest as ObjectMeta;
  }
  if (m.namespace === undefined || m.namespace === '') return { ...m, namespace };
  if (m.namespace !== namespace)
    throw StatusError.badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  return m;
}

/** The object with the managedFields of another. */
function withFieldsOf(object: KubeObject, { metadata: { managedFields } }: KubeObject): KubeObject {
  const { managedFields: _own, ...metadata } = object.metadata;
  return { ...object, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } } as KubeObject;
}

/** A write to /status keeps everything else but labels, annotations and finalizers. */
function statusOnly(object: KubeObject, old: KubeObject): KubeObject {
  const { labels, annotations, finalizers, managedFields } = object.metadata;
  const { status: _status, ...rest } = old as KubeObject & { status?: unknown };
  const status = (object as { status?: unknown }).status;
  return {
    ...rest,
    metadata: { ...old.metadata, labels, annotations, finalizers, managedFields },
    ...(status === undefined ? {} : { status }),
  } as KubeObject;
}

/** The last finalizer of an object that is being deleted went away: the write becomes its deletion. */
function finishesDeletion(m: ObjectMeta, old: ObjectMeta): boolean {
  if (old.deletionTimestamp === undefined || old.deletionTimestamp === null) return false;
  return (m.finalizers?.length ?? 0) === 0 && (old.deletionGracePeriodSeconds ?? 0) === 0;
}

/** Deep equality of JSON values, whatever the order of their keys. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equalJson(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  let count = 0;
  for (const key in left) {
    if (left[key] === undefined) continue;
    count++;
    if (!equalJson(left[key], right[key])) return false;
  }
  for (const key in right) if (right[key] !== undefined) count--;
  return count === 0;
}

/** As messages name it: by the group it is stored in. */
const kindOf = ({ definition }: Served): { readonly group: string; readonly kind: string } => ({
  group: definition.storedAs?.apiVersion === 'v1' ? '' : definition.group,
  kind: definition.kind,
});
