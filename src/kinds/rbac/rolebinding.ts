// RoleBinding.
import type { RoleBinding } from '#generated/api/rbac-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const roleBinding: ResourceDefinition<RoleBinding> = defineKind<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  resource: 'rolebindings',
});
