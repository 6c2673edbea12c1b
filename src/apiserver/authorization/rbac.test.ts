import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RoleRef, Subject } from '#generated/api/rbac-v1.ts';
import type { AuthorizerAttributes } from '../pipeline.ts';
import { createAuthorizer } from './authorizer.ts';
import { rule, serviceAccount, urls } from './bootstrap/notation.ts';
import { rbacSourceFrom } from './rbac-source.ts';

const user = (name: string, ...groups: string[]) => ({ name, groups });
const ref = (kind: 'Role' | 'ClusterRole', name: string): RoleRef => ({
  apiGroup: 'rbac.authorization.k8s.io',
  kind,
  name,
});
const bob: Subject = { kind: 'User', name: 'bob' };
const ops: Subject = { kind: 'Group', name: 'ops' };

const source = rbacSourceFrom({
  clusterRoles: [
    {
      metadata: { name: 'reader' },
      rules: [rule('get list', 'core', 'pods pods/log'), urls('get', '/metrics /debug/*')],
    },
    { metadata: { name: 'scaler' }, rules: [rule('update', '*', '*/scale')] },
    { metadata: { name: 'one' }, rules: [rule('get', 'core', 'secrets', 'only-this')] },
  ],
  roles: [{ metadata: { name: 'writer', namespace: 'db' }, rules: [rule('*', 'apps', 'deployments')] }],
  clusterRoleBindings: [
    { metadata: { name: 'ops-read' }, subjects: [ops], roleRef: ref('ClusterRole', 'reader') },
    { metadata: { name: 'broken' }, subjects: [{ kind: 'User', name: 'eve' }], roleRef: ref('ClusterRole', 'gone') },
    { metadata: { name: 'scale' }, subjects: [serviceAccount('db', 'hpa')], roleRef: ref('ClusterRole', 'scaler') },
  ],
  roleBindings: [
    { metadata: { name: 'bob-read', namespace: 'db' }, subjects: [bob], roleRef: ref('ClusterRole', 'reader') },
    { metadata: { name: 'bob-write', namespace: 'db' }, subjects: [bob], roleRef: ref('Role', 'writer') },
    { metadata: { name: 'bob-one', namespace: 'db' }, subjects: [bob], roleRef: ref('ClusterRole', 'one') },
    // A service account without namespace is one of the binding's own.
    {
      metadata: { name: 'local', namespace: 'db' },
      subjects: [{ kind: 'ServiceAccount', name: 'app' }],
      roleRef: ref('ClusterRole', 'reader'),
    },
  ],
});
const { authorizer, rules } = createAuthorizer({ rbac: source });

function ask(who: { name: string; groups: string[] }, text: string): AuthorizerAttributes {
  const [verb, what, namespace = '', name = ''] = text.split(' ') as [string, string, string?, string?];
  if (what.startsWith('/'))
    return {
      user: who,
      verb,
      isResourceRequest: false,
      namespace: '',
      apiGroup: '',
      apiVersion: '',
      resource: '',
      subresource: '',
      name: '',
      path: what,
    };
  const [group, resource, subresource = ''] = what.includes(':')
    ? [what.split(':')[0]!, ...what.split(':')[1]!.split('/')]
    : ['', ...what.split('/')];
  return {
    user: who,
    verb,
    isResourceRequest: true,
    namespace: namespace === '-' ? '' : namespace,
    apiGroup: group!,
    apiVersion: 'v1',
    resource: resource!,
    subresource,
    name,
    path: '',
  };
}

describe('createAuthorizer', () => {
  const cases: [ReturnType<typeof user>, string, 'allow' | 'no-opinion'][] = [
    [user('ann', 'ops'), 'list pods', 'allow'],
    [user('ann', 'ops'), 'list pods any', 'allow'],
    [user('ann', 'ops'), 'get pods/log any p', 'allow'],
    [user('ann', 'ops'), 'get pods/exec any p', 'no-opinion'],
    [user('ann', 'ops'), 'delete pods any p', 'no-opinion'],
    [user('ann', 'ops'), 'get /metrics', 'allow'],
    [user('ann', 'ops'), 'get /debug/pprof', 'allow'],
    [user('ann', 'ops'), 'get /debug', 'no-opinion'],
    [user('bob'), 'get pods db p', 'allow'],
    [user('bob'), 'get pods other p', 'no-opinion'],
    [user('bob'), 'list pods', 'no-opinion'],
    [user('bob'), 'delete apps:deployments db d', 'allow'],
    [user('bob'), 'delete apps:deployments/scale db d', 'no-opinion'],
    [user('bob'), 'get secrets db only-this', 'allow'],
    [user('bob'), 'get secrets db other', 'no-opinion'],
    [user('bob'), 'list secrets db', 'no-opinion'],
    // A ClusterRole's URLs count only when bound in the whole cluster.
    [user('bob'), 'get /metrics', 'no-opinion'],
    [user('system:serviceaccount:db:app'), 'get pods db p', 'allow'],
    [user('system:serviceaccount:other:app'), 'get pods db p', 'no-opinion'],
    [user('system:serviceaccount:db:hpa'), 'update apps:deployments/scale any d', 'allow'],
    [user('system:serviceaccount:db:hpa'), 'update apps:deployments any d', 'no-opinion'],
    [user('root', 'system:masters'), 'escalate anything:at/all here', 'allow'],
    [user('system:anonymous', 'system:unauthenticated'), 'get /readyz', 'allow'],
    [user('system:anonymous', 'system:unauthenticated'), 'get /version', 'no-opinion'],
  ];
  for (const [who, text, decision] of cases) {
    it(`${decision === 'allow' ? 'lets' : 'does not let'} ${who.name} ${text}`, async () => {
      assert.equal((await authorizer.authorize(ask(who, text))).decision, decision);
    });
  }

  it('says by which binding', async () => {
    const { reason } = await authorizer.authorize(ask(user('bob'), 'get pods db p'));
    assert.equal(reason, 'RBAC: allowed by RoleBinding "bob-read/db" of ClusterRole "reader" to User "bob"');
    const account = await authorizer.authorize(ask(user('system:serviceaccount:db:app'), 'get pods db p'));
    assert.equal(
      account.reason,
      'RBAC: allowed by RoleBinding "local/db" of ClusterRole "reader" to ServiceAccount "app/db"',
    );
  });

  it('says which role is missing', async () => {
    const { reason } = await authorizer.authorize(ask(user('eve'), 'get pods db p'));
    assert.equal(reason, 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found');
  });

  it('answers at once', () => {
    assert.ok(!(authorizer.authorize(ask(user('bob'), 'get pods db p')) instanceof Promise));
  });

  it('lists what a user may do in a namespace', () => {
    const own = rules.rulesFor(user('bob'), 'db');
    assert.deepEqual(
      own.resourceRules.map((r) => r.resources.join(' ')),
      ['pods pods/log', 'deployments', 'secrets'],
    );
    assert.equal(
      rules.rulesFor(user('eve'), 'db').evaluationError,
      'clusterrole.rbac.authorization.k8s.io "gone" not found',
    );
    // What needs no binding is in no list.
    assert.deepEqual(rules.rulesFor(user('root', 'system:masters'), 'db').nonResourceRules, []);
  });
});
