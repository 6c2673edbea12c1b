import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expand } from './expansion.ts';

describe('expand', () => {
  const lookup = (name: string) => ({ A: '1', EMPTY: '' })[name];
  for (const [text, expected] of [
    ['$(A)', '1'],
    ['x$(A)y$(A)', 'x1y1'],
    ['$(NO)', '$(NO)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(EMPTY)', ''],
    ['$A', '$A'],
    ['a$', 'a$'],
    ['$(A', '$(A'],
  ] as const) {
    it(`makes ${expected === '' ? 'nothing' : expected} of ${text}`, () =>
      assert.equal(expand(text, lookup), expected));
  }
});
