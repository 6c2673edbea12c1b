// New connections at a steady rate, each one request long, and what became of them.
import { Agent, request } from 'node:http';

export interface Tally {
  readonly succeeded: number;
  readonly perSecond: number;
  /** What went wrong → how often. */
  readonly failures: Readonly<Record<string, number>>;
}

const REQUEST_TIMEOUT_MS = 8_000;

export class Load {
  readonly #urls: readonly string[];
  readonly #rate: number;
  readonly #agent = new Agent({ keepAlive: false });
  readonly #failures: Record<string, number> = {};
  readonly #open = new Set<Promise<void>>();
  #begun = 0;
  #succeeded = 0;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(urls: readonly string[], perSecond: number) {
    this.#urls = urls;
    this.#rate = perSecond;
  }

  start(): void {
    this.#startedMs = performance.now();
    // As many as are due by now, so that a late timer does not lower the rate.
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - this.#startedMs) / 1000) * this.#rate);
      while (this.#begun < due) this.#one(this.#urls[this.#begun++ % this.#urls.length]!);
    }, 5);
  }

  #one(url: string): void {
    const attempt = new Promise<void>((resolve) => {
      const fail = (what: string) => {
        this.#failures[what] = (this.#failures[what] ?? 0) + 1;
        resolve();
      };
      const sent = request(url, { agent: this.#agent, timeout: REQUEST_TIMEOUT_MS }, (response) => {
        response.on('error', (error) => fail(`${url}: ${error.message}`));
        response.resume().on('end', () => {
          if (response.statusCode !== 200) return fail(`${url}: status ${response.statusCode}`);
          this.#succeeded++;
          return resolve();
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('timed out')));
      sent.on('error', (error) => fail(`${url}: ${error.message}`));
      sent.end();
    }).finally(() => this.#open.delete(attempt));
    this.#open.add(attempt);
  }

  async stop(): Promise<Tally> {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startedMs) / 1000;
    await Promise.all(this.#open);
    return { succeeded: this.#succeeded, perSecond: Math.round(this.#begun / seconds), failures: this.#failures };
  }

  /** The same class as a program for `node -e`: begins at once, and answers any request on `port` with its tally and its end. */
  static script(urls: readonly string[], perSecond: number, port: number): string {
    return [
      "const { Agent, createServer, request } = require('node:http');",
      `const REQUEST_TIMEOUT_MS = ${REQUEST_TIMEOUT_MS};`,
      `const Load = ${Load.toString()};`,
      `const load = new Load(${JSON.stringify(urls)}, ${perSecond});`,
      'load.start();',
      `createServer(async (_, response) => response.end(JSON.stringify(await load.stop()))).listen(${port});`,
    ].join('\n');
  }
}
