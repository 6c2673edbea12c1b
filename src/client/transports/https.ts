// The transport over HTTPS: HTTP/2 where the server offers it by ALPN, else HTTP/1.1. All requests and watches share
// few sessions; a session that went silent is found by ping and replaced with the next request.
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import type { Clock, Timer } from '#base/clock.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { type Transport, type TransportRequest, abortable, unreachable } from './transport.ts';

export interface HttpsTransportOptions {
  /** `https://host:port`, with an optional path prefix; `http://` is spoken as HTTP/1.1. */
  readonly server: string;
  /** PEM bundle that the server's certificate must chain to. Undefined: the system's. */
  readonly ca?: string | Uint8Array;
  /** Client certificate and key, PEM. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** A bearer token, or where the newest one comes from (asked for each request; see `tokenFile`). */
  readonly token?: string | (() => string | Promise<string>);
  /** Name to verify the server's certificate against. */
  readonly serverName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly clock: Clock;
  /** upstream: 30 s (HTTP2_READ_IDLE_TIMEOUT_SECONDS). */
  readonly pingIntervalMs?: number;
  /** upstream: 15 s (HTTP2_PING_TIMEOUT_SECONDS). */
  readonly pingTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
}

/** For servers that set no limit; the smallest one RFC 9113 recommends. */
const STREAMS_WITHOUT_LIMIT = 100;
/** Sessions tried for one request: others may fill a new one first, and a server going down closes them at once. */
const MAX_CONNECTS = 20;
/** Streams' flow-control window: a list of some MB should not wait for round trips. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Reads a token file again at most once a minute, as upstream does: projected tokens are rotated in place. */
export function tokenFile(read: () => string, clock: Clock): () => string {
  let token = '';
  let readAtMs = -Infinity;
  return () => {
    if (clock.monotonic() - readAtMs < 60_000) return token;
    token = read().trim();
    readAtMs = clock.monotonic();
    return token;
  };
}

export function createHttpsTransport(options: HttpsTransportOptions): Transport {
  return new HttpsTransport(options);
}

interface Session {
  readonly session: http2.ClientHttp2Session;
  /** Streams open now. */
  active: number;
  /** Takes no new streams: it is going away. */
  draining: boolean;
}

type Protocol = 'h2' | 'http/1.1';

class HttpsTransport implements Transport {
  readonly #options: HttpsTransportOptions;
  readonly #url: URL;
  readonly #prefix: string;
  readonly #sessions = new Set<Session>();
  #connecting: Promise<Session | undefined> | undefined;
  /** Set once known that the server speaks no HTTP/2. */
  #agent: http.Agent | undefined;
  readonly #closed = new AbortController();

