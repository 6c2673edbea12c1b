// Runs StatefulSets: pods with stable names, host names and claims, made and removed in order. Upstream:
// pkg/controller/statefulset.
import type { ControllerRevision, StatefulSet } from '#generated/api/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import { controllerrevisions, persistentvolumeclaims, pods, statefulsets } from '#generated/resources.ts';
import type { Informer, ResourceClient } from '#client/client.ts';
import { msUntilAvailable } from '#kinds/core/pod/readiness.ts';
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
import { candidatesOf, claim, indexByController, ownerKeys, planClaims } from '../runtime/ownership.ts';
import { isNamespaceTerminating } from '../runtime/pod-control.ts';
import {
  REVISION_HASH_LABEL,
  RevisionHistory,
  type Revisions as AllRevisions,
  surplusRevisions,
  templateOf,
} from '../runtime/revisions.ts';
import { matchesLabelSelector } from '../runtime/selection.ts';
import { claimOwners, identityLabels, makeClaims, makePod, ordinalOf } from './identity.ts';
import { nextSteps, type RevisionNames, revisionNameOf, statefulSetStatus, type Step } from './plan.ts';

export const statefulSetController: ControllerDefinition = {
  name: 'statefulset-controller',
  identity: 'statefulset-controller',
  build: (deps) => {
    const sets = deps.informers.informer(statefulsets);
    const podInformer = deps.informers.informer(pods);
    const revisions = deps.informers.informer(controllerrevisions);
    const claims = deps.informers.informer(persistentvolumeclaims);
    indexByController(podInformer);
    indexByController(revisions);
    const reconciler = new StatefulSetReconciler({ ...deps, sets, pods: podInformer, revisions, claims });
    return {
      watches: [
        watch(sets, ownKey),
        watch(podInformer, (change) => [...ownerKeys(statefulsets)(change), ...orphanSuitors(sets, change.object)]),
        watch(revisions, ownerKeys(statefulsets)),
        watch(claims, () => []),
      ],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

function orphanSuitors(sets: Informer<StatefulSet>, pod: Pod | undefined): readonly ObjectKey[] {
  if (pod === undefined || controllerOf(pod) !== undefined) return [];
  return sets
    .listNamespace(pod.metadata.namespace!)
    .filter((s) => ordinalOf(s, pod) !== undefined && matchesLabelSelector(s.spec!.selector, pod.metadata.labels))
    .map(keyOf);
}

interface StatefulSetDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly sets: Informer<StatefulSet>;
  readonly pods: Informer<Pod>;
  readonly revisions: Informer<ControllerRevision>;
  readonly claims: Informer<PersistentVolumeClaim>;
}

interface Revisions extends AllRevisions {
  readonly current: ControllerRevision;
}

export class StatefulSetReconciler {
  readonly #deps: StatefulSetDeps;
  readonly #sets: ResourceClient<StatefulSet>;
  readonly #pods: ResourceClient<Pod>;
  readonly #claims: ResourceClient<PersistentVolumeClaim>;
  readonly #history: RevisionHistory<StatefulSet>;

  constructor(deps: StatefulSetDeps) {
    this.#deps = deps;
    this.#sets = deps.client.resource(statefulsets);
    this.#pods = deps.client.resource(pods);
    this.#claims = deps.client.resource(persistentvolumeclaims);
    this.#history = new RevisionHistory({
      owners: this.#sets,
      client: deps.client.resource(controllerrevisions),
      informer: deps.revisions,
      hashLabel: REVISION_HASH_LABEL,
    });
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const set = this.#deps.sets.get(key);
    if (set === undefined) return done;
    const { selector } = set.spec!;
    const owners = this.#sets;
    const isMember = (pod: Pod) =>
      ordinalOf(set, pod) !== undefined && matchesLabelSelector(selector, pod.metadata.labels);
    const owned = await claim(set, planClaims(set, candidatesOf(this.#deps.pods, set), isMember), {
      owners,
      objects: this.#pods,
    });
    const revisions = await this.#revisions(set);
    const names: RevisionNames = { current: revisions.current.metadata.name!, update: revisions.update.metadata.name! };
    let failure: unknown;
    if (set.metadata.deletionTimestamp === undefined) {
      for (const pod of owned) await this.#ownClaims(set, ordinalOf(set, pod)!, pod);
      failure = await this.#act(set, nextSteps(set, owned, names, this.#now()), revisions);
    }
    const status = statefulSetStatus(set, owned, names, set.status?.collisionCount, this.#now());
    if (!sameStatus(status, set.status)) await this.#sets.updateStatus({ ...set, status });
    if (failure !== undefined) throw failure;
    await this.#forget(set, revisions, owned);

    const waits = owned
      .map((pod) => msUntilAvailable(pod, set.spec!.minReadySeconds ?? 0, this.#now()))
      .filter((ms) => ms !== undefined && ms > 0) as number[];
    return waits.length === 0 ? done : { requeueAfterMs: Math.min(...waits) };
  }

  /** The revision of the present template, and the one that pods still have. */
  async #revisions(set: StatefulSet): Promise<Revisions> {
    const { update, all } = await this.#history.sync(set);
    return { update, current: all.find((r) => r.metadata.name === set.status?.currentRevision) ?? update, all };
  }

  /** Carries steps out; returns the first failure, after trying the rest. */
  async #act(set: StatefulSet, steps: readonly Step[], revisions: Revisions): Promise<unknown> {
    const results = await Promise.allSettled(steps.map((step) => this.#step(set, step, revisions)));
    const failed = results.find((r) => r.status === 'rejected');
    return failed === undefined || isNamespaceTerminating(failed.reason) ? undefined : failed.reason;
  }

  async #step(set: StatefulSet, step: Step, revisions: Revisions): Promise<void> {
    switch (step.do) {
      case 'create': {
        const revision = step.current ? revisions.current : revisions.update;
        return this.#create(
          set,
          step.ordinal,
          makePod(set, templateOf(revision), revision.metadata.name!, step.ordinal),
        );
      }
      case 'recreate': {
        const [reason, state] =
          step.pod.status?.phase === 'Failed'
            ? ['RecreatingFailedPod', 'failed']
            : ['RecreatingTerminatedPod', 'terminated'];
        this.#event(
          set,
          'Warning',
          reason,
          `StatefulSet ${keyOf(set)} is recreating ${state} Pod ${step.pod.metadata.name}`,
        );
        return this.#delete(set, step.pod);
      }
      case 'relabel': {
        const { namespace, name, uid } = step.pod.metadata;
        await this.#pods.patch(namespace, name!, 'application/merge-patch+json', {
          metadata: { uid, labels: identityLabels(step.pod, step.ordinal) },
        });
        return;
      }
      case 'delete':
      case 'update':
        return this.#delete(set, step.pod);
    }
  }

  async #create(set: StatefulSet, ordinal: number, pod: Pod): Promise<void> {
    const { name } = pod.metadata;
    try {
      for (const wanted of makeClaims(set, ordinal)) await this.#createClaim(set, wanted, name!);
      const made = await this.#pods.create(pod);
      await this.#ownClaims(set, ordinal, made);
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) throw error;
      if (!isNamespaceTerminating(error))
        this.#event(
          set,
          'Warning',
          'FailedCreate',
          `Create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`,
        );
      throw error;
    }
    this.#event(set, 'Normal', 'SuccessfulCreate', `Create Pod ${name} in StatefulSet ${set.metadata.name} successful`);
  }

  async #createClaim(set: StatefulSet, wanted: PersistentVolumeClaim, podName: string): Promise<void> {
    const present = this.#deps.claims.get(keyOf(wanted));
    // A claim on its way out would take the new pod's data with it.
    if (present?.metadata.deletionTimestamp !== undefined)
      throw new Error(`pvc ${present.metadata.name} is being deleted`);
    if (present !== undefined) return;
    const what = `Claim ${wanted.metadata.name} Pod ${podName} in StatefulSet ${set.metadata.name}`;
    try {
      await this.#claims.create(wanted);
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return;
      this.#event(set, 'Warning', 'FailedCreate', `create ${what} failed error: ${(error as Error).message}`);
      throw error;
    }
    this.#event(set, 'Normal', 'SuccessfulCreate', `create ${what} success`);
  }

  /** Keeps the claims' owners as the retention policy says; done before a pod is scaled away. */
  async #ownClaims(set: StatefulSet, ordinal: number, pod: Pod): Promise<void> {
    for (const { metadata } of makeClaims(set, ordinal)) {
      const present = this.#deps.claims.get(`${metadata.namespace}/${metadata.name}`);
      if (present === undefined) continue;
      const ownerReferences = claimOwners(set, ordinal, pod, present);
      if (sameValue(ownerReferences, present.metadata.ownerReferences)) continue;
      await this.#claims.update({ ...present, metadata: { ...present.metadata, ownerReferences } });
    }
  }

  async #delete(set: StatefulSet, pod: Pod): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    try {
      await this.#pods.delete(namespace, name!, { preconditions: { uid } });
    } catch (error) {
      if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
      this.#event(
        set,
        'Warning',
        'FailedDelete',
        `Delete Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`,
      );
      throw error;
    }
    this.#event(set, 'Normal', 'SuccessfulDelete', `Delete Pod ${name} in StatefulSet ${set.metadata.name} successful`);
  }

  async #forget(set: StatefulSet, { current, update, all }: Revisions, owned: readonly Pod[]): Promise<void> {
    const inUse = new Set([current.metadata.name!, update.metadata.name!, ...owned.map(revisionNameOf)]);
    for (const revision of surplusRevisions(all, inUse, set.spec!.revisionHistoryLimit ?? 10))
      await this.#history.delete(revision);
  }

  #event(set: StatefulSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.event(set, statefulsets, type, reason, message);
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}
