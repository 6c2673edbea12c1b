// The transport between threads, over a MessagePort. Frames are batched per turn; streaming bodies are pulled: the
// server sends only as many chunks as the reader has granted, so a slow watcher never fills the port.
import type { Exchange, ExchangeResponse, UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { type Transport, type TransportRequest, abortable, unreachable } from './transport.ts';

/** What is used of a worker_threads MessagePort (or of a Worker). */
export interface Port {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  close?(): void;
}

/** Chunks in flight per stream. A watch chunk holds a tick's events, so this is about 32 ticks of slack. */
const WINDOW = 32;

type ClientFrame =
  | {
      readonly t: 'request';
      readonly id: number;
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array | undefined;
    }
  | { readonly t: 'grant'; readonly id: number; readonly chunks: number }
  | { readonly t: 'abort'; readonly id: number };

type ServerFrame =
  | {
      readonly t: 'response';
      readonly id: number;
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array | undefined;
    }
  | { readonly t: 'chunk'; readonly id: number; readonly data: Uint8Array }
  | { readonly t: 'end'; readonly id: number }
  | { readonly t: 'error'; readonly id: number; readonly message: string };

/** Structured cloning copies the whole buffer behind a view: cut it to what is meant first. */
const compact = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength && bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes);

/** Collects the frames of one turn into one message. */
class Outbox<F> {
  readonly #port: Port;
  #frames: F[] = [];

  constructor(port: Port) {
    this.#port = port;
  }

  send(frame: F): void {
    if (this.#frames.push(frame) > 1) return;
    queueMicrotask(() => {
      const frames = this.#frames;
      this.#frames = [];
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window
      this.#port.postMessage(frames);
    });
  }
}

/** The reader's end of one streaming body. */
class ChunkStream {
  readonly #grant: (chunks: number) => void;
  readonly #cancel: () => void;
  readonly #chunks: Uint8Array[] = [];
  #taken = 0;
  #end: { readonly error?: unknown } | undefined;
  #waiter: (() => void) | undefined;

  constructor(grant: (chunks: number) => void, cancel: () => void) {
    this.#grant = grant;
    this.#cancel = cancel;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#waiter?.();
  }

  end(error?: unknown): void {
    this.#end ??= { error };
    this.#waiter?.();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          if (++this.#taken >= WINDOW / 2) {
            this.#grant(this.#taken);
            this.#taken = 0;
          }
          yield chunk;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => (this.#waiter = resolve));
          this.#waiter = undefined;
        }
      }
    } finally {
      if (this.#end === undefined) this.#cancel();
    }
  }
}

interface Pending {
  readonly signal: AbortSignal;
  readonly resolve: (response: ExchangeResponse) => void;
  readonly reject: (error: unknown) => void;
  stream: ChunkStream | undefined;
  /** Stops listening to the signal. */
  release: () => void;
}

