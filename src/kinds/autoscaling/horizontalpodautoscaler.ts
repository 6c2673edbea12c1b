// HorizontalPodAutoscaler. Stored as autoscaling/v2; v1 knows one metric, the average CPU use.
import type {
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '#generated/api/autoscaling-v2.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { cpuMetric, fromStorage, toStorage } from './v1-conversion.ts';
import { validateAutoscaler } from './validation.ts';

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
      generation: false,
      default: withDefaults,
      validateCreate: validateAutoscaler,
      validateUpdate: validateAutoscaler,
    },
  },
);

/** What a side of spec.behavior is when it says nothing of it. No window on scaling down: the controller's own. */
const SCALE_UP: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const SCALE_DOWN: HPAScalingRules = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

function withDefaults(h: HorizontalPodAutoscaler): HorizontalPodAutoscaler {
  if (h.spec === undefined) return h;
  const { metrics = [], behavior } = h.spec;
  return {
    ...h,
    spec: {
      ...h.spec,
      metrics: metrics.length > 0 ? metrics : [cpuMetric(DEFAULT_CPU_PERCENT)],
      ...(behavior === undefined
        ? {}
        : {
            behavior: {
              scaleUp: { ...SCALE_UP, ...behavior.scaleUp },
              scaleDown: { ...SCALE_DOWN, ...behavior.scaleDown },
            },
          }),
    },
  };
}

function metricsText(h: HorizontalPodAutoscaler): string {
  const specs = h.spec?.metrics ?? [];
  if (specs.length === 0) return '<none>';
  const texts = specs.map((m, i) => metricText(m, h.status?.currentMetrics?.[i]));
  const rest = texts.length - SHOWN_MAX;
  return rest > 0 ? `${texts.slice(0, SHOWN_MAX).join(', ')} + ${rest} more...` : texts.join(', ');
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'Resource':
      return `${spec.resource?.name}: ${resourceText(spec.resource?.target, status?.resource?.current)}`;
    case 'ContainerResource': {
      const source = spec.containerResource;
      return `${source?.name}: ${resourceText(source?.target, status?.containerResource?.current)}`;
    }
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? UNKNOWN}/${spec.pods?.target.averageValue}`;
    case 'Object':
      return valueText(spec.object?.target, status?.object?.current);
    case 'External':
      return valueText(spec.external?.target, status?.external?.current);
    default:
      return '<unknown type>';
  }
}

const UNKNOWN = '<unknown>';

function resourceText(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? UNKNOWN}/${target.averageValue}`;
  const percent = (value: number | undefined, without: string) => (value === undefined ? without : `${value}%`);
  return `${percent(current?.averageUtilization, UNKNOWN)}/${percent(target?.averageUtilization, '<auto>')}`;
}

function valueText(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  return target?.averageValue === undefined
    ? `${current?.value ?? UNKNOWN}/${target?.value}`
    : `${current?.averageValue ?? UNKNOWN}/${target.averageValue} (avg)`;
}
