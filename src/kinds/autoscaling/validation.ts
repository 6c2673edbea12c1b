// Rules of a HorizontalPodAutoscaler's spec. Upstream: pkg/apis/autoscaling/validation; minReplicas 0 (HPAScaleToZero) is off by
// default there, and refused here.
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '#generated/api/autoscaling-v2.ts';
import { isPathSegment } from '#machinery/names.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { at, type Errors, messages } from '../rules.ts';

/** Type → the member that must go with it. */
const SOURCES = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const satisfies Record<string, keyof MetricSpec>;
type Source = (typeof SOURCES)[keyof typeof SOURCES];

/** Seconds: upstream's MaxStabilizationWindowSeconds and MaxPeriodSeconds. */
const MAX_STABILIZATION = 3600;
const MAX_PERIOD = 1800;

export function validateAutoscaler(h: HorizontalPodAutoscaler): readonly FieldError[] {
  const errors: Errors = [];
  const { spec } = h;
  if (spec === undefined) return [fieldError.required('spec')];
  const { minReplicas, maxReplicas, behavior } = spec;
  if (minReplicas !== undefined && minReplicas < 1)
    errors.push(fieldError.invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  if (maxReplicas < 1) errors.push(fieldError.invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(fieldError.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  validateReference(spec.scaleTargetRef, 'spec.scaleTargetRef', errors);
  for (const [index, metric] of (spec.metrics ?? []).entries())
    validateMetric(metric, at('spec.metrics', index), errors);
  validateRules(behavior?.scaleUp, 'spec.behavior.scaleUp', errors);
  validateRules(behavior?.scaleDown, 'spec.behavior.scaleDown', errors);
  return errors;
}

function validateReference(ref: CrossVersionObjectReference | undefined, path: string, errors: Errors): void {
  for (const member of ['kind', 'name'] as const) {
    const value = ref?.[member] ?? '';
    if (value === '') errors.push(fieldError.required(`${path}.${member}`));
    else messages(isPathSegment(value), `${path}.${member}`, value, errors);
  }
}

function validateMetric(metric: MetricSpec, path: string, errors: Errors): void {
  const types = Object.keys(SOURCES).toSorted();
  if ((metric.type ?? '') === '') errors.push(fieldError.required(`${path}.type`, 'must specify a metric source type'));
  else if (!types.includes(metric.type)) errors.push(fieldError.notSupported(`${path}.type`, metric.type, types));
  const present = Object.values(SOURCES).filter((member) => metric[member] !== undefined);
  if (present[0] !== undefined) validateSource(metric, present[0], `${path}.${present[0]}`, errors);
  const expected: Source | undefined = SOURCES[metric.type as keyof typeof SOURCES];
  if (expected !== undefined && metric[expected] === undefined)
    errors.push(fieldError.required(`${path}.${expected}`, 'must populate information for the given metric source'));
  if (present.length === 1) return;
  for (const member of present.filter((p) => p !== expected))
    errors.push(fieldError.forbidden(`${path}.${member}`, 'must populate the given metric source only'));
}

function validateSource(metric: MetricSpec, source: Source, path: string, errors: Errors): void {
  const { target } = metric[source]!;
  if (source === 'object') validateReference(metric.object!.describedObject, `${path}.describedObject`, errors);
  if (source === 'resource' || source === 'containerResource') {
    if (metric[source]!.name === '') errors.push(fieldError.required(`${path}.name`, 'must specify a resource name'));
    if (source === 'containerResource' && (metric.containerResource!.container ?? '') === '')
      errors.push(fieldError.required(`${path}.container`, 'must specify a container'));
    validateTarget(target, `${path}.target`, errors);
    oneOf(target, ['averageUtilization', 'averageValue'], RAW_OR_UTILIZATION, `${path}.target`, errors);
    return;
  }
  validateIdentifier(metric[source]!.metric, `${path}.metric`, errors);
  validateTarget(target, `${path}.target`, errors);
  if (source === 'pods') {
    if (target.averageValue === undefined || quantityToNumber(target.averageValue) <= 0)
      errors.push(fieldError.required(`${path}.target.averageValue`, 'must specify a positive target averageValue'));
  } else if (source === 'external')
    oneOf(target, ['averageValue', 'value'], TOTAL_OR_PER_POD, `${path}.target`, errors);
  else if (target.value === undefined && target.averageValue === undefined)
    errors.push(fieldError.required(`${path}.target.averageValue`, `must set either ${TOTAL_OR_PER_POD[0]}`));
}

const RAW_OR_UTILIZATION = [
  'a target raw value or a target utilization',
  'a target raw value and a target utilization',
] as const;
const TOTAL_OR_PER_POD = [
  'a target value for metric or a per-pod target',
  'a target value for metric and a per-pod target',
] as const;

/** The first member is asked for when both are missing, the second is forbidden when both are there. */
function oneOf(
  target: MetricTarget,
  [first, second]: readonly [keyof MetricTarget, keyof MetricTarget],
  [either, both]: readonly [string, string],
  path: string,
  errors: Errors,
): void {
  const has = (member: keyof MetricTarget) => target[member] !== undefined;
  if (!has(first) && !has(second)) errors.push(fieldError.required(`${path}.${first}`, `must set either ${either}`));
  if (has(first) && has(second)) errors.push(fieldError.forbidden(`${path}.${second}`, `may not set both ${both}`));
}

function validateTarget(target: MetricTarget, path: string, errors: Errors): void {
  if ((target.type ?? '') === '') errors.push(fieldError.required(`${path}.type`, 'must specify a metric target type'));
  else if (!['Utilization', 'Value', 'AverageValue'].includes(target.type))
    errors.push(fieldError.invalid(`${path}.type`, target.type, 'must be either Utilization, Value, or AverageValue'));
  if (target.averageUtilization !== undefined && target.averageUtilization < 1)
    errors.push(fieldError.invalid(`${path}.averageUtilization`, target.averageUtilization, 'must be greater than 0'));
  for (const member of ['value', 'averageValue'] as const) {
    const value = target[member];
    if (value !== undefined && quantityToNumber(value) <= 0)
      errors.push(fieldError.invalid(`${path}.${member}`, value, 'must be positive'));
  }
}

function validateIdentifier({ name }: MetricIdentifier, path: string, errors: Errors): void {
  if ((name ?? '') === '') errors.push(fieldError.required(`${path}.name`, 'must specify a metric name'));
  else messages(isPathSegment(name), `${path}.name`, name, errors);
}

function validateRules(rules: HPAScalingRules | undefined, path: string, errors: Errors): void {
  if (rules === undefined) return;
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const bounded = (value: number | undefined, field: string, max: number) => {
    if (value !== undefined && value > max)
      errors.push(fieldError.invalid(field, value, `must be less than or equal to ${max}`));
  };
  if (window !== undefined && window < 0)
    errors.push(
      fieldError.invalid(`${path}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'),
    );
  bounded(window, `${path}.stabilizationWindowSeconds`, MAX_STABILIZATION);
  const choices = ['Disabled', 'Max', 'Min'];
  if (selectPolicy !== undefined && !choices.includes(selectPolicy))
    errors.push(fieldError.notSupported(`${path}.selectPolicy`, selectPolicy, choices));
  if (policies.length === 0) errors.push(fieldError.required(`${path}.policies`, 'must specify at least one Policy'));
  for (const [index, { type, value, periodSeconds }] of policies.entries()) {
    const where = at(`${path}.policies`, index);
    if (type !== 'Pods' && type !== 'Percent')
      errors.push(fieldError.notSupported(`${where}.type`, type, ['Percent', 'Pods']));
    if (value <= 0) errors.push(fieldError.invalid(`${where}.value`, value, 'must be greater than zero'));
    if (periodSeconds <= 0)
      errors.push(fieldError.invalid(`${where}.periodSeconds`, periodSeconds, 'must be greater than zero'));
    bounded(periodSeconds, `${where}.periodSeconds`, MAX_PERIOD);
  }
  if (tolerance !== undefined && quantityToNumber(tolerance) < 0)
    errors.push(fieldError.invalid(`${path}.tolerance`, tolerance, 'must be greater than or equal to 0'));
}
