// delete and deletecollection: preconditions, grace, finalizers of the garbage collector, propagation.
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject, ObjectMeta } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import type { Store } from '#store/store.ts';
import { CacheEntry } from '#watchcache/entry.ts';
import type { AdmissionChain } from '../admission-chain.ts';
import type { Allocators } from '../allocation/allocators.ts';
import { bodyOf, type Codec } from '../codec.ts';
import { rfc3339, type RequestContext } from '../context.ts';
import { negotiate } from '../negotiation.ts';
import { encoded, jsonValue } from '../responses.ts';
import { selectionOf } from '../selection.ts';
import { entryBytes, specFinalizers, storeKey, type Served } from '../served.ts';
import { deleteOptions, type DeleteOptions } from './options.ts';
import { cacheOf, listOptions, showEntry } from './read.ts';
import { toEntry } from './write.ts';

export interface DeleterDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly codec: Codec;
  readonly admission: AdmissionChain;
  readonly allocators: Allocators;
}

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
/** Kinds whose last state is the answer; the others answer with a Status. Upstream's ReturnDeletedObject. */
const RETURNS_OBJECT: ReadonlySet<string> = new Set([
  '/pods',
  '/podtemplates',
  '/persistentvolumes',
  '/persistentvolumeclaims',
  '/resourcequotas',
  '/serviceaccounts',
]);
/** Deletions of one deletecollection that run at the same time. */
const COLLECTION_WORKERS = 16;

/** What the deletion came to: `gone` means that the object is out of the store. */
interface Deleted {
  readonly entry: CacheEntry;
  readonly gone: boolean;
}

export class Deleter {
  readonly #deps: DeleterDeps;

  constructor(deps: DeleterDeps) {
    this.#deps = deps;
  }

  async delete(served: Served, context: RequestContext): Promise<ExchangeResponse> {
    const accepted = negotiate(context.request.headers.accept);
    const options = deleteOptions(context, parseBody(context));
    const { info } = context;
    const namespace = served.definition.namespaced ? info.namespace : '';
    const { entry, gone } = await this.deleteOne(served, context, namespace, info.name, options, 'delete');
    const status = !gone && options.orphanDependents === false ? 202 : 200;
    if (gone && !RETURNS_OBJECT.has(`${served.definition.group}/${served.definition.resource}`)) {
      return jsonValue(
        status,
        {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Success',
          details: {
            name: entry.name,
            ...(served.definition.group === '' ? {} : { group: served.definition.group }),
            kind: served.definition.resource,
            uid: entry.object.metadata.uid,
          },
        },
        accepted,
      );
    }
    return showEntry(status, served, entry, accepted, context);
  }

  async deleteCollection(served: Served, context: RequestContext): Promise<ExchangeResponse> {
    const accepted = negotiate(context.request.headers.accept);
    const options = deleteOptions(context, parseBody(context));
    const selection = selectionOf(served, context.info);
    const page = await cacheOf(served).list({ selection, ...listOptions(context.info.query) });
    const queue = page.entries.values();
    const worker = async () => {
      for (const entry of queue) {
        try {
          await this.deleteOne(served, context, entry.namespace, entry.name, options, 'deletecollection');
        } catch (error) {
          if (!(error instanceof StatusError && error.reason === 'NotFound')) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: COLLECTION_WORKERS }, worker));
    const items = page.entries.map((e) => Buffer.from(entryBytes(served, e)).toString('utf8'));
    const body = `{"kind":${JSON.stringify(served.definition.listKind)},"apiVersion":"${served.apiVersion}","metadata":{"resourceVersion":"${page.revision}"},"items":[${items.join(',')}]}`;
    return encoded(200, Buffer.from(body), accepted.as === 'object' ? accepted : negotiate(undefined));
  }

  /** Throws 404, 409 (preconditions) and what admission says. */
  async deleteOne(
    served: Served,
    context: RequestContext,
    namespace: string,
    name: string,
    options: DeleteOptions,
    verb: string,
  ): Promise<Deleted> {
    const { store, admission, allocators, codec } = this.#deps;
    cacheOf(served);
    const { unnamedPropagationWarning: warning } = served.definition.strategy;
    if (warning !== undefined && options.propagationPolicy === undefined && options.orphanDependents === undefined)
      context.warn(warning);
    const key = storeKey(served, namespace, name);
    let admitted = false;
    for (;;) {
      const entry = toEntry(served, key, await store.get(key));
      if (entry === undefined) throw StatusError.notFound(served.subject, name);
      const old = entry.object;
      checkPreconditions(served, name, options, old.metadata);
      if (!admitted) {
        await admission.check({
          user: context.user,
          operation: 'DELETE',
          verb,
          group: served.definition.group,
          version: served.version.version,
          resource: served.definition.resource,
          subresource: '',
          kind: served.definition.kind,
          namespace,
          name,
          oldObject: old,
          options: options as unknown as Record<string, unknown>,
          dryRun: options.dryRun,
          definition: served.definition,
          warn: (text) => context.warn(text),
          annotate: (k, v) => context.annotate(k, v),
        });
        admitted = true;
      }
      const next = afterDelete(served, old, options, this.#deps.clock.now());
      if (next === 'already') return { entry, gone: false };
      if (options.dryRun) return { entry, gone: next === 'gone' };
      if (next === 'gone') {
        const result = await store.commit({ key, expected: entry.revision, value: undefined });
        if (!result.ok) continue;
        await allocators.release(served, old);
        return {
          entry: new CacheEntry(
            entry.key,
            { value: entry.stored, modRevision: result.revision, createRevision: entry.createRevision },
            served.entryContext,
          ),
          gone: true,
        };
      }
      const value = codec.encode(served, next);
      if (Buffer.compare(value, entry.stored) === 0) return { entry, gone: false };
      const result = await store.commit({ key, expected: entry.revision, value });
      if (!result.ok) continue;
      return {
        entry: new CacheEntry(
          entry.key,
          { value, modRevision: result.revision, createRevision: entry.createRevision },
          served.entryContext,
        ),
        gone: false,
      };
    }
  }
}

function parseBody(context: RequestContext): unknown {
  const { body } = context.request;
  if (body === undefined || body.length === 0) return undefined;
  const text = Buffer.from(bodyOf(context)).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw StatusError.badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
  }
}

