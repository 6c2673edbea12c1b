// MySQL's protocol as far as a client's first words: greeting, TLS by the capability flag, and the login when credentials were given.
// A connection that is left after the greeting counts as an interrupted handshake on the server (max_connect_errors, 100 by default;
// any completed one sets it back): one a probe. Logins: mysql_native_password and caching_sha2_password, the latter's full form over TLS.
import { createHash } from 'node:crypto';
import type { HandshakeAttempt, TlsAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { tlsModeOf, toleratesPlain } from '../tls.ts';
import { unanswered } from './direct-tls.ts';

const CAPABILITY = {
  longPassword: 1,
  connectWithDb: 8,
  protocol41: 0x200,
  ssl: 0x800,
  transactions: 0x2000,
  secureConnection: 0x8000,
  pluginAuth: 0x80000,
} as const;
const UTF8MB4 = 45;
const MAX_PACKET_BYTES = 1 << 24;
const QUIT = Buffer.from([1]);

interface Greeting {
  readonly version: string;
  readonly capabilities: number;
  readonly plugin: string;
  readonly salt: Buffer;
}

export async function speakMysql(line: Line): Promise<Spoken> {
  const mode = tlsModeOf(line.request);
  const greeted = await nextPacket(line);
  if ('outcome' in greeted) return { handshake: greeted };
  const { body } = greeted;
  if (body[0] === 0xff) return { handshake: readError(body) };
  const greeting = body[0] === 10 ? readGreeting(body) : undefined;
  if (greeting === undefined) return { handshake: wrongProtocol(line.first) };
  let sequence = greeted.sequence + 1;
  let tls: TlsAttempt | undefined;
  if (mode !== 'disable' && mode !== 'allow') {
    if ((greeting.capabilities & CAPABILITY.ssl) === 0)
      tls = { outcome: 'not-offered', detail: 'the greeting has no TLS among its capabilities' };
    else {
      line.talk.write(packet(sequence++, loginHead(line, true)));
      tls = await line.secure();
    }
    if (tls.outcome !== 'ok' && !(toleratesPlain(mode) && tls.outcome === 'not-offered')) return { tls };
  }
  const handshake = await logIn(line, greeting, sequence, tls?.outcome === 'ok');
  const required = handshake.code === SECURE_TRANSPORT_REQUIRED && tls === undefined;
  if (required) return { tls: { outcome: 'required', detail: handshake.message! }, handshake };
  return tls === undefined ? { handshake } : { tls, handshake };
}

/** ER_SECURE_TRANSPORT_REQUIRED. */
const SECURE_TRANSPORT_REQUIRED = '3159';

async function logIn(line: Line, greeting: Greeting, start: number, secure: boolean): Promise<HandshakeAttempt> {
  const { request, talk } = line;
  const found = { serverVersion: greeting.version };
  const wanted: HandshakeAttempt = { outcome: 'auth-wanted', authMethod: greeting.plugin, ...found };
  if (request.user === undefined || request.password === undefined) return wanted;
  const { user, password, database } = request;
  let { plugin, salt } = greeting;
  const text = (value: string) => Buffer.from(`${value}\0`);
  const scrambled = scramble(plugin, password, salt);
  if (scrambled === undefined) return wanted;
  talk.write(
    packet(
      start,
      Buffer.concat([
        loginHead(line, secure),
        text(user),
        Buffer.from([scrambled.length]),
        scrambled,
        ...(database === undefined ? [] : [text(database)]),
        text(plugin),
      ]),
    ),
  );
  for (;;) {
    const got = await nextPacket(line);
    if ('outcome' in got) return got;
    const { body, sequence } = got;
    switch (body[0]) {
      case 0x00:
        talk.end(packet(0, QUIT));
        return { outcome: 'ready', ...found };
      case 0xff:
        return { ...readError(body), ...found };
      case 0xfe: {
        const end = body.indexOf(0, 1);
        plugin = body.toString('latin1', 1, end);
        salt = body.subarray(end + 1, end + 21);
        const again = scramble(plugin, password, salt);
        if (again === undefined) return { ...wanted, authMethod: plugin };
        talk.write(packet(sequence + 1, again));
        break;
      }
      case 0x01:
        // caching_sha2_password: 3 is "known, go on", 4 wants the password itself, which goes over TLS only.
        if (body[1] === 3) break;
        if (!secure) return { ...wanted, authMethod: plugin, message: 'the server wants the password over TLS' };
        talk.write(packet(sequence + 1, text(password)));
        break;
      default:
        return wrongProtocol(body);
    }
  }
}

function loginHead({ request }: Line, secure: boolean): Buffer {
  const flags =
    CAPABILITY.longPassword |
    CAPABILITY.protocol41 |
    CAPABILITY.transactions |
    CAPABILITY.secureConnection |
    CAPABILITY.pluginAuth |
    (secure ? CAPABILITY.ssl : 0) |
    (request.database === undefined ? 0 : CAPABILITY.connectWithDb);
  const head = Buffer.alloc(32);
  head.writeUInt32LE(flags, 0);
  head.writeUInt32LE(MAX_PACKET_BYTES, 4);
  head[8] = UTF8MB4;
  return head;
}

function scramble(plugin: string, password: string, salt: Uint8Array): Buffer | undefined {
  if (password === '') return Buffer.alloc(0);
  const hash = (name: string, ...parts: readonly (string | Uint8Array)[]) => {
    const h = createHash(name);
    for (const part of parts) h.update(part);
    return h.digest();
  };
  const xor = (a: Buffer, b: Buffer) => Buffer.from(a.map((byte, i) => byte ^ b[i]!));
  if (plugin === 'mysql_native_password') {
    const once = hash('sha1', password);
    return xor(once, hash('sha1', salt, hash('sha1', once)));
  }
  if (plugin === 'caching_sha2_password') {
    const once = hash('sha256', password);
    return xor(once, hash('sha256', hash('sha256', once), salt));
  }
  return undefined;
}

function packet(sequence: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = sequence & 0xff;
  return Buffer.concat([head, body]);
}

async function nextPacket(
  line: Line,
): Promise<{ readonly body: Buffer; readonly sequence: number } | HandshakeAttempt> {
  const { talk } = line;
  const head = await talk.bytes(4, line.timeoutMs);
  if (head !== 'enough') return unanswered(line, head);
  const length = talk.held.readUIntLE(0, 3);
  const waited = await talk.bytes(4 + length, line.timeoutMs);
  if (waited !== 'enough' || length === 0) return wrongProtocol(talk.held);
  const sequence = talk.held[3]!;
  return { body: talk.take(4 + length).subarray(4), sequence };
}

function readGreeting(body: Buffer): Greeting | undefined {
  const end = body.indexOf(0, 1);
  if (end < 0 || body.length < end + 32) return undefined;
  const at = end + 5; // after the connection's number
  const capabilities = (body.readUInt16LE(at + 9) | (body.readUInt16LE(at + 14) << 16)) >>> 0;
  const saltEnd = at + 27 + Math.max(13, body[at + 16]! - 8);
  const salt = Buffer.concat([body.subarray(at, at + 8), body.subarray(at + 27, saltEnd)]).subarray(0, 20);
  const plugin = body.toString('latin1', saltEnd).replace(/\0.*$/s, '');
  return { version: body.toString('latin1', 1, end), capabilities, plugin: plugin || 'mysql_native_password', salt };
}

function readError(body: Buffer): HandshakeAttempt {
  // `#` and SQLSTATE stand before the text once the capabilities are agreed on.
  const text = body.toString('utf8', 3).replace(/^#[0-9A-Z]{5}/, '');
  return { outcome: 'rejected', code: String(body.readUInt16LE(1)), message: text };
}
