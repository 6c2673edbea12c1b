// ServiceAccount.
import type { ServiceAccount } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const serviceAccount: ResourceDefinition<ServiceAccount> = defineKind<ServiceAccount>({
  resource: 'serviceaccounts',
  shortNames: ['sa'],
  table: {
    columns: [NAME, column('Secrets', 'integer'), AGE],
    cells: (sa, nowMs) => [nameOf(sa), sa.secrets?.length ?? 0, ageOf(sa, nowMs)],
  },
});
