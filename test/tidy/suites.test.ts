// Every test file is run by some suite: one in a new folder would otherwise be green for never having been asked.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SUITES } from '../runner/suites.ts';

const ROOT = join(import.meta.dirname, '..', '..');

describe('the suites', () => {
  it('run every test file of src and test', () => {
    const run = new Set(
      SUITES.flatMap((s) => (s.kind === 'tests' ? [...s.groups.flat(), ...(s.alone ?? [])] : [])).flatMap((pattern) =>
        globSync(pattern, { cwd: ROOT }),
      ),
    );
    const there = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: ROOT });
    assert.ok(there.length > 100);
    assert.deepEqual(
      there.filter((file) => !run.has(file)),
      [],
    );
  });
});
