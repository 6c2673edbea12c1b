// Sees pods being bound: a watch whose lines are looked at for the name of a node, not parsed.
import { Connection } from './load/connection.ts';
import { headerBlock } from './load/frames.ts';
import type { Target } from './load/job.ts';

const TIMEOUT_MS = 600_000;
const NEWLINE = 10;
const NODE_NAME = '"nodeName":"';
const NAME = /"metadata":\{"name":"([^"]+)"/;

export class BindingWatch {
  readonly #connection: Connection;
  /** Names of pods that have a node. */
  readonly #bound = new Set<string>();
  #rest: Buffer = Buffer.alloc(0);
  #firstMs = 0;
  #lastMs = 0;
  #failed: Error | undefined;
  #wake: () => void = () => undefined;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(target: Target, path: string): Promise<BindingWatch> {
    const watch = new BindingWatch(await Connection.open(target.url, target.ca));
    const block = headerBlock([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', new URL(target.url).host],
      [':path', path],
      ['accept', 'application/json'],
      ['authorization', `Bearer ${target.token}`],
    ]);
    await new Promise<void>((resolve, reject) => {
      watch.#connection.request(block, undefined, {
        onStatus: (status) => (status === 200 ? resolve() : reject(new Error(`the watch got status ${status}`))),
        onData: (chunk) => watch.#read(chunk),
        onEnd: () => watch.#fail(new Error('the watch ended')),
        onFailed: (error) => {
          reject(error);
          watch.#fail(error);
        },
      });
    });
    return watch;
  }

  /** Seconds from the first binding to the last of so many. */
  async whenBound(count: number): Promise<number> {
    const late = setTimeout(() => this.#fail(new Error(`${this.#bound.size} of ${count} pods were bound`)), TIMEOUT_MS);
    try {
      while (this.#bound.size < count) {
        if (this.#failed !== undefined) throw this.#failed;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      return (this.#lastMs - this.#firstMs) / 1000;
    } finally {
      clearTimeout(late);
    }
  }

  close(): void {
    this.#connection.close();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.#line(bytes.toString('latin1', from, end));
      from = end + 1;
    }
    this.#rest = bytes.subarray(from);
  }

  #line(line: string): void {
    const name = line.includes(NODE_NAME) ? NAME.exec(line)?.[1] : undefined;
    if (name === undefined || this.#bound.has(name)) return;
    this.#lastMs = performance.now();
    if (this.#bound.size === 0) this.#firstMs = this.#lastMs;
    this.#bound.add(name);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    this.#wake();
  }
}
