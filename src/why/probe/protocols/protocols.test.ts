import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { ProbeProtocol, ProbeRequest } from '../result.ts';
import { probeOf, type Script, serveScript } from '../testing.ts';
import { decodeDocument, encodeDocument } from './mongodb.ts';

async function against(protocol: ProbeProtocol, script: Script, request: Partial<ProbeRequest> = {}) {
  const server = await serveScript(script);
  try {
    const result = await probeOf({ port: server.port, protocol, timeoutMs: 500, ...request });
    return { ...result, heard: () => server.heard.map((h) => h.toString('latin1')), server };
  } finally {
    await server.close();
  }
}

describe('speakTcp', () => {
  it('is content with a server that waits', async () =>
    assert.deepEqual((await against('tcp', () => {})).handshake, { outcome: 'ready' }));

  it('keeps what the server says first, and what that is', async () => {
    const { handshake } = await against('tcp', (s) => void s.write('SSH-2.0-x\r\n'));
    assert.deepEqual([handshake?.outcome, handshake?.looksLike], ['ready', 'ssh']);
  });

  it('notes that the connection was closed at once', async () =>
    assert.equal((await against('tcp', (s) => void s.end())).handshake?.outcome, 'closed'));

  it('is refused where nobody listens', async () => {
    const server = await serveScript(() => {});
    await server.close();
    const { connects, handshake } = await probeOf({ port: server.port, protocol: 'tcp' });
    assert.deepEqual([connects[0]?.outcome, connects[0]?.errno, handshake], ['refused', 'ECONNREFUSED', undefined]);
  });

  it('finds names in the hosts file', async () => {
    const { dns, connects } = await against('tcp', () => {}, { host: 'db.test' });
    assert.deepEqual([dns?.attempts[0]?.server, connects[0]?.address], ['/etc/hosts', '127.0.0.1']);
  });
});

