// What a DaemonSet does next: pure decisions over its pods by node. Upstream: pkg/controller/daemon, podsShouldBeOnNode,
// rollingUpdate and updateDaemonSetStatus.
import type { DaemonSet, DaemonSetStatus } from '#generated/api/apps-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { isPodAvailable, isPodReady, isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { scaledValue } from '#machinery/intstr.ts';
import { isUpToDate, type Placement, targetNodeOf, templateGenerationOf } from './placement.ts';

/** Node name → the set's pods there. Upstream: getNodesToDaemonPods. */
export type PodsByNode = ReadonlyMap<string, readonly Pod[]>;

export interface DaemonState {
  readonly set: DaemonSet;
  /** Name of a node → whether a pod belongs there. */
  readonly places: ReadonlyMap<string, Placement>;
  readonly pods: PodsByNode;
  /** Of the present template's revision. */
  readonly hash: string;
  readonly nowMs: number;
}

export interface DaemonPlan {
  /** Names of nodes. */
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  /** Pods that ended; the event says so before they are deleted. Failed ones wait for their back-off. */
  readonly ended: readonly { readonly node: string; readonly pod: Pod }[];
}

const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

export function podsByNode(pods: readonly Pod[]): PodsByNode {
  const out = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = targetNodeOf(pod);
    // Over and going: the next one need not wait for it.
    if (node === undefined || (isTerminating(pod) && isPodTerminal(pod))) continue;
    out.getOrInsertComputed(node, () => []).push(pod);
  }
  return out;
}

/** Placed before unplaced, older before younger. */
export function byAge(a: Pod, b: Pod): number {
  const placed = (pod: Pod) => ((pod.spec?.nodeName ?? '') === '' ? 1 : 0);
  const order = placed(a) - placed(b);
  if (order !== 0) return order;
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return a.metadata.name! < b.metadata.name! ? -1 : 1;
}

/** Percentages count the nodes that should run a pod, and round up. */
export function rolloutLimits(
  set: DaemonSet,
  desired: number,
): { readonly maxUnavailable: number; readonly maxSurge: number } {
  const { type, rollingUpdate } = set.spec!.updateStrategy ?? {};
  if (type === 'OnDelete') return { maxUnavailable: 0, maxSurge: 0 };
  const maxUnavailable = scaledValue(rollingUpdate?.maxUnavailable ?? 1, desired, 'up');
  const maxSurge = scaledValue(rollingUpdate?.maxSurge ?? 0, desired, 'up');
  return desired > 0 && maxUnavailable === 0 && maxSurge === 0
    ? { maxUnavailable: 1, maxSurge: 0 }
    : { maxUnavailable, maxSurge };
}

/** Brings pods to nodes that lack one and takes them from nodes that should have none. */
export function managePlan(state: DaemonState): DaemonPlan {
  const create: string[] = [];
  const remove: Pod[] = [];
  const ended: { node: string; pod: Pod }[] = [];
  for (const [name, { shouldRun, mayStay }] of state.places) {
    const pods = state.pods.get(name);
    if (pods === undefined) {
      if (shouldRun) create.push(name);
      continue;
    }
    const alive = pods.filter((p) => !isTerminating(p));
    if (!mayStay) {
      remove.push(...alive);
      continue;
    }
    for (const pod of alive) if (isPodTerminal(pod)) ended.push({ node: name, pod });
    remove.push(
      ...surplus(
        state,
        alive.filter((p) => !isPodTerminal(p)),
      ),
    );
  }
  // Pods that wait for a node that is gone. Those that had a node are the pod garbage collector's.
  for (const [name, pods] of state.pods) {
    if (!state.places.has(name)) remove.push(...pods.filter((p) => (p.spec?.nodeName ?? '') === ''));
  }
  return { create, delete: remove, ended };
}

/** Of several running pods on one node those that go: all but the oldest; while surging, one old and one new may stay. */
function surplus({ set, hash, nowMs }: DaemonState, running: readonly Pod[]): readonly Pod[] {
  if (running.length <= 1) return [];
  const sorted = running.toSorted(byAge);
  if (!allowsSurge(set)) return sorted.slice(1);
  const generation = templateGenerationOf(set);
  const fresh = sorted.find((p) => isUpToDate(p, hash, generation));
  const old = sorted.find((p) => !isUpToDate(p, hash, generation));
  const rest = sorted.filter((p) => p !== fresh && p !== old);
  if (fresh === undefined || old === undefined) return rest;
  const replaced = !isPodReady(old) || isPodAvailable(fresh, set.spec!.minReadySeconds ?? 0, nowMs);
  return replaced ? [...rest, old] : rest;
}

