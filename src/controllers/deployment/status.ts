// The status of a Deployment, computed from its ReplicaSets: counts, Available, Progressing with its deadline, and
// ReplicaFailure. Upstream: progress.go and sync.go calculateStatus.
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '#generated/api/apps-v1.ts';
import { findCondition, removeCondition } from '#machinery/conditions.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import { maxUnavailable, replicasOf, specSum } from './rollout.ts';

type Conditions = readonly DeploymentCondition[];

/** "No deadline", as the field's largest value. */
const NO_DEADLINE = 2 ** 31 - 1;

export function hasProgressDeadline(d: Deployment): boolean {
  const seconds = d.spec!.progressDeadlineSeconds;
  return seconds !== undefined && seconds !== NO_DEADLINE;
}

/** Upstream's SetDeploymentCondition: same status and reason change nothing, and the newest stands last. */
export function withCondition(
  conditions: Conditions,
  type: string,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): Conditions {
  const present = findCondition(conditions, type);
  if (present?.status === status && present.reason === reason) return conditions;
  const now = formatTime(nowMs);
  const lastTransitionTime = present?.status === status ? present.lastTransitionTime : now;
  return [
    ...removeCondition(conditions, type),
    { type, status, lastUpdateTime: now, lastTransitionTime, reason, message },
  ];
}

const sum = (
  sets: readonly ReplicaSet[],
  field: 'replicas' | 'readyReplicas' | 'availableReplicas' | 'terminatingReplicas',
): number => sets.reduce((total, s) => total + (s.status?.[field] ?? 0), 0);

/** Counts and the Available condition; other conditions as they are. */
export function deploymentStatus(
  d: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const available = sum(all, 'availableReplicas');
  const enough = available >= replicasOf(d) - maxUnavailable(d);
  const { collisionCount } = d.status ?? {};
  return {
    observedGeneration: d.metadata.generation,
    replicas: sum(all, 'replicas'),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum(all, 'readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, specSum(all) - available),
    terminatingReplicas: sum(all, 'terminatingReplicas'),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: enough
      ? withCondition(
          d.status?.conditions ?? [],
          'Available',
          'True',
          'MinimumReplicasAvailable',
          'Deployment has minimum availability.',
          nowMs,
        )
      : withCondition(
          d.status?.conditions ?? [],
          'Available',
          'False',
          'MinimumReplicasUnavailable',
          'Deployment does not have minimum availability.',
          nowMs,
        ),
  };
}

/** deploymentStatus, with Progressing and ReplicaFailure kept up: for Deployments that roll out. */
export function rolloutStatus(
  d: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = deploymentStatus(d, all, newSet, nowMs);
  return { ...status, conditions: withFailures(withProgress(d, status, newSet, nowMs), all, newSet, nowMs) };
}

function withProgress(
  d: Deployment,
  status: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  nowMs: number,
): Conditions {
  const conditions = status.conditions ?? [];
  if (!hasProgressDeadline(d)) return removeCondition(conditions, 'Progressing');
  const current = findCondition(d.status?.conditions, 'Progressing');
  const finishedBefore = status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable';
  if (finishedBefore) return conditions;
  const subject = newSet === undefined ? `Deployment "${d.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`;
  if (isComplete(d, status)) {
    return withCondition(
      conditions,
      'Progressing',
      'True',
      'NewReplicaSetAvailable',
      `${subject} has successfully progressed.`,
      nowMs,
    );
  }
  if (hasProgressed(d, status)) {
    // Set anew each time: lastUpdateTime is what the deadline counts from.
    const now = formatTime(nowMs);
    const lastTransitionTime = current?.status === 'True' ? current.lastTransitionTime : now;
    const condition = {
      type: 'Progressing',
      status: 'True',
      lastUpdateTime: now,
      lastTransitionTime,
      reason: 'ReplicaSetUpdated',
      message: `${subject} is progressing.`,
    };
    return [...removeCondition(conditions, 'Progressing'), condition];
  }
  if (hasTimedOut(d, status, nowMs)) {
    return withCondition(
      conditions,
      'Progressing',
      'False',
      'ProgressDeadlineExceeded',
      `${subject} has timed out progressing.`,
      nowMs,
    );
  }
  return conditions;
}

function withFailures(
  conditions: Conditions,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): Conditions {
  const failing = [...(newSet === undefined ? [] : [newSet]), ...all]
    .map((s) => findCondition(s.status?.conditions, 'ReplicaFailure'))
    .find((c) => c !== undefined);
  if (failing === undefined) return removeCondition(conditions, 'ReplicaFailure');
  return withCondition(
    conditions,
    'ReplicaFailure',
    failing.status,
    failing.reason ?? '',
    failing.message ?? '',
    nowMs,
  );
}

/** Everything is at the new template and available. */
export function isComplete(d: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(d);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
  );
}

function hasProgressed(d: Deployment, next: DeploymentStatus): boolean {
  const old = d.status ?? {};
  const outdated = (s: DeploymentStatus) => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return (
    (next.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(next) < outdated(old) ||
    (next.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

function hasTimedOut(d: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  const condition = findCondition(status.conditions, 'Progressing');
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  return (parseTime(condition.lastUpdateTime ?? '') ?? nowMs) + d.spec!.progressDeadlineSeconds! * 1000 < nowMs;
}

/** When the deadline has to be looked at, though nothing changes; undefined when it need not. */
export function msUntilDeadline(d: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = findCondition(d.status?.conditions, 'Progressing');
  if (!hasProgressDeadline(d) || condition === undefined) return undefined;
  if (isComplete(d, status) || condition.reason === 'ProgressDeadlineExceeded') return undefined;
  const since = parseTime(condition.lastUpdateTime ?? '') ?? nowMs;
  // A second on top: the comparison is with whole seconds.
  return Math.max(0, since + d.spec!.progressDeadlineSeconds! * 1000 - nowMs) + 1000;
}

/** Conditions after looking at spec.paused; the same list when nothing changes. */
export function pausedConditions(d: Deployment, nowMs: number): Conditions {
  const conditions = d.status?.conditions ?? [];
  if (!hasProgressDeadline(d)) return conditions;
  const current = findCondition(conditions, 'Progressing');
  // A roll-out that ran out of time stays so; resuming does not clear it.
  if (current?.reason === 'ProgressDeadlineExceeded') return conditions;
  const isPaused = current?.reason === 'DeploymentPaused';
  if (d.spec!.paused === true && !isPaused) {
    return withCondition(conditions, 'Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', nowMs);
  }
  if (d.spec!.paused !== true && isPaused) {
    return withCondition(conditions, 'Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', nowMs);
  }
  return conditions;
}
