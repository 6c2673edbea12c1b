// A full disk: writes fail with NoSpace, nothing that was acknowledged is lost, and writing goes on once there is space again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createEmbeddedStore } from '#store/embedded/embedded.ts';
import { StoreError } from '#store/store.ts';

const skip = process.getuid?.() === 0 ? false : 'a full disk needs root (mount)';
const noSpace = (error: unknown) =>
  error instanceof StoreError && error.code === 'NoSpace' && /no space left/.test(error.message);

describe('the embedded store on a full disk', () => {
  it('fails writes with NoSpace, keeps what it acknowledged, and goes on when there is space', {
    skip,
    timeout: 60_000,
  }, async () => {
    const disk = mkdtempSync(join(tmpdir(), 'coracle-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk]);
    const dir = join(disk, 'store');
    const open = () => createEmbeddedStore({ dir, clock: new SystemClock(), log: silentLog, compactEveryMs: 0 });
    try {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(8 << 20));
      let store = await open();
      const acknowledged: string[] = [];
      const fill = async () => {
        for (let i = 0; ; i++) {
          const key = `/full/${acknowledged.length}`;
          const result = await store.commit({ key, expected: 0, value: Buffer.alloc(20_000, i) });
          assert.ok(result.ok);
          acknowledged.push(key);
        }
      };
      await assert.rejects(fill(), noSpace);
      assert.ok(acknowledged.length > 10);
      assert.deepEqual(
        (await store.list('/full/')).entries.map((e) => e.key),
        [...acknowledged].sort(),
      );

      rmSync(join(disk, 'filler'));
      const after = await store.commit({ key: '/after', expected: 0, value: Buffer.alloc(20_000) });
      assert.ok(after.ok);
      await store.close();
      store = await open();
      assert.deepEqual(
        (await store.list('/full/')).entries.map((e) => e.key),
        [...acknowledged].sort(),
      );
      assert.equal((await store.get('/after'))?.modRevision, after.revision);
      await store.close();
    } finally {
      execFileSync('umount', [disk]);
      rmdirSync(disk);
    }
  });

  it('refuses to start with NoSpace where there is none', { skip, timeout: 60_000 }, async () => {
    const disk = mkdtempSync(join(tmpdir(), 'coracle-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(60 << 10));
      await assert.rejects(
        createEmbeddedStore({ dir: join(disk, 'store'), clock: new SystemClock(), log: silentLog }),
        noSpace,
      );
    } finally {
      execFileSync('umount', [disk]);
      rmdirSync(disk);
    }
  });
});
