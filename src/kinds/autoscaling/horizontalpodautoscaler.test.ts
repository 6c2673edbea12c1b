import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HorizontalPodAutoscaler, MetricSpec } from '#generated/api/autoscaling-v2.ts';
import { horizontalPodAutoscaler } from './horizontalpodautoscaler.ts';
import { fromStorage, toStorage } from './v1-conversion.ts';
import { validateAutoscaler } from './validation.ts';

const resource = { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } };
const pods = { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '10' } };
const external = { metric: { name: 'queue' }, target: { type: 'Value', value: '30' } };

const make = (spec: Partial<HorizontalPodAutoscaler['spec']> = {}): HorizontalPodAutoscaler => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: { scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' }, maxReplicas: 5, ...spec },
});
const withMetric = (metric: Partial<MetricSpec>) => make({ metrics: [metric as MetricSpec] });
const policies = [{ type: 'Pods', value: 1, periodSeconds: 15 }];

describe('validateAutoscaler', () => {
  for (const [condition, autoscaler, expected] of [
    ['all is well', withMetric({ type: 'Resource', resource }), []],
    ['minReplicas is zero', make({ minReplicas: 0 }), ['spec.minReplicas: must be greater than or equal to 1']],
    [
      'the bounds cross',
      make({ minReplicas: 6 }),
      ['spec.maxReplicas: must be greater than or equal to `minReplicas`'],
    ],
    [
      'a metric has another source than its type',
      withMetric({ type: 'Pods', resource }),
      ['spec.metrics[0].pods: must populate information for the given metric source'],
    ],
    [
      'a metric has two sources',
      withMetric({ type: 'Pods', resource, pods }),
      ['spec.metrics[0].resource: must populate the given metric source only'],
    ],
    [
      'a target is given twice',
      withMetric({ type: 'Resource', resource: { name: 'cpu', target: { ...resource.target, averageValue: '1' } } }),
      ['spec.metrics[0].resource.target.averageValue: may not set both a target raw value and a target utilization'],
    ],
    [
      'a target is not given',
      withMetric({ type: 'External', external: { metric: { name: 'q' }, target: { type: 'Value' } } }),
      ['spec.metrics[0].external.target.averageValue: must set either a target value for metric or a per-pod target'],
    ],
    [
      'a window is too long',
      make({ behavior: { scaleDown: { policies, stabilizationWindowSeconds: 3601 } } }),
      ['spec.behavior.scaleDown.stabilizationWindowSeconds: must be less than or equal to 3600'],
    ],
    [
      'there is no policy',
      make({ behavior: { scaleUp: { policies: [] } } }),
      ['spec.behavior.scaleUp.policies: must specify at least one Policy'],
    ],
  ] as const) {
    it(`says ${expected.length === 0 ? 'nothing' : 'so'} when ${condition}`, () => {
      assert.deepEqual(
        validateAutoscaler(autoscaler).map((e) => `${e.field}: ${e.detail}`),
        expected,
      );
    });
  }
});

describe('horizontalPodAutoscaler', () => {
  it('fills in what a side of behavior leaves open', () => {
    const { behavior, metrics } = horizontalPodAutoscaler.strategy.default!(
      make({ behavior: { scaleDown: { stabilizationWindowSeconds: 10 } } }),
    ).spec;
    assert.deepEqual(behavior!.scaleDown, {
      selectPolicy: 'Max',
      policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
      stabilizationWindowSeconds: 10,
    });
    assert.equal(behavior!.scaleUp!.policies!.length, 2);
    assert.equal(metrics![0]!.resource!.target.averageUtilization, 80);
  });

  it("prints targets in kubectl's words", () => {
    const metrics: readonly MetricSpec[] = [
      { type: 'Resource', resource },
      { type: 'Pods', pods },
      { type: 'External', external },
    ];
    const targets = (list: readonly MetricSpec[], status?: HorizontalPodAutoscaler['status']) =>
      horizontalPodAutoscaler.table.cells({ ...make({ metrics: list }), status }, 0)[2];
    assert.equal(targets(metrics), 'cpu: <unknown>/50%, <unknown>/10 + 1 more...');
    const current = { averageUtilization: 12, averageValue: '5m' };
    const status = { desiredReplicas: 1, currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current } }] };
    assert.equal(targets([metrics[0]!], status), 'cpu: 12%/50%');
  });
});

describe('fromStorage', () => {
  it('keeps in annotations what v1 has no field for, and gets it back', () => {
    const stored: HorizontalPodAutoscaler = {
      ...make({
        metrics: [
          { type: 'Resource', resource },
          { type: 'External', external },
        ],
        behavior: { scaleDown: { selectPolicy: 'Disabled', policies } },
      }),
      apiVersion: 'autoscaling/v2',
      status: { desiredReplicas: 2, conditions: [{ type: 'AbleToScale', status: 'True', reason: 'ReadyForNewScale' }] },
    };
    const old = fromStorage(stored) as { spec: object } & typeof stored;
    assert.equal((old.spec as { targetCPUUtilizationPercentage?: number }).targetCPUUtilizationPercentage, 50);
    assert.deepEqual(JSON.parse(old.metadata.annotations!['autoscaling.alpha.kubernetes.io/metrics']!), [
      { type: 'External', external: { metricName: 'queue', targetValue: '30' } },
    ]);
    const again = toStorage(old) as typeof stored;
    assert.deepEqual(again.spec, stored.spec);
    assert.deepEqual(again.status!.conditions, stored.status!.conditions);
    assert.equal(again.metadata.annotations, undefined);
  });

  it('takes lists that are null as empty', () => {
    const status = { desiredReplicas: 0, currentMetrics: null } as never;
    const old = fromStorage({ ...make(), status } as HorizontalPodAutoscaler);
    assert.equal(old.metadata.annotations, undefined);
  });
});
