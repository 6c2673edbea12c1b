import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { realFileSystem } from './file-system.ts';

const MI = 1024 ** 2;
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('usage of a folder', () => {
  it('counts what lies in it, however deep, and files of two names once', async () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    writeFileSync(join(dir, 'a/b/file'), Buffer.alloc(2 * MI, 1));
    linkSync(join(dir, 'a/b/file'), join(dir, 'a/again'));
    symlinkSync('/', join(dir, 'a/outside'));
    const { bytes, inodes } = await realFileSystem.usage(dir);
    assert.equal(inodes, 5, 'three folders, a file, a link');
    assert.ok(bytes >= 2 * MI && bytes < 3 * MI, String(bytes));
  });

  it('counts what a sparse file takes, not its size', async () => {
    writeFileSync(join(dir, 'sparse'), '');
    truncateSync(join(dir, 'sparse'), 100 * MI);
    assert.ok((await realFileSystem.usage(dir)).bytes < MI);
  });

  it('is nothing where nothing is', async () =>
    assert.deepEqual(await realFileSystem.usage(join(dir, 'none')), { bytes: 0, inodes: 0 }));
});
