// How many replicas a metric asks for: pure arithmetic over pods and their readings, in thousandths as upstream counts. Upstream:
// replica_calculator.go, metrics/utilization.go.
import type { Pod } from '#generated/api/core-v1.ts';
import { isPodReady, podCondition } from '#kinds/core/pod/readiness.ts';
import { isSidecar, resourceAmount } from '#kinds/core/pod/requests.ts';
import { parseTime } from '#machinery/time.ts';

/** One pod's reading, in thousandths. */
export interface PodMetric {
  readonly value: number;
  readonly atMs: number;
  readonly windowMs: number;
}

/** Pod name → reading. */
export type PodMetrics = ReadonlyMap<string, PodMetric>;

/** Ratios from 1 - down to 1 + up count as on target. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}

/** How pods are judged; upstream's controller manager flags of the same names. */
export interface Readiness {
  readonly cpuInitializationPeriodMs: number;
  readonly initialReadinessDelayMs: number;
}

export interface Targets {
  readonly pods: readonly Pod[];
  /** Of the scale's spec. */
  readonly replicas: number;
  readonly tolerances: Tolerances;
  readonly readiness: Readiness;
  readonly nowMs: number;
}

export interface Proposal {
  readonly replicas: number;
  /** Average of the pods, or the whole of an object, in thousandths. */
  readonly usage: number;
  /** Percent of the requests. */
  readonly utilization?: number;
}

export class MetricError extends Error {
  override readonly name = 'MetricError';
}

