import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  createAuthority,
  createLeaf,
  createSigningRequest,
  parseSigningRequest,
  readCertificate,
  signPublicKey,
} from './certificates.ts';
import { generateKey } from './keys.ts';

const NOW = Date.UTC(2026, 0, 1);

describe('parseSigningRequest', () => {
  it('reads what a kubelet asks for', async () => {
    const request = await createSigningRequest(generateKey(), {
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
      names: { dnsNames: ['n1'], ipAddresses: ['10.0.0.5', 'fd00::5'] },
    });
    const parsed = await parseSigningRequest(request);
    assert.deepEqual(
      { ...parsed, publicKeyPem: '' },
      {
        commonName: 'system:node:n1',
        organizations: ['system:nodes'],
        dnsNames: ['n1'],
        ipAddresses: ['10.0.0.5', 'fd00::5'],
        emailAddresses: [],
        uris: [],
        publicKeyPem: '',
      },
    );
    const ca = await createAuthority('kubernetes', NOW);
    const certificate = await signPublicKey(ca, parsed.publicKeyPem, {
      commonName: parsed.commonName,
      extendedUsages: ['client auth'],
      notBeforeMs: NOW,
      notAfterMs: NOW + 1000,
    });
    assert.equal(readCertificate(certificate).commonName, 'system:node:n1');
  });

  const tampered = async (): Promise<string> => {
    const pem = await createSigningRequest(generateKey(), { commonName: 'good' });
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    der.write('evil', der.indexOf('good'));
    return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  };
  it('refuses a request whose subject was changed after signing', async () => {
    await assert.rejects(parseSigningRequest(await tampered()), /signature/);
  });
  it('refuses what is no signing request', async () => {
    await assert.rejects(parseSigningRequest((await createAuthority('x', NOW)).certificate), /PEM block type/);
  });
});

describe('createLeaf', () => {
  it('makes a certificate that openssl takes for its purpose', async () => {
    const ca = await createAuthority('kubernetes', NOW);
    const leaf = await createLeaf(ca, {
      commonName: 'a, b=c',
      organizations: ['o:1', 'o:2'],
      extendedUsages: ['client auth'],
      notBeforeMs: NOW,
      notAfterMs: NOW + 1000,
    });
    const facts = readCertificate(leaf.certificate);
    assert.deepEqual([facts.commonName, facts.organizations, facts.notAfterMs], ['a, b=c', ['o:1', 'o:2'], NOW + 1000]);
    assert.deepEqual(new X509Certificate(leaf.certificate).keyUsage, ['1.3.6.1.5.5.7.3.2']);
    assert.equal(new X509Certificate(ca.certificate).ca, true);
    assert.equal(new X509Certificate(leaf.certificate).ca, false);
  });

  it('never outlives its authority', async () => {
    const ca = await createAuthority('kubernetes', NOW);
    const leaf = await createLeaf(ca, {
      commonName: 'a',
      extendedUsages: ['client auth'],
      notBeforeMs: NOW,
      notAfterMs: NOW * 10,
    });
    assert.equal(readCertificate(leaf.certificate).notAfterMs, readCertificate(ca.certificate).notAfterMs);
  });
});
