// Sends single requests over HTTP/2 and gives back what came, untouched. Several at once share few connections.
import http2 from 'node:http2';
import type { DiffServer } from './server.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** An open answer that goes on: read with `next` until undefined. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The next piece; undefined at the end, 'quiet' when nothing came for so long. */
  next(quietMs: number): Promise<Buffer | undefined | 'quiet'>;
  close(): void;
}

/** Connections; below the servers' limits of streams with the cases that run at once. */
const SESSIONS = 4;
/** For one answer: a machine that builds something else at the same time is slow. */
const ANSWER_TIMEOUT_MS = 20_000;

export class Asker {
  readonly #server: DiffServer;
  readonly #sessions: (http2.ClientHttp2Session | undefined)[] = Array.from({ length: SESSIONS }, () => undefined);
  #turn = 0;

  constructor(server: DiffServer) {
    this.#server = server;
  }

  async ask(sent: Sent): Promise<RawAnswer> {
    const open = await this.open(sent);
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await open.next(ANSWER_TIMEOUT_MS);
      if (piece === undefined) break;
      if (piece === 'quiet') {
        open.close();
        throw new Error(`${sent.method} ${sent.path}: no end within ${ANSWER_TIMEOUT_MS / 1000} s`);
      }
      pieces.push(piece);
    }
    return { status: open.status, headers: open.headers, body: Buffer.concat(pieces) };
  }

  /** Resolves with the head of the answer. */
  open(sent: Sent): Promise<OpenAnswer> {
    const { authorization = `Bearer ${this.#server.token}`, ...headers } = sent.headers;
    // The original ends connections on which it did not know somebody.
    const own = sent.headers['authorization'] === undefined ? undefined : this.#connect();
    const stream = (own ?? this.#session()).request(
      {
        ':method': sent.method,
        ':path': sent.path,
        ...(authorization === 'none' ? {} : { authorization }),
        ...headers,
      },
      // Unless told, no DELETE has a body.
      { endStream: sent.body === undefined },
    );
    const pieces: Buffer[] = [];
    let ended = false;
    let wake: (() => void) | undefined;
    const wakeUp = () => {
      wake?.();
      wake = undefined;
    };
    stream.on('data', (piece: Buffer) => {
      pieces.push(piece);
      wakeUp();
    });
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        stream.close(http2.constants.NGHTTP2_CANCEL);
        reject(new Error(`${sent.method} ${sent.path}: no answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
      }, ANSWER_TIMEOUT_MS);
      stream.on('close', () => {
        clearTimeout(late);
        own?.close();
        ended = true;
        wakeUp();
        reject(new Error(`${sent.method} ${sent.path}: the stream was closed without an answer`));
      });
      stream.on('error', (error) => {
        clearTimeout(late);
        ended = true;
        wakeUp();
        reject(new Error(`${sent.method} ${sent.path}: ${error.message}`));
      });
      stream.on('response', (headers) => {
        clearTimeout(late);
        resolve({
          status: headers[':status'] as number,
          headers: plain(headers),
          async next(quietMs) {
            for (;;) {
              const piece = pieces.shift();
              if (piece !== undefined) return piece;
              if (ended) return undefined;
              const quiet = await new Promise<boolean>((done) => {
                const timer = setTimeout(() => done(true), quietMs);
                wake = () => {
                  clearTimeout(timer);
                  done(false);
                };
              });
              if (quiet) return 'quiet';
            }
          },
          close: () => stream.close(http2.constants.NGHTTP2_CANCEL),
        });
      });
      if (sent.body !== undefined) stream.end(sent.body);
    });
  }

  close(): void {
    for (const session of this.#sessions) session?.destroy();
  }

  #session(): http2.ClientHttp2Session {
    const slot = this.#turn++ % SESSIONS;
    const present = this.#sessions[slot];
    if (present !== undefined && !present.closed && !present.destroyed) return present;
    const session = this.#connect();
    this.#sessions[slot] = session;
    return session;
  }

  #connect(): http2.ClientHttp2Session {
    const session = http2.connect(this.#server.url, { ca: this.#server.ca, settings: { enablePush: false } });
    session.on('error', () => {});
    return session;
  }
}

function plain(headers: http2.IncomingHttpHeaders): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return out;
}
