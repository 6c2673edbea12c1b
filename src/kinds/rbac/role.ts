// Role.
import type { Role } from '#generated/api/rbac-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import type { Errors } from '../rules.ts';
import { column, NAME, nameOf } from '../table.ts';
import { validateRules } from './rules.ts';

const validate = (r: Role): Errors => {
  const errors: Errors = [];
  validateRules(r.rules, true, errors);
  return errors;
};

export const role: ResourceDefinition<Role> = defineKind<Role>({
  group: 'rbac.authorization.k8s.io',
  resource: 'roles',
  table: {
    columns: [NAME, column('Created At')],
    cells: (r) => [nameOf(r), r.metadata.creationTimestamp ?? '<unknown>'],
  },
  strategy: { nameRule: 'path', validateCreate: validate, validateUpdate: validate },
});
