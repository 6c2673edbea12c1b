// ResourceQuota.
import type { ResourceQuota } from '#generated/api/core-v1.ts';
import { tryParseQuantity } from '#machinery/quantity.ts';
import { isQualifiedName } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, atKey, immutable, messages } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const resourceQuota: ResourceDefinition<ResourceQuota> = defineKind<ResourceQuota>({
  resource: 'resourcequotas',
  shortNames: ['quota'],
  table: {
    columns: [NAME, column('Request'), column('Limit'), AGE],
    cells: (q, nowMs) => {
      const used = (name: string): string =>
        `${name}: ${q.status?.used?.[name] ?? '0'}/${q.status?.hard?.[name] ?? '0'}`;
      const names = Object.keys(q.status?.hard ?? {}).sort();
      const limits = names.filter((n) => n.startsWith('limits'));
      return [
        nameOf(q),
        names
          .filter((n) => !n.startsWith('limits'))
          .map(used)
          .join(', '),
        limits.map(used).join(', '),
        ageOf(q, nowMs),
      ];
    },
  },
  strategy: {
    generation: false,
    ...statusStrategy,
    validateCreate: validate,
    validateUpdate: (q, old) => {
      const errors: Errors = [...validate(q)];
      immutable(q.spec?.scopes, old.spec?.scopes, 'spec.scopes', errors);
      return errors;
    },
  },
});

function validate(q: ResourceQuota): readonly FieldError[] {
  const errors: Errors = [];
  for (const [name, amount] of Object.entries(q.spec?.hard ?? {})) {
    const where = atKey('spec.hard', name);
    messages(isQualifiedName(name), where, name, errors);
    const quantity = tryParseQuantity(amount);
    if (quantity !== undefined && quantity.unscaled < 0n)
      errors.push(fieldError.invalid(where, amount, 'must be greater than or equal to 0'));
  }
  return errors;
}
