// DaemonSet.
import type { DaemonSet, DaemonSetUpdateStrategy, RollingUpdateDaemonSet } from '#generated/api/apps-v1.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { parsePercent } from '#machinery/intstr.ts';
import { defineKind, keepStatus, resetStatusOnCreate } from '../define.ts';
import { type Errors, type Row, checkRows, immutable, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, labelsText, nameOf, wide } from '../table.ts';
import {
  containerImages,
  containerNames,
  defaultTemplate,
  validateAtMost100Percent,
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
    prepareForCreate: (ds) => withTemplateGeneration(resetStatusOnCreate(ds), 1),
    prepareForUpdate: (ds, old) => {
      const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
      const changed = !sameJson(ds.spec?.template, old.spec?.template);
      return withTemplateGeneration(keepStatus(ds, old), changed ? before + 1 : before);
    },
    // The annotation is there from the first: who writes the object owns it.
    default: (ds) =>
      ds.spec === undefined
        ? ds
        : {
            ...(ds.metadata.annotations?.[TEMPLATE_GENERATION] === undefined ? withTemplateGeneration(ds, 0) : ds),
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

/** Where apps/v1 keeps what older versions had as spec.templateGeneration. The server alone counts it. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

function withTemplateGeneration(ds: DaemonSet, generation: number): DaemonSet {
  const annotations = { ...ds.metadata.annotations, [TEMPLATE_GENERATION]: String(generation) };
  return { ...ds, metadata: { ...ds.metadata, annotations } };
}

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
    validateRollingUpdate(strategy.rollingUpdate, 'spec.updateStrategy.rollingUpdate', errors);
  } else if (strategy?.type !== 'OnDelete') {
    errors.push(fieldError.notSupported('spec.updateStrategy', strategy, ['OnDelete', 'RollingUpdate']));
  }
  return errors;
}

function validateRollingUpdate(rolling: RollingUpdateDaemonSet | undefined, path: string, errors: Errors): void {
  if (rolling === undefined) {
    errors.push(fieldError.required(path));
    return;
  }
  const { maxUnavailable, maxSurge } = rolling;
  for (const [value, field] of [
    [maxUnavailable, `${path}.maxUnavailable`],
    [maxSurge, `${path}.maxSurge`],
  ] as const) {
    validateIntOrPercent(value, field, errors);
    validateAtMost100Percent(value, field, errors);
  }
  const isSet = (v: number | string | undefined): boolean => (typeof v === 'string' ? parsePercent(v) : v) !== 0;
  if (isSet(maxUnavailable) && isSet(maxSurge))
    errors.push(fieldError.invalid(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  else if (!isSet(maxUnavailable) && !isSet(maxSurge))
    errors.push(fieldError.required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
}
