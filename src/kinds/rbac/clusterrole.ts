// ClusterRole.
import type { ClusterRole } from '#generated/api/rbac-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const clusterRole: ResourceDefinition<ClusterRole> = defineKind<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  resource: 'clusterroles',
});
