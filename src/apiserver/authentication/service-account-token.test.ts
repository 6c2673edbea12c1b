import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import type { Node, Pod, Secret, ServiceAccount } from '#generated/api/core-v1.ts';
import type { TokenRequestSpec } from '#generated/api/authentication-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { isStatus, StatusError } from '#machinery/status.ts';
import { generateKey } from '#pki/keys.ts';
import { parsePublicKeys, peekClaims, TokenSigner, TokenVerifier } from '#pki/tokens.ts';
import { fixedLookup } from './lookup.ts';
import { reviewToken } from './reviews.ts';
import { ServiceAccountTokenAuthenticator } from './service-account-token.ts';
import { PROJECTED_EXPIRATION_SECONDS, TokenIssuer } from './token-request.ts';

const NOW = Date.UTC(2026, 0, 1);
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const key = generateKey();
const account: ServiceAccount = { metadata: { name: 'app', namespace: 'db', uid: 'sa-1' } };
const pod: Pod = {
  metadata: { name: 'web', namespace: 'db', uid: 'pod-1' },
  spec: { containers: [], serviceAccountName: 'app', nodeName: 'n1' },
};
const secret: Secret = { metadata: { name: 'anchor', namespace: 'db', uid: 'sec-1' } };
const node: Node = { metadata: { name: 'n1', uid: 'node-1' } };
const everything = { accounts: [account], pods: [pod], secrets: [secret], nodes: [node] };

function world(objects: Partial<typeof everything> = {}, clock = new SteppedClock(NOW)) {
  const { accounts, pods, secrets, nodes } = { ...everything, ...objects };
  const lookups = {
    serviceAccounts: fixedLookup(accounts),
    pods: fixedLookup(pods),
    secrets: fixedLookup(secrets),
    nodes: fixedLookup(nodes),
  };
  return {
    clock,
    issuer: new TokenIssuer({
      clock,
      random: new SeededRandom(1),
      signer: new TokenSigner(key),
      issuer: ISSUER,
      audiences: ['api'],
      ...lookups,
    }),
    tokens: new ServiceAccountTokenAuthenticator({
      clock,
      issuers: [ISSUER],
      verifier: new TokenVerifier(parsePublicKeys([key])),
      ...lookups,
    }),
  };
}

const podRef = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'pod-1' };

async function tokenFor(spec: TokenRequestSpec, w = world()): Promise<string> {
  const answer = await w.issuer.create('db', 'app', { metadata: {}, spec });
  return answer.status!.token!;
}

