// The kubelet's HTTPS API on the node (upstream: port 10250): logs, streams, pods, statistics, metrics, health. What the API server
// proxies to, and what metric scrapers read.
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Client } from '#client/client.ts';
import { StatusError } from '#machinery/status.ts';
import { responseHead } from '#streams/http-upgrade.ts';
import { isRuntimeError } from '../cri/runtime.ts';
import { NodeAuth } from './http-auth.ts';
import { resourceMetrics } from './http-metrics.ts';
import { serveStream } from './http-streams.ts';
import type { ContainerLogOptions, NodeServer } from './node-server.ts';

export interface KubeletHttpOptions {
  /** Addresses to listen on; several servers of hollow nodes may share one with different ports. */
  readonly host: string;
  /** 10250; 0 picks a free one. */
  readonly port: number;
  /** A unix socket (abstract: it begins with a zero byte) for the node's own tunnel: no connection of the kernel's network, which may be full. */
  readonly socket?: string;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientCa: string;
}

/** A path beside the kubelet's own that another part of the node serves, JSON out. Authorized as upstream does with what it does not
 *  know: `nodes/proxy`. Failures are StatusError. */
export interface ExtraHandler {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  handle(query: URLSearchParams, body: Uint8Array, signal: AbortSignal): Promise<unknown>;
}

export interface KubeletHttpDeps {
  readonly server: NodeServer;
  /** For TokenReview and SubjectAccessReview: the kubelet's own. */
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly extra?: readonly ExtraHandler[];
}

/** Bytes of a request body: what is served here takes a few kilobytes. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Upstream's kubelet port. */
export const KUBELET_PORT = 10250;
/** Seconds that a command of /run may take. */
const RUN_TIMEOUT_SECONDS = 60;

export class KubeletHttpServer implements Component {
  readonly name = 'kubelet-api';
  readonly #options: KubeletHttpOptions;
  readonly #deps: KubeletHttpDeps;
  readonly #auth: NodeAuth;
  readonly #server: https.Server;
  readonly #local: net.Server;
  /** Sockets that HTTP has handed over. */
  readonly #upgraded = new Set<Duplex>();

