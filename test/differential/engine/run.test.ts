import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { DiffCase } from '../case.ts';
import { areaOfCases } from './area.ts';
import { readLists, writeTodo } from './lists.ts';
import { readRecorded, writeRecorded } from './recorded.ts';
import { causes, lastLines } from './report.ts';
import { hashOf } from './run-case.ts';
import { isFailure, judge } from './run.ts';

const dir = mkdtempSync(join(tmpdir(), 'coracle-differential-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const record = (answers: unknown, hash = 'h') => new Map([['verbs/a', { hash, answers }]]);
const answer = record;
const lists = { todo: new Set<string>(), byDesign: new Map<string, string>() };
const verdictOf = (recorded: unknown, given: unknown, listed: Partial<typeof lists> = {}) =>
  judge('verbs', record(recorded), answer(given), { ...lists, ...listed })[0]!.verdict;

describe('judge', () => {
  it('calls a difference new unless it is listed', () => {
    assert.equal(verdictOf([1], [2]), 'new');
    assert.equal(verdictOf([1], [2], { todo: new Set(['verbs/a']) }), 'todo');
    assert.equal(verdictOf([1], [2], { byDesign: new Map([['verbs/a', 'why']]) }), 'by design');
  });

  it('fails a listed case that has become equal', () => {
    assert.equal(verdictOf([1], [1]), 'equal');
    assert.equal(verdictOf([1], [1], { todo: new Set(['verbs/a']) }), 'now equal');
    assert.equal(verdictOf([1], [1], { byDesign: new Map([['verbs/a', 'why']]) }), 'now equal');
    assert.ok(isFailure('now equal') && isFailure('new') && isFailure('stale'));
  });

  it('does not take a record of another question for an answer', () => {
    assert.equal(judge('verbs', record([1], 'old'), answer([1]), lists)[0]!.verdict, 'stale');
    assert.equal(judge('verbs', new Map(), answer([1]), lists)[0]!.verdict, 'stale');
  });

  it('counts a case that could not be asked as different', () => {
    const failed = new Map([['verbs/a', { hash: 'h', answers: undefined, error: 'no answer' }]]);
    const judged = judge('verbs', record([1]), failed, lists);
    assert.equal(judged[0]!.verdict, 'new');
    assert.match(causes(judged)[0]!, /1 {2}no answer/);
  });

  it('ends with the line that people and programs look for', () => {
    const judged = [
      ...judge('verbs', record([1]), answer([1]), lists),
      ...judge('verbs', record([1]), answer([2]), lists),
    ];
    assert.deepEqual(lastLines(judged), [
      '1 passed, 1 failed',
      'differential: 1 equal, 0 todo, 0 by design, 1 new of 2',
    ]);
  });
});

describe('writeRecorded', () => {
  it('writes the same bytes for equal content, in whatever order it came', () => {
    const one = { hash: 'h', answers: [{ b: 1, a: [{ d: 2, c: 3 }] }] };
    const same = { hash: 'h', answers: [{ a: [{ c: 3, d: 2 }], b: 1 }] };
    const bytes = (cases: [string, typeof one][]) => {
      writeRecorded('verbs', new Map(cases), dir);
      return readFileSync(join(dir, 'verbs.jsonl.br'));
    };
    assert.deepEqual(
      bytes([
        ['verbs/b', one],
        ['verbs/a', one],
      ]),
      bytes([
        ['verbs/a', same],
        ['verbs/b', same],
      ]),
    );
    assert.deepEqual(readRecorded('verbs', dir).get('verbs/a'), one);
    assert.equal(readRecorded('watch', dir).size, 0);
  });
});

describe('the lists', () => {
  it('keep what was not asked, and lose what is equal or no case any more', () => {
    writeFileSync(join(dir, 'todo.txt'), '# head\nverbs/a\nverbs/b\nwatch/c\nverbs/gone\n');
    writeFileSync(join(dir, 'by-design.txt'), 'verbs/d | because\n');
    const asked = new Set(['verbs/a', 'verbs/b', 'verbs/d', 'verbs/e']);
    const different = new Set(['verbs/b', 'verbs/d', 'verbs/e']);
    writeTodo(asked, different, (id) => id !== 'verbs/gone', dir);
    assert.deepEqual([...readLists(dir).todo], ['verbs/b', 'verbs/e', 'watch/c']);
    assert.equal(readLists(dir).byDesign.get('verbs/d'), 'because');
  });

  it('want a reason for what is by design', () => {
    writeFileSync(join(dir, 'by-design.txt'), 'verbs/d\n');
    assert.throws(() => readLists(dir), /no reason/);
  });
});

describe('areaOfCases', () => {
  const one: DiffCase = { id: 'verbs/x', area: 'verbs', requests: [{ method: 'GET', path: '/' }] };

  it('refuses two cases of one id', async () => {
    await assert.rejects(areaOfCases('verbs', async () => [one, one]).ids(), /two cases/);
  });

  it('has another hash when a case asks something else', () => {
    assert.equal(hashOf(one), hashOf({ ...one, id: 'verbs/y' }));
    assert.notEqual(hashOf(one), hashOf({ ...one, requests: [{ method: 'GET', path: '/api' }] }));
  });
});
