// AMQP 0-9-1: the protocol header, Connection.Start, and, when credentials were given, the login by PLAIN and the virtual host. Without
// them the connection is left at the server's question.
import type { HandshakeAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { overTls, unanswered } from './direct-tls.ts';

const HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);
const FRAME_END = 0xce;
const MAX_FRAME_BYTES = 128 * 1024;
/** Methods of class connection (10). */
const METHOD = {
  start: 10,
  startOk: 11,
  secure: 20,
  tune: 30,
  tuneOk: 31,
  open: 40,
  openOk: 41,
  close: 50,
  closeOk: 51,
} as const;
const REPLY_SUCCESS = 200;

export const speakAmqp = (line: Line): Promise<Spoken> => overTls(line, () => talk(line));

async function talk(line: Line): Promise<HandshakeAttempt> {
  const { request } = line;
  line.talk.write(HEADER);
  const start = await nextMethod(line);
  if ('outcome' in start) return start;
  if (start.method !== METHOD.start) return wrongProtocol(line.first);
  const { mechanisms, version } = readStart(start.body);
  const found = { authMethod: mechanisms, ...(version === undefined ? {} : { serverVersion: version }) };
  if (request.user === undefined || request.password === undefined || !mechanisms.split(' ').includes('PLAIN'))
    return { outcome: 'auth-wanted', ...found };
  const plain = Buffer.from(`\0${request.user}\0${request.password}`);
  send(line, METHOD.startOk, [table(), short('PLAIN'), long(plain), short('en_US')]);
  const tune = await nextMethod(line);
  if ('outcome' in tune) {
    // Before the newer "authentication failure" close, servers said no by closing.
    return tune.outcome === 'closed'
      ? { outcome: 'rejected', code: '403', message: 'closed after the login', ...found }
      : tune;
  }
  if (tune.method !== METHOD.tune) return { ...closedBy(tune), ...found };
  send(line, METHOD.tuneOk, [tune.body.subarray(0, 8)]);
  send(line, METHOD.open, [short(request.database ?? '/'), short(''), Buffer.from([0])]);
  const open = await nextMethod(line);
  if ('outcome' in open) return open;
  if (open.method !== METHOD.openOk) return { ...closedBy(open), ...found };
  const code = Buffer.alloc(2);
  code.writeUInt16BE(REPLY_SUCCESS);
  send(line, METHOD.close, [code, short('bye'), Buffer.alloc(4)]);
  await nextMethod(line);
  return { outcome: 'ready', ...found };
}

interface Method {
  readonly method: number;
  readonly body: Buffer;
}

function closedBy({ method, body }: Method): HandshakeAttempt {
  if (method !== METHOD.close || body.length < 3) return { outcome: 'closed' };
  return {
    outcome: 'rejected',
    code: String(body.readUInt16BE(0)),
    message: body.toString('utf8', 3, 3 + body[2]!),
  };
}

async function nextMethod(line: Line): Promise<Method | HandshakeAttempt> {
  const { talk } = line;
  for (;;) {
    const head = await talk.bytes(8, line.timeoutMs);
    if (head !== 'enough') return unanswered(line, head);
    if (talk.held.toString('latin1', 0, 4) === 'AMQP')
      return {
        outcome: 'rejected',
        code: 'version',
        message: `the server speaks AMQP ${[...talk.held.subarray(5, 8)].join('-')}`,
      };
    const size = talk.held.readUInt32BE(3);
    if (talk.held[0]! > 8 || size > MAX_FRAME_BYTES) return wrongProtocol(talk.held);
    const whole = await talk.bytes(7 + size + 1, line.timeoutMs);
    if (whole !== 'enough') return unanswered(line, whole);
    const frame = talk.take(7 + size + 1);
    if (frame.at(-1) !== FRAME_END) return wrongProtocol(frame);
    if (frame[0] === 1) return { method: frame.readUInt16BE(9), body: frame.subarray(11, -1) };
  }
}

function send({ talk }: Line, method: number, fields: readonly Uint8Array[]): void {
  const payload = Buffer.concat([Buffer.from([0, 10, 0, method]), ...fields]);
  const head = Buffer.alloc(7);
  head[0] = 1;
  head.writeUInt32BE(payload.length, 3);
  talk.write(Buffer.concat([head, payload, Buffer.from([FRAME_END])]));
}

const table = (): Buffer => Buffer.alloc(4);
const short = (text: string): Buffer => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
function long(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** Version and mechanisms of Connection.Start: 0-9, a table, two long strings. */
function readStart(body: Buffer): { readonly mechanisms: string; readonly version: string | undefined } {
  const size = body.readUInt32BE(2);
  const properties = body.subarray(6, 6 + size);
  const at = properties.indexOf('\x07versionS', 0, 'latin1');
  const version = at < 0 ? undefined : properties.toString('utf8', at + 13, at + 13 + properties.readUInt32BE(at + 9));
  const after = 6 + size;
  return { mechanisms: body.toString('latin1', after + 4, after + 4 + body.readUInt32BE(after)), version };
}
