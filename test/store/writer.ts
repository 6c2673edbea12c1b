// A process that writes into a store without end and says on stdout what was acknowledged, after it was: one line
// `<revision> <key> <value or "-" for a deletion>` a write. Killed by the chaos tests in the middle of it.
//   node writer.ts DIRECTORY SEED
import { writeSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createEmbeddedStore } from '#store/embedded/embedded.ts';

const [dir, seed] = [process.argv[2]!, Number(process.argv[3])];
const KEYS = 64;
const WRITERS = 16;

const random = new SeededRandom(seed);
const store = await createEmbeddedStore({ dir, clock: new SystemClock(), log: silentLog, compactEveryMs: 0 });
writeSync(1, 'ready\n');

async function write(writer: number): Promise<void> {
  for (let n = 0; ; n++) {
    const key = `/chaos/${Math.floor(random.next() * KEYS)}`;
    const current = await store.get(key);
    const erase = current !== undefined && random.next() < 0.2;
    // The size varies so that pages split and values overflow.
    const value = `${seed}.${writer}.${n}.${'x'.repeat(Math.floor(random.next() ** 4 * 20_000))}`;
    const result = await store.commit({
      key,
      expected: current?.modRevision ?? 0,
      value: erase ? undefined : Buffer.from(value),
    });
    if (result.ok) writeSync(1, `${result.revision} ${key} ${erase ? '-' : value}\n`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i)));