function allowsSurge(set: DaemonSet): boolean {
  const { type, rollingUpdate } = set.spec!.updateStrategy ?? {};
  // Of any total: only whether it is zero counts.
  return type === 'RollingUpdate' && scaledValue(rollingUpdate?.maxSurge ?? 0, 100, 'up') > 0;
}

/** One step of a rolling update. Nodes that managePlan has still to clear up count against the limit. */
export function rolloutPlan(state: DaemonState): DaemonPlan {
  const desired = [...state.places.values()].filter((p) => p.shouldRun).length;
  const { maxUnavailable, maxSurge } = rolloutLimits(state.set, desired);
  return maxSurge === 0 ? replaceInPlace(state, maxUnavailable) : surgeFirst(state, maxSurge);
}

interface NodePods {
  readonly fresh: Pod | undefined;
  readonly old: Pod | undefined;
}

/** Undefined when a node has two of a sort. */
function pair(pods: readonly Pod[], state: DaemonState): NodePods | undefined {
  const generation = templateGenerationOf(state.set);
  const alive = pods.filter((p) => !isTerminating(p));
  const fresh = alive.filter((p) => isUpToDate(p, state.hash, generation));
  const old = alive.filter((p) => !isUpToDate(p, state.hash, generation));
  return fresh.length > 1 || old.length > 1 ? undefined : { fresh: fresh[0], old: old[0] };
}

function replaceInPlace(state: DaemonState, maxUnavailable: number): DaemonPlan {
  const available = (pod: Pod) => isPodAvailable(pod, state.set.spec!.minReadySeconds ?? 0, state.nowMs);
  let unavailable = 0;
  // A pod that does not serve may be replaced whatever the limit says.
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of state.pods.values()) {
    const found = pair(pods, state);
    if (found === undefined || (found.old === undefined) === (found.fresh === undefined)) unavailable++;
    else if (found.fresh !== undefined) unavailable += available(found.fresh) ? 0 : 1;
    else if (!available(found.old!)) broken.push(found.old!);
    else candidates.push(found.old!);
  }
  return {
    create: [],
    delete: [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))],
    ended: [],
  };
}

function surgeFirst(state: DaemonState, maxSurge: number): DaemonPlan {
  const available = (pod: Pod) => isPodAvailable(pod, state.set.spec!.minReadySeconds ?? 0, state.nowMs);
  const remove: Pod[] = [];
  const broken: string[] = [];
  const candidates: string[] = [];
  let surging = 0;
  for (const [name, pods] of state.pods) {
    const found = pair(pods, state);
    if (found === undefined) surging++;
    if (found?.old === undefined) continue;
    if (state.places.get(name)?.shouldRun !== true) {
      // No new pod can come here, so the old one would never be replaced.
      remove.push(found.old);
    } else if (found.fresh === undefined) (available(found.old) ? candidates : broken).push(name);
    else if (available(found.fresh)) remove.push(found.old);
    else surging++;
  }
  return {
    create: [...broken, ...candidates.slice(0, Math.max(0, maxSurge - surging))],
    delete: remove,
    ended: [],
  };
}

export function daemonSetStatus(state: DaemonState): DaemonSetStatus {
  const { set, places, pods, hash, nowMs } = state;
  const generation = templateGenerationOf(set);
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const [name, { shouldRun }] of places) {
    const here = pods.get(name) ?? [];
    if (!shouldRun) {
      if (here.length > 0) counts.misscheduled++;
      continue;
    }
    counts.desired++;
    if (here.length === 0) continue;
    counts.current++;
    // Upstream looks at the oldest only.
    const pod = here.toSorted(byAge)[0]!;
    if (isPodReady(pod)) counts.ready++;
    if (isPodAvailable(pod, set.spec!.minReadySeconds ?? 0, nowMs)) counts.available++;
    if (isUpToDate(pod, hash, generation)) counts.updated++;
  }
  const { collisionCount, conditions } = set.status ?? {};
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    observedGeneration: set.metadata.generation,
    updatedNumberScheduled: counts.updated,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}
