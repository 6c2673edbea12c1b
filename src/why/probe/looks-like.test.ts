import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { looksLike } from './looks-like.ts';

const CASES: readonly [string | undefined, Buffer | string][] = [
  ['tls', Buffer.from([0x15, 3, 1, 0, 2, 2, 70])],
  ['http', 'HTTP/1.1 400 Bad Request\r\n'],
  ['http/2', Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1])],
  ['mysql', Buffer.from([74, 0, 0, 0, 10, 56, 46, 48])],
  ['mysql', Buffer.from([72, 0, 0, 0, 0xff, 106, 4, 72])],
  ['redis', '-ERR unknown command\r\n'],
  ['redis', '-NOAUTH Authentication required.\r\n'],
  ['amqp', Buffer.from('AMQP\0\0\x09\x01')],
  ['amqp', Buffer.from([1, 0, 0, 0, 0, 1, 0xf4, 0, 10, 0, 10])],
  ['postgres', Buffer.from('E\0\0\0\x60SFATAL\0')],
  ['postgres', Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])],
  ['ssh', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
  ['smtp or ftp', '220 mail.example ESMTP\r\n'],
  ['mongodb', 'It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n'],
  [undefined, ''],
  [undefined, 'hello\n'],
];

describe('looksLike', () => {
  for (const [what, bytes] of CASES)
    it(`tells ${what ?? 'nothing'} by ${JSON.stringify(bytes.toString('latin1').slice(0, 24))}`, () =>
      assert.equal(looksLike(Buffer.from(bytes as string)), what));
});
