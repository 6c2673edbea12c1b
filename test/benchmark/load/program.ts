// The load generator, a process of its own: it gets a target and then one job after another from its parent, and answers each with a
// LoadResult or a sentence why it failed.
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { headerBlock } from './frames.ts';
import {
  CONNECTIONS,
  continueToken,
  fill,
  type Job,
  type LoadResult,
  type PagesJob,
  type RequestsJob,
  type Target,
  WATCHES_PER_CONNECTION,
  type WatchJob,
} from './job.ts';

const NEWLINE = 10;
/** Of a page's beginning, in which the continue token stands. */
const HEAD_BYTES = 4_096;
/** How long events may take to arrive after the last write. */
const EVENTS_TIMEOUT_MS = 120_000;

const TOO_MANY = 429;
const OPEN_ATTEMPTS = 60;
const RETRY_MS = 1_000;

interface Reply {
  readonly bytes: number;
  readonly head: string;
}

/** Counts while a job runs. */
class Meter {
  readonly latencies: number[] = [];
  bytes = 0;
  readonly #cpu = process.cpuUsage();
  readonly #from = performance.now();

  result(count: number): LoadResult {
    const seconds = (performance.now() - this.#from) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const sorted = this.latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count, seconds, p50Ms: at(0.5), p99Ms: at(0.99), bytes: this.bytes, ownCpuSeconds: (user + system) / 1e6 };
  }
}

let target: Target;
let connections: Connection[] = [];

process.on('message', (message: { readonly target?: Target; readonly job?: Job }) => {
  void (async () => {
    try {
      if (message.target !== undefined) {
        for (const connection of connections) connection.close();
        target = message.target;
        connections = await Promise.all(
          Array.from({ length: CONNECTIONS }, () => Connection.open(target.url, target.ca)),
        );
        process.send!({ ready: true });
      } else process.send!({ result: await run(message.job!) });
    } catch (error) {
      process.send!({ failed: (error as Error).message });
    }
  })();
});
process.on('disconnect', () => process.exit());

function run(job: Job): Promise<LoadResult> {
  if (job.kind === 'requests') return requests(job);
  return job.kind === 'pages' ? pages(job) : watch(job);
}

async function requests(job: RequestsJob): Promise<LoadResult> {
  const meter = new Meter();
  await sendAll(job, meter);
  return meter.result(job.count);
}

async function sendAll(job: RequestsJob, meter: Meter): Promise<void> {
  const first = job.first ?? 0;
  let next = 0;
  await together(job.clients, async (connection) => {
    while (next < job.count) {
      const number = first + next++;
      const body = job.body === undefined ? undefined : Buffer.from(fill(job.body, number, job.wrap));
      await timed(meter, connection, job.method, fill(job.path, number, job.wrap), body, job.contentType);
    }
  });
}

async function pages(job: PagesJob): Promise<LoadResult> {
  const meter = new Meter();
  let next = 0;
  let count = 0;
  await together(job.clients, async (connection) => {
    while (next++ < job.walks) {
      let token = '';
      do {
        const more = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
        const { head } = await timed(meter, connection, 'GET', `${job.path}?limit=${job.limit}${more}`);
        count++;
        token = continueToken(head);
      } while (token !== '');
    }
  });
  return meter.result(count);
}

async function watch(job: WatchJob): Promise<LoadResult> {
  let wanted = job.watchers * job.write.count;
  let endedWatches = 0;
  const own = await Promise.all(
    Array.from({ length: Math.ceil(job.watchers / WATCHES_PER_CONNECTION) }, () =>
      Connection.open(target.url, target.ca),
    ),
  );
  const all = Promise.withResolvers<void>();
  let seen = 0;
  let bytes = 0;
  try {
    const block = blockOf('GET', job.path, undefined);
    const open = (connection: Connection): Promise<number> =>
      new Promise((resolve, reject) => {
        let isOpen = false;
        let mine = 0;
        connection.request(block, undefined, {
          onStatus(status) {
            isOpen = status === 200;
            resolve(status);
          },
          onData(chunk) {
            if (!isOpen) return;
            bytes += chunk.length;
            for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) {
              seen++;
              mine++;
            }
            if (seen >= wanted) all.resolve();
          },
          // kube-apiserver ends a watch that does not read fast enough.
          onEnd() {
            if (!isOpen) return;
            endedWatches++;
            wanted -= job.write.count - mine;
            if (seen >= wanted) all.resolve();
          },
          onFailed(error) {
            reject(error);
            all.reject(error);
          },
        });
      });
    await Promise.all(
      Array.from({ length: job.watchers }, async (_, i) => {
        for (let attempt = 1; ; attempt++) {
          const status = await open(own[i % own.length]!);
          if (status === 200) return;
          // Priority and fairness of the reference: a thousand watches at once are more than it queues.
          if (status !== TOO_MANY || attempt === OPEN_ATTEMPTS) throw new Error(`a watch got status ${status}`);
          await delay(RETRY_MS);
        }
      }),
    );
    const meter = new Meter();
    const late = setTimeout(
      () => all.reject(new Error(`${seen} of ${wanted} events came within ${EVENTS_TIMEOUT_MS / 1000} s`)),
      EVENTS_TIMEOUT_MS,
    );
    await Promise.all([sendAll(job.write, meter), all.promise]);
    clearTimeout(late);
    meter.bytes = bytes;
    return { ...meter.result(seen), endedWatches };
  } finally {
    all.promise.catch(() => undefined);
    for (const connection of own) connection.close();
  }
}

/** Clients share the connections evenly. */
async function together(clients: number, work: (connection: Connection) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: clients }, (_, i) => work(connections[i % connections.length]!)));
}

async function timed(
  meter: Meter,
  connection: Connection,
  method: string,
  path: string,
  body?: Buffer,
  contentType?: string,
): Promise<Reply> {
  const from = performance.now();
  const reply = await send(connection, method, path, body, contentType);
  meter.latencies.push(performance.now() - from);
  meter.bytes += reply.bytes;
  return reply;
}

function send(
  connection: Connection,
  method: string,
  path: string,
  body: Buffer | undefined,
  contentType: string | undefined,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let head = '';
    connection.request(
      blockOf(method, path, body === undefined ? undefined : (contentType ?? 'application/json')),
      body,
      {
        onData(chunk) {
          if (bytes < HEAD_BYTES) head += chunk.toString('latin1', 0, HEAD_BYTES - bytes);
          bytes += chunk.length;
        },
        onEnd(status) {
          if (status >= 200 && status < 300) resolve({ bytes, head });
          else reject(new Error(`${method} ${path}: status ${status}: ${head.slice(0, 500)}`));
        },
        onFailed: reject,
      },
    );
  });
}

function blockOf(method: string, path: string, contentType: string | undefined): Buffer {
  return headerBlock([
    [':method', method],
    [':scheme', 'https'],
    [':authority', new URL(target.url).host],
    [':path', path],
    ['accept', 'application/json'],
    ['authorization', `Bearer ${target.token}`],
    ['user-agent', 'benchmark/1'],
    ...(contentType === undefined ? [] : [['content-type', contentType] as const]),
  ]);
}
