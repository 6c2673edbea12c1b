// An autoscaler on the metrics API, with a scripted load: up under load at the speed it may, down when the load is over and the
// window has passed.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { HorizontalPodAutoscaler } from '#generated/api/autoscaling-v2.ts';
import { deployments, horizontalpodautoscalers } from '#generated/resources.ts';
import { forbidden, isReady, isRolledOut, livingPods, makeDeployment } from './objects.ts';
import { simulated } from './traces.ts';

const WINDOW_MS = 120_000;

const autoscaler: HorizontalPodAutoscaler = {
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: 2,
    maxReplicas: 8,
    behavior: { scaleDown: { stabilizationWindowSeconds: WINDOW_MS / 1000 } },
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
  },
};

describe('an autoscaler under a scripted load', () => {
  simulated({ nodes: 2 }, async (cluster) => {
    const { client, clock } = cluster;
    // Thousandths of a core that all replicas share.
    let demand = 100;
    let serving = 2;
    cluster.load = () => demand / serving;
    const size = async () => (await client.resource(deployments).get('default', 'web'))!.spec!.replicas!;
    const conditions = async () => {
      const { status } = (await client.resource(horizontalpodautoscalers).get('default', 'web'))!;
      return Object.fromEntries((status?.conditions ?? []).map((c) => [c.type, `${c.status} ${c.reason}`]));
    };
    const settled = (replicas: number) =>
      cluster.until(`${replicas} replicas run`, async () => {
        serving = Math.max(1, (await livingPods(cluster, 'web')).filter(isReady).length);
        return (await size()) === replicas && (await isRolledOut(cluster, 'web'));
      });
    await cluster.call(client.resource(deployments).create(makeDeployment('web', { replicas: 2, cpu: '100m' })));
    await cluster.until('the deployment is available', () => isRolledOut(cluster, 'web'));
    await cluster.call(client.resource(horizontalpodautoscalers).create(autoscaler));
    await cluster.until('it works', async () => (await conditions()).ScalingActive === 'True ValidMetricFound');
    await cluster.pass(45_000);
    assert.equal(await cluster.call(size()), 2);

    // Three hundred thousandths at fifty each want six.
    demand = 300;
    await settled(6);
    assert.equal((await cluster.call(conditions())).AbleToScale?.startsWith('True'), true);
    await cluster.pass(45_000);
    assert.equal(await cluster.call(size()), 6);

    demand = 1_000;
    await settled(8);
    await cluster.until('it says that it is at its limit', async () => {
      return (await conditions()).ScalingLimited === 'True TooManyReplicas';
    });

    const calmAt = clock.now();
    demand = 80;
    await settled(2);
    assert.ok(clock.now() - calmAt >= WINDOW_MS - 15_000, `scaled down after ${clock.now() - calmAt} ms`);
    assert.deepEqual(forbidden(cluster), []);
  });
});
