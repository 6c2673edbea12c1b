// SPDY/3.1 framing over one byte stream, either side: streams with headers, data, half-close, reset, ping, goaway. Left out because
// Kubernetes' peers do without: push, priorities, and flow-control windows (the Go peers never send WINDOW_UPDATE and never wait for
// one: a writer that obeyed stalls after 64 KiB). Back pressure is that of the one connection below: pause() stops reading all of it.
import type { Duplex } from 'node:stream';
import { HeaderReader, type SpdyHeaders, HeaderWriter } from './spdy-headers.ts';

const VERSION = 3;
const FRAME = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
const FLAG_FIN = 0x01;
const RST = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const;
/** Bytes of a control frame that is accepted: header blocks are small. */
const MAX_CONTROL_BYTES = 256 * 1024;
/** Bytes of one data frame that is written; upstream's copy buffers. */
const MAX_DATA_BYTES = 32 * 1024;
/** Streams open at once; a port-forward opens two for each connection. */
const MAX_STREAMS = 4096;

export class SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** Called in the order of the frames; set before the connection's next frame is read. */
  onData: (chunk: Buffer) => void = () => {};
  /** The peer writes no more. */
  onEnd: () => void = () => {};
  /** The stream is over in both directions, before its end: reset by the peer, or the connection is gone. */
  onReset: () => void = () => {};
  readonly #connection: SpdyConnection;
  /** Which halves are over. */
  #sentEnd = false;
  #gotEnd = false;
  #reset = false;

  constructor(connection: SpdyConnection, id: number, headers: SpdyHeaders, sentEnd: boolean, gotEnd: boolean) {
    this.#connection = connection;
    this.id = id;
    this.headers = headers;
    this.#sentEnd = sentEnd;
    this.#gotEnd = gotEnd;
  }

  /** False when the connection is full: wait for its drained(). After end() or a reset nothing is written. */
  write(chunk: Uint8Array): boolean {
    if (this.#sentEnd || this.#reset) return true;
    let room = true;
    for (let at = 0; at < chunk.length; at += MAX_DATA_BYTES)
      room = this.#connection.sendData(this.id, chunk.subarray(at, at + MAX_DATA_BYTES), false);
    return room;
  }

  /** No more is written; reading goes on. */
  end(): void {
    if (this.#sentEnd || this.#reset) return;
    this.#sentEnd = true;
    this.#connection.sendData(this.id, new Uint8Array(0), true);
    this.#forgetWhenOver();
  }

  /** Ends both directions at once. */
  cancel(): void {
    if (this.isOver) return;
    this.#reset = true;
    this.#connection.sendReset(this.id, RST.cancel);
    this.#connection.forget(this);
  }

  get isOver(): boolean {
    return this.#reset || (this.#sentEnd && this.#gotEnd);
  }

  /** For the connection alone. */
  receive(chunk: Buffer, fin: boolean): void {
    if (this.#gotEnd || this.#reset) return;
    if (chunk.length > 0) this.onData(chunk);
    if (fin) {
      this.#gotEnd = true;
      this.onEnd();
      this.#forgetWhenOver();
    }
  }

  /** For the connection alone. */
  receiveReset(): void {
    if (this.isOver) return;
    this.#reset = true;
    this.#connection.forget(this);
    this.onReset();
  }

  #forgetWhenOver(): void {
    if (this.isOver) this.#connection.forget(this);
  }
}

export interface SpdyOptions {
  readonly role: 'client' | 'server';
  /** A stream that the peer opened. Handlers are set in here; without this every stream is refused. */
  readonly onStream?: (stream: SpdyStream) => void;
}

export class SpdyConnection {
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #writer = new HeaderWriter();
  readonly #reader = new HeaderReader();
  readonly #streams = new Map<number, SpdyStream>();
  #nextId: number;
  #lastPeerId = 0;
  /** Bytes of a frame whose end has not come yet. */
  #rest: Buffer = Buffer.alloc(0);
  #wanting = 8;
  #over = false;

  constructor(socket: Duplex, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#nextId = options.role === 'client' ? 1 : 2;
    this.closed = new Promise((resolve) => {
      const over = () => {
        if (this.#over) return;
        this.#over = true;
        for (const stream of [...this.#streams.values()]) stream.receiveReset();
        this.#streams.clear();
        if (!socket.destroyed) socket.destroy();
        resolve();
      };
      socket.on('close', over);
      socket.on('end', over);
      socket.on('error', over);
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /** Opens a stream; `fin` when nothing will be written to it. */
  open(headers: SpdyHeaders, fin = false): SpdyStream {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(this, id, headers, fin, false);
    this.#streams.set(id, stream);
    const block = this.#writer.encode(headers);
    const head = Buffer.alloc(10);
    head.writeUInt32BE(id, 0);
    this.#control(FRAME.synStream, fin ? FLAG_FIN : 0, Buffer.concat([head, block]));
    return stream;
  }

  /** Stops reading; what is under way in the socket's buffers may still arrive. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves when what was written has room again; at once when it has, or the connection is over. */
  drained(): Promise<void> {
    if (this.#over || !this.#socket.writableNeedDrain) return Promise.resolve();
    return Promise.race([this.closed, new Promise<void>((resolve) => void this.#socket.once('drain', resolve))]);
  }

  /** Sends what is pending, then ends the connection. */
  close(): void {
    if (this.#over) return;
    const body = Buffer.alloc(8);
    body.writeUInt32BE(this.#lastPeerId, 0);
    this.#control(FRAME.goaway, 0, body);
    this.#socket.end(() => void this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** For streams alone. */
  sendData(id: number, chunk: Uint8Array, fin: boolean): boolean {
    if (this.#over || this.#socket.destroyed || this.#socket.writableEnded) return true;
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head.writeUInt32BE(chunk.length, 4);
    if (fin) head[4] = FLAG_FIN;
    if (chunk.length === 0) return this.#socket.write(head);
    this.#socket.cork();
    this.#socket.write(head);
    const room = this.#socket.write(chunk);
    this.#socket.uncork();
    return room;
  }

  /** For streams alone. */
  sendReset(id: number, status: number): void {
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(status, 4);
    this.#control(FRAME.rstStream, 0, body);
  }

  /** For streams alone. */
  forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
  }

  #control(type: number, flags: number, body: Buffer): void {
    if (this.#over || this.#socket.destroyed || this.#socket.writableEnded) return;
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8000 | VERSION, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE(body.length, 4);
    head[4] = flags;
    this.#socket.write(Buffer.concat([head, body]));
  }

  #receive(chunk: Buffer): void {
    let data = chunk;
    if (this.#rest.length > 0) {
      data = Buffer.concat([this.#rest, chunk]);
      if (data.length < this.#wanting) {
        this.#rest = data;
        return;
      }
    }
    let at = 0;
    this.#wanting = 8;
    while (data.length - at >= 8 && !this.#over) {
      const length = data.readUIntBE(at + 5, 3);
      const isControl = (data[at]! & 0x80) !== 0;
      if (isControl && length > MAX_CONTROL_BYTES) return this.#fail();
      if (data.length - at < 8 + length) {
        this.#wanting = 8 + length;
        break;
      }
      const body = data.subarray(at + 8, at + 8 + length);
      const flags = data[at + 4]!;
      if (isControl) {
        if (!this.#onControl(data.readUInt16BE(at) & 0x7fff, data.readUInt16BE(at + 2), flags, body))
          return this.#fail();
      } else {
        this.#onData(data.readUInt32BE(at) & 0x7fff_ffff, (flags & FLAG_FIN) !== 0, body);
      }
      at += 8 + length;
    }
    this.#rest = at === data.length ? Buffer.alloc(0) : data.subarray(at);
  }

  #onData(id: number, fin: boolean, body: Buffer): void {
    const stream = this.#streams.get(id);
    // Frames for a stream that was just reset here are still on their way: nothing to say about them.
    if (stream === undefined) return;
    stream.receive(body, fin);
  }

  /** False: the peer breaks the protocol. */
  #onControl(version: number, type: number, flags: number, body: Buffer): boolean {
    if (version !== VERSION) return false;
    switch (type) {
      case FRAME.synStream:
        return this.#onSynStream(flags, body);
      case FRAME.synReply:
      case FRAME.headers: {
        if (body.length < 4) return false;
        // The block is read even when nobody asks: the next one builds on it.
        if (!this.#decode(body.subarray(4))) return false;
        if ((flags & FLAG_FIN) !== 0) this.#onData(body.readUInt32BE(0) & 0x7fff_ffff, true, Buffer.alloc(0));
        return true;
      }
      case FRAME.rstStream:
        if (body.length < 8) return false;
        this.#streams.get(body.readUInt32BE(0) & 0x7fff_ffff)?.receiveReset();
        return true;
      case FRAME.ping: {
        if (body.length < 4) return false;
        const own = (body.readUInt32BE(0) & 1) === (this.#options.role === 'client' ? 1 : 0);
        if (!own) this.#control(FRAME.ping, 0, Buffer.from(body));
        return true;
      }
      // Settings and windows speak of flow control; after goaway the peer closes by itself.
      default:
        return true;
    }
  }

  #onSynStream(flags: number, body: Buffer): boolean {
    if (body.length < 10) return false;
    const id = body.readUInt32BE(0) & 0x7fff_ffff;
    const headers = this.#decode(body.subarray(10));
    if (headers === undefined) return false;
    const fromPeer = (id & 1) === (this.#options.role === 'client' ? 0 : 1);
    if (!fromPeer || id <= this.#lastPeerId) return false;
    this.#lastPeerId = id;
    if (this.#options.onStream === undefined || this.#streams.size >= MAX_STREAMS) {
      this.sendReset(id, RST.refusedStream);
      return true;
    }
    const fin = (flags & FLAG_FIN) !== 0;
    const stream = new SpdyStream(this, id, headers, false, false);
    this.#streams.set(id, stream);
    const reply = Buffer.alloc(4);
    reply.writeUInt32BE(id, 0);
    this.#control(FRAME.synReply, 0, Buffer.concat([reply, this.#writer.encode({})]));
    this.#options.onStream(stream);
    if (fin) stream.receive(Buffer.alloc(0), true);
    return true;
  }

  #decode(block: Buffer): SpdyHeaders | undefined {
    try {
      return this.#reader.decode(block);
    } catch {
      return undefined;
    }
  }

  #fail(): void {
    this.#control(FRAME.goaway, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, RST.protocolError]));
    this.#socket.destroy();
  }
}
