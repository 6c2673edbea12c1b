// The sockets of a probe: the only file of the explainer that touches the network. Connections with what became of each, TLS on top
// of a connection, questions to name servers, and datagrams.
import { createSocket } from 'node:dgram';
import http2 from 'node:http2';
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Clock } from '#base/clock.ts';
import type { CertificateFacts, ConnectAttempt } from './result.ts';

export interface Connected {
  readonly attempt: ConnectAttempt;
  /** There when the outcome is `connected`. */
  readonly socket?: Duplex;
}

export interface SecureOptions {
  /** SNI and the name that is checked. */
  readonly serverName: string;
  readonly ca?: string;
  readonly certificate?: string;
  readonly privateKey?: string;
  readonly alpn?: readonly string[];
}

export type Secured =
  | {
      readonly ok: true;
      readonly stream: Duplex;
      readonly certificate: CertificateFacts | undefined;
      /** OpenSSL's name of what is wrong with the chain; undefined when it is trusted. */
      readonly chainError: string | undefined;
      /** Why the certificate is not for that name. */
      readonly nameError: string | undefined;
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

export type Datagram =
  | { readonly outcome: 'answer'; readonly bytes: Uint8Array; readonly localAddress?: string }
  | { readonly outcome: 'refused' | 'unreachable' | 'prohibited' | 'silence' | 'error'; readonly errno?: string };

export interface Http2Answer {
  readonly status: number;
  readonly contentType: string;
  readonly grpcStatus: string | undefined;
  readonly grpcMessage: string | undefined;
}

export interface ProbeSockets {
  connect(address: string, port: number, timeoutMs: number): Promise<Connected>;
  secure(stream: Duplex, options: SecureOptions, timeoutMs: number): Promise<Secured>;
  /** Sends one datagram and waits for one that `accept` takes. */
  datagram(
    address: string,
    port: number,
    bytes: Uint8Array,
    timeoutMs: number,
    accept?: (answer: Uint8Array) => boolean,
  ): Promise<Datagram>;
  /** One POST with these headers over HTTP/2 on a stream that exists; undefined when no HTTP/2 is spoken there. */
  http2(
    stream: Duplex,
    authority: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<Http2Answer | undefined>;
}

export function outcomeOf(errno: string | undefined): 'refused' | 'unreachable' | 'prohibited' | 'timeout' | 'error' {
  switch (errno) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return 'refused';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return 'unreachable';
    case 'EACCES':
    case 'EPERM':
      return 'prohibited';
    case 'ETIMEDOUT':
      return 'timeout';
    default:
      return 'error';
  }
}

const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

export class KernelSockets implements ProbeSockets {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(address: string, port: number, timeoutMs: number): Promise<Connected> {
    const started = this.#clock.monotonic();
    return new Promise((resolve) => {
      const socket = connect({ host: address, port, noDelay: true });
      const end = (outcome: ConnectAttempt['outcome'], errno?: string) => {
        timer.cancel();
        socket.removeAllListeners('connect');
        const { localAddress } = socket;
        const attempt: ConnectAttempt = {
          address,
          port,
          outcome,
          ms: Math.round(this.#clock.monotonic() - started),
          ...(errno === undefined ? {} : { errno }),
          ...(localAddress === undefined ? {} : { localAddress }),
        };
        if (outcome === 'connected') return resolve({ attempt, socket });
        socket.destroy();
        resolve({ attempt });
      };
      const timer = this.#clock.setTimer(timeoutMs, () => end('timeout'));
      // Later errors belong to whoever reads; this listener keeps them from being nobody's.
      socket.on('error', (error) => end(outcomeOf(errnoOf(error)), errnoOf(error)));
      socket.once('connect', () => end('connected'));
    });
  }

  secure(stream: Duplex, options: SecureOptions, timeoutMs: number): Promise<Secured> {
    const { serverName, ca, certificate, privateKey, alpn } = options;
    return new Promise((resolve) => {
      let socket: tls.TLSSocket;
      const fail = (code: string, message: string) => {
        timer.cancel();
        socket?.destroy();
        resolve({ ok: false, code, message });
      };
      const timer = this.#clock.setTimer(timeoutMs, () => fail('ETIMEDOUT', 'no TLS handshake in time'));
      try {
        socket = tls.connect({
          socket: stream as Socket,
          // Everything is looked at, and judged by the caller's mode.
          rejectUnauthorized: false,
          checkServerIdentity: () => undefined,
          // SNI must not be an address (RFC 6066).
          ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
          ...(ca === undefined ? {} : { ca }),
          ...(certificate === undefined ? {} : { cert: certificate }),
          ...(privateKey === undefined ? {} : { key: privateKey }),
          ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
        });
      } catch (error) {
        return fail(errnoOf(error) ?? 'ERR_TLS', (error as Error).message);
      }
      socket.on('error', (error) => fail(errnoOf(error) ?? 'ERR_TLS', error.message));
      socket.once('close', () => fail('ECONNRESET', 'the connection was closed during the TLS handshake'));
      socket.once('secureConnect', () => {
        timer.cancel();
        const peer = socket.getPeerCertificate();
        const present = peer?.subject !== undefined || peer?.valid_to !== undefined;
        resolve({
          ok: true,
          stream: socket,
          certificate: present ? certificateFacts(peer) : undefined,
          chainError: socket.authorized ? undefined : String(socket.authorizationError),
          nameError: present ? tls.checkServerIdentity(serverName, peer)?.message : undefined,
        });
      });
    });
  }

  datagram(
    address: string,
    port: number,
    bytes: Uint8Array,
    timeoutMs: number,
    accept: (answer: Uint8Array) => boolean = () => true,
  ): Promise<Datagram> {
    return new Promise((resolve) => {
      const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
      let over = false;
      const end = (result: Datagram) => {
        if (over) return;
        over = true;
        timer.cancel();
        socket.close();
        resolve(result);
      };
      const failed = (error: unknown) => {
        const errno = errnoOf(error);
        const outcome = outcomeOf(errno);
        end({ outcome: outcome === 'timeout' ? 'silence' : outcome, ...(errno === undefined ? {} : { errno }) });
      };
      const timer = this.#clock.setTimer(timeoutMs, () => end({ outcome: 'silence' }));
      socket.on('error', failed);
      socket.on('message', (message) => {
        if (accept(message))
          end({ outcome: 'answer', bytes: Uint8Array.from(message), localAddress: socket.address().address });
      });
      // Connected, so that ICMP errors come back as errors of this socket.
      socket.connect(port, address, () => socket.send(bytes, (error) => error !== null && failed(error)));
    });
  }

  http2(
    stream: Duplex,
    authority: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<Http2Answer | undefined> {
    return new Promise((resolve) => {
      const session = http2.connect(`http://${authority}`, { createConnection: () => stream });
      const timer = this.#clock.setTimer(timeoutMs, () => end(undefined));
      const end = (answer: Http2Answer | undefined) => {
        timer.cancel();
        resolve(answer);
        session.destroy();
      };
      session.on('error', () => end(undefined));
      session.on('close', () => end(undefined));
      session.once('remoteSettings', () => {
        const request = session.request({ ':method': 'POST', ...headers });
        let found: Http2Answer = { status: 0, contentType: '', grpcStatus: undefined, grpcMessage: undefined };
        const read = (from: http2.IncomingHttpHeaders) => {
          const text = (name: string) => (from[name] === undefined ? undefined : String(from[name]));
          found = {
            status: Number(from[':status'] ?? found.status),
            contentType: text('content-type') ?? found.contentType,
            grpcStatus: text('grpc-status') ?? found.grpcStatus,
            grpcMessage: text('grpc-message') ?? found.grpcMessage,
          };
        };
        request.on('response', read);
        request.on('trailers', read);
        request.on('error', () => end(found));
        request.on('close', () => end(found));
        request.resume();
        request.end(body);
      });
    });
  }
}

function certificateFacts(peer: tls.PeerCertificate): CertificateFacts {
  const commonName = (of: tls.Certificate | undefined) => {
    const name = of?.CN ?? of?.O ?? '';
    return Array.isArray(name) ? name.join(', ') : name;
  };
  const names = (peer.subjectaltname ?? '')
    .split(', ')
    .filter((n) => n !== '')
    .map((n) => n.replace(/^(DNS|IP Address|URI|email):/, ''));
  const [subject, issuer] = [commonName(peer.subject), commonName(peer.issuer)];
  return {
    subject,
    issuer,
    names,
    notBefore: rfc3339(peer.valid_from),
    notAfter: rfc3339(peer.valid_to),
    selfSigned: JSON.stringify(peer.subject) === JSON.stringify(peer.issuer),
  };
}

/** OpenSSL's `Nov 22 17:00:00 2026 GMT`. */
const rfc3339 = (text: string): string => new Date(text).toISOString().replace(/\.\d+Z$/, 'Z');
