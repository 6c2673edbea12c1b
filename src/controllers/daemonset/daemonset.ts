// Runs DaemonSets: one pod on every node that fits, kept there, replaced when the template changes. Upstream:
// pkg/controller/daemon.
import type { ControllerRevision, DaemonSet } from '#generated/api/apps-v1.ts';
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { controllerrevisions, daemonsets, nodes, pods } from '#generated/resources.ts';
import type { Informer, InformerChange, ResourceClient } from '#client/client.ts';
import { isPodActive } from '#kinds/core/pod/readiness.ts';
import { controllerOf, keyOf, type ObjectKey } from '#machinery/object.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from '../runtime/controller.ts';
import { sameStatus, sameValue } from '../runtime/equality.ts';
import { candidatesOf, claim, indexByController, ownerKeys, planClaims } from '../runtime/ownership.ts';
import { isNamespaceTerminating, PodControl, slowStart } from '../runtime/pod-control.ts';
import { POD_REVISION_LABEL, RevisionHistory, type Revisions } from '../runtime/revisions.ts';
import { matchesLabelSelector } from '../runtime/selection.ts';
import { WriteGuard } from '../runtime/write-guard.ts';
import { FailedPods } from './failed-pods.ts';
import { makeDaemonPod, placementOn, placementRule } from './placement.ts';
import { type DaemonPlan, type DaemonState, daemonSetStatus, managePlan, podsByNode, rolloutPlan } from './plan.ts';

