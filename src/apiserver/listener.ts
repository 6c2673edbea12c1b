// The only place where the API server meets sockets: TLS, an ALPN dispatcher in front of node:http (HTTP/1.1 and
// upgrades) and node:http2's stream API, body limits, flow control, gzip. Everything behind it sees an Exchange.
import { constants as cryptoConstants } from 'node:crypto';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { gzip } from 'node:zlib';
import type { Clock, Timer } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { Exchange, ExchangeRequest, ExchangeResponse, Peer, UpgradeHandler } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';

/** Bytes of a request body; upstream's MaxRequestBodyBytes. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** Bytes from which a body is compressed for clients that accept it; upstream's threshold. */
const GZIP_MIN_BYTES = 128 * 1024;
/** Streams of one connection; upstream's default is 250 of Go's library. */
const MAX_STREAMS = 250;
/** Milliseconds that open requests get to end after stop() before their connections are cut. */
const STOP_GRACE_MS = 2_000;

export interface ListenerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  /** PEM of the authorities whose client certificates are accepted. */
  readonly clientCa?: string;
}

export interface ListenerDeps {
  readonly exchange: Exchange;
  readonly upgrade: UpgradeHandler;
  readonly clock: Clock;
  readonly log: Log;
}

const NO_HEADERS: Record<string, string> = {};

/** Per connection, made once: who the peer is. */
const peerKey = Symbol('peer');

export class Listener implements Component {
  readonly name = 'apiserver-listener';
  readonly #options: ListenerOptions;
  readonly #deps: ListenerDeps;
  readonly #tls: tls.Server;
  readonly #http: http.Server;
  readonly #http2: http2.Http2Server;
  readonly #sockets = new Set<tls.TLSSocket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #stopped: Promise<void> | undefined;

