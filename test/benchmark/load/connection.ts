// One HTTP/2 connection over TLS of the load generator. Answers are neither kept nor parsed: callers see the status and the chunks.
import tls from 'node:tls';
import {
  Flag,
  frame,
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE,
  Setting,
  settingsFrame,
  statusOf,
  windowUpdateFrame,
} from './frames.ts';

export interface Answer {
  /** The status; may come long before the end, as for a watch. */
  onStatus?(status: number): void;
  onData?(chunk: Buffer): void;
  onEnd(status: number): void;
  onFailed(error: Error): void;
}

const LARGEST_WINDOW = 2 ** 31 - 1;
const FIRST_WINDOW = 65_535;
/** Bytes read until the connection's window is opened again. */
const REFILL_BYTES = 1 << 26;

interface Stream {
  readonly answer: Answer;
  status: number;
}

export class Connection {
  readonly #socket: tls.TLSSocket;
  readonly #streams = new Map<number, Stream>();
  /** Requests that wait until the peer's window is open. */
  readonly #waiting: (() => void)[] = [];
  #nextStream = 1;
  #sendWindow = FIRST_WINDOW;
  #consumed = 0;
  /** What of the current frame has not come yet. */
  #left = 0;
  #type = 0;
  #flags = 0;
  #id = 0;
  /** Bytes of a frame, or of a frame's header, that is not whole yet. */
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #failed: Error | undefined;

  private constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    socket.write(
      Buffer.concat([
        PREFACE,
        settingsFrame([
          // So that an answer's status can be read without a table.
          [Setting.headerTableSize, 0],
          [Setting.enablePush, 0],
          [Setting.initialWindowSize, LARGEST_WINDOW],
        ]),
        windowUpdateFrame(0, LARGEST_WINDOW - FIRST_WINDOW),
      ]),
    );
  }

  static open(url: string, ca: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host: hostname, port: Number(port), ca, ALPNProtocols: ['h2'] }, () => {
        socket.off('error', reject);
        if (socket.alpnProtocol !== 'h2') reject(new Error(`${url} does not speak HTTP/2`));
        else resolve(new Connection(socket));
      });
      socket.setNoDelay(true);
      socket.once('error', reject);
    });
  }

  request(block: Buffer, body: Buffer | undefined, answer: Answer): void {
    if (this.#failed !== undefined) return answer.onFailed(this.#failed);
    if (body !== undefined && body.length > this.#sendWindow) {
      this.#waiting.push(() => this.request(block, body, answer));
      return;
    }
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#streams.set(id, { answer, status: 0 });
    const ends = body === undefined ? Flag.endStream : 0;
    const head = frame(FrameType.headers, Flag.endHeaders | ends, id, block);
    if (body === undefined) {
      this.#socket.write(head);
      return;
    }
    this.#sendWindow -= body.length;
    this.#socket.write(Buffer.concat([head, frame(FrameType.data, Flag.endStream, id, body)]));
  }

  close(): void {
    this.#streams.clear();
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        // A frame's header, which may be cut anywhere.
        const wanted = FRAME_HEADER_BYTES - this.#partialBytes;
        const part = chunk.subarray(at, at + wanted);
        at += part.length;
        this.#keep(part);
        if (this.#partialBytes < FRAME_HEADER_BYTES) return;
        const header = this.#takePartial();
        this.#left = header.readUIntBE(0, 3);
        this.#type = header[3]!;
        this.#flags = header[4]!;
        this.#id = header.readUInt32BE(5) & LARGEST_WINDOW;
        if (this.#left === 0) this.#frameEnded(Buffer.alloc(0));
        continue;
      }
      const part = chunk.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      if (this.#type === FrameType.data) {
        // Never together: a list of thousands of objects is only counted.
        this.#consumed += part.length;
        this.#streams.get(this.#id)?.answer.onData?.(part);
        if (this.#left === 0) this.#frameEnded(part);
        continue;
      }
      this.#keep(part);
      if (this.#left === 0) this.#frameEnded(this.#takePartial());
    }
    if (this.#consumed > REFILL_BYTES) {
      this.#socket.write(windowUpdateFrame(0, this.#consumed));
      this.#consumed = 0;
    }
  }

  #frameEnded(payload: Buffer): void {
    switch (this.#type) {
      case FrameType.headers: {
        const stream = this.#streams.get(this.#id);
        if (stream !== undefined && stream.status === 0) {
          const skip = (this.#flags & Flag.padded ? 1 : 0) + (this.#flags & Flag.priority ? 5 : 0);
          stream.status = statusOf(payload.subarray(skip));
          stream.answer.onStatus?.(stream.status);
        }
        break;
      }
      case FrameType.settings:
        if ((this.#flags & Flag.ack) === 0) this.#socket.write(frame(FrameType.settings, Flag.ack, 0, Buffer.alloc(0)));
        return;
      case FrameType.ping:
        if ((this.#flags & Flag.ack) === 0) this.#socket.write(frame(FrameType.ping, Flag.ack, 0, payload));
        return;
      case FrameType.windowUpdate:
        if (this.#id === 0) {
          this.#sendWindow += payload.readUInt32BE(0);
          for (const send of this.#waiting.splice(0)) send();
        }
        return;
      case FrameType.resetStream:
        this.#end(this.#id, (s) => s.answer.onFailed(new Error(`stream reset with code ${payload.readUInt32BE(0)}`)));
        return;
      case FrameType.goAway:
        this.#fail(new Error(`the server said goodbye with code ${payload.readUInt32BE(4)}`));
        return;
    }
    if ((this.#flags & Flag.endStream) !== 0 && this.#type <= FrameType.headers) {
      this.#end(this.#id, (s) => s.answer.onEnd(s.status));
    }
  }

  #end(id: number, tell: (stream: Stream) => void): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    tell(stream);
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const { answer } of streams) answer.onFailed(this.#failed);
  }

  #keep(part: Buffer): void {
    this.#partial.push(part);
    this.#partialBytes += part.length;
  }

  #takePartial(): Buffer {
    const whole = this.#partial.length === 1 ? this.#partial[0]! : Buffer.concat(this.#partial);
    this.#partial = [];
    this.#partialBytes = 0;
    return whole;
  }
}
