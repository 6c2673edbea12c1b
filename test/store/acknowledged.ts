// What a writer was told, and the check that a reopened store has all of it.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createEmbeddedStore } from '#store/embedded/embedded.ts';

/** Revision → key and value ('-' for a deletion). */
export type Acknowledged = Map<number, { readonly key: string; readonly value: string }>;

export interface Writer {
  readonly child: ChildProcess;
  /** Resolves when the store is open. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone and all it said is read. */
  readonly gone: Promise<void>;
}

/** Starts a writer whose acknowledgements land in `acknowledged`. */
export function startWriter(dir: string, seed: number, acknowledged: Acknowledged): Writer {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./writer.ts', import.meta.url)), dir, String(seed)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let rest = '';
  let errors = '';
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    // A line without its end is no acknowledgement that anybody received.
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === 'ready') {
        resolve();
        continue;
      }
      const [revision, key, value] = line.split(' ');
      acknowledged.set(Number(revision), { key: key!, value: value! });
    }
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  void gone.then(() => reject(new Error(`the writer ended early: ${errors}`)));
  return { child, ready, gone };
}

/** Opens the store and looks for every acknowledged write in its history, and for the newest ones in its state. */
export async function checkAcknowledged(dir: string, acknowledged: Acknowledged): Promise<void> {
  const store = await createEmbeddedStore({
    dir,
    clock: new SystemClock(),
    log: silentLog,
    sameThread: true,
    compactEveryMs: 0,
  });
  const abort = new AbortController();
  try {
    const newest = await store.revision();
    const state = new Map<string, string>();
    const seen = new Map<number, string>();
    let expected = 1;
    if (newest > 0) {
      for await (const batch of store.watch('/', 0, abort.signal)) {
        for (const { revision, key, entry } of batch.events) {
          assert.equal(revision, expected++, 'a revision is missing in the history');
          const value = entry === undefined ? '-' : Buffer.from(entry.value).toString();
          seen.set(revision, `${key} ${value}`);
          if (entry === undefined) state.delete(key);
          else state.set(key, value);
        }
        if (batch.revision >= newest) break;
      }
    }
    for (const [revision, { key, value }] of acknowledged) {
      assert.equal(
        seen.get(revision),
        `${key} ${value}`,
        `the acknowledged write of revision ${revision} is not there`,
      );
    }
    const listed = (await store.list('/')).entries.map((e) => [e.key, Buffer.from(e.value).toString()]);
    assert.deepEqual(
      listed,
      [...state].sort(([a], [b]) => (a < b ? -1 : 1)),
      'the state is not what the history says',
    );
  } finally {
    abort.abort();
    await store.close();
  }
}