describe('TokenIssuer', () => {
  it('makes a token for the API server that lasts an hour unless asked otherwise', async () => {
    const answer = await world().issuer.create('db', 'app', { metadata: {} });
    assert.equal(answer.status!.expirationTimestamp, '2026-01-01T01:00:00Z');
    const claims = peekClaims(answer.status!.token!)!;
    assert.deepEqual(
      [claims['iss'], claims['aud'], claims['sub'], claims['exp']],
      [ISSUER, ['api'], 'system:serviceaccount:db:app', NOW / 1000 + 3600],
    );
  });

  it('gives tokens of projected volumes a year with a warning after the hour', async () => {
    const w = world();
    const answer = await w.issuer.create('db', 'app', {
      metadata: {},
      spec: { audiences: [], expirationSeconds: PROJECTED_EXPIRATION_SECONDS, boundObjectRef: podRef },
    });
    assert.equal(answer.status!.expirationTimestamp, '2026-01-01T01:00:07Z');
    assert.equal(peekClaims(answer.status!.token!)!['exp'], NOW / 1000 + 365 * 24 * 3600);
    await w.clock.step(3 * 3600_000);
    const found = await w.tokens.authenticateToken(answer.status!.token!, ['api']);
    assert.equal(found?.warnings?.length, 1);
  });

  const refusals = [
    {
      when: 'the account does not exist',
      account: 'nobody',
      spec: {},
      reason: 'NotFound',
      message: 'serviceaccounts "nobody" not found',
    },
    {
      when: 'the time is too short',
      spec: { expirationSeconds: 60 },
      reason: 'Invalid',
      message:
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
    },
    {
      when: 'the pod runs as another account',
      objects: { pods: [{ ...pod, spec: { ...pod.spec!, serviceAccountName: 'other' } }] },
      spec: { boundObjectRef: podRef },
      reason: 'BadRequest',
      message: 'cannot bind token for serviceaccount "app" to pod running with different serviceaccount name.',
    },
    {
      when: 'the bound pod is gone',
      objects: { pods: [] },
      spec: { boundObjectRef: podRef },
      reason: 'NotFound',
      message: 'pods "web" not found',
    },
    {
      when: 'the bound pod is another of the same name',
      spec: { boundObjectRef: { ...podRef, uid: 'old' } },
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on Pod "web": the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated',
    },
    {
      when: 'it is to be bound to something else',
      spec: { boundObjectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } },
      reason: 'BadRequest',
      message: 'cannot bind token for serviceaccount "app" to object of type apps/v1, Kind=Deployment',
    },
  ] as const;
  for (const { when, spec, reason, message, ...rest } of refusals) {
    it(`refuses when ${when}`, async () => {
      const objects = 'objects' in rest ? (rest.objects as unknown as Partial<typeof everything>) : {};
      const name = 'account' in rest ? rest.account : 'app';
      await assert.rejects(
        world(objects).issuer.create('db', name, { metadata: {}, spec: { audiences: [], ...spec } }),
        (error: StatusError) => {
          assert.deepEqual([error.reason, error.message], [reason, message]);
          return true;
        },
      );
    });
  }
});