  constructor(options: ListenerOptions, deps: ListenerDeps) {
    this.#options = options;
    this.#deps = deps;
    // Timeouts of whole requests would cut watches; the pipeline has its own.
    this.#http = http.createServer({
      requestTimeout: 0,
      keepAliveTimeout: 120_000,
      headersTimeout: 30_000,
      maxHeaderSize: 64 * 1024,
    });
    this.#http.on('request', (request, response) => void this.#serve1(request, response));
    this.#http.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket as Socket, head));
    this.#http.on('clientError', (_error, socket) => void socket.destroy());
    this.#http2 = http2.createServer({
      settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: 256 * 1024, enablePush: false },
      maxSessionMemory: 100,
      // Watches that clients cancel are resets; Node's limit against rapid resets is kept, but wider than its default.
      streamResetBurst: 5_000,
      streamResetRate: 500,
    });
    this.#http2.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
      session.on('error', (error) => this.#deps.log.debug('connection failed', { error }));
    });
    this.#http2.on('stream', (stream, headers) => this.#serve2(stream as http2.ServerHttp2Stream, headers));
    this.#tls = tls.createServer({
      cert: options.certificate,
      key: options.privateKey,
      ca: options.clientCa === undefined ? undefined : [options.clientCa],
      requestCert: options.clientCa !== undefined,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
      minVersion: 'TLSv1.2',
      noDelay: true,
      // A resumed session would carry an identity that is not verified again.
      secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
    });
    this.#tls.on('secureConnection', (socket) => this.#accept(socket));
    this.#tls.on('tlsClientError', (error) => this.#deps.log.debug('TLS handshake failed', { error }));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#tls.once('error', reject);
      this.#tls.listen({ host: this.#options.host, port: this.#options.port, backlog: 4096 }, () => {
        this.#tls.off('error', reject);
        this.#tls.on('error', (error) => this.#deps.log.error('listener failed', { error }));
        resolve();
      });
    });
  }

  /** The port that is listened on. */
  get port(): number {
    return (this.#tls.address() as AddressInfo).port;
  }

  /** New certificate for new connections. */
  setCertificate(certificate: string, privateKey: string): void {
    this.#tls.setSecureContext({
      cert: certificate,
      key: privateKey,
      ca: this.#options.clientCa === undefined ? undefined : [this.#options.clientCa],
      minVersion: 'TLSv1.2',
      secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (!this.#tls.listening) return;
    const closed = new Promise<void>((resolve) => void this.#tls.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    this.#http.closeIdleConnections();
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#deps.clock.setTimer(STOP_GRACE_MS, resolve);
    });
    await Promise.race([closed, late]);
    timer?.cancel();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: tls.TLSSocket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    (socket as unknown as Record<symbol, Peer>)[peerKey] = peerOf(socket);
    if (socket.alpnProtocol === 'h2') this.#http2.emit('connection', socket);
    else this.#http.emit('connection', socket);
  }

  #serve2(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    stream.on('error', () => {});
    const method = headers[':method'] as string;
    const request = new SocketRequest(
      method,
      headers[':path'] as string,
      lowered(headers),
      peerOfSession(stream.session!),
    );
    stream.on('close', () => request.abort());
    const reply = (response: ExchangeResponse) => this.#reply2(stream, method, request, response);
    if (stream.endAfterHeaders || method === 'GET' || method === 'HEAD') {
      void this.#deps.exchange(request).then(reply);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else if (size - chunk.length <= MAX_BODY_BYTES) reply(tooLarge());
    });
    stream.on('end', () => {
      if (size > MAX_BODY_BYTES) return;
      if (size > 0) request.body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
      void this.#deps.exchange(request).then(reply);
    });
  }

  #reply2(stream: http2.ServerHttp2Stream, method: string, request: SocketRequest, response: ExchangeResponse): void {
    if (stream.destroyed || stream.headersSent) return endBody(response.body);
    const { body } = response;
    if (!(body instanceof Uint8Array)) {
      stream.respond({ ':status': response.status, ...response.headers });
      if (method === 'HEAD') {
        endBody(body);
        stream.end();
        return;
      }
      void pump(body, stream, request.signal);
      return;
    }
    if (wantsGzip(request, response, body)) {
      gzip(body, { level: 1 }, (error, packed) => {
        if (stream.destroyed) return;
        const plain = error !== null;
        stream.respond({
          ':status': response.status,
          ...response.headers,
          ...(plain ? {} : { 'content-encoding': 'gzip', vary: 'Accept-Encoding' }),
        });
        stream.end(plain ? body : packed);
      });
      return;
    }
    const none = method === 'HEAD' || body.length === 0;
    stream.respond(
      { ':status': response.status, ...response.headers, 'content-length': String(body.length) },
      none ? { endStream: true } : undefined,
    );
    if (!none) stream.end(body);
  }

  async #serve1(message: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    response.on('error', () => {});
    const request = new SocketRequest(
      message.method!,
      message.url!,
      message.headers as Record<string, string>,
      socketPeer(message.socket),
    );
    response.on('close', () => request.abort());
    try {
      if (message.method !== 'GET' && message.method !== 'HEAD') {
        const body = await readLimited(message);
        if (body === undefined) {
          await this.#reply1(message, response, request, tooLarge());
          return;
        }
        if (body.length > 0) request.body = body;
      }
      await this.#reply1(message, response, request, await this.#deps.exchange(request));
    } catch (error) {
      this.#deps.log.debug('request ended early', { error });
      response.destroy();
    }
  }

  async #reply1(
    message: http.IncomingMessage,
    response: http.ServerResponse,
    request: SocketRequest,
    answer: ExchangeResponse,
  ): Promise<void> {
    const { body } = answer;
    if (response.destroyed) return endBody(body);
    if (!(body instanceof Uint8Array)) {
      response.writeHead(answer.status, answer.headers);
      if (message.method === 'HEAD') {
        endBody(body);
        response.end();
        return;
      }
      response.flushHeaders();
      await pump(body, response, request.signal);
      return;
    }
    if (wantsGzip(request, answer, body)) {
      const packed = await new Promise<Buffer | undefined>((resolve) =>
        gzip(body, { level: 1 }, (error, data) => resolve(error === null ? data : undefined)),
      );
      if (packed !== undefined) {
        response.writeHead(answer.status, {
          ...answer.headers,
          'content-encoding': 'gzip',
          vary: 'Accept-Encoding',
          'content-length': String(packed.length),
        });
        response.end(packed);
        return;
      }
    }
    response.writeHead(answer.status, { ...answer.headers, 'content-length': String(body.length) });
    response.end(message.method === 'HEAD' ? undefined : body);
  }

  async #upgrade(message: http.IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (head.length > 0) socket.unshift(head);
    const request = new SocketRequest(
      message.method!,
      message.url!,
      message.headers as Record<string, string>,
      socketPeer(socket),
    );
    socket.on('close', () => request.abort());
    socket.on('error', () => request.abort());
    try {
      await this.#deps.upgrade({
        method: request.method,
        path: request.path,
        headers: request.headers,
        peer: request.peer,
        signal: request.signal,
        socket,
      });
    } catch (error) {
      this.#deps.log.warn('upgrade failed', { error, path: request.path });
      socket.destroy();
    }
  }
}

