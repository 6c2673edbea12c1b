// HorizontalPodAutoscaler. Stored as autoscaling/v2; v1 knows one metric, the average CPU use.
import type { HorizontalPodAutoscaler as OldAutoscaler } from '#generated/api/autoscaling-v1.ts';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '#generated/api/autoscaling-v2.ts';
import type { KubeObject } from '#machinery/object.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, at } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const DEFAULT_CPU_PERCENT = 80;
const SHOWN_MAX = 2;

export const horizontalPodAutoscaler: ResourceDefinition<HorizontalPodAutoscaler> = defineKind<HorizontalPodAutoscaler>(
  {
    group: 'autoscaling',
    resource: 'horizontalpodautoscalers',
    shortNames: ['hpa'],
    categories: ['all'],
    storageVersion: 'v2',
    conversions: { v1: { toStorage, fromStorage } },
    table: {
      columns: [
        NAME,
        column('Reference'),
        column('Targets'),
        column('MinPods'),
        column('MaxPods', 'integer'),
        column('Replicas', 'integer'),
        AGE,
      ],
      cells: (h, nowMs) => [
        nameOf(h),
        `${h.spec?.scaleTargetRef?.kind}/${h.spec?.scaleTargetRef?.name}`,
        metricsText(h),
        String(h.spec?.minReplicas ?? '<unset>'),
        h.spec?.maxReplicas ?? 0,
        h.status?.currentReplicas ?? 0,
        ageOf(h, nowMs),
      ],
    },
    strategy: {
      ...statusStrategy,
      default: (h) => {
        if (h.spec === undefined || (h.spec.metrics ?? []).length > 0) return h;
        return { ...h, spec: { ...h.spec, metrics: [cpuMetric(DEFAULT_CPU_PERCENT)] } };
      },
      validateCreate: validate,
      validateUpdate: validate,
    },
  },
);

const cpuMetric = (percent: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});

const isCpu = (m: MetricSpec): boolean =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.target.averageUtilization !== undefined;

function toStorage(object: KubeObject): KubeObject {
  const old = object as OldAutoscaler;
  const { targetCPUUtilizationPercentage: percent, ...spec } = old.spec ?? {
    maxReplicas: 0,
    scaleTargetRef: { kind: '', name: '' },
  };
  const { currentCPUUtilizationPercentage: current, ...status } = old.status ?? {
    currentReplicas: 0,
    desiredReplicas: 0,
  };
  const currentMetrics: readonly MetricStatus[] =
    current === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }];
  const stored: HorizontalPodAutoscaler = {
    ...old,
    apiVersion: 'autoscaling/v2',
    spec: { ...spec, metrics: [cpuMetric(percent ?? DEFAULT_CPU_PERCENT)] },
    status: { ...status, currentMetrics },
  };
  return stored;
}

function fromStorage(object: KubeObject): KubeObject {
  const stored = object as HorizontalPodAutoscaler;
  const {
    metrics,
    behavior: _behavior,
    ...spec
  } = stored.spec ?? { maxReplicas: 0, scaleTargetRef: { kind: '', name: '' } };
  const { currentMetrics, conditions: _conditions, ...status } = stored.status ?? { desiredReplicas: 0 };
  const served: OldAutoscaler = {
    ...stored,
    apiVersion: 'autoscaling/v1',
    spec: { ...spec, targetCPUUtilizationPercentage: metrics?.find(isCpu)?.resource?.target.averageUtilization },
    status: {
      currentReplicas: 0,
      ...status,
      currentCPUUtilizationPercentage: currentMetrics?.find((m) => m.resource?.name === 'cpu')?.resource?.current
        .averageUtilization,
    },
  };
  return served;
}

function validate(h: HorizontalPodAutoscaler): readonly FieldError[] {
  const errors: Errors = [];
  const spec = h.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  if (spec.minReplicas !== undefined && spec.minReplicas < 1)
    errors.push(fieldError.invalid('spec.minReplicas', spec.minReplicas, 'must be greater than or equal to 1'));
  if (spec.maxReplicas < 1)
    errors.push(fieldError.invalid('spec.maxReplicas', spec.maxReplicas, 'must be greater than 0'));
  if (spec.minReplicas !== undefined && spec.maxReplicas < spec.minReplicas) {
    errors.push(
      fieldError.invalid('spec.maxReplicas', spec.maxReplicas, 'must be greater than or equal to `minReplicas`'),
    );
  }
  for (const member of ['kind', 'name'] as const)
    if ((spec.scaleTargetRef?.[member] ?? '') === '') errors.push(fieldError.required(`spec.scaleTargetRef.${member}`));
  for (const [index, metric] of (spec.metrics ?? []).entries()) {
    const where = at('spec.metrics', index);
    const types = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
    if ((metric.type ?? '') === '')
      errors.push(fieldError.required(`${where}.type`, 'must specify a metric source type'));
    else if (!types.includes(metric.type)) errors.push(fieldError.notSupported(`${where}.type`, metric.type, types));
  }
  return errors;
}

function metricsText(h: HorizontalPodAutoscaler): string {
  const specs = h.spec?.metrics ?? [];
  if (specs.length === 0) return '<none>';
  const current = h.status?.currentMetrics ?? [];
  const texts = specs.map((m, i) => {
    const now = current[i];
    if (m.type === 'Resource') {
      const target = m.resource?.target;
      const is = now?.resource?.current;
      if (target?.averageValue !== undefined)
        return `${m.resource?.name}: ${is?.averageValue ?? '<unknown>'}/${target.averageValue}`;
      return `${m.resource?.name}: ${is?.averageUtilization === undefined ? '<unknown>' : `${is.averageUtilization}%`}/${target?.averageUtilization ?? '<auto>'}${target?.averageUtilization === undefined ? '' : '%'}`;
    }
    const target = (m.pods ?? m.object ?? m.external)?.target;
    return `<unknown>/${target?.averageValue ?? target?.value ?? '<auto>'}`;
  });
  const rest = texts.length - SHOWN_MAX;
  return rest > 0 ? `${texts.slice(0, SHOWN_MAX).join(', ')} + ${rest} more...` : texts.join(', ');
}
