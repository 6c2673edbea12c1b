// A small API server double for tests of client parts: objects by path in memory, one revision counter, watches with
// history. No validation, no defaulting, no admission: what needs those is tested against the real server.
import { uuid } from '#base/random.ts';
import { SeededRandom } from '#base/random.ts';
import { type Exchange, type ExchangeRequest, type ExchangeResponse } from '#machinery/exchange.ts';
import { type KubeObject, type ResourceRef, keyOf } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { resourcePath } from './rest-client.ts';

type AnyObject = KubeObject & {
  readonly spec?: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
  readonly [key: string]: unknown;
};

interface Change {
  readonly revision: number;
  readonly collection: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: AnyObject;
}

interface Target {
  /** `/api/v1/pods`: without namespace. */
  readonly collection: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
}

export class TestApi {
  /** Starts above 0, which in a request means "any". */
  #revision = 1;
  #compacted = 0;
  readonly #collections = new Map<string, Map<string, AnyObject>>();
  readonly #history: Change[] = [];
  /** Wakes the open watches. */
  readonly #watchers = new Set<() => void>();
  readonly #random = new SeededRandom(1);
  #endWatches = 0;
  /** Whether sendInitialEvents is understood. */
  watchList = true;
  /** Every request, as `METHOD path`. */
  readonly requests: string[] = [];
  /** Answers before anything else does, when it returns a response. */
  intercept: ((request: ExchangeRequest) => ExchangeResponse | undefined) | undefined;

  readonly exchange: Exchange = async (request) => {
    this.requests.push(`${request.method} ${request.path}`);
    try {
      return this.intercept?.(request) ?? this.#answer(request);
    } catch (error) {
      const status = StatusError.from(error);
      return respond(status.code, status.toStatus());
    }
  };

  /** Stores an object as it is, over what stood there. */
  put<T extends KubeObject>(ref: ResourceRef<T>, object: T): T {
    return this.#write(resourcePath(ref), object as unknown as AnyObject) as unknown as T;
  }

  find<T extends KubeObject>(ref: ResourceRef<T>, key: string): T | undefined {
    return this.#collection(resourcePath(ref)).get(key) as T | undefined;
  }

