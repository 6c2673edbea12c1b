import assert from 'node:assert/strict';
import { before, describe, it, type TestContext } from 'node:test';
import type { Node, Secret, Service } from '#generated/api/core-v1.ts';
import { endpointslices, ingressclasses, ingresses, nodes, secrets, services } from '#generated/resources.ts';
import { makeIngress, makeIngressService, ourClass } from '#netmodel/ingress-builders.ts';
import { createAuthority, createLeaf, readCertificate } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { ingressController } from './ingress.ts';
import { TestCluster } from './runtime/testing.ts';

const SERVICE = 'kube-system/ingress';
const COPIES = 'kube-system/ingress-certificates';

const makeNode = (name: string, ip: string, ready = true, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  status: {
    addresses: [
      { type: 'InternalIP', address: ip },
      { type: 'Hostname', address: name },
    ],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
});

/** The controller, two nodes, and the class. */
async function makeCluster(t: TestContext): Promise<TestCluster> {
  const cluster = new TestCluster();
  t.after(() => cluster.stop());
  await cluster.put(ingressclasses, ourClass);
  await cluster.put(nodes, makeNode('one', '192.168.77.1'));
  await cluster.put(nodes, makeNode('two', '192.168.77.2', false));
  await cluster.put(
    nodes,
    makeNode('out', '192.168.77.3', true, { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }),
  );
  await cluster.run(ingressController);
  return cluster;
}
/** Keys are made by threads, which simulated time does not wait for. */
async function settled(cluster: TestCluster, ms = 200): Promise<void> {
  await cluster.settle(ms);
  for (let i = 0; i < 2000 && cluster.get(secrets, COPIES) === undefined; i++) await cluster.settle(0);
  await cluster.settle(ms);
}
const warnings = (cluster: TestCluster): string[] =>
  cluster.events.map((e) => `${e.about} ${e.type} ${e.reason} ${e.message}`);
const entries = (cluster: TestCluster): Record<string, string> =>
  Object.fromEntries(
    Object.entries(cluster.get(secrets, COPIES)?.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]),
  );
const web = makeIngressService('shop/web', {});

