// ClusterRoleBinding.
import type { ClusterRoleBinding } from '#generated/api/rbac-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import type { Errors } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';
import { defaultSubject, fixedRoleRef, subjectsText, validateRoleRef, validateSubjects } from './rules.ts';

const validate = (b: ClusterRoleBinding): Errors => {
  const errors: Errors = [];
  validateRoleRef(b.roleRef, ['ClusterRole'], errors);
  validateSubjects(b.subjects, false, errors);
  return errors;
};

export const clusterRoleBinding: ResourceDefinition<ClusterRoleBinding> = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  resource: 'clusterrolebindings',
  table: {
    columns: [NAME, column('Role'), AGE, wide('Users'), wide('Groups'), wide('ServiceAccounts')],
    cells: (b, nowMs) => [
      nameOf(b),
      `${b.roleRef?.kind}/${b.roleRef?.name}`,
      ageOf(b, nowMs),
      subjectsText(b.subjects, 'User'),
      subjectsText(b.subjects, 'Group'),
      subjectsText(b.subjects, 'ServiceAccount'),
    ],
  },
  strategy: {
    nameRule: 'path',
    default: (b) => (b.subjects === undefined ? b : { ...b, subjects: b.subjects?.map(defaultSubject) }),
    validateCreate: validate,
    validateUpdate: (b, old) => {
      const errors = validate(b);
      fixedRoleRef(b.roleRef, old.roleRef, errors);
      return errors;
    },
  },
});
