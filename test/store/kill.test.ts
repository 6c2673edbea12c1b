// Seeded kill -9 rounds: a process that writes dies at a random moment, and everything it acknowledged is there.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '#base/random.ts';
import { checkAcknowledged, startWriter, type Acknowledged } from './acknowledged.ts';

const LONG = process.env['CORACLE_LONG'] === '1';
const ROUNDS = LONG ? 300 : 10;
/** Rounds on one directory, before a fresh one keeps the check of the whole history short. */
const ROUNDS_A_DIRECTORY = 5;

describe('the embedded store under kill -9', () => {
  it(`has every acknowledged write after each of ${ROUNDS} rounds`, { timeout: ROUNDS * 20_000 }, async (t) => {
    const seed = Number(process.env['CORACLE_SEED'] ?? 1);
    const random = new SeededRandom(seed);
    let total = 0;
    for (let round = 0; round < ROUNDS; ) {
      const dir = mkdtempSync(join(tmpdir(), 'coracle-kill-'));
      const acknowledged: Acknowledged = new Map();
      try {
        for (let i = 0; i < ROUNDS_A_DIRECTORY && round < ROUNDS; i++, round++) {
          const writer = startWriter(dir, round, acknowledged);
          // Now and then before it is open, so that recovery itself is killed as well.
          if (random.next() < 0.85) await writer.ready;
          await sleep(random.next() * 250);
          writer.child.kill('SIGKILL');
          writer.ready.catch(() => {});
          await writer.gone;
          await checkAcknowledged(dir, acknowledged).catch((cause: unknown) => {
            throw new Error(`round ${round}, seed ${seed}`, { cause });
          });
        }
        total += acknowledged.size;
      } finally {
        rmSync(dir, { recursive: true });
      }
    }
    assert.ok(total > ROUNDS * 10, `only ${total} writes were acknowledged: nothing was tried`);
    t.diagnostic(`${total} acknowledged writes checked`);
  });
});
