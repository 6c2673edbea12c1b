import assert from 'node:assert/strict';
import { createHmac, createHash, pbkdf2Sync } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { probeOf, type Script, serveScript } from '../testing.ts';

const message = (type: string, body: Buffer | string): Buffer => {
  const bytes = Buffer.from(body as string);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(4 + bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const auth = (kind: number, rest: Buffer | string = ''): Buffer =>
  message('R', Buffer.concat([Buffer.from([0, 0, 0, kind]), Buffer.from(rest as string)]));
const error = (code: string, text: string): Buffer => message('E', `SFATAL\0VFATAL\0C${code}\0M${text}\0\0`);
const parameter = (name: string, value: string): Buffer => message('S', `${name}\0${value}\0`);
const ready = message('Z', 'I');

/** Answers N to SSLRequest, then `answers` to the messages that follow, one each. */
function plainServer(...answers: readonly ((socket: Socket, received: Buffer) => void)[]): Script {
  return (socket) => {
    let step = 0;
    socket.on('data', (chunk: Buffer) => {
      if (chunk.length === 8 && chunk.readUInt32BE(4) === 80877103) return void socket.write('N');
      answers[step++]?.(socket, chunk);
    });
  };
}

async function against(script: Script, request: Partial<Parameters<typeof probeOf>[0]> = {}) {
  const server = await serveScript(script);
  try {
    return { result: await probeOf({ port: server.port, protocol: 'postgres', user: 'app', ...request }), server };
  } finally {
    await server.close();
  }
}

describe('speakPostgres', () => {
  for (const [code, text] of [
    ['28000', 'no pg_hba.conf entry for host "10.0.0.1", user "app", database "shop"'],
    ['28P01', 'password authentication failed for user "app"'],
    ['3D000', 'database "shop" does not exist'],
    ['53300', 'sorry, too many clients already'],
    ['57P03', 'the database system is starting up'],
  ] as const) {
    it(`hands on the server's refusal ${code}`, async () => {
      const { result } = await against(plainServer((s) => s.end(error(code, text))));
      assert.deepEqual(result.handshake, { outcome: 'rejected', code, message: text });
    });
  }

  it('stops at the question for a password, and says no word more', async () => {
    const { result, server } = await against(plainServer((s) => s.write(auth(10, 'SCRAM-SHA-256\0\0'))));
    assert.deepEqual(result.handshake, { outcome: 'auth-wanted', authMethod: 'SCRAM-SHA-256' });
    assert.equal(result.tls?.outcome, 'not-offered');
    const [heard] = server.heard;
    assert.equal(heard!.readUInt32BE(8), heard!.length - 8, 'SSLRequest, one startup message, and nothing after it');
  });

  it('logs in by SCRAM-SHA-256 with the password given, reads what the server reports, and terminates', async () => {
    const [salt, iterations] = [Buffer.from('pepper'), 4096];
    let clientFirst = '';
    let serverFirst = '';
    const { result, server } = await against(
      plainServer(
        (s) => s.write(auth(10, 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0')),
        (s, received) => {
          clientFirst = received.toString('utf8').split('n,,')[1]!;
          serverFirst = `${clientFirst.slice(clientFirst.indexOf('r='))}more,s=${salt.toString('base64')},i=${iterations}`;
          s.write(auth(11, serverFirst));
        },
        (s, received) => {
          const final = received.toString('utf8', 5);
          const [withoutProof, proof] = final.split(',p=') as [string, string];
          const hmac = (key: Buffer, data: string) => createHmac('sha256', key).update(data).digest();
          const client = hmac(pbkdf2Sync('secret', salt, iterations, 32, 'sha256'), 'Client Key');
          const stored = createHash('sha256').update(client).digest();
          const signature = hmac(stored, `${clientFirst},${serverFirst},${withoutProof}`);
          const right = Buffer.from(client.map((b, i) => b ^ signature[i]!)).toString('base64');
          if (proof !== right) return void s.end(error('28P01', 'wrong proof'));
          const parameters = [parameter('in_hot_standby', 'on'), parameter('server_version', '15.3')];
          s.write(Buffer.concat([auth(12, 'v=x'), auth(0), ...parameters, ready]));
        },
      ),
      { password: 'secret', tls: { mode: 'disable' } },
    );
    assert.deepEqual(result.handshake, { outcome: 'ready', serverVersion: '15.3', readOnly: true });
    assert.equal(server.heard[0]!.at(-5), 'X'.charCodeAt(0));
  });

  it('does not take a stand-in user that is missing for the caller’s', async () => {
    const { result } = await against(
      plainServer((s) => s.end(error('28000', 'role "postgres" does not exist'))),
      { user: undefined },
    );
    assert.equal(result.handshake?.outcome, 'auth-wanted');
  });

  it('tells a server of another protocol by its bytes', async () => {
    const { result } = await against((s) => void s.write('SSH-2.0-OpenSSH_9.2\r\n'));
    assert.equal(result.handshake?.outcome, 'wrong-protocol');
    assert.equal(result.handshake?.looksLike, 'ssh');
  });

  it('says that a server kept silent', async () => {
    const { result } = await against(() => {}, { timeoutMs: 100 });
    assert.equal(result.handshake?.outcome, 'silent');
  });

  it('requires TLS where the mode does', async () => {
    const { result } = await against(plainServer(), { tls: { mode: 'require' } });
    assert.equal(result.tls?.outcome, 'not-offered');
    assert.equal(result.handshake, undefined);
  });
});
