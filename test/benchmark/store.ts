// Durable puts a second and CPU a commit of the embedded store, beside the floor: node:sqlite alone on the same disk, one
// transaction with full sync per group, in the main thread and with nothing around it.
//   node test/benchmark/store.ts [seconds]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createEmbeddedStore } from '#store/embedded/embedded.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const VALUE = new Uint8Array(1024).fill(120);

interface Figures {
  readonly puts: number;
  readonly seconds: number;
  readonly cpuMicros: number;
  /** Of the calling thread: what a commit costs the API thread. */
  readonly threadMicros: number;
  readonly p99Ms: number;
}

/** Runs `put` with so many in flight and measures. */
async function measure(concurrency: number, put: (n: number) => Promise<unknown>): Promise<Figures> {
  let n = 0;
  const latencies: number[] = [];
  const warm = performance.now() + 500;
  const worker = async (until: number, record: boolean) => {
    while (performance.now() < until) {
      const start = performance.now();
      await put(n++);
      if (record) latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, () => worker(warm, false)));
  const [startedAt, cpu, thread] = [performance.now(), process.cpuUsage(), process.threadCpuUsage()];
  await Promise.all(Array.from({ length: concurrency }, () => worker(startedAt + SECONDS * 1000, true)));
  const seconds = (performance.now() - startedAt) / 1000;
  const [used, own] = [process.cpuUsage(cpu), process.threadCpuUsage(thread)];
  latencies.sort((a, b) => a - b);
  return {
    puts: latencies.length,
    seconds,
    cpuMicros: used.user + used.system,
    threadMicros: own.user + own.system,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)]!,
  };
}

function print(name: string, concurrency: number, { puts, seconds, cpuMicros, threadMicros, p99Ms }: Figures): void {
  const each = (total: number) => `${(total / puts).toFixed(1)} µs`.padStart(9);
  console.log(
    `${name.padEnd(26)} C=${String(concurrency).padEnd(4)} ${Math.round(puts / seconds)
      .toLocaleString('en')
      .padStart(
        8,
      )} puts/s  CPU ${each(cpuMicros)} all, ${each(threadMicros)} calling thread  p99 ${p99Ms.toFixed(2)} ms`,
  );
}

async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-bench-'));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** node:sqlite alone: the writes of one event-loop turn share a transaction. */
const floor = (concurrency: number) =>
  inFolder(async (dir) => {
    const db = new DatabaseSync(join(dir, 'floor.db'));
    db.exec(
      'PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (revision INTEGER PRIMARY KEY, key TEXT, value BLOB); CREATE INDEX k ON t (key, revision)',
    );
    const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?)');
    let waiting: { readonly n: number; readonly resolve: () => void }[] = [];
    const flush = () => {
      const batch = waiting;
      waiting = [];
      db.exec('BEGIN IMMEDIATE');
      for (const { n } of batch) insert.run(n, `/registry/configmaps/default/${n % 10_000}`, VALUE);
      db.exec('COMMIT');
      for (const { resolve } of batch) resolve();
    };
    const figures = await measure(
      concurrency,
      (n) =>
        new Promise<void>((resolve) => {
          if (waiting.length === 0) setImmediate(flush);
          waiting.push({ n, resolve });
        }),
    );
    db.close();
    return figures;
  });

const embedded = (concurrency: number, sameThread: boolean) =>
  inFolder(async (dir) => {
    const store = await createEmbeddedStore({
      dir,
      clock: new SystemClock(),
      log: silentLog,
      sameThread,
      compactEveryMs: 0,
    });
    const figures = await measure(concurrency, async (n) => {
      const key = `/registry/configmaps/default/${n % 10_000}`;
      const current = await store.get(key);
      await store.commit({ key, expected: current?.modRevision ?? 0, value: VALUE });
    });
    await store.close();
    return figures;
  });

for (const concurrency of [1, 64, 512]) {
  print('node:sqlite alone (floor)', concurrency, await floor(concurrency));
  print('embedded, own thread', concurrency, await embedded(concurrency, false));
  print('embedded, same thread', concurrency, await embedded(concurrency, true));
}
