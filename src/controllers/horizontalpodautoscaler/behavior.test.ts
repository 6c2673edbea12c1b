import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HPAScalingRules } from '#generated/api/autoscaling-v2.ts';
import { type Behavior, limitBySpeed, limitPlainly, stabilize, stabilizeDown } from './behavior.ts';

const NOW = 1_000_000;
const ago = (seconds: number, replicas: number) => ({ replicas, atMs: NOW - seconds * 1000 });
const changed = (seconds: number, change: number) => ({ change, atMs: NOW - seconds * 1000 });
const bounds = (current: number, min = 1, max = 100) => ({ current, min, max });
const percent = (value: number, periodSeconds = 60) => ({ type: 'Percent', value, periodSeconds });
const podsPolicy = (value: number, periodSeconds = 60) => ({ type: 'Pods', value, periodSeconds });
const make = (rules: HPAScalingRules): Behavior => {
  const full = { selectPolicy: 'Max', stabilizationWindowSeconds: 0, policies: [percent(100)], ...rules };
  return { up: full, down: full };
};

describe('stabilizeDown', () => {
  it('applies the highest of the window', () => {
    const { replicas, reason } = stabilizeDown(2, [ago(400, 9), ago(200, 5), ago(10, 3)], 300_000, NOW);
    assert.deepEqual([replicas, reason], [5, 'ScaleDownStabilized']);
    assert.deepEqual(stabilizeDown(7, [ago(200, 5)], 300_000, NOW).reason, 'ReadyForNewScale');
  });
});

describe('limitPlainly', () => {
  for (const [desired, current, expected, reason] of [
    [5, 4, 5, 'DesiredWithinRange'],
    [20, 4, 8, 'ScaleUpLimit'],
    [20, 1, 4, 'ScaleUpLimit'],
    [200, 80, 100, 'TooManyReplicas'],
    [0, 4, 1, 'TooFewReplicas'],
  ] as const) {
    it(`makes ${desired} of ${current} to ${expected}: ${reason}`, () => {
      const choice = limitPlainly(desired, bounds(current));
      assert.deepEqual([choice.replicas, choice.reason], [expected, reason]);
    });
  }
});

describe('stabilize', () => {
  it('goes up only as far as every proposal of the window', () => {
    const { replicas, reason } = stabilize(9, 3, [ago(30, 5)], make({ stabilizationWindowSeconds: 60 }), NOW);
    assert.deepEqual([replicas, reason], [5, 'ScaleUpStabilized']);
  });
  it('goes down only as far as every proposal of the window', () => {
    const { replicas, reason } = stabilize(
      1,
      9,
      [ago(30, 5), ago(90, 8)],
      make({ stabilizationWindowSeconds: 60 }),
      NOW,
    );
    assert.deepEqual([replicas, reason], [5, 'ScaleDownStabilized']);
  });
  it('does at once what it is told without a window', () => {
    assert.equal(stabilize(1, 9, [ago(30, 5)], make({}), NOW).replicas, 1);
  });
});

describe('limitBySpeed', () => {
  const none = { up: [], down: [] };
  for (const [condition, desired, current, rules, events, expected, reason] of [
    ['doubling', 50, 10, {}, none, 20, 'ScaleUpLimit'],
    ['the larger of two policies', 50, 10, { policies: [percent(10), podsPolicy(4)] }, none, 14, 'ScaleUpLimit'],
    [
      'the smaller of two policies',
      50,
      10,
      { policies: [percent(10), podsPolicy(4)], selectPolicy: 'Min' },
      none,
      11,
      'ScaleUpLimit',
    ],
    [
      'what was added in the period counts',
      50,
      10,
      { policies: [podsPolicy(4)] },
      { up: [changed(30, 3), changed(90, 5)], down: [] },
      11,
      'ScaleUpLimit',
    ],
    ['scaling up is disabled', 50, 10, { selectPolicy: 'Disabled' }, none, 10, 'ScaleUpLimit'],
    ['the limit of the autoscaler comes first', 500, 90, {}, none, 100, 'TooManyReplicas'],
    ['half at a time', 1, 10, { policies: [percent(50)] }, none, 5, 'ScaleDownLimit'],
    [
      'the smaller change downwards',
      1,
      10,
      { policies: [percent(50), podsPolicy(2)], selectPolicy: 'Min' },
      none,
      8,
      'ScaleDownLimit',
    ],
    [
      'what was removed in the period counts',
      1,
      8,
      { policies: [podsPolicy(4)] },
      { up: [], down: [changed(10, 2)] },
      6,
      'ScaleDownLimit',
    ],
    ['the least is kept', 0, 3, {}, none, 1, 'TooFewReplicas'],
    ['nothing is in the way', 12, 10, {}, none, 12, 'DesiredWithinRange'],
  ] as const) {
    it(`makes ${desired} of ${current} to ${expected}: ${condition}`, () => {
      const choice = limitBySpeed(desired, bounds(current), make(rules), events, NOW);
      assert.deepEqual([choice.replicas, choice.reason], [expected, reason]);
    });
  }
});
