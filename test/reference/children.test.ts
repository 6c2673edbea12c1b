import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Children, freePorts } from './children.ts';
import { findPrograms, ReferenceMissingError } from './folder.ts';

const PREFIX = 'coracle-children-test';
const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe('Children', () => {
  it('leaves neither process nor folder behind, and may be closed twice', async () => {
    const children = new Children(PREFIX);
    const pid = children.spawn('sleep', 'sleep', ['300']);
    assert.deepEqual(children.pids, { sleep: pid });
    assert.ok(isThere(pid) && existsSync(children.dir));
    await children.close();
    await children.close();
    assert.ok(!isThere(pid) && !existsSync(children.dir));
    assert.throws(() => children.spawn('sleep', 'sleep', ['300']), /not started/);
  });

  it('tells the end of the log of a program that ended by itself', async () => {
    const children = new Children(PREFIX);
    try {
      children.spawn('broken', 'sh', ['-c', 'echo no such flag; exit 3']);
      for (let i = 0; i < 200 && isEverythingFine(children); i++) await delay(20);
      assert.throws(() => children.mustLive(), /broken ended \(exit code 3\):\nno such flag/);
    } finally {
      await children.close();
    }
  });

  it('ends its programs when its own process is ended by a signal', async () => {
    const file = join(import.meta.dirname, 'children.ts');
    const program = `import { Children } from ${JSON.stringify(file)};
      const children = new Children('${PREFIX}');
      process.send({ pid: children.spawn('sleep', 'sleep', ['300']), dir: children.dir });
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { pid, dir } = await new Promise<{ pid: number; dir: string }>((resolve) =>
      owner.once('message', (m) => resolve(m as { pid: number; dir: string })),
    );
    const ended = new Promise<number | null>((resolve) => owner.once('exit', resolve));
    owner.kill('SIGTERM');
    assert.equal(await ended, 143);
    for (let i = 0; i < 200 && isThere(pid); i++) await delay(20);
    assert.ok(!isThere(pid) && !existsSync(dir));
  });

  it('clears away folders of processes that were killed, and no others', async () => {
    // A pid that the kernel never gives.
    const dead = join(tmpdir(), `${PREFIX}-4194999-abc`);
    const foreign = mkdtempSync(join(tmpdir(), `${PREFIX}x-`));
    mkdirSync(dead, { recursive: true });
    const first = new Children(PREFIX);
    const second = new Children(PREFIX);
    assert.ok(!existsSync(dead) && existsSync(first.dir) && existsSync(foreign));
    await Promise.all([first.close(), second.close()]);
    rmSync(foreign, { recursive: true });
  });
});

describe('freePorts', () => {
  it('are all different', async () => assert.equal(new Set(await freePorts(20)).size, 20));
});

describe('findPrograms', () => {
  it('names everything that is not built, and how it is', () => {
    assert.throws(
      () => findPrograms(['no-such-program', 'nor-this']),
      (error) =>
        error instanceof ReferenceMissingError &&
        error.message.startsWith('no-such-program, nor-this of the reference are not built: run `npm run reference`'),
    );
  });
});

function isEverythingFine(children: Children): boolean {
  try {
    children.mustLive();
    return true;
  } catch {
    return false; // what the test waits for
  }
}
