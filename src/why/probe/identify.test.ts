import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { probeOf, type Script, serveScript } from './testing.ts';

/** Takes nothing but its own first words, as Postgres: a stranger is closed, or left waiting. */
const only =
  (words: string, answer: string, stranger: 'close' | 'wait'): Script =>
  (socket) =>
    socket.once('data', (chunk: Buffer) => {
      if (chunk.toString('latin1').startsWith(words)) socket.write(Buffer.from(answer, 'latin1'));
      else if (stranger === 'close') socket.end();
    });

const CASES = [
  ['http', only('\0\0\0\x08\x04\xd2\x16\x2f', 'N', 'close'), 'postgres'],
  ['redis', only('\0\0\0\x08\x04\xd2\x16\x2f', 'S', 'close'), 'postgres'],
  ['postgres', only('PING', '-NOAUTH Authentication required.\r\n', 'wait'), 'redis'],
  ['mysql', only('HEAD', 'HTTP/1.1 200 OK\r\n\r\n', 'wait'), 'http'],
] as const;

describe('identify', () => {
  for (const [protocol, script, what] of CASES)
    it(`finds ${what} where ${protocol} was expected`, async () => {
      const server = await serveScript(script);
      const { handshake } = await probeOf({ port: server.port, protocol, timeoutMs: 200 });
      await server.close();
      assert.deepEqual([handshake?.outcome, handshake?.looksLike], ['wrong-protocol', what]);
    });

  it('finds what is behind a refused TLS handshake', async () => {
    const server = await serveScript(only('\0\0\0\x08\x04\xd2\x16\x2f', 'N', 'close'));
    const { tls, handshake } = await probeOf({ port: server.port, protocol: 'http', tls: { mode: 'require' } });
    await server.close();
    assert.deepEqual([tls?.outcome, handshake?.looksLike], ['not-offered', 'postgres']);
  });

  it('claims nothing of a server that never answers', async () => {
    const server = await serveScript(() => {});
    const { handshake } = await probeOf({ port: server.port, protocol: 'redis', timeoutMs: 100 });
    await server.close();
    assert.deepEqual(handshake, { outcome: 'silent' });
  });
});
