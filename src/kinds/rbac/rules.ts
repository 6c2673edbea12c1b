// Rules and columns the RBAC kinds share.
import type { PolicyRule, RoleRef, Subject } from '#generated/api/rbac-v1.ts';
import { isPathSegment } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, at, immutable } from '../rules.ts';

const GROUP = 'rbac.authorization.k8s.io';

export function validateRules(rules: readonly PolicyRule[] | undefined, namespaced: boolean, errors: Errors): void {
  for (const [index, rule] of (rules ?? []).entries()) {
    const where = at('rules', index);
    if ((rule.verbs ?? []).length === 0)
      errors.push(fieldError.required(`${where}.verbs`, 'verbs must contain at least one value'));
    if ((rule.nonResourceURLs ?? []).length > 0) {
      if (namespaced)
        errors.push(
          fieldError.invalid(
            `${where}.nonResourceURLs`,
            rule.nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs',
          ),
        );
      if ([rule.apiGroups, rule.resources, rule.resourceNames].some((l) => (l ?? []).length > 0)) {
        errors.push(
          fieldError.invalid(
            `${where}.nonResourceURLs`,
            rule.nonResourceURLs,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        );
      }
      continue;
    }
    if ((rule.apiGroups ?? []).length === 0)
      errors.push(fieldError.required(`${where}.apiGroups`, 'resource rules must supply at least one api group'));
    if ((rule.resources ?? []).length === 0)
      errors.push(fieldError.required(`${where}.resources`, 'resource rules must supply at least one resource'));
  }
}

/** Subjects that are users or groups belong to the RBAC API group, service accounts to the core one. */
export const defaultSubject = (subject: Subject): Subject =>
  (subject.kind === 'User' || subject.kind === 'Group') && (subject.apiGroup ?? '') === ''
    ? { ...subject, apiGroup: GROUP }
    : subject;

export function validateSubjects(subjects: readonly Subject[] | undefined, namespaced: boolean, errors: Errors): void {
  for (const [index, subject] of (subjects ?? []).entries()) {
    const where = at('subjects', index);
    if ((subject.name ?? '') === '') errors.push(fieldError.required(`${where}.name`));
    switch (subject.kind) {
      case 'ServiceAccount':
        if ((subject.apiGroup ?? '') !== '')
          errors.push(fieldError.notSupported(`${where}.apiGroup`, subject.apiGroup, ['']));
        if (!namespaced && (subject.namespace ?? '') === '') errors.push(fieldError.required(`${where}.namespace`));
        break;
      case 'User':
      case 'Group':
        if (subject.apiGroup !== GROUP)
          errors.push(fieldError.notSupported(`${where}.apiGroup`, subject.apiGroup, [GROUP]));
        break;
      default:
        errors.push(fieldError.notSupported(`${where}.kind`, subject.kind, ['ServiceAccount', 'User', 'Group']));
    }
  }
}

export function validateRoleRef(ref: RoleRef, kinds: readonly string[], errors: Errors): void {
  if (ref.apiGroup !== GROUP) errors.push(fieldError.notSupported('roleRef.apiGroup', ref.apiGroup, [GROUP]));
  if (!kinds.includes(ref.kind)) errors.push(fieldError.notSupported('roleRef.kind', ref.kind, kinds));
  if ((ref.name ?? '') === '') errors.push(fieldError.required('roleRef.name'));
  else
    for (const message of isPathSegment(ref.name)) errors.push(fieldError.invalid('roleRef.name', ref.name, message));
}

export function fixedRoleRef(ref: RoleRef, old: RoleRef, errors: Errors): void {
  const before = errors.length;
  immutable(ref, old, 'roleRef', errors);
  if (errors.length > before) errors[errors.length - 1] = fieldError.invalid('roleRef', ref, 'cannot change roleRef');
}

export const subjectsText = (subjects: readonly Subject[] | undefined, kind: string): string =>
  (subjects ?? [])
    .filter((s) => s.kind === kind)
    .map((s) => (kind === 'ServiceAccount' ? `${s.namespace ?? ''}/${s.name}` : s.name))
    .join(', ');
