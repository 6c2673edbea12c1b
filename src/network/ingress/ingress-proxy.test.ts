import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Secret } from '#generated/api/core-v1.ts';
import { endpointslices, ingressclasses, ingresses, secrets, services } from '#generated/resources.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import {
  makeIngress,
  makeIngressService,
  makeIngressSlices,
  ourClass,
  type ServiceSketch,
} from '#netmodel/ingress-builders.ts';
import { FakeProxy } from './fake-proxy.ts';
import { ProgramMissing } from './haproxy.ts';
import { IngressProxy } from './ingress-proxy.ts';

const certificates = (data: Record<string, string>): Secret => ({
  metadata: { name: 'ingress-certificates', namespace: 'kube-system' },
  data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString('base64')])),
});

async function makeNode(t: TestContext) {
  const api = new TestApi();
  const clock = new SteppedClock();
  const proxy = new FakeProxy();
  const events: string[] = [];
  const transport = createInProcessTransport(api.exchange, { name: 'node', groups: [] });
  const client = createClient({ transport, clock, userAgent: 'test' });
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog }, { freeze: true });
  const pass = async (ms = 50): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      await settle();
      await clock.step(ms / 5);
    }
    await settle();
  };
  const make = () =>
    new IngressProxy({
      proxy,
      ingresses: informers.informer(ingresses),
      services: informers.informer(services),
      slices: informers.informer(endpointslices),
      more: () => ({ classes: informers.informer(ingressclasses), certificates: informers.informer(secrets) }),
      events: {
        event: (about, _ref, type, reason, message) =>
          void events.push(`${about.metadata.name} ${type} ${reason} ${message}`),
      },
      clock,
      log: silentLog,
      metrics: new MetricsRegistry(),
      nodeName: 'one',
      place: { folder: '/run/x', addresses: ['192.168.77.1'], httpPort: 10080, httpsPort: 10443, threads: 1 },
    });
  const start = async (ingress: IngressProxy): Promise<void> => {
    const signal = new AbortController().signal;
    const started = Promise.all([informers.start(signal), ingress.start(signal)]);
    await pass();
    await started;
  };
  const putService = (name: string, sketch: ServiceSketch): void => {
    const key = `shop/${name}`;
    api.put(services, makeIngressService(key, sketch));
    for (const slice of makeIngressSlices(key, sketch)) api.put(endpointslices, slice);
  };
  api.put(ingressclasses, ourClass);
  const ingress = make();
  t.after(() => Promise.all([ingress.stop(), informers.stop()]));
  return { api, clock, proxy, events, pass, make, start, putService, ingress };
}

