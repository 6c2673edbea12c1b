// Deletes what lost its owners, and carries out foreground and orphan deletion. The graph of owners is built from informers
// over every resource that discovery names. Upstream: pkg/controller/garbagecollector.
import type { ObjectMeta, OwnerReference } from '#generated/api/meta-v1.ts';
import type { Client, Informers } from '#client/client.ts';
import type { Clock } from '#base/clock.ts';
import { type KubeObject, parseApiVersion, type ResourceRef } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome } from './runtime/controller.ts';
import { type DiscoveredResource, discover, supports } from './runtime/discovery.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** How often discovery is read again for new resources: upstream's resync period. */
const DISCOVERY_EVERY_MS = 30_000;
/** A resource that cannot be listed (its server is down) holds foreground deletion up no longer than this. */
const SYNC_PATIENCE_MS = 60_000;
const NOT_SYNCED_RETRY_MS = 500;

/** Never collected and never owners: they expire by themselves. */
const IGNORED: ReadonlySet<string> = new Set(['/events', 'events.k8s.io/events']);

/** The key that stands for reading discovery; all others are uids. */
const DISCOVERY_KEY = 'discovery';

export const garbageCollector: ControllerDefinition = {
  name: 'garbage-collector-controller',
  identity: 'generic-garbage-collector',
  build: (deps) => {
    const collector = new GarbageCollector(deps);
    return {
      watches: [],
      seeds: [DISCOVERY_KEY],
      reconcile: (key) => (key === DISCOVERY_KEY ? collector.refresh() : collector.reconcile(key)),
      workers: 20,
      stop: async () => collector.stop(),
    };
  },
};

/** What the graph knows of one object. */
interface GraphNode {
  readonly uid: string;
  readonly ref: ResourceRef;
  readonly metadata: ObjectMeta;
}

const finalizersOf = (metadata: ObjectMeta): readonly string[] => metadata.finalizers ?? [];
const isLeaving = (metadata: ObjectMeta): boolean => metadata.deletionTimestamp !== undefined;
const waitsForDependents = (metadata: ObjectMeta): boolean =>
  isLeaving(metadata) && finalizersOf(metadata).includes(FOREGROUND);
const orphansDependents = (metadata: ObjectMeta): boolean =>
  isLeaving(metadata) && finalizersOf(metadata).includes(ORPHAN);

/** Objects and who refers to whom; follows informers, asks nobody. */
export class OwnerGraph {
  /** Uid → the object as last seen. */
  readonly #nodes = new Map<string, GraphNode>();
  /** Owner uid → uids of objects that name it as owner. */
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): readonly GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((d) => this.#nodes.get(d)!);
  }

  /** Takes a change in and returns the uids that have to be looked at. */
  apply(ref: ResourceRef, old: KubeObject | undefined, object: KubeObject | undefined): readonly string[] {
    const touched = new Set<string>();
    if (old !== undefined && old.metadata.uid !== object?.metadata.uid) this.#remove(old, touched);
    if (object !== undefined) this.#put(ref, object, touched);
    return [...touched];
  }

  #remove(object: KubeObject, touched: Set<string>): void {
    const uid = object.metadata.uid!;
    const node = this.#nodes.get(uid);
    if (node === undefined) return;
    this.#nodes.delete(uid);
    this.#link(uid, node.metadata.ownerReferences ?? [], []);
    for (const dependent of this.#dependents.get(uid) ?? []) touched.add(dependent);
    this.#wakeOwners(node.metadata, touched);
  }

  #put(ref: ResourceRef, { metadata }: KubeObject, touched: Set<string>): void {
    const uid = metadata.uid!;
    const before = this.#nodes.get(uid)?.metadata;
    this.#nodes.set(uid, { uid, ref, metadata });
    this.#link(uid, before?.ownerReferences ?? [], metadata.ownerReferences ?? []);
    if (waitsForDependents(metadata) || orphansDependents(metadata)) touched.add(uid);
    const owners = metadata.ownerReferences ?? [];
    // An owner nobody has seen may be gone; one that waits for its dependents wants this one deleted.
    if (owners.some((o) => !this.#nodes.has(o.uid) || waitsForDependents(this.#nodes.get(o.uid)!.metadata)))
      touched.add(uid);
    if (before !== undefined && JSON.stringify(before.ownerReferences) !== JSON.stringify(metadata.ownerReferences))
      this.#wakeOwners(before, touched);
  }

  #wakeOwners(metadata: ObjectMeta, touched: Set<string>): void {
    for (const { uid } of metadata.ownerReferences ?? []) {
      const owner = this.#nodes.get(uid);
      if (owner !== undefined && waitsForDependents(owner.metadata)) touched.add(uid);
    }
  }

  #link(uid: string, before: readonly OwnerReference[], after: readonly OwnerReference[]): void {
    for (const owner of before) {
      const set = this.#dependents.get(owner.uid);
      set?.delete(uid);
      if (set?.size === 0) this.#dependents.delete(owner.uid);
    }
    for (const owner of after) {
      const set = this.#dependents.get(owner.uid);
      if (set === undefined) this.#dependents.set(owner.uid, new Set([uid]));
      else set.add(uid);
    }
  }
}

