import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { RotatingFile } from './rotating-file.ts';

describe('RotatingFile', () => {
  const directory = mkdtempSync(join(tmpdir(), 'rotating-'));
  after(() => rmSync(directory, { recursive: true }));

  it('moves a full file aside, keeps as many as it is told and never splits a write', async () => {
    const path = join(directory, 'audit.log');
    const file = new RotatingFile({ path, maxBytes: 10, keep: 2, mode: 0o600 });
    for (const line of ['aaaa\n', 'bbbb\n', 'cccc\n', 'dddddddddddd\n', 'ee\n']) await file.write(line);
    await file.close();
    assert.deepEqual(readdirSync(directory).sort(), ['audit.log', 'audit.log.1', 'audit.log.2']);
    assert.equal(readFileSync(path, 'utf8'), 'ee\n');
    assert.equal(readFileSync(`${path}.1`, 'utf8'), 'dddddddddddd\n');
    assert.equal(readFileSync(`${path}.2`, 'utf8'), 'cccc\n');
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('counts what an earlier process wrote', async () => {
    const path = join(directory, 'again.log');
    const options = { path, maxBytes: 10, keep: 1, mode: 0o600 };
    const first = new RotatingFile(options);
    await first.write('12345678\n');
    await first.close();
    const second = new RotatingFile(options);
    await second.write('abc\n');
    await second.close();
    assert.equal(readFileSync(`${path}.1`, 'utf8'), '12345678\n');
    assert.equal(readFileSync(path, 'utf8'), 'abc\n');
  });

  it('tells of a file that cannot be opened, and tries anew', async () => {
    const path = join(directory, 'missing', 'audit.log');
    const file = new RotatingFile({ path, maxBytes: 10, keep: 1, mode: 0o600 });
    await assert.rejects(file.write('a\n'), { code: 'ENOENT' });
    await assert.rejects(file.write('a\n'), { code: 'ENOENT' });
  });
});
