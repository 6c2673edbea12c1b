import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import type { Secret } from '#generated/api/core-v1.ts';
import { fixedLookup } from './lookup.ts';
import { BootstrapTokenAuthenticator } from './token-authenticator.ts';

const NOW = Date.UTC(2026, 0, 1);
const good = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
  'auth-extra-groups': 'system:bootstrappers:worker',
};

function secretOf(data: Record<string, string>, type = 'bootstrap.kubernetes.io/token'): Secret {
  return {
    metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
    type,
    data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString('base64')])),
  };
}

async function userFor(token: string, secret: Secret): Promise<string | undefined> {
  const tokens = new BootstrapTokenAuthenticator({ clock: new SteppedClock(NOW), secrets: fixedLookup([secret]) });
  try {
    const found = await tokens.authenticateToken(token, ['api']);
    return found === undefined ? undefined : `${found.user.name} ${found.user.groups.join(',')}`;
  } catch {
    return 'refused';
  }
}

describe('BootstrapTokenAuthenticator', () => {
  const cases = [
    {
      when: 'everything fits',
      secret: secretOf(good),
      user: 'system:bootstrap:abcdef system:bootstrappers,system:bootstrappers:worker',
    },
    {
      when: 'the secret part differs',
      secret: secretOf({ ...good, 'token-secret': 'fedcba9876543210' }),
      user: undefined,
    },
    {
      when: 'it may not authenticate',
      secret: secretOf({ ...good, 'usage-bootstrap-authentication': 'false' }),
      user: undefined,
    },
    { when: 'the Secret is of another type', secret: secretOf(good, 'Opaque'), user: undefined },
    { when: 'it has expired', secret: secretOf({ ...good, expiration: '2025-12-31T23:59:59Z' }), user: 'refused' },
    { when: 'its expiration cannot be read', secret: secretOf({ ...good, expiration: 'soon' }), user: 'refused' },
  ];
  for (const { when, secret, user } of cases) {
    it(`answers ${user ?? 'nothing'} when ${when}`, async () => {
      assert.equal(await userFor('abcdef.0123456789abcdef', secret), user);
    });
  }
  it('leaves other tokens alone', async () => {
    assert.equal(await userFor('not-a-bootstrap-token', secretOf(good)), undefined);
  });
});
