import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  createAuthority,
  createSigningRequest,
  isIssuedBy,
  readCertificate,
  type SigningRequest,
} from './certificates.ts';
import { generateKey } from './keys.ts';
import {
  CLIENT_SIGNER,
  KUBELET_CLIENT_SIGNER,
  KUBELET_SERVING_SIGNER,
  signingRefusal,
  signRequest,
  type SignerName,
} from './signers.ts';

const NOW = Date.UTC(2026, 0, 1);
const node: SigningRequest = {
  commonName: 'system:node:n1',
  organizations: ['system:nodes'],
  dnsNames: [],
  ipAddresses: [],
  emailAddresses: [],
  uris: [],
  publicKeyPem: '',
};
const client = ['digital signature', 'client auth'];
const server = ['digital signature', 'key encipherment', 'server auth'];

describe('signingRefusal', () => {
  const cases: {
    when: string;
    signer: SignerName;
    request: Partial<SigningRequest>;
    usages: string[];
    refusal: string | undefined;
  }[] = [
    {
      when: 'a kubelet asks for a client certificate',
      signer: KUBELET_CLIENT_SIGNER,
      request: {},
      usages: client,
      refusal: undefined,
    },
    {
      when: 'the common name is no node',
      signer: KUBELET_CLIENT_SIGNER,
      request: { commonName: 'admin' },
      usages: client,
      refusal: 'subject common name does not begin with system:node:',
    },
    {
      when: 'another group is asked for',
      signer: KUBELET_CLIENT_SIGNER,
      request: { organizations: ['system:nodes', 'system:masters'] },
      usages: client,
      refusal: 'subject organization is not system:nodes',
    },
    {
      when: 'a client asks for names',
      signer: KUBELET_CLIENT_SIGNER,
      request: { dnsNames: ['n1'] },
      usages: client,
      refusal: 'DNS and IP subjectAltNames are not allowed',
    },
    {
      when: 'a client asks to serve',
      signer: KUBELET_CLIENT_SIGNER,
      request: {},
      usages: server,
      refusal: 'usage "server auth" is not permitted',
    },
    {
      when: 'a kubelet asks for a serving certificate',
      signer: KUBELET_SERVING_SIGNER,
      request: { ipAddresses: ['10.0.0.1'] },
      usages: server,
      refusal: undefined,
    },
    {
      when: 'a server has no name',
      signer: KUBELET_SERVING_SIGNER,
      request: {},
      usages: server,
      refusal: 'DNS or IP subjectAltName is required',
    },
    {
      when: 'a server names a URI',
      signer: KUBELET_SERVING_SIGNER,
      request: { dnsNames: ['a'], uris: ['spiffe://x'] },
      usages: server,
      refusal: 'URI subjectAltNames are not allowed',
    },
    {
      when: 'any user asks for a client certificate',
      signer: CLIENT_SIGNER,
      request: { commonName: 'bob', organizations: ['dev'] },
      usages: ['client auth'],
      refusal: undefined,
    },
    {
      when: 'no extended usage is asked for',
      signer: CLIENT_SIGNER,
      request: {},
      usages: ['digital signature'],
      refusal: 'usage "client auth" is required',
    },
  ];
  for (const { when, signer, request, usages, refusal } of cases) {
    it(`answers ${refusal ?? 'nothing'} when ${when}`, () =>
      assert.equal(signingRefusal(signer, { ...node, ...request }, usages), refusal));
  }
});

describe('signRequest', () => {
  it('signs for the time asked, a year at most', async () => {
    const ca = await createAuthority('kubernetes', NOW);
    const request = await createSigningRequest(generateKey(), {
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
    });
    const year = 365 * 24 * 3600;
    for (const [asked, given] of [
      [3600, 3600],
      [1, 600],
      [undefined, year],
      [10 * year, year],
    ] as const) {
      const answer = await signRequest(ca, {
        signer: KUBELET_CLIENT_SIGNER,
        request,
        usages: client,
        nowMs: NOW,
        ...(asked === undefined ? {} : { expirationSeconds: asked }),
      });
      assert.ok('certificate' in answer);
      assert.ok(isIssuedBy(answer.certificate, ca.certificate));
      assert.equal(readCertificate(answer.certificate).notAfterMs, NOW + given * 1000);
    }
  });

  it('says why a request cannot be read', async () => {
    const ca = await createAuthority('kubernetes', NOW);
    const answer = await signRequest(ca, { signer: CLIENT_SIGNER, request: 'nonsense', usages: client, nowMs: NOW });
    assert.deepEqual(answer, { refusal: 'unable to parse csr: PEM block type must be CERTIFICATE REQUEST' });
  });
});
