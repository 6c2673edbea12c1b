// Bare TCP and TLS: what a server says, or does, right after the connection stands.
import type { HandshakeAttempt } from '../result.ts';
import { hexOf, looksLike } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { overTls } from './direct-tls.ts';

/** Servers that speak first do so at once, and proxies without a backend close at once; TLS 1.3 alerts come in this time too. */
const LISTEN_MS = 300;

export const speakTcp = (line: Line): Promise<Spoken> => overTls(line, () => listen(line));

export const speakTls = (line: Line): Promise<Spoken> => overTls(line, () => listen(line));

async function listen(line: Line): Promise<HandshakeAttempt> {
  const { talk } = line;
  const waited = await talk.bytes(1, LISTEN_MS);
  if (waited === 'closed') {
    const { error } = talk;
    return { outcome: 'closed', ...(error === undefined ? {} : { message: error.message }) };
  }
  if (waited === 'silent') return { outcome: 'ready' };
  const what = looksLike(talk.held);
  return { outcome: 'ready', bytes: hexOf(talk.held), ...(what === undefined ? {} : { looksLike: what }) };
}
