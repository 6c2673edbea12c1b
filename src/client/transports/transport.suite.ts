// What every transport does, whatever lies between the two ends. Each transport's test runs it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { configmaps } from '#generated/resources.ts';
import { SystemClock } from '#base/clock.ts';
import { type Exchange, readBody } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { Client } from '../client.ts';
import { createClient } from '../rest-client.ts';
import { TestApi } from '../testing.ts';
import type { Transport } from './transport.ts';

export interface TransportUnderTest {
  readonly transport: Transport;
  close(): Promise<void>;
}

const never = new AbortController().signal;

export function describeTransport(title: string, open: (exchange: Exchange) => Promise<TransportUnderTest>): void {
  describe(title, () => {
    const api = new TestApi();
    /** Chunks that the endless stream has been asked for. */
    let pulled = 0;
    let ended = false;
    const exchange: Exchange = async (request) => {
      if (request.path === '/silent') {
        return { status: 200, headers: {}, body: silent(request.signal, () => (ended = true)) };
      }
      if (request.path === '/endless') {
        return {
          status: 200,
          headers: {},
          body: endless(
            () => pulled++,
            () => (ended = true),
          ),
        };
      }
      if (request.path === '/echo') {
        return {
          status: 418,
          headers: { 'x-user-agent': request.headers['user-agent'] ?? '' },
          body: request.body ?? new Uint8Array(),
        };
      }
      return api.exchange(request);
    };
    let under: TransportUnderTest;
    let client: Client;
    before(async () => {
      under = await open(exchange);
      client = createClient({ transport: under.transport, clock: new SystemClock(), userAgent: 'suite/1' });
    });
    after(() => under.close());

    const send = (path: string, signal = never, body?: Uint8Array) =>
      under.transport.request({
        method: body === undefined ? 'GET' : 'POST',
        path,
        headers: { 'user-agent': 'suite/1' },
        body,
        signal,
      });

    it('carries status, headers and bytes both ways', async () => {
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251)).subarray(7);
      const response = await send('/echo', never, bytes);
      assert.equal(response.status, 418);
      assert.equal(response.headers['x-user-agent'], 'suite/1');
      assert.deepEqual(Buffer.from(await readBody(response.body)), Buffer.from(bytes));
    });

    it('creates, reads and deletes objects', async () => {
      const maps = client.resource(configmaps);
      const made = await maps.create({ metadata: { namespace: 'a', name: 'one' }, data: { k: 'é' } });
      assert.equal(made.kind, 'ConfigMap');
      assert.deepEqual((await maps.get('a', 'one'))?.data, { k: 'é' });
      assert.equal((await maps.list({ namespace: 'a' })).items.length, 1);
      await maps.delete('a', 'one');
      assert.equal(await maps.get('a', 'one'), undefined);
    });

    it("keeps the server's errors", async () => {
      const maps = client.resource(configmaps);
      await maps.create({ metadata: { namespace: 'a', name: 'twice' } });
      await assert.rejects(maps.create({ metadata: { namespace: 'a', name: 'twice' } }), (error: unknown) => {
        assert.ok(error instanceof StatusError);
        assert.deepEqual(
          [error.code, error.reason, error.message],
          [409, 'AlreadyExists', 'configmaps "twice" already exists'],
        );
        return true;
      });
    });

    it('streams watch events as they happen', async () => {
      const maps = client.resource(configmaps);
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const event of maps.watch({ namespace: 'w', sendInitialEvents: true }, stop.signal)) {
        seen.push(event.type);
        if (event.type === 'BOOKMARK') await maps.create({ metadata: { namespace: 'w', name: 'new' } });
        if (event.type === 'ADDED') stop.abort();
      }
      assert.deepEqual(seen, ['BOOKMARK', 'ADDED']);
    });

    it('carries many watches at once', async () => {
      const stop = new AbortController();
      const streams = Array.from({ length: 150 }, () =>
        client.resource(configmaps).watch({ namespace: 'none', sendInitialEvents: true }, stop.signal),
      );
      const first = await Promise.all(streams.map(async (s) => (await s[Symbol.asyncIterator]().next()).value.type));
      assert.equal(first.filter((t) => t === 'BOOKMARK').length, 150);
      stop.abort();
    });

    it('ends a silent stream with the reason of the abort, and the work behind it', async () => {
      const stop = new AbortController();
      const response = await send('/silent', stop.signal);
      const reading = readBody(response.body);
      ended = false;
      setImmediate(() => stop.abort(new Error('enough')));
      await assert.rejects(reading, /enough/);
      await eventually(() => ended);
    });

    it('stops the work behind a stream that is read no further', async () => {
      ended = false;
      const response = await send('/endless');
      for await (const _ of response.body as AsyncIterable<Uint8Array>) break;
      await eventually(() => ended);
    });

    it('pulls: a reader that stands still is not buffered for without bound', async () => {
      pulled = 0;
      const response = await send('/endless');
      const chunks = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      await chunks.next();
      await rest(2000);
      // 64 KiB each: windows and socket buffers hold some MB, no more.
      assert.ok(pulled < 512, `${pulled} chunks were pulled for a reader that took one`);
      await chunks.return?.();
    });

    it('rejects at once when already aborted', async () => {
      await assert.rejects(send('/echo', AbortSignal.abort(new Error('too late'))), /too late/);
    });

    it('fails what is open when it is closed', async () => {
      const other = await open(exchange);
      const response = await other.transport.request({ method: 'GET', path: '/silent', headers: {}, signal: never });
      const reading = readBody(response.body);
      await Promise.all([assert.rejects(reading), other.close()]);
      await assert.rejects(other.transport.request({ method: 'GET', path: '/echo', headers: {}, signal: never }));
    });
  });
}

async function* silent(signal: AbortSignal, onEnd: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield Buffer.from('{}\n');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  } finally {
    onEnd();
  }
}

async function* endless(onPull: () => void, onEnd: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      onPull();
      yield Buffer.alloc(64 * 1024, 'x');
    }
  } finally {
    onEnd();
  }
}

const rest = (turns: number) =>
  new Promise<void>((resolve) =>
    (function turn(left: number) {
      setImmediate(() => (left === 0 ? resolve() : turn(left - 1)));
    })(turns),
  );

async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !condition(); i++) await rest(1);
  assert.ok(condition());
}
