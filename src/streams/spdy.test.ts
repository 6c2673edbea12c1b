import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import { settle } from '#base/clock.ts';
import { SpdyConnection, type SpdyStream } from './spdy.ts';

interface Pair {
  readonly client: SpdyConnection;
  readonly server: SpdyConnection;
  /** Streams that the server was given. */
  readonly accepted: SpdyStream[];
  /** What each of them received, by stream id; 'END' and 'RESET' as they came. */
  readonly heard: Map<number, string[]>;
  readonly wire: Duplex;
}

function makePair(onStream?: (stream: SpdyStream) => void): Pair {
  const [left, right] = duplexPair();
  const accepted: SpdyStream[] = [];
  const heard = new Map<number, string[]>();
  const server = new SpdyConnection(right, {
    role: 'server',
    onStream: (stream) => {
      accepted.push(stream);
      heard.set(stream.id, listen(stream));
      onStream?.(stream);
    },
  });
  return { client: new SpdyConnection(left, { role: 'client' }), server, accepted, heard, wire: left };
}

function listen(stream: SpdyStream): string[] {
  const out: string[] = [];
  stream.onData = (chunk) => void out.push(chunk.toString('utf8'));
  stream.onEnd = () => void out.push('END');
  stream.onReset = () => void out.push('RESET');
  return out;
}

describe('SpdyConnection', () => {
  it('opens streams with their headers, in order, with odd numbers for the client', async () => {
    const { client, accepted } = makePair();
    client.open({ streamtype: 'error' });
    client.open({ streamtype: 'data', port: '5432', requestid: '7' });
    await settle();
    assert.deepEqual(
      accepted.map((s) => [s.id, s.headers]),
      [
        [1, { streamtype: 'error' }],
        [3, { streamtype: 'data', port: '5432', requestid: '7' }],
      ],
    );
  });

  it('lets one side end while the other goes on', async () => {
    const { client, accepted, heard } = makePair();
    const stream = client.open({ streamtype: 'stdin' });
    const answers = listen(stream);
    stream.write(Buffer.from('question'));
    stream.end();
    await settle();
    assert.deepEqual(heard.get(1), ['question', 'END']);
    accepted[0]!.write(Buffer.from('answer'));
    accepted[0]!.end();
    await settle();
    assert.deepEqual(answers, ['answer', 'END']);
    assert.ok(stream.isOver);
  });

  it('opens a stream that is ended already', async () => {
    const { client, heard } = makePair();
    client.open({ streamtype: 'error' }, true);
    await settle();
    assert.deepEqual(heard.get(1), ['END']);
  });

  it('cuts long writes into frames and joins nothing that belongs to another stream', async () => {
    const { client, heard } = makePair();
    const one = client.open({ n: '1' });
    const two = client.open({ n: '2' });
    one.write(Buffer.alloc(100_000, 'a'));
    two.write(Buffer.from('b'));
    await settle();
    assert.deepEqual(
      heard.get(1)!.map((c) => c.length),
      [32_768, 32_768, 32_768, 1_696],
    );
    assert.deepEqual(heard.get(3), ['b']);
  });

  it('reads frames that come byte by byte', async () => {
    const [left, right] = duplexPair();
    const recorded: Buffer[] = [];
    const writer = new SpdyConnection(left, { role: 'client' });
    right.on('data', (chunk: Buffer) => void recorded.push(chunk));
    const stream = writer.open({ streamtype: 'data' });
    stream.write(Buffer.from('slow'));
    stream.end();
    await settle();
    const { heard, wire } = makePair();
    for (const byte of Buffer.concat(recorded)) wire.write(Buffer.from([byte]));
    await settle();
    assert.deepEqual(heard.get(1)?.join(''), 'slowEND');
  });

  it('tells the peer of a cancelled stream, and drops what is still on its way', async () => {
    const { client, accepted, heard } = makePair();
    const stream = client.open({});
    const answers = listen(stream);
    await settle();
    stream.cancel();
    accepted[0]!.write(Buffer.from('late'));
    await settle();
    assert.deepEqual([heard.get(1), answers], [['RESET'], []]);
  });

  it('resets all streams when the connection is lost', async () => {
    const { client, wire, heard } = makePair();
    client.open({});
    client.open({});
    await settle();
    wire.destroy();
    await client.closed;
    await settle();
    assert.deepEqual([heard.get(1), heard.get(3)], [['RESET'], ['RESET']]);
  });

  it('answers pings of its peer and keeps quiet about answers to its own', async () => {
    const [left, right] = duplexPair();
    void new SpdyConnection(left, { role: 'server' });
    const heard: Buffer[] = [];
    right.on('data', (chunk: Buffer) => void heard.push(chunk));
    const ping = (id: number) => Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, id]);
    right.write(ping(1));
    right.write(ping(2));
    await settle();
    assert.deepEqual(Buffer.concat(heard), ping(1));
  });

  it('refuses streams where nobody takes them', async () => {
    const [left, right] = duplexPair();
    const client = new SpdyConnection(left, { role: 'client' });
    void new SpdyConnection(right, { role: 'server' });
    const heard = listen(client.open({}));
    await settle();
    assert.deepEqual(heard, ['RESET']);
  });

  const broken: readonly [string, number[]][] = [
    ['another version', [0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]],
    ['a header block that is no zlib', [0x80, 3, 0, 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 9]],
    ['a stream number of the wrong side', [0x80, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2]],
    ['a control frame without an end', [0x80, 3, 0, 4, 0, 0xff, 0xff, 0xff]],
  ];
  for (const [what, bytes] of broken) {
    it(`ends the connection on ${what}`, async () => {
      const { server, wire } = makePair();
      wire.on('error', () => {});
      wire.write(Buffer.from(bytes));
      await server.closed;
    });
  }
});
