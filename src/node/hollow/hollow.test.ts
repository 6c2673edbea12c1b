import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { csinodes, leases, nodes, pods } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { ENDS_ANNOTATION } from '../cri/fake.ts';
import { createHollowKubelet, hollowFiles } from './hollow.ts';

async function startHollow() {
  const api = new TestApi();
  const clock = new SteppedClock();
  const random = new SeededRandom(1);
  const log = silentLog;
  const client = createClient({
    transport: { request: (r) => api.exchange(r as never), close: async () => {} },
    clock,
    userAgent: 'test',
    freeze: true,
  });
  const informers = createInformers({ client, clock, random, log });
  const kubelet = createHollowKubelet({
    client,
    informers,
    events: { event() {} },
    clock,
    random,
    log,
    metrics: new MetricsRegistry(),
    machineFiles: { readText: () => undefined },
    ipOf: (n) => `10.244.3.${n + 2}`,
    options: {
      nodeName: 'hollow-1',
      nodeIPs: ['192.0.2.21'],
      rootDir: '/hollow-1',
      volumesDir: '/volumes',
      cgroupRoot: '/hollow-1',
      clusterDnsIPs: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      cpus: '4',
      memory: '8Gi',
    },
  });
  const signal = new AbortController().signal;
  await Promise.all([informers.start(signal), kubelet.start(signal)]);
  await clock.step(10);
  const stop = async () => {
    await kubelet.stop();
    await informers.stop();
  };
  return { api, clock, kubelet, stop };
}

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    nodeName: 'hollow-1',
    containers: [{ name: 'c', image: 'web:1', readinessProbe: { httpGet: { port: 80 } } }],
  },
} as Pod;

describe('createHollowKubelet', () => {
  it('registers a Ready node with its lease and driver', async () => {
    const { api, stop } = await startHollow();
    const node = api.find(nodes, 'hollow-1');
    assert.equal(node?.status?.conditions?.find((c) => c.type === 'Ready')?.status, 'True');
    assert.equal(node?.status?.capacity?.cpu, '4');
    assert.equal(node?.status?.capacity?.memory, '8Gi');
    assert.equal(api.find(leases, 'kube-node-lease/hollow-1')?.spec?.holderIdentity, 'hollow-1');
    assert.equal(api.find(csinodes, 'hollow-1')?.spec.drivers[0]?.name, 'volumes.coracle.dev');
    await stop();
  });

  it('takes a pod to Running and Ready, and to its end', async () => {
    const { api, clock, stop } = await startHollow();
    api.put(pods, pod);
    await clock.step(100);
    const running = api.find(pods, 'default/web')!;
    assert.equal(running.status?.phase, 'Running');
    assert.equal(running.status?.podIP, '10.244.3.2');
    assert.equal(running.status?.containerStatuses?.[0]?.ready, true);
    const { metadata } = running;
    api.put(pods, {
      ...running,
      metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 },
    });
    await clock.step(100);
    assert.equal(api.find(pods, 'default/web'), undefined);
    await stop();
  });

  it('ends containers when their pod says so', async () => {
    const { api, clock, stop } = await startHollow();
    const annotations = { [ENDS_ANNOTATION]: '3s:7' };
    api.put(pods, {
      ...pod,
      metadata: { ...pod.metadata, annotations },
      spec: { ...pod.spec!, restartPolicy: 'Never' },
    });
    await clock.step(2000);
    assert.equal(api.find(pods, 'default/web')!.status?.phase, 'Running');
    await clock.step(3000);
    const { status } = api.find(pods, 'default/web')!;
    assert.equal(status?.phase, 'Failed');
    assert.equal(status.containerStatuses?.[0]?.state?.terminated?.exitCode, 7);
    await stop();
  });

  it('refuses exec by name', async () => {
    const { api, clock, kubelet, stop } = await startHollow();
    api.put(pods, pod);
    await clock.step(100);
    await assert.rejects(kubelet.server.run('default', 'web', 'c', ['true'], 1), /this node is hollow/);
    await stop();
  });
});

describe('hollowFiles', () => {
  it('knows mounted disks by their records and by nothing else, until the record goes', () => {
    const files = hollowFiles({ readText: () => undefined });
    const volumes = '/hollow-1/pods/uid/volumes/kubernetes.io~csi';
    files.write(`${volumes}/data/vol_data.json`, '{}');
    files.write('/hollow-1/pods/other/etc-hosts', 'text');
    assert.deepEqual([files.list('/hollow-1/pods'), files.list(volumes)], [['uid'], ['data']]);
    assert.equal(files.readText(`${volumes}/data/vol_data.json`), '{}');
    files.unlink(`${volumes}/data/vol_data.json`);
    assert.deepEqual([files.list('/hollow-1/pods'), files.list(volumes)], [[], []]);
  });
});
