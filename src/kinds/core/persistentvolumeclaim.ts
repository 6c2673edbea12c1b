// PersistentVolumeClaim.
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { isDns1123Subdomain } from '#machinery/names.ts';
import { compareQuantity, tryParseQuantity } from '#machinery/quantity.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { type Errors, child, messages, sameJson } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';

export const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const SHORT_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
const FIXED =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

export const accessModesText = (modes: readonly string[] | undefined): string =>
  ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']
    .filter((m) => modes?.includes(m))
    .map((m) => SHORT_MODES[m])
    .join(',');

/** The class asked for: undefined means the default, '' means none. */
export const claimClassOf = (pvc: PersistentVolumeClaim): string | undefined =>
  pvc.metadata.annotations?.[BETA_CLASS] ?? pvc.spec?.storageClassName;

export const persistentVolumeClaim: ResourceDefinition<PersistentVolumeClaim> = defineKind<PersistentVolumeClaim>({
  resource: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  table: {
    columns: [
      NAME,
      column('Status'),
      column('Volume'),
      column('Capacity'),
      column('Access Modes'),
      column('StorageClass'),
      column('VolumeAttributesClass'),
      AGE,
      wide('VolumeMode'),
    ],
    cells: (c, nowMs) => {
      const bound = (c.spec?.volumeName ?? '') !== '';
      const phase = c.metadata.deletionTimestamp !== undefined ? 'Terminating' : (c.status?.phase ?? '');
      return [
        nameOf(c),
        phase,
        c.spec?.volumeName ?? '',
        bound ? (c.status?.capacity?.['storage'] ?? '0') : '',
        bound ? accessModesText(c.status?.accessModes) : '',
        claimClassOf(c) ?? '',
        c.spec?.volumeAttributesClassName ?? '<unset>',
        ageOf(c, nowMs),
        c.spec?.volumeMode ?? '<unset>',
      ];
    },
  },
  strategy: {
    generation: false,
    default: (c) => {
      // The old and the new way to name a source say the same.
      const { dataSource, dataSourceRef } = c.spec ?? {};
      if (c.spec === undefined || dataSource === undefined || dataSourceRef !== undefined) return c;
      return { ...c, spec: { ...c.spec, dataSourceRef: dataSource } };
    },
    prepareForCreate: (c) => ({ ...c, status: { phase: 'Pending' } }),
    prepareForUpdate: (c, old) => keepStatus(c, old),
    validateCreate: validate,
    validateUpdate: (c, old) => {
      const errors: Errors = [...validate(c)];
      const fixed = (claim: PersistentVolumeClaim): unknown => ({
        ...claim.spec,
        resources: { ...claim.spec?.resources, requests: undefined },
        volumeAttributesClassName: undefined,
        // The binder sets the volume once.
        volumeName: (old.spec?.volumeName ?? '') === '' ? undefined : claim.spec?.volumeName,
        // A claim made before there was a default class gets it later.
        storageClassName:
          old.spec?.storageClassName === undefined && (old.spec?.volumeName ?? '') === ''
            ? undefined
            : claim.spec?.storageClassName,
      });
      if (!sameJson(fixed(c), fixed(old))) errors.push(fieldError.forbidden('spec', FIXED));
      const [now, before] = [c, old].map((x) => tryParseQuantity(x.spec?.resources?.requests?.['storage'] ?? ''));
      if (now !== undefined && before !== undefined) {
        const order = compareQuantity(now, before);
        if (order < 0 && compareQuantity(now, tryParseQuantity(old.status?.capacity?.['storage'] ?? '0')!) <= 0) {
          errors.push(
            fieldError.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'),
          );
        }
        if (order !== 0 && old.status?.phase !== 'Bound') errors.push(fieldError.forbidden('spec', FIXED));
      }
      return errors;
    },
  },
});

function validate(c: PersistentVolumeClaim): readonly FieldError[] {
  const errors: Errors = [];
  if (c.spec === undefined) return [fieldError.required('spec')];
  validateClaimSpec(c.spec, 'spec', errors);
  return errors;
}

export function validateClaimSpec(
  spec: NonNullable<PersistentVolumeClaim['spec']>,
  path: string,
  errors: Errors,
): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0)
    errors.push(fieldError.required(child(path, 'accessModes'), 'at least 1 access mode is required'));
  validateLabelSelector(spec.selector, child(path, 'selector'), errors);
  for (const mode of modes)
    if (!ACCESS_MODES.includes(mode))
      errors.push(fieldError.notSupported(child(path, 'accessModes'), mode, ACCESS_MODES));
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    errors.push(
      fieldError.forbidden(child(path, 'accessModes'), 'may not use ReadWriteOncePod with other access modes'),
    );
  }
  const storage = spec.resources?.requests?.['storage'];
  const quantity = storage === undefined ? undefined : tryParseQuantity(storage);
  if (storage === undefined) errors.push(fieldError.required(`${path}.resources[storage]`));
  else if (quantity !== undefined && quantity.unscaled <= 0n)
    errors.push(fieldError.invalid(`${path}.resources[storage]`, storage, 'must be greater than zero'));
  if ((spec.storageClassName ?? '') !== '')
    messages(
      isDns1123Subdomain(spec.storageClassName!),
      child(path, 'storageClassName'),
      spec.storageClassName,
      errors,
    );
  if (spec.volumeMode !== undefined && !['Block', 'Filesystem'].includes(spec.volumeMode)) {
    errors.push(fieldError.notSupported(child(path, 'volumeMode'), spec.volumeMode, ['Block', 'Filesystem']));
  }
}
