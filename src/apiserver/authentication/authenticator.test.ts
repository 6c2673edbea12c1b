import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import type { ExchangeRequest, Peer } from '#machinery/exchange.ts';
import { isStatus } from '#machinery/status.ts';
import { createAuthority, createLeaf, readCertificate } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import type { Authenticator } from '../pipeline.ts';
import { createAuthenticator } from './authenticator.ts';
import { parseTokenFile } from './token-authenticator.ts';
import { CREDENTIAL_ID_KEY } from './users.ts';

const NOW = Date.UTC(2026, 0, 1);
let ca: CertificatePair;
let proxyCa: CertificatePair;
let authenticator: Authenticator;

before(async () => {
  ca = await createAuthority('kubernetes', NOW);
  proxyCa = await createAuthority('front-proxy-ca', NOW);
  authenticator = createAuthenticator({
    clock: new SteppedClock(NOW),
    clientCa: ca.certificate,
    frontProxy: { ca: proxyCa.certificate, allowedNames: ['front-proxy-client'] },
    audiences: ['api'],
    staticTokens: parseTokenFile('secret,ann,42,"dev,ops"\n'),
    anonymous: true,
  }).requests;
});

async function peerOf(
  authority: CertificatePair,
  commonName: string,
  organizations: readonly string[] = [],
): Promise<Peer> {
  const leaf = await createLeaf(authority, {
    commonName,
    organizations,
    extendedUsages: ['client auth'],
    notBeforeMs: NOW,
    notAfterMs: NOW + 1000,
  });
  const facts = readCertificate(leaf.certificate);
  return {
    certificate: {
      commonName: facts.commonName,
      organizations: facts.organizations,
      raw: new X509Certificate(leaf.certificate).raw,
    },
  };
}

function request(headers: Record<string, string>, peer: Peer = {}): ExchangeRequest {
  return { method: 'GET', path: '/api', headers, peer, signal: new AbortController().signal };
}

describe('createAuthenticator', () => {
  it('takes name and groups from a client certificate', async () => {
    const found = await authenticator.authenticate(request({}, await peerOf(ca, 'bob', ['dev'])));
    assert.equal(found?.user.name, 'bob');
    assert.deepEqual(found?.user.groups, ['dev', 'system:authenticated']);
    assert.match(found?.user.extra?.[CREDENTIAL_ID_KEY]?.[0] ?? '', /^X509SHA256=[0-9a-f]{64}$/);
  });

  it('believes no certificate of another authority', async () => {
    const found = await authenticator.authenticate(request({}, await peerOf(proxyCa, 'bob', ['system:masters'])));
    assert.equal(found?.user.name, 'system:anonymous');
  });

  it('takes the user from the headers of a front proxy', async () => {
    const headers = { 'x-remote-user': 'eve', 'x-remote-group': 'a, b', 'x-remote-extra-acme%2fscope': 'read' };
    const found = await authenticator.authenticate(request(headers, await peerOf(proxyCa, 'front-proxy-client')));
    assert.equal(found?.user.name, 'eve');
    assert.deepEqual(found?.user.groups, ['a', 'b', 'system:authenticated']);
    assert.deepEqual(found?.user.extra, { 'acme/scope': ['read'] });
  });

  for (const [who, authority, name] of [
    ['an ordinary client', () => ca, 'bob'],
    ['a proxy whose name is not allowed', () => proxyCa, 'other'],
  ] as const) {
    it(`ignores X-Remote headers of ${who}`, async () => {
      const found = await authenticator.authenticate(
        request({ 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' }, await peerOf(authority(), name)),
      );
      assert.notEqual(found?.user.name, 'admin');
      assert.ok(!found?.user.groups.includes('system:masters'));
    });
  }

  it('knows the tokens of the file', async () => {
    const found = await authenticator.authenticate(request({ authorization: 'Bearer secret' }));
    assert.deepEqual(found?.user, { name: 'ann', uid: '42', groups: ['dev', 'ops', 'system:authenticated'] });
  });

  it('takes a token from the WebSocket subprotocol', async () => {
    const protocol = `base64url.bearer.authorization.k8s.io.${Buffer.from('secret').toString('base64url')}`;
    const found = await authenticator.authenticate(
      request({ 'sec-websocket-protocol': `v5.channel.k8s.io, ${protocol}` }),
    );
    assert.equal(found?.user.name, 'ann');
  });

  it('refuses a wrong token rather than taking it for nobody', async () => {
    await assert.rejects(authenticator.authenticate(request({ authorization: 'Bearer wrong' })), (e) =>
      isStatus(e, 'Unauthorized'),
    );
  });

  it('takes a request without credentials for anonymous', async () => {
    const found = await authenticator.authenticate(request({}));
    assert.deepEqual(found?.user, { name: 'system:anonymous', groups: ['system:unauthenticated'] });
  });

  it('refuses a client certificate that does not verify, unless a token says who it is', async () => {
    const certificateError = 'CERT_HAS_EXPIRED';
    await assert.rejects(authenticator.authenticate(request({}, { certificateError })), { code: 401 });
    const known = await authenticator.authenticate(request({ authorization: 'Bearer secret' }, { certificateError }));
    assert.equal(known?.method, 'token');
  });

  it('answers nothing to it when anonymous requests are off', async () => {
    const strict = createAuthenticator({
      clock: new SteppedClock(NOW),
      clientCa: ca.certificate,
      audiences: ['api'],
      anonymous: false,
    }).requests;
    assert.equal(await strict.authenticate(request({})), undefined);
  });

  it('takes the user of an in-process transport as it is', async () => {
    const found = await authenticator.authenticate(
      request({ authorization: 'Bearer wrong' }, { user: { name: 'me', groups: ['system:masters'] } }),
    );
    assert.deepEqual(found?.user.groups, ['system:masters', 'system:authenticated']);
  });
});

describe('parseTokenFile', () => {
  it('names the line that is wrong', () => {
    assert.throws(() => parseTokenFile('a,b,c\njust-a-token\n'), /line 2/);
  });
});
