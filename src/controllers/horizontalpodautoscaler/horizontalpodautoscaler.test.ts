import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HorizontalPodAutoscaler, MetricSpec } from '#generated/api/autoscaling-v2.ts';
import { deployments, horizontalpodautoscalers, pods } from '#generated/resources.ts';
import { formatTime } from '#machinery/time.ts';
import { deploymentController } from '../deployment/deployment.ts';
import { replicaSetController } from '../replicaset.ts';
import { makeDeployment, playToRest } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { horizontalPodAutoscalerController } from './horizontalpodautoscaler.ts';

const cpu: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};

function makeAutoscaler(spec: Partial<HorizontalPodAutoscaler['spec']> = {}, name = 'web'): HorizontalPodAutoscaler {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [cpu],
      ...spec,
    },
  };
}

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu: '100m' } } }] },
};

/** A Deployment of `replicas` ready pods that all use `use` millicores. */
class Scene {
  readonly cluster = new TestCluster();
  use = 50;
  /** What the metrics APIs answer instead, by part of the path. */
  readonly other = new Map<string, { readonly status?: number; readonly body: unknown }>();

  async start(autoscaler = makeAutoscaler(), replicas = 2): Promise<this> {
    const { cluster } = this;
    cluster.served = (path) => {
      for (const [part, answer] of this.other) if (path.includes(part)) return answer;
      if (path.startsWith('/apis/metrics.k8s.io')) return { body: { items: this.#items() } };
      if (path === '/apis/apps')
        return { body: { name: 'apps', versions: [{ groupVersion: 'apps/v1', version: 'v1' }] } };
      return path.startsWith('/apis/apps/') ? undefined : { status: 404, body: NOT_FOUND };
    };
    await cluster.put(deployments, makeDeployment({ replicas, template }));
    await cluster.run(deploymentController, replicaSetController);
    await playToRest(cluster);
    await cluster.put(horizontalpodautoscalers, autoscaler);
    await cluster.run(horizontalPodAutoscalerController);
    return this;
  }

  /** The time between two looks, with pods coming and going. */
  async turn(times = 1): Promise<void> {
    for (let i = 0; i < times; i++) {
      await this.cluster.settle(15_000);
      await playToRest(this.cluster);
    }
  }

  get replicas(): number {
    return this.cluster.get(deployments, 'default/web')!.spec!.replicas!;
  }

  get autoscaler(): HorizontalPodAutoscaler {
    return this.cluster.get(horizontalpodautoscalers, 'default/web')!;
  }

  conditions(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.autoscaler.status!.conditions!.map((c) => [c.type, `${c.status} ${c.reason}`]));
  }

  events(): readonly string[] {
    return this.cluster.events
      .filter((e) => e.about.startsWith('HorizontalPodAutoscaler'))
      .map((e) => `${e.reason}: ${e.message}`);
  }

  #items() {
    const { cluster } = this;
    const now = cluster.clock.now();
    return cluster.list(pods).map((p) => ({
      metadata: { name: p.metadata.name },
      timestamp: formatTime(now),
      window: '10s',
      containers: [{ name: 'web', usage: { cpu: `${this.use}m`, memory: '10Mi' } }],
    }));
  }
}

const NOT_FOUND = { kind: 'Status', message: 'the server could not find the requested resource' };

/** Pods as a kubelet shows them, long since started. */
function aged(scene: Scene): void {
  for (const pod of scene.cluster.list(pods)) {
    scene.cluster.edit(pods, `default/${pod.metadata.name}`, (p) => ({
      ...p,
      status: { ...p.status, startTime: p.status?.startTime ?? formatTime(scene.cluster.clock.now() - 3_600_000) },
    }));
  }
}

async function startAged(autoscaler?: HorizontalPodAutoscaler, replicas?: number): Promise<Scene> {
  const scene = await new Scene().start(autoscaler, replicas);
  aged(scene);
  return scene;
}

