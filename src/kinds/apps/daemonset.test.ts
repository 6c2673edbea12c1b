import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DaemonSet, DaemonSetUpdateStrategy } from '#generated/api/apps-v1.ts';
import { daemonSet } from './daemonset.ts';

const make = (updateStrategy: DaemonSetUpdateStrategy | undefined, image = 'a:1'): DaemonSet =>
  daemonSet.strategy.default!({
    metadata: { name: 'agent', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: {
        metadata: { labels: { app: 'agent' } },
        spec: { containers: [{ name: 'a', image }] },
      },
      ...(updateStrategy === undefined ? {} : { updateStrategy }),
    },
  });

const rolling = (maxUnavailable?: number | string, maxSurge?: number | string): DaemonSetUpdateStrategy => ({
  type: 'RollingUpdate',
  rollingUpdate: {
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    ...(maxSurge === undefined ? {} : { maxSurge }),
  },
});

const PATH = 'spec.updateStrategy.rollingUpdate';

describe('daemonSet', () => {
  it('takes one pod away at a time unless told otherwise', () => {
    assert.deepEqual(make(undefined).spec!.updateStrategy, rolling(1, 0));
    assert.deepEqual(make(rolling('10%')).spec!.updateStrategy, rolling('10%', 0));
    assert.deepEqual(make({ type: 'OnDelete' }).spec!.updateStrategy, { type: 'OnDelete' });
  });

  for (const [what, strategy, expected] of [
    ['surge instead of unavailable', rolling(0, 1), []],
    ['both', rolling(1, 1), [`${PATH}.maxSurge: may not be set when maxUnavailable is non-zero`]],
    ['neither', rolling(0, '0%'), [`${PATH}.maxUnavailable: cannot be 0 when maxSurge is 0`]],
    ['more than all', rolling('101%'), [`${PATH}.maxUnavailable: must not be greater than 100%`]],
    ['less than none', rolling(-1), [`${PATH}.maxUnavailable: must be greater than or equal to 0`]],
  ] as const) {
    it(`judges a rolling update with ${what}`, () => {
      const errors = daemonSet.strategy.validateCreate!(make(strategy)).filter((e) => e.field.startsWith(PATH));
      assert.deepEqual(
        errors.map((e) => `${e.field}: ${e.detail}`),
        expected,
      );
    });
  }

  it('counts generations of the template by itself', () => {
    const { prepareForCreate, prepareForUpdate } = daemonSet.strategy;
    const generation = (ds: DaemonSet) => ds.metadata.annotations?.['deprecated.daemonset.template.generation'];
    const first = prepareForCreate!(make(undefined), undefined as never);
    assert.equal(generation(first), '1');
    const same = prepareForUpdate!(make({ type: 'OnDelete' }), first, undefined as never);
    assert.equal(generation(same), '1');
    assert.equal(generation(prepareForUpdate!(make(undefined, 'a:2'), same, undefined as never)), '2');
  });
});
