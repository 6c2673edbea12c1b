// ClusterRoleBinding.
import type { ClusterRoleBinding } from '#generated/api/rbac-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const clusterRoleBinding: ResourceDefinition<ClusterRoleBinding> = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  resource: 'clusterrolebindings',
});
