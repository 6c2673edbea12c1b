import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { StatusError } from '#machinery/status.ts';
import { SpdyConnection, type SpdyStream } from '#streams/spdy.ts';
import type { Endpoint } from './endpoints.ts';
import { Forwarder } from './forwarder.ts';

const endpoint = (pod: string): Endpoint => ({ namespace: 'db', pod, uid: pod, role: 'unknown' });

/** What a pod does with a connection to its port. */
type Pod = (data: SpdyStream, errors: SpdyStream, connection: SpdyConnection) => void;

const echo: Pod = (data) => {
  data.onData = (chunk) => void data.write(Buffer.from(chunk.toString().toUpperCase()));
  data.onEnd = () => data.end();
};
const refuse: Pod = (data, errors, connection) => {
  errors.write(Buffer.from('failed to connect to localhost:5432 inside namespace: connection refused'));
  errors.end();
  data.end();
  connection.close();
};

describe('Forwarder', () => {
  const forwarders: Forwarder[] = [];
  afterEach(async () => {
    for (const forwarder of forwarders.splice(0)) await forwarder.stop();
  });

  /** A forwarder whose connections go to these pods in turn, the last one again and again. */
  async function forwarding(...pods: readonly (Pod | Error)[]) {
    let next = 0;
    const failed: string[] = [];
    const said: string[] = [];
    const forwarder = new Forwarder({
      clock: new SystemClock(),
      say: (line) => void said.push(line),
      pick: async () => ({ endpoint: endpoint(`pod-${Math.min(next, pods.length - 1)}`), port: 5432 }),
      failed: ({ pod }, why) => void failed.push(`${pod}: ${why}`),
      reached: () => {},
      dial: async () => {
        const pod = pods[Math.min(next++, pods.length - 1)]!;
        if (pod instanceof Error) throw pod;
        const [ours, theirs] = duplexPair();
        const streams = new Map<string, SpdyStream>();
        const server: SpdyConnection = new SpdyConnection(theirs, {
          role: 'server',
          onStream: (stream) => {
            streams.set(stream.headers['streamtype']!, stream);
            if (streams.size === 2) pod(streams.get('data')!, streams.get('error')!, server);
          },
        });
        return new SpdyConnection(ours, { role: 'client' });
      },
    });
    forwarders.push(forwarder);
    const port = await forwarder.listen(['127.0.0.1'], 0, '5432');
    return { port, failed, said };
  }

  /** Says `words`, then ends; what was heard until the end, or how it broke. */
  function talk(port: number, words: string): Promise<string> {
    return new Promise((resolve) => {
      let heard = '';
      const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(words));
      socket.on('data', (chunk: Buffer) => void (heard += chunk.toString()));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(`${heard}<${error.code}>`));
      socket.on('end', () => resolve(heard));
    });
  }

  it('carries both directions, and their ends one by one', async () => {
    const { port } = await forwarding(echo);
    assert.equal(await talk(port, 'select 1'), 'SELECT 1');
  });

  it('says everything again to the next pod when one refused', async () => {
    const { port, failed } = await forwarding(refuse, echo);
    assert.equal(await talk(port, 'select 1'), 'SELECT 1');
    assert.match(failed.join(), /^pod-0: failed to connect/);
  });

  it('goes on when a pod or the API server could not be reached at all', async () => {
    const { port, failed } = await forwarding(new Error('not reachable'), echo);
    assert.equal(await talk(port, 'x'), 'X');
    assert.deepEqual(failed, ['pod-0: not reachable']);
  });

  it('never says again what a pod may have heard: the client is told by a reset', async () => {
    let calls = 0;
    const dies: Pod = (data, _errors, connection) => {
      calls++;
      data.onData = () => connection.destroy();
    };
    const { port } = await forwarding(dies, echo);
    assert.equal(await talk(port, 'insert'), '<ECONNRESET>');
    assert.equal(calls, 1);
  });

  it('resets when a connection breaks in the middle', async () => {
    const breaks: Pod = (data, _errors, connection) => {
      data.onData = () => {
        data.write(Buffer.from('half'));
        setImmediate(() => connection.destroy());
      };
    };
    assert.equal(await talk((await forwarding(breaks, echo)).port, 'x'), 'half<ECONNRESET>');
  });

  it('closes a connection to a pod that came when the forward had ended', async () => {
    const begun = Promise.withResolvers<void>();
    const dialled = Promise.withResolvers<SpdyConnection>();
    const forwarder = new Forwarder({
      clock: new SystemClock(),
      say: () => {},
      pick: async () => ({ endpoint: endpoint('pod-0'), port: 5432 }),
      failed: () => assert.fail('the pod is not to blame'),
      reached: () => {},
      dial: () => {
        begun.resolve();
        return dialled.promise;
      },
    });
    const port = await forwarder.listen(['127.0.0.1'], 0, '5432');
    const client = connect({ port, host: '127.0.0.1' });
    client.on('error', () => {});
    await begun.promise;
    await forwarder.stop();
    const [ours, theirs] = duplexPair();
    const opened: string[] = [];
    const server = new SpdyConnection(theirs, {
      role: 'server',
      onStream: (stream) => void opened.push(stream.headers['streamtype']!),
    });
    dialled.resolve(new SpdyConnection(ours, { role: 'client' }));
    await server.closed;
    assert.deepEqual(opened, []);
    client.destroy();
  });

  it('does not try again where the permission is missing', async () => {
    const denied = new StatusError(403, 'Forbidden', 'pods "a" is forbidden');
    const { port, said, failed } = await forwarding(denied, echo);
    assert.equal(await talk(port, 'x'), '<ECONNRESET>');
    assert.deepEqual(failed, []);
    assert.match(said.join(), /is forbidden/);
  });
});
