// PostgreSQL's frontend/backend protocol 3.0 as far as a client's first words: SSLRequest, startup, what the server asks to log in by,
// and, when credentials were given, the login. A server that asks for a password which was not given is left by closing: it logs
// nothing then and counts no failed login (any message would be a protocol violation in its log). After a login: Terminate.
import type { Random } from '#base/random.ts';
import type { HandshakeAttempt, TlsAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { tlsModeOf, toleratesPlain } from '../tls.ts';
import { md5Password, ScramClient } from './scram.ts';
import { unanswered } from './direct-tls.ts';

const PROTOCOL_VERSION = 196_608;
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
/** A startup needs a user; libpq would take the operating system's. Nobody is logged in by it who has to log in. */
const UNNAMED_USER = 'postgres';
/** One backend message; error messages and parameters are far smaller. */
const MAX_MESSAGE_BYTES = 64 * 1024;
const INVALID_AUTHORIZATION = '28000';

export async function speakPostgres(line: Line, random: Random): Promise<Spoken> {
  const mode = tlsModeOf(line.request);
  const plainFirst = mode === 'disable' || mode === 'allow';
  const first = plainFirst ? await plain(line, random) : await secured(line, random);
  // libpq: `allow` tries TLS, and `prefer` no TLS, when the server turns the other away before asking for a password.
  const { handshake } = first;
  if (handshake === undefined || !isTurnedAway(first)) return first;
  if (mode === 'disable') return (await isTakenWithTls(line, random, handshake)) ?? first;
  if (mode !== 'allow' && !(mode === 'prefer' && first.tls?.outcome === 'ok')) return first;
  if (!(await line.reopen())) return first;
  const second = plainFirst ? await secured(line, random) : await plain(line, random);
  return isTurnedAway(second) ? first : second;
}

const isTurnedAway = ({ handshake }: Spoken): boolean =>
  handshake === undefined || (handshake.outcome === 'rejected' && handshake.code === INVALID_AUTHORIZATION);

const plain = async (line: Line, random: Random): Promise<Spoken> => ({ handshake: await startup(line, random) });

/** A refusal that names the missing encryption may have another reason: only a startup over TLS that is taken proves it. */
async function isTakenWithTls(line: Line, random: Random, refused: HandshakeAttempt): Promise<Spoken | undefined> {
  // PostgreSQL 15 and later say "no encryption", earlier ones "SSL off".
  if (!/no encryption|SSL off/.test(refused.message ?? '') || !(await line.reopen())) return undefined;
  const second = await secured(line, random);
  if (second.tls?.outcome !== 'ok' || isTurnedAway(second)) return undefined;
  return { tls: { ...second.tls, outcome: 'required', detail: refused.message ?? '' }, handshake: refused };
}

async function secured(line: Line, random: Random): Promise<Spoken> {
  const mode = tlsModeOf(line.request);
  let tls: TlsAttempt;
  if (line.request.tls?.negotiation === 'direct') tls = await line.secure(['postgresql']);
  else {
    line.talk.write(SSL_REQUEST);
    const waited = await line.talk.bytes(1, line.timeoutMs);
    if (waited !== 'enough') return { handshake: unanswered(line, waited) };
    const answer = line.talk.held[0];
    if (answer === ERROR) return { handshake: await startup(line, random, true) };
    // More than one byte is no answer to SSLRequest: another protocol's greeting, or bytes slipped in before the encryption.
    if (line.talk.held.length > 1 || (answer !== 0x53 && answer !== 0x4e)) {
      await line.talk.bytes(8, FIRST_WORDS_MS);
      return { handshake: wrongProtocol(line.talk.held) };
    }
    line.talk.take(1);
    tls =
      answer === 0x53
        ? await line.secure()
        : { outcome: 'not-offered', detail: 'the server answered N to SSLRequest: it has no TLS' };
  }
  if (tls.outcome !== 'ok' && !(toleratesPlain(mode) && tls.outcome === 'not-offered')) return { tls };
  return { tls, handshake: await startup(line, random) };
}

const FIRST_WORDS_MS = 200;
const ERROR = 0x45;

/** From the startup message to the server's verdict. `asked`: its answer is already there. */
async function startup(line: Line, random: Random, asked = false): Promise<HandshakeAttempt> {
  const { talk, request } = line;
  const user = request.user ?? UNNAMED_USER;
  if (!asked) talk.write(startupMessage(user, request.database));
  const scram = new ScramClient('SHA-256', user, request.password ?? '', random);
  const parameters = new Map<string, string>();
  let loggedIn = false;
  for (;;) {
    const message = await nextMessage(line);
    if ('outcome' in message) return message;
    const { type, body } = message;
    if (type === 'E') {
      const rejected = readError(body);
      // Without a name, what is wrong with the stand-in says nothing about the caller's.
      return request.user === undefined && isAboutTheUser(rejected) ? { outcome: 'auth-wanted' } : rejected;
    }
    if (type === 'S') {
      const [name, value] = body.toString('utf8').split('\0');
      if (name !== undefined) parameters.set(name, value ?? '');
    } else if (type === 'Z') {
      talk.end(TERMINATE);
      return {
        outcome: 'ready',
        ...(parameters.has('server_version') ? { serverVersion: parameters.get('server_version')! } : {}),
        ...readOnlyOf(parameters),
      };
    } else if (type === 'R') {
      const kind = body.readUInt32BE(0);
      if (kind === 0) loggedIn = true;
      else if (request.password === undefined || request.user === undefined)
        return { outcome: 'auth-wanted', authMethod: authMethod(kind, body) };
      else if (!answer(line, kind, body, scram)) return { outcome: 'auth-wanted', authMethod: authMethod(kind, body) };
    } else if (!'KNvV'.includes(type) && !loggedIn) return wrongProtocol(line.first);
  }
}

const isAboutTheUser = ({ code, message }: HandshakeAttempt): boolean =>
  (code === INVALID_AUTHORIZATION && / does not exist/.test(message ?? '')) || code === '3D000';

/** The next message whole, or what came of waiting for it. */
async function nextMessage(line: Line): Promise<{ readonly type: string; readonly body: Buffer } | HandshakeAttempt> {
  const { talk } = line;
  const waited = await talk.bytes(5, line.timeoutMs);
  if (waited !== 'enough') return unanswered(line, waited);
  const length = talk.held.readUInt32BE(1);
  const type = String.fromCharCode(talk.held[0]!);
  if (length < 4 || length > MAX_MESSAGE_BYTES || !/[A-Za-z]/.test(type)) return wrongProtocol(talk.held);
  const whole = await talk.bytes(1 + length, line.timeoutMs);
  if (whole !== 'enough') return unanswered(line, whole);
  return { type, body: talk.take(1 + length).subarray(5) };
}

export function startupMessage(user: string, database: string | undefined): Buffer {
  const pairs = [
    'user',
    user,
    ...(database === undefined ? [] : ['database', database]),
    'application_name',
    'coracle why',
  ];
  const body = Buffer.concat([...pairs.map((p) => Buffer.from(`${p}\0`)), Buffer.from([0])]);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length, 0);
  head.writeUInt32BE(PROTOCOL_VERSION, 4);
  return Buffer.concat([head, body]);
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/** Fields of ErrorResponse: a letter and a text each. */
function readError(body: Buffer): HandshakeAttempt {
  const fields = new Map(
    body
      .toString('utf8')
      .split('\0')
      .filter((f) => f !== '')
      .map((f) => [f[0]!, f.slice(1)]),
  );
  return { outcome: 'rejected', code: fields.get('C') ?? '', message: fields.get('M') ?? '' };
}

function readOnlyOf(parameters: ReadonlyMap<string, string>): { readonly readOnly?: boolean } {
  const [standby, readOnly] = [parameters.get('in_hot_standby'), parameters.get('default_transaction_read_only')];
  // Servers before 14 report neither.
  return standby === undefined && readOnly === undefined ? {} : { readOnly: standby === 'on' || readOnly === 'on' };
}

/** AuthenticationXXX by its number. */
const METHODS: Readonly<Record<number, string>> = { 3: 'password', 5: 'md5', 7: 'gss', 9: 'sspi' };

function authMethod(kind: number, body: Buffer): string {
  if (kind === 10) return mechanisms(body).join(' ');
  return METHODS[kind] ?? `authentication request ${kind}`;
}

const mechanisms = (body: Buffer): readonly string[] =>
  body
    .toString('latin1', 4)
    .split('\0')
    .filter((m) => m !== '');

/** Answers an authentication request; false when this kind is not spoken here. */
function answer({ talk, request }: Line, kind: number, body: Buffer, scram: ScramClient): boolean {
  const password = request.password ?? '';
  const send = (text: string | Buffer) => talk.write(message('p', Buffer.from(text as string)));
  switch (kind) {
    case 3:
      send(`${password}\0`);
      return true;
    case 5:
      send(`${md5Password(request.user ?? '', password, body.subarray(4, 8))}\0`);
      return true;
    case 10: {
      if (!mechanisms(body).includes('SCRAM-SHA-256')) return false;
      const first = Buffer.from(scram.first(''));
      const size = Buffer.alloc(4);
      size.writeUInt32BE(first.length);
      send(Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), size, first]));
      return true;
    }
    case 11:
      send(scram.final(body.toString('utf8', 4)));
      return true;
    case 12:
      // The server's signature; it proves the server to us, which a probe does not ask for.
      return true;
    default:
      return false;
  }
}
