// Power cuts: the store writes on a file system whose backing file is cloned in one instant (reflink) in the middle of it. The
// clone is what a machine would find after the power came back: it is mounted, its journal replayed, and every write that was
// acknowledged before the cut has to be there.
//
//   outer XFS (reflink) on a loop device
//     └─ inner.img → loop device → inner XFS → the store
//     └─ cut.img = cp --reflink=always inner.img → loop device → mounted and checked
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '#base/random.ts';
import { checkAcknowledged, startWriter, type Acknowledged } from './acknowledged.ts';

const LONG = process.env['CORACLE_LONG'] === '1';
const CUTS = LONG ? 100 : 5;

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Why it cannot run here; undefined when it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'power cuts need root (loop devices)';
  for (const program of ['mkfs.xfs', 'losetup', 'mount']) {
    try {
      run('which', program);
    } catch {
      return `power cuts need ${program} (package ${program === 'mkfs.xfs' ? 'xfsprogs' : 'util-linux'})`;
    }
  }
  try {
    run('losetup', '-f');
  } catch {
    return 'power cuts need a free loop device';
  }
  return undefined;
}

describe('the embedded store under power cuts', () => {
  it(`has every write acknowledged before each of ${CUTS} cuts`, {
    skip: obstacle() ?? false,
    timeout: 60_000 + CUTS * 20_000,
  }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'coracle-power-'));
    /** The process is about to end with files open on the mounts: they go when it does. */
    let interruption = false;
    /** What to undo, newest last. */
    const undo: (() => void)[] = [];
    const disk = (name: string, image: string, options: string) => {
      const device = run('losetup', '-f', '--show', image);
      undo.push(() => run('losetup', '-d', device));
      const point = join(folder, name);
      mkdirSync(point, { recursive: true });
      run('mount', '-t', 'xfs', '-o', options, device, point);
      undo.push(() => run('umount', ...(interruption ? ['-l'] : []), point));
      return point;
    };
    const unwind = (to: number) => {
      const failed: unknown[] = [];
      while (undo.length > to) {
        try {
          undo.pop()!();
        } catch (error) {
          failed.push(error);
        }
      }
      if (failed.length > 0) throw new AggregateError(failed, 'a mount or loop device is left behind');
    };
    let writer: ReturnType<typeof startWriter> | undefined;
    // An interrupted run leaves nothing mounted either.
    const rescue = () => {
      interruption = true;
      writer?.child.kill('SIGKILL');
      run('sleep', '0.5');
      unwind(0);
      rmSync(folder, { recursive: true });
    };
    const interrupted = () => process.exit(1);
    process.once('exit', rescue);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
    try {
      run('truncate', '-s', '4G', join(folder, 'outer.img'));
      run('mkfs.xfs', '-q', '-m', 'reflink=1', join(folder, 'outer.img'));
      const outer = disk('outer', join(folder, 'outer.img'), 'defaults');
      const image = join(outer, 'inner.img');
      run('truncate', '-s', '512M', image);
      run('mkfs.xfs', '-q', image);
      const inner = disk('inner', image, 'defaults');

      const random = new SeededRandom(Number(process.env['CORACLE_SEED'] ?? 1));
      let total = 0;
      for (let cut = 0; cut < CUTS; cut++) {
        const dir = join(inner, `store-${cut}`);
        const acknowledged: Acknowledged = new Map();
        writer = startWriter(dir, cut, acknowledged);
        await writer.ready;
        await sleep(50 + random.next() * 400);
        const before: Acknowledged = new Map(acknowledged);
        run('cp', '--reflink=always', image, join(outer, 'cut.img'));
        writer.child.kill('SIGKILL');
        writer.ready.catch(() => {});
        await writer.gone;
        assert.ok(before.size > 0, 'nothing was acknowledged before the cut');
        total += before.size;

        const mark = undo.length;
        try {
          const found = disk('cut', join(outer, 'cut.img'), 'nouuid');
          await checkAcknowledged(join(found, `store-${cut}`), before);
        } finally {
          unwind(mark);
        }
        rmSync(join(outer, 'cut.img'));
        rmSync(dir, { recursive: true });
      }
      t.diagnostic(`${total} acknowledged writes checked over ${CUTS} cuts`);
    } finally {
      writer?.child.kill('SIGKILL');
      writer?.ready.catch(() => {});
      await writer?.gone;
      unwind(0);
      process.off('exit', rescue);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted);
      rmSync(folder, { recursive: true });
    }
  });
});
