// HTTP/1.1: HEAD, and GET for servers that do not know it. Any status is an answer; 401 is a question for credentials.
import type { HandshakeAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { overTls, unanswered } from './direct-tls.ts';

const MAX_HEAD_BYTES = 64 * 1024;
/** Method not allowed, not implemented. */
const NO_HEAD = new Set(['405', '501']);
/** nginx' and Go's words to plain HTTP on a TLS port. */
const WANTS_HTTPS = /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/;
/** nginx' words for a client without a certificate: it ends the handshake all the same. */
const WANTS_CERTIFICATE = /No required SSL certificate was sent|The SSL certificate error/;

export async function speakHttp(line: Line): Promise<Spoken> {
  let bodyOfRefusal = '';
  const spoken = await overTls(line, async () => {
    const head = await ask(line, 'HEAD');
    const refused = head.code === '400';
    if (!NO_HEAD.has(head.code ?? '') && !refused) return head;
    if (!(await line.reopen())) return head;
    if (line.request.tls !== undefined && line.request.tls.mode !== 'disable') {
      const tls = await line.secure(['http/1.1']);
      if (tls.outcome !== 'ok') return head;
    }
    const got = await ask(line, 'GET');
    await line.talk.until((held) => REASONS.some((r) => r.test(held.toString('latin1'))), BODY_MS);
    bodyOfRefusal = line.talk.held.toString('latin1');
    return got;
  }, ['http/1.1']);
  if (spoken.tls === undefined && spoken.handshake?.code === '400' && WANTS_HTTPS.test(bodyOfRefusal))
    return { ...spoken, tls: { outcome: 'required', detail: WANTS_HTTPS.exec(bodyOfRefusal)![0] } };
  if (spoken.tls?.outcome === 'ok' && spoken.handshake?.code === '400' && WANTS_CERTIFICATE.test(bodyOfRefusal))
    return {
      ...spoken,
      tls: { ...spoken.tls, outcome: 'client-certificate', detail: WANTS_CERTIFICATE.exec(bodyOfRefusal)![0] },
    };
  return spoken;
}

const BODY_MS = 200;
const REASONS = [WANTS_HTTPS, WANTS_CERTIFICATE];

async function ask(line: Line, method: 'HEAD' | 'GET'): Promise<HandshakeAttempt> {
  const { request, talk } = line;
  const host = request.hostHeader ?? (request.host.includes(':') ? `[${request.host}]` : request.host);
  const port =
    request.hostHeader !== undefined || request.port === 80 || request.port === 443 ? '' : `:${request.port}`;
  const login =
    request.user === undefined || request.password === undefined
      ? ''
      : `authorization: Basic ${Buffer.from(`${request.user}:${request.password}`).toString('base64')}\r\n`;
  talk.write(
    `${method} ${request.path ?? '/'} HTTP/1.1\r\nhost: ${host}${port}\r\nuser-agent: coracle-why\r\naccept: */*\r\n${login}connection: close\r\n\r\n`,
  );
  const waited = await talk.until(
    (held) =>
      held.includes('\r\n\r\n') || held.length > MAX_HEAD_BYTES || !'HTTP/1.'.startsWith(held.toString('latin1', 0, 7)),
    line.timeoutMs,
  );
  const text = talk.held.toString('latin1');
  const status = /^HTTP\/1\.\d (\d{3}) ?(.*)/.exec(text);
  if (status === null)
    return waited === 'enough' ? wrongProtocol(talk.held) : unanswered(line, waited === 'silent' ? 'silent' : 'closed');
  const server = /^server: *(.*)\r$/im.exec(text)?.[1];
  const location = /^location: *(.*)\r$/im.exec(text)?.[1];
  return {
    outcome: status[1] === '401' || status[1] === '407' ? 'auth-wanted' : 'ready',
    code: status[1]!,
    message: `${status[2]!.trim()}${location === undefined ? '' : ` (to ${location})`}`,
    ...(server === undefined ? {} : { serverVersion: server }),
  };
}
