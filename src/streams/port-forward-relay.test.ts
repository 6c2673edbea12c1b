import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import { relayPortForward } from './port-forward-relay.ts';
import { SpdyConnection, type SpdyStream } from './spdy.ts';

/** A client and a runtime with the relay between them; what the runtime is asked for goes to `onStream`. */
function relayed(onStream: (stream: SpdyStream) => void) {
  const [clientEnd, relayClient] = duplexPair();
  const [relayRuntime, runtimeEnd] = duplexPair();
  const over = relayPortForward(relayClient, relayRuntime);
  const runtime = new SpdyConnection(runtimeEnd, { role: 'server', onStream });
  return { client: new SpdyConnection(clientEnd, { role: 'client' }), runtime, over };
}

/** All that a stream brings until its end. */
function whole(stream: SpdyStream): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    stream.onData = (chunk) => (text += chunk.toString());
    stream.onEnd = () => resolve(text);
    stream.onReset = () => resolve(`${text} (reset)`);
  });
}

const headers = (streamtype: string) => ({ streamtype, port: '5432', requestid: '0' });

describe('relayPortForward', () => {
  it('carries data and ends both ways, with the headers that pair the streams', async () => {
    const asked: unknown[] = [];
    const { client } = relayed((stream) => {
      asked.push(stream.headers);
      if (stream.headers['streamtype'] === 'error') return stream.end();
      return void whole(stream).then((text) => {
        stream.write(Buffer.from(text.toUpperCase()));
        stream.end();
      });
    });
    const errors = whole(client.open(headers('error'), true));
    const data = client.open(headers('data'));
    const answer = whole(data);
    data.write(Buffer.from('select'));
    data.end();
    assert.equal(await answer, 'SELECT');
    assert.equal(await errors, '');
    assert.deepEqual(asked, [headers('error'), headers('data')]);
  });

  const cases: readonly (readonly [string, string, string])[] = [
    ['a refused port', 'dial tcp4 127.0.0.1:5432: connect: connection refused', 'the same'],
    ['a server that reset the connection', 'read tcp4 127.0.0.1:1->127.0.0.1:5432: read: connection reset by peer', ''],
    ['a client that went away', 'write tcp4 127.0.0.1:1->127.0.0.1:5432: write: broken pipe', ''],
  ];
  for (const [what, said, expected] of cases) {
    it(`${expected === '' ? 'does not take for a failure' : 'tells of'} ${what}`, async () => {
      const { client } = relayed((stream) => {
        if (stream.headers['streamtype'] === 'error') stream.write(Buffer.from(said));
        stream.end();
      });
      const errors = whole(client.open(headers('error'), true));
      client.open(headers('data'));
      assert.equal(await errors, expected === '' ? '' : said);
    });
  }

  it('is over for both when one side is gone', async () => {
    const { client, runtime, over } = relayed(() => {});
    client.destroy();
    await over;
    await runtime.closed;
  });
});
