// Role.
import type { Role } from '#generated/api/rbac-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const role: ResourceDefinition<Role> = defineKind<Role>({
  group: 'rbac.authorization.k8s.io',
  resource: 'roles',
});