describe('IngressProxy', () => {
  it('runs nothing, and watches little, until there is an Ingress', async (t) => {
    const node = await makeNode(t);
    await node.start(node.ingress);
    await node.pass();
    assert.equal(node.proxy.starts.length, 0);
    assert.ok(!node.api.requests.some((r) => /secrets|ingressclasses/.test(r)));
  });

  it('starts with the first Ingress once it has a certificate to show, and stops with the last', async (t) => {
    const node = await makeNode(t);
    await node.start(node.ingress);
    node.putService('web', { endpoints: ['10.244.1.1:8080'] });
    node.api.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    await node.pass();
    assert.equal(node.proxy.starts.length, 0);
    node.api.put(secrets, certificates({ default: 'D' }));
    await node.pass();
    assert.equal(node.proxy.starts.length, 1);
    assert.match(node.proxy.configuration!.text, /server s1 10\.244\.1\.1:8080/);
    node.api.remove(ingresses, 'shop/a');
    await node.pass();
    assert.equal(node.proxy.running(), undefined);
  });

  const running = async (t: TestContext) => {
    const node = await makeNode(t);
    node.putService('web', { endpoints: ['10.244.1.1:8080'] });
    node.api.put(secrets, certificates({ default: 'D' }));
    node.api.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    await node.start(node.ingress);
    await node.pass(700);
    assert.equal(node.proxy.starts.length, 1);
    return node;
  };

  it('changes endpoints by commands', async (t) => {
    const node = await running(t);
    node.putService('web', { endpoints: ['10.244.1.2:8080'] });
    await node.pass();
    assert.equal(node.proxy.starts.length, 1);
    assert.deepEqual(node.proxy.commands, [
      'set server shop_web_80/s2 addr 10.244.1.2 port 8080',
      'set server shop_web_80/s2 state ready',
      'set server shop_web_80/s1 state maint',
    ]);
  });

  it('looks at nothing that no Ingress leads to', async (t) => {
    const node = await running(t);
    node.putService('other', { endpoints: ['10.244.1.9:8080'] });
    await node.pass();
    assert.deepEqual([node.proxy.starts.length, node.proxy.commands.length], [1, 0]);
  });

  it('starts anew for other routes, and gathers what comes quickly', async (t) => {
    const node = await running(t);
    for (let i = 0; i < 20; i++) {
      node.api.put(ingresses, makeIngress(`more-${i}`, { routes: { [`${i}.example/`]: 'web' } }));
      await node.pass(20);
    }
    await node.pass(1000);
    assert.ok(node.proxy.starts.length <= 4, `${node.proxy.starts.length} processes`);
    assert.equal(node.proxy.configuration!.files.get('prefix.map')!.split('\n').length, 22);
  });

  it('starts anew when a command is refused, and when the process is gone', async (t) => {
    const node = await running(t);
    node.proxy.failure = new Error('No such server.');
    node.putService('web', { endpoints: ['10.244.1.3:8080'] });
    await node.pass(3000);
    assert.equal(node.proxy.starts.length, 2);
    assert.match(node.proxy.configuration!.text, /10\.244\.1\.3:8080/);
    node.proxy.configuration = undefined;
    await node.pass(3000);
    assert.equal(node.proxy.starts.length, 3);
  });

  it('leaves out the Ingress whose part the proxy refuses, and says so', async (t) => {
    const node = await running(t);
    node.proxy.complain = (c) => (c.files.get('prefix.map')!.includes('bad.example') ? 'bad certificate' : undefined);
    node.api.put(ingresses, makeIngress('bad', { age: 1, routes: { 'bad.example/': 'web' } }));
    node.api.put(ingresses, makeIngress('good', { age: 2, routes: { 'good.example/': 'web' } }));
    await node.pass(2000);
    const map = node.proxy.configuration!.files.get('prefix.map')!;
    assert.deepEqual([/bad/.test(map), /good/.test(map), /a\.example/.test(map)], [false, true, true]);
    assert.deepEqual(node.events, ['bad Warning ConfigurationRejected left out on one: bad certificate']);
    node.api.put(ingresses, makeIngress('bad', { age: 1, routes: { 'mended.example/': 'web' } }));
    await node.pass(2000);
    assert.match(node.proxy.configuration!.files.get('prefix.map')!, /mended/);
  });

  it('says that the program is not there', async (t) => {
    const node = await makeNode(t);
    node.putService('web', {});
    node.api.put(secrets, certificates({ default: 'D' }));
    node.api.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    node.proxy.failure = new ProgramMissing('haproxy');
    await node.start(node.ingress);
    await node.pass();
    assert.match(node.events[0]!, /^a Warning ProxyMissing one cannot serve: the program haproxy is not there/);
    await node.pass(5000);
    assert.equal(node.proxy.starts.length, 1, 'it is tried again');
  });

  it('stops behind a process that is being started, and looks at nothing afterwards', async (t) => {
    const node = await running(t);
    const begun = Promise.withResolvers<void>();
    node.proxy.slow = begun.promise;
    node.api.put(ingresses, makeIngress('b', { routes: { 'b.example/': 'web' } }));
    await node.pass(700);
    let stopped = false;
    const stop = node.ingress.stop().then(() => (stopped = true));
    await node.pass();
    assert.deepEqual([node.proxy.starts.length, stopped], [1, false]);
    begun.resolve();
    await stop;
    assert.equal(node.proxy.starts.length, 2);
    node.proxy.configuration = undefined;
    await node.pass(10_000);
    assert.equal(node.proxy.starts.length, 2);
  });

  it('adopts the process that an earlier agent left', async (t) => {
    const node = await running(t);
    await node.ingress.stop();
    const heir = node.make();
    t.after(() => heir.stop());
    const started = heir.start(new AbortController().signal);
    await node.pass();
    await started;
    await node.pass();
    assert.equal(node.proxy.starts.length, 1);
    node.putService('web', { endpoints: ['10.244.1.4:8080'] });
    await node.pass();
    assert.match(node.proxy.commands.join(), /10\.244\.1\.4/);
  });
});