/** The client's end: the other side is `serveExchange` on the port's twin. */
export function createMessagePortTransport(port: Port): Transport {
  const outbox = new Outbox<ClientFrame>(port);
  /** Request id → who waits for it. */
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let closed = false;

  const finish = (id: number): Pending | undefined => {
    const entry = pending.get(id);
    pending.delete(id);
    entry?.release();
    return entry;
  };
  const failAll = (error: unknown) => {
    for (const id of pending.keys().toArray()) {
      const entry = finish(id)!;
      entry.reject(error);
      entry.stream?.end(error);
    }
  };

  const receive = (frame: ServerFrame) => {
    const entry = pending.get(frame.id);
    if (entry === undefined) return;
    switch (frame.t) {
      case 'response': {
        const { id, status, headers } = frame;
        if (frame.body !== undefined) {
          finish(id);
          return entry.resolve({ status, headers, body: frame.body });
        }
        const cancel = () => {
          if (finish(id) !== undefined && !closed) outbox.send({ t: 'abort', id });
        };
        entry.stream = new ChunkStream((chunks) => !closed && outbox.send({ t: 'grant', id, chunks }), cancel);
        return entry.resolve({ status, headers, body: abortable(entry.stream.read(), entry.signal) });
      }
      case 'chunk':
        return entry.stream?.push(frame.data);
      case 'end':
        return finish(frame.id)?.stream?.end();
      case 'error': {
        const error = StatusError.internal(frame.message);
        finish(frame.id);
        entry.reject(error);
        return entry.stream?.end(error);
      }
    }
  };

  port.on('message', (message) => (message as ServerFrame[]).forEach(receive));
  port.on('close', () => {
    closed = true;
    failAll(unreachable('the other thread', 'the port was closed'));
  });

  return {
    request: ({ method, path, headers, body, signal }: TransportRequest) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (closed) return reject(unreachable('the other thread', 'the port was closed'));
        const id = nextId++;
        const onAbort = () => {
          const entry = finish(id);
          if (entry === undefined) return;
          outbox.send({ t: 'abort', id });
          entry.reject(signal.reason);
          entry.stream?.end(signal.reason);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        pending.set(id, {
          signal,
          resolve,
          reject,
          stream: undefined,
          release: () => signal.removeEventListener('abort', onAbort),
        });
        outbox.send({ t: 'request', id, method, path, headers, body: body === undefined ? undefined : compact(body) });
      }),
    async close() {
      if (closed) return;
      closed = true;
      failAll(StatusError.serviceUnavailable('the client is closed'));
      port.close?.();
    },
  };
}

/** One request being answered. */
interface Serving {
  readonly abort: AbortController;
  /** Chunks that may still be sent. */
  credit: number;
  /** Wakes the sender that waits for credit. */
  wake: (() => void) | undefined;
}

/** The server's end: answers what arrives on `port` as `user`, until it closes. Returns what stops it. */
export function serveExchange(port: Port, exchange: Exchange, user: UserInfo): () => void {
  const outbox = new Outbox<ServerFrame>(port);
  /** Request id → its work. */
  const serving = new Map<number, Serving>();
  let closed = false;
  const send = (frame: ServerFrame) => {
    if (!closed) outbox.send(frame);
  };

  const answer = async (frame: Extract<ClientFrame, { t: 'request' }>, work: Serving) => {
    const { id, method, path, headers, body } = frame;
    try {
      const response = await exchange({ method, path, headers, body, peer: { user }, signal: work.abort.signal });
      if (response.body instanceof Uint8Array) {
        return send({
          t: 'response',
          id,
          status: response.status,
          headers: response.headers,
          body: compact(response.body),
        });
      }
      send({ t: 'response', id, status: response.status, headers: response.headers, body: undefined });
      for await (const chunk of abortable(response.body, work.abort.signal)) {
        while (work.credit === 0 && !work.abort.signal.aborted)
          await new Promise<void>((resolve) => (work.wake = resolve));
        if (work.abort.signal.aborted) return;
        work.credit--;
        send({ t: 'chunk', id, data: compact(chunk) });
      }
      send({ t: 'end', id });
    } catch (error) {
      if (!work.abort.signal.aborted)
        send({ t: 'error', id, message: error instanceof Error ? error.message : String(error) });
    } finally {
      serving.delete(id);
    }
  };

  const receive = (frame: ClientFrame) => {
    const work = serving.get(frame.id);
    switch (frame.t) {
      case 'request': {
        const started: Serving = { abort: new AbortController(), credit: WINDOW, wake: undefined };
        serving.set(frame.id, started);
        void answer(frame, started);
        return;
      }
      case 'grant':
        if (work === undefined) return;
        work.credit += frame.chunks;
        work.wake?.();
        return;
      case 'abort':
        work?.abort.abort(new Error('the client went away'));
        work?.wake?.();
    }
  };

  const stop = () => {
    if (closed) return;
    closed = true;
    for (const work of serving.values()) {
      work.abort.abort(new Error('the client went away'));
      work.wake?.();
    }
  };
  port.on('message', (message) => {
    if (!closed) (message as ClientFrame[]).forEach(receive);
  });
  port.on('close', stop);
  return () => {
    stop();
    port.close?.();
  };
}
