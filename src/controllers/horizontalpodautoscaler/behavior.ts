// What becomes of a proposed number of replicas: recent proposals steady it, policies bound its speed, the autoscaler's limits
// bound it altogether. Pure. Upstream: horizontal.go, normalizeDesiredReplicas and its WithBehaviors.
import type { HPAScalingRules } from '#generated/api/autoscaling-v2.ts';

export interface Recommendation {
  readonly replicas: number;
  readonly atMs: number;
}

/** A change of size that was made: positive. */
export interface ScaleEvent {
  readonly change: number;
  readonly atMs: number;
}

/** Why a number was chosen; `reason` and `message` are a condition's. */
export interface Choice {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

export interface Bounds {
  readonly current: number;
  readonly min: number;
  readonly max: number;
}

const UP_STABILIZED = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const DOWN_STABILIZED = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const TOO_FEW = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const TOO_MANY = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const UP_LIMIT = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const DOWN_LIMIT = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};
const WITHIN = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' };
export const READY = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };

/** Without spec.behavior: the highest proposal of the window. */
export function stabilizeDown(
  desired: number,
  recent: readonly Recommendation[],
  windowMs: number,
  nowMs: number,
): Choice {
  const replicas = Math.max(desired, ...recent.filter((r) => r.atMs >= nowMs - windowMs).map((r) => r.replicas));
  return { replicas, ...(replicas === desired ? READY : DOWN_STABILIZED) };
}

/** Without spec.behavior: at most double, or four. */
export function limitPlainly(desired: number, { current, min, max }: Bounds): Choice {
  const fastest = Math.max(2 * current, 4);
  if (desired < min) return { replicas: min, ...TOO_FEW };
  if (max > fastest && desired > fastest) return { replicas: fastest, ...UP_LIMIT };
  if (desired > max) return { replicas: max, ...TOO_MANY };
  return { replicas: desired, ...WITHIN };
}

export interface Behavior {
  readonly up: HPAScalingRules;
  readonly down: HPAScalingRules;
}

/** Within the lowest proposal of the window upwards and the highest of the window downwards. */
export function stabilize(
  desired: number,
  current: number,
  recent: readonly Recommendation[],
  { up, down }: Behavior,
  nowMs: number,
): Choice {
  const since = (rules: HPAScalingRules) => nowMs - (rules.stabilizationWindowSeconds ?? 0) * 1000;
  const of = (rules: HPAScalingRules) => recent.filter((r) => r.atMs > since(rules)).map((r) => r.replicas);
  const lowest = Math.min(desired, ...of(up));
  const highest = Math.max(desired, ...of(down));
  const replicas = Math.min(Math.max(current, lowest), highest);
  if (replicas === desired) return { replicas, ...READY };
  return { replicas, ...(desired >= current ? UP_STABILIZED : DOWN_STABILIZED) };
}

export interface Events {
  readonly up: readonly ScaleEvent[];
  readonly down: readonly ScaleEvent[];
}

/** At the speed of the policies, within the limits. */
export function limitBySpeed(
  desired: number,
  bounds: Bounds,
  behavior: Behavior,
  events: Events,
  nowMs: number,
): Choice {
  const { current, min, max } = bounds;
  if (desired > current) {
    const fastest = Math.max(current, upLimit(current, behavior.up, events, nowMs));
    const limit = Math.min(max, fastest);
    if (desired > limit) return { replicas: limit, ...(max > fastest ? UP_LIMIT : TOO_MANY) };
  } else if (desired < current) {
    const fastest = Math.min(current, downLimit(current, behavior.down, events, nowMs));
    const limit = Math.max(min, fastest);
    if (desired < limit) return { replicas: limit, ...(min < fastest ? DOWN_LIMIT : TOO_FEW) };
  }
  return { replicas: desired, ...WITHIN };
}

function upLimit(current: number, rules: HPAScalingRules, events: Events, nowMs: number): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const before = atPeriodStart(current, events, periodSeconds, nowMs);
    // Rounded up, so that a small set can grow at all.
    return type === 'Pods' ? before + value : Math.ceil(before * (1 + value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.min(...limits) : Math.max(...limits);
}

function downLimit(current: number, rules: HPAScalingRules, events: Events, nowMs: number): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const before = atPeriodStart(current, events, periodSeconds, nowMs);
    return type === 'Pods' ? before - value : Math.trunc(before * (1 - value / 100));
  });
  // The smallest change is the one that leaves most.
  return rules.selectPolicy === 'Min' ? Math.max(...limits) : Math.min(...limits);
}

function atPeriodStart(current: number, { up, down }: Events, periodSeconds: number, nowMs: number): number {
  const within = (list: readonly ScaleEvent[]) =>
    list.filter((e) => e.atMs > nowMs - periodSeconds * 1000).reduce((sum, e) => sum + e.change, 0);
  return current - within(up) + within(down);
}

/** How far back events matter. */
export const longestPeriodMs = (rules: HPAScalingRules): number =>
  1000 * Math.max(0, ...(rules.policies ?? []).map((p) => p.periodSeconds));
