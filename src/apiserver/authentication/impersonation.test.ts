import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { AuthorizerAttributes } from '../pipeline.ts';
import { impersonate } from './impersonation.ts';

const admin: UserInfo = { name: 'admin', groups: ['system:authenticated'] };

/** Allows what `allowed` names (`group/resource[/subresource] namespace name`), and remembers what was asked. */
function authorizerOf(allowed: readonly string[]) {
  const asked: string[] = [];
  return {
    asked,
    authorize: (a: AuthorizerAttributes) => {
      const text = `${a.apiGroup}/${a.resource}${a.subresource === '' ? '' : `/${a.subresource}`} ${a.namespace} ${a.name}`;
      asked.push(`${a.verb} ${text}`);
      return {
        decision: allowed.includes('*') || allowed.includes(text) ? 'allow' : 'no-opinion',
        reason: '',
      } as const;
    },
  };
}

describe('impersonate', () => {
  const cases = [
    { when: 'no such header is there', headers: {}, user: undefined, asked: [] },
    {
      when: 'a user is named',
      headers: { 'impersonate-user': 'bob' },
      user: { name: 'bob', groups: ['system:authenticated'] },
      asked: ['impersonate /users  bob'],
    },
    {
      when: 'groups, uid and extra are named',
      headers: {
        'impersonate-user': 'bob',
        'impersonate-group': 'a, b',
        'impersonate-uid': '7',
        'impersonate-extra-acme%2fscope': 'x',
      },
      user: { name: 'bob', uid: '7', groups: ['a', 'b', 'system:authenticated'], extra: { 'acme/scope': ['x'] } },
      asked: [
        'impersonate /users  bob',
        'impersonate /groups  a',
        'impersonate /groups  b',
        'impersonate authentication.k8s.io/uids  7',
        'impersonate authentication.k8s.io/userextras/acme/scope  x',
      ],
    },
    {
      when: 'a service account is named',
      headers: { 'impersonate-user': 'system:serviceaccount:db:app' },
      user: {
        name: 'system:serviceaccount:db:app',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:db', 'system:authenticated'],
      },
      asked: ['impersonate /serviceaccounts db app'],
    },
    {
      when: 'anonymous is named',
      headers: { 'impersonate-user': 'system:anonymous' },
      user: { name: 'system:anonymous', groups: ['system:unauthenticated'] },
      asked: ['impersonate /users  system:anonymous'],
    },
  ];
  for (const { when, headers, user, asked } of cases) {
    it(`acts as told when ${when}`, async () => {
      const authorizer = authorizerOf(['*']);
      assert.deepEqual(await impersonate(admin, headers as Record<string, string>, authorizer), user);
      assert.deepEqual(authorizer.asked, asked);
    });
  }

  it('refuses when one of the groups is not allowed', async () => {
    const authorizer = authorizerOf(['/users  bob', '/groups  a']);
    await assert.rejects(
      impersonate(admin, { 'impersonate-user': 'bob', 'impersonate-group': 'a,system:masters' }, authorizer),
      (e: StatusError) => {
        assert.equal(
          e.message,
          'groups "system:masters" is forbidden: User "admin" cannot impersonate resource "groups" in API group "" at the cluster scope',
        );
        return e.code === 403;
      },
    );
  });

  it('refuses groups without a user', async () => {
    await assert.rejects(
      impersonate(admin, { 'impersonate-group': 'a' }, authorizerOf(['*'])),
      /without impersonating a user/,
    );
  });
});
