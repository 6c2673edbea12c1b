// A server that answered a client's first words with silence or by closing speaks another protocol, perhaps: it is asked once each, on
// new connections, in the words of those that keep silent towards strangers. Nothing that is asked changes anything.
import type { Line, Spoken } from './line.ts';
import { hexOf, looksLike } from './looks-like.ts';
import type { ProbeProtocol } from './result.ts';

interface Question {
  readonly protocol: ProbeProtocol;
  readonly words: Uint8Array;
  /** What is spoken, when the answer tells. */
  readonly read: (answer: Buffer) => string | undefined;
}

/** Servers answer their own protocol at once. */
const ANSWER_MS = 400;
const POSTGRES_SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

const QUESTIONS: readonly Question[] = [
  {
    protocol: 'postgres',
    words: POSTGRES_SSL_REQUEST,
    read: (a) => (a.length === 1 && (a[0] === 0x53 || a[0] === 0x4e) ? 'postgres' : looksLike(a)),
  },
  { protocol: 'redis', words: Buffer.from('PING\r\n'), read: looksLike },
  { protocol: 'http', words: Buffer.from('HEAD / HTTP/1.0\r\n\r\n'), read: looksLike },
];

/** What was spoken, with the protocol found named; unchanged when there is nothing to find out, or nobody tells. */
export async function identify(line: Line, spoken: Spoken): Promise<Spoken> {
  const { protocol } = line.request;
  if (protocol === 'tcp' || !isPuzzling(spoken)) return spoken;
  for (const question of QUESTIONS) {
    if (question.protocol === protocol || !(await line.reopen())) continue;
    line.talk.write(question.words);
    await line.talk.bytes(1, ANSWER_MS);
    const what = question.read(line.talk.held);
    if (what === undefined || what === protocol) continue;
    const bytes = hexOf(line.talk.held);
    return { ...spoken, handshake: { ...spoken.handshake, outcome: 'wrong-protocol', looksLike: what, bytes } };
  }
  return spoken;
}

/** No proper word came, in plain or under TLS. */
function isPuzzling({ tls, handshake }: Spoken): boolean {
  if (handshake === undefined) return tls?.outcome === 'not-offered' || tls?.outcome === 'failed';
  if (tls?.outcome === 'ok') return false;
  const { outcome, looksLike: known } = handshake;
  return outcome === 'closed' || outcome === 'silent' || (outcome === 'wrong-protocol' && known === undefined);
}
