import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import type { Node } from '#generated/api/core-v1.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { type PodNetworkMode, wiringFaults, wiringFor } from '#netmodel/pod-network.ts';
import { nodes as nodeResource } from '#generated/resources.ts';
import { FakeWiringKernel } from './fake-kernel.ts';
import { PodNetwork } from './pod-network.ts';

const makeNode = (name: string, number: number, podCIDR: string | undefined = `10.244.${number}.0/24`): Node => ({
  metadata: { name },
  spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
  status: { addresses: [{ type: 'InternalIP', address: `192.168.77.${number}` }] },
});
const RESYNC_MS = 300_000;

describe('PodNetwork', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coracle-pod-network-'));
  const networks: PodNetwork[] = [];
  afterEach(async () => {
    for (const network of networks.splice(0)) await network.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(mode: PodNetworkMode, nodes: readonly Node[], kernel = new FakeWiringKernel()) {
    const api = new TestApi();
    for (const node of nodes) api.put(nodeResource, node);
    const clock = new SteppedClock();
    const client = createClient({
      transport: createInProcessTransport(api.exchange, { name: 'node', groups: [] }),
      clock,
      userAgent: 'test',
    });
    const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog }, { freeze: true });
    const options = { mode, nodeName: 'one', nodeIPs: ['192.168.77.1'] };
    const network = new PodNetwork({
      ...options,
      nodes: informers.informer(nodeResource),
      kernel,
      clock,
      log: silentLog,
      cni: { confDir: folder, dataDir: '/run/addresses' },
    });
    networks.push(network);
    const signal = new AbortController().signal;
    let isReady = false;
    void network.ready(signal).then(() => (isReady = true));
    const pass = async () => {
      await settle();
      await clock.step(50);
      await settle();
    };
    const started = Promise.all([informers.start(signal), network.start(signal)]);
    await pass();
    await started;
    await pass();
    return {
      api,
      clock,
      kernel,
      pass,
      isReady: () => isReady,
      /** What is wrong in the kernel, given these nodes. */
      faults: (now: readonly Node[]) =>
        wiringFaults(wiringFor({ ...options, underlay: kernel.underlay! }, now), kernel.wiring),
      mtu: () =>
        (JSON.parse(readFileSync(join(folder, '10-coracle.conflist'), 'utf8')) as { plugins: { mtu: number }[] })
          .plugins[0]!.mtu,
    };
  }
  const [one, two, three] = [makeNode('one', 1), makeNode('two', 2), makeNode('three', 3)];

  for (const [mode, mtu] of [
    ['routes', 1500],
    ['vxlan', 1450],
  ] as const) {
    it(`brings up ${mode} with its size, then is ready`, async () => {
      const bed = await start(mode, [one, two]);
      assert.deepEqual(bed.faults([one, two]), []);
      assert.equal(bed.mtu(), mtu);
      assert.ok(bed.isReady());
    });

    it(`follows nodes that come and go with ${mode}, without reading the kernel`, async () => {
      const bed = await start(mode, [one, two]);
      bed.kernel.log.length = 0;
      bed.api.put(nodeResource, three);
      await bed.pass();
      assert.deepEqual(bed.faults([one, two, three]), []);
      bed.api.remove(nodeResource, 'two');
      await bed.pass();
      assert.deepEqual(bed.faults([one, three]), []);
      assert.equal(bed.kernel.routes.size, 2);
      assert.ok(!bed.kernel.log.includes('read'));
    });
  }

  it('says nothing to the kernel when a node changes in what does not matter', async () => {
    const bed = await start('vxlan', [one, two]);
    bed.kernel.log.length = 0;
    bed.api.put(nodeResource, { ...two, metadata: { ...two.metadata, labels: { zone: 'a' } } });
    await bed.pass();
    assert.deepEqual(bed.kernel.log, []);
  });

  it('waits for the range of its node', async () => {
    const bed = await start(
      'vxlan',
      [makeNode('one', 1, undefined), two].map((n, i) => (i === 0 ? { ...n, spec: {} } : n)),
    );
    assert.ok(!bed.isReady());
    assert.deepEqual(bed.kernel.log, []);
    bed.api.put(nodeResource, one);
    await bed.pass();
    assert.ok(bed.isReady());
  });

  it('adopts what an earlier agent left, and mends the rest', async () => {
    const first = await start('vxlan', [one, two]);
    first.kernel.log.length = 0;
    const again = await start('vxlan', [one, two], first.kernel);
    assert.deepEqual(again.kernel.log, ['read']);
    again.kernel.takeDown();
    const third = await start('vxlan', [one, two], again.kernel);
    assert.deepEqual(third.faults([one, two]), []);
  });

  it('replaces the tunnel by routes', async () => {
    const first = await start('vxlan', [one, two]);
    const bed = await start('routes', [one, two], first.kernel);
    assert.equal(bed.kernel.link, undefined);
    assert.deepEqual(bed.faults([one, two]), []);
    assert.equal(bed.mtu(), 1500);
  });

  it('tries again after a refusal, from what is there then', async () => {
    const bed = await start('vxlan', [one, two]);
    bed.kernel.failNext = new Error('kernel says no');
    bed.api.put(nodeResource, three);
    await bed.pass();
    assert.notDeepEqual(bed.faults([one, two, three]), []);
    await bed.clock.step(1000);
    await bed.pass();
    assert.deepEqual(bed.faults([one, two, three]), []);
  });

  it('mends in time what somebody else broke, and follows the size of the switch', async () => {
    const bed = await start('vxlan', [one, two]);
    bed.kernel.takeDown();
    bed.kernel.underlay = { device: 'eth0', mtu: 1400 };
    await bed.clock.step(RESYNC_MS);
    await bed.pass();
    assert.deepEqual(bed.faults([one, two]), []);
    assert.equal(bed.mtu(), 1350);
  });

  it('lets packets through the tunnel whose answers go another way', async () => {
    const bed = await start('vxlan', [one, two]);
    assert.ok(bed.kernel.settingsWritten.includes('net/ipv4/conf/coracle.vxlan/rp_filter=0'));
  });
});
