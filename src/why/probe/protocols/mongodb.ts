// MongoDB's OP_MSG: hello, and, when credentials were given, the login by SCRAM. Read-only is a server that is not the primary. Just as
// much BSON as these few documents need.
import type { Random } from '#base/random.ts';
import type { HandshakeAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { overTls, unanswered } from './direct-tls.ts';
import { ScramClient } from './scram.ts';

const OP_MSG = 2013;
const MAX_MESSAGE_BYTES = 1024 * 1024;

export const speakMongodb = (line: Line, random: Random): Promise<Spoken> => overTls(line, () => talk(line, random));

async function talk(line: Line, random: Random): Promise<HandshakeAttempt> {
  const { request } = line;
  const hello = await command(line, { hello: 1, $db: 'admin' });
  if (isAttempt(hello)) return hello;
  if (hello['ok'] !== 1) return rejected(hello);
  const primary = hello['isWritablePrimary'];
  const found = { ...(typeof primary === 'boolean' ? { readOnly: !primary } : {}) };
  if (request.user === undefined || request.password === undefined) {
    // hello needs no login; whether anything else does is told by a command that reads nothing but its own refusal.
    const ping = await command(line, { listDatabases: 1, nameOnly: true, $db: 'admin' });
    if (isAttempt(ping)) return ping;
    return ping['ok'] === 1 ? { outcome: 'ready', ...found } : { ...rejected(ping), outcome: 'auth-wanted', ...found };
  }
  const database = request.database === undefined || request.database === '' ? 'admin' : request.database;
  const scram = new ScramClient('SHA-256', request.user, request.password, random);
  const start = await command(line, {
    saslStart: 1,
    mechanism: 'SCRAM-SHA-256',
    payload: Buffer.from(scram.first()),
    $db: database,
  });
  if (isAttempt(start)) return start;
  if (start['ok'] !== 1) return { ...rejected(start), ...found };
  const id = start['conversationId'] as number;
  const first = start['payload'] as Buffer;
  const final = Buffer.from(scram.final(first.toString('utf8')));
  const end = await command(line, { saslContinue: 1, conversationId: id, payload: final, $db: database });
  if (isAttempt(end)) return end;
  return end['ok'] === 1 ? { outcome: 'ready', ...found } : { ...rejected(end), ...found };
}

type Value = number | string | boolean | Buffer | undefined;
type Document = Readonly<Record<string, Value>>;

const isAttempt = (value: Document | HandshakeAttempt): value is HandshakeAttempt =>
  typeof value['outcome'] === 'string';

function rejected(answer: Document): HandshakeAttempt {
  return { outcome: 'rejected', code: String(answer['code'] ?? ''), message: String(answer['errmsg'] ?? '') };
}

async function command(line: Line, body: Document): Promise<Document | HandshakeAttempt> {
  const { talk } = line;
  const document = encodeDocument(body);
  const head = Buffer.alloc(21);
  head.writeUInt32LE(head.length + document.length, 0);
  head.writeUInt32LE(1, 4);
  head.writeUInt32LE(OP_MSG, 12);
  talk.write(Buffer.concat([head, document]));
  const waited = await talk.bytes(16, line.timeoutMs);
  if (waited !== 'enough') return unanswered(line, waited);
  const size = talk.held.readUInt32LE(0);
  if (talk.held.readUInt32LE(12) !== OP_MSG || size > MAX_MESSAGE_BYTES || size < 26) return wrongProtocol(talk.held);
  const whole = await talk.bytes(size, line.timeoutMs);
  if (whole !== 'enough') return unanswered(line, whole);
  return decodeDocument(talk.take(size).subarray(21));
}

export function encodeDocument(document: Document): Buffer {
  const parts = Object.entries(document).map(([name, value]) => {
    const key = (type: number) => Buffer.concat([Buffer.from([type]), Buffer.from(`${name}\0`)]);
    if (typeof value === 'number') {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(value);
      return Buffer.concat([key(0x10), bytes]);
    }
    if (typeof value === 'boolean') return Buffer.concat([key(0x08), Buffer.from([value ? 1 : 0])]);
    const [type, bytes] =
      typeof value === 'string' ? [0x02, Buffer.from(`${value}\0`)] : [0x05, value ?? Buffer.alloc(0)];
    const size = Buffer.alloc(type === 0x02 ? 4 : 5);
    size.writeInt32LE(bytes.length);
    return Buffer.concat([key(type), size, bytes]);
  });
  const size = Buffer.alloc(4);
  size.writeInt32LE(5 + parts.reduce((sum, p) => sum + p.length, 0));
  return Buffer.concat([size, ...parts, Buffer.from([0])]);
}

/** Fixed sizes of BSON's values by their type; those that are not here carry their size. */
const FIXED: Readonly<Record<number, number>> = {
  0x01: 8,
  0x07: 12,
  0x08: 1,
  0x09: 8,
  0x0a: 0,
  0x10: 4,
  0x11: 8,
  0x12: 8,
  0x13: 16,
};

/** Its numbers, texts, flags and bytes; nested documents and others are passed over. */
export function decodeDocument(bytes: Buffer): Document {
  const out: Record<string, Value> = {};
  for (let at = 4; at < bytes.length && bytes[at] !== 0; ) {
    const type = bytes[at]!;
    const end = bytes.indexOf(0, at + 1);
    if (end < 0) break;
    const name = bytes.toString('utf8', at + 1, end);
    at = end + 1;
    const fixed = FIXED[type];
    if (fixed === undefined && at + 4 > bytes.length) break;
    const size = fixed ?? bytes.readInt32LE(at) + (type === 0x02 ? 4 : type === 0x05 ? 5 : 0);
    if (size < 0 || at + size > bytes.length) break;
    if (type === 0x01) out[name] = bytes.readDoubleLE(at);
    else if (type === 0x08) out[name] = bytes[at] === 1;
    else if (type === 0x10) out[name] = bytes.readInt32LE(at);
    else if (type === 0x02) out[name] = bytes.toString('utf8', at + 4, at + size - 1);
    else if (type === 0x05) out[name] = bytes.subarray(at + 5, at + size);
    at += size;
  }
  return out;
}
