// Roles and bindings as the RBAC authorizer reads them: from the informers' copies, indexed by subject, so that a
// request costs a few look-ups however many bindings there are.
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding, Subject } from '#generated/api/rbac-v1.ts';
import { clusterrolebindings, clusterroles, rolebindings, roles } from '#generated/resources.ts';
import type { Informers } from '#client/client.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { serviceAccountUsername } from '../authentication/users.ts';

export interface RbacSource {
  clusterRole(name: string): ClusterRole | undefined;
  role(namespace: string, name: string): Role | undefined;
  /** `subject` is a key of subjectKeys. */
  clusterRoleBindings(subject: string): readonly ClusterRoleBinding[];
  roleBindings(namespace: string, subject: string): readonly RoleBinding[];
}

const INDEX = 'rbacSubject';

export function rbacSourceOf(informers: Informers): RbacSource {
  const clusterRoleInformer = informers.informer(clusterroles);
  const roleInformer = informers.informer(roles);
  const clusterRoleBindingInformer = informers.informer(clusterrolebindings);
  const roleBindingInformer = informers.informer(rolebindings);
  clusterRoleBindingInformer.addIndex(INDEX, (b) => bindingSubjects(b.subjects, ''));
  roleBindingInformer.addIndex(INDEX, (b) =>
    bindingSubjects(b.subjects, b.metadata.namespace!).map((s) => namespacedKey(b.metadata.namespace!, s)),
  );
  return {
    clusterRole: (name) => clusterRoleInformer.get(name),
    role: (namespace, name) => roleInformer.get(`${namespace}/${name}`),
    clusterRoleBindings: (subject) => clusterRoleBindingInformer.byIndex(INDEX, subject),
    roleBindings: (namespace, subject) => roleBindingInformer.byIndex(INDEX, namespacedKey(namespace, subject)),
  };
}

/** A source of fixed objects, for tests and simulations. */
export function rbacSourceFrom(objects: {
  readonly clusterRoles?: readonly ClusterRole[];
  readonly roles?: readonly Role[];
  readonly clusterRoleBindings?: readonly ClusterRoleBinding[];
  readonly roleBindings?: readonly RoleBinding[];
}): RbacSource {
  const { clusterRoles = [], roles = [], clusterRoleBindings = [], roleBindings = [] } = objects;
  return {
    clusterRole: (name) => clusterRoles.find((r) => r.metadata.name === name),
    role: (namespace, name) => roles.find((r) => r.metadata.namespace === namespace && r.metadata.name === name),
    clusterRoleBindings: (subject) =>
      clusterRoleBindings.filter((b) => bindingSubjects(b.subjects, '').includes(subject)),
    roleBindings: (namespace, subject) =>
      roleBindings.filter(
        (b) => b.metadata.namespace === namespace && bindingSubjects(b.subjects, namespace).includes(subject),
      ),
  };
}

/** The keys under which a user's bindings stand: `u:<user name>` and `g:<group>` for each group. */
export function subjectKeys(user: UserInfo): readonly string[] {
  return [`u:${user.name}`, ...user.groups.map((g) => `g:${g}`)];
}

/** A service account is the user of its name; without a namespace it is of the binding's own. */
function bindingSubjects(subjects: readonly Subject[] | undefined, ownNamespace: string): string[] {
  return (subjects ?? []).flatMap((subject) => {
    if (subject.kind === 'User') return [`u:${subject.name}`];
    if (subject.kind === 'Group') return [`g:${subject.name}`];
    const namespace = subject.namespace || ownNamespace;
    return subject.kind === 'ServiceAccount' && namespace !== ''
      ? [`u:${serviceAccountUsername(namespace, subject.name)}`]
      : [];
  });
}

/** Namespaces hold no slash. */
const namespacedKey = (namespace: string, subject: string): string => `${namespace}/${subject}`;
