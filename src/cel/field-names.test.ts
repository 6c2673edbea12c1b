import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { escapeFieldName, unescapeFieldName } from './field-names.ts';

describe('escapeFieldName', () => {
  const cases: readonly [string, string | undefined][] = [
    ['name', 'name'],
    ['namespace', '__namespace__'],
    ['foo-bar', 'foo__dash__bar'],
    ['a.b/c', 'a__dot__b__slash__c'],
    ['a__b', 'a__underscores__b'],
    ['$ref', undefined],
    ['1a', undefined],
  ];
  for (const [name, escaped] of cases)
    it(`makes ${escaped ?? 'nothing'} of ${name}`, () => {
      assert.equal(escapeFieldName(name), escaped);
      if (escaped !== undefined) assert.equal(unescapeFieldName(escaped), name);
    });
});
