// Secret.
import type { Secret } from '#generated/api/core-v1.ts';
import { isConfigMapKey } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, atKey, immutable, messages, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { DATA_BYTES_MAX } from './configmap.ts';

/** Type → keys of data that must be there. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

export const secret: ResourceDefinition<Secret> = defineKind<Secret>({
  resource: 'secrets',
  selectableFields: { type: (s) => s.type ?? '' },
  table: {
    columns: [NAME, column('Type'), column('Data', 'integer'), AGE],
    cells: (s, nowMs) => [nameOf(s), s.type ?? '', Object.keys(s.data ?? {}).length, ageOf(s, nowMs)],
  },
  strategy: {
    // stringData is write-only: it becomes data before anything sees the object.
    default: (s) => {
      if (s.stringData === undefined) return s;
      const { stringData, ...rest } = s;
      const data: Record<string, string> = { ...s.data };
      for (const [key, value] of Object.entries(stringData)) data[key] = Buffer.from(value).toString('base64');
      return { ...rest, data };
    },
    validateCreate: validate,
    validateUpdate: (s, old) => {
      const errors: Errors = [];
      immutable(s.type, old.type, 'type', errors);
      if (old.immutable === true) {
        const message = 'field is immutable when `immutable` is set';
        if (s.immutable !== true) errors.push(fieldError.forbidden('immutable', message));
        if (!sameJson(s.data, old.data)) errors.push(fieldError.forbidden('data', message));
      }
      errors.push(...validate(s));
      return errors;
    },
  },
});

function validate(s: Secret): readonly FieldError[] {
  const errors: Errors = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(s.data ?? {})) {
    messages(isConfigMapKey(key), atKey('data', key), key, errors);
    bytes += Math.floor((value.length * 3) / 4);
  }
  if (bytes > DATA_BYTES_MAX) errors.push(fieldError.tooLong('data', DATA_BYTES_MAX));
  for (const key of REQUIRED_KEYS[s.type ?? ''] ?? []) {
    if (s.data?.[key] === undefined) errors.push(fieldError.required(atKey('data', key)));
  }
  if (s.type === 'kubernetes.io/service-account-token') {
    const field = atKey('metadata.annotations', 'kubernetes.io/service-account.name');
    if ((s.metadata.annotations?.['kubernetes.io/service-account.name'] ?? '') === '')
      errors.push(fieldError.required(field));
  }
  if (
    s.type === 'kubernetes.io/basic-auth' &&
    s.data?.['username'] === undefined &&
    s.data?.['password'] === undefined
  ) {
    errors.push(fieldError.required(atKey('data', 'username')), fieldError.required(atKey('data', 'password')));
  }
  for (const key of ['.dockercfg', '.dockerconfigjson']) {
    if (!(REQUIRED_KEYS[s.type ?? ''] ?? []).includes(key) || s.data?.[key] === undefined) continue;
    try {
      JSON.parse(Buffer.from(s.data[key], 'base64').toString());
    } catch (error) {
      errors.push(
        fieldError.invalid(
          atKey('data', key),
          '<secret contents redacted>',
          error instanceof Error ? error.message : String(error),
        ),
      );
    }
  }
  return errors;
}
