import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { certificateEntry, readTlsSecret } from './ingress-certificates.ts';

describe('readTlsSecret', () => {
  const nowMs = Date.UTC(2026, 5, 1);
  let authority: CertificatePair;
  let pair: CertificatePair;
  let other: CertificatePair;
  before(async () => {
    authority = await createAuthority('test', nowMs);
    const leaf = () =>
      createLeaf(authority, {
        commonName: 'a.example',
        extendedUsages: ['server auth'],
        notBeforeMs: nowMs,
        notAfterMs: nowMs + 3_600_000,
      });
    [pair, other] = [await leaf(), await leaf()];
  });
  const secret = (certificate: string | undefined, key: string | undefined) => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    return {
      metadata: { name: 's', namespace: 'shop' },
      data: {
        ...(certificate === undefined ? {} : { 'tls.crt': base64(certificate) }),
        ...(key === undefined ? {} : { 'tls.key': base64(key) }),
      },
    };
  };
  const said = (certificate: string | undefined, key: string | undefined): string => {
    const read = readTlsSecret('shop/s', secret(certificate, key));
    return read.usable ? 'usable' : `${read.code}: ${read.message}`;
  };

  it('gives the chain in order, then the key, and nothing else', () => {
    const read = readTlsSecret('shop/s', secret(`some words\n${pair.certificate}\n${authority.certificate}`, pair.key));
    assert.ok(read.usable);
    const heads = read.pem.match(/-----BEGIN [A-Z ]+-----/g);
    assert.deepEqual(heads, [
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN PRIVATE KEY-----',
    ]);
    assert.ok(read.pem.startsWith(pair.certificate.trim().slice(0, 100)));
    assert.ok(!read.pem.includes('some words'));
  });
  it('names what is missing or wrong', () => {
    assert.deepEqual(readTlsSecret('shop/s', undefined), {
      usable: false,
      code: 'SecretMissing',
      message: 'there is no Secret shop/s',
    });
    assert.equal(said(undefined, pair.key), 'SecretInvalid: Secret shop/s has no tls.crt');
    assert.equal(said(undefined, undefined), 'SecretInvalid: Secret shop/s has no tls.crt and no tls.key');
    assert.match(said('nonsense', pair.key), /there is no certificate in it/);
    assert.match(said('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', pair.key), /cannot be read/);
    assert.match(said(pair.certificate, 'nonsense'), /its private key cannot be read/);
    assert.match(said(pair.certificate, other.key), /its private key belongs to another certificate/);
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    assert.match(said(pair.certificate, weak as string), /its RSA key has 1024 bits/);
  });
});

describe('certificateEntry', () => {
  it('is a key that a Secret may have', () => {
    assert.equal(certificateEntry('shop/web-tls'), 'shop.web-tls');
    assert.match(certificateEntry(`shop/${'a'.repeat(253)}`), /^sha256\.[0-9a-f]{64}$/);
  });
});
