// How large each ReplicaSet of a Deployment shall be: pure functions over the Deployment and its ReplicaSets.
// Upstream: pkg/controller/deployment/{rolling,sync}.go and util/deployment_util.go.
import type { Deployment, ReplicaSet } from '#generated/api/apps-v1.ts';
import { resolveFenceposts } from '#machinery/intstr.ts';
import { byCreation, desiredReplicasOf, maxReplicasOf } from './revisions.ts';

/** A ReplicaSet and the size it shall get. */
export interface Resize {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

export const replicasOf = (set: ReplicaSet | Deployment | undefined): number =>
  set === undefined ? 0 : (set.spec?.replicas ?? 1);
export const specSum = (sets: readonly ReplicaSet[]): number => sets.reduce((sum, s) => sum + replicasOf(s), 0);
const availableSum = (sets: readonly ReplicaSet[]): number =>
  sets.reduce((sum, s) => sum + (s.status?.availableReplicas ?? 0), 0);
const isRolling = (d: Deployment): boolean => (d.spec!.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';

/** Pods above spec.replicas that a rolling update may run. */
export function maxSurge(d: Deployment): number {
  if (!isRolling(d)) return 0;
  const { maxSurge: surge, maxUnavailable: unavailable } = d.spec!.strategy?.rollingUpdate ?? {};
  return resolveFenceposts(surge, unavailable, replicasOf(d)).surge;
}

/** Pods below spec.replicas that a rolling update may miss. */
export function maxUnavailable(d: Deployment): number {
  const replicas = replicasOf(d);
  if (!isRolling(d) || replicas === 0) return 0;
  const { maxSurge: surge, maxUnavailable: unavailable } = d.spec!.strategy?.rollingUpdate ?? {};
  return Math.min(replicas, resolveFenceposts(surge, unavailable, replicas).unavailable);
}

/** Next size of the new ReplicaSet; `current` is its size now. */
export function newSetSize(d: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = replicasOf(d);
  if (!isRolling(d)) return wanted;
  if (current >= wanted) return wanted;
  const room = wanted + maxSurge(d) - specSum(all);
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** What may go from the old ReplicaSets now: pods that never became available first, then as many as availability allows. */
export function shrinkOldSets(
  d: Deployment,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): readonly Resize[] {
  const all = newSet === undefined ? old : [...old, newSet];
  if (specSum(old) === 0) return [];
  const minAvailable = replicasOf(d) - maxUnavailable(d);
  const newUnavailable = replicasOf(newSet) - (newSet?.status?.availableReplicas ?? 0);
  const maxCleanup = specSum(all) - minAvailable - newUnavailable;
  if (maxCleanup <= 0) return [];

  const sizes = new Map<ReplicaSet, number>(old.map((set) => [set, replicasOf(set)]));
  const oldestFirst = old.toSorted(byCreation);
  let cleaned = 0;
  for (const set of oldestFirst) {
    const unhealthy = replicasOf(set) - (set.status?.availableReplicas ?? 0);
    const take = Math.min(maxCleanup - cleaned, unhealthy);
    if (take <= 0) continue;
    sizes.set(set, replicasOf(set) - take);
    cleaned += take;
  }
  let spare = availableSum(all) - minAvailable;
  for (const set of oldestFirst) {
    const take = Math.min(spare, sizes.get(set)!);
    if (take <= 0) continue;
    sizes.set(set, sizes.get(set)! - take);
    spare -= take;
  }
  return oldestFirst
    .filter((set) => sizes.get(set) !== replicasOf(set))
    .map((set) => ({ set, replicas: sizes.get(set)! }));
}

/** Sizes after spec.replicas changed, also in the middle of a roll-out, when the change is shared out in proportion. */
export function scaleSets(
  d: Deployment,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): readonly Resize[] {
  const only = activeOrLatest(newSet, old);
  if (only !== undefined) return [{ set: only, replicas: replicasOf(d) }];
  if (isSaturated(d, newSet)) return activeSets(old).map((set) => ({ set, replicas: 0 }));
  if (!isRolling(d)) return [];

  const sets = activeSets(newSet === undefined ? old : [...old, newSet]);
  const allowed = replicasOf(d) > 0 ? replicasOf(d) + maxSurge(d) : 0;
  const toAdd = allowed - specSum(sets);
  const order = sets.toSorted(
    (a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)),
  );
  let added = 0;
  const sizes = order.map((set) => {
    const share = toAdd === 0 ? 0 : proportion(set, d, toAdd, added);
    added += share;
    return replicasOf(set) + share;
  });
  // Rounding leaves something over: the largest takes it.
  if (toAdd !== 0 && sizes.length > 0) sizes[0] = Math.max(0, sizes[0]! + toAdd - added);
  return order.map((set, i) => ({ set, replicas: sizes[i]! }));
}

function proportion(set: ReplicaSet, d: Deployment, toAdd: number, added: number): number {
  if (replicasOf(set) === 0 || toAdd === added) return 0;
  const fraction = fractionOf(set, d);
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added);
}

/** By how much the set grows or shrinks when the Deployment goes from the size the set has noted to its size now. */
function fractionOf(set: ReplicaSet, d: Deployment): number {
  if (replicasOf(d) === 0) return -replicasOf(set);
  const before = maxReplicasOf(set) || d.status?.replicas || 0;
  if (before === 0) return 0;
  return Math.round((replicasOf(set) * (replicasOf(d) + maxSurge(d))) / before) - replicasOf(set);
}

export const activeSets = (sets: readonly ReplicaSet[]): readonly ReplicaSet[] => sets.filter((s) => replicasOf(s) > 0);

/** The only set with replicas; when none has any, the new or the newest one; undefined when several have. */
function activeOrLatest(newSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): ReplicaSet | undefined {
  const active = activeSets(newSet === undefined ? old : [...old, newSet]);
  if (active.length === 0) return newSet ?? old.toSorted(byCreation).at(-1);
  return active.length === 1 ? active[0] : undefined;
}

function isSaturated(d: Deployment, newSet: ReplicaSet | undefined): boolean {
  if (newSet === undefined) return false;
  const wanted = replicasOf(d);
  return (
    replicasOf(newSet) === wanted && desiredReplicasOf(newSet) === wanted && newSet.status?.availableReplicas === wanted
  );
}
