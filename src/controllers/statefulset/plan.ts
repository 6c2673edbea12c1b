// What a StatefulSet does next: a pure decision over its pods by ordinal. OrderedReady takes one step at a time and waits for
// each; Parallel takes all at once. Upstream: stateful_set_control.go updateStatefulSet.
import type { StatefulSet, StatefulSetStatus } from '#generated/api/apps-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { isPodReady, isPodTerminal, msUntilAvailable } from '#kinds/core/pod/readiness.ts';
import { scaledValue } from '#machinery/intstr.ts';
import { firstOrdinal, hasIdentity, isWanted, ordinalOf, replicasOf } from './identity.ts';
import { POD_REVISION_LABEL } from '../runtime/revisions.ts';

export type Step =
  /** The ordinal has no pod. `current`: from the current revision, else from the update revision. */
  | { readonly do: 'create'; readonly ordinal: number; readonly current: boolean }
  /** A pod that ended is deleted, to be made again. */
  | { readonly do: 'recreate'; readonly pod: Pod }
  | { readonly do: 'relabel'; readonly pod: Pod; readonly ordinal: number }
  /** Scaled away. */
  | { readonly do: 'delete'; readonly pod: Pod; readonly ordinal: number }
  /** Deleted to come back from the update revision. */
  | { readonly do: 'update'; readonly pod: Pod };

export interface RevisionNames {
  readonly current: string;
  readonly update: string;
}

const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === 'Running' && isPodReady(pod);
const isHealthy = (pod: Pod): boolean => isRunningAndReady(pod) && !isTerminating(pod);
export const revisionNameOf = (pod: Pod): string => pod.metadata.labels?.[POD_REVISION_LABEL] ?? '';

export function nextSteps(
  set: StatefulSet,
  pods: readonly Pod[],
  names: RevisionNames,
  nowMs: number,
): readonly Step[] {
  const ordered = set.spec!.podManagementPolicy !== 'Parallel';
  const minReady = set.spec!.minReadySeconds ?? 0;
  const isAvailable = (pod: Pod) => isRunningAndReady(pod) && msUntilAvailable(pod, minReady, nowMs) === 0;
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod)!, pod]));
  const condemned = [...byOrdinal].filter(([ordinal]) => !isWanted(set, ordinal)).sort(([a], [b]) => b - a);
  const steps: Step[] = [];

  for (let i = 0; i < replicasOf(set); i++) {
    const ordinal = firstOrdinal(set) + i;
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) {
      steps.push({ do: 'create', ordinal, current: startsAtCurrent(set, ordinal) });
      if (ordered) return steps;
      continue;
    }
    if (isPodTerminal(pod)) {
      if (!isTerminating(pod)) steps.push({ do: 'recreate', pod });
      if (ordered) return steps;
      continue;
    }
    if (ordered && (isTerminating(pod) || !isAvailable(pod))) return steps;
    if (!hasIdentity(ordinal, pod)) steps.push({ do: 'relabel', pod, ordinal });
  }

  // In order: nothing is scaled away while another is unhealthy, except that one itself.
  const firstUnhealthy = condemned.toReversed().find(([, pod]) => !isHealthy(pod))?.[1];
  for (const [ordinal, pod] of condemned) {
    if (isTerminating(pod)) {
      if (ordered) return steps;
      continue;
    }
    if (ordered && !isAvailable(pod) && pod !== firstUnhealthy) return steps;
    steps.push({ do: 'delete', pod, ordinal });
    if (ordered) return steps;
  }
  if (steps.some((s) => s.do !== 'relabel') || set.spec!.updateStrategy?.type === 'OnDelete') return steps;
  return [...steps, ...updateSteps(set, byOrdinal, names)];
}

/** Highest ordinal first, down to the partition; at most maxUnavailable pods away at a time. */
function updateSteps(set: StatefulSet, byOrdinal: ReadonlyMap<number, Pod>, names: RevisionNames): readonly Step[] {
  const wanted = Array.from({ length: replicasOf(set) }, (_, i) => byOrdinal.get(firstOrdinal(set) + i)).filter(
    (pod) => pod !== undefined,
  );
  const { partition = 0, maxUnavailable = 1 } = set.spec!.updateStrategy?.rollingUpdate ?? {};
  const budget = Math.max(1, scaledValue(maxUnavailable, replicasOf(set), 'down'));
  const steps: Step[] = [];
  let away = 0;
  for (const pod of wanted.toReversed()) {
    if (ordinalOf(set, pod)! < partition) break;
    if (away >= budget) break;
    if (revisionNameOf(pod) !== names.update && !isTerminating(pod)) {
      steps.push({ do: 'update', pod });
      away++;
    } else if (!isHealthy(pod)) {
      away++;
    }
  }
  return steps;
}

/** Which revision a missing pod is made from, in the middle of a rolling update. */
function startsAtCurrent(set: StatefulSet, ordinal: number): boolean {
  if ((set.spec!.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return false;
  const rolling = set.spec!.updateStrategy?.rollingUpdate;
  const below = rolling === undefined ? (set.status?.currentReplicas ?? 0) : (rolling.partition ?? 0);
  return ordinal < firstOrdinal(set) + below;
}

export function statefulSetStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  names: RevisionNames,
  collisionCount: number | undefined,
  nowMs: number,
): StatefulSetStatus {
  const minReady = set.spec!.minReadySeconds ?? 0;
  const alive = pods.filter((pod) => !isTerminating(pod));
  const of = (name: string) => alive.filter((pod) => revisionNameOf(pod) === name).length;
  const ready = pods.filter(isRunningAndReady);
  const status: StatefulSetStatus = {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => msUntilAvailable(pod, minReady, nowMs) === 0).length,
    currentReplicas: of(names.current),
    updatedReplicas: of(names.update),
    currentRevision: names.current,
    updateRevision: names.update,
    collisionCount: collisionCount ?? 0,
    ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
  };
  // The rolling update is over: the update revision becomes the current one.
  const wanted = replicasOf(set);
  const rolling = set.spec!.updateStrategy?.type !== 'OnDelete';
  if (rolling && status.updatedReplicas === wanted && status.replicas === wanted && status.readyReplicas === wanted) {
    return { ...status, currentReplicas: status.updatedReplicas, currentRevision: names.update };
  }
  return status;
}