interface Monitor {
  readonly ref: DiscoveredResource;
  readonly isSynced: () => boolean;
  readonly sinceMs: number;
}

type OwnerState = 'solid' | 'dangling' | 'waiting';

export class GarbageCollector {
  readonly #client: Client;
  readonly #informers: Informers;
  readonly #clock: Clock;
  readonly #deps: ControllerDeps;
  readonly #graph = new OwnerGraph();
  /** `group/resource` → its informer's state. */
  readonly #monitors = new Map<string, Monitor>();
  /** `group/kind` → the resource, to find owners by their reference. */
  #kinds: ReadonlyMap<string, DiscoveredResource> = new Map();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(deps: ControllerDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.#informers = deps.informers;
    this.#clock = deps.clock;
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  /** Follows resources that came since the last look. */
  async refresh(): Promise<Outcome> {
    const { resources } = await discover(this.#client);
    this.#kinds = new Map(resources.map((r) => [`${r.group}/${r.kind}`, r]));
    for (const ref of resources) {
      const id = `${ref.group}/${ref.resource}`;
      if (this.#monitors.has(id) || IGNORED.has(id) || !supports(ref, 'list', 'watch', 'delete')) continue;
      const informer = this.#informers.informer(ref);
      this.#monitors.set(id, { ref, isSynced: () => informer.synced, sinceMs: this.#clock.monotonic() });
      this.#unsubscribe.push(
        informer.subscribe(({ old, object }) => {
          for (const uid of this.#graph.apply(ref, old, object)) this.#deps.enqueue(uid);
        }),
      );
    }
    return { requeueAfterMs: DISCOVERY_EVERY_MS };
  }

  async reconcile(uid: string): Promise<Outcome> {
    const node = this.#graph.get(uid);
    if (node === undefined) return done;
    // The graph lags: decide on the object as it is.
    const live = await this.#live(node.ref, node.metadata);
    if (live === undefined || live.metadata.uid !== uid) return done;
    if (orphansDependents(live.metadata)) return this.#orphan(node.ref, live);
    if (waitsForDependents(live.metadata)) return this.#foreground(node.ref, live);
    if (isLeaving(live.metadata)) return done;
    return this.#collect(node.ref, live);
  }

  /** Deletes the object unless an owner is left to hold it. */
  async #collect(ref: ResourceRef, object: KubeObject): Promise<Outcome> {
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return done;
    const states = new Map<OwnerReference, OwnerState>();
    for (const owner of owners) states.set(owner, await this.#ownerState(owner, ref, object));
    const solid = owners.filter((o) => states.get(o) === 'solid');
    if (solid.length > 0) {
      if (solid.length < owners.length) await this.#patch(ref, object, { ownerReferences: solid });
      return done;
    }
    const waiting = owners.some((o) => states.get(o) === 'waiting');
    const dependents = this.#graph.dependentsOf(object.metadata.uid!);
    // The owner waits for us, so those who depend on us go first as well.
    const foreground = (waiting && dependents.length > 0) || finalizersOf(object.metadata).includes(FOREGROUND);
    if (waiting && dependents.some((d) => waitsForDependents(d.metadata))) {
      // A circle of owners would wait for itself for ever.
      await this.#patch(ref, object, { ownerReferences: owners.map((o) => ({ ...o, blockOwnerDeletion: false })) });
    }
    const propagationPolicy = finalizersOf(object.metadata).includes(ORPHAN)
      ? 'Orphan'
      : foreground
        ? 'Foreground'
        : 'Background';
    const { namespace, name, uid, resourceVersion } = object.metadata;
    await ignoringGone(
      this.#client
        .resource(ref)
        .delete(namespace, name!, { propagationPolicy, preconditions: { uid, resourceVersion } }),
    );
    return done;
  }

  /** Removes the finalizer once no dependent that blocks is left; until then deletes dependents. */
  async #foreground(ref: ResourceRef, object: KubeObject): Promise<Outcome> {
    if (!this.#allSynced()) return { requeueAfterMs: NOT_SYNCED_RETRY_MS };
    const uid = object.metadata.uid!;
    const dependents = this.#graph.dependentsOf(uid);
    const blocking = dependents.filter((d) =>
      d.metadata.ownerReferences?.some((o) => o.uid === uid && o.blockOwnerDeletion === true),
    );
    if (blocking.length === 0) {
      await this.#patch(ref, object, { finalizers: finalizersOf(object.metadata).filter((f) => f !== FOREGROUND) });
      return done;
    }
    for (const dependent of blocking) if (!waitsForDependents(dependent.metadata)) this.#deps.enqueue(dependent.uid);
    return done;
  }

  /** Takes the owner out of its dependents, then its finalizer off. */
  async #orphan(ref: ResourceRef, object: KubeObject): Promise<Outcome> {
    if (!this.#allSynced()) return { requeueAfterMs: NOT_SYNCED_RETRY_MS };
    const uid = object.metadata.uid!;
    for (const dependent of this.#graph.dependentsOf(uid)) {
      const live = await this.#live(dependent.ref, dependent.metadata);
      if (live === undefined || live.metadata.uid !== dependent.uid) continue;
      await this.#patch(dependent.ref, live, {
        ownerReferences: (live.metadata.ownerReferences ?? []).filter((o) => o.uid !== uid),
      });
    }
    await this.#patch(ref, object, { finalizers: finalizersOf(object.metadata).filter((f) => f !== ORPHAN) });
    return done;
  }

