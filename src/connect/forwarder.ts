// Local ports that lead into pods. Each connection has a port-forward of its own through the API server, so that one that breaks takes
// no other along. A connection waits while no pod is ready, and goes on to the next pod when it was refused before a byte came back.
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import type { SpdyConnection } from '#streams/spdy.ts';
import { StatusError } from '#machinery/status.ts';
import type { Endpoint } from './endpoints.ts';

export interface Picked {
  readonly endpoint: Endpoint;
  /** The container's port. */
  readonly port: number;
}

export interface ForwarderDeps {
  readonly clock: Clock;
  /** Waits until there is one; rejects when the signal aborts. */
  readonly pick: (remote: string, signal: AbortSignal) => Promise<Picked>;
  /** The endpoint did not take a connection. */
  readonly failed: (endpoint: Endpoint, why: string) => void;
  /** It did: what it failed before is forgotten. */
  readonly reached: (endpoint: Endpoint) => void;
  readonly dial: (endpoint: Endpoint) => Promise<SpdyConnection>;
  /** One line for the user. */
  readonly say: (line: string) => void;
}

/** A connection waits so long for a pod that takes it: image pull and recovery of a database included. */
const PATIENCE_MS = 120_000;
const MAX_TRIES = 10;
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 2_000;
/** What a client may say before the server answers and still be sent again to the next pod. */
const MAX_REPLAY_BYTES = 256 * 1024;

export class Forwarder {
  readonly #deps: ForwarderDeps;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #stop = new AbortController();

  constructor(deps: ForwarderDeps) {
    this.#deps = deps;
  }

  /** Listens on every address, with one port for all of them; gives the port. An IPv6 loopback that is not there is left out. */
  async listen(addresses: readonly string[], local: number, remote: string): Promise<number> {
    for (let tries = 1; ; tries++) {
      const opened: Server[] = [];
      try {
        let port = local;
        for (const address of addresses) {
          const server = await this.#open(address, port, remote).catch((error: NodeJS.ErrnoException) => {
            const missing = error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT';
            if (missing && address === '::1' && addresses.length > 1) return undefined;
            throw error;
          });
          if (server === undefined) continue;
          opened.push(server);
          port = (server.address() as { port: number }).port;
        }
        this.#servers.push(...opened);
        return port;
      } catch (error) {
        for (const server of opened) server.close();
        // The free port of one family may be taken in the other.
        if (local !== 0 || tries >= MAX_TRIES || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      }
    }
  }

  #open(address: string, port: number, remote: string): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      void this.#serve(socket, remote);
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port }, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#deps.say(`listening on ${address} failed: ${error.message}`));
        resolve(server);
      });
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((s) => new Promise<void>((resolve) => s.close(() => resolve()))));
  }

  async #serve(local: Socket, remote: string): Promise<void> {
    const { clock, pick, failed, reached, dial, say } = this.#deps;
    const gone = new AbortController();
    local.on('close', () => gone.abort(new Error('the client went away')));
    local.on('error', () => local.destroy());
    const patience = clock.setTimer(PATIENCE_MS, () =>
      gone.abort(new Error(`no pod took the connection within ${PATIENCE_MS / 1000} s`)),
    );
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    const session = new Session(local);
    try {
      for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(RETRY_LAST_MS, 2 * pauseMs)) {
        const { endpoint, port } = await pick(remote, signal);
        let why: string | undefined;
        try {
          const connection = await dial(endpoint);
          // Nobody would end it.
          if (signal.aborted || local.destroyed) connection.close();
          signal.throwIfAborted();
          if (local.destroyed) return;
          why = await session.run(connection, port, () => {
            patience.cancel();
            reached(endpoint);
          });
        } catch (error) {
          if (signal.aborted) throw error;
          if (error instanceof StatusError && (error.code === 401 || error.code === 403)) throw error;
          why = error instanceof Error ? error.message : String(error);
        }
        if (why === undefined) return;
        failed(endpoint, why);
        await sleep(clock, pauseMs, signal);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted && !local.destroyed)
        say(`a connection to ${remote} was given up: ${error instanceof Error ? error.message : String(error)}`);
      local.resetAndDestroy();
    } finally {
      patience.cancel();
    }
  }
}

