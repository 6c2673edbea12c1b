import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { generateKey, publicKeyOf } from './keys.ts';
import { jsonWebKeySet, openidConfiguration } from './issuer-discovery.ts';
import { parsePublicKeys, peekClaims, TokenSigner, TokenVerifier } from './tokens.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const ec = generateKey();

describe('TokenVerifier', () => {
  for (const [algorithm, key] of [
    ['ES256', ec],
    ['RS256', rsa],
  ] as const) {
    it(`accepts what a TokenSigner signed with ${algorithm}`, () => {
      const signer = new TokenSigner(key);
      assert.equal(signer.algorithm, algorithm);
      const verifier = new TokenVerifier(parsePublicKeys([publicKeyOf(ec), publicKeyOf(rsa)]));
      const result = verifier.verify(signer.sign({ sub: 'me' }));
      assert.deepEqual(result, { ok: true, claims: { sub: 'me' }, keyId: signer.keyId });
    });
  }

  const good = new TokenSigner(ec).sign({ sub: 'me' });
  const [head, body, signature] = good.split('.') as [string, string, string];
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const kid = new TokenSigner(ec).keyId;
  const none = `${part({ alg: 'none', kid })}.${body}.`;
  const hmacHead = part({ alg: 'HS256', kid });
  const confused = `${hmacHead}.${body}.${createHmac('sha256', publicKeyOf(ec)).update(`${hmacHead}.${body}`).digest('base64url')}`;
  const cases = [
    { when: 'a claim was changed', token: `${head}.${part({ sub: 'you' })}.${signature}`, reason: 'signature' },
    { when: 'another key signed it', token: new TokenSigner(generateKey()).sign({ sub: 'me' }), reason: 'signature' },
    { when: 'the header says none', token: none, reason: 'algorithm' },
    { when: 'the public key was used as an HMAC secret', token: confused, reason: 'algorithm' },
    { when: 'it is no token', token: 'abc', reason: 'malformed' },
    { when: 'the header is no JSON', token: `x.${body}.${signature}`, reason: 'malformed' },
    { when: 'it is too long', token: `${head}.${'a'.repeat(20_000)}.${signature}`, reason: 'malformed' },
  ];
  for (const { when, token, reason } of cases) {
    it(`refuses when ${when}`, () => {
      assert.deepEqual(new TokenVerifier(parsePublicKeys([publicKeyOf(ec)])).verify(token), { ok: false, reason });
    });
  }
});

describe('peekClaims', () => {
  it('reads claims without a key', () => {
    assert.deepEqual(peekClaims(new TokenSigner(ec).sign({ iss: 'x' })), { iss: 'x' });
    assert.equal(peekClaims('opaque'), undefined);
  });
});

describe('jsonWebKeySet', () => {
  it('publishes public members only, under the key id of the tokens', () => {
    const keys = parsePublicKeys([ec, rsa]);
    const set = jsonWebKeySet(keys);
    assert.deepEqual(
      set.keys.map((k) => [k['kty'], k['alg'], k['use']]),
      [
        ['EC', 'ES256', 'sig'],
        ['RSA', 'RS256', 'sig'],
      ],
    );
    assert.equal(set.keys[0]!['kid'], new TokenSigner(ec).keyId);
    for (const key of set.keys) assert.equal(key['d'], undefined);
  });
});

describe('openidConfiguration', () => {
  it('names the issuer, the key set and the algorithms in use', () => {
    const document = openidConfiguration(
      'https://kubernetes.default.svc.cluster.local',
      'https://10.0.0.1:6443/openid/v1/jwks',
      parsePublicKeys([rsa, ec]),
    );
    assert.equal(document['jwks_uri'], 'https://10.0.0.1:6443/openid/v1/jwks');
    assert.deepEqual(document['id_token_signing_alg_values_supported'], ['ES256', 'RS256']);
  });
});
