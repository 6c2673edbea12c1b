import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { HeaderReader, HeaderWriter, SPDY_DICTIONARY, SPDY_DICTIONARY_ID } from './spdy-headers.ts';

function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

const first = { streamtype: 'error', port: '5432', requestid: '0' };
const second = { streamtype: 'data', port: '5432', requestid: '0', 'content-type': 'text/plain' };

describe('SPDY_DICTIONARY', () => {
  it('is the one of the protocol, by its checksum', () => {
    assert.equal(SPDY_DICTIONARY.length, 1423);
    assert.equal(adler32(SPDY_DICTIONARY), SPDY_DICTIONARY_ID);
  });
});

describe('HeaderReader', () => {
  it('reads what HeaderWriter wrote, block after block', () => {
    const writer = new HeaderWriter();
    const reader = new HeaderReader();
    for (const headers of [first, second, {}, second, first])
      assert.deepEqual(reader.decode(writer.encode(headers)), headers);
  });

  it('reads blocks that zlib compressed with sync flushes, as real peers send them', async () => {
    const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
    const reader = new HeaderReader();
    for (let round = 0; round < 50; round++) {
      const headers = { ...(round % 2 === 0 ? first : second), requestid: String(round) };
      const plain = plainBlock(headers);
      const block = await new Promise<Buffer>((resolve) => {
        const chunks: Buffer[] = [];
        const onData = (c: Buffer) => void chunks.push(c);
        deflate.on('data', onData);
        deflate.write(plain);
        deflate.flush(constants.Z_SYNC_FLUSH, () => {
          deflate.off('data', onData);
          resolve(Buffer.concat(chunks));
        });
      });
      assert.deepEqual(reader.decode(block), headers);
    }
  });

  it('refuses a block that is cut short', () => {
    const block = new HeaderWriter().encode(first);
    assert.throws(() => new HeaderReader().decode(block.subarray(0, 20)), /cut short/);
  });
});

describe('HeaderWriter', () => {
  it('writes what zlib reads', async () => {
    const writer = new HeaderWriter();
    const inflate = createInflate({ dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
    const chunks: Buffer[] = [];
    inflate.on('data', (c: Buffer) => void chunks.push(c));
    inflate.end(Buffer.concat([writer.encode(first), writer.encode(second)]));
    await new Promise((resolve) => void inflate.on('end', resolve));
    assert.deepEqual(Buffer.concat(chunks), Buffer.concat([plainBlock(first), plainBlock(second)]));
  });
});

function plainBlock(headers: Record<string, string>): Buffer {
  const entries = Object.entries(headers);
  const number = (n: number) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n]);
  return Buffer.concat([
    number(entries.length),
    ...entries.flat().flatMap((text) => [number(Buffer.byteLength(text)), Buffer.from(text)]),
  ]);
}
