import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { findPrograms, NODE_PROGRAMS } from './programs.ts';

/** A folder as it is unpacked, with these programs. */
function makeFolder(t: TestContext, names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'coracle-programs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'bin'));
  for (const name of names) {
    writeFileSync(join(folder, 'bin', name), '#!/bin/sh\n');
    chmodSync(join(folder, 'bin', name), 0o755);
  }
  return folder;
}

describe('findPrograms', () => {
  const all = NODE_PROGRAMS.map((p) => p.name);

  it('looks into the given folder first, then into the private one', (t) => {
    const [given, own] = [makeFolder(t, ['containerd']), makeFolder(t, all)];
    const { programs } = findPrograms({ runtimeDir: given, privateDir: own, path: '' });
    assert.equal(programs.found['containerd'], join(given, 'bin', 'containerd'));
    assert.equal(programs.found['runc'], join(own, 'bin', 'runc'));
    assert.deepEqual(programs.path.split(':').slice(0, 3), [given, join(given, 'bin'), join(own, 'bin')]);
  });

  it('tells apart what nodes cannot be without and what one part misses', (t) => {
    const own = makeFolder(t, all);
    const { missing, missingParts } = findPrograms({ privateDir: own, path: '' });
    assert.ok(missing.every((m) => m.startsWith('CNI plugin')));
    assert.deepEqual(missingParts, []);
    const without = findPrograms({ privateDir: makeFolder(t, []), path: '' });
    assert.ok(!without.missing.includes('haproxy') && !without.missingPackages.includes('haproxy'));
    const onSystem = without.programs.found['haproxy'] !== undefined;
    assert.deepEqual(
      without.missingParts.map((p) => [p.name, p.part]),
      onSystem ? [] : [['haproxy', 'ingress']],
    );
  });
});