  all<T extends KubeObject>(ref: ResourceRef<T>): readonly T[] {
    return [...this.#collection(resourcePath(ref)).values()] as unknown as T[];
  }

  remove(ref: ResourceRef, key: string): void {
    this.#remove(resourcePath(ref), key);
  }

  /** Ends all open watches, as a restarting server does. */
  dropWatches(): void {
    this.#endWatches++;
    for (const wake of this.#watchers) wake();
  }

  /** Forgets the history: watches from before now get 410. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history.length = 0;
  }

  get openWatches(): number {
    return this.#watchers.size;
  }

  #answer(request: ExchangeRequest): ExchangeResponse {
    const target = parsePath(request.path);
    const { collection, resource, namespace, name, subresource, query } = target;
    const objects = this.#collection(collection);
    const key = name === undefined ? '' : namespace === undefined ? name : `${namespace}/${name}`;
    const body = () => JSON.parse(Buffer.from(request.body ?? new Uint8Array()).toString('utf8')) as AnyObject;
    const present = () => {
      const object = objects.get(key);
      if (object === undefined) throw StatusError.notFound({ resource }, name!);
      return object;
    };
    switch (request.method) {
      case 'GET':
        if (name !== undefined) return respond(200, present());
        if (query.get('watch') !== null) return this.#watch(target, request.signal);
        return this.#list(target);
      case 'POST': {
        if (subresource === 'binding') {
          const pod = present();
          this.#write(collection, {
            ...pod,
            spec: { ...pod.spec, nodeName: (body()['target'] as { name: string }).name },
          });
          return respond(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
        }
        const object = body();
        const created = {
          ...object,
          metadata: { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) },
        };
        if (objects.has(keyOf(created))) throw StatusError.alreadyExists({ resource }, created.metadata.name!);
        return respond(201, this.#write(collection, created));
      }
      case 'PUT': {
        const old = present();
        const object = body();
        const given = object.metadata.resourceVersion;
        if (given !== undefined && given !== old.metadata.resourceVersion) {
          throw StatusError.conflict(
            { resource },
            name!,
            'the object has been modified; please apply your changes to the latest version and try again',
          );
        }
        return respond(
          200,
          this.#write(collection, subresource === 'status' ? { ...old, status: object.status ?? {} } : object),
        );
      }
      case 'PATCH':
        return respond(200, this.#write(collection, mergePatch(present(), body()) as AnyObject));
      case 'DELETE':
        return respond(200, this.#remove(collection, keyOf(present())));
      default:
        throw StatusError.methodNotAllowed({ resource }, request.method);
    }
  }

  #list(target: Target): ExchangeResponse {
    const items = [...this.#collection(target.collection).values()].filter((o) => selects(target, o));
    const limit = Number(target.query.get('limit') ?? 0);
    const from = Number(target.query.get('continue') ?? 0);
    const page = limit === 0 ? items : items.slice(from, from + limit);
    const more = from + page.length < items.length ? { continue: String(from + page.length) } : {};
    return respond(200, {
      kind: 'List',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.#revision), ...more },
      items: page,
    });
  }

  #watch(target: Target, signal: AbortSignal): ExchangeResponse {
    const initial = target.query.get('sendInitialEvents') === 'true';
    if (initial && !this.watchList) throw StatusError.invalid({ kind: 'ListOptions' }, '', []);
    const from = Number(target.query.get('resourceVersion') ?? 0);
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: this.#events(target, initial, from, signal),
    };
  }

  async *#events(target: Target, initial: boolean, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const generation = this.#endWatches;
    let at = from === 0 || initial ? this.#revision : from;
    if (at < this.#compacted && !initial) {
      yield line({ type: 'ERROR', object: StatusError.expired('too old resource version').toStatus() });
      return;
    }
    if (initial) {
      for (const object of this.#collection(target.collection).values().toArray()) {
        if (selects(target, object)) yield line({ type: 'ADDED', object });
      }
      const metadata = { resourceVersion: String(at), annotations: { 'k8s.io/initial-events-end': 'true' } };
      yield line({ type: 'BOOKMARK', object: { metadata } });
    }
    let wake: () => void = () => {};
    const watcher = () => wake();
    this.#watchers.add(watcher);
    signal.addEventListener('abort', watcher);
    try {
      while (!signal.aborted && this.#endWatches === generation) {
        const news = this.#history.filter((c) => c.revision > at);
        at = this.#revision;
        for (const change of news) {
          if (change.collection === target.collection && selects(target, change.object))
            yield line({ type: change.type, object: change.object });
        }
        if (at === this.#revision && !signal.aborted && this.#endWatches === generation)
          await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', watcher);
    }
  }

  #collection(path: string): Map<string, AnyObject> {
    let objects = this.#collections.get(path);
    if (objects === undefined) this.#collections.set(path, (objects = new Map()));
    return objects;
  }

  #write(collection: string, object: AnyObject): AnyObject {
    const objects = this.#collection(collection);
    const type = objects.has(keyOf(object)) ? 'MODIFIED' : 'ADDED';
    const uid = object.metadata.uid ?? uuid(this.#random);
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(++this.#revision) } };
    objects.set(keyOf(stored), stored);
    this.#record({ revision: this.#revision, collection, type, object: stored });
    return stored;
  }

  #remove(collection: string, key: string): AnyObject | undefined {
    const old = this.#collection(collection).get(key);
    if (old === undefined) return undefined;
    this.#collection(collection).delete(key);
    const object = { ...old, metadata: { ...old.metadata, resourceVersion: String(++this.#revision) } };
    this.#record({ revision: this.#revision, collection, type: 'DELETED', object });
    return object;
  }

  #record(change: Change): void {
    this.#history.push(change);
    for (const wake of this.#watchers) wake();
  }
}

const json = { 'content-type': 'application/json' };
const respond = (status: number, body: unknown): ExchangeResponse => ({
  status,
  headers: json,
  body: Buffer.from(JSON.stringify(body)),
});
const line = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);

function parsePath(path: string): Target {
  const url = new URL(path, 'http://test');
  const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  const head = parts[0] === 'api' ? 2 : 3;
  const prefix = `/${parts.slice(0, head).join('/')}`;
  const rest = parts.slice(head);
  const scoped = rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2]!);
  const [resource = '', name, subresource] = scoped ? rest.slice(2) : rest;
  return {
    collection: `${prefix}/${resource}`,
    resource,
    namespace: scoped ? rest[1] : undefined,
    name,
    subresource,
    query: url.searchParams,
  };
}

/** Equality selectors only. */
function selects({ namespace, query }: Target, object: AnyObject): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  const terms = (text: string | null) =>
    (text ?? '')
      .split(',')
      .filter(Boolean)
      .map((t) => /^([^!=]+)(!?=)=?(.*)$/.exec(t)!.slice(1));
  const holds = ([, op, want]: string[], value: string) => (op === '=') === (value === want);
  const field = (path: string) =>
    String(
      path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object) ?? '',
    );
  return (
    terms(query.get('labelSelector')).every((t) => holds(t, object.metadata.labels?.[t[0]!] ?? '')) &&
    terms(query.get('fieldSelector')).every((t) => holds(t, field(t[0]!)))
  );
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const out: Record<string, unknown> = {
    ...(typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}),
  };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}