  constructor(options: KubeletHttpOptions, deps: KubeletHttpDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#auth = new NodeAuth({ client: deps.client, clock: deps.clock, nodeName: deps.server.nodeName });
    this.#server = https.createServer({
      cert: options.certificate,
      key: options.privateKey,
      ca: [options.clientCa],
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      requestTimeout: 0,
      headersTimeout: 30_000,
      noDelay: true,
    });
    this.#server.on('request', (message, response) => void this.#request(message, response));
    this.#server.on('upgrade', (message, socket, head) => void this.#upgrade(message, socket, head));
    this.#server.on('clientError', (_error, socket) => void socket.destroy());
    this.#local = net.createServer((socket) => void this.#server.emit('connection', socket));
    this.#server.on('tlsClientError', (error) => deps.log.debug('TLS handshake failed', { error }));
  }

  async start(): Promise<void> {
    const { host, port, socket } = this.#options;
    await this.#listen(this.#server, { host, port });
    if (socket !== undefined) await this.#listen(this.#local, { path: socket });
  }

  #listen(server: net.Server, where: net.ListenOptions): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#deps.log.error('the kubelet API failed', { error }));
        resolve();
      });
    });
  }

  /** The port that is listened on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#upgraded) socket.destroy();
    this.#local.close();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #request(message: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    try {
      const url = new URL(message.url ?? '/', 'https://node');
      await this.#auth.check(message, url.pathname);
      await this.#serve(message, response, url);
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      const status = statusOf(error);
      if (status.code >= 500) this.#deps.log.warn('request failed', { path: message.url, error: describeError(error) });
      send(response, status.code, 'text/plain; charset=utf-8', plainMessage(status));
    }
  }

  async #serve(message: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { server, metrics } = this.#deps;
    const parts = url.pathname
      .split('/')
      .filter((p) => p !== '')
      .map(decodeURIComponent);
    const [first] = parts;
    const reading = message.method === 'GET' || message.method === 'HEAD';
    if (first === 'run' && message.method === 'POST') return this.#run(response, parts, url.searchParams);
    if (['exec', 'attach', 'portForward'].includes(first ?? ''))
      throw StatusError.badRequest('Upgrade request required');
    const extra = this.#deps.extra?.find((e) => e.method === message.method && e.path === url.pathname);
    if (extra !== undefined) {
      const ending = new AbortController();
      response.on('close', () => ending.abort());
      return sendJson(response, await extra.handle(url.searchParams, await bodyOf(message), ending.signal));
    }
    if (!reading) throw new StatusError(405, 'MethodNotAllowed', '405: Method Not Allowed');
    switch (`/${parts.join('/')}`) {
      case '/healthz':
      case '/healthz/ping':
      case '/healthz/syncloop':
        if (!(await server.healthy())) throw StatusError.internal('the container runtime is not ready');
        return send(response, 200, 'text/plain; charset=utf-8', 'ok');
      case '/pods':
      case '/runningpods':
        return sendJson(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: server.pods() });
      case '/configz':
        return sendJson(response, server.config());
      case '/stats/summary':
        return sendJson(response, await server.statsSummary());
      case '/metrics':
        return send(response, 200, METRICS_TYPE, [...metrics.print()].join(''));
      case '/metrics/resource':
        return send(response, 200, METRICS_TYPE, resourceMetrics(await server.statsSummary()));
    }
    if (first === 'containerLogs' && parts.length === 4)
      return this.#logs(response, parts[1]!, parts[2]!, parts[3]!, url.searchParams);
    throw new StatusError(404, 'NotFound', '404 page not found\n');
  }

  async #logs(
    response: ServerResponse,
    namespace: string,
    pod: string,
    container: string,
    query: URLSearchParams,
  ): Promise<void> {
    const ending = new AbortController();
    response.on('close', () => ending.abort());
    const options = logOptions(query);
    const chunks = this.#deps.server.containerLogs(namespace, pod, container, options, ending.signal);
    response.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    for await (const chunk of chunks) {
      if (ending.signal.aborted) break;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  }

  async #run(response: ServerResponse, parts: readonly string[], query: URLSearchParams): Promise<void> {
    const [, namespace, pod] = parts;
    const container = parts.at(-1);
    if (namespace === undefined || pod === undefined || parts.length < 4)
      throw new StatusError(404, 'NotFound', '404 page not found\n');
    const command = query
      .getAll('cmd')
      .flatMap((c) => c.split(' '))
      .filter((c) => c !== '');
    const result = await this.#deps.server.run(namespace, pod, container!, command, RUN_TIMEOUT_SECONDS);
    const text = Buffer.concat([result.stdout, result.stderr]);
    if (result.exitCode !== 0)
      throw new StatusError(
        500,
        'InternalError',
        `${text.toString('utf8')}command terminated with exit code ${result.exitCode}`,
      );
    send(response, 200, 'text/plain', text);
  }

  async #upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (head.length > 0) socket.unshift(head);
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    try {
      const url = new URL(message.url ?? '/', 'https://node');
      await this.#auth.check(message, url.pathname);
      await serveStream(this.#deps.server, message, socket, url);
    } catch (error) {
      if (socket.destroyed) return;
      const status = statusOf(error);
      const body = plainMessage(status);
      const headers = [
        'Content-Type',
        'text/plain; charset=utf-8',
        'Content-Length',
        String(Buffer.byteLength(body)),
        'Connection',
        'close',
      ];
      socket.end(responseHead(status.code, 'Error', headers) + body);
    }
  }
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What a runtime cannot do (a hollow node's: anything) is said in its own words. */
const statusOf = (error: unknown): StatusError =>
  isRuntimeError(error, 'UNIMPLEMENTED')
    ? new StatusError(501, '', (error as Error).message, undefined, { cause: error })
    : StatusError.from(error);

/** The kubelet speaks in plain text; the API server makes a Status of it. */
const plainMessage = (error: StatusError): string => error.message;

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(status, { 'content-type': type, 'content-length': String(bytes.length) });
  response.end(bytes);
}

const sendJson = (response: ServerResponse, value: unknown): void =>
  send(response, 200, 'application/json', JSON.stringify(value));

async function bodyOf(message: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) throw StatusError.requestEntityTooLarge('the request body is too large');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** Names and meanings of PodLogOptions; the API server has checked their form. */
export function logOptions(query: URLSearchParams): ContainerLogOptions {
  const on = (name: string): boolean => ['true', '1', ''].includes(query.get(name) ?? 'false');
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value))
      throw StatusError.badRequest(`unable to parse ${name}: ${JSON.stringify(text)} is not a number`);
    return value;
  };
  const tailLines = number('tailLines');
  const sinceSeconds = number('sinceSeconds');
  const limitBytes = number('limitBytes');
  const sinceTime = query.get('sinceTime') ?? undefined;
  const stream = query.get('stream')?.toLowerCase();
  return {
    follow: on('follow'),
    previous: on('previous'),
    timestamps: on('timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
    ...(stream === 'stdout' || stream === 'stderr' ? { stream } : {}),
  };
}
