import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import { podDisruptionBudget } from './poddisruptionbudget.ts';

const make = (parts: Partial<PodDisruptionBudget>): PodDisruptionBudget => ({ metadata: { name: 'b' }, ...parts });
const { validateCreate, validateStatusUpdate } = podDisruptionBudget.strategy;

describe('podDisruptionBudget', () => {
  for (const [condition, spec, expected] of [
    ['a percentage', { minAvailable: '50%' }, []],
    [
      'both numbers',
      { minAvailable: 1, maxUnavailable: 1 },
      ['spec: minAvailable and maxUnavailable cannot be both set'],
    ],
    ['more than all', { maxUnavailable: '101%' }, ['spec.maxUnavailable: must not be greater than 100%']],
    ['less than none', { minAvailable: -1 }, ['spec.minAvailable: must be greater than or equal to 0']],
    [
      'a policy of its own',
      { minAvailable: 1, unhealthyPodEvictionPolicy: 'Never' },
      ['spec.unhealthyPodEvictionPolicy: supported values: "AlwaysAllow", "IfHealthyBudget"'],
    ],
  ] as const) {
    it(`judges a budget with ${condition}`, () => {
      assert.deepEqual(
        validateCreate!(make({ spec })).map((e) => `${e.field}: ${e.detail}`),
        expected,
      );
    });
  }

  it('refuses counts below zero in its status', () => {
    const status = { disruptionsAllowed: -1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 };
    const errors = validateStatusUpdate!(make({ status }), make({}));
    assert.deepEqual(
      errors.map((e) => e.field),
      ['status.disruptionsAllowed'],
    );
  });
});
