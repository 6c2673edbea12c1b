import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import type { AdmissionAttributes } from '../pipeline.ts';
import { createAuthorizer } from './authorizer.ts';
import { group, rule, urls } from './bootstrap/notation.ts';
import { EscalationCheck } from './escalation.ts';
import { rbacSourceFrom } from './rbac-source.ts';

const ref = (name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name });
const bind = (name: string, who: string) => ({
  metadata: { name: `${who}-${name}` },
  subjects: [{ kind: 'User', name: who }],
  roleRef: ref(name),
});
const source = rbacSourceFrom({
  clusterRoles: [
    { metadata: { name: 'reader' }, rules: [rule('get list', 'core', 'pods')] },
    { metadata: { name: 'editor' }, rules: [rule('*', 'core', 'pods secrets')] },
    { metadata: { name: 'escalator' }, rules: [rule('escalate', 'rbac.authorization.k8s.io', 'clusterroles')] },
    { metadata: { name: 'binder' }, rules: [rule('bind', 'rbac.authorization.k8s.io', 'clusterroles', 'editor')] },
    { metadata: { name: 'everything' }, rules: [rule('*', '*', '*'), urls('*', '*')] },
  ],
  clusterRoleBindings: [
    bind('reader', 'bob'),
    bind('escalator', 'esc'),
    bind('binder', 'bin'),
    bind('everything', 'all'),
  ],
});
const { authorizer, rbac } = createAuthorizer({ rbac: source });
const check = new EscalationCheck({ authorizer, rbac });

function validate(
  user: string,
  resource: string,
  object: unknown,
  oldObject?: unknown,
  groups: readonly string[] = ['dev', 'system:authenticated'],
): Promise<void> {
  return check.validate({
    user: { name: user, groups },
    operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
    group: 'rbac.authorization.k8s.io',
    resource,
    subresource: '',
    namespace: '',
    name: '',
    object: object as KubeObject,
    oldObject: oldObject as KubeObject | undefined,
  } as AdmissionAttributes);
}

const role = (...rules: object[]) => ({ metadata: { name: 'new' }, rules });
const binding = (name: string) => ({ metadata: { name: 'new' }, subjects: [group('x')], roleRef: ref(name) });
const aggregated = {
  metadata: { name: 'new' },
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
};

describe('EscalationCheck', () => {
  const allowed: [string, () => Promise<void>][] = [
    ['a role of what its maker holds', () => validate('bob', 'clusterroles', role(rule('get', 'core', 'pods')))],
    ['any role of a user who may escalate', () => validate('esc', 'clusterroles', role(rule('*', '*', '*')))],
    [
      'any role of system:masters',
      () => validate('root', 'clusterroles', role(rule('*', '*', '*')), undefined, ['system:masters']),
    ],
    [
      'an update that grants nothing',
      () =>
        validate(
          'bob',
          'clusterroles',
          { ...role(rule('*', '*', '*')), metadata: { name: 'new', labels: { a: 'b' } } },
          role(rule('*', '*', '*')),
        ),
    ],
    [
      'a binding to a role whose rules the maker holds',
      () => validate('bob', 'clusterrolebindings', binding('reader')),
    ],
    ['a binding that may be bound', () => validate('bin', 'clusterrolebindings', binding('editor'))],
    ['an aggregated role of who holds everything', () => validate('all', 'clusterroles', aggregated)],
  ];
  for (const [what, run] of allowed) it(`lets through ${what}`, () => run());

  const refused: [string, () => Promise<void>, string][] = [
    [
      'a role of more than its maker holds',
      () =>
        validate(
          'bob',
          'clusterroles',
          role(rule('get delete deletecollection', 'core', 'pods'), rule('get', 'core', 'secrets')),
        ),
      'clusterroles.rbac.authorization.k8s.io "new" is forbidden: user "bob" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "deletecollection"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    ],
    [
      'a binding to a role of more than its maker holds',
      () => validate('bob', 'clusterrolebindings', binding('editor')),
      'clusterrolebindings.rbac.authorization.k8s.io "new" is forbidden: user "bob" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["*"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["*"]}',
    ],
    [
      'a binding to a role that is not there',
      () => validate('bob', 'clusterrolebindings', binding('gone')),
      'clusterroles.rbac.authorization.k8s.io "gone" not found',
    ],
    [
      'an aggregated role',
      () => validate('bob', 'clusterroles', aggregated),
      'clusterroles.rbac.authorization.k8s.io "new" is forbidden: must have cluster-admin privileges to use the aggregationRule',
    ],
  ];
  for (const [what, run, message] of refused) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(run(), (e: StatusError) => {
        assert.equal(e.message, message);
        return true;
      });
    });
  }
});
