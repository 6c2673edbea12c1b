// One line to the server as a protocol sees it: talk, change over to TLS, or begin again on a new connection to the same address.
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import { Conversation, Tap } from './conversation.ts';
import type { HandshakeAttempt, ProbeRequest, TlsAttempt } from './result.ts';
import type { ProbeSockets, SecureOptions } from './sockets.ts';
import { judgeTls, tlsModeOf } from './tls.ts';

export interface LineDeps {
  readonly sockets: ProbeSockets;
  readonly clock: Clock;
}

/** What speaking a protocol came to. */
export interface Spoken {
  readonly tls?: TlsAttempt;
  readonly handshake?: HandshakeAttempt;
}

export class Line {
  readonly request: ProbeRequest;
  readonly #deps: LineDeps;
  readonly #address: string;
  #tap: Tap;
  #talk: Conversation;

  constructor(socket: Duplex, address: string, request: ProbeRequest, deps: LineDeps) {
    this.request = request;
    this.#deps = deps;
    this.#address = address;
    this.#tap = new Tap(socket);
    this.#talk = new Conversation(this.#tap, deps.clock);
  }

  get talk(): Conversation {
    return this.#talk;
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  /** The first bytes of the connection as they came over the wire. */
  get first(): Buffer {
    return this.#tap.first;
  }

  get timeoutMs(): number {
    return this.request.timeoutMs;
  }

  /** Another connection to the same address; false when it is not taken. */
  async reopen(): Promise<boolean> {
    await this.#talk.close();
    const { socket } = await this.#deps.sockets.connect(this.#address, this.request.port, this.request.timeoutMs);
    if (socket === undefined) return false;
    this.#tap = new Tap(socket);
    this.#talk = new Conversation(this.#tap, this.#deps.clock);
    return true;
  }

  /** TLS from here on. When the outcome is not `ok` the line is of no more use, but for reopen(). */
  async secure(alpn?: readonly string[]): Promise<TlsAttempt> {
    const { request } = this;
    const { tls } = request;
    const options: SecureOptions = {
      serverName: tls?.serverName ?? request.host,
      ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls?.certificate === undefined ? {} : { certificate: tls.certificate }),
      ...(tls?.privateKey === undefined ? {} : { privateKey: tls.privateKey }),
      ...(alpn === undefined ? {} : { alpn }),
    };
    const tap = this.#tap;
    tap.mark();
    const secured = await this.#deps.sockets.secure(this.#talk.handOver(), options, request.timeoutMs);
    if (secured.ok) this.#talk = new Conversation(secured.stream, this.#deps.clock);
    return judgeTls(secured, tlsModeOf(request), tls?.certificate !== undefined, tap.fresh);
  }

  /** Speaks HTTP/2 on the line, which is used up by it. */
  http2(headers: Readonly<Record<string, string>>, body: Uint8Array) {
    const { request } = this;
    const authority = request.hostHeader ?? `${request.host}:${request.port}`;
    return this.#deps.sockets.http2(this.#talk.handOver(), authority, headers, body, request.timeoutMs);
  }

  async close(): Promise<void> {
    await this.#talk.close();
  }
}
