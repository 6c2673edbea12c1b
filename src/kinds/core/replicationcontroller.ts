// ReplicationController.
import type { ReplicationController } from '#generated/api/core-v1.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows } from '../rules.ts';
import { AGE, NAME, ageOf, column, labelsText, nameOf, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate } from '../workload.ts';
import { validatePodTemplateSpec } from './pod/validate-spec.ts';

const SPEC_ROWS: readonly Row<NonNullable<ReplicationController['spec']>>[] = [
  { field: 'replicas', min: 0 },
  { field: 'minReadySeconds', min: 0 },
];

export const replicationController: ResourceDefinition<ReplicationController> = defineKind<ReplicationController>({
  resource: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  storagePrefix: 'controllers',
  scale: {
    specReplicasPath: 'spec.replicas',
    statusReplicasPath: 'status.replicas',
    selector: (rc) => labelsText((rc as ReplicationController).spec?.selector).replace('<none>', ''),
  },
  selectableFields: { 'status.replicas': (rc) => String(rc.status?.replicas ?? 0) },
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
    cells: (rc, nowMs) => [
      nameOf(rc),
      rc.spec?.replicas ?? 0,
      rc.status?.replicas ?? 0,
      rc.status?.readyReplicas ?? 0,
      ageOf(rc, nowMs),
      containerNames(rc.spec?.template?.spec?.containers),
      containerImages(rc.spec?.template?.spec?.containers),
      labelsText(rc.spec?.selector),
    ],
  },
  strategy: {
    ...statusStrategy,
    default: (rc) => {
      const labels = rc.spec?.template?.metadata?.labels;
      if (rc.spec === undefined) return rc;
      return {
        ...rc,
        metadata: rc.metadata.labels === undefined && labels !== undefined ? { ...rc.metadata, labels } : rc.metadata,
        spec: {
          ...rc.spec,
          selector: rc.spec.selector ?? labels,
          ...(rc.spec.template === undefined ? {} : { template: defaultTemplate(rc.spec.template) }),
        },
      };
    },
    validateCreate: validate,
    validateUpdate: validate,
  },
});

function validate(rc: ReplicationController): readonly FieldError[] {
  const errors: Errors = [];
  const spec = rc.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  checkRows(spec, 'spec', SPEC_ROWS, errors);
  const selector = Object.entries(spec.selector ?? {});
  if (selector.length === 0) errors.push(fieldError.required('spec.selector'));
  if (spec.template === undefined) errors.push(fieldError.required('spec.template'));
  else {
    const labels = spec.template.metadata?.labels;
    if (!selector.every(([k, v]) => labels?.[k] === v))
      errors.push(
        fieldError.invalid(
          'spec.template.metadata.labels',
          labels ?? null,
          '`selector` does not match template `labels`',
        ),
      );
    validatePodTemplateSpec(spec.template, 'spec.template', errors);
  }
  return errors;
}