/** One client's connection, which may be begun again as long as nothing came back. */
class Session {
  readonly #local: Socket;
  /** What the client has said, while it may have to be said again. */
  #said: Buffer[] | undefined = [];
  #saidBytes = 0;
  #saidEnd = false;

  constructor(local: Socket) {
    this.#local = local;
  }

  /** Resolves at the end of the connection; with the reason when the pod did not take it and it may be tried elsewhere. */
  run(connection: SpdyConnection, port: number, onReached: () => void): Promise<string | undefined> {
    const local = this.#local;
    return new Promise((resolve) => {
      const headers = { port: String(port), requestid: '0' };
      const errors = connection.open({ ...headers, streamtype: 'error' }, true);
      const data = connection.open({ ...headers, streamtype: 'data' });
      let complaint = '';
      let over = false;
      const end = (why: string | undefined) => {
        if (over) return;
        over = true;
        local.off('data', onData);
        local.off('end', onEnd);
        local.off('close', onClose);
        local.pause();
        connection.close();
        resolve(why);
      };
      /** The connection is over before its time: try again where nothing can have happened, else tell the client by a reset. */
      const broke = () => {
        if (over) return;
        if (this.#said !== undefined && wasNotTaken(complaint)) return end(complaint);
        local.resetAndDestroy();
        end(undefined);
      };
      const onData = (chunk: Buffer) => {
        this.#remember(chunk);
        if (data.write(chunk)) return;
        local.pause();
        void connection.drained().then(() => !over && local.resume());
      };
      const onEnd = () => {
        this.#saidEnd = true;
        data.end();
      };
      const onClose = () => {
        data.cancel();
        end(undefined);
      };
      errors.onData = (chunk) => void (complaint += chunk.toString('utf8'));
      // A runtime that could not connect complains, and may leave the data stream open.
      errors.onEnd = () => void (complaint !== '' && broke());
      data.onData = (chunk) => {
        if (this.#said !== undefined) onReached();
        this.#said = undefined;
        if (local.write(chunk)) return;
        connection.pause();
        local.once('drain', () => connection.resume());
      };
      data.onEnd = () => {
        // The complaint, if there is one, stands on the other stream and may come a moment later.
        if (this.#said !== undefined) return void errorsOver.then(() => (complaint === '' ? finish() : broke()));
        finish();
      };
      data.onReset = broke;
      const errorsOver = new Promise<void>((done) => {
        const first = errors.onEnd;
        errors.onEnd = () => {
          first();
          done();
        };
        errors.onReset = done;
        void connection.closed.then(done);
      });
      const finish = () => {
        if (local.destroyed) return end(undefined);
        local.end();
        if (this.#saidEnd)
          return void (local.writableFinished ? end(undefined) : local.once('finish', () => end(undefined)));
        local.once('end', () => end(undefined));
      };
      void connection.closed.then(broke);
      for (const chunk of this.#said ?? []) data.write(chunk);
      if (this.#saidEnd) data.end();
      local.on('data', onData);
      local.once('end', onEnd);
      local.once('close', onClose);
      local.resume();
    });
  }

  #remember(chunk: Buffer): void {
    if (this.#said === undefined) return;
    this.#saidBytes += chunk.length;
    if (this.#saidBytes > MAX_REPLAY_BYTES) this.#said = undefined;
    else this.#said.push(chunk);
  }
}

/** Words of runtimes for a connection that never stood: nobody has heard what the client said. */
const wasNotTaken = (complaint: string): boolean =>
  /connection refused|failed to connect|unable to (do port|connect)|dial tcp|no route to host|namespace.*(not found|no such file)|sandbox|not running/i.test(
    complaint,
  );
