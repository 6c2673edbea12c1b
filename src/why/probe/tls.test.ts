import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { before, describe, it } from 'node:test';
import type tls from 'node:tls';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { ProbeRequest } from './result.ts';
import { probeOf, type Script, secureServer, serveScript } from './testing.ts';

type CertificatePair = Awaited<ReturnType<typeof createAuthority>>;
const DAY_MS = 24 * 60 * 60 * 1000;

describe('TLS of a probe', () => {
  let authority: CertificatePair;
  let leaf: CertificatePair;
  let expired: CertificatePair;
  before(async () => {
    const now = Date.now();
    authority = await createAuthority('our own', now - 400 * DAY_MS);
    const leafUntil = (notAfterMs: number) =>
      createLeaf(authority, {
        commonName: 'db',
        extendedUsages: ['server auth'],
        names: { dnsNames: ['db.test'], ipAddresses: [] },
        notBeforeMs: now - 30 * DAY_MS,
        notAfterMs,
      });
    leaf = await leafUntil(now + DAY_MS);
    expired = await leafUntil(now - DAY_MS);
  });

  const serving =
    (pair: () => CertificatePair, more: tls.TlsOptions = {}): Script =>
    (socket: Socket) =>
      secureServer(socket, { cert: pair().certificate, key: pair().key, ...more }, () => {});

  async function ask(script: Script, request: Partial<ProbeRequest>) {
    const server = await serveScript(script);
    try {
      return await probeOf({ port: server.port, protocol: 'tls', host: 'db.test', timeoutMs: 1_000, ...request });
    } finally {
      await server.close();
    }
  }

  it('is content with any certificate where nothing is verified, and tells what stands in it', async () => {
    const { tls: attempt, handshake } = await ask(
      serving(() => leaf),
      { tls: { mode: 'require' } },
    );
    assert.equal(attempt?.outcome, 'ok');
    assert.deepEqual([attempt?.certificate?.subject, attempt?.certificate?.issuer], ['db', 'our own']);
    assert.deepEqual(attempt?.certificate?.names, ['db.test']);
    assert.equal(handshake?.outcome, 'ready');
  });

  it('reads the page of a web server that ends the handshake and then asks for a certificate', async () => {
    const nginx: Script = (socket) =>
      secureServer(socket, { cert: leaf.certificate, key: leaf.key }, (secured) =>
        secured.once('data', (request: Buffer) => {
          const page = request.toString().startsWith('HEAD')
            ? ''
            : '<center>No required SSL certificate was sent</center>';
          secured.end(`HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\n${page}`);
        }),
      );
    const { tls: attempt } = await ask(nginx, {
      protocol: 'http',
      tls: { mode: 'verify-full', ca: authority.certificate },
    });
    assert.deepEqual(
      [attempt?.outcome, attempt?.detail],
      ['client-certificate', 'No required SSL certificate was sent'],
    );
  });

  for (const [what, mode, with_, name, outcome] of [
    ['an authority that is not known', 'verify-ca', false, 'db.test', 'untrusted'],
    ['another name', 'verify-full', true, 'other.test', 'name-mismatch'],
    ['another name that is not verified', 'verify-ca', true, 'other.test', 'ok'],
    ['the right authority and name', 'verify-full', true, 'db.test', 'ok'],
  ] as const) {
    it(`says ${outcome} to ${what}`, async () => {
      const ca = with_ ? { ca: authority.certificate } : {};
      const { tls: attempt } = await ask(
        serving(() => leaf),
        { tls: { mode, serverName: name, ...ca } },
      );
      assert.equal(attempt?.outcome, outcome, attempt?.detail ?? '');
    });
  }

  it('says expired to a certificate that was', async () => {
    const { tls: attempt } = await ask(
      serving(() => expired),
      { tls: { mode: 'verify-full', ca: authority.certificate } },
    );
    assert.equal(attempt?.outcome, 'expired', attempt?.detail ?? '');
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`notices by ${version} that the client's certificate is wanted`, async () => {
      const wants = {
        requestCert: true,
        rejectUnauthorized: true,
        ca: authority.certificate,
        minVersion: version,
        maxVersion: version,
      };
      const { tls: attempt } = await ask(
        serving(() => leaf, wants),
        { tls: { mode: 'require' } },
      );
      assert.equal(attempt?.outcome, 'client-certificate', attempt?.detail ?? '');
    });
  }

  it('says not-offered where plain words are spoken, and which', async () => {
    const { tls: attempt } = await ask((s) => void s.once('data', () => s.end('HTTP/1.1 400 Bad Request\r\n\r\n')), {
      tls: { mode: 'require' },
    });
    assert.deepEqual([attempt?.outcome, attempt?.detail], ['not-offered', 'the server speaks http']);
  });

  it('is spoken by Postgres after its own question, and required by a server that refuses without', async () => {
    const error = (text: string) => {
      const body = Buffer.from(`SFATAL\0C28000\0M${text}\0\0`);
      const head = Buffer.from([0x45, 0, 0, 0, 4 + body.length]);
      return Buffer.concat([head, body]);
    };
    const script: Script = (socket) =>
      socket.once('data', (chunk: Buffer) => {
        if (chunk.length !== 8)
          return void socket.end(
            error('no pg_hba.conf entry for host "10.0.0.1", user "app", database "app", no encryption'),
          );
        socket.write('S');
        secureServer(socket, { cert: leaf.certificate, key: leaf.key }, (secured) => {
          secured.once('data', () => secured.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])));
        });
      });
    const request = { protocol: 'postgres', user: 'app' } as const;
    const full = { mode: 'verify-full', ca: authority.certificate } as const;
    const good = await ask(script, { ...request, tls: full });
    assert.deepEqual([good.tls?.outcome, good.handshake?.authMethod], ['ok', 'password']);
    const plain = await ask(script, { ...request, tls: { mode: 'disable' } });
    assert.deepEqual([plain.tls?.outcome, plain.handshake?.code], ['required', '28000']);
  });
});
