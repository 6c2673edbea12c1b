// StorageClass.
import type { StorageClass } from '#generated/api/storage-v1.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, immutable, sameJson } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const DEFAULT_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

export const isDefaultClass = (c: StorageClass): boolean =>
  DEFAULT_ANNOTATIONS.some((a) => c.metadata.annotations?.[a] === 'true');

export const storageClass: ResourceDefinition<StorageClass> = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  resource: 'storageclasses',
  shortNames: ['sc'],
  table: {
    columns: [
      NAME,
      column('Provisioner'),
      column('ReclaimPolicy'),
      column('VolumeBindingMode'),
      column('AllowVolumeExpansion', 'boolean'),
      AGE,
    ],
    cells: (c, nowMs) => [
      isDefaultClass(c) ? `${nameOf(c)} (default)` : nameOf(c),
      c.provisioner ?? '',
      c.reclaimPolicy ?? 'Delete',
      c.volumeBindingMode ?? 'Immediate',
      c.allowVolumeExpansion === true,
      ageOf(c, nowMs),
    ],
  },
  strategy: {
    validateCreate: validate,
    validateUpdate: (c, old) => {
      const errors = validate(c);
      if (!sameJson(c.parameters, old.parameters))
        errors.push(fieldError.forbidden('parameters', 'updates to parameters are forbidden.'));
      if (c.provisioner !== old.provisioner)
        errors.push(fieldError.forbidden('provisioner', 'updates to provisioner are forbidden.'));
      if (c.reclaimPolicy !== old.reclaimPolicy)
        errors.push(fieldError.forbidden('reclaimPolicy', 'updates to reclaimPolicy are forbidden.'));
      immutable(c.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode', errors);
      return errors;
    },
  },
});

function validate(c: StorageClass): Errors {
  const errors: Errors = [];
  if ((c.provisioner ?? '') === '') errors.push(fieldError.required('provisioner'));
  if (!['Delete', 'Retain'].includes(c.reclaimPolicy ?? ''))
    errors.push(fieldError.notSupported('reclaimPolicy', c.reclaimPolicy, ['Delete', 'Retain']));
  if (!['Immediate', 'WaitForFirstConsumer'].includes(c.volumeBindingMode ?? '')) {
    errors.push(
      fieldError.notSupported('volumeBindingMode', c.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    );
  }
  return errors;
}
