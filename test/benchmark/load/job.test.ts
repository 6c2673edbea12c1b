import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { continueToken, fill } from './job.ts';

describe('fill', () => {
  it('puts the running number in every place', () =>
    assert.equal(fill('/pods/p-%?x=%', 7, undefined), '/pods/p-7?x=7'));
  it('comes round to the same names with other values', () =>
    assert.equal(fill('p-% is #', 1_003, 1_000), 'p-3 is 1003'));
});

describe('continueToken', () => {
  it('is read from the metadata of the list', () => {
    assert.equal(
      continueToken('{"kind":"PodList","metadata":{"resourceVersion":"5","continue":"abc=="},"items":[{'),
      'abc==',
    );
  });
  it('is empty on the last page, whatever its items say', () => {
    assert.equal(continueToken('{"kind":"PodList","metadata":{},"items":[{"data":{"continue":"no"}}]}'), '');
  });
});
