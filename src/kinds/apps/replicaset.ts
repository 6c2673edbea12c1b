// ReplicaSet.
import type { ReplicaSet } from '#generated/api/apps-v1.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows, immutable } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate, validateTemplateAndSelector } from '../workload.ts';

const SPEC_ROWS: readonly Row<NonNullable<ReplicaSet['spec']>>[] = [
  { field: 'replicas', min: 0 },
  { field: 'minReadySeconds', min: 0 },
];

export const replicaSet: ResourceDefinition<ReplicaSet> = defineKind<ReplicaSet>({
  group: 'apps',
  resource: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  scale: {
    specReplicasPath: 'spec.replicas',
    statusReplicasPath: 'status.replicas',
    selector: (rs) => formatLabelSelector((rs as ReplicaSet).spec?.selector).replace('<none>', ''),
  },
  selectableFields: { 'status.replicas': (rs) => String(rs.status?.replicas ?? 0) },
  table: {
    columns: [
      NAME,
      column('Desired', 'integer'),
      column('Current', 'integer'),
      column('Ready', 'integer'),
      AGE,
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    cells: (rs, nowMs) => [
      nameOf(rs),
      rs.spec?.replicas ?? 0,
      rs.status?.replicas ?? 0,
      rs.status?.readyReplicas ?? 0,
      ageOf(rs, nowMs),
      containerNames(rs.spec?.template?.spec?.containers),
      containerImages(rs.spec?.template?.spec?.containers),
      formatLabelSelector(rs.spec?.selector),
    ],
  },
  strategy: {
    ...statusStrategy,
    default: (rs) =>
      rs.spec?.template === undefined
        ? rs
        : { ...rs, spec: { ...rs.spec, template: defaultTemplate(rs.spec.template) } },
    validateCreate: validate,
    validateUpdate: (rs, old) => {
      const errors: Errors = [...validate(rs)];
      immutable(rs.spec?.selector, old.spec?.selector, 'spec.selector', errors);
      return errors;
    },
  },
});

function validate(rs: ReplicaSet): readonly FieldError[] {
  const errors: Errors = [];
  if (rs.spec === undefined) return [fieldError.required('spec')];
  checkRows(rs.spec, 'spec', SPEC_ROWS, errors);
  validateTemplateAndSelector({ selector: rs.spec.selector, template: rs.spec.template! }, 'deployment', errors);
  return errors;
}
