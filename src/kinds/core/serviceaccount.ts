// ServiceAccount.
import type { ServiceAccount } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const serviceAccount: ResourceDefinition<ServiceAccount> = defineKind<ServiceAccount>({
  resource: 'serviceaccounts',
  shortNames: ['sa'],
});
