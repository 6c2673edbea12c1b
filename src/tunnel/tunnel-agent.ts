// A node agent's end of the tunnel: keeps one connection to the API server and makes connections inside the node for it.
import http2 from 'node:http2';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { type Clock, sleep } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import { readText, upgradeOver } from '#streams/http-upgrade.ts';
import { splice } from '#streams/splice.ts';
import { keepAlive } from './keepalive.ts';
import {
  MAX_CONNECTIONS,
  NODE_HOST,
  REASON_HEADER,
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
  STREAM_WINDOW_BYTES,
  TUNNEL_PATH,
  TUNNEL_UPGRADE,
} from './protocol.ts';

export interface TunnelAgentOptions {
  readonly nodeName: string;
  /** `https://host:port` */
  readonly server: string;
  /** PEM. */
  readonly ca: string | Uint8Array;
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** Where a port of "the node itself" is found from here; `path` is a unix socket's. */
  readonly nodePort: (port: number) => { readonly host: string; readonly port: number } | { readonly path: string };
}

export interface TunnelAgentDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between tries: doubled up to the second. */
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 1_000;
/** A tunnel that lived this long was no failure: the next try comes soon. */
const STEADY_MS = 10_000;
const CONNECT_TIMEOUT_MS = 8_000;

export class TunnelAgent implements Component {
  readonly name = 'tunnel';
  readonly #options: TunnelAgentOptions;
  readonly #deps: TunnelAgentDeps;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: TunnelAgentOptions, deps: TunnelAgentDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Returns at once: a node works without its tunnel. */
  async start(): Promise<void> {
    this.#running ??= this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let delayMs = RETRY_FIRST_MS;
    while (!signal.aborted) {
      const begun = clock.monotonic();
      try {
        await this.#once(signal);
      } catch (error) {
        if (!signal.aborted) log.debug('the tunnel to the API server failed', { error: describeError(error) });
      }
      if (clock.monotonic() - begun > STEADY_MS) delayMs = RETRY_FIRST_MS;
      await sleep(clock, delayMs, signal).catch(() => {});
      delayMs = Math.min(delayMs * 2, RETRY_LAST_MS);
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const { nodeName } = this.#options;
    const socket = await this.#connect(signal);
    const onAbort = () => void socket.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const outcome = await upgradeOver(socket, {
        method: 'GET',
        path: `${TUNNEL_PATH}?node=${encodeURIComponent(nodeName)}`,
        headers: { host: new URL(this.#options.server).host, connection: 'Upgrade', upgrade: TUNNEL_UPGRADE },
      });
      if (!outcome.upgraded)
        throw new Error(`refused with ${outcome.answer.status}: ${await readText(outcome.answer.body)}`);
      const session = http2.performServerHandshake(outcome.socket, {
        maxSessionMemory: SESSION_MEMORY_MB,
        settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: MAX_CONNECTIONS },
      });
      session.setLocalWindowSize(SESSION_WINDOW_BYTES);
      session.on('error', (error) => log.debug('tunnel failed', { error }));
      session.on('stream', (stream, headers) =>
        this.#serve(stream, String(headers[':authority'] ?? ''), headers[':method']),
      );
      keepAlive(session, clock);
      log.info('tunnel to the API server opened');
      await new Promise<void>((resolve) => void session.once('close', () => resolve()));
    } finally {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    }
  }

  #connect(signal: AbortSignal): Promise<tls.TLSSocket> {
    const { server, ca, cert, key } = this.#options;
    const url = new URL(server);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const socket = tls.connect({
        host: url.hostname,
        port: Number(url.port || 443),
        ca: [ca as Buffer],
        cert: cert as Buffer,
        key: key as Buffer,
        ALPNProtocols: ['http/1.1'],
      });
      const fail = (error: unknown) => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        socket.destroy();
        reject(error);
      };
      const onAbort = () => fail(signal.reason);
      const timer = this.#deps.clock.setTimer(CONNECT_TIMEOUT_MS, () =>
        fail(new Error(`${server} did not answer in time`)),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      socket.once('error', fail);
      socket.once('secureConnect', () => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        socket.off('error', fail);
        socket.on('error', () => socket.destroy());
        socket.setNoDelay(true);
        resolve(socket);
      });
    });
  }

  #serve(stream: http2.ServerHttp2Stream, target: string, method: unknown): void {
    stream.on('error', () => {});
    const parsed = parseTarget(target);
    if (method !== 'CONNECT' || parsed === undefined) {
      stream.respond({ ':status': 400, [REASON_HEADER]: 'not a CONNECT to host:port' }, { endStream: true });
      return;
    }
    const { host, port } = parsed;
    const where = host === NODE_HOST ? this.#options.nodePort(port) : parsed;
    const socket = net.connect({ ...where, allowHalfOpen: true, noDelay: true });
    const refused = (error: Error) => {
      if (stream.destroyed || stream.headersSent) return;
      stream.respond(
        { ':status': 502, [REASON_HEADER]: reasonText(host === NODE_HOST ? '127.0.0.1' : host, port, error) },
        { endStream: true },
      );
    };
    socket.once('error', refused);
    stream.once('close', () => socket.destroy());
    socket.once('connect', () => {
      socket.off('error', refused);
      if (stream.destroyed) return void socket.destroy();
      stream.respond({ ':status': 200 });
      void splice(stream as unknown as Duplex, socket);
    });
  }
}

export function parseTarget(target: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(target);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host: (match[1] ?? match[2])!, port } : undefined;
}

/** As Go says it, since users and tools know these words. */
function reasonText(host: string, port: number, error: Error): string {
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    ETIMEDOUT: 'i/o timeout',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
  };
  const code = (error as NodeJS.ErrnoException).code ?? '';
  // Header values are ASCII.
  return `dial tcp ${host}:${port}: ${words[code] ?? error.message.replace(/[^\x20-\x7e]/g, '?')}`;
}
