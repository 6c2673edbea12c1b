import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { FakeCgroups } from '#host/cgroups.ts';
import { type MeasureDeps, measurePods, observe } from './measure.ts';

const MI = 1024 ** 2;
const TEXTS: Record<string, string> = {
  '/proc/meminfo': 'MemTotal:  8388608 kB\nMemAvailable:    204800 kB\n',
  '/proc/sys/kernel/pid_max': '4000\n',
  '/proc/sys/kernel/threads-max': '3000\n',
  '/proc/loadavg': '0.10 0.20 0.30 2/1000 77\n',
};

function makeDeps(isShare: boolean, images = '/images'): MeasureDeps {
  const cgroups = new FakeCgroups();
  const use = (path: string, bytes: number) =>
    cgroups.usages.set(path, { memoryBytes: bytes, workingSetBytes: bytes, cpuNanos: 0 });
  use('/n', 300 * MI);
  use('/n/u', 40 * MI);
  const sizes: Record<string, number> = {
    '/r/log/default_p_u/c': 2,
    '/r/pods/u/volumes/kubernetes.io~empty-dir/disk': 5,
  };
  return {
    cgroups,
    cgroupRoot: '/n',
    rootDir: '/r',
    logsRoot: '/r/log',
    memory: { bytes: 1000 * MI, isShare },
    podCgroup: (pod) => `/n/${pod.metadata.uid}`,
    files: {
      readText: (path) => TEXTS[path],
      statfs: async (path) =>
        path === '/r'
          ? { totalBytes: 100, availableBytes: 60, inodes: 10, inodesFree: 4 }
          : { totalBytes: 200, availableBytes: 150, inodes: 0, inodesFree: 0 },
      usage: async (path) => ({ bytes: (sizes[path] ?? 0) * MI, inodes: 1 }),
    },
    cache: {
      get: (uid) => ({
        uid,
        namespace: 'default',
        name: 'p',
        sandboxes: [],
        containers: [
          { id: 'id', name: 'c', state: 'running' } as never,
          { id: 'old', name: 'c', state: 'exited' } as never,
        ],
      }),
    },
    runtime: {
      imageFsInfo: async () => [{ mountpoint: images, usedBytes: 0, inodesUsed: 0 }],
      listContainerStats: async () => [
        {
          attributes: { id: 'id' },
          memory: { workingSetBytes: { value: 30 * MI } },
          writableLayer: { usedBytes: { value: 3 * MI } },
        },
      ],
    } as never,
  };
}

describe('observe', () => {
  it('takes a node that was given a share from its own control group', async () =>
    assert.deepEqual((await observe(makeDeps(true))).get('memory.available'), {
      available: 700 * MI,
      capacity: 1000 * MI,
    }));

  it('takes the machine’s when others may have filled it', async () =>
    assert.equal((await observe(makeDeps(false))).get('memory.available')?.available, 200 * MI));

  it('looks at the disk of the pods, at that of the images, and at processes', async () => {
    const seen = await observe(makeDeps(true));
    assert.deepEqual(seen.get('nodefs.available'), { available: 60, capacity: 100 });
    assert.deepEqual(seen.get('nodefs.inodesFree'), { available: 4, capacity: 10 });
    assert.deepEqual(seen.get('imagefs.available'), { available: 150, capacity: 200 });
    assert.equal(seen.has('imagefs.inodesFree'), false, 'a file system without a number of inodes');
    assert.deepEqual(seen.get('pid.available'), { available: 2000, capacity: 3000 });
  });

  it('leaves out what the runtime does not say', async () =>
    assert.equal((await observe(makeDeps(true, ''))).has('imagefs.available'), false));
});

describe('measurePods', () => {
  const pod = {
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: {
      containers: [{ name: 'c' }],
      volumes: [
        { name: 'disk', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory' } },
        { name: 'map', configMap: { name: 'm' } },
      ],
    },
  } as unknown as Pod;

  it('sums layer and log of containers that run, and emptyDirs on the disk', async () => {
    const usage = (await measurePods([pod], () => true, makeDeps(true)))(pod)!;
    assert.equal(usage.memoryBytes, 40 * MI);
    assert.deepEqual(usage.containers, [{ name: 'c', memoryBytes: 30 * MI, diskBytes: 5 * MI, inodes: 1 }]);
    assert.deepEqual([...usage.volumes], [['disk', { bytes: 5 * MI, inodes: 1 }]]);
  });

  it('reads no folder where the disk does not matter', async () => {
    const usage = (await measurePods([pod], () => false, makeDeps(true)))(pod)!;
    assert.deepEqual([usage.containers[0]!.diskBytes, usage.volumes.size], [3 * MI, 0]);
  });
});
