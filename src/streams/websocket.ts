// The server's side of a WebSocket handshake on a socket that HTTP handed over.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';

/** Bytes of one message; kubectl writes at most 32 KiB. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The subprotocols a client offers, in its order. */
export function offeredProtocols(headers: Readonly<Record<string, string | string[] | undefined>>): readonly string[] {
  const value = headers['sec-websocket-protocol'];
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '');
}

export const isWebSocket = (headers: Readonly<Record<string, string | string[] | undefined>>): boolean =>
  String(headers['upgrade'] ?? '').toLowerCase() === 'websocket';

/**
 * Accepts, with `protocol` as the agreed one ('' for none). Answers 400 itself when the handshake is malformed; the promise then
 * stays undefined. The protocol header is set by hand: names such as `SPDY/3.1+portforward.k8s.io` are no tokens, which `ws` refuses.
 */
export function acceptWebSocket(
  message: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
  socket: Duplex,
  protocol: string,
): Promise<WebSocket | undefined> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  delete message.headers['sec-websocket-protocol'];
  if (protocol !== '') server.on('headers', (headers) => void headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => {
    server.on('wsClientError', (error, failed) => {
      const text = `${error.message}\n`;
      failed.end(
        `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      );
      resolve(undefined);
    });
    server.handleUpgrade(message as IncomingMessage, socket, Buffer.alloc(0), (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      resolve(webSocket);
    });
  });
}
