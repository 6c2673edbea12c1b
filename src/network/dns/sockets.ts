// The sockets of the DNS server: UDP and TCP on one address, and questions to upstream resolvers.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { Ask } from './forwarder.ts';

export interface DnsSocketsDeps {
  readonly address: string;
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Never rejects; undefined sends nothing. */
  readonly answer: (query: Uint8Array, transport: 'udp' | 'tcp') => Promise<Uint8Array | undefined>;
}

/** A TCP client that says nothing for so long is cut off (RFC 7766 6.2.3 advises seconds). */
const TCP_IDLE_MS = 10_000;
const MOST_TCP_CLIENTS = 500;
/** Per upstream: a client's resolver gives up after five seconds, so two upstreams fit. */
const ASK_TIMEOUT_MS = 2_000;

export class DnsSockets implements Component {
  readonly name = 'dns-sockets';
  readonly #deps: DnsSocketsDeps;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  readonly #clients = new Set<Socket>();

  constructor(deps: DnsSocketsDeps) {
    this.#deps = deps;
  }

  /** The port bound, for tests that ask for any. */
  get boundPort(): number {
    return this.#udp?.address().port ?? 0;
  }

  async start(_signal: AbortSignal): Promise<void> {
    const { address, port } = this.#deps;
    const udp = createSocket('udp4');
    this.#udp = udp;
    udp.on('message', (message, from) => void this.#answerUdp(udp, message, from.port, from.address));
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(port, address, () => {
        udp.removeListener('error', reject);
        resolve();
      });
    });
    udp.on('error', (error) => this.#deps.log.warn('dns socket', { error }));
    const tcp = createServer((socket) => this.#serve(socket));
    this.#tcp = tcp;
    tcp.maxConnections = MOST_TCP_CLIENTS;
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(udp.address().port, address, () => {
        tcp.removeListener('error', reject);
        resolve();
      });
    });
    tcp.on('error', (error) => this.#deps.log.warn('dns socket', { error }));
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    const { udp, tcp } = { udp: this.#udp, tcp: this.#tcp };
    this.#udp = undefined;
    this.#tcp = undefined;
    await Promise.all([
      udp === undefined ? undefined : new Promise<void>((resolve) => udp.close(() => resolve())),
      tcp === undefined ? undefined : new Promise<void>((resolve) => tcp.close(() => resolve())),
    ]);
  }

  async #answerUdp(udp: UdpSocket, message: Uint8Array, port: number, address: string): Promise<void> {
    const answer = await this.#deps.answer(message, 'udp');
    if (answer !== undefined && this.#udp === udp) udp.send(answer, port, address);
  }

  #serve(socket: Socket): void {
    this.#clients.add(socket);
    socket.on('close', () => this.#clients.delete(socket));
    // A client that resets is its own affair.
    socket.on('error', () => socket.destroy());
    let idle = this.#deps.clock.setTimer(TCP_IDLE_MS, () => socket.destroy());
    socket.on('close', () => idle.cancel());
    let held: Uint8Array = new Uint8Array();
    socket.on('data', (chunk: Buffer) => {
      idle.cancel();
      idle = this.#deps.clock.setTimer(TCP_IDLE_MS, () => socket.destroy());
      held = Buffer.concat([held, chunk]);
      for (let message = takeMessage(held); message !== undefined; message = takeMessage(held)) {
        held = held.subarray(message.length + 2);
        void this.#answerTcp(socket, Uint8Array.from(message));
      }
    });
  }

  async #answerTcp(socket: Socket, message: Uint8Array): Promise<void> {
    const answer = await this.#deps.answer(message, 'tcp');
    if (answer === undefined) socket.destroy();
    else if (!socket.destroyed) socket.write(withLength(answer));
  }
}

/** Over TCP each message stands behind its length in two bytes. */
function takeMessage(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 2) return undefined;
  const end = 2 + ((bytes[0]! << 8) | bytes[1]!);
  return bytes.length < end ? undefined : bytes.subarray(2, end);
}

function withLength(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(message.length + 2);
  new DataView(out.buffer).setUint16(0, message.length);
  out.set(message, 2);
  return out;
}

/** Asks upstreams from a fresh port each time, so that a forged answer has to guess it. */
export function createAsk(clock: Clock): Ask {
  return (upstream, query, transport) => {
    const colon = upstream.lastIndexOf(':');
    const [address, port] = [upstream.slice(0, colon), Number(upstream.slice(colon + 1))];
    return transport === 'udp' ? askUdp(clock, address, port, query) : askTcp(clock, address, port, query);
  };
}

function askUdp(clock: Clock, address: string, port: number, query: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const end = (then: () => void) => {
      timer.cancel();
      socket.removeAllListeners();
      socket.close();
      then();
    };
    const timer = clock.setTimer(ASK_TIMEOUT_MS, () => end(() => reject(new Error(`${address} did not answer`))));
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (message) => {
      if (message[0] === query[0] && message[1] === query[1]) end(() => resolve(Uint8Array.from(message)));
    });
    socket.connect(port, address, () => socket.send(query));
  });
}

function askTcp(clock: Clock, address: string, port: number, query: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address);
    const end = (then: () => void) => {
      timer.cancel();
      socket.destroy();
      then();
    };
    const timer = clock.setTimer(ASK_TIMEOUT_MS, () => end(() => reject(new Error(`${address} did not answer`))));
    let held: Uint8Array = new Uint8Array();
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', () => end(() => reject(new Error(`${address} closed`))));
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      const message = takeMessage(held);
      if (message !== undefined) end(() => resolve(Uint8Array.from(message)));
    });
    socket.on('connect', () => socket.write(withLength(query)));
  });
}