/** A request whose AbortSignal is made only when somebody asks for it. */
class SocketRequest implements ExchangeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly peer: Peer;
  body: Uint8Array | undefined = undefined;
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(method: string, path: string, headers: Readonly<Record<string, string>>, peer: Peer) {
    this.method = method;
    this.path = path;
    this.headers = headers;
    this.peer = peer;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

function lowered(headers: http2.IncomingHttpHeaders): Record<string, string> {
  // node:http2 gives lower-case names and joins repeated ones, except set-cookie (never sent by clients).
  return headers as unknown as Record<string, string>;
}

function peerOf(socket: tls.TLSSocket): Peer {
  const remoteAddress = socket.remoteAddress?.startsWith('::ffff:')
    ? socket.remoteAddress.slice(7)
    : socket.remoteAddress;
  const certificate = socket.getPeerCertificate(false);
  if (certificate === undefined || certificate.raw === undefined) return { remoteAddress };
  if (!socket.authorized) return { remoteAddress, certificateError: String(socket.authorizationError) };
  const subject = certificate.subject as unknown as Record<string, string | string[] | undefined>;
  const many = (value: string | string[] | undefined): string[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value];
  return {
    remoteAddress,
    certificate: { commonName: many(subject.CN)[0] ?? '', organizations: many(subject.O), raw: certificate.raw },
  };
}

const socketPeer = (socket: unknown): Peer => (socket as Record<symbol, Peer>)[peerKey] ?? {};

/** The session hands out a proxy of its socket; the peer is read through it once and kept on the session. */
function peerOfSession(session: http2.Http2Session): Peer {
  const holder = session as unknown as Record<symbol, Peer>;
  return (holder[peerKey] ??= socketPeer(session.socket));
}

async function readLimited(message: http.IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

function tooLarge(): ExchangeResponse {
  const error = StatusError.requestEntityTooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);
  return {
    status: 413,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(error.toStatus())),
  };
}

function wantsGzip(request: SocketRequest, response: ExchangeResponse, body: Uint8Array): boolean {
  if (body.length < GZIP_MIN_BYTES || (response.headers ?? NO_HEADERS)['content-encoding'] !== undefined) return false;
  return request.headers['accept-encoding']?.includes('gzip') === true;
}

/** Writes the chunks as the peer takes them. Closing the stream ends the producer, and the other way round. */
async function pump(
  body: AsyncIterable<Uint8Array>,
  stream: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  const onAbort = () => void iterator.return?.()?.catch?.(() => {});
  if (signal.aborted) return onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true || signal.aborted) break;
      if (!stream.write(value) && !signal.aborted) await drained(stream, signal);
    }
  } catch {
    // The producer failed after the head was sent: nothing but an early end can say so.
    (stream as unknown as { destroy(): void }).destroy();
    return;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  stream.end();
}

function drained(stream: NodeJS.WritableStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    stream.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

function endBody(body: ExchangeResponse['body']): void {
  if (body instanceof Uint8Array) return;
  void body[Symbol.asyncIterator]().return?.();
}
