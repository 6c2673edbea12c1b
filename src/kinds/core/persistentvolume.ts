// PersistentVolume.
import type { PersistentVolume, PersistentVolumeSpec } from '#generated/api/core-v1.ts';
import { isDns1123Subdomain } from '#machinery/names.ts';
import { tryParseQuantity } from '#machinery/quantity.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { type Errors, at, child, messages, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { validateNodeSelectorTerm } from './pod/validate-spec.ts';
import { ACCESS_MODES, accessModesText } from './persistentvolumeclaim.ts';
import { sourceWarnings, validateSharedSource } from './volume-sources.ts';

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

const MODES = ['Block', 'Filesystem'];
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
    prepareForCreate: (v, context) => ({ ...v, status: { phase: 'Pending', lastPhaseTransitionTime: context.now } }),
    prepareForUpdate: (v, old) => keepStatus(v, old),
    warnings,
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
  const spec = v.spec ?? {};
  if ((spec.accessModes ?? []).length === 0) errors.push(fieldError.required('spec.accessModes'));
  for (const mode of spec.accessModes ?? [])
    if (!ACCESS_MODES.includes(mode)) errors.push(fieldError.notSupported('spec.accessModes', mode, ACCESS_MODES));
  if ((spec.accessModes ?? []).includes('ReadWriteOncePod') && (spec.accessModes ?? []).length > 1)
    errors.push(fieldError.forbidden('spec.accessModes', 'may not use ReadWriteOncePod with other access modes'));
  validateCapacity(spec, errors);
  const policy = spec.persistentVolumeReclaimPolicy ?? '';
  if (policy !== '' && !RECLAIM.includes(policy))
    errors.push(fieldError.notSupported('spec.persistentVolumeReclaimPolicy', policy, RECLAIM));
  validateReach(spec, errors);
  const set = SOURCES.filter((s) => spec[s] !== undefined);
  const [first, ...extra] = set;
  if (first === undefined) errors.push(fieldError.required('spec', 'must specify a volume type'));
  else validateSharedSource(first, spec[first], 'spec', errors, true);
  if (first === 'hostPath' || first === 'local') validateLocalPath(spec[first]?.path, `spec.${first}.path`, errors);
  for (const other of extra)
    errors.push(fieldError.forbidden(child('spec', other), 'may not specify more than 1 volume type'));
  if (spec.local !== undefined && spec.nodeAffinity === undefined)
    errors.push(fieldError.required('spec.nodeAffinity', 'Local volume requires node affinity'));
  if (spec.hostPath?.path === '/' && policy === 'Recycle')
    errors.push(
      fieldError.forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'"),
    );
  if ((spec.storageClassName ?? '') !== '')
    messages(isDns1123Subdomain(spec.storageClassName!), 'spec.storageClassName', spec.storageClassName, errors);
  if (spec.volumeMode !== undefined && !MODES.includes(spec.volumeMode))
    errors.push(fieldError.notSupported('spec.volumeMode', spec.volumeMode, MODES));
  const attributes = spec.volumeAttributesClassName;
  if (attributes === '')
    errors.push(fieldError.required('spec.volumeAttributesClassName', 'an empty string is disallowed'));
  else if (attributes !== undefined)
    messages(isDns1123Subdomain(attributes), 'spec.volumeAttributesClassName', attributes, errors);
  if (attributes !== undefined && spec.csi === undefined)
    errors.push(fieldError.required('spec.csi', 'has to be specified when using volumeAttributesClassName'));
  return errors;
}

function validateCapacity(spec: PersistentVolumeSpec, errors: Errors): void {
  const capacity = spec.capacity ?? {};
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(fieldError.required('spec.capacity'));
  if (names.length !== 1 || capacity['storage'] === undefined)
    errors.push(fieldError.notSupported('spec.capacity', spec.capacity ?? null, ['storage']));
  for (const name of names) {
    const quantity = tryParseQuantity(capacity[name]!);
    const field = `spec.capacity[${name}]`;
    if (quantity !== undefined && quantity.unscaled < 0n)
      errors.push(fieldError.invalid(field, Number(capacity[name]), 'must be a valid resource quantity'));
    if (quantity !== undefined && quantity.unscaled <= 0n)
      errors.push(fieldError.invalid(field, capacity[name], 'must be greater than zero'));
  }
}

/** From where the volume can be reached. */
function validateReach(spec: PersistentVolumeSpec, errors: Errors): void {
  if (spec.nodeAffinity === undefined) return;
  const path = 'spec.nodeAffinity.required';
  const { required } = spec.nodeAffinity;
  if (required === undefined) errors.push(fieldError.required(path, 'must specify required node constraints'));
  else if ((required.nodeSelectorTerms ?? []).length === 0)
    errors.push(fieldError.required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term'));
  for (const [index, term] of (required?.nodeSelectorTerms ?? []).entries())
    validateNodeSelectorTerm(term, at(`${path}.nodeSelectorTerms`, index), errors);
}

function validateLocalPath(path: string | undefined, field: string, errors: Errors): void {
  if ((path ?? '') === '') errors.push(fieldError.required(field));
  else if (path!.split('/').includes('..')) errors.push(fieldError.invalid(field, path, "must not contain '..'"));
}

function warnings(v: PersistentVolume): readonly string[] {
  const path = 'spec.persistentVolumeReclaimPolicy';
  return [
    ...(v.spec?.persistentVolumeReclaimPolicy === 'Recycle'
      ? [
          `${path}: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.`,
        ]
      : []),
    ...sourceWarnings(v.spec ?? {}, 'spec'),
  ];
}
