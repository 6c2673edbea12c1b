import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addIndexes,
  checkIndexes,
  countCommon,
  countIndexes,
  firstOverlap,
  formatIndexes,
  freeIndexes,
  hasIndex,
  parseIndexes,
  unionIndexes,
} from './indexes.ts';

const MANY = 60;
const someIndexes = fc.uniqueArray(fc.nat(MANY - 1));
const setOf = (list: readonly number[]) => addIndexes([], list);
const all = Array.from({ length: MANY }, (_, i) => i);

describe('IndexSet', () => {
  it('is written as upstream writes it', () => {
    assert.equal(formatIndexes(setOf([7, 0, 3, 4, 5])), '0,3-5,7');
    assert.equal(formatIndexes(setOf([1, 2])), '1,2');
    assert.equal(formatIndexes([]), '');
  });

  it('passes over what cannot be read, and what the Job no longer has', () => {
    assert.equal(formatIndexes(parseIndexes('0,x,2-y,3-9,11', 6)), '0,3-5');
  });

  it('behaves as a set of numbers', () => {
    fc.assert(
      fc.property(someIndexes, someIndexes, fc.nat(MANY), (a, b, count) => {
        const [left, right] = [new Set(a), new Set(b)];
        const text = formatIndexes(setOf(a));
        assert.equal(formatIndexes(parseIndexes(text, MANY)), text);
        assert.deepEqual(checkIndexes(text, MANY), { count: left.size });
        assert.equal(countIndexes(unionIndexes(setOf(a), setOf(b))), left.union(right).size);
        assert.equal(countCommon(setOf(a), setOf(b)), left.intersection(right).size);
        for (const i of all) assert.equal(hasIndex(setOf(a), i), left.has(i));
        assert.deepEqual(freeIndexes(setOf(a), count, MANY), all.filter((i) => !left.has(i)).slice(0, count));
        const shared = firstOverlap(formatIndexes(setOf(a)), formatIndexes(setOf(b)), MANY);
        assert.equal(
          shared,
          all.find((i) => left.has(i) && right.has(i)),
        );
      }),
    );
  });

  for (const [text, error] of [
    ['1,0', 'non-increasing order, previous: 1, current: 0'],
    ['2-2', 'non-increasing order, previous: 2, current: 2'],
    [
      '0-1-2',
      `the fragment "0-1-2" violates the requirement that an index interval can have at most two parts separated by '-'`,
    ],
    ['a', 'cannot convert string to integer for index: "a"'],
    ['0-60', 'too large index: "60"'],
  ] as const) {
    it(`says what is wrong with ${text}`, () => assert.equal(checkIndexes(text, MANY).error, error));
  }
});
