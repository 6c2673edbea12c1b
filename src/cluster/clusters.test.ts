import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dropIndex, putIndex, readIndex } from './clusters.ts';
import { withLock } from './lock.ts';

test('keeps every entry when several are put and dropped at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coracle-index-'));
  try {
    const path = join(folder, 'clusters.json');
    const names = Array.from({ length: 12 }, (_, i) => `c${String(i).padStart(2, '0')}`);
    for (const name of names) mkdirSync(join(folder, name));
    await Promise.all(names.map((name) => putIndex(path, { name, dataDir: join(folder, name) })));
    assert.deepEqual(
      readIndex(path).map((c) => c.name),
      names,
    );
    await Promise.all(names.slice(0, 6).map((name) => dropIndex(path, name)));
    assert.deepEqual(
      readIndex(path).map((c) => c.name),
      names.slice(6),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a lock lets one at a time work, tells who waits, and is free again after an error', async () => {
  const what = `test ${process.pid}`;
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await new Promise((done) => setTimeout(done, 30));
    steps.push(`${name} ends`);
    if (name === 'first') throw new Error('broken');
  };
  const first = withLock(what, work('first'));
  const second = withLock(what, work('second'), () => steps.push('second waits'));
  await assert.rejects(first, /broken/);
  await second;
  assert.deepEqual(
    steps.filter((s) => s !== 'second waits'),
    ['first begins', 'first ends', 'second begins', 'second ends'],
  );
  assert.ok(steps.includes('second waits'));
});
