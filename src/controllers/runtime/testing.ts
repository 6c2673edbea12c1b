// A cluster in memory for controllers' tests: a client that is honest about conflicts, 404, 409, finalizers, generations and
// status, and informers fed from it. Events can be held back to show what a controller does on a stale cache.
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom, randomSuffix, uuid } from '#base/random.ts';
import type {
  Client,
  DeleteOptions,
  EventRecorder,
  Informer,
  InformerChange,
  Informers,
  ListOptions,
  RawResponse,
  ResourceClient,
} from '#client/client.ts';
import { apiVersionOf, type KubeObject, keyOf, makeKey, type ObjectKey, type ResourceRef } from '#machinery/object.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { StatusError } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import { Controller, type ControllerDefinition, type ControllerOptions } from './controller.ts';

export interface RecordedEvent {
  readonly about: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

type Anything = KubeObject & { readonly spec?: unknown; readonly status?: unknown };

export class TestCluster {
  readonly clock = new SteppedClock();
  readonly random = new SeededRandom(1);
  readonly metrics = new MetricsRegistry();
  readonly events: RecordedEvent[] = [];
  /** Every write in order, as `verb resource key`. */
  readonly writes: string[] = [];
  /** Set to refuse writes: called with `verb resource` before each. */
  refuse: (verb: string, resource: string, object: KubeObject | undefined) => StatusError | undefined = () => undefined;
  /** Set to answer raw requests; undefined leaves them to discovery. */
  served: (path: string) => { readonly status?: number; readonly body: unknown } | undefined = () => undefined;
  /** Resources without a scale subresource. */
  readonly scaleless = new Set<string>();
  /** Pods with a node stay, with deletionTimestamp, until `remove` is called: as a kubelet would do it. */
  gracefulPods = true;
  readonly options: ControllerOptions = {
    clusterCidrs: ['10.244.0.0/16'],
    nodeCidrMaskSize: 24,
    rootCa: 'CA',
    loadBalancerRanges: ['192.0.2.201-192.0.2.203'],
  };
  /** Resource id → its objects by key. */
  readonly #stores = new Map<string, Map<ObjectKey, Anything>>();
  readonly #informers = new Map<string, TestInformer>();
  /** Resource id → its reference, for discovery-like walks. */
  readonly #refs = new Map<string, ResourceRef>();
  #revision = 0;
  #heldBack: (() => void)[] | undefined;
  #holding = '';
  readonly #controllers: Controller[] = [];

  readonly client: Client = {
    resource: <T extends KubeObject>(ref: ResourceRef<T>) => this.#resource(ref),
    raw: async (_method, path): Promise<RawResponse> => {
      const served = this.served(path);
      if (served === undefined) return this.#discovery(path);
      const { status = 200, body } = served;
      return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
    },
  };

  readonly informers: Informers = {
    informer: <T extends KubeObject>(ref: ResourceRef<T>) => this.#informer(ref) as unknown as Informer<T>,
    start: async () => {},
    stop: async () => {},
  };

  readonly recorder: EventRecorder = {
    event: (about, ref, type, reason, message) =>
      void this.events.push({ about: `${ref.kind}/${about.metadata.name}`, type, reason, message }),
  };

  /** Builds and starts controllers on this cluster. */
  async run(...definitions: readonly ControllerDefinition[]): Promise<void> {
    const { client, informers, recorder: events, clock, random, options, metrics } = this;
    for (const definition of definitions) {
      const controller = new Controller(definition, {
        client,
        informers,
        events,
        clock,
        random,
        log: silentLog,
        options,
        metrics,
      });
      this.#controllers.push(controller);
      await controller.start(new AbortController().signal);
    }
    await this.settle();
  }

