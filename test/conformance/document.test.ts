import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { classTable, conformanceDocument } from './document.ts';
import { parseList } from './list.ts';
import type { Kept } from './results.ts';

const ALL = parseList('api\tx/one\t[sig-x] a\napi\tx/one\t[sig-x] b\nrun\tx/two\t[sig-x] c|d\nrun\tx/two\t[sig-x] e');
const kept = (outcome: Kept['outcome'], more: Partial<Kept> = {}): Kept => ({
  name: '',
  outcome,
  seconds: 1,
  commit: 'abc',
  started: '1',
  ...more,
});
const RESULTS = new Map<string, Kept>([
  [ALL[0]!.name, kept('passed')],
  [ALL[2]!.name, kept('failed', { error: 'expected `1|2`', commit: 'old' })],
  [ALL[3]!.name, kept('skipped', { error: 'needs a GPU' })],
]);

describe('classTable', () => {
  it('counts what has no result, and what left itself out, as not run', () =>
    assert.deepEqual(classTable(ALL, RESULTS).split('\n').slice(2), [
      '| api | 2 | 1 | 0 | 1 |',
      '| ctrl | 0 | 0 | 0 | 0 |',
      '| run | 2 | 0 | 1 | 1 |',
      '| all | 4 | 1 | 1 | 2 |',
    ]));
});

describe('conformanceDocument', () => {
  const text = conformanceDocument(ALL, RESULTS, { commit: 'abc', date: '2026-01-02', against: 'Coracle' });

  it('has a row by area', () => {
    assert.match(text, /^\| sig-x x\/one \| 2 \| 1 \| 0 \| 1 \|$/m);
    assert.match(text, /^\| sig-x x\/two \| 2 \| 0 \| 1 \| 1 \|$/m);
  });
  it('shows failures with their error, in whole table rows', () =>
    assert.match(text, /^\| run \| \[sig-x\] c\\\|d \[Conformance\] \| `expected '1\\\|2'` \|$/m));
  it('says when results are of several commits', () => assert.match(text, /2 of commit abc, 1 of commit old/));
  it('says that some passes are none while no custom resource can be defined', () => {
    const results = new Map([[ALL[0]!.name, kept('failed', { error: 'failed to create CRD: deadline exceeded' })]]);
    const from = { commit: 'abc', date: '2026-01-02', against: 'Coracle' };
    assert.match(conformanceDocument(ALL, results, from), /count as passed here and are not/);
    assert.doesNotMatch(text, /count as passed here and are not/);
  });
});
