// PersistentVolume.
import type { PersistentVolume, PersistentVolumeSpec } from '#generated/api/core-v1.ts';
import { tryParseQuantity } from '#machinery/quantity.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { type Errors, at, child, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { validateNodeSelectorTerm } from './pod/validate-spec.ts';
import { ACCESS_MODES, accessModesText } from './persistentvolumeclaim.ts';

const SOURCES = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flocker',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'local',
  'storageos',
  'csi',
  'flexVolume',
] as const satisfies readonly (keyof PersistentVolumeSpec)[];

const RECLAIM = ['Delete', 'Recycle', 'Retain'];
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

export const persistentVolume: ResourceDefinition<PersistentVolume> = defineKind<PersistentVolume>({
  resource: 'persistentvolumes',
  shortNames: ['pv'],
  table: {
    columns: [
      NAME,
      column('Capacity'),
      column('Access Modes'),
      column('Reclaim Policy'),
      column('Status'),
      column('Claim'),
      column('StorageClass'),
      column('VolumeAttributesClass'),
      column('Reason'),
      AGE,
      wide('VolumeMode'),
    ],
    cells: (v, nowMs) => {
      const claim = v.spec?.claimRef;
      return [
        nameOf(v),
        v.spec?.capacity?.['storage'] ?? '0',
        accessModesText(v.spec?.accessModes),
        v.spec?.persistentVolumeReclaimPolicy ?? '',
        v.metadata.deletionTimestamp !== undefined ? 'Terminating' : (v.status?.phase ?? ''),
        claim === undefined ? '' : `${claim.namespace}/${claim.name}`,
        v.metadata.annotations?.[BETA_CLASS] ?? v.spec?.storageClassName ?? '',
        v.spec?.volumeAttributesClassName ?? '<unset>',
        v.status?.reason ?? '',
        ageOf(v, nowMs),
        v.spec?.volumeMode ?? '<unset>',
      ];
    },
  },
  strategy: {
    generation: false,
    default: (v) => {
      // A claim is named with its type, as upstream writes it.
      const ref = v.spec?.claimRef;
      if (v.spec === undefined || ref === undefined || ref.kind !== undefined) return v;
      return { ...v, spec: { ...v.spec, claimRef: { ...ref, kind: 'PersistentVolumeClaim', apiVersion: 'v1' } } };
    },
    prepareForCreate: (v, context) => ({ ...v, status: { phase: 'Pending', lastPhaseTransitionTime: context.now } }),
    prepareForUpdate: (v, old) => keepStatus(v, old),
    validateCreate: validate,
    validateUpdate: (v, old) => {
      const errors: Errors = [...validate(v)];
      for (const source of SOURCES) {
        if (!sameJson(v.spec?.[source], old.spec?.[source])) {
          errors.push(
            fieldError.forbidden(
              'spec.persistentvolumesource',
              'spec.persistentvolumesource is immutable after creation',
            ),
          );
          break;
        }
      }
      if (!sameJson(v.spec?.volumeMode, old.spec?.volumeMode))
        errors.push(fieldError.invalid('spec.volumeMode', v.spec?.volumeMode, 'field is immutable'));
      if (old.spec?.nodeAffinity !== undefined && !sameJson(v.spec?.nodeAffinity, old.spec.nodeAffinity)) {
        errors.push(fieldError.invalid('spec.nodeAffinity', v.spec?.nodeAffinity, 'field is immutable'));
      }
      return errors;
    },
  },
});

function validate(v: PersistentVolume): readonly FieldError[] {
  const errors: Errors = [];
  const spec = v.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  if ((spec.accessModes ?? []).length === 0) errors.push(fieldError.required('spec.accessModes'));
  for (const mode of spec.accessModes ?? [])
    if (!ACCESS_MODES.includes(mode)) errors.push(fieldError.notSupported('spec.accessModes', mode, ACCESS_MODES));
  if (Object.keys(spec.capacity ?? {}).length === 0) errors.push(fieldError.required('spec.capacity'));
  else if (spec.capacity?.['storage'] === undefined)
    errors.push(fieldError.notSupported('spec.capacity', spec.capacity, ['storage']));
  else if ((tryParseQuantity(spec.capacity['storage'])?.unscaled ?? 1n) <= 0n) {
    errors.push(fieldError.invalid('spec.capacity[storage]', spec.capacity['storage'], 'must be greater than zero'));
  }
  if (!RECLAIM.includes(spec.persistentVolumeReclaimPolicy ?? ''))
    errors.push(
      fieldError.notSupported('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, RECLAIM),
    );
  const set = SOURCES.filter((s) => spec[s] !== undefined);
  if (set.length === 0) errors.push(fieldError.required('spec', 'must specify a volume type'));
  for (const extra of set.slice(1))
    errors.push(fieldError.forbidden(child('spec', extra), 'may not specify more than 1 volume type'));
  if (spec.hostPath !== undefined) {
    if ((spec.hostPath.path ?? '') === '') errors.push(fieldError.required('spec.hostPath.path'));
    else if (spec.hostPath.path.split('/').includes('..'))
      errors.push(fieldError.invalid('spec.hostPath.path', spec.hostPath.path, "must not contain '..'"));
  }
  if (spec.csi !== undefined) {
    if ((spec.csi.driver ?? '') === '') errors.push(fieldError.required('spec.csi.driver'));
    if ((spec.csi.volumeHandle ?? '') === '') errors.push(fieldError.required('spec.csi.volumeHandle'));
  }
  if (spec.local !== undefined && spec.nodeAffinity?.required === undefined)
    errors.push(fieldError.required('spec.nodeAffinity', 'Local volume requires node affinity'));
  for (const [index, term] of (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries()) {
    validateNodeSelectorTerm(term, at('spec.nodeAffinity.required.nodeSelectorTerms', index), errors);
  }
  return errors;
}
