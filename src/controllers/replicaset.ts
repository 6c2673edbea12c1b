// Keeps the number of pods that a ReplicaSet, or a ReplicationController, asks for. Pods are adopted and released by selector, made in slow-start
// batches, and removed in upstream's order of least loss. Upstream: pkg/controller/replicaset.
import type { Clock } from '#base/clock.ts';
import type { ReplicaSet, ReplicaSetStatus } from '#generated/api/apps-v1.ts';
import type { Pod, ReplicationController } from '#generated/api/core-v1.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { pods, replicasets } from '#generated/resources.ts';
import type { Client, Informer } from '#client/client.ts';
import {
  isPodActive,
  isPodReady,
  isPodTerminating,
  msUntilAvailable,
  podCondition,
} from '#kinds/core/pod/readiness.ts';
import { removeCondition, setCondition } from '#machinery/conditions.ts';
import { controllerOf, keyOf, type ObjectKey, type ResourceRef } from '#machinery/object.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from './runtime/controller.ts';
import { sameStatus } from './runtime/equality.ts';
import { candidatesOf, claim, controlledBy, indexByController, ownerKeys, planClaims } from './runtime/ownership.ts';
import { isNamespaceTerminating, PodControl, podFromTemplate, slowStart } from './runtime/pod-control.ts';
import { matchesLabelSelector } from './runtime/selection.ts';
import { WriteGuard } from './runtime/write-guard.ts';

export type Replicated = ReplicaSet | ReplicationController;

/** What differs between the two kinds. */
export interface ReplicatedKind<T extends Replicated> {
  readonly resource: ResourceRef<T>;
  readonly selector: (set: T) => LabelSelector | undefined;
  /** Whether status.terminatingReplicas exists. */
  readonly countsTerminating: boolean;
}

const REPLICA_SETS: ReplicatedKind<ReplicaSet> = {
  resource: replicasets,
  selector: (set) => set.spec?.selector,
  countsTerminating: true,
};

export const replicaSetController: ControllerDefinition = {
  name: 'replicaset-controller',
  identity: 'replicaset-controller',
  build: (deps) => buildReplicated(deps, REPLICA_SETS),
};

export function buildReplicated<T extends Replicated>(
  deps: ControllerDeps,
  kind: ReplicatedKind<T>,
): ReturnType<ControllerDefinition['build']> {
  const sets = deps.informers.informer(kind.resource);
  const podInformer = deps.informers.informer(pods);
  indexByController(podInformer);
  indexByController(sets);
  const reconciler = new ReplicaSetReconciler({ ...deps, kind, sets, pods: podInformer });
  /** Sets that may want a pod without a controller. */
  const orphanSuitors = (pod: Pod | undefined): readonly ObjectKey[] => {
    if (pod === undefined || controllerOf(pod) !== undefined || pod.metadata.labels === undefined) return [];
    return sets
      .listNamespace(pod.metadata.namespace!)
      .filter((s) => matchesLabelSelector(kind.selector(s), pod.metadata.labels))
      .map(keyOf);
  };
  return {
    watches: [
      watch(sets, ownKey),
      watch(podInformer, (change) => [...ownerKeys(kind.resource)(change), ...orphanSuitors(change.object)]),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  };
}

interface ReplicaSetDeps<T extends Replicated> extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly kind: ReplicatedKind<T>;
  readonly sets: Informer<T>;
  readonly pods: Informer<Pod>;
}

/** Pods made or removed in one reconcile at most: upstream's BurstReplicas. */
const BURST_REPLICAS = 500;

export class ReplicaSetReconciler<T extends Replicated> {
  readonly #deps: ReplicaSetDeps<T>;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #control: PodControl;
  readonly #guard: WriteGuard<Pod>;

