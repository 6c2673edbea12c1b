// StatefulSet.
import type { StatefulSet, StatefulSetUpdateStrategy } from '#generated/api/apps-v1.ts';
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate, validateTemplateAndSelector } from '../workload.ts';

type Spec = NonNullable<StatefulSet['spec']>;

const SPEC_ROWS: readonly Row<Spec>[] = [
  { field: 'podManagementPolicy', required: true },
  {
    field: 'podManagementPolicy',
    format: (v: string) => (v === 'OrderedReady' || v === 'Parallel' ? [] : ["must be 'OrderedReady' or 'Parallel'"]),
  },
  { field: 'replicas', min: 0 },
  { field: 'minReadySeconds', min: 0 },
];

/** What an update may change. */
const MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;
const MUTABLE_MESSAGE =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

export const statefulSet: ResourceDefinition<StatefulSet> = defineKind<StatefulSet>({
  group: 'apps',
  resource: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  scale: {
    specReplicasPath: 'spec.replicas',
    statusReplicasPath: 'status.replicas',
    selector: (sts) => formatLabelSelector((sts as StatefulSet).spec?.selector).replace('<none>', ''),
  },
  table: {
    columns: [NAME, column('Ready'), AGE, wide('Containers'), wide('Images')],
    cells: (sts, nowMs) => [
      nameOf(sts),
      `${sts.status?.readyReplicas ?? 0}/${sts.spec?.replicas ?? 0}`,
      ageOf(sts, nowMs),
      containerNames(sts.spec?.template?.spec?.containers),
      containerImages(sts.spec?.template?.spec?.containers),
    ],
  },
  strategy: {
    ...statusStrategy,
    nameRule: 'label',
    default: (sts) => {
      if (sts.spec === undefined) return sts;
      return {
        ...sts,
        spec: {
          ...sts.spec,
          updateStrategy: defaultUpdateStrategy(sts.spec.updateStrategy),
          template: defaultTemplate(sts.spec.template),
          ...(sts.spec.volumeClaimTemplates === undefined
            ? {}
            : { volumeClaimTemplates: sts.spec.volumeClaimTemplates.map(withHead) }),
        },
      };
    },
    validateCreate: validate,
    validateUpdate: (sts, old) => {
      const errors: Errors = [...validate(sts)];
      const fixed = (spec: Spec | undefined): Record<string, unknown> => {
        const copy: Record<string, unknown> = { ...spec };
        for (const field of MUTABLE) delete copy[field];
        return copy;
      };
      if (!sameJson(fixed(sts.spec), fixed(old.spec))) errors.push(fieldError.forbidden('spec', MUTABLE_MESSAGE));
      return errors;
    },
  },
});

/** Claims in a template are written with their type, as upstream does. */
const withHead = (claim: PersistentVolumeClaim): PersistentVolumeClaim => ({
  ...claim,
  kind: 'PersistentVolumeClaim',
  apiVersion: 'v1',
});

function defaultUpdateStrategy(strategy: StatefulSetUpdateStrategy | undefined): StatefulSetUpdateStrategy {
  const type = strategy?.type ?? 'RollingUpdate';
  return type === 'RollingUpdate'
    ? { ...strategy, type, rollingUpdate: { partition: 0, ...strategy?.rollingUpdate } }
    : { ...strategy, type };
}

function validate(sts: StatefulSet): readonly FieldError[] {
  const errors: Errors = [];
  const spec = sts.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  checkRows(spec, 'spec', SPEC_ROWS, errors);
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  if (type === undefined || type === '') errors.push(fieldError.required('spec.updateStrategy'));
  else if (type === 'OnDelete') {
    if (rollingUpdate !== undefined)
      errors.push(
        fieldError.invalid(
          'spec.updateStrategy.rollingUpdate',
          rollingUpdate,
          "only allowed for updateStrategy 'RollingUpdate'",
        ),
      );
  } else if (type !== 'RollingUpdate') {
    errors.push(
      fieldError.invalid('spec.updateStrategy', spec.updateStrategy, "must be 'RollingUpdate' or 'OnDelete'"),
    );
  } else if ((rollingUpdate?.partition ?? 0) < 0) {
    errors.push(
      fieldError.invalid(
        'spec.updateStrategy.rollingUpdate.partition',
        rollingUpdate?.partition,
        'must be greater than or equal to 0',
      ),
    );
  }
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  for (const member of ['whenDeleted', 'whenScaled'] as const) {
    const value = retention?.[member];
    if (value !== undefined && !['Retain', 'Delete'].includes(value)) {
      errors.push(
        fieldError.notSupported(`spec.persistentVolumeClaimRetentionPolicy.${member}`, value, ['Delete', 'Retain']),
      );
    }
  }
  if ((spec.ordinals?.start ?? 0) < 0)
    errors.push(fieldError.invalid('spec.ordinals.start', spec.ordinals?.start, 'must be greater than or equal to 0'));
  validateTemplateAndSelector(spec, 'statefulset', errors);
  return errors;
}