  constructor(options: HttpsTransportOptions) {
    this.#options = options;
    this.#url = new URL(options.server);
    this.#prefix = this.#url.pathname.replace(/\/$/, '');
    if (this.#url.protocol === 'http:') this.#agent = new http.Agent({ keepAlive: true });
  }

  async request(request: TransportRequest): Promise<ExchangeResponse> {
    const signal = AbortSignal.any([request.signal, this.#closed.signal]);
    signal.throwIfAborted();
    const token = typeof this.#options.token === 'function' ? await this.#options.token() : this.#options.token;
    const headers = token === undefined ? request.headers : { ...request.headers, authorization: `Bearer ${token}` };
    const full = { ...request, signal, headers, path: this.#prefix + request.path };
    for (let attempt = 1; ; attempt++) {
      try {
        const session = this.#agent === undefined ? await this.#session(signal) : undefined;
        return await (session === undefined ? this.#overHttp1(full) : this.#overHttp2(session, full));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (attempt === 1 && mayRepeat(request.method, error)) continue;
        throw unreachable(this.#options.server, error);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(StatusError.serviceUnavailable('the client is closed'));
    for (const { session } of this.#sessions) session.destroy();
    this.#sessions.clear();
    this.#agent?.destroy();
  }

  /** A session with a stream reserved on it (counted as active); undefined when the server speaks only HTTP/1.1. */
  async #session(signal: AbortSignal): Promise<Session | undefined> {
    for (let tries = 0; tries < MAX_CONNECTS; tries++) {
      for (const s of this.#sessions) {
        if (!hasRoom(s)) continue;
        s.active++;
        return s;
      }
      this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
      if ((await abortedBy(this.#connecting, signal)) === undefined) return undefined;
    }
    throw new Error('the server takes connections but no requests');
  }

  async #connect(): Promise<Session | undefined> {
    const { socket, protocol } = await this.#connectTls();
    if (protocol === 'http/1.1') {
      socket.destroy();
      this.#agent = new https.Agent({ keepAlive: true, ...this.#tlsOptions() });
      return undefined;
    }
    const session = http2.connect(this.#options.server, {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    const entry: Session = { session, active: 0, draining: false };
    const drop = () => {
      entry.draining = true;
      this.#sessions.delete(entry);
    };
    session.on('error', drop);
    session.on('close', drop);
    session.on('goaway', () => {
      drop();
      session.close();
    });
    session.once('connect', () => session.setLocalWindowSize(2 * WINDOW_BYTES));
    this.#keepAlive(entry);
    // How many streams the server allows must be known before the first burst.
    await new Promise<void>((resolve, reject) => {
      session.once('remoteSettings', () => resolve());
      session.once('error', reject);
      session.once('close', () => reject(new Error('the server closed the connection')));
    });
    this.#sessions.add(entry);
    if (this.#closed.signal.aborted) session.destroy();
    return entry;
  }

  #connectTls(): Promise<{ socket: tls.TLSSocket; protocol: Protocol }> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({
        host: this.#url.hostname.replace(/^\[|\]$/g, ''),
        port: Number(this.#url.port || 443),
        ALPNProtocols: ['h2', 'http/1.1'],
        ...this.#tlsOptions(),
      });
      const timeoutMs = this.#options.connectTimeoutMs ?? 10_000;
      const timer = this.#options.clock.setTimer(timeoutMs, () =>
        socket.destroy(new Error(`no connection within ${timeoutMs} ms`)),
      );
      const onClosed = () => socket.destroy(new Error('the client is closed'));
      this.#closed.signal.addEventListener('abort', onClosed, { once: true });
      const done = () => {
        timer.cancel();
        this.#closed.signal.removeEventListener('abort', onClosed);
      };
      socket.once('error', (error) => {
        done();
        reject(error);
      });
      socket.once('secureConnect', () => {
        done();
        socket.setNoDelay(true);
        resolve({ socket, protocol: socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1' });
      });
    });
  }

  #tlsOptions(): tls.ConnectionOptions {
    const { ca, cert, key, serverName, insecureSkipTlsVerify } = this.#options;
    const pem = (value: string | Uint8Array | undefined) => (value instanceof Uint8Array ? Buffer.from(value) : value);
    const host = this.#url.hostname.replace(/^\[|\]$/g, '');
    // SNI must not be an address (RFC 6066); Node verifies addresses against the certificate by `host`.
    const servername = serverName ?? (/^[\d.]+$|:/.test(host) ? undefined : host);
    return {
      ca: pem(ca),
      cert: pem(cert),
      key: pem(key),
      rejectUnauthorized: insecureSkipTlsVerify !== true,
      ...(servername === undefined ? {} : { servername }),
    };
  }

  /** Pings at rest and in use; a session that does not answer is destroyed, and its streams with it. */
  #keepAlive(entry: Session): void {
    const { clock, pingIntervalMs = 30_000, pingTimeoutMs = 15_000 } = this.#options;
    let timer: Timer;
    const { session } = entry;
    const wait = () => {
      timer = clock.setTimer(pingIntervalMs, ping);
    };
    const ping = () => {
      if (session.destroyed) return;
      timer = clock.setTimer(pingTimeoutMs, () =>
        session.destroy(new Error(`no answer to a ping within ${pingTimeoutMs} ms`)),
      );
      session.ping((error) => {
        timer.cancel();
        if (error === null) wait();
      });
    };
    session.once('close', () => timer.cancel());
    wait();
  }

  #overHttp2(entry: Session, request: TransportRequest): Promise<ExchangeResponse> {
    const { method, path, headers, body, signal } = request;
    return new Promise((resolve, reject) => {
      let stream: http2.ClientHttp2Stream;
      try {
        stream = entry.session.request(
          { ...headers, ':method': method, ':path': path, ':authority': this.#url.host, ':scheme': 'https' },
          { endStream: body === undefined },
        );
      } catch (error) {
        entry.active--;
        return reject(error);
      }
      const onAbort = () => stream.close(http2.constants.NGHTTP2_CANCEL);
      signal.addEventListener('abort', onAbort, { once: true });
      stream.once('close', () => {
        entry.active--;
        signal.removeEventListener('abort', onAbort);
        // After the response has resolved this changes nothing.
        reject(signal.aborted ? signal.reason : streamError(stream.rstCode));
      });
      stream.once('error', (error) => reject(stream.rstCode ? streamError(stream.rstCode) : error));
      stream.once('response', (answer) => {
        const { ':status': status = 0, ...rest } = answer;
        // Between response and the first read nobody else listens for errors; the reader gets them.
        stream.on('error', () => undefined);
        resolve({ status, headers: plainHeaders(rest), body: abortable(readHttp2(stream), signal) });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  #overHttp1(request: TransportRequest): Promise<ExchangeResponse> {
    const { method, path, headers, body, signal } = request;
    const { hostname, port, protocol } = this.#url;
    const secure = protocol === 'https:';
    const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
    return new Promise((resolve, reject) => {
      const sent = (secure ? https : http).request(
        {
          agent: this.#agent,
          hostname: hostname.replace(/^\[|\]$/g, ''),
          port: port || (secure ? 443 : 80),
          method,
          path,
          headers: { ...headers, ...length },
          signal,
        },
        (answer) =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: plainHeaders(answer.headers),
            body: abortable(answer, signal),
          }),
      );
      sent.once('error', reject);
      sent.end(body);
    });
  }
}

const hasRoom = (s: Session): boolean =>
  !s.draining &&
  !s.session.closed &&
  !s.session.destroyed &&
  s.active < (s.session.remoteSettings?.maxConcurrentStreams ?? STREAMS_WITHOUT_LIMIT);

/** Chunks of the answer; a stream that the peer reset is an error, not an end. */
async function* readHttp2(stream: http2.ClientHttp2Stream): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield chunk as Uint8Array;
  if (stream.rstCode !== undefined && stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR)
    throw streamError(stream.rstCode);
}

const streamError = (code: number | undefined): Error & { code?: string } =>
  Object.assign(new Error(`the stream was closed by the server (HTTP/2 code ${code ?? 0})`), {
    // Node's server refuses a stream over its limit with ENHANCE_YOUR_CALM, too.
    code:
      code === http2.constants.NGHTTP2_REFUSED_STREAM || code === http2.constants.NGHTTP2_ENHANCE_YOUR_CALM
        ? 'REFUSED'
        : 'ECONNRESET',
  });

/** Codes of errors after which the server has certainly not acted. */
const NOT_SENT = new Set([
  'REFUSED',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_OUT_OF_STREAMS',
]);

/** A reused connection may have died unnoticed: what surely was not acted on, and reads, are sent once more. */
function mayRepeat(method: string, error: unknown): boolean {
  const code = error instanceof Error ? (error as { code?: string }).code : undefined;
  return code !== undefined && (NOT_SENT.has(code) || (code === 'ECONNRESET' && method === 'GET'));
}

function plainHeaders(
  headers: Readonly<Record<string, string | string[] | number | boolean | undefined>>,
): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return out;
}

function abortedBy<R>(promise: Promise<R>, signal: AbortSignal): Promise<R> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
