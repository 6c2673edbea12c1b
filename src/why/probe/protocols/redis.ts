// Redis' protocol (RESP2): PING, AUTH when a password was given, SELECT when a database was, and who is primary. Nothing is written.
import type { HandshakeAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { overTls, unanswered } from './direct-tls.ts';

export const speakRedis = (line: Line): Promise<Spoken> => overTls(line, () => talk(line));

async function talk(line: Line): Promise<HandshakeAttempt> {
  const { user, password, database } = line.request;
  if (password !== undefined) {
    const answer = await command(line, user === undefined ? ['AUTH', password] : ['AUTH', user, password]);
    if (typeof answer !== 'string') return answer;
    if (answer.startsWith('-')) return rejected(answer);
  }
  const pong = await command(line, ['PING']);
  if (typeof pong !== 'string') return pong;
  if (pong.startsWith('-NOAUTH')) return { ...rejected(pong), outcome: 'auth-wanted' };
  // NOPERM: logged in, and not allowed to ping. That is no fault of the connection.
  if (pong.startsWith('-') && !pong.startsWith('-NOPERM')) return rejected(pong);
  if (database !== undefined && database !== '' && database !== '0') {
    const selected = await command(line, ['SELECT', database]);
    if (typeof selected === 'string' && selected.startsWith('-')) return rejected(selected);
  }
  const info = await command(line, ['INFO', 'replication']);
  const role = typeof info === 'string' ? /^role:(\w+)/m.exec(info)?.[1] : undefined;
  line.talk.end('*1\r\n$4\r\nQUIT\r\n');
  return { outcome: 'ready', ...(role === undefined ? {} : { readOnly: role === 'slave' }) };
}

function rejected(answer: string): HandshakeAttempt {
  const [, code, message] = /^-(\S+) ?(.*)$/s.exec(answer)!;
  return { outcome: 'rejected', code: code!, message: message! };
}

/** The answer's first line, or a bulk string whole. */
async function command(line: Line, words: readonly string[]): Promise<string | HandshakeAttempt> {
  const { talk } = line;
  const bulk = words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('');
  talk.write(`*${words.length}\r\n${bulk}`);
  const waited = await talk.until(
    (held) => lengthOf(held) !== undefined || !/^[-+:$*]/.test(held.toString('latin1', 0, 1) || '+'),
    line.timeoutMs,
  );
  const length = lengthOf(talk.held);
  if (length === undefined) return waited === 'enough' ? wrongProtocol(talk.held) : unanswered(line, waited);
  return talk.take(length).toString('utf8').trimEnd();
}

/** Bytes of the reply at the beginning; undefined when it is not whole, or none. */
function lengthOf(held: Buffer): number | undefined {
  const end = held.indexOf('\r\n');
  if (end < 0 || !/^[-+:$*]/.test(held.toString('latin1', 0, 1))) return undefined;
  if (held[0] !== 0x24) return end + 2;
  const size = Number(held.toString('latin1', 1, end));
  const whole = size < 0 ? end + 2 : end + 2 + size + 2;
  return held.length >= whole ? whole : undefined;
}