describe('speakRedis', () => {
  const server =
    (answers: Readonly<Record<string, string>>): Script =>
    (socket) =>
      socket.on('data', (chunk: Buffer) => {
        const words = [...chunk.toString('utf8').matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((m) => m[1]!);
        socket.write(answers[words[0]!] ?? '-ERR unknown command\r\n');
      });
  const info = 'role:slave\r\nmaster_host:10.0.0.1';
  const replication = `$${info.length}\r\n${info}\r\n`;

  it('is ready where no password is wanted, and sees a replica', async () => {
    const { handshake } = await against('redis', server({ PING: '+PONG\r\n', INFO: replication }));
    assert.deepEqual(handshake, { outcome: 'ready', readOnly: true });
  });

  it('stops where a password is wanted and none was given', async () => {
    const { handshake } = await against('redis', server({ PING: '-NOAUTH Authentication required.\r\n' }));
    assert.deepEqual([handshake?.outcome, handshake?.code], ['auth-wanted', 'NOAUTH']);
  });

  it('hands on that the password is wrong', async () => {
    const answers = { AUTH: '-WRONGPASS invalid username-password pair\r\n' };
    const { handshake } = await against('redis', server(answers), { user: 'app', password: 'x' });
    assert.deepEqual([handshake?.outcome, handshake?.code], ['rejected', 'WRONGPASS']);
  });

  it('tells another protocol by its bytes', async () => {
    const { handshake } = await against('redis', (s) => void s.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    assert.deepEqual([handshake?.outcome, handshake?.looksLike], ['wrong-protocol', 'http']);
  });
});

describe('speakMysql', () => {
  const salt = Buffer.from('abcdefghijklmnopqrst');
  const packet = (sequence: number, body: Buffer): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUIntLE(body.length, 0, 3);
    head[3] = sequence;
    return Buffer.concat([head, body]);
  };
  const greeting = Buffer.concat([
    Buffer.from([10]),
    Buffer.from('8.0.36\0'),
    Buffer.from([1, 0, 0, 0]),
    salt.subarray(0, 8),
    Buffer.from([0, 0xff, 0xf7, 45, 2, 0, 0xff, 0xdf, 21]),
    Buffer.alloc(10),
    salt.subarray(8),
    Buffer.from([0]),
    Buffer.from('mysql_native_password\0'),
  ]);
  const error = (code: number, text: string) =>
    Buffer.concat([Buffer.from([0xff, code & 0xff, code >> 8]), Buffer.from(text)]);

  it('reads the greeting and stops without a password', async () => {
    const { handshake } = await against('mysql', (s) => void s.write(packet(0, greeting)), {
      tls: { mode: 'disable' },
    });
    assert.deepEqual(handshake, {
      outcome: 'auth-wanted',
      authMethod: 'mysql_native_password',
      serverVersion: '8.0.36',
    });
  });

  it('hands on an error in place of the greeting', async () => {
    const { handshake } = await against('mysql', (s) => void s.write(packet(0, error(1040, 'Too many connections'))));
    assert.deepEqual(handshake, { outcome: 'rejected', code: '1040', message: 'Too many connections' });
  });

  it('logs in by mysql_native_password', async () => {
    const sha1 = (...parts: Buffer[]) => createHash('sha1').update(Buffer.concat(parts)).digest();
    const once = sha1(Buffer.from('pepper'));
    const mask = sha1(salt, sha1(once));
    const right = Buffer.from(once.map((b, i) => b ^ mask[i]!));
    const script: Script = (socket) => {
      socket.write(packet(0, greeting));
      socket.once('data', (chunk: Buffer) =>
        socket.write(
          packet(2, chunk.includes(right) ? Buffer.from([0, 0, 0, 2, 0, 0, 0]) : error(1045, '#28000Access denied')),
        ),
      );
    };
    const login = { user: 'app', tls: { mode: 'disable' } } as const;
    assert.equal((await against('mysql', script, { ...login, password: 'pepper' })).handshake?.outcome, 'ready');
    const wrong = await against('mysql', script, { ...login, password: 'salt' });
    assert.deepEqual([wrong.handshake?.code, wrong.handshake?.message], ['1045', 'Access denied']);
  });
});

describe('speakAmqp', () => {
  const frame = (method: number, body: Buffer): Buffer => {
    const payload = Buffer.concat([Buffer.from([0, 10, 0, method]), body]);
    const head = Buffer.alloc(7);
    head[0] = 1;
    head.writeUInt32BE(payload.length, 3);
    return Buffer.concat([head, payload, Buffer.from([0xce])]);
  };
  const long = (text: string) => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(text.length);
    return Buffer.concat([size, Buffer.from(text)]);
  };
  const version = Buffer.concat([Buffer.from('\x07versionS'), long('3.12.1')]);
  const properties = Buffer.concat([long('x'.repeat(version.length)).subarray(0, 4), version]);
  const start = frame(10, Buffer.concat([Buffer.from([0, 9]), properties, long('PLAIN AMQPLAIN'), long('en_US')]));
  const close = (code: number, text: string) =>
    frame(50, Buffer.concat([Buffer.from([code >> 8, code & 0xff, text.length]), Buffer.from(text), Buffer.alloc(4)]));

  it('reads how to log in, and which version', async () => {
    const { handshake } = await against('amqp', (s) => void s.once('data', () => s.write(start)));
    assert.deepEqual(handshake, { outcome: 'auth-wanted', authMethod: 'PLAIN AMQPLAIN', serverVersion: '3.12.1' });
  });

  it('hands on the reply code of a refused login and of a missing virtual host', async () => {
    const script =
      (...answers: readonly Buffer[]): Script =>
      (socket) => {
        let step = 0;
        socket.on('data', () => answers[step] !== undefined && socket.write(answers[step++]!));
      };
    const login = { user: 'app', password: 'x' };
    const refused = await against('amqp', script(start, close(403, 'ACCESS_REFUSED')), login);
    assert.deepEqual([refused.handshake?.outcome, refused.handshake?.code], ['rejected', '403']);
    const tune = frame(30, Buffer.alloc(8));
    const missing = await against('amqp', script(start, tune, close(530, 'NOT_ALLOWED - vhost shop not found')), login);
    assert.deepEqual(
      [missing.handshake?.code, missing.handshake?.message],
      ['530', 'NOT_ALLOWED - vhost shop not found'],
    );
  });
});