describe('AutoscalerReconciler', () => {
  it('scales up, says so, and down again when the window is over', async () => {
    const scene = await startAged();
    scene.use = 100;
    await scene.turn();
    assert.equal(scene.replicas, 4);
    assert.ok(
      scene
        .events()
        .includes(
          'SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target',
        ),
    );
    assert.deepEqual(scene.autoscaler.status!.currentMetrics, [
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 100, averageValue: '100m' } } },
    ]);
    assert.equal(scene.autoscaler.status!.desiredReplicas, 4);
    aged(scene);
    scene.use = 10;
    await scene.turn(2);
    assert.equal(scene.replicas, 4);
    assert.equal(scene.conditions().AbleToScale, 'True ScaleDownStabilized');
    await scene.turn(20);
    assert.equal(scene.replicas, 1);
    assert.ok(scene.events().at(-1)!.endsWith('reason: All metrics below target'));
    assert.deepEqual(scene.conditions(), {
      AbleToScale: 'True ReadyForNewScale',
      ScalingActive: 'True ValidMetricFound',
      ScalingLimited: 'False DesiredWithinRange',
    });
    await scene.cluster.stop();
  });

  it('obeys the policies of behavior', async () => {
    const scaleDown = { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] };
    const scene = await startAged(makeAutoscaler({ behavior: { scaleDown } }), 5);
    scene.use = 10;
    await scene.turn();
    assert.equal(scene.replicas, 4);
    await scene.turn();
    assert.equal(scene.replicas, 4);
    assert.equal(scene.conditions().ScalingLimited, 'True ScaleDownLimit');
    await scene.turn(3);
    assert.equal(scene.replicas, 3);
    await scene.cluster.stop();
  });

  it('keeps to its limits whatever is measured', async () => {
    const scene = await startAged(makeAutoscaler({ minReplicas: 3, maxReplicas: 4 }), 2);
    assert.equal(scene.replicas, 3);
    assert.deepEqual(scene.events(), [
      'SuccessfulRescale: New size: 3; reason: Current number of replicas below Spec.MinReplicas',
    ]);
    scene.use = 500;
    await scene.turn();
    aged(scene);
    await scene.turn(2);
    assert.equal(scene.replicas, 4);
    assert.equal(scene.conditions().ScalingLimited, 'True TooManyReplicas');
    await scene.cluster.stop();
  });

  it('leaves alone what was scaled to nothing', async () => {
    const scene = await startAged(makeAutoscaler(), 0);
    assert.equal(scene.replicas, 0);
    assert.equal(scene.conditions().ScalingActive, 'False ScalingDisabled');
    await scene.cluster.stop();
  });

  it('says what is missing when metrics cannot be read', async () => {
    const scene = await new Scene();
    scene.other.set('metrics.k8s.io', { status: 404, body: NOT_FOUND });
    await scene.start();
    const detail =
      'failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)';
    assert.deepEqual(scene.events(), [
      `FailedGetResourceMetric: ${detail}`,
      `FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${detail}`,
    ]);
    const active = scene.autoscaler.status!.conditions!.find((c) => c.type === 'ScalingActive')!;
    assert.deepEqual(
      [active.reason, active.message],
      ['FailedGetResourceMetric', `the HPA was unable to compute the replica count: ${detail}`],
    );
    assert.equal(scene.replicas, 2);
    await scene.cluster.stop();
  });

  it('does not scale down while one of its metrics fails', async () => {
    const external: MetricSpec = {
      type: 'External',
      external: { metric: { name: 'queue' }, target: { type: 'Value', value: '10' } },
    };
    const scene = await startAged(makeAutoscaler({ metrics: [cpu, external] }), 4);
    scene.use = 10;
    await scene.turn(30);
    assert.equal(scene.replicas, 4);
    assert.equal(scene.conditions().ScalingActive, 'False FailedGetExternalMetric');
    scene.use = 100;
    await scene.turn();
    assert.equal(scene.replicas, 8);
    await scene.cluster.stop();
  });

  it('asks the custom and external metrics APIs where there are any', async () => {
    const metrics: readonly MetricSpec[] = [
      { type: 'Pods', pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '10' } } },
      {
        type: 'External',
        external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '5' } },
      },
    ];
    const scene = new Scene();
    const items = (value: string) => ({
      body: { items: [{ describedObject: { name: 'x' }, timestamp: formatTime(0), value }] },
    });
    scene.other.set('external.metrics.k8s.io', items('30'));
    scene.other.set('custom.metrics.k8s.io', {
      body: { name: 'custom.metrics.k8s.io', versions: [{ version: 'v1beta1' }] },
    });
    await scene.start(makeAutoscaler({ metrics }));
    // The custom API has the group but no values; the queue of thirty wants six.
    assert.equal(scene.replicas, 4);
    await scene.turn();
    assert.equal(scene.replicas, 6);
    await scene.turn();
    assert.ok(scene.events().some((e) => e.startsWith('FailedGetPodsMetric: unable to get metric rps: no metrics')));
    assert.deepEqual(scene.autoscaler.status!.currentMetrics![1]!.external!.current, { averageValue: '5' });
    await scene.cluster.stop();
  });

  it('refuses a target that is not there, and pods that two autoscalers want', async () => {
    const scene = await startAged(
      makeAutoscaler({ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' } }),
    );
    assert.equal(scene.conditions().AbleToScale, 'False FailedGetScale');
    await scene.cluster.put(horizontalpodautoscalers, makeAutoscaler());
    await scene.cluster.put(horizontalpodautoscalers, makeAutoscaler({}, 'second'));
    await scene.turn(2);
    assert.equal(scene.conditions().ScalingActive, 'False AmbiguousSelector');
    assert.ok(
      scene
        .events()
        .includes(
          'AmbiguousSelector: pods by selector app=web are controlled by multiple HPAs: [default/second default/web]',
        ),
    );
    await scene.cluster.stop();
  });
});
