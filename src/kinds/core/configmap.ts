// ConfigMap.
import type { ConfigMap } from '#generated/api/core-v1.ts';
import { isConfigMapKey } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, atKey, messages, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

/** Bytes of all values together (upstream's MaxSecretSize, 1 MiB). */
export const DATA_BYTES_MAX = 1024 * 1024;

export const configMap: ResourceDefinition<ConfigMap> = defineKind<ConfigMap>({
  resource: 'configmaps',
  shortNames: ['cm'],
  table: {
    columns: [NAME, column('Data', 'integer'), AGE],
    cells: (c, nowMs) => [
      nameOf(c),
      Object.keys(c.data ?? {}).length + Object.keys(c.binaryData ?? {}).length,
      ageOf(c, nowMs),
    ],
  },
  strategy: {
    validateCreate: validate,
    validateUpdate: (c, old) => {
      const errors: Errors = [];
      if (old.immutable === true) {
        const message = 'field is immutable when `immutable` is set';
        if (c.immutable !== true) errors.push(fieldError.forbidden('immutable', message));
        if (!sameJson(c.data, old.data)) errors.push(fieldError.forbidden('data', message));
        if (!sameJson(c.binaryData, old.binaryData)) errors.push(fieldError.forbidden('binaryData', message));
      }
      errors.push(...validate(c));
      return errors;
    },
  },
});

function validate(c: ConfigMap): readonly FieldError[] {
  const errors: Errors = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(c.data ?? {})) {
    messages(isConfigMapKey(key), atKey('data', key), key, errors);
    if (c.binaryData?.[key] !== undefined)
      errors.push(fieldError.invalid(atKey('data', key), key, 'duplicate of key present in binaryData'));
    bytes += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(c.binaryData ?? {})) {
    messages(isConfigMapKey(key), atKey('binaryData', key), key, errors);
    bytes += Math.floor((value.length * 3) / 4);
  }
  if (bytes > DATA_BYTES_MAX) errors.push(fieldError.tooLong('', DATA_BYTES_MAX));
  return errors;
}
