import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it } from 'node:test';
import { frame, FrameType, headerBlock, integer, statusOf } from './frames.ts';

describe('integer', () => {
  // The examples of RFC 7541, appendix C.1.
  it('has one byte below the prefix and more above', () => {
    assert.deepEqual([...integer(10, 5)], [10]);
    assert.deepEqual([...integer(1337, 5)], [31, 154, 10]);
    assert.deepEqual([...integer(127, 7)], [127, 0]);
  });
});

describe('headerBlock', () => {
  it('is literals without index', () => {
    assert.deepEqual([...headerBlock([['a', 'bc']])], [0, 1, 97, 2, 98, 99]);
  });
});

describe('frame', () => {
  it('has length, type, flags and stream before its payload', () => {
    assert.deepEqual([...frame(FrameType.headers, 5, 258, Buffer.from('x'))], [0, 0, 1, 1, 5, 0, 0, 1, 2, 120]);
  });
});

describe('statusOf', () => {
  const cases: readonly (readonly [string, readonly number[], number])[] = [
    ['an entry of the static table', [0x88], 200],
    ['such an entry behind the news of an empty table', [0x20, 0x8d], 404],
    ['a literal that is not indexed', [0x08, 3, 0x32, 0x30, 0x31], 201],
    ['a literal for the table', [0x48, 3, 0x34, 0x30, 0x39], 409],
    ['a literal that may never be indexed', [0x18, 3, 0x35, 0x30, 0x33], 503],
    ['"201" in Huffman code', [0x48, 0x82, 0x10, 0x03], 201],
    ['"302" in Huffman code, as RFC 7541 C.6.1 has it', [0x48, 0x82, 0x64, 0x02], 302],
    ['"307" in Huffman code, as RFC 7541 C.6.2 has it', [0x48, 0x83, 0x64, 0x0e, 0xff], 307],
    ['another field first', [0x00, 1, 97, 1, 98], 0],
  ];
  for (const [what, block, status] of cases) {
    it(`reads ${what}`, () => assert.equal(statusOf(Uint8Array.from(block)), status));
  }
  it('has constants that Node agrees with', () => {
    assert.equal(http2.constants.HTTP_STATUS_OK, statusOf(Uint8Array.from([0x88])));
  });
});
