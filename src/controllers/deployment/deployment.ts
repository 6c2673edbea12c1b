// Rolls Deployments out: one ReplicaSet a pod template, sized step by step (RollingUpdate) or one after the other
// (Recreate), revisions numbered and kept for roll-back. Upstream: pkg/controller/deployment.
import type { Deployment, DeploymentStatus, ReplicaSet } from '#generated/api/apps-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { deployments, pods, replicasets } from '#generated/resources.ts';
import type { Informer, ResourceClient } from '#client/client.ts';
import { isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { findCondition } from '#machinery/conditions.ts';
import { controllerOf, keyOf, type ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from '../runtime/controller.ts';
import { sameStatus, sameValue } from '../runtime/equality.ts';
import { candidatesOf, claim, controlledBy, indexByController, ownerKeys, planClaims } from '../runtime/ownership.ts';
import { isNamespaceTerminating } from '../runtime/pod-control.ts';
import { matchesLabelSelector } from '../runtime/selection.ts';
import {
  desiredReplicasOf,
  findNewSet,
  forgettableSets,
  makeNewSet,
  newSetAnnotations,
  REVISION,
  revisionAfter,
  revisionOf,
  sameTemplate,
  sizeAnnotations,
} from './revisions.ts';
import { activeSets, maxSurge, newSetSize, type Resize, replicasOf, scaleSets, shrinkOldSets } from './rollout.ts';
import {
  deploymentStatus,
  hasProgressDeadline,
  isComplete,
  msUntilDeadline,
  pausedConditions,
  rolloutStatus,
  withCondition,
} from './status.ts';

export const deploymentController: ControllerDefinition = {
  name: 'deployment-controller',
  identity: 'deployment-controller',
  build: (deps) => {
    const own = deps.informers.informer(deployments);
    const sets = deps.informers.informer(replicasets);
    const podInformer = deps.informers.informer(pods);
    indexByController(sets);
    indexByController(podInformer);
    const reconciler = new DeploymentReconciler({ ...deps, deployments: own, sets, pods: podInformer });
    return {
      watches: [
        watch(own, ownKey),
        watch(sets, (change) => [...ownerKeys(deployments)(change), ...orphanSuitors(own, change.object)]),
        // A Recreate waits for the last old pod to be gone; nothing else here looks at pods.
        watch(podInformer, ({ old, object }) =>
          object === undefined && old !== undefined ? recreating(old, own, sets) : [],
        ),
      ],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

function orphanSuitors(own: Informer<Deployment>, set: ReplicaSet | undefined): readonly ObjectKey[] {
  if (set === undefined || controllerOf(set) !== undefined || set.metadata.labels === undefined) return [];
  return own
    .listNamespace(set.metadata.namespace!)
    .filter((d) => matchesLabelSelector(d.spec!.selector, set.metadata.labels))
    .map(keyOf);
}

function recreating(pod: Pod, own: Informer<Deployment>, sets: Informer<ReplicaSet>): readonly ObjectKey[] {
  const namespace = pod.metadata.namespace;
  const set = sets.get(`${namespace}/${controllerOf(pod)?.name}`);
  const d = set === undefined ? undefined : own.get(`${namespace}/${controllerOf(set)?.name}`);
  return d?.spec?.strategy?.type === 'Recreate' ? [keyOf(d)] : [];
}

interface DeploymentDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly deployments: Informer<Deployment>;
  readonly sets: Informer<ReplicaSet>;
  readonly pods: Informer<Pod>;
}

/** A Deployment with its ReplicaSets sorted into new and old. */
interface Revisions {
  readonly d: Deployment;
  readonly newSet: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

export class DeploymentReconciler {
  readonly #deps: DeploymentDeps;
  readonly #deployments: ResourceClient<Deployment>;
  readonly #sets: ResourceClient<ReplicaSet>;

  constructor(deps: DeploymentDeps) {
    this.#deps = deps;
    this.#deployments = deps.client.resource(deployments);
    this.#sets = deps.client.resource(replicasets);
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const cached = this.#deps.deployments.get(key);
    if (cached === undefined) return done;
    const selector = cached.spec!.selector;
    if (sameValue(selector, {})) {
      this.#deps.events.event(
        cached,
        deployments,
        'Warning',
        'SelectingAll',
        'This deployment is selecting all pods. A non-empty selector is required.',
      );
      return done;
    }
    const plan = planClaims(cached, candidatesOf(this.#deps.sets, cached), (s) =>
      matchesLabelSelector(selector, s.metadata.labels),
    );
    const owned = await claim(cached, plan, { owners: this.#deployments, objects: this.#sets });

    if (cached.metadata.deletionTimestamp !== undefined)
      return this.#writeStatus(cached, deploymentStatus(cached, owned, findNewSet(cached, owned), this.#now()));
    const d = await this.#notePause(cached);
    if (d.spec!.paused === true || isScaling(d, owned)) return this.#scale(d, owned);
    return d.spec!.strategy?.type === 'Recreate' ? this.#recreate(d, owned) : this.#roll(d, owned);
  }

  /** spec.replicas changed, or paused: sizes and status only, no new revision. */
  async #scale(d: Deployment, owned: readonly ReplicaSet[]): Promise<Outcome> {
    const revisions = await this.#revisions(d, owned, false);
    await this.#resize(revisions.d, scaleSets(revisions.d, revisions.newSet, revisions.old));
    if (d.spec!.paused === true) await this.#forget(revisions);
    return this.#writeStatus(
      revisions.d,
      deploymentStatus(revisions.d, allOf(revisions), revisions.newSet, this.#now()),
    );
  }

  async #roll(d: Deployment, owned: readonly ReplicaSet[]): Promise<Outcome> {
    const revisions = await this.#revisions(d, owned, true);
    const { newSet, old } = revisions;
    if (newSet === undefined) return done;
    const size = newSetSize(revisions.d, allOf(revisions), replicasOf(newSet));
    if (await this.#resize(revisions.d, [{ set: newSet, replicas: size }])) return this.#writeRollout(revisions);
    if (await this.#resize(revisions.d, shrinkOldSets(revisions.d, newSet, old))) return this.#writeRollout(revisions);
    if (isComplete(revisions.d, revisions.d.status ?? {})) await this.#forget(revisions);
    return this.#writeRollout(revisions);
  }

  async #recreate(d: Deployment, owned: readonly ReplicaSet[]): Promise<Outcome> {
    const before = await this.#revisions(d, owned, false);
    const down = activeSets(before.old).map((set) => ({ set, replicas: 0 }));
    if (await this.#resize(before.d, down)) return this.#writeRollout(before);
    if (this.#oldPodsRun(before)) return this.#writeRollout(before);
    const revisions = before.newSet === undefined ? await this.#revisions(before.d, owned, true) : before;
    if (revisions.newSet === undefined) return done;
    await this.#resize(revisions.d, [{ set: revisions.newSet, replicas: replicasOf(d) }]);
    if (isComplete(revisions.d, revisions.d.status ?? {})) await this.#forget(revisions);
    return this.#writeRollout(revisions);
  }

  #oldPodsRun({ old }: Revisions): boolean {
    if (old.some((s) => (s.status?.replicas ?? 0) > 0)) return true;
    return old.some((s) => controlledBy(this.#deps.pods, s.metadata.uid!).some((pod) => !isPodTerminal(pod)));
  }

  /** Sorts the sets, numbers the new one, and makes it when it is missing and wanted. */
  async #revisions(d: Deployment, owned: readonly ReplicaSet[], createMissing: boolean): Promise<Revisions> {
    const found = findNewSet(d, owned);
    const old = owned.filter((s) => s !== found);
    const revision = revisionAfter(old);
    if (found === undefined)
      return createMissing ? this.#createNewSet(d, old, revision) : { d, newSet: undefined, old };

    const annotations = newSetAnnotations(d, found, revision);
    const minReadySeconds = d.spec!.minReadySeconds;
    let newSet = found;
    if (
      !sameValue(annotations, found.metadata.annotations) ||
      (minReadySeconds ?? 0) !== (found.spec!.minReadySeconds ?? 0)
    ) {
      newSet = await this.#sets.update({
        ...found,
        metadata: { ...found.metadata, annotations },
        spec: { ...found.spec!, minReadySeconds },
      });
    }
    const numbered = withRevision(d, revisionOf(newSet));
    if (!hasProgressDeadline(d) || findCondition(d.status?.conditions, 'Progressing') !== undefined)
      return { d: await this.#noteRevision(d, numbered), newSet, old };
    const message = `Found new replica set "${newSet.metadata.name}"`;
    return { d: await this.#setProgressing(numbered, 'True', 'FoundNewReplicaSet', message), newSet, old };
  }

  async #createNewSet(d: Deployment, old: readonly ReplicaSet[], revision: bigint): Promise<Revisions> {
    const replicas = newSetSize(d, old, 0);
    const wanted = makeNewSet(d, replicas, revision, this.#sizeNote(d));
    const name = wanted.metadata.name!;
    let newSet: ReplicaSet;
    try {
      newSet = await this.#sets.create(wanted);
    } catch (error) {
      if (isNamespaceTerminating(error)) return { d, newSet: undefined, old };
      if (!isStatus(error, 'AlreadyExists')) return this.#reportNoNewSet(d, name, error as Error);
      newSet = await this.#ownOrCollide(d, wanted, error);
      return { d: await this.#noteRevision(d, withRevision(d, revisionOf(newSet))), newSet, old };
    }
    if (replicas > 0) this.#event(d, `Scaled up replica set ${name} from 0 to ${replicas}`);
    const numbered = withRevision(d, revision);
    if (!hasProgressDeadline(d)) return { d: await this.#noteRevision(d, numbered), newSet, old };
    return {
      d: await this.#setProgressing(numbered, 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`),
      newSet,
      old,
    };
  }

  /** The name is taken: by our own set that the cache has not seen, or by another template with the same hash. */
  async #ownOrCollide(d: Deployment, wanted: ReplicaSet, error: unknown): Promise<ReplicaSet> {
    const present = await this.#sets.get(wanted.metadata.namespace, wanted.metadata.name!);
    if (
      present !== undefined &&
      controllerOf(present)?.uid === d.metadata.uid &&
      sameTemplate(present.spec!.template!, d.spec!.template)
    )
      return present;
    await this.#deployments.updateStatus({
      ...d,
      status: { ...d.status, collisionCount: (d.status?.collisionCount ?? 0) + 1 },
    });
    throw error;
  }

  async #reportNoNewSet(d: Deployment, name: string, error: Error): Promise<never> {
    const message = `Failed to create new replica set "${name}": ${error.message}`;
    this.#deps.events.event(d, deployments, 'Warning', 'ReplicaSetCreateError', message);
    if (hasProgressDeadline(d)) await this.#setProgressing(d, 'False', 'ReplicaSetCreateError', message);
    throw error;
  }

  /** Brings sets to their sizes; true when a size (not only a note of it) changed. */
  async #resize(d: Deployment, resizes: readonly Resize[]): Promise<boolean> {
    let changed = false;
    for (const { set, replicas } of resizes) {
      const from = replicasOf(set);
      const annotations = { ...set.metadata.annotations, ...sizeAnnotations(this.#sizeNote(d)) };
      if (from === replicas && sameValue(annotations, set.metadata.annotations)) continue;
      await this.#sets.update({ ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec!, replicas } });
      if (from === replicas) continue;
      changed = true;
      this.#event(
        d,
        `Scaled ${from < replicas ? 'up' : 'down'} replica set ${set.metadata.name} from ${from} to ${replicas}`,
      );
    }
    return changed;
  }

  async #forget({ d, old }: Revisions): Promise<void> {
    for (const set of forgettableSets(d, old)) {
      const { namespace, name, uid } = set.metadata;
      await this.#sets.delete(namespace, name!, { preconditions: { uid } });
    }
  }

  async #notePause(d: Deployment): Promise<Deployment> {
    const conditions = pausedConditions(d, this.#now());
    return conditions === (d.status?.conditions ?? conditions)
      ? d
      : this.#deployments.updateStatus({ ...d, status: { ...d.status, conditions } });
  }

  /** The number is written together with the status: it is the controller's word as much. */
  async #noteRevision(d: Deployment, numbered: Deployment): Promise<Deployment> {
    return numbered === d ? d : this.#deployments.updateStatus(numbered);
  }

  async #setProgressing(d: Deployment, status: string, reason: string, message: string): Promise<Deployment> {
    const conditions = withCondition(d.status?.conditions ?? [], 'Progressing', status, reason, message, this.#now());
    return this.#deployments.updateStatus({ ...d, status: { ...d.status, conditions } });
  }

  async #writeRollout(revisions: Revisions): Promise<Outcome> {
    return this.#writeStatus(revisions.d, rolloutStatus(revisions.d, allOf(revisions), revisions.newSet, this.#now()));
  }

  async #writeStatus(d: Deployment, status: DeploymentStatus): Promise<Outcome> {
    if (!sameStatus(status, d.status)) {
      await this.#deployments.updateStatus({ ...d, status });
      return done;
    }
    const requeueAfterMs = msUntilDeadline(d, status, this.#now());
    return requeueAfterMs === undefined ? done : { requeueAfterMs };
  }

  #sizeNote(d: Deployment) {
    return { desired: replicasOf(d), max: replicasOf(d) + maxSurge(d) };
  }

  #event(d: Deployment, message: string): void {
    this.#deps.events.event(d, deployments, 'Normal', 'ScalingReplicaSet', message);
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}

const allOf = ({ newSet, old }: Revisions): readonly ReplicaSet[] => (newSet === undefined ? old : [...old, newSet]);

/** Whether an active set was sized for another spec.replicas. */
function isScaling(d: Deployment, owned: readonly ReplicaSet[]): boolean {
  return activeSets(owned).some((s) => {
    const desired = desiredReplicasOf(s);
    return desired !== undefined && desired !== replicasOf(d);
  });
}

function withRevision(d: Deployment, revision: bigint): Deployment {
  if (d.metadata.annotations?.[REVISION] === String(revision)) return d;
  const annotations = { ...d.metadata.annotations, [REVISION]: String(revision) };
  return { ...d, metadata: { ...d.metadata, annotations } };
}
