import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node } from '#generated/api/core-v1.ts';
import { nodes } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import type { FileSystem } from '#host/file-system.ts';
import { FakeRuntime } from '../cri/fake.ts';
import { NodeReporter } from './node-reporter.ts';

const READY = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' };

/** A reporter whose pod network gets ready when told. */
async function startReporter(existing?: Node) {
  const api = new TestApi();
  const clock = new SteppedClock();
  if (existing !== undefined) api.put(nodes, existing);
  const client = createClient({
    transport: { request: (r) => api.exchange(r as never), close: async () => {} },
    clock,
    userAgent: 'test',
    freeze: true,
  });
  let networkIsReady = () => {};
  const reporter = new NodeReporter({
    client,
    clock,
    log: silentLog,
    runtime: new FakeRuntime({ clock, random: new SeededRandom(1), ipOf: () => '10.244.0.2' }),
    files: {
      statfs: async () => ({ totalBytes: 100, availableBytes: 100, inodes: 100, inodesFree: 100 }),
      readText: () => undefined,
    } as unknown as FileSystem,
    network: {
      ready: () => new Promise((resolve) => (networkIsReady = resolve)),
      policiesInForce: async () => {},
      podGone: () => {},
    },
    options: {
      nodeName: 'node-1',
      nodeIPs: ['192.0.2.11'],
      rootDir: '/node-1',
      volumesDir: '/volumes',
      cgroupRoot: '/node-1',
      clusterDnsIPs: [],
      clusterDomain: 'cluster.local',
    },
    machine: { cpuMillis: 1000, memoryBytes: 1 << 30, architecture: 'amd64' } as never,
    volumesInUse: () => [],
    runtimeAgeMs: () => 0,
    maxPods: 110,
    pressures: () => [],
  });
  const stop = new AbortController();
  await reporter.register(stop.signal);
  const running = reporter.run(stop.signal);
  await clock.step(10);
  return {
    api,
    clock,
    networkIsReady: () => networkIsReady(),
    ready: () => api.find(nodes, 'node-1')?.status?.conditions?.find((c) => c.type === 'Ready')?.status,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

describe('NodeReporter', () => {
  it('reports a new node Ready once its network is', async () => {
    const bed = await startReporter();
    assert.equal(bed.ready(), 'False');
    bed.networkIsReady();
    await bed.clock.step(10);
    assert.equal(bed.ready(), 'True');
    await bed.stop();
  });

  const known: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' }, status: { conditions: [READY] } };

  it('writes nothing while nothing changes, whatever form the API keeps', async () => {
    const bed = await startReporter();
    bed.networkIsReady();
    await bed.clock.step(10);
    const node = bed.api.find(nodes, 'node-1')!;
    assert.equal(node.status!.capacity?.memory, '1Gi');
    assert.equal(node.status!.allocatable?.memory, '924Mi', 'less what eviction keeps free');
    // As the API server keeps it: without the directive of the patch, and without what is empty.
    const addresses = node.status!.addresses!.filter((a) => !('$patch' in a));
    const { images: _images, volumesInUse: _inUse, ...status } = node.status!;
    bed.api.put(nodes, { ...node, status: { ...status, addresses } });
    const { resourceVersion } = bed.api.find(nodes, 'node-1')!.metadata;
    await bed.clock.step(60_000);
    assert.equal(bed.api.find(nodes, 'node-1')!.metadata.resourceVersion, resourceVersion);
    await bed.stop();
  });

  it('does not take back the Ready of the kubelet before it while the network takes its moment', async () => {
    const bed = await startReporter(known);
    assert.equal(bed.ready(), 'True');
    await bed.clock.step(20_000);
    assert.equal(bed.ready(), 'True');
    bed.networkIsReady();
    await bed.clock.step(60_000);
    assert.equal(bed.ready(), 'True');
    await bed.stop();
  });

  it('takes it back when the network does not come', async () => {
    const bed = await startReporter(known);
    await bed.clock.step(45_000);
    assert.equal(bed.ready(), 'False');
    await bed.stop();
  });

  it('does not begin with Ready where the node was not', async () => {
    const bed = await startReporter({ ...known, status: { conditions: [{ ...READY, status: 'Unknown' }] } });
    assert.equal(bed.ready(), 'False');
    await bed.stop();
  });
});
