// One request and its answer, free of any HTTP library: what the API server's pipeline and every client transport
// speak. A listener makes Requests from sockets; an in-process client makes them from calls.

/** Who asks, after authentication. */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What the transport itself knows about the peer. */
export interface Peer {
  /** Set by trusted in-process transports only: skips authentication. */
  readonly user?: UserInfo;
  /** The verified client certificate: its subject and when it expires. */
  readonly certificate?: {
    readonly commonName: string;
    readonly organizations: readonly string[];
    readonly raw: Uint8Array;
  };
  /** A client certificate was sent that does not verify: why. Authentication answers 401. */
  readonly certificateError?: string;
  readonly remoteAddress?: string;
}

export interface ExchangeRequest {
  readonly method: string;
  /** Path and query as sent: `/api/v1/pods?watch=1`. */
  readonly path: string;
  /** Lower-case names; repeated headers are joined by ", " except where HTTP forbids it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly peer: Peer;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface ExchangeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Whole, or in chunks (watch, log follow). Chunks are pulled; returning the iterator ends the work behind it. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
}

/** The one function between clients and the API server. Never rejects for API errors: those are responses. */
export type Exchange = (request: ExchangeRequest) => Promise<ExchangeResponse>;

/** A raw bidirectional byte stream taken over from HTTP by an upgrade (exec, attach, port-forward, proxy). */
export interface UpgradeRequest extends Omit<ExchangeRequest, 'body'> {
  /** The socket, with the bytes that followed the request head already pushed back into it. */
  readonly socket: import('node:stream').Duplex;
}

/** Answers an upgrade on its socket: writes the HTTP response head itself, or an error response. */
export type UpgradeHandler = (request: UpgradeRequest) => Promise<void>;

/** The bytes of a response body, read to its end. */
export async function readBody(body: ExchangeResponse['body']): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
