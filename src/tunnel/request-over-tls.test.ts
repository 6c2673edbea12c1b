// Requests over TLS over a tunnel's stream: what breaks them may not touch other requests.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { type Duplex, duplexPair } from 'node:stream';
import tls from 'node:tls';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import { readText, requestOver } from '#streams/http-upgrade.ts';

const REQUEST = { method: 'GET', path: '/', headers: { host: 'node' } };

describe('requestOver', () => {
  let context: tls.SecureContext;
  const server = http.createServer((_, response) => void setImmediate(() => response.end('hello')));

  before(async () => {
    const now = Date.now();
    const authority = await createAuthority('ca', now);
    const pair = await createLeaf(authority, {
      commonName: 'node',
      names: { dnsNames: ['node'], ipAddresses: [] },
      extendedUsages: ['server auth'],
      notBeforeMs: now - 60_000,
      notAfterMs: now + 3_600_000,
    });
    context = tls.createSecureContext({ cert: pair.certificate, key: pair.key });
  });
  after(() => void server.close());

  /** TLS over a stream that is no socket, as over a tunnel; the other end second, what carries the two last. */
  async function connect(): Promise<[tls.TLSSocket, tls.TLSSocket, Duplex, Duplex]> {
    const [near, far] = duplexPair() as [Duplex, Duplex];
    const other = new tls.TLSSocket(far as never, { isServer: true, secureContext: context });
    other.on('error', () => {});
    const secure = tls.connect({ socket: near as never, rejectUnauthorized: false });
    secure.on('error', () => secure.destroy());
    await new Promise<void>((resolve) => void secure.once('secureConnect', () => resolve()));
    return [secure, other, near, far];
  }

  it('gives the answer', async () => {
    const [secure, other] = await connect();
    server.emit('connection', other);
    const answer = await requestOver(secure, REQUEST);
    assert.deepEqual([answer.status, await readText(answer.body)], [200, 'hello']);
  });

  it('leaves nothing behind that later requests stumble over when the stream ends before the answer', async () => {
    for (let i = 0; i < 4; i++) {
      const [secure, , near, far] = await connect();
      // As a tunnel's stream does when the tunnel goes: it closes within the turn in which it ends.
      near.prependListener('end', () => void near.destroy());
      const asked = requestOver(secure, REQUEST);
      far.end();
      await assert.rejects(asked, /socket hang up/);
    }
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const [secure, other] = await connect();
        server.emit('connection', other);
        return readText((await requestOver(secure, REQUEST)).body);
      }),
    );
    assert.deepEqual(new Set(answers), new Set(['hello']));
  });
});
