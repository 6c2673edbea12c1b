// The API server's end of the tunnels: one or more sessions a node, streams opened on the newest.
import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { DialError } from './cluster-dialer.ts';
import { keepAlive } from './keepalive.ts';
import { REASON_HEADER, SESSION_MEMORY_MB, SESSION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from './protocol.ts';

export interface TunnelServerDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds that a dial waits for a node whose agent is just coming (back). */
const CONNECT_WAIT_MS = 3_000;
/** Milliseconds until the agent must have connected or refused. */
const DIAL_TIMEOUT_MS = 10_000;

export class TunnelServer implements Component {
  readonly name = 'tunnels';
  readonly #deps: TunnelServerDeps;
  /** Node → its sessions, oldest first. */
  readonly #sessions = new Map<string, http2.ClientHttp2Session[]>();
  /** Dials that wait for a node. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #stopped = false;

  constructor(deps: TunnelServerDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const sessions of this.#sessions.values()) for (const session of sessions) session.destroy();
    this.#sessions.clear();
  }

  /** Takes over an upgraded socket (101 is written). Resolves when that tunnel is over. */
  serve(node: string, socket: Duplex): Promise<void> {
    if (this.#stopped) {
      socket.destroy();
      return Promise.resolve();
    }
    const { clock, log } = this.#deps;
    const session = http2.connect('http://node', {
      createConnection: () => socket,
      maxSessionMemory: SESSION_MEMORY_MB,
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    });
    session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    const sessions = this.#sessions.getOrInsertComputed(node, () => []);
    sessions.push(session);
    log.info('tunnel opened', { node });
    keepAlive(session, clock);
    for (const wake of this.#waiting.get(node) ?? []) wake();
    return new Promise((resolve) => {
      session.on('error', (error) => log.debug('tunnel failed', { node, error }));
      session.once('close', () => {
        const at = sessions.indexOf(session);
        if (at >= 0) sessions.splice(at, 1);
        if (sessions.length === 0 && this.#sessions.get(node) === sessions) this.#sessions.delete(node);
        log.info('tunnel closed', { node });
        resolve();
      });
    });
  }

  /** Some node with a tunnel. */
  anyNode(): string | undefined {
    return this.#sessions.keys().next().value;
  }

  isConnected(node: string): boolean {
    return this.#sessions.has(node);
  }

  async dial(node: string, host: string, port: number): Promise<Duplex> {
    const session = this.#sessions.get(node)?.at(-1) ?? (await this.#arrival(node));
    if (session === undefined)
      throw new DialError('NO_TUNNEL', `no agent is connected for node ${JSON.stringify(node)}`);
    const target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return this.#connect(session, node, target);
  }

  #arrival(node: string): Promise<http2.ClientHttp2Session | undefined> {
    if (this.#stopped) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiting = this.#waiting.getOrInsertComputed(node, () => new Set());
      const done = () => {
        timer.cancel();
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(node);
        resolve(this.#sessions.get(node)?.at(-1));
      };
      const timer = this.#deps.clock.setTimer(CONNECT_WAIT_MS, done);
      waiting.add(done);
    });
  }

  #connect(session: http2.ClientHttp2Session, node: string, target: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const fail = (code: 'NO_TUNNEL' | 'UNREACHABLE', why: string) => {
        if (settled) return;
        settled = true;
        timer.cancel();
        reject(new DialError(code, why));
      };
      let stream: http2.ClientHttp2Stream;
      const timer = this.#deps.clock.setTimer(DIAL_TIMEOUT_MS, () => {
        fail('UNREACHABLE', `dial tcp ${target}: i/o timeout`);
        stream?.close(http2.constants.NGHTTP2_CANCEL);
      });
      try {
        stream = session.request({ ':method': 'CONNECT', ':authority': target });
      } catch (error) {
        return fail('NO_TUNNEL', `the tunnel to node ${JSON.stringify(node)} is gone: ${String(error)}`);
      }
      // Kept for the life of the stream: an unheard error event ends the process.
      stream.on('error', (error) => fail('UNREACHABLE', error.message));
      stream.once('close', () => fail('NO_TUNNEL', `the tunnel to node ${JSON.stringify(node)} was closed`));
      stream.once('response', (headers) => {
        if (settled) return;
        if (headers[':status'] !== 200) {
          stream.close();
          return fail('UNREACHABLE', String(headers[REASON_HEADER] ?? `dial tcp ${target}: failed`));
        }
        settled = true;
        timer.cancel();
        resolve(stream);
      });
    });
  }
}