describe('speakMongodb', () => {
  const reply = (document: Parameters<typeof encodeDocument>[0]): Buffer => {
    const body = encodeDocument(document);
    const head = Buffer.alloc(21);
    head.writeUInt32LE(head.length + body.length, 0);
    head.writeUInt32LE(2013, 12);
    return Buffer.concat([head, body]);
  };
  const server =
    (answers: readonly Buffer[]): Script =>
    (socket) => {
      let step = 0;
      socket.on('data', () => answers[step] !== undefined && socket.write(answers[step++]!));
    };

  it('sees who is primary, and that a login is wanted', async () => {
    const hello = reply({ ok: 1, isWritablePrimary: false });
    const refusal = reply({ ok: 0, code: 13, errmsg: 'command listDatabases requires authentication' });
    const { handshake } = await against('mongodb', server([hello, refusal]));
    assert.deepEqual([handshake?.outcome, handshake?.readOnly, handshake?.code], ['auth-wanted', true, '13']);
  });

  it('is ready where no login exists', async () => {
    const { handshake } = await against(
      'mongodb',
      server([reply({ ok: 1, isWritablePrimary: true }), reply({ ok: 1 })]),
    );
    assert.deepEqual(handshake, { outcome: 'ready', readOnly: false });
  });

  it('reads the documents it writes', () => {
    const document = { hello: 1, $db: 'admin', on: true, bytes: Buffer.from('ab') };
    assert.deepEqual(decodeDocument(encodeDocument(document)), document);
  });
});

describe('speakHttp', () => {
  const serve = async (answer: (method: string) => number, request: Partial<ProbeRequest> = {}) => {
    const asked: string[] = [];
    const server = createServer((message, response) => {
      asked.push(`${message.method} ${message.url} ${message.headers.host}`);
      response.writeHead(answer(message.method!), { server: 'test/1' }).end();
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as { port: number };
    const { handshake } = await probeOf({ port, protocol: 'http', ...request });
    server.close();
    return { handshake, asked };
  };

  it('asks for the path with the Host header, by HEAD', async () => {
    const { handshake, asked } = await serve(() => 204, { path: '/health', hostHeader: 'shop.example' });
    assert.deepEqual(asked, ['HEAD /health shop.example']);
    assert.deepEqual([handshake?.outcome, handshake?.code, handshake?.serverVersion], ['ready', '204', 'test/1']);
  });

  it('asks by GET where HEAD is not known', async () => {
    const { handshake, asked } = await serve((method) => (method === 'HEAD' ? 405 : 503));
    assert.equal(asked.length, 2);
    assert.deepEqual([handshake?.outcome, handshake?.code], ['ready', '503']);
  });

  it('takes 401 for a question', async () => assert.equal((await serve(() => 401)).handshake?.outcome, 'auth-wanted'));

  it('sees that a server speaks TLS only', async () => {
    const alert = (s: Socket) => void s.once('data', () => s.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])));
    const { tls, handshake } = await against('http', alert);
    assert.deepEqual([tls?.outcome, handshake?.outcome, handshake?.looksLike], ['required', 'wrong-protocol', 'tls']);
  });
});

describe('speakGrpc', () => {
  const serve = async (headers: Readonly<Record<string, string | number>>) => {
    const server = http2.createServer();
    server.on('stream', (stream: http2.ServerHttp2Stream) =>
      stream.respond({ ':status': 200, ...headers }, { endStream: true }),
    );
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as { port: number };
    const { handshake } = await probeOf({ port, protocol: 'grpc' });
    server.close();
    return handshake;
  };

  it('takes any gRPC status for an answer', async () => {
    const handshake = await serve({ 'content-type': 'application/grpc', 'grpc-status': '12' });
    assert.deepEqual([handshake?.outcome, handshake?.code], ['ready', '12']);
  });

  it('sees HTTP/2 that is no gRPC', async () => {
    const handshake = await serve({ 'content-type': 'text/html' });
    assert.deepEqual([handshake?.outcome, handshake?.looksLike], ['wrong-protocol', 'http/2']);
  });

  it('sees a server of HTTP/1.1', async () => {
    const { handshake } = await against(
      'grpc',
      (s) => void s.once('data', () => s.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    );
    assert.deepEqual([handshake?.outcome, handshake?.looksLike], ['wrong-protocol', 'http']);
  });
});

describe('speakUdp', () => {
  it('takes silence for neither', async () => {
    const { createSocket } = await import('node:dgram');
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => void silent.bind(0, '127.0.0.1', () => resolve()));
    const { connects, handshake } = await probeOf({ port: silent.address().port, protocol: 'udp', timeoutMs: 50 });
    silent.close();
    assert.deepEqual([connects[0]?.outcome, handshake?.outcome], ['timeout', 'silent']);
  });

  it('sees the refusal of a closed port', async () => {
    const { connects, handshake } = await probeOf({ port: 9, protocol: 'udp', timeoutMs: 500 });
    assert.deepEqual([connects[0]?.outcome, handshake], ['refused', undefined]);
  });
});
