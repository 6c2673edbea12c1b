import assert from 'node:assert/strict';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { createWebSocketStream } from 'ws';
import { SystemClock } from '#base/clock.ts';
import { CHANNEL } from '#streams/channels.ts';
import { responseHead } from '#streams/http-upgrade.ts';
import { openPortStream } from '#streams/port-stream.ts';
import { SpdyConnection } from '#streams/spdy.ts';
import { acceptWebSocket, isWebSocket, offeredProtocols } from '#streams/websocket.ts';
import { dialPortForward, execInPod, openExec } from './streaming.ts';

type Upgrade = (message: IncomingMessage, socket: Duplex) => void;

const AT = { namespace: 'db', pod: 'pg' };
const FORBIDDEN = {
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason: 'Forbidden',
  message: 'pods "pg" is forbidden',
  code: 403,
};

function refuse(socket: Duplex, code: number, body: string): void {
  socket.end(`${responseHead(code, 'No', ['Content-Length', String(body.length), 'Connection', 'close'])}${body}`);
}

describe('streams into pods', () => {
  const servers: http.Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function serve(upgrade: Upgrade) {
    const server = http.createServer();
    servers.push(server);
    server.on('upgrade', (message, socket) => upgrade(message, socket as Duplex));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    return {
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      token: 'secret',
      clock: new SystemClock(),
    };
  }

  /** A kubelet's end: says back what it hears on port 5432, in capitals. */
  function echo(stream: Duplex): SpdyConnection {
    return new SpdyConnection(stream, {
      role: 'server',
      onStream: (stream_) => {
        if (stream_.headers['streamtype'] !== 'data') return;
        stream_.onData = (chunk) =>
          void stream_.write(Buffer.from(`${stream_.headers['port']} ${chunk.toString().toUpperCase()}`));
        stream_.onEnd = () => stream_.end();
      },
    });
  }

  async function say(connection: SpdyConnection, words: string): Promise<string> {
    const stream = openPortStream(connection, 5432);
    stream.end(words);
    let heard = '';
    for await (const chunk of stream) heard += String(chunk);
    return heard;
  }

  const overWebSocket: Upgrade = (message, socket) => {
    assert.equal(message.headers.authorization, 'Bearer secret');
    const [protocol] = offeredProtocols(message.headers);
    void acceptWebSocket(message, socket, protocol!).then((client) => void echo(createWebSocketStream(client!)));
  };

  it('goes through the WebSocket tunnel', async () => {
    const options = await serve(overWebSocket);
    assert.equal(await say(await dialPortForward(options, AT), 'hello'), '5432 HELLO');
  });

  it('goes by SPDY where the server has no tunnel', async () => {
    const asked: string[] = [];
    const options = await serve((message, socket) => {
      asked.push(`${message.method} ${message.headers.upgrade}`);
      if (isWebSocket(message.headers)) return refuse(socket, 400, 'unable to upgrade');
      socket.write(responseHead(101, 'Switching Protocols', ['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1']));
      echo(socket);
    });
    assert.equal(await say(await dialPortForward(options, AT), 'hello'), '5432 HELLO');
    assert.deepEqual(asked, ['GET websocket', 'POST SPDY/3.1']);
  });

  it('hands on the server’s refusal, and asks no second time', async () => {
    let asked = 0;
    const options = await serve((_message, socket) => {
      asked++;
      refuse(socket, 403, JSON.stringify(FORBIDDEN));
    });
    await assert.rejects(dialPortForward(options, AT), { code: 403, message: 'pods "pg" is forbidden' });
    assert.equal(asked, 1);
  });

  it('says that no server is there', async () => {
    const options = await serve(() => {});
    servers.at(-1)!.close();
    await assert.rejects(dialPortForward(options, AT), { code: 503 });
  });

  /** A container that prints what it is told to, on both outputs, and ends with this status. */
  const container =
    (status: object): Upgrade =>
    (message, socket) => {
      const query = new URL(message.url!, 'http://server').searchParams;
      void acceptWebSocket(message, socket, offeredProtocols(message.headers)[0]!).then((client) => {
        client!.send(Buffer.from([CHANNEL.stdout, ...Buffer.from(query.getAll('command').join(' '))]));
        client!.send(Buffer.from([CHANNEL.stderr, ...Buffer.from('oops')]));
        client!.on('message', (data: Buffer) => {
          if (data[0] === CHANNEL.stdin) return client!.send(Buffer.from([CHANNEL.stdout, ...data.subarray(1)]));
          if (data[0] !== CHANNEL.close) return;
          client!.send(Buffer.from([CHANNEL.error, ...Buffer.from(JSON.stringify(status))]));
          client!.close();
        });
      });
    };
  const failure = { status: 'Failure', details: { causes: [{ reason: 'ExitCode', message: '3' }] } };

  it('runs a command with output, complaint and exit code', async () => {
    const options = await serve(container(failure));
    const output = await execInPod(options, { ...AT, container: 'c' }, ['echo', 'a b'], AbortSignal.timeout(5_000));
    assert.deepEqual(output, { stdout: 'echo a b', stderr: 'oops', exitCode: 3 });
  });

  it('talks with a command', async () => {
    const options = await serve(container({ status: 'Success' }));
    const { stream, exited } = await openExec(options, { ...AT, container: 'c' }, ['cat']);
    stream.write('x');
    let heard = '';
    for await (const chunk of stream) {
      heard += String(chunk);
      if (heard.endsWith('x')) stream.end();
    }
    assert.equal(heard, 'catx');
    assert.equal(await exited, 0);
  });

  it('rejects when a command could not be started', async () => {
    const options = await serve(container({ status: 'Failure', message: 'executable file not found' }));
    await assert.rejects(
      execInPod(options, { ...AT, container: 'c' }, ['nothere'], AbortSignal.timeout(5_000)),
      /executable file not found/,
    );
  });
});
