import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agreeOnFraming, asMessages, type Framing } from './websocket-answer.ts';

describe('agreeOnFraming', () => {
  for (const [name, offered, isWatch, expected] of [
    ['takes a log without protocol as bytes', undefined, false, { protocol: '', framing: 'binary' }],
    [
      'takes the first known protocol of a log',
      'x, base64.binary.k8s.io, binary.k8s.io',
      false,
      { protocol: 'base64.binary.k8s.io', framing: 'base64' },
    ],
    ['sends events whatever a watch offers', 'binary.k8s.io', true, { protocol: 'binary.k8s.io', framing: 'events' }],
  ] as const)
    it(name, () =>
      assert.deepEqual(
        agreeOnFraming(offered === undefined ? {} : { 'sec-websocket-protocol': offered }, isWatch),
        expected,
      ),
    );

  it('refuses a log in protocols it does not know', () =>
    assert.throws(
      () => agreeOnFraming({ 'sec-websocket-protocol': 'v4.channel.k8s.io' }, false),
      /not supported: \[v4/,
    ));
});

describe('asMessages', () => {
  const messages = async (framing: Framing, ...chunks: string[]) =>
    (
      await Array.fromAsync(
        asMessages(
          chunks.map((c) => Buffer.from(c, 'latin1')),
          framing,
        ),
      )
    ).map(String);

  it('has an event a message, however the chunks are cut', async () =>
    assert.deepEqual(await messages('events', '{"a":1}\n{"b"', ':2}\n', '{"c":"\xc3', '\xa9"}'), [
      '{"a":1}',
      '{"b":2}',
      '{"c":"é"}',
    ]));
  it('hands bytes on as they come', async () => assert.deepEqual(await messages('binary', 'a\nb', 'c'), ['a\nb', 'c']));
  it('encodes for clients without binary messages', async () =>
    assert.deepEqual(await messages('base64', 'ab'), ['YWI=']));
});
