import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Outcome } from './report.ts';
import { loadRuns, mergeRuns, type Run, saveRun } from './results.ts';

const run = (started: string, results: Readonly<Record<string, Outcome>>, commit = 'abc'): Run => ({
  commit,
  against: 'coracle',
  started,
  results: Object.entries(results).map(([name, outcome]) => ({ name, outcome, seconds: 1 })),
});

describe('mergeRuns', () => {
  const outcomes = (...runs: Run[]) => Object.fromEntries([...mergeRuns(runs)].map(([n, r]) => [n, r.outcome]));

  it('takes the newest result of a test, in whatever order runs come', () =>
    assert.deepEqual(
      outcomes(run('2026-01-02T10:00:00Z', { a: 'passed' }), run('2026-01-02T09:00:00Z', { a: 'failed', b: 'failed' })),
      { a: 'passed', b: 'failed' },
    ));

  it('lets a later failure replace a pass', () =>
    assert.deepEqual(outcomes(run('1', { a: 'passed' }), run('2', { a: 'failed' })), { a: 'failed' }));

  it('keeps a result that a later run has only skipped', () =>
    assert.deepEqual(outcomes(run('1', { a: 'failed' }), run('2', { a: 'skipped', b: 'skipped' })), {
      a: 'failed',
      b: 'skipped',
    }));

  it('remembers the commit', () =>
    assert.equal(
      mergeRuns([run('1', { a: 'passed' }, 'old'), run('2', { b: 'passed' }, 'new')]).get('a')?.commit,
      'old',
    ));
});

describe('saveRun', () => {
  const root = mkdtempSync(join(tmpdir(), 'coracle-results-'));
  after(() => rmSync(root, { recursive: true, force: true }));

  it('keeps runs by commit and target', () => {
    const first = run('2026-01-02T09:00:00.000Z', { a: 'failed' });
    const second = run('2026-01-02T10:00:00.000Z', { a: 'passed' });
    saveRun(root, first);
    saveRun(root, second);
    saveRun(root, { ...run('2026-01-02T11:00:00.000Z', { a: 'failed' }), against: '/home/me/.kube/config' });
    saveRun(root, run('2026-01-02T12:00:00.000Z', {}));
    assert.deepEqual(loadRuns(root, ['abc', 'def'], 'coracle'), [first, second]);
    assert.equal(loadRuns(root, ['abc'], '/home/me/.kube/config').length, 1);
  });
});