describe('ingressController', () => {
  let pair: CertificatePair;
  before(async () => {
    const nowMs = Date.UTC(2026, 0, 1);
    const options = {
      commonName: 'a.example',
      extendedUsages: ['server auth'] as const,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + 1e9,
    };
    pair = await createLeaf(await createAuthority('test', nowMs), options);
  });
  const tls = (name: string, type = 'kubernetes.io/tls'): Secret => ({
    metadata: { name, namespace: 'shop' },
    type,
    data: {
      'tls.crt': Buffer.from(pair.certificate).toString('base64'),
      'tls.key': Buffer.from(pair.key).toString('base64'),
    },
  });

  it('makes nothing in a cluster without Ingresses', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.settle();
    assert.deepEqual(
      cluster.writes.filter((w) => !/ingressclasses|nodes/.test(w)),
      [],
    );
  });

  it('makes the Service, a slice of the nodes, and a certificate with the first Ingress', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.put(services, web);
    await cluster.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    await settled(cluster);
    const service = cluster.get(services, SERVICE)!;
    assert.deepEqual([service.spec?.type, service.spec?.externalTrafficPolicy], ['LoadBalancer', 'Local']);
    const slice = cluster.get(endpointslices, 'kube-system/ingress-nodes-ipv4')!;
    assert.deepEqual(
      slice.endpoints?.map((e) => [e.nodeName, e.addresses[0], e.conditions?.ready]),
      [
        ['one', '192.168.77.1', true],
        ['two', '192.168.77.2', false],
      ],
    );
    assert.deepEqual(
      slice.ports?.map((p) => [p.name, p.port]),
      [
        ['http', 10080],
        ['https', 10443],
      ],
    );
    assert.deepEqual(Object.keys(entries(cluster)), ['default']);
    assert.equal(readCertificate(entries(cluster)['default']!).commonName, 'Coracle Ingress default certificate');
    assert.deepEqual(warnings(cluster), []);
    await settled(cluster, 5000);
    const before = cluster.writes.length;
    cluster.edit(nodes, 'one', (n) => ({ ...n, status: { ...n.status, phase: 'x' } }));
    await settled(cluster);
    assert.equal(cluster.writes.length, before, 'a heartbeat changes nothing');
    cluster.edit(nodes, 'two', () => makeNode('two', '192.168.77.2'));
    await settled(cluster);
    const again = cluster.get(endpointslices, 'kube-system/ingress-nodes-ipv4')!;
    assert.deepEqual(
      again.endpoints?.map((e) => e.conditions?.ready),
      [true, true],
    );
  });

  it('leaves a Service that a user changed as it is', async (t) => {
    const cluster = await makeCluster(t);
    const own: Service = { metadata: { name: 'ingress', namespace: 'kube-system' }, spec: { type: 'ClusterIP' } };
    await cluster.put(services, own);
    await cluster.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    await settled(cluster);
    assert.equal(cluster.get(services, SERVICE)!.spec?.type, 'ClusterIP');
  });

  it('writes the address of the Service into the status of our Ingresses alone', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.put(services, web);
    await cluster.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    await cluster.put(ingresses, makeIngress('b', { className: 'nginx' }));
    await settled(cluster);
    cluster.edit(services, SERVICE, (s) => ({
      ...s,
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.201', ipMode: 'VIP' }] } },
    }));
    await settled(cluster);
    assert.deepEqual(cluster.get(ingresses, 'shop/a')!.status?.loadBalancer?.ingress, [{ ip: '192.0.2.201' }]);
    assert.equal(cluster.get(ingresses, 'shop/b')!.status, undefined);
    cluster.edit(ingresses, 'shop/a', (i) => ({ ...i, spec: { ...i.spec, ingressClassName: 'gone' } }));
    await settled(cluster);
    assert.equal(cluster.get(ingresses, 'shop/a')!.status?.loadBalancer?.ingress, undefined, 'nobody serves it now');
    cluster.edit(ingresses, 'shop/a', (i) => ({ ...i, spec: { ...i.spec, ingressClassName: 'coracle' } }));
    await settled(cluster);
    assert.equal(cluster.get(ingresses, 'shop/a')!.status?.loadBalancer?.ingress?.length, 1);
    cluster.edit(services, SERVICE, (s) => ({ ...s, status: { loadBalancer: {} } }));
    await settled(cluster);
    assert.equal(cluster.get(ingresses, 'shop/a')!.status?.loadBalancer?.ingress, undefined);
  });

  it('copies the certificates that Ingresses name, and takes them back', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.put(services, web);
    await cluster.put(secrets, tls('named'));
    await cluster.put(secrets, tls('opaque', 'Opaque'));
    await cluster.put(secrets, tls('other'));
    const hosts = { 'a.example': 'named', 'b.example': 'opaque', 'c.example': 'lost' };
    await cluster.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' }, tls: hosts }));
    await settled(cluster);
    assert.deepEqual(Object.keys(entries(cluster)).sort(), ['default', 'shop.named', 'shop.opaque']);
    assert.equal(entries(cluster)['shop.named'], pair.certificate + pair.key);
    await cluster.client.resource(ingresses).delete('shop', 'a');
    await settled(cluster);
    assert.deepEqual(Object.keys(entries(cluster)), ['default']);
  });

  it('tells what stays wrong, once, and not what is wrong for a moment', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web', 'a.example/x': 'gone' } }));
    await settled(cluster, 300);
    await cluster.put(services, web);
    await settled(cluster, 400);
    assert.deepEqual(warnings(cluster), []);
    await settled(cluster, 3000);
    const expected = [
      'Ingress/a Warning ServiceMissing spec.rules[0].http.paths[1].backend.service.name: there is no Service shop/gone',
    ];
    assert.deepEqual(warnings(cluster), expected);
    cluster.edit(nodes, 'one', () => makeNode('one', '192.168.77.9'));
    await settled(cluster, 60_000);
    assert.deepEqual(warnings(cluster), expected);
  });

  it('tells of a class that does not exist', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.put(ingresses, makeIngress('a', { className: 'gone' }));
    await cluster.settle(3000);
    assert.deepEqual(warnings(cluster), [
      'Ingress/a Warning IngressClassMissing spec.ingressClassName: there is no IngressClass "gone"',
    ]);
  });

  it('makes a new default certificate before the old one ends', async (t) => {
    const cluster = await makeCluster(t);
    await cluster.put(ingresses, makeIngress('a', { routes: { 'a.example/': 'web' } }));
    await settled(cluster);
    const first = readCertificate(entries(cluster)['default']!);
    await cluster.clock.step(340 * 24 * 3_600_000);
    await cluster.put(ingresses, makeIngress('b', { routes: { 'b.example/': 'web' } }));
    const renewed = () => readCertificate(entries(cluster)['default']!).notAfterMs > first.notAfterMs;
    for (let i = 0; i < 2000 && !renewed(); i++) await cluster.settle(0);
    assert.ok(renewed());
  });
});
