// gRPC: HTTP/2 by its preface, then one call of the standard health service. A server without that service answers UNIMPLEMENTED, which
// is gRPC as well; another content type is not.
import type { HandshakeAttempt } from '../result.ts';
import { wrongProtocol } from '../looks-like.ts';
import type { Line, Spoken } from '../line.ts';
import { overTls } from './direct-tls.ts';

const HEALTH_PATH = '/grpc.health.v1.Health/Check';
/** A message of no bytes, not compressed. */
const EMPTY_MESSAGE = Buffer.alloc(5);
/** grpc-status 16. */
const UNAUTHENTICATED = '16';

export const speakGrpc = (line: Line): Promise<Spoken> => overTls(line, () => talk(line), ['h2']);

async function talk(line: Line): Promise<HandshakeAttempt> {
  const { path } = line.request;
  const headers = {
    ':path': path === undefined || path === '/' || path === '' ? HEALTH_PATH : path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'coracle-why',
  };
  const answer = await line.http2(headers, EMPTY_MESSAGE);
  if (answer === undefined) {
    if (line.first.length === 0) return { outcome: line.talk.error === undefined ? 'silent' : 'closed' };
    return wrongProtocol(line.request.tls === undefined ? line.first : new Uint8Array());
  }
  if (!answer.contentType.startsWith('application/grpc'))
    return { outcome: 'wrong-protocol', looksLike: 'http/2', code: String(answer.status), message: answer.contentType };
  return {
    outcome: answer.grpcStatus === UNAUTHENTICATED ? 'auth-wanted' : 'ready',
    code: answer.grpcStatus ?? String(answer.status),
    message: answer.grpcMessage ?? '',
  };
}
