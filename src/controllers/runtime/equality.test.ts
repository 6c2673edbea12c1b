import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sameStatus, sameValue } from './equality.ts';

describe('sameValue', () => {
  it('takes what is not there and what is empty as one', () => {
    assert.ok(sameValue({ a: [], b: { c: null } }, { b: {} }));
    assert.ok(sameValue([{ a: 1, b: 2 }], [{ b: 2, a: 1 }]));
    assert.ok(!sameValue({ replicas: 0 }, {}));
    assert.ok(!sameValue({ a: [1, 2] }, { a: [2, 1] }));
  });
});

describe('sameStatus', () => {
  it('takes zeros as absent too, as the API writes them', () => {
    assert.ok(sameStatus({ replicas: 0, conditions: [{ type: 'A', message: '' }] }, { conditions: [{ type: 'A' }] }));
    assert.ok(!sameStatus({ replicas: 1 }, {}));
    assert.ok(!sameStatus({}, { replicas: 1 }));
  });
});
