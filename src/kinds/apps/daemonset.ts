// DaemonSet.
import type { DaemonSet, DaemonSetUpdateStrategy } from '#generated/api/apps-v1.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows, immutable } from '../rules.ts';
import { AGE, NAME, ageOf, column, labelsText, nameOf, wide } from '../table.ts';
import {
  containerImages,
  containerNames,
  defaultTemplate,
  validateIntOrPercent,
  validateTemplateAndSelector,
} from '../workload.ts';

const SPEC_ROWS: readonly Row<NonNullable<DaemonSet['spec']>>[] = [
  { field: 'minReadySeconds', min: 0 },
  { field: 'revisionHistoryLimit', min: 0 },
];

export const daemonSet: ResourceDefinition<DaemonSet> = defineKind<DaemonSet>({
  group: 'apps',
  resource: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  table: {
    columns: [
      NAME,
      column('Desired', 'integer'),
      column('Current', 'integer'),
      column('Ready', 'integer'),
      column('Up-to-date', 'integer'),
      column('Available', 'integer'),
      column('Node Selector'),
      AGE,
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    cells: (ds, nowMs) => [
      nameOf(ds),
      ds.status?.desiredNumberScheduled ?? 0,
      ds.status?.currentNumberScheduled ?? 0,
      ds.status?.numberReady ?? 0,
      ds.status?.updatedNumberScheduled ?? 0,
      ds.status?.numberAvailable ?? 0,
      labelsText(ds.spec?.template?.spec?.nodeSelector),
      ageOf(ds, nowMs),
      containerNames(ds.spec?.template?.spec?.containers),
      containerImages(ds.spec?.template?.spec?.containers),
      formatLabelSelector(ds.spec?.selector),
    ],
  },
  strategy: {
    ...statusStrategy,
    default: (ds) =>
      ds.spec === undefined
        ? ds
        : {
            ...ds,
            spec: {
              ...ds.spec,
              updateStrategy: defaultUpdateStrategy(ds.spec.updateStrategy),
              template: defaultTemplate(ds.spec.template),
            },
          },
    validateCreate: validate,
    validateUpdate: (ds, old) => {
      const errors: Errors = [...validate(ds)];
      immutable(ds.spec?.selector, old.spec?.selector, 'spec.selector', errors);
      return errors;
    },
  },
});

function defaultUpdateStrategy(strategy: DaemonSetUpdateStrategy | undefined): DaemonSetUpdateStrategy {
  const type = strategy?.type ?? 'RollingUpdate';
  return type === 'RollingUpdate'
    ? { ...strategy, type, rollingUpdate: { maxUnavailable: 1, maxSurge: 0, ...strategy?.rollingUpdate } }
    : { ...strategy, type };
}

function validate(ds: DaemonSet): readonly FieldError[] {
  const errors: Errors = [];
  const spec = ds.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  validateTemplateAndSelector(spec, 'daemonset', errors);
  checkRows(spec, 'spec', SPEC_ROWS, errors);
  const strategy = spec.updateStrategy;
  if (strategy?.type === 'RollingUpdate') {
    const path = 'spec.updateStrategy.rollingUpdate';
    if (strategy.rollingUpdate === undefined) errors.push(fieldError.required(path));
    validateIntOrPercent(strategy.rollingUpdate?.maxUnavailable, `${path}.maxUnavailable`, errors);
    validateIntOrPercent(strategy.rollingUpdate?.maxSurge, `${path}.maxSurge`, errors);
    const zero = (v: number | string | undefined): boolean => v === 0 || v === '0%';
    if (zero(strategy.rollingUpdate?.maxUnavailable) && zero(strategy.rollingUpdate?.maxSurge)) {
      errors.push(fieldError.required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
    }
  } else if (strategy?.type !== 'OnDelete') {
    errors.push(fieldError.notSupported('spec.updateStrategy.type', strategy?.type, ['RollingUpdate', 'OnDelete']));
  }
  return errors;
}