function checkPreconditions(served: Served, name: string, options: DeleteOptions, m: ObjectMeta): void {
  const wanted = options.preconditions;
  if (wanted === undefined) return;
  if (wanted.uid !== undefined && wanted.uid !== null && wanted.uid !== m.uid) {
    throw StatusError.conflict(
      served.subject,
      name,
      `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${m.uid}`,
    );
  }
  if (
    wanted.resourceVersion !== undefined &&
    wanted.resourceVersion !== null &&
    wanted.resourceVersion !== m.resourceVersion
  ) {
    throw StatusError.conflict(
      served.subject,
      name,
      `Precondition failed: ResourceVersion in precondition: ${wanted.resourceVersion}, ResourceVersion in object meta: ${m.resourceVersion}`,
    );
  }
}

/** Upstream's BeforeDelete and the finalizer rules behind it: what a delete makes of the object. */
export function afterDelete(
  served: Served,
  old: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): KubeObject | 'gone' | 'already' {
  const { strategy } = served.definition;
  const m = old.metadata;
  let grace: number | undefined;
  let metadata: ObjectMeta = m;
  const supportsGrace = strategy.gracefulDeletionSeconds !== undefined;
  if (supportsGrace) {
    if (m.deletionTimestamp !== undefined && m.deletionTimestamp !== null) {
      const before = m.deletionGracePeriodSeconds ?? 0;
      const wanted = options.gracePeriodSeconds;
      // Already on its way; only a shorter grace period changes that.
      if (m.deletionGracePeriodSeconds !== undefined && before === 0 && (m.finalizers?.length ?? 0) > 0)
        return 'already';
      if (before !== 0) {
        if (wanted === undefined || Math.max(wanted, wanted < 0 ? 1 : 0) >= before) return 'already';
        grace = wanted < 0 ? 1 : wanted;
        const at = Date.parse(m.deletionTimestamp) - before * 1000 + grace * 1000;
        metadata = { ...m, deletionTimestamp: rfc3339(at), deletionGracePeriodSeconds: grace };
      } else grace = 0;
    } else {
      grace = strategy.gracefulDeletionSeconds!(old, options.gracePeriodSeconds);
      if (grace !== undefined) {
        metadata = {
          ...m,
          deletionTimestamp: rfc3339(nowMs + grace * 1000),
          deletionGracePeriodSeconds: grace,
          ...bumped(m),
        };
      }
    }
  }
  const finalizers = finalizersAfterDelete(m.finalizers ?? [], options, strategy.defaultPropagation);
  if (specFinalizers(served, old).length > 0) {
    if (m.deletionTimestamp !== undefined && m.deletionTimestamp !== null) return 'already';
    const status = { ...(old as { status?: object }).status, phase: 'Terminating' };
    return {
      ...old,
      metadata: { ...m, finalizers, deletionTimestamp: rfc3339(nowMs), ...bumped(m) },
      status,
    } as KubeObject;
  }
  if (finalizers.length > 0) {
    if (metadata.deletionTimestamp === undefined || metadata.deletionTimestamp === null) {
      metadata = { ...metadata, deletionTimestamp: rfc3339(nowMs), deletionGracePeriodSeconds: 0, ...bumped(m) };
    } else if (m.deletionTimestamp !== undefined && m.deletionTimestamp !== null && grace === undefined) {
      // Deleting again changes nothing but, at most, the garbage collector's finalizers.
      return sameList(finalizers, m.finalizers ?? []) ? 'already' : { ...old, metadata: { ...metadata, finalizers } };
    }
    return { ...old, metadata: { ...metadata, finalizers } };
  }
  if (grace === undefined || grace === 0) return 'gone';
  return { ...old, metadata: { ...metadata, finalizers: undefined } };
}

const bumped = (m: ObjectMeta): { generation?: number } =>
  (m.generation ?? 0) > 0 ? { generation: m.generation! + 1 } : {};

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

function finalizersAfterDelete(
  present: readonly string[],
  options: DeleteOptions,
  defaultPolicy: 'Orphan' | 'Background' | undefined,
): readonly string[] {
  const { propagationPolicy: policy, orphanDependents } = options;
  const orphan =
    orphanDependents ??
    (policy !== undefined
      ? policy === 'Orphan'
      : present.includes(ORPHAN) || (!present.includes(FOREGROUND) && defaultPolicy === 'Orphan'));
  const foreground =
    orphanDependents !== undefined
      ? false
      : policy !== undefined
        ? policy === 'Foreground'
        : present.includes(FOREGROUND);
  const out = present.filter((f) => f !== ORPHAN && f !== FOREGROUND);
  if (orphan) out.push(ORPHAN);
  if (foreground) out.push(FOREGROUND);
  return out;
}
