// The whole loop with a node whose memory, disk and pods are told to it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodSpec } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { FakeCgroups } from '#host/cgroups.ts';
import { Eviction, type EvictionRequest } from './eviction.ts';
import type { EvictionOptions } from './thresholds.ts';

const MI = 1024 ** 2;
const CAPACITY = 1000 * MI;

function startEviction(options: EvictionOptions) {
  const clock = new SteppedClock();
  const cgroups = new FakeCgroups();
  const metrics = new MetricsRegistry();
  const pods: Pod[] = [];
  const evicted = new Map<string, EvictionRequest>();
  const events: string[] = [];
  const pressures: string[] = [];
  const node = { diskFree: 500 * MI, reclaimable: 0, reclaims: 0, cleanedUp: true };
  const disks = new Map<string, number>();
  const use = (path: string, bytes: number) =>
    cgroups.usages.set(path, { memoryBytes: bytes, workingSetBytes: bytes, cpuNanos: 0 });
  const eviction = new Eviction({
    clock,
    log: silentLog,
    events: { event: (_about, _ref, _type, reason, message) => void events.push(`${reason}: ${message}`) },
    metrics,
    nodeName: 'n',
    options,
    runtime: { imageFsInfo: async () => [], listContainerStats: async () => [] } as never,
    cache: { get: (uid) => ({ uid, namespace: 'default', name: uid, sandboxes: [], containers: [] }) },
    files: {
      readText: () => undefined,
      statfs: async () => ({ totalBytes: CAPACITY, availableBytes: node.diskFree, inodes: 0, inodesFree: 0 }),
      usage: async (path) => ({ bytes: disks.get(path) ?? 0, inodes: 0 }),
    },
    cgroups,
    rootDir: '/r',
    logsRoot: '/r/log',
    cgroupRoot: '/n',
    memory: { bytes: CAPACITY, isShare: true },
    podCgroup: (pod) => `/n/${pod.metadata.uid}`,
    activePods: () => pods.filter((p) => !evicted.has(p.metadata.uid!)),
    evict: (pod, request) => void evicted.set(pod.metadata.uid!, request),
    isCleanedUp: () => node.cleanedUp,
    reclaimDisk: async () => {
      node.reclaims++;
      node.diskFree += node.reclaimable;
    },
    onPressureChange: () => void pressures.push(eviction.pressures.join()),
  });
  const stop = new AbortController();
  const running = eviction.run(stop.signal);
  return {
    clock,
    metrics,
    node,
    events,
    evicted,
    pressures,
    disks,
    useNode: (mi: number) => use('/n', mi * MI),
    addPod: (uid: string, mi: number, spec: Partial<PodSpec> = {}) => {
      pods.push({
        metadata: { name: uid, namespace: 'default', uid },
        spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
      } as Pod);
      use(`/n/${uid}`, mi * MI);
    },
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

describe('Eviction', () => {
  it('ends one pod at a time until there is room again', async () => {
    const bed = startEviction({ hard: 'memory.available<100Mi' });
    bed.useNode(800);
    bed.addPod('small', 10);
    bed.addPod('large', 500);
    await bed.clock.step(10_000);
    assert.equal(bed.evicted.size, 0);
    bed.useNode(950);
    await bed.clock.step(10_000);
    assert.deepEqual([...bed.evicted.keys()], ['large']);
    bed.useNode(450);
    await bed.clock.step(60_000);
    assert.deepEqual([...bed.evicted.keys()], ['large']);
    assert.deepEqual(bed.evicted.get('large'), {
      message: 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ',
      graceSeconds: 1,
      disrupted: true,
    });
    assert.match([...bed.metrics.print()].join(''), /^kubelet_evictions\{eviction_signal="memory.available"\} 1$/m);
    assert.equal(bed.events[0], 'EvictionThresholdMet: Attempting to reclaim memory');
    assert.match(bed.events[1]!, /^Evicted: The node was low on resource: memory/);
    await bed.stop();
  });

  it('waits for a pod to be gone, for half a minute at most, before the next', async () => {
    const bed = startEviction({ hard: 'memory.available<100Mi' });
    bed.node.cleanedUp = false;
    bed.useNode(950);
    bed.addPod('a', 300);
    bed.addPod('b', 200);
    await bed.clock.step(29_000);
    assert.deepEqual([...bed.evicted.keys()], ['a']);
    await bed.clock.step(2000);
    assert.deepEqual([...bed.evicted.keys()], ['a', 'b']);
    await bed.stop();
  });

  it('tells the pressure at once, and its end after the transition period', async () => {
    const bed = startEviction({ hard: 'memory.available<100Mi', pressureTransitionPeriodMs: 60_000 });
    bed.useNode(950);
    await bed.clock.step(100);
    assert.deepEqual(bed.pressures, ['MemoryPressure']);
    bed.useNode(100);
    await bed.clock.step(50_000);
    assert.deepEqual(bed.pressures, ['MemoryPressure']);
    await bed.clock.step(20_000);
    assert.deepEqual(bed.pressures, ['MemoryPressure', '']);
    await bed.stop();
  });

  it('gives a pod the grace of a soft threshold, once that has been met for long enough', async () => {
    const bed = startEviction({
      hard: '',
      soft: 'memory.available<100Mi',
      softGracePeriod: 'memory.available=30s',
      maxPodGracePeriodSeconds: 20,
    });
    bed.useNode(950);
    bed.addPod('a', 300);
    await bed.clock.step(25_000);
    assert.equal(bed.evicted.size, 0);
    await bed.clock.step(10_000);
    assert.equal(bed.evicted.get('a')?.graceSeconds, 20);
    await bed.stop();
  });

  it('spares what the system needs', async () => {
    const bed = startEviction({ hard: 'memory.available<100Mi' });
    bed.useNode(950);
    bed.addPod('critical', 900, { priority: 2_000_000_000 });
    bed.addPod('other', 1);
    await bed.clock.step(60_000);
    assert.deepEqual([...bed.evicted.keys()], ['other']);
    await bed.stop();
  });

  it('frees the disk of what nobody uses, and ends no pod when that is enough', async () => {
    const bed = startEviction({ hard: 'nodefs.available<10%' });
    bed.addPod('a', 1);
    bed.node.diskFree = 50 * MI;
    bed.node.reclaimable = 100 * MI;
    await bed.clock.step(10_000);
    assert.deepEqual([bed.node.reclaims, bed.evicted.size], [1, 0]);
    assert.deepEqual(bed.pressures, ['DiskPressure']);
    bed.node.diskFree = 50 * MI;
    bed.node.reclaimable = 0;
    await bed.clock.step(10_000);
    assert.match(
      bed.evicted.get('a')!.message,
      /^The node was low on resource: ephemeral-storage. Threshold quantity: 100Mi, available: 50Mi. /,
    );
    await bed.stop();
  });

  it('ends a pod whose emptyDir is over its limit, with room on the node or without', async () => {
    const bed = startEviction({});
    bed.addPod('a', 1, { volumes: [{ name: 'v', emptyDir: { sizeLimit: '5Mi' } }] });
    bed.disks.set('/r/pods/a/volumes/kubernetes.io~empty-dir/v', 6 * MI);
    await bed.clock.step(10_000);
    assert.deepEqual(bed.evicted.get('a'), {
      message: 'Usage of EmptyDir volume "v" exceeds the limit "5Mi". ',
      graceSeconds: 1,
      disrupted: false,
    });
    await bed.stop();
  });
});
