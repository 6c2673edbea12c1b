// autoscaling/v1 knows one metric, the average CPU use in percent. What else a HorizontalPodAutoscaler has travels in annotations
// when it is read or written as v1. Upstream: pkg/apis/autoscaling/v1/conversion.go.
import type { HorizontalPodAutoscaler as OldAutoscaler } from '#generated/api/autoscaling-v1.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '#generated/api/autoscaling-v2.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import type { KubeObject } from '#machinery/object.ts';

const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const METRICS = `${PREFIX}metrics`;
const CURRENT_METRICS = `${PREFIX}current-metrics`;
const CONDITIONS = `${PREFIX}conditions`;
const BEHAVIOR = `${PREFIX}behavior`;
const ANNOTATIONS: readonly string[] = [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR];

export const cpuMetric = (percent: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});

/** A metric as the annotations have it: the shape of versions before v2. */
interface OldMetric {
  readonly type: string;
  readonly resource?: OldResource;
  readonly containerResource?: OldResource & { readonly container: string };
  readonly pods?: { readonly metricName: string; readonly selector?: LabelSelector } & OldValues;
  readonly object?: {
    readonly target: CrossVersionObjectReference;
    readonly metricName: string;
    readonly selector?: LabelSelector;
  } & OldValues;
  readonly external?: { readonly metricName: string; readonly metricSelector?: LabelSelector } & OldValues;
}

interface OldResource {
  readonly name: string;
  readonly targetAverageUtilization?: number;
  readonly currentAverageUtilization?: number;
  readonly targetAverageValue?: string;
  readonly currentAverageValue?: string;
}

interface OldValues {
  readonly targetValue?: string;
  readonly currentValue?: string;
  readonly targetAverageValue?: string;
  readonly currentAverageValue?: string;
  readonly averageValue?: string;
}

export function toStorage(object: KubeObject): KubeObject {
  const old = object as OldAutoscaler;
  const { targetCPUUtilizationPercentage: percent, ...spec } = old.spec ?? NO_SPEC;
  const { currentCPUUtilizationPercentage: current, ...status } = old.status ?? { desiredReplicas: 0 };
  const annotations = old.metadata.annotations ?? {};
  const read = <T>(key: string): T | undefined => parsed<T>(annotations[key]);
  const metrics = [
    ...(percent === undefined ? [] : [cpuMetric(percent)]),
    ...(read<readonly OldMetric[]>(METRICS) ?? []).map(newSpec),
  ];
  const currentMetrics: readonly MetricStatus[] = [
    ...(current === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }]),
    ...(read<readonly OldMetric[]>(CURRENT_METRICS) ?? []).map(newStatus),
  ];
  const behavior = read<HorizontalPodAutoscaler['spec']['behavior']>(BEHAVIOR);
  const conditions = read<NonNullable<HorizontalPodAutoscaler['status']>['conditions']>(CONDITIONS);
  return {
    ...old,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(old.metadata, {}),
    spec: { ...spec, ...(metrics.length === 0 ? {} : { metrics }), ...(behavior === undefined ? {} : { behavior }) },
    status: {
      ...status,
      ...(currentMetrics.length === 0 ? {} : { currentMetrics }),
      ...(conditions === undefined ? {} : { conditions }),
    },
  } as KubeObject;
}

export function fromStorage(object: KubeObject): KubeObject {
  const stored = object as HorizontalPodAutoscaler;
  const { metrics: all, behavior, ...spec } = stored.spec ?? NO_SPEC;
  const { currentMetrics: now, conditions: known, ...status } = stored.status ?? { desiredReplicas: 0 };
  // Upstream writes null for lists that nobody filled.
  const [metrics, currentMetrics, conditions] = [all ?? [], now ?? [], known ?? []];
  const cpu = metrics.find((m) => isCpu(m) && m.resource?.target.averageUtilization !== undefined);
  const currentCpu = currentMetrics.find(isCpu);
  const others = metrics.filter((m) => m !== cpu);
  const text = (value: readonly unknown[]) => (value.length === 0 ? undefined : JSON.stringify(value));
  return {
    ...stored,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(stored.metadata, {
      [METRICS]: text(others.map(oldSpec)),
      [CURRENT_METRICS]: text(currentMetrics.filter((m) => m !== currentCpu || hasValue(m)).map(oldStatus)),
      [CONDITIONS]: text(conditions),
      [BEHAVIOR]: behavior === undefined ? undefined : JSON.stringify(behavior),
    }),
    spec: { ...spec, targetCPUUtilizationPercentage: cpu?.resource?.target.averageUtilization },
    status: {
      currentReplicas: 0,
      ...status,
      currentCPUUtilizationPercentage: currentCpu?.resource?.current.averageUtilization,
    },
  } as KubeObject;
}

const NO_SPEC: HorizontalPodAutoscaler['spec'] & OldAutoscaler['spec'] = {
  maxReplicas: 0,
  scaleTargetRef: { kind: '', name: '' },
};

const isCpu = (m: MetricSpec | MetricStatus): boolean => m.type === 'Resource' && m.resource?.name === 'cpu';
/** v1 has a place for the percentage only. */
const hasValue = (m: MetricStatus): boolean => m.resource?.current.averageValue !== undefined;

/** An annotation that cannot be read counts as absent, as upstream. */
function parsed<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

type Metadata = HorizontalPodAutoscaler['metadata'];

function withAnnotations(metadata: Metadata, own: Readonly<Record<string, string | undefined>>): Metadata {
  const { annotations: present = {}, ...rest } = metadata;
  const kept = Object.entries(present).filter(([key]) => !ANNOTATIONS.includes(key));
  const annotations = Object.fromEntries([...kept, ...Object.entries(own).filter(([, v]) => v !== undefined)]);
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations: annotations as Record<string, string> };
}

