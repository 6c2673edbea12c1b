// HTTP/1.1 over a byte stream that already exists: a request with its answer streamed, or an upgrade that hands the stream back.
// Tunnelled connections and TLS sockets look alike from here.
import http from 'node:http';
import type { Duplex } from 'node:stream';

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** As they came: name, value, name, value. */
  readonly rawHeaders: readonly string[];
  /** Ends with the answer; destroying it ends the request. */
  readonly body: NodeJS.ReadableStream & { destroy(): unknown };
}

export type UpgradeOutcome =
  | {
      readonly upgraded: true;
      readonly rawHeaders: readonly string[];
      readonly headers: Readonly<Record<string, string>>;
      readonly socket: Duplex;
    }
  | { readonly upgraded: false; readonly answer: HttpAnswer };

/** Sends one request over `stream`, which is used up by it. Rejects when no answer came. */
export function requestOver(stream: Duplex, request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = send(stream, request);
    outgoing.on('error', (error) => {
      destroyLater(stream);
      reject(error);
    });
    outgoing.once('response', (message) => resolve(answerOf(message, stream)));
    outgoing.end(request.body);
  });
}

/** Asks for an upgrade. The headers must name it; the server may answer plainly instead. */
export function upgradeOver(stream: Duplex, request: HttpRequest): Promise<UpgradeOutcome> {
  return new Promise((resolve, reject) => {
    const outgoing = send(stream, request);
    outgoing.on('error', (error) => {
      destroyLater(stream);
      reject(error);
    });
    outgoing.once('response', (message) => resolve({ upgraded: false, answer: answerOf(message, stream) }));
    outgoing.once('upgrade', (message, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({
        upgraded: true,
        rawHeaders: message.rawHeaders,
        headers: message.headers as Record<string, string>,
        socket,
      });
    });
    outgoing.end(request.body);
  });
}

/**
 * Not at once: a TLS socket over a stream closes within destroy(), and Node's HTTP client, which is just telling of the error, would give its
 * parser back twice. Two later requests would then share it.
 */
const destroyLater = (stream: Duplex): void => queueMicrotask(() => void stream.destroy());

function send(stream: Duplex, request: HttpRequest): http.ClientRequest {
  return http.request({
    method: request.method,
    path: request.path,
    headers: request.headers as http.OutgoingHttpHeaders,
    createConnection: () => stream,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
}

function answerOf(message: http.IncomingMessage, stream: Duplex): HttpAnswer {
  message.once('close', () => stream.destroy());
  return {
    status: message.statusCode!,
    statusText: message.statusMessage ?? '',
    headers: message.headers as Record<string, string>,
    rawHeaders: message.rawHeaders,
    body: message,
  };
}

/** The head of an HTTP answer as bytes. `headers` are name, value, name, value. */
export function responseHead(status: number, statusText: string, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${statusText}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}

/** A body read to its end, at most `limit` bytes of it. */
export async function readText(body: HttpAnswer['body'], limit = 64 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, limit);
}