describe('ServiceAccountTokenAuthenticator', () => {
  it('names the account, its groups, its pod and its node', async () => {
    const w = world();
    const found = await w.tokens.authenticateToken(await tokenFor({ audiences: [], boundObjectRef: podRef }, w), [
      'api',
    ]);
    assert.equal(found?.user.name, 'system:serviceaccount:db:app');
    assert.equal(found?.user.uid, 'sa-1');
    assert.deepEqual(found?.user.groups, ['system:serviceaccounts', 'system:serviceaccounts:db']);
    const { 'authentication.kubernetes.io/credential-id': id, ...extra } = found!.user.extra!;
    assert.match(id![0]!, /^JTI=[0-9a-f-]{36}$/);
    assert.deepEqual(extra, {
      'authentication.kubernetes.io/node-name': ['n1'],
      'authentication.kubernetes.io/node-uid': ['node-1'],
      'authentication.kubernetes.io/pod-name': ['web'],
      'authentication.kubernetes.io/pod-uid': ['pod-1'],
    });
  });

  const ended = (object: KubeObject, seconds: number): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, deletionTimestamp: new Date(NOW - seconds * 1000).toISOString() },
  });
  const secretRef = { apiVersion: 'v1', kind: 'Secret', name: 'anchor' };
  const nodeRef = { apiVersion: 'v1', kind: 'Node', name: 'n1' };
  const cases = [
    { when: 'the pod is gone', ref: podRef, objects: { pods: [] }, good: false },
    {
      when: 'the pod was made anew',
      ref: podRef,
      objects: { pods: [{ ...pod, metadata: { ...pod.metadata, uid: 'pod-2' } }] },
      good: false,
    },
    {
      when: 'the account was made anew',
      objects: { accounts: [{ metadata: { ...account.metadata, uid: 'sa-2' } }] },
      good: false,
    },
    { when: 'the account is gone', objects: { accounts: [] }, good: false },
    { when: 'the bound Secret is gone', ref: secretRef, objects: { secrets: [] }, good: false },
    { when: 'the bound node is gone', ref: nodeRef, objects: { nodes: [] }, good: false },
    {
      when: 'the pod is being deleted since a moment',
      ref: podRef,
      objects: { pods: [ended(pod, 30) as Pod] },
      good: true,
    },
    {
      when: 'the pod should have been deleted long ago',
      ref: podRef,
      objects: { pods: [ended(pod, 90) as Pod] },
      good: false,
    },
    { when: "the pod's node is gone but the pod is not", ref: podRef, objects: { nodes: [] }, good: true },
    { when: 'its time is over', afterMs: 3600_000 + 61_000, good: false },
    { when: 'its time is over within the leeway', afterMs: 3600_000 + 30_000, good: true },
    { when: 'it is for another audience', audiences: ['vault'], good: false },
  ] as const;
  for (const { when, good, ...rest } of cases) {
    it(`${good ? 'accepts' : 'refuses'} a token when ${when}`, async () => {
      const objects = 'objects' in rest ? (rest.objects as unknown as Partial<typeof everything>) : {};
      const token = await tokenFor({
        audiences: 'audiences' in rest ? rest.audiences : [],
        ...('ref' in rest ? { boundObjectRef: rest.ref } : {}),
      });
      const clock = new SteppedClock(NOW + ('afterMs' in rest ? rest.afterMs : 0));
      const answer = world(objects, clock).tokens.authenticateToken(token, ['api']);
      if (good) assert.equal((await answer)?.user.name, 'system:serviceaccount:db:app');
      else await assert.rejects(answer, (e) => isStatus(e, 'Unauthorized'));
    });
  }

  it('leaves tokens of other issuers to others', async () => {
    const foreign = new TokenSigner(generateKey()).sign({ iss: 'https://elsewhere', sub: 'x' });
    assert.equal(await world().tokens.authenticateToken(foreign, ['api']), undefined);
  });

  it('refuses a token that names our issuer but is signed by another key', async () => {
    const forged = new TokenSigner(generateKey()).sign({ ...peekClaims(await tokenFor({ audiences: [] })) });
    await assert.rejects(world().tokens.authenticateToken(forged, ['api']), (e) => isStatus(e, 'Unauthorized'));
  });

  it('checks the bound object again for a token it has seen', async () => {
    const live = { pods: [pod] as Pod[] };
    const clock = new SteppedClock(NOW);
    const base = world({}, clock);
    const token = await tokenFor({ audiences: [], boundObjectRef: podRef }, base);
    const tokens = new ServiceAccountTokenAuthenticator({
      clock,
      issuers: [ISSUER],
      verifier: new TokenVerifier(parsePublicKeys([key])),
      serviceAccounts: fixedLookup([account]),
      pods: { cached: () => live.pods[0], live: async () => live.pods[0] },
      secrets: fixedLookup<Secret>([]),
      nodes: fixedLookup<Node>([]),
    });
    assert.ok(await tokens.authenticateToken(token, ['api']));
    live.pods = [];
    await assert.rejects(tokens.authenticateToken(token, ['api']), (e) => isStatus(e, 'Unauthorized'));
  });
});

describe('reviewToken', () => {
  it('tells who a token is', async () => {
    const w = world();
    const token = await tokenFor({ audiences: ['vault', 'api'] }, w);
    const { status } = await reviewToken({ metadata: {}, spec: { token, audiences: ['vault'] } }, w.tokens, ['api']);
    assert.equal(status?.authenticated, true);
    assert.equal(status?.user?.username, 'system:serviceaccount:db:app');
    assert.deepEqual(status?.audiences, ['vault']);
  });

  it('answers why a token is not good', async () => {
    const w = world();
    const token = await tokenFor({ audiences: ['vault'] }, w);
    const { status } = await reviewToken({ metadata: {}, spec: { token } }, w.tokens, ['api']);
    assert.deepEqual(status, {
      user: {},
      error: 'token audiences ["vault"] is invalid for the target audiences ["api"]',
    });
  });

  it('wants a token', async () => {
    await assert.rejects(reviewToken({ metadata: {}, spec: { token: '' } }, world().tokens, ['api']), (e) =>
      isStatus(e, 'BadRequest'),
    );
  });
});