  async #ownerState(owner: OwnerReference, ref: ResourceRef, object: KubeObject): Promise<OwnerState> {
    const { group } = parseApiVersion(owner.apiVersion);
    const kind = this.#kinds.get(`${group}/${owner.kind}`);
    if (kind === undefined)
      throw new Error(`unable to find the resource of owner ${owner.apiVersion} ${owner.kind} ${owner.name}`);
    if (kind.namespaced && object.metadata.namespace === undefined) {
      // A cluster-scoped object cannot have a namespaced owner; without a namespace nothing can be looked up, so nothing is deleted.
      const message = `ownerRef ${owner.apiVersion} ${owner.kind} ${owner.name} does not exist in namespace ""`;
      this.#deps.events.event(object, ref, 'Warning', 'OwnerRefInvalidNamespace', message);
      return 'solid';
    }
    const found = await this.#client
      .resource(kind)
      .get(kind.namespaced ? object.metadata.namespace : undefined, owner.name);
    if (found === undefined || found.metadata.uid !== owner.uid) return 'dangling';
    return waitsForDependents(found.metadata) ? 'waiting' : 'solid';
  }

  async #live(ref: ResourceRef, { namespace, name }: ObjectMeta): Promise<KubeObject | undefined> {
    return this.#client.resource(ref).get(namespace, name!);
  }

  /** With resourceVersion, so that a decision on an older object is refused and made again. */
  async #patch(ref: ResourceRef, { metadata }: KubeObject, change: Partial<ObjectMeta>): Promise<void> {
    const { namespace, name, uid, resourceVersion } = metadata;
    await ignoringGone(
      this.#client
        .resource(ref)
        .patch(namespace, name!, 'application/merge-patch+json', { metadata: { uid, resourceVersion, ...change } }),
    );
  }

  #allSynced(): boolean {
    const tooLong = this.#clock.monotonic() - SYNC_PATIENCE_MS;
    return [...this.#monitors.values()].every((m) => m.isSynced() || m.sinceMs < tooLong);
  }
}

async function ignoringGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  }
}