const identifier = (name: string, selector: LabelSelector | undefined): MetricIdentifier => ({
  name,
  ...(selector === undefined ? {} : { selector }),
});

function target({ targetValue, averageValue, targetAverageValue }: OldValues): MetricTarget {
  const average = targetAverageValue ?? averageValue;
  return average === undefined
    ? { type: 'Value', ...(targetValue === undefined ? {} : { value: targetValue }) }
    : { type: 'AverageValue', averageValue: average };
}

function resourceTarget({
  targetAverageUtilization: utilization,
  targetAverageValue: value,
}: OldResource): MetricTarget {
  return utilization === undefined
    ? { type: 'AverageValue', ...(value === undefined ? {} : { averageValue: value }) }
    : { type: 'Utilization', averageUtilization: utilization };
}

function newSpec({ type, resource, containerResource, pods, object, external }: OldMetric): MetricSpec {
  return {
    type,
    ...(resource && { resource: { name: resource.name, target: resourceTarget(resource) } }),
    ...(containerResource && {
      containerResource: {
        name: containerResource.name,
        container: containerResource.container,
        target: resourceTarget(containerResource),
      },
    }),
    ...(pods && { pods: { metric: identifier(pods.metricName, pods.selector), target: target(pods) } }),
    ...(object && {
      object: {
        describedObject: object.target,
        metric: identifier(object.metricName, object.selector),
        target: target(object),
      },
    }),
    ...(external && {
      external: { metric: identifier(external.metricName, external.metricSelector), target: target(external) },
    }),
  };
}

const oldResourceTarget = (t: MetricTarget) => ({
  ...(t.averageUtilization === undefined ? {} : { targetAverageUtilization: t.averageUtilization }),
  ...(t.averageValue === undefined ? {} : { targetAverageValue: t.averageValue }),
});

function oldSpec({ type, resource, containerResource, pods, object, external }: MetricSpec): OldMetric {
  return {
    type,
    ...(object && {
      object: {
        target: object.describedObject,
        metricName: object.metric.name,
        targetValue: object.target.value ?? '0',
        ...(object.metric.selector && { selector: object.metric.selector }),
        ...(object.target.averageValue === undefined ? {} : { averageValue: object.target.averageValue }),
      },
    }),
    ...(pods && {
      pods: {
        metricName: pods.metric.name,
        targetAverageValue: pods.target.averageValue ?? '0',
        ...(pods.metric.selector && { selector: pods.metric.selector }),
      },
    }),
    ...(resource && { resource: { name: resource.name, ...oldResourceTarget(resource.target) } }),
    ...(containerResource && {
      containerResource: {
        name: containerResource.name,
        ...oldResourceTarget(containerResource.target),
        container: containerResource.container,
      },
    }),
    ...(external && {
      external: {
        metricName: external.metric.name,
        ...(external.metric.selector && { metricSelector: external.metric.selector }),
        ...(external.target.value === undefined ? {} : { targetValue: external.target.value }),
        ...(external.target.averageValue === undefined ? {} : { targetAverageValue: external.target.averageValue }),
      },
    }),
  };
}

function current(old: OldValues & Partial<OldResource>): MetricValueStatus {
  const average = old.currentAverageValue ?? old.averageValue;
  return {
    ...(average === undefined ? {} : { averageValue: average }),
    ...(old.currentAverageUtilization === undefined ? {} : { averageUtilization: old.currentAverageUtilization }),
    ...(old.currentValue === undefined ? {} : { value: old.currentValue }),
  };
}

function newStatus({ type, resource, containerResource, pods, object, external }: OldMetric): MetricStatus {
  return {
    type,
    ...(resource && { resource: { name: resource.name, current: current(resource) } }),
    ...(containerResource && {
      containerResource: {
        name: containerResource.name,
        container: containerResource.container,
        current: current(containerResource),
      },
    }),
    ...(pods && { pods: { metric: identifier(pods.metricName, pods.selector), current: current(pods) } }),
    ...(object && {
      object: {
        describedObject: object.target,
        metric: identifier(object.metricName, object.selector),
        current: current(object),
      },
    }),
    ...(external && {
      external: { metric: identifier(external.metricName, external.metricSelector), current: current(external) },
    }),
  };
}

const oldResourceCurrent = (c: MetricValueStatus) => ({
  ...(c.averageUtilization === undefined ? {} : { currentAverageUtilization: c.averageUtilization }),
  currentAverageValue: c.averageValue ?? '0',
});

function oldStatus({ type, resource, containerResource, pods, object, external }: MetricStatus): OldMetric {
  return {
    type,
    ...(object && {
      object: {
        target: object.describedObject,
        metricName: object.metric.name,
        currentValue: object.current.value ?? '0',
        ...(object.metric.selector && { selector: object.metric.selector }),
        ...(object.current.averageValue === undefined ? {} : { averageValue: object.current.averageValue }),
      },
    }),
    ...(pods && {
      pods: {
        metricName: pods.metric.name,
        currentAverageValue: pods.current.averageValue ?? '0',
        ...(pods.metric.selector && { selector: pods.metric.selector }),
      },
    }),
    ...(resource && { resource: { name: resource.name, ...oldResourceCurrent(resource.current) } }),
    ...(containerResource && {
      containerResource: {
        name: containerResource.name,
        ...oldResourceCurrent(containerResource.current),
        container: containerResource.container,
      },
    }),
    ...(external && {
      external: {
        metricName: external.metric.name,
        ...(external.metric.selector && { metricSelector: external.metric.selector }),
        currentValue: external.current.value ?? '0',
        ...(external.current.averageValue === undefined ? {} : { currentAverageValue: external.current.averageValue }),
      },
    }),
  };
}
