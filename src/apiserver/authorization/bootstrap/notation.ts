// A short way to write bootstrap policy as data, and the API objects it stands for.
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '#generated/api/rbac-v1.ts';

export interface BootstrapRole {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  /** The role is collected into this one (`admin`, `edit`, `view`). */
  readonly aggregatesTo?: string;
  /** The role's rules are collected, by the ClusterRole aggregation controller, from roles with this mark. */
  readonly aggregates?: string;
}

export interface BootstrapBinding {
  readonly name: string;
  readonly role: string;
  readonly subjects: readonly Subject[];
}

export const AUTOUPDATE_ANNOTATION = 'rbac.authorization.kubernetes.io/autoupdate';
const RBAC_GROUP = 'rbac.authorization.k8s.io';
const AGGREGATE_LABEL = 'rbac.authorization.k8s.io/aggregate-to-';

/** Words are separated by one space; the group `core` is ''. */
export function rule(verbs: string, groups: string, resources: string, names?: string): PolicyRule {
  return {
    verbs: words(verbs),
    apiGroups: words(groups).map((g) => (g === 'core' ? '' : g)),
    resources: words(resources),
    ...(names === undefined ? {} : { resourceNames: words(names) }),
  };
}

export function urls(verbs: string, paths: string): PolicyRule {
  return { verbs: words(verbs), nonResourceURLs: words(paths) };
}

export const user = (name: string): Subject => ({ kind: 'User', apiGroup: RBAC_GROUP, name });
export const group = (name: string): Subject => ({ kind: 'Group', apiGroup: RBAC_GROUP, name });
export const serviceAccount = (namespace: string, name: string): Subject => ({
  kind: 'ServiceAccount',
  name,
  namespace,
});

export function clusterRoleObject(role: BootstrapRole): ClusterRole {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'ClusterRole',
    metadata: {
      name: role.name,
      labels: {
        ...MARK,
        ...(role.aggregatesTo === undefined ? {} : { [AGGREGATE_LABEL + role.aggregatesTo]: 'true' }),
      },
      annotations: { [AUTOUPDATE_ANNOTATION]: 'true' },
    },
    rules: role.rules,
    ...(role.aggregates === undefined
      ? {}
      : {
          aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [AGGREGATE_LABEL + role.aggregates]: 'true' } }] },
        }),
  };
}

export function roleObject(namespace: string, role: BootstrapRole): Role {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'Role',
    metadata: { name: role.name, namespace, labels: MARK, annotations: { [AUTOUPDATE_ANNOTATION]: 'true' } },
    rules: role.rules,
  };
}

export function clusterRoleBindingObject(binding: BootstrapBinding): ClusterRoleBinding {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: binding.name, labels: MARK, annotations: { [AUTOUPDATE_ANNOTATION]: 'true' } },
    ...subjectsOf(binding),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: binding.role },
  };
}

export function roleBindingObject(namespace: string, binding: BootstrapBinding): RoleBinding {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'RoleBinding',
    metadata: { name: binding.name, namespace, labels: MARK, annotations: { [AUTOUPDATE_ANNOTATION]: 'true' } },
    ...subjectsOf(binding),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name: binding.role },
  };
}

const MARK = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

const words = (text: string): string[] => text.split(' ');

const subjectsOf = (binding: BootstrapBinding): { subjects?: readonly Subject[] } =>
  binding.subjects.length === 0 ? {} : { subjects: binding.subjects };
