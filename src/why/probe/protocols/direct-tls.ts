// TLS from the first byte, for protocols that do not ask for it in their own words.
import type { HandshakeAttempt, TlsAttempt } from '../result.ts';
import { hexOf, looksLike, wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { afterHandshake, tlsModeOf, toleratesPlain } from '../tls.ts';

/** TLS as the mode asks, then `talk` over what stands. */
export async function overTls(
  line: Line,
  talk: () => Promise<HandshakeAttempt>,
  alpn?: readonly string[],
): Promise<Spoken> {
  const mode = tlsModeOf(line.request);
  let tls: TlsAttempt | undefined;
  if (mode !== 'disable') {
    tls = await line.secure(alpn);
    if (tls.outcome !== 'ok') {
      if (!toleratesPlain(mode) || tls.outcome !== 'not-offered' || !(await line.reopen())) return { tls };
    }
  }
  const handshake = await talk();
  if (tls !== undefined)
    return { tls: afterHandshake(tls, line.talk.error, line.request.tls?.certificate !== undefined), handshake };
  return wantsTls(line.first)
    ? { tls: { outcome: 'required', detail: detailOf(line.first) }, handshake }
    : { handshake };
}

/** Whether a server that was spoken to plainly answered that it speaks TLS. */
export function wantsTls(first: Uint8Array): boolean {
  return looksLike(first) === 'tls';
}

const detailOf = (first: Uint8Array): string => `the server answered plain words with TLS: ${hexOf(first)}`;

/** What a talk that did not get its answer came to. */
export function unanswered(line: Line, waited: 'closed' | 'silent'): HandshakeAttempt {
  const { talk } = line;
  if (talk.held.length > 0) return wrongProtocol(talk.held);
  if (waited === 'silent') return { outcome: 'silent' };
  const { error } = talk;
  return { outcome: 'closed', ...(error === undefined ? {} : { message: error.message }) };
}
