// What a TLS handshake came to, by the caller's mode (libpq's sslmode for all protocols): only what the mode asks for is held against
// the server.
import { looksLike } from './looks-like.ts';
import type { ProbeRequest, ProbeTls, TlsAttempt } from './result.ts';
import type { Secured } from './sockets.ts';

export type TlsMode = ProbeTls['mode'];

export function tlsModeOf({ tls, protocol }: ProbeRequest): TlsMode {
  if (tls !== undefined) return tls.mode;
  if (protocol === 'postgres' || protocol === 'mysql') return 'prefer';
  return protocol === 'tls' ? 'require' : 'disable';
}

/** Whether the client goes on without TLS. */
export const toleratesPlain = (mode: TlsMode): boolean => mode === 'disable' || mode === 'allow' || mode === 'prefer';

const EXPIRED = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
/** Alerts by which a server asks for a certificate that did not come (TLS 1.3, and what older ones send). */
const WANTS_CERTIFICATE =
  /CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_NO_CERTIFICATE|certificate required|bad certificate/i;
const HANDSHAKE_RECORD = 0x16;
/** OpenSSL's errors for bytes that are no TLS. */
const NO_TLS =
  /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE/;

export function judgeTls(secured: Secured, mode: TlsMode, gaveCertificate: boolean, first: Uint8Array): TlsAttempt {
  if (!secured.ok) return judgeFailure(secured, gaveCertificate, first);
  const { certificate, chainError, nameError } = secured;
  const of = certificate === undefined ? {} : { certificate };
  if (mode === 'verify-ca' || mode === 'verify-full') {
    if (chainError !== undefined)
      return { outcome: EXPIRED.has(chainError) ? 'expired' : 'untrusted', detail: chainError, ...of };
    if (mode === 'verify-full' && nameError !== undefined)
      return { outcome: 'name-mismatch', detail: nameError, ...of };
  }
  return { outcome: 'ok', ...(chainError === undefined ? {} : { detail: `not verified: ${chainError}` }), ...of };
}

function judgeFailure(
  { code, message }: { readonly code: string; readonly message: string },
  gaveCertificate: boolean,
  first: Uint8Array,
): TlsAttempt {
  const said = looksLike(first);
  // TLS 1.2 servers refuse a missing certificate by the alert for everything, but only after their own hello; without a cipher in common
  // they send none.
  const refusedLate = /HANDSHAKE_FAILURE/.test(code) && first[0] === HANDSHAKE_RECORD;
  if ((WANTS_CERTIFICATE.test(code) || refusedLate) && !gaveCertificate)
    return { outcome: 'client-certificate', detail: message };
  if (NO_TLS.test(code) || (said !== undefined && said !== 'tls') || (first.length > 0 && said === undefined))
    return {
      outcome: 'not-offered',
      detail: said === undefined ? 'the server answered with something that is no TLS' : `the server speaks ${said}`,
    };
  if (first.length === 0 && code === 'ECONNRESET')
    return { outcome: 'not-offered', detail: 'the server closed the connection at the first TLS message' };
  return { outcome: 'failed', detail: `${message} (${code})` };
}

/** TLS 1.3 servers refuse a missing client certificate only after the handshake, at the first read. */
export function afterHandshake(tls: TlsAttempt, error: Error | undefined, gaveCertificate: boolean): TlsAttempt {
  if (tls.outcome !== 'ok' || error === undefined || gaveCertificate) return tls;
  const code = `${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}`;
  return WANTS_CERTIFICATE.test(code) ? { ...tls, outcome: 'client-certificate', detail: error.message } : tls;
}
