// Deployment.
import type { Deployment, DeploymentStrategy } from '#generated/api/apps-v1.ts';
import { parsePercent } from '#machinery/intstr.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows, immutable } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import {
  containerImages,
  containerNames,
  defaultTemplate,
  validateIntOrPercent,
  validateTemplateAndSelector,
} from '../workload.ts';

const SPEC_ROWS: readonly Row<NonNullable<Deployment['spec']>>[] = [
  { field: 'replicas', min: 0 },
  { field: 'minReadySeconds', min: 0 },
  { field: 'revisionHistoryLimit', min: 0 },
  { field: 'progressDeadlineSeconds', min: 0 },
];

export const deployment: ResourceDefinition<Deployment> = defineKind<Deployment>({
  group: 'apps',
  resource: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  scale: {
    specReplicasPath: 'spec.replicas',
    statusReplicasPath: 'status.replicas',
    selector: (d) => selectorText(d as Deployment),
  },
  table: {
    columns: [
      NAME,
      column('Ready'),
      column('Up-to-date'),
      column('Available'),
      AGE,
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    cells: (d, nowMs) => [
      nameOf(d),
      `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 0}`,
      d.status?.updatedReplicas ?? 0,
      d.status?.availableReplicas ?? 0,
      ageOf(d, nowMs),
      containerNames(d.spec?.template?.spec?.containers),
      containerImages(d.spec?.template?.spec?.containers),
      formatLabelSelector(d.spec?.selector),
    ],
  },
  strategy: {
    ...statusStrategy,
    default: (d) => {
      if (d.spec === undefined) return d;
      return {
        ...d,
        spec: { ...d.spec, strategy: defaultStrategy(d.spec.strategy), template: defaultTemplate(d.spec.template) },
      };
    },
    validateCreate: validate,
    validateUpdate: (d, old) => {
      const errors: Errors = [...validate(d)];
      immutable(d.spec?.selector, old.spec?.selector, 'spec.selector', errors);
      return errors;
    },
  },
});

const selectorText = (d: Deployment): string => {
  const text = formatLabelSelector(d.spec?.selector);
  return text === '<none>' ? '' : text;
};

function defaultStrategy(strategy: DeploymentStrategy | undefined): DeploymentStrategy {
  const type = strategy?.type ?? 'RollingUpdate';
  if (type !== 'RollingUpdate') return { ...strategy, type };
  return { ...strategy, type, rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%', ...strategy?.rollingUpdate } };
}

function validate(d: Deployment): readonly FieldError[] {
  const errors: Errors = [];
  const spec = d.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  checkRows(spec, 'spec', SPEC_ROWS, errors);
  validateTemplateAndSelector(spec, 'deployment', errors);
  validateStrategy(spec.strategy, errors);
  if (spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)) {
    errors.push(
      fieldError.invalid(
        'spec.progressDeadlineSeconds',
        spec.progressDeadlineSeconds,
        'must be greater than minReadySeconds',
      ),
    );
  }
  return errors;
}

function validateStrategy(strategy: DeploymentStrategy | undefined, errors: Errors): void {
  const rolling = strategy?.rollingUpdate;
  switch (strategy?.type) {
    case 'Recreate':
      if (rolling !== undefined)
        errors.push(
          fieldError.forbidden(
            'spec.strategy.rollingUpdate',
            "may not be specified when strategy `type` is 'Recreate'",
          ),
        );
      return;
    case 'RollingUpdate': {
      const path = 'spec.strategy.rollingUpdate';
      validateIntOrPercent(rolling?.maxUnavailable, `${path}.maxUnavailable`, errors);
      validateIntOrPercent(rolling?.maxSurge, `${path}.maxSurge`, errors);
      if (isZero(rolling?.maxUnavailable) && isZero(rolling?.maxSurge)) {
        errors.push(
          fieldError.invalid(`${path}.maxUnavailable`, rolling?.maxUnavailable, 'may not be 0 when `maxSurge` is 0'),
        );
      }
      const percent = typeof rolling?.maxUnavailable === 'string' ? parsePercent(rolling.maxUnavailable) : undefined;
      if (percent !== undefined && percent > 100)
        errors.push(
          fieldError.invalid(`${path}.maxUnavailable`, rolling?.maxUnavailable, 'must not be greater than 100%'),
        );
      return;
    }
    default:
      errors.push(fieldError.notSupported('spec.strategy.type', strategy?.type, ['Recreate', 'RollingUpdate']));
  }
}

const isZero = (value: number | string | undefined): boolean => value === 0 || value === '0%';