export interface Groups {
  readonly ready: number;
  /** Left out: going or failed. */
  readonly ignored: ReadonlySet<string>;
  /** Not to be trusted yet; on scaling up they count as using nothing. */
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

export function groupPods(
  { pods, readiness, nowMs }: Pick<Targets, 'pods' | 'readiness' | 'nowMs'>,
  metrics: PodMetrics,
  isCpu: boolean,
): Groups {
  const ignored = new Set<string>();
  const unready = new Set<string>();
  const missing = new Set<string>();
  let ready = 0;
  for (const pod of pods) {
    const name = pod.metadata.name!;
    const phase = pod.status?.phase;
    const metric = metrics.get(name);
    if (pod.metadata.deletionTimestamp !== undefined || phase === 'Failed') ignored.add(name);
    else if (phase === 'Pending' || phase === undefined) unready.add(name);
    else if (metric === undefined) missing.add(name);
    else if (isCpu && !cpuCounts(pod, metric, readiness, nowMs)) unready.add(name);
    else ready++;
  }
  return { ready, ignored, unready, missing };
}

/** Start-up burns CPU: a young pod counts once it is ready and measured since; an older one unless it was never ready. */
function cpuCounts(pod: Pod, metric: PodMetric, readiness: Readiness, nowMs: number): boolean {
  const condition = podCondition(pod, 'Ready');
  const startedMs = parseTime(pod.status?.startTime ?? '');
  if (condition === undefined || startedMs === undefined) return false;
  const changedMs = parseTime(condition.lastTransitionTime ?? '') ?? 0;
  const isUnready = condition.status === 'False';
  if (startedMs + readiness.cpuInitializationPeriodMs > nowMs)
    return !isUnready && metric.atMs >= changedMs + metric.windowMs;
  return !(isUnready && startedMs + readiness.initialReadinessDelayMs > changedMs);
}

export const isWithin = (ratio: number, { up, down }: Tolerances): boolean => 1 - down <= ratio && ratio <= 1 + up;

interface Ratio {
  readonly ratio: number;
  readonly usage: number;
  readonly utilization?: number;
}

/** Average utilization of requests, as target percent. `container`: only that one. */
export function utilizationReplicas(
  targets: Targets,
  metrics: PodMetrics,
  resource: string,
  targetPercent: number,
  container?: string,
): Proposal {
  const isCpu = resource === 'cpu';
  if (targets.pods.length === 0) throw new MetricError(NO_PODS);
  const groups = groupPods(targets, metrics, isCpu);
  const counted = without(metrics, groups);
  const requests = new Map(targets.pods.map((p) => [p.metadata.name!, requestOf(p, resource, container)]));
  const ratioOf = (values: ReadonlyMap<string, number>): Ratio => {
    let total = 0;
    let requested = 0;
    let entries = 0;
    for (const [name, value] of values) {
      const request = requests.get(name);
      if (request === undefined) continue;
      total += value;
      requested += request;
      entries++;
    }
    if (requested === 0) throw new MetricError('no metrics returned matched known pods');
    const utilization = Math.trunc((total * 100) / requested);
    return { ratio: utilization / targetPercent, utilization, usage: Math.trunc(total / entries) };
  };
  const fallback = Math.max(100, targetPercent);
  return propose(targets, groups, counted, ratioOf, (name) => Math.trunc((requests.get(name)! * fallback) / 100));
}

/** Average of the pods' readings against a target, both in thousandths. */
export function averageReplicas(targets: Targets, metrics: PodMetrics, resource: string, target: number): Proposal {
  if (targets.pods.length === 0) throw new MetricError(NO_PODS);
  const groups = groupPods(targets, metrics, resource === 'cpu');
  const ratioOf = (values: ReadonlyMap<string, number>): Ratio => {
    const usage = Math.trunc([...values.values()].reduce((a, b) => a + b, 0) / values.size);
    return { ratio: usage / target, usage };
  };
  return propose(targets, groups, without(metrics, groups), ratioOf, () => target);
}

const NO_PODS = 'no pods returned by selector while calculating replica count';

function without(metrics: PodMetrics, { ignored, unready }: Groups): Map<string, number> {
  const out = new Map<string, number>();
  for (const [name, { value }] of metrics) if (!ignored.has(name) && !unready.has(name)) out.set(name, value);
  if (out.size === 0) throw new MetricError('did not receive metrics for targeted pods (pods might be unready)');
  return out;
}

/** The cautious part: pods without readings are taken as what would change least. */
function propose(
  { replicas, tolerances }: Targets,
  groups: Groups,
  counted: Map<string, number>,
  ratioOf: (values: ReadonlyMap<string, number>) => Ratio,
  full: (name: string) => number,
): Proposal {
  const { ratio, ...found } = ratioOf(counted);
  const stay: Proposal = { ...found, replicas };
  const upWithUnready = groups.unready.size > 0 && ratio > 1;
  if (!upWithUnready && groups.missing.size === 0)
    return isWithin(ratio, tolerances) ? stay : { ...found, replicas: Math.ceil(ratio * groups.ready) };
  if (ratio < 1) for (const name of groups.missing) counted.set(name, full(name));
  else if (ratio > 1) for (const name of groups.missing) counted.set(name, 0);
  if (upWithUnready) for (const name of groups.unready) counted.set(name, 0);
  const { ratio: again } = ratioOf(counted);
  // What is assumed of the missing must not turn the direction.
  if (isWithin(again, tolerances) || (ratio < 1 && again > 1) || (ratio > 1 && again < 1)) return stay;
  const wanted = Math.ceil(again * counted.size);
  if ((again < 1 && wanted > replicas) || (again > 1 && wanted < replicas)) return stay;
  return { ...found, replicas: wanted };
}

function requestOf(pod: Pod, resource: string, only: string | undefined): number {
  const spec = pod.spec!;
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? []).filter(isSidecar)];
  // Resources of the pod as a whole stand for its containers'.
  const whole = spec.resources?.requests?.[resource];
  if (only === undefined && whole !== undefined) return milli(resource, whole);
  let sum = 0;
  for (const { name, resources } of all) {
    if (only !== undefined && name !== only) continue;
    const request = resources?.requests?.[resource];
    if (request === undefined)
      throw new MetricError(`missing request for ${resource} in container ${name} of Pod ${pod.metadata.name}`);
    sum += milli(resource, request);
  }
  return sum;
}

const milli = (resource: string, quantity: string): number =>
  resource === 'cpu' ? resourceAmount('cpu', quantity) : resourceAmount(resource, quantity) * 1000;

/** A value of something that is not the pods themselves, as a whole. */
export function wholeReplicas(targets: Targets, usage: number, target: number): Proposal {
  const ratio = usage / target;
  if (targets.replicas === 0) return { usage, replicas: Math.ceil(ratio) };
  if (isWithin(ratio, targets.tolerances)) return { usage, replicas: targets.replicas };
  if (targets.pods.length === 0) throw new MetricError(`unable to calculate ready pods: ${NO_PODS}`);
  const ready = targets.pods.filter((p) => p.status?.phase === 'Running' && isPodReady(p)).length;
  return { usage, replicas: Math.ceil(ratio * ready) };
}

/** A value of something that is not the pods themselves, divided among them. `replicas`: of the scale's status. */
export function sharedReplicas(replicas: number, tolerances: Tolerances, usage: number, target: number): Proposal {
  const ratio = usage / (target * replicas);
  return {
    usage: replicas === 0 ? 0 : Math.ceil(usage / replicas),
    replicas: isWithin(ratio, tolerances) ? replicas : Math.ceil(usage / target),
  };
}
