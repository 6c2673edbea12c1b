// One connection as a conversation: what came is held until it is asked for, and every wait ends in time. The first plain bytes are
// kept, to tell what is really spoken there.
import { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';

/** Bytes that a peer may send before it is read no further: a probe needs greetings, not data. */
const MAX_HELD_BYTES = 1024 * 1024;
/** Of the first bytes kept for evidence. */
const FIRST_BYTES = 64;

/** `enough`: what was waited for is there; `closed`: the peer ended or reset the connection first; `silent`: nothing more in time. */
export type Waited = 'enough' | 'closed' | 'silent';

const upTo = (held: Buffer, chunk: Buffer): Buffer =>
  held.length < FIRST_BYTES ? Buffer.concat([held, chunk]).subarray(0, FIRST_BYTES) : held;

/** Stands between a socket and its reader (TLS, too) and remembers what came first. */
export class Tap extends Duplex {
  readonly #inner: Duplex;
  #first: Buffer = Buffer.alloc(0);
  #fresh: Buffer = Buffer.alloc(0);

  constructor(inner: Duplex) {
    super({ allowHalfOpen: true });
    this.#inner = inner;
    inner.on('data', (chunk: Buffer) => {
      this.#first = upTo(this.#first, chunk);
      this.#fresh = upTo(this.#fresh, chunk);
      if (!this.push(chunk)) inner.pause();
    });
    inner.on('end', () => void this.push(null));
    inner.on('error', (error) => void this.destroy(error));
    inner.on('close', () => void this.destroy());
    inner.pause();
  }

  get first(): Buffer {
    return this.#first;
  }

  /** What comes from now on is `fresh`. */
  mark(): void {
    this.#fresh = Buffer.alloc(0);
  }

  get fresh(): Buffer {
    return this.#fresh;
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#inner.write(chunk, (error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}

export class Conversation {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #onData = (chunk: Buffer): void => {
    if (this.#held.length < MAX_HELD_BYTES) this.#held = Buffer.concat([this.#held, chunk]);
    this.#wake?.();
  };
  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };
  readonly #onError = (error: Error): void => {
    this.#error ??= error;
    this.#ended = true;
    this.#wake?.();
  };

  constructor(stream: Duplex, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onEnd);
    stream.on('error', this.#onError);
    // One that was handed over was paused.
    stream.resume();
  }

  /** What came and was not taken. */
  get held(): Buffer {
    return this.#held;
  }

  /** Why the connection ended, when it did not end properly. */
  get error(): Error | undefined {
    return this.#error;
  }

  get ended(): boolean {
    return this.#ended;
  }

  write(bytes: Uint8Array | string): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.write(bytes);
  }

  /** Waits until `enough` says so about what is held, the peer closes, or `timeoutMs` are over. */
  async until(enough: (held: Buffer) => boolean, timeoutMs: number): Promise<Waited> {
    const deadline = this.#clock.monotonic() + timeoutMs;
    for (;;) {
      if (enough(this.#held)) return 'enough';
      if (this.#ended || this.#held.length >= MAX_HELD_BYTES) return 'closed';
      const left = deadline - this.#clock.monotonic();
      if (left <= 0) return 'silent';
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimer(left, resolve);
        this.#wake = () => {
          timer.cancel();
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  bytes(count: number, timeoutMs: number): Promise<Waited> {
    return this.until((held) => held.length >= count, timeoutMs);
  }

  /** The next `count` bytes, which must be held. */
  take(count: number): Buffer {
    const out = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return out;
  }

  /** Hands the stream over to another reader (TLS, HTTP/2); what is held stays here. */
  handOver(): Duplex {
    this.#stream.pause();
    this.#stream.off('data', this.#onData);
    this.#stream.off('end', this.#onEnd);
    this.#stream.off('close', this.#onEnd);
    this.#stream.off('error', this.#onError);
    // Until the next reader listens nobody may fall over an error.
    this.#stream.on('error', (error) => (this.#error ??= error));
    return this.#stream;
  }

  /** Says that no more is coming, after `last`; the connection closes by itself or with the next close(). */
  end(last?: Uint8Array | string): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    if (last === undefined) this.#stream.end();
    else this.#stream.end(last);
  }

  /** Ends politely: what is written goes out, then the connection is closed by a FIN. A peer that does not take it is not waited for. */
  close(): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const over = () => {
        timer.cancel();
        stream.destroy();
        resolve();
      };
      const timer = this.#clock.setTimer(CLOSE_MS, over);
      stream.once('finish', over);
      stream.once('close', over);
      if (stream.writableFinished) over();
      else this.end();
    });
  }
}

/** A connection that is closed has so long to take the last bytes. */
const CLOSE_MS = 500;
