// The store thread's work: takes requests, puts all writes that wait into one transaction, answers reads between them, and
// sweeps after a compaction when nothing else is to be done.
import { CompactedError, StoreError } from '../store.ts';
import { SqliteEngine } from './engine.ts';
import { packRows, unpackRows, type Reply, type Request, type Row } from './protocol.ts';

/** Bytes of values in one message while the newest values are handed over at start. */
const LOAD_CHUNK_BYTES = 1 << 20;

export class StoreServer {
  readonly #send: (reply: Reply) => void;
  #engine: SqliteEngine | undefined;
  #failedEpoch = -1;
  #sweeping = false;

  constructor(send: (reply: Reply) => void) {
    this.#send = send;
  }

  open(directory: string, pid: number): void {
    try {
      const engine = SqliteEngine.open(directory, pid);
      this.#engine = engine;
      let chunk: Row[] = [];
      let bytes = 0;
      const flush = () => {
        if (chunk.length > 0) this.#send({ type: 'newest', rows: packRows(chunk) });
        chunk = [];
        bytes = 0;
      };
      for (const row of engine.newest()) {
        chunk.push(row);
        bytes += row.value!.length;
        if (bytes >= LOAD_CHUNK_BYTES) flush();
      }
      flush();
      this.#send({ type: 'opened', revision: engine.revision, compacted: engine.compacted });
      this.#sweepLater();
    } catch (error) {
      const { code, message } = error as StoreError;
      this.#engine?.close();
      this.#engine = undefined;
      this.#send({ type: 'refused', code: error instanceof StoreError ? code : 'Failed', message });
    }
  }

  /** All requests that wait, in order. Returns false after `close`. */
  handle(requests: readonly Request[]): boolean {
    let open = true;
    for (let i = 0; i < requests.length; i++) {
      const request = requests[i]!;
      if (request.type === 'write') {
        const writes = [request];
        for (let next = requests[i + 1]; next?.type === 'write'; next = requests[i + 1]) {
          writes.push(next);
          i++;
        }
        this.#write(writes);
      } else if (request.type === 'close') {
        this.#answer(request.id, () => {
          this.#engine?.close();
          this.#engine = undefined;
        });
        open = false;
      } else {
        this.#answerRead(request);
      }
    }
    return open;
  }

  #write(writes: readonly Extract<Request, { type: 'write' }>[]): void {
    const current = writes.filter((w) => w.epoch > this.#failedEpoch);
    if (current.length === 0 || this.#engine === undefined) return;
    const batch = current.flatMap((w) => unpackRows(w.rows, false));
    try {
      this.#engine.write(batch);
    } catch (error) {
      const failure = error as StoreError;
      const epoch = current[0]!.epoch;
      this.#failedEpoch = epoch;
      // After a failed sync nobody knows what is on disk. Only a full disk is sure to have written nothing.
      this.#send({
        type: 'failed',
        epoch,
        code: failure.code,
        message: failure.message,
        fatal: failure.code !== 'NoSpace',
      });
      return;
    }
    this.#send({ type: 'durable', revision: batch.at(-1)!.revision });
  }

  #answerRead(request: Extract<Request, { type: 'list' | 'history' | 'compact' }>): void {
    const { id } = request;
    const engine = this.#engine;
    if (engine === undefined) return;
    switch (request.type) {
      case 'list':
        return this.#answer(id, () => ({
          rows: engine.list(request.from, request.to, request.revision, request.limit),
          previous: [],
        }));
      case 'history':
        return this.#answer(id, () => {
          const found = engine.history(request.from, request.to, request.after, request.upTo);
          return { rows: found.map((f) => f.row), previous: found.flatMap((f) => f.previous ?? []) };
        });
      case 'compact':
        return this.#answer(id, () => {
          engine.compact(request.revision);
          this.#sweepLater();
        });
    }
  }

  #answer(id: number, work: () => { readonly rows: readonly Row[]; readonly previous: readonly Row[] } | void): void {
    try {
      const found = work();
      if (found === undefined) this.#send({ type: 'done', id });
      else this.#send({ type: 'rows', id, rows: packRows(found.rows), previous: packRows(found.previous) });
    } catch (error) {
      const { code, message } = error as StoreError | CompactedError;
      this.#send({ type: 'error', id, code, message, revision: error instanceof CompactedError ? error.revision : 0 });
    }
  }

  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    // Requests that arrive meanwhile are served between two steps.
    const step = () => {
      let more = false;
      try {
        more = this.#engine?.sweep() ?? false;
      } catch {
        // What could not be swept is taken up again by the next compaction, or at the next start.
      }
      if (more) setImmediate(step);
      else this.#sweeping = false;
    };
    setImmediate(step);
  }
}
