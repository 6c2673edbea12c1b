import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isConditionTrue, setCondition } from './conditions.ts';
import { resolveFenceposts, scaledValue } from './intstr.ts';

const ready = (status: string, lastTransitionTime?: string) => ({
  type: 'Ready',
  status,
  reason: 'R',
  ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
});

describe('setCondition', () => {
  it('keeps the transition time while the status stays', () => {
    const before = [ready('True', 't1')];
    assert.deepEqual(setCondition(before, { ...ready('True'), reason: 'Other' }, 't2'), [
      { ...ready('True', 't1'), reason: 'Other' },
    ]);
  });
  it('moves it when the status changes', () =>
    assert.equal(setCondition([ready('True', 't1')], ready('False'), 't2')[0]?.lastTransitionTime, 't2'));
  it('returns the same list when nothing changes', () => {
    const before = [ready('True', 't1')];
    assert.equal(setCondition(before, ready('True'), 't2'), before);
  });
  it('makes what isConditionTrue finds', () =>
    assert.equal(isConditionTrue(setCondition(undefined, ready('True'), 't'), 'Ready'), true));
});

describe('scaledValue', () => {
  it('rounds as asked', () => {
    assert.equal(scaledValue('25%', 3, 'up'), 1);
    assert.equal(scaledValue('25%', 3, 'down'), 0);
    assert.equal(scaledValue(2, 3, 'down'), 2);
  });
  it('refuses names', () =>
    assert.throws(() => scaledValue('http', 3, 'up'), /invalid type: string is not a percentage/));
});

describe('resolveFenceposts', () => {
  it('never lets both be zero', () =>
    assert.deepEqual(resolveFenceposts('0%', '25%', 1), { surge: 0, unavailable: 1 }));
});