export const daemonSetController: ControllerDefinition = {
  name: 'daemonset-controller',
  identity: 'daemon-set-controller',
  eventSource: 'daemonset-controller',
  build: (deps) => {
    const sets = deps.informers.informer(daemonsets);
    const podInformer = deps.informers.informer(pods);
    const revisions = deps.informers.informer(controllerrevisions);
    const nodeInformer = deps.informers.informer(nodes);
    indexByController(podInformer);
    indexByController(revisions);
    const reconciler = new DaemonSetReconciler({ ...deps, sets, pods: podInformer, revisions, nodes: nodeInformer });
    return {
      watches: [
        watch(sets, ownKey),
        watch(podInformer, (change) => [...ownerKeys(daemonsets)(change), ...orphanSuitors(sets, change.object)]),
        watch(revisions, ownerKeys(daemonsets)),
        watch(nodeInformer, (change) => setsConcerned(sets, change)),
      ],
      workers: 2,
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

/** DaemonSets that may want a pod without a controller. */
function orphanSuitors(sets: Informer<DaemonSet>, pod: Pod | undefined): readonly ObjectKey[] {
  if (pod === undefined || controllerOf(pod) !== undefined || pod.metadata.labels === undefined) return [];
  return sets
    .listNamespace(pod.metadata.namespace!)
    .filter((s) => matchesLabelSelector(s.spec!.selector, pod.metadata.labels))
    .map(keyOf);
}

/** The sets for which the node is another one now. Nodes report every few seconds; most reports concern nobody. */
function setsConcerned(sets: Informer<DaemonSet>, { old, object }: InformerChange<Node>): readonly ObjectKey[] {
  if (
    old !== undefined &&
    object !== undefined &&
    sameValue(old.metadata.labels, object.metadata.labels) &&
    sameValue(old.spec?.taints, object.spec?.taints)
  )
    return [];
  const none = { shouldRun: false, mayStay: false };
  return sets
    .list()
    .filter((set) => {
      const before = old === undefined ? none : placementOn(set, old);
      const now = object === undefined ? none : placementOn(set, object);
      return before.shouldRun !== now.shouldRun || before.mayStay !== now.mayStay;
    })
    .map(keyOf);
}

interface DaemonSetDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly sets: Informer<DaemonSet>;
  readonly pods: Informer<Pod>;
  readonly revisions: Informer<ControllerRevision>;
  readonly nodes: Informer<Node>;
}

/** Pods made or removed in one go at most: upstream's BurstReplicas. */
const BURST_REPLICAS = 250;

export class DaemonSetReconciler {
  readonly #deps: DaemonSetDeps;
  readonly #sets: ResourceClient<DaemonSet>;
  readonly #control: PodControl;
  readonly #guard: WriteGuard<Pod>;
  readonly #history: RevisionHistory<DaemonSet>;
  readonly #failed: FailedPods;

  constructor(deps: DaemonSetDeps) {
    this.#deps = deps;
    this.#sets = deps.client.resource(daemonsets);
    this.#control = new PodControl(deps.client, deps.events);
    this.#guard = new WriteGuard(deps.pods, deps.clock);
    this.#failed = new FailedPods(deps.clock);
    this.#history = new RevisionHistory({
      owners: this.#sets,
      client: deps.client.resource(controllerrevisions),
      informer: deps.revisions,
      hashLabel: POD_REVISION_LABEL,
    });
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const set = this.#deps.sets.get(key);
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return done;
    if (sameValue(set.spec!.selector, {})) {
      const text = 'This daemon set is selecting all pods. A non-empty selector is required.';
      this.#deps.events.event(set, daemonsets, 'Warning', 'SelectingAll', text);
      return done;
    }
    const settled = this.#guard.settled(key);
    const revisions = await this.#history.sync(set);
    const state = await this.#state(set, revisions);
    let failure: unknown;
    let again: number | undefined;
    if (settled) {
      const manage = managePlan(state);
      const { due, waitMs } = this.#endedPods(set, manage);
      again = waitMs;
      const now = { ...manage, delete: [...manage.delete, ...due] };
      // What is made or removed here changes the state a roll-out is decided on; its events wake the next turn.
      const atRest = now.create.length === 0 && now.delete.length === 0;
      if (!atRest) failure = await this.#carryOut(key, set, now, state.hash);
      else if (set.spec!.updateStrategy?.type !== 'OnDelete')
        failure = await this.#carryOut(key, set, rolloutPlan(state), state.hash);
      if (failure === undefined) await this.#forget(set, revisions, state);
    }
    const status = daemonSetStatus(state);
    if (!sameStatus(status, set.status)) await this.#sets.updateStatus({ ...set, status });
    if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
    const minReady = set.spec!.minReadySeconds ?? 0;
    if (minReady > 0 && status.numberReady !== status.numberAvailable)
      again = Math.min(again ?? Number.POSITIVE_INFINITY, minReady * 1000);
    return again === undefined ? done : { requeueAfterMs: again };
  }

  async #state(set: DaemonSet, { update }: Revisions): Promise<DaemonState> {
    const { client, pods: informer, nodes: nodeInformer, clock } = this.#deps;
    const plan = planClaims(set, candidatesOf(informer, set), (pod) =>
      matchesLabelSelector(set.spec!.selector, pod.metadata.labels),
    );
    const owned = await claim(
      set,
      { ...plan, adopt: plan.adopt.filter(isPodActive) },
      { owners: this.#sets, objects: client.resource(pods) },
    );
    const placement = placementRule(set);
    return {
      set,
      places: new Map(nodeInformer.list().map((node) => [node.metadata.name!, placement(node)])),
      pods: podsByNode(owned),
      hash: hashOf(update),
      nowMs: clock.now(),
    };
  }

  /** Pods that ended and go now, and when to look at the others again. */
  #endedPods(set: DaemonSet, { ended }: DaemonPlan): { readonly due: readonly Pod[]; readonly waitMs?: number } {
    const due: Pod[] = [];
    let waitMs = Number.POSITIVE_INFINITY;
    for (const { node, pod } of ended) {
      const where = `${pod.metadata.namespace}/${pod.metadata.name} on node ${node}`;
      if (pod.status?.phase === 'Succeeded') {
        const text = `Found succeeded daemon pod ${where}, will try to delete it`;
        this.#deps.events.event(set, daemonsets, 'Normal', 'SucceededDaemonPod', text);
        due.push(pod);
        continue;
      }
      const left = this.#failed.msToWait(set, node);
      if (left > 0) {
        waitMs = Math.min(waitMs, left);
        continue;
      }
      const text = `Found failed daemon pod ${where}, will try to kill it`;
      this.#deps.events.event(set, daemonsets, 'Warning', 'FailedDaemonPod', text);
      due.push(pod);
    }
    return { due, ...(Number.isFinite(waitMs) ? { waitMs } : {}) };
  }

  /** Makes and removes pods; the first failure after trying all. */
  async #carryOut(key: ObjectKey, set: DaemonSet, plan: DaemonPlan, hash: string): Promise<unknown> {
    const owner = { object: set, ref: daemonsets };
    const create = plan.create.slice(0, BURST_REPLICAS);
    const { error } = await slowStart(create.length, async (i) => {
      await this.#guard.create(key, () => this.#control.create(makeDaemonPod(set, hash, create[i]!), owner));
    });
    const results = await Promise.allSettled(
      plan.delete
        .slice(0, BURST_REPLICAS)
        .map((pod) => this.#guard.delete(key, pod, () => this.#control.delete(pod, owner))),
    );
    return error ?? results.find((r) => r.status === 'rejected')?.reason;
  }

  /** Old revisions that no pod has, beyond the limit. */
  async #forget(set: DaemonSet, { all, update }: Revisions, state: DaemonState): Promise<void> {
    const live = new Set([...state.pods.values()].flat().map((p) => p.metadata.labels?.[POD_REVISION_LABEL]));
    const old = all.filter((r) => r !== update);
    const surplus = Math.max(0, old.length - (set.spec!.revisionHistoryLimit ?? 10));
    for (const revision of old.filter((r) => !live.has(hashOf(r))).slice(0, surplus))
      await this.#history.delete(revision);
  }
}

const hashOf = (revision: ControllerRevision): string => revision.metadata.labels?.[POD_REVISION_LABEL] ?? '';