  async stop(): Promise<void> {
    for (const controller of this.#controllers.splice(0)) await controller.stop();
  }

  /** Lets controllers work without (much) time passing: long enough for ordinary retries. */
  async settle(ms = 200): Promise<void> {
    for (let i = 0; i < 10; i++) await this.clock.step(ms / 10);
  }

  /** Puts an object as a user's apply would; creates or replaces spec and metadata. */
  async put<T extends KubeObject>(ref: ResourceRef<T>, object: T): Promise<T> {
    const present = this.get(ref, keyOf(object));
    if (present === undefined) return this.client.resource(ref).create(object);
    return this.client.resource(ref).update({
      ...present,
      ...object,
      metadata: { ...present.metadata, ...object.metadata, resourceVersion: present.metadata.resourceVersion },
    });
  }

  /** Changes the object with `change`, status included, as several components together would. */
  edit<T extends KubeObject>(ref: ResourceRef<T>, key: ObjectKey, change: (object: T) => T): T {
    return this.#commit(ref, key, change(this.get(ref, key)!) as Anything) as unknown as T;
  }

  /** Takes the object out whatever its finalizers say. */
  remove(ref: ResourceRef, key: ObjectKey): void {
    this.#commit(ref, key, undefined);
  }

  get<T extends KubeObject>(ref: ResourceRef<T>, key: ObjectKey): T | undefined {
    return this.#store(ref).get(key) as unknown as T | undefined;
  }

  list<T extends KubeObject>(ref: ResourceRef<T>): readonly T[] {
    return [...this.#store(ref).values()] as unknown as T[];
  }

  /** From now on the informer of this resource sees nothing until `catchUp`. */
  holdBack(ref: ResourceRef): void {
    this.#heldBack ??= [];
    this.#holding = idOf(ref);
  }

  catchUp(): void {
    const held = this.#heldBack ?? [];
    this.#heldBack = undefined;
    for (const deliver of held) deliver();
  }

  /** Discovery of the resources that were spoken of so far. */
  #discovery(path: string): RawResponse {
    const refs = [...this.#refs.values()];
    const json = (value: unknown): RawResponse => ({
      status: 200,
      headers: {},
      body: Buffer.from(JSON.stringify(value)),
    });
    if (path === '/apis') {
      const groups = [...new Set(refs.filter((r) => r.group !== '').map(apiVersionOf))];
      return json({
        groups: groups.map((groupVersion) => ({
          name: groupVersion.split('/')[0],
          versions: [{ groupVersion, version: groupVersion.split('/')[1] }],
        })),
      });
    }
    const groupVersion = path.replace(/^\/apis?\//, '');
    const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
    return json({
      groupVersion,
      resources: refs
        .filter((r) => apiVersionOf(r) === groupVersion)
        .flatMap((r) => {
          const own = { name: r.resource, kind: r.kind, namespaced: r.namespaced, verbs };
          return this.scaleless.has(r.resource) ? [own] : [own, { ...own, name: `${r.resource}/scale`, kind: 'Scale' }];
        }),
    });
  }

  #store(ref: ResourceRef): Map<ObjectKey, Anything> {
    const id = idOf(ref);
    this.#refs.set(id, ref);
    let store = this.#stores.get(id);
    if (store === undefined) this.#stores.set(id, (store = new Map()));
    return store;
  }

  #informer(ref: ResourceRef): TestInformer {
    const id = idOf(ref);
    let informer = this.#informers.get(id);
    if (informer === undefined) {
      informer = new TestInformer(ref, [...this.#store(ref).values()]);
      this.#informers.set(id, informer);
    }
    return informer;
  }

  #commit(ref: ResourceRef, key: ObjectKey, next: Anything | undefined): Anything {
    const store = this.#store(ref);
    const old = store.get(key);
    this.#revision++;
    let written: Anything | undefined;
    if (next === undefined) store.delete(key);
    else {
      written = freeze({ ...next, metadata: { ...next.metadata, resourceVersion: String(this.#revision) } });
      store.set(key, written);
    }
    const deliver = () => this.#informers.get(idOf(ref))?.apply(key, written);
    if (this.#heldBack === undefined || this.#holding !== idOf(ref)) deliver();
    else this.#heldBack.push(deliver);
    return written ?? old!;
  }

  #before(verb: string, ref: ResourceRef, key: string, object?: KubeObject): void {
    const refused = this.refuse(verb, ref.resource, object);
    if (refused !== undefined) throw refused;
    this.writes.push(`${verb} ${ref.resource} ${key}`);
  }

  #resource<T extends KubeObject>(ref: ResourceRef<T>): ResourceClient<T> {
    const store = this.#store(ref);
    const need = (key: ObjectKey): Anything => {
      const found = store.get(key);
      if (found === undefined) throw StatusError.notFound(ref, key.split('/').at(-1)!);
      return found;
    };
    const write = (verb: string, object: T, merge: (next: Anything, old: Anything) => Anything): T => {
      const key = keyOf(object);
      const old = need(key);
      this.#before(verb, ref, key, object);
      const { resourceVersion, uid } = object.metadata;
      if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
        throw StatusError.conflict(
          ref,
          object.metadata.name!,
          'the object has been modified; please apply your changes to the latest version and try again',
        );
      }
      if (uid !== undefined && uid !== old.metadata.uid)
        throw StatusError.conflict(ref, object.metadata.name!, 'uid differs');
      const merged = plain(merge(object, old)) as Anything;
      if (JSON.stringify(merged) === JSON.stringify(old)) return old as unknown as T;
      const finished =
        ref.resource !== 'namespaces' &&
        merged.metadata.deletionTimestamp !== undefined &&
        (merged.metadata.finalizers ?? []).length === 0 &&
        (merged.metadata.deletionGracePeriodSeconds ?? 0) === 0;
      return this.#commit(ref, key, finished ? undefined : merged) as unknown as T;
    };
    const keepStatus = (next: Anything, old: Anything): Anything => {
      const generation =
        JSON.stringify(next.spec) === JSON.stringify(old.spec)
          ? old.metadata.generation
          : (old.metadata.generation ?? 0) + 1;
      const { deletionTimestamp, creationTimestamp, uid } = old.metadata;
      return {
        ...next,
        metadata: { ...next.metadata, generation, deletionTimestamp, creationTimestamp, uid },
        ...(old.status === undefined ? {} : { status: old.status }),
      };
    };
    return {
      ref,
      get: async (namespace, name) => store.get(makeKey(namespace, name)) as unknown as T | undefined,
      list: async (options: ListOptions = {}) => ({
        metadata: { resourceVersion: String(this.#revision) },
        items: [...store.values()].filter(
          (o) => options.namespace === undefined || o.metadata.namespace === options.namespace,
        ) as unknown as T[],
      }),
      watch: () => {
        throw new Error('the test cluster has informers only');
      },
      create: async (object) => {
        const name = object.metadata.name ?? `${object.metadata.generateName}${randomSuffix(this.random)}`;
        const key = makeKey(object.metadata.namespace, name);
        this.#before('create', ref, key, object);
        if (store.has(key)) throw StatusError.alreadyExists(ref, name);
        const metadata = {
          ...object.metadata,
          name,
          uid: uuid(this.random),
          creationTimestamp: formatTime(this.clock.now()),
          generation: 1,
        };
        return this.#commit(
          ref,
          key,
          plain({ apiVersion: apiVersionOf(ref), kind: ref.kind, ...object, metadata }) as Anything,
        ) as unknown as T;
      },
      update: async (object) => write('update', object, keepStatus),
      // As the API: labels, annotations and finalizers may be written with the status.
      updateStatus: async (object) =>
        write('updateStatus', object, (next, old) => {
          const { labels, annotations, finalizers } = next.metadata;
          return { ...old, metadata: { ...old.metadata, labels, annotations, finalizers }, status: next.status };
        }),
      patch: async (namespace, name, type, patch, options = {}) => {
        const old = need(makeKey(namespace, name));
        if (type !== 'application/merge-patch+json' && type !== 'application/strategic-merge-patch+json')
          throw new Error(`the test cluster knows merge patches only, not ${type}`);
        const merged = mergePatch(old, patch) as unknown as T;
        if (options.subresource === 'status')
          return write('patchStatus', merged, (next, before) => ({ ...before, status: next.status }));
        return write('patch', merged, keepStatus);
      },
      delete: async (namespace, name, options: DeleteOptions = {}) => {
        const key = makeKey(namespace, name);
        const old = store.get(key);
        if (old === undefined) return undefined;
        this.#before(
          `delete${options.propagationPolicy === undefined ? '' : `(${options.propagationPolicy})`}`,
          ref,
          key,
          old,
        );
        const { uid, resourceVersion } = options.preconditions ?? {};
        if (
          (uid !== undefined && uid !== old.metadata.uid) ||
          (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
        ) {
          throw StatusError.conflict(
            ref,
            name,
            `the UID in the precondition (${uid}) does not match the UID in record (${old.metadata.uid})`,
          );
        }
        return this.#delete(ref, key, old, options) as unknown as T;
      },
      deleteCollection: async (list, options) => {
        for (const object of store.values().toArray()) {
          if (list.namespace === undefined || object.metadata.namespace === list.namespace)
            this.#delete(ref, keyOf(object), object, options ?? {});
        }
      },
      getSubresource: async <R>(namespace: string | undefined, name: string, subresource: string) => {
        if (subresource !== 'scale') unsupported();
        return scaleOf(need(makeKey(namespace, name))) as R;
      },
      createSubresource: async () => unsupported(),
      updateSubresource: async <R>(namespace: string | undefined, name: string, subresource: string, body: unknown) => {
        if (subresource === 'scale') {
          const old = need(makeKey(namespace, name));
          const { replicas } = (body as { spec: { replicas: number } }).spec;
          const spec = { ...(old.spec as object), replicas };
          return scaleOf(write('scale', { ...old, spec } as unknown as T, keepStatus) as unknown as Anything) as R;
        }
        if (subresource !== 'finalize') unsupported();
        const { finalizers } = (body as { spec: { finalizers: readonly string[] } }).spec;
        this.#before('finalize', ref, name);
        return this.#commit(ref, name, finalizers.length === 0 ? undefined : (body as Anything)) as unknown as R;
      },
    };
  }

  #delete(ref: ResourceRef, key: ObjectKey, old: Anything, options: DeleteOptions): Anything {
    const onNode =
      ref.resource === 'pods' &&
      this.gracefulPods &&
      (old.spec as { nodeName?: string } | undefined)?.nodeName !== undefined &&
      options.gracePeriodSeconds !== 0;
    const extra =
      options.propagationPolicy === 'Foreground'
        ? ['foregroundDeletion']
        : options.propagationPolicy === 'Orphan'
          ? ['orphan']
          : [];
    const finalizers = [...new Set([...(old.metadata.finalizers ?? []), ...extra])];
    const namespaceContent = ref.resource === 'namespaces';
    if (!onNode && finalizers.length === 0 && !namespaceContent) return this.#commit(ref, key, undefined);
    const deletionTimestamp = old.metadata.deletionTimestamp ?? formatTime(this.clock.now());
    return this.#commit(ref, key, {
      ...old,
      metadata: {
        ...old.metadata,
        deletionTimestamp,
        ...(finalizers.length === 0 ? {} : { finalizers }),
        ...(onNode ? { deletionGracePeriodSeconds: 30 } : {}),
      },
    });
  }
}

/** As the API server makes it for the workload kinds. */
function scaleOf({ metadata, spec, status }: Anything): unknown {
  const { replicas, selector } = (spec ?? {}) as { replicas?: number; selector?: LabelSelector };
  return {
    metadata,
    spec: { replicas },
    status: {
      replicas: (status as { replicas?: number } | undefined)?.replicas ?? 0,
      selector: formatLabelSelector(selector),
    },
  };
}

class TestInformer implements Informer<KubeObject> {
  readonly ref: ResourceRef;
  readonly synced = true;
  readonly #objects = new Map<ObjectKey, KubeObject>();
  readonly #handlers = new Set<(change: InformerChange<KubeObject>) => void>();
  readonly #indexes = new Map<string, (object: KubeObject) => readonly string[]>();

  constructor(ref: ResourceRef, objects: readonly KubeObject[]) {
    this.ref = ref;
    for (const object of objects) this.#objects.set(keyOf(object), object);
  }

  apply(key: ObjectKey, object: KubeObject | undefined): void {
    const old = this.#objects.get(key);
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, object);
    if (old === undefined && object === undefined) return;
    for (const handler of this.#handlers) handler({ key, old, object });
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#objects.get(key);
  }

  list(): readonly KubeObject[] {
    return [...this.#objects.values()];
  }

  listNamespace(namespace: string): readonly KubeObject[] {
    return this.list().filter((o) => o.metadata.namespace === namespace);
  }

  addIndex(name: string, values: (object: KubeObject) => readonly string[]): void {
    this.#indexes.set(name, values);
  }

  byIndex(index: string, value: string): readonly KubeObject[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new Error(`no index ${index}`);
    return this.list().filter((o) => values(o).includes(value));
  }

  subscribe(handler: (change: InformerChange<KubeObject>) => void): () => void {
    this.#handlers.add(handler);
    for (const object of this.list()) handler({ key: keyOf(object), old: undefined, object });
    return () => this.#handlers.delete(handler);
  }

  async whenSynced(): Promise<void> {}
}

const idOf = (ref: ResourceRef): string => `${ref.group}/${ref.resource}`;
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const unsupported = (): never => {
  throw new Error('the test cluster has no subresources with other bodies');
};

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}

/** RFC 7386, and of strategic merge patches the removal from a list of plain values. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base =
    typeof target === 'object' && target !== null && !Array.isArray(target)
      ? { ...(target as Record<string, unknown>) }
      : {};
  for (const [key, value] of Object.entries(patch)) {
    const list = /^\$deleteFromPrimitiveList\/(.*)$/.exec(key)?.[1];
    if (list !== undefined)
      base[list] = ((base[list] ?? []) as readonly unknown[]).filter((v) => !(value as readonly unknown[]).includes(v));
    else if (value === null) delete base[key];
    else if (value !== undefined) base[key] = mergePatch(base[key], value);
  }
  return base;
}
