import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { type ChannelProtocol, PORT_FORWARD_PROTOCOLS, REMOTE_COMMAND_PROTOCOLS } from './channels.ts';
import { joinPortForward, joinRemoteCommand, type RemoteCommand } from './remote-command.ts';
import { SpdyConnection, type SpdyStream } from './spdy.ts';
import { acceptWebSocket, offeredProtocols } from './websocket.ts';

/** A runtime: what it does with its streams, by their type. */
type Runtime = (streams: ReadonlyMap<string, SpdyStream>, connection: SpdyConnection) => void;

const EXIT_3 = {
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: '3' }] },
};

describe('joinRemoteCommand', () => {
  const server = http.createServer();
  let protocol: ChannelProtocol;
  let command: RemoteCommand;
  let runtime: Runtime;
  before(async () => {
    server.on('upgrade', (message, socket) => {
      const [ours, theirs] = duplexPair();
      const streams = new Map<string, SpdyStream>();
      const expected = [true, command.stdin, command.stdout, command.stderr && !command.tty, command.tty].filter(
        Boolean,
      ).length;
      const peer: SpdyConnection = new SpdyConnection(theirs, {
        role: 'server',
        onStream: (stream) => {
          streams.set(`${stream.headers['streamtype']}${stream.headers['port'] ?? ''}`, stream);
          if (streams.size === expected || stream.headers['port'] !== undefined)
            setImmediate(() => runtime(streams, peer));
        },
      });
      void offeredProtocols(message.headers);
      void acceptWebSocket(message, socket, protocol.name).then((client) => {
        const connection = new SpdyConnection(ours, { role: 'client' });
        if (PORT_FORWARD_PROTOCOLS.includes(protocol)) return joinPortForward(client!, protocol, connection, [80]);
        return joinRemoteCommand(client!, protocol, connection, command);
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  });
  after(() => void server.close());

  /** Everything the client hears, as [channel, text], until the server closes. `onOpen` may write. */
  async function session(name: string, list: readonly ChannelProtocol[], onOpen?: (socket: WebSocket) => void) {
    protocol = list.find((p) => p.name === name)!;
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, [name]);
    const heard: [number, string][] = [];
    socket.on('message', (data: Buffer) => {
      heard.push(
        protocol.base64
          ? [data[0]! - 0x30, Buffer.from(data.toString('latin1', 1), 'base64').toString()]
          : [data[0]!, data.toString('utf8', 1)],
      );
    });
    socket.on('open', () => onOpen?.(socket));
    const code = await new Promise<number>((resolve) => void socket.once('close', resolve));
    assert.equal(socket.protocol, name);
    return { heard, code };
  }

  it('hands output out in its order, the status after all of it, and closes normally', async () => {
    command = { stdin: false, stdout: true, stderr: true, tty: false };
    runtime = (streams, connection) => {
      streams.get('stdout')!.write(Buffer.from('one '));
      streams.get('stderr')!.write(Buffer.from('oops'));
      streams.get('stdout')!.write(Buffer.from('two'));
      streams.get('error')!.write(Buffer.from(JSON.stringify(EXIT_3)));
      connection.close();
    };
    const { heard, code } = await session('v5.channel.k8s.io', REMOTE_COMMAND_PROTOCOLS);
    assert.deepEqual(heard, [
      [1, ''],
      [1, 'one '],
      [2, 'oops'],
      [1, 'two'],
      [3, JSON.stringify(EXIT_3)],
    ]);
    assert.equal(code, 1000);
  });

  it('ends stdin alone when a v5 client closes its channel', async () => {
    command = { stdin: true, stdout: true, stderr: false, tty: false };
    runtime = (streams, connection) => {
      const chunks: Buffer[] = [];
      const stdin = streams.get('stdin')!;
      stdin.onData = (chunk) => void chunks.push(chunk);
      stdin.onEnd = () => {
        streams.get('stdout')!.write(Buffer.concat(chunks));
        streams.get('error')!.write(Buffer.from('{"status":"Success"}'));
        connection.close();
      };
    };
    const { heard } = await session('v5.channel.k8s.io', REMOTE_COMMAND_PROTOCOLS, (socket) => {
      socket.send(Buffer.from('\0some '));
      socket.send(Buffer.from('\0input'));
      socket.send(Buffer.from([255, 0]));
    });
    assert.deepEqual(heard, [
      [1, ''],
      [1, 'some input'],
      [3, '{"status":"Success"}'],
    ]);
  });

  it('passes terminal sizes on', async () => {
    command = { stdin: true, stdout: true, stderr: false, tty: true };
    runtime = (streams, connection) => {
      streams.get('resize')!.onData = (chunk) => {
        streams.get('stdout')!.write(chunk);
        streams.get('error')!.write(Buffer.from('{"status":"Success"}'));
        connection.close();
      };
    };
    const { heard } = await session('v4.channel.k8s.io', REMOTE_COMMAND_PROTOCOLS, (socket) =>
      socket.send(Buffer.from('\x04{"Width":80,"Height":24}')),
    );
    assert.deepEqual(heard[1], [1, '{"Width":80,"Height":24}']);
  });

  it('says that the runtime was lost when no status came', async () => {
    command = { stdin: false, stdout: true, stderr: false, tty: false };
    runtime = (_, connection) => connection.destroy();
    const { heard } = await session('v4.channel.k8s.io', REMOTE_COMMAND_PROTOCOLS);
    const status = JSON.parse(heard.at(-1)![1]) as { status: string; message: string };
    assert.deepEqual([heard.at(-1)![0], status.status], [3, 'Failure']);
    assert.match(status.message, /lost/);
  });

  it('speaks base64, and plain text on failure, where the client is that old', async () => {
    command = { stdin: false, stdout: true, stderr: false, tty: false };
    runtime = (streams, connection) => {
      streams.get('stdout')!.write(Buffer.from('hi'));
      streams.get('error')!.write(Buffer.from('{"status":"Failure","message":"command terminated with exit code 3"}'));
      connection.close();
    };
    const { heard } = await session('base64.channel.k8s.io', REMOTE_COMMAND_PROTOCOLS);
    assert.deepEqual(heard.slice(1), [
      [1, 'hi'],
      [3, 'command terminated with exit code 3'],
    ]);
  });

  it('carries more than the buffers hold to a client that reads late', async () => {
    command = { stdin: false, stdout: true, stderr: false, tty: false };
    const total = 8 * 1024 * 1024;
    runtime = (streams, connection) => {
      const stdout = streams.get('stdout')!;
      void (async () => {
        for (let sent = 0; sent < total; sent += 32_768) {
          if (!stdout.write(Buffer.alloc(32_768, 'x'))) await connection.drained();
        }
        streams.get('error')!.write(Buffer.from('{"status":"Success"}'));
        connection.close();
      })();
    };
    const { heard } = await session('v5.channel.k8s.io', REMOTE_COMMAND_PROTOCOLS, (socket) => {
      socket.pause();
      setImmediate(() => setImmediate(() => socket.resume()));
    });
    assert.equal(
      heard.filter(([c]) => c === 1).reduce((sum, [, t]) => sum + t.length, 0),
      total,
    );
    assert.equal(heard.at(-1)![1], '{"status":"Success"}');
  });

  it('forwards ports of old clients: each channel begins with its port', async () => {
    command = { stdin: false, stdout: false, stderr: false, tty: false };
    runtime = (streams) => {
      const data = streams.get('data80');
      if (data === undefined) return;
      data.onData = (chunk) => {
        data.write(Buffer.from(chunk.toString().toUpperCase()));
        data.end();
      };
    };
    const { heard } = await session('v4.channel.k8s.io', PORT_FORWARD_PROTOCOLS, (socket) =>
      socket.send(Buffer.from('\0get')),
    );
    assert.deepEqual(heard, [
      [0, 'P\0'],
      [1, 'P\0'],
      [0, 'GET'],
    ]);
  });
});

describe('acceptWebSocket', () => {
  it('answers a handshake without a key with 400', async () => {
    const server = http.createServer();
    server.on('upgrade', (message, socket) => void acceptWebSocket(message, socket, ''));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    const request = http.get({
      port: (server.address() as AddressInfo).port,
      headers: { connection: 'Upgrade', upgrade: 'websocket' },
    });
    const status = await new Promise((resolve) => void request.on('response', (r) => resolve(r.resume().statusCode)));
    assert.equal(status, 400);
    server.close();
  });
});
