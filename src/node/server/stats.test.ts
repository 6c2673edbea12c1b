import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { FakeCgroups } from '#host/cgroups.ts';
import type { ContainerStats } from '../cri/messages.ts';
import { resourceMetrics } from './http-metrics.ts';
import { type StatsDeps, StatsSource } from './stats.ts';

const NODE = '/node';
const POD = '/node/pod-1';

/** Groups that use what the test says. */
class UsedCgroups extends FakeCgroups {
  readonly used = new Map<string, { memoryBytes: number; workingSetBytes: number; cpuNanos: number }>();

  override usage(path = ''): { memoryBytes: number; workingSetBytes: number; cpuNanos: number } {
    return this.used.get(path) ?? super.usage();
  }
}

function scene() {
  const clock = new SteppedClock();
  const cgroups = new UsedCgroups();
  cgroups.create(POD, {});
  let stats: readonly ContainerStats[] = [];
  const container = { id: 'c1', name: 'web', state: 'running', startedAtMs: clock.now() };
  const deps = {
    runtime: { listContainerStats: async () => stats },
    cache: { all: () => [{ uid: 'u1', namespace: 'default', name: 'web-1', sandboxes: [], containers: [container] }] },
    clock,
    cgroups,
    options: { nodeName: 'node-1', cgroupRoot: NODE },
    machine: { memoryBytes: 1000 },
    pods: () => [{ metadata: { uid: 'u1', name: 'web-1', namespace: 'default' } }],
    podCgroup: () => POD,
  } as unknown as StatsDeps;
  return {
    clock,
    source: new StatsSource(deps),
    use(nodeNanos: number, podNanos: number, containerNanos: number) {
      cgroups.used.set(NODE, { memoryBytes: 400, workingSetBytes: 300, cpuNanos: nodeNanos });
      cgroups.used.set(POD, { memoryBytes: 90, workingSetBytes: 80, cpuNanos: podNanos });
      const timestamp = clock.now() * 1e6;
      const attributes = { id: 'c1', metadata: { name: 'web' }, labels: {} };
      stats = [
        {
          attributes,
          cpu: { timestamp, usageCoreNanoSeconds: { value: containerNanos } },
          memory: { timestamp, workingSetBytes: { value: 60 } },
        },
      ] as unknown as readonly ContainerStats[];
    },
  };
}

describe('StatsSource', () => {
  it('reads nodes and pods from their groups, and containers from the runtime', async () => {
    const { source, use } = scene();
    use(9e9, 5e9, 4e9);
    const { node, pods } = await source.summary();
    assert.deepEqual([node.memory.workingSetBytes, node.memory.availableBytes], [300, 700]);
    const [pod] = pods;
    assert.deepEqual([pod!.cpu.usageCoreNanoSeconds, pod!.memory.workingSetBytes], [5e9, 80]);
    assert.deepEqual(
      [pod!.containers[0]!.cpu.usageCoreNanoSeconds, pod!.containers[0]!.memory.workingSetBytes],
      [4e9, 60],
    );
  });

  it('makes rates of two readings, and none of readings that lie too close', async () => {
    const { clock, source, use } = scene();
    use(0, 0, 0);
    assert.equal((await source.summary()).node.cpu.usageNanoCores, undefined);
    await clock.step(2_000);
    use(1e9, 5e8, 4e8);
    const rates = async () => {
      const { node, pods } = await source.summary();
      return [node.cpu, pods[0]!.cpu, pods[0]!.containers[0]!.cpu].map((cpu) => cpu.usageNanoCores);
    };
    assert.deepEqual(await rates(), [5e8, 2.5e8, 2e8]);
    // Somebody else asks a moment later: the answer is no rate over a few milliseconds.
    await clock.step(10);
    use(1.5e9, 1e9, 1e9);
    assert.deepEqual(await rates(), [5e8, 2.5e8, 2e8]);
  });

  it('prints what metrics-server reads, to the millisecond', async () => {
    const { clock, source, use } = scene();
    await clock.step(1_234);
    use(9e9, 5e9, 4e9);
    const lines = resourceMetrics(await source.summary()).split('\n');
    const labels = 'namespace="default",pod="web-1"';
    for (const line of [
      `node_cpu_usage_seconds_total 9 ${clock.now()}`,
      `node_memory_working_set_bytes 300 ${clock.now()}`,
      `pod_cpu_usage_seconds_total{${labels}} 5 ${clock.now()}`,
      `container_cpu_usage_seconds_total{container="web",${labels}} 4 ${clock.now()}`,
      `container_memory_working_set_bytes{container="web",${labels}} 60 ${clock.now()}`,
      'resource_scrape_error 0',
    ])
      assert.ok(lines.includes(line), line);
  });
});
