// An answer that comes in pieces, as messages of a WebSocket: a watch has an event a message, a log its bytes as they come. For
// clients that cannot read chunks as they arrive, such as browsers.
import type { ExchangeResponse, UpgradeRequest } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { acceptWebSocket, offeredProtocols } from '#streams/websocket.ts';

/** Closing codes of RFC 6455, and the longest reason in bytes. */
const NORMAL = 1000;
const BROKEN = 1011;
const MAX_REASON = 40;

export type Framing = 'events' | 'binary' | 'base64';

/** Log protocols; no protocol is binary too. */
const LOG_PROTOCOLS: Readonly<Record<string, Framing>> = {
  'binary.k8s.io': 'binary',
  'base64.binary.k8s.io': 'base64',
};

export interface AgreedFraming {
  /** What the handshake answers; '' for none. */
  readonly protocol: string;
  readonly framing: Framing;
}

/** A watch takes whatever single protocol is offered; a log must be asked for in one that it knows, or in none. */
export function agreeOnFraming(headers: Readonly<Record<string, string>>, isWatch: boolean): AgreedFraming {
  const offered = offeredProtocols(headers);
  if (isWatch) return { protocol: offered[0] ?? '', framing: 'events' };
  if (offered.length === 0) return { protocol: '', framing: 'binary' };
  const protocol = offered.find((p) => LOG_PROTOCOLS[p] !== undefined);
  if (protocol === undefined)
    throw StatusError.badRequest(
      `requested protocol(s) are not supported: [${offered.join(' ')}]; supports [${Object.keys(LOG_PROTOCOLS).join(' ')}]`,
    );
  return { protocol, framing: LOG_PROTOCOLS[protocol]! };
}

/** Accepts the upgrade and sends the answer; when the client goes, the work behind the answer ends. */
export async function answerOverWebSocket(
  { body }: ExchangeResponse,
  upgrade: UpgradeRequest,
  { protocol, framing }: AgreedFraming,
): Promise<void> {
  const chunks = body instanceof Uint8Array ? (body.length === 0 ? [] : [body]) : body;
  const messages = asMessages(chunks, framing);
  const client = await acceptWebSocket(
    { method: upgrade.method, url: upgrade.path, headers: { ...upgrade.headers } },
    upgrade.socket,
    protocol,
  );
  if (client === undefined) {
    if (!(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
    return;
  }
  client.on('message', () => {}); // nothing that a client says means anything here
  try {
    for await (const message of messages) {
      if (client.readyState !== client.OPEN) break;
      // The callback comes when the bytes are with the kernel, or when they cannot be.
      await new Promise<void>((resolve) =>
        client.send(message, { binary: typeof message !== 'string' }, () => resolve()),
      );
    }
    client.close(NORMAL);
  } catch (error) {
    // The head is long sent: the closing code is all that is left to say it with.
    client.close(BROKEN, (error as Error).message.slice(0, MAX_REASON));
  }
}

/** Whole lines for events, whatever the chunks are cut into; bytes as they come otherwise. */
export async function* asMessages(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  framing: Framing,
): AsyncGenerator<string | Uint8Array> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    if (framing === 'binary') yield chunk;
    else if (framing === 'base64') yield Buffer.from(chunk).toString('base64');
    else {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line !== '') yield line;
    }
  }
  if (rest !== '') yield rest;
}
