import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHANNEL, decodeChannel, encodeChannel, REMOTE_COMMAND_PROTOCOLS } from './channels.ts';

const named = (name: string) => REMOTE_COMMAND_PROTOCOLS.find((p) => p.name === name)!;

describe('encodeChannel', () => {
  it('puts the channel number before the bytes', () => {
    assert.deepEqual(
      encodeChannel(named('v5.channel.k8s.io'), CHANNEL.stdout, Buffer.from([0xff, 0x00])),
      Buffer.from([1, 0xff, 0x00]),
    );
  });

  it('writes a digit and base64 where the client asked for text', () => {
    assert.equal(encodeChannel(named('v4.base64.channel.k8s.io'), CHANNEL.stderr, Buffer.from('hi')), '2aGk=');
  });
});

describe('decodeChannel', () => {
  for (const protocol of REMOTE_COMMAND_PROTOCOLS) {
    it(`takes back what was encoded: ${protocol.name === '' ? 'no protocol' : protocol.name}`, () => {
      const data = Buffer.from([0, 1, 2, 250]);
      const message = Buffer.from(encodeChannel(protocol, CHANNEL.stdin, data));
      assert.deepEqual(decodeChannel(protocol, message), { channel: 0, data });
    });
  }

  it('knows the close signal of v5', () => {
    assert.deepEqual(decodeChannel(named('v5.channel.k8s.io'), Buffer.from([255, 0])), {
      channel: CHANNEL.close,
      data: Buffer.from([0]),
    });
  });

  it('drops messages without a channel', () => {
    assert.equal(decodeChannel(named('v5.channel.k8s.io'), Buffer.alloc(0)), undefined);
    assert.equal(decodeChannel(named('base64.channel.k8s.io'), Buffer.from('x')), undefined);
  });
});