  constructor(deps: ReplicaSetDeps<T>) {
    this.#deps = deps;
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#control = new PodControl(deps.client, deps.events);
    this.#guard = new WriteGuard(deps.pods, deps.clock);
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const { kind } = this.#deps;
    const set = this.#deps.sets.get(key);
    if (set === undefined) return done;
    const settled = this.#guard.settled(key);
    const plan = planClaims(set, candidatesOf(this.#deps.pods, set), (pod) =>
      matchesLabelSelector(kind.selector(set), pod.metadata.labels),
    );
    const claimable = { ...plan, adopt: plan.adopt.filter(isPodActive) };
    const owned = await claim(set, claimable, {
      owners: this.#client.resource(kind.resource),
      objects: this.#client.resource(pods),
    });

    let failure: ScaleFailure | undefined;
    if (settled && set.metadata.deletionTimestamp === undefined) failure = await this.#scale(key, set, owned);

    const now = this.#clock.now();
    const status = replicaSetStatus(set, owned, failure, now, kind.countsTerminating);
    if (!sameStatus(status, set.status)) await this.#client.resource(kind.resource).updateStatus({ ...set, status });
    if (failure !== undefined) throw failure.error;

    const waits = owned
      .filter(isPodActive)
      .map((pod) => msUntilAvailable(pod, set.spec!.minReadySeconds ?? 0, now))
      .filter((ms) => ms !== undefined && ms > 0) as number[];
    return waits.length === 0 ? done : { requeueAfterMs: Math.min(...waits) };
  }

  async #scale(key: ObjectKey, set: T, owned: readonly Pod[]): Promise<ScaleFailure | undefined> {
    const owner = { object: set, ref: this.#deps.kind.resource };
    const active = owned.filter(isPodActive);
    const diff = active.length - (set.spec!.replicas ?? 1);
    if (diff < 0) {
      const { error } = await slowStart(Math.min(-diff, BURST_REPLICAS), async () => {
        await this.#guard.create(key, () => this.#control.create(podFromTemplate(set.spec!.template!, owner), owner));
      });
      if (error === undefined || isNamespaceTerminating(error)) return undefined;
      return { reason: 'FailedCreate', error: error as Error };
    }
    if (diff === 0) return undefined;
    const leaving = podsToDelete(active, Math.min(diff, BURST_REPLICAS), this.#related(set), this.#clock.now());
    const results = await Promise.allSettled(
      leaving.map((pod) => this.#guard.delete(key, pod, () => this.#control.delete(pod, owner))),
    );
    const failed = results.find((r) => r.status === 'rejected');
    return failed === undefined ? undefined : { reason: 'FailedDelete', error: failed.reason as Error };
  }

  /** Active pods of all ReplicaSets with the same controller: during a roll-out the new ones and the old. */
  #related(set: T): readonly Pod[] {
    const owner = controllerOf(set);
    const siblings = owner === undefined ? [set] : controlledBy(this.#deps.sets, owner.uid);
    return siblings.flatMap((s) => controlledBy(this.#deps.pods, s.metadata.uid!)).filter(isPodActive);
  }
}

interface ScaleFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly error: Error;
}

/** The annotation by which a user makes a pod cheaper or dearer to delete: an int32, default 0. */
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** Which `count` of `active` go first; `related` decides how crowded each pod's node is. */
export function podsToDelete(
  active: readonly Pod[],
  count: number,
  related: readonly Pod[],
  nowMs: number,
): readonly Pod[] {
  if (count >= active.length) return active;
  const onNode = new Map<string, number>();
  for (const { spec } of related) if (spec?.nodeName) onNode.set(spec.nodeName, (onNode.get(spec.nodeName) ?? 0) + 1);
  const rank = (pod: Pod) => onNode.get(pod.spec?.nodeName ?? '') ?? 0;
  return active.toSorted((a, b) => compareForDeletion(a, b, rank, nowMs)).slice(0, count);
}

const PHASE_ORDER: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** Negative: `a` goes first. Upstream: ActivePodsWithRanks.Less. */
function compareForDeletion(a: Pod, b: Pod, rank: (pod: Pod) => number, nowMs: number): number {
  const unassigned = (pod: Pod) => (pod.spec?.nodeName ? 1 : 0);
  const phase = (pod: Pod) => PHASE_ORDER[pod.status?.phase ?? ''] ?? 0;
  const ready = (pod: Pod) => (isPodReady(pod) ? 1 : 0);
  return (
    unassigned(a) - unassigned(b) ||
    phase(a) - phase(b) ||
    ready(a) - ready(b) ||
    deletionCost(a) - deletionCost(b) ||
    rank(b) - rank(a) ||
    (isPodReady(a) && isPodReady(b) ? compareAges(readySince(a), readySince(b), a, b, nowMs) : 0) ||
    mostRestarts(b) - mostRestarts(a) ||
    compareAges(
      parseTime(a.metadata.creationTimestamp ?? ''),
      parseTime(b.metadata.creationTimestamp ?? ''),
      a,
      b,
      nowMs,
    )
  );
}

/** Younger first, but only by orders of magnitude, then by uid: so that scaling down does not always hit the newest zone. */
function compareAges(a: number | undefined, b: number | undefined, podA: Pod, podB: Pod, nowMs: number): number {
  if (a === b) return 0;
  const magnitude = (ms: number | undefined) =>
    ms === undefined ? -1 : Math.floor(Math.log2(Math.max(1, nowMs - ms)));
  const diff = magnitude(a) - magnitude(b);
  if (diff !== 0) return diff;
  return podA.metadata.uid! < podB.metadata.uid! ? -1 : 1;
}

function readySince(pod: Pod): number | undefined {
  return parseTime(podCondition(pod, 'Ready')?.lastTransitionTime ?? '');
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? '0';
  return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

function mostRestarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((s) => s.restartCount));
}

/** The status that the owned pods amount to. */
export function replicaSetStatus(
  set: Replicated,
  owned: readonly Pod[],
  failure: ScaleFailure | undefined,
  nowMs: number,
  countsTerminating = true,
): ReplicaSetStatus {
  const active = owned.filter(isPodActive);
  const templateLabels = Object.entries(set.spec!.template?.metadata?.labels ?? {});
  const labelled = (pod: Pod) => templateLabels.every(([k, v]) => pod.metadata.labels?.[k] === v);
  const minReady = set.spec!.minReadySeconds ?? 0;
  const conditions =
    failure === undefined
      ? removeCondition(set.status?.conditions, 'ReplicaFailure')
      : setCondition(
          set.status?.conditions,
          { type: 'ReplicaFailure', status: 'True', reason: failure.reason, message: failure.error.message },
          formatTime(nowMs),
        );
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(labelled).length,
    readyReplicas: active.filter(isPodReady).length,
    availableReplicas: active.filter((pod) => msUntilAvailable(pod, minReady, nowMs) === 0).length,
    ...(countsTerminating ? { terminatingReplicas: owned.filter(isPodTerminating).length } : {}),
    observedGeneration: set.metadata.generation,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}
