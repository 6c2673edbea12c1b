import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import { endpoints, endpointslices, nodes, pods, services } from '#generated/resources.ts';
import { endpointsController } from '../endpoints.ts';
import { endpointSliceMirroringController } from '../endpointslicemirroring.ts';
import { makeNode, makePod } from '../runtime/builders.ts';
import { TestCluster } from '../runtime/testing.ts';
import { endpointSliceController } from './endpointslice.ts';
import { type EndpointGroup, planSlices } from './packing.ts';
import { podEndpoint, resolvePort } from './pod-endpoints.ts';

const makeService = (spec: Partial<Service['spec']> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: {
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
    clusterIP: '10.96.0.9',
    ...spec,
  },
});
const webPod = (name: string, parts = {}) =>
  makePod({
    name,
    labels: { app: 'web' },
    node: 'node-1',
    ready: true,
    ip: `10.244.0.${name.charCodeAt(0)}`,
    ...parts,
  });

async function start(service: Service, ...list: readonly ReturnType<typeof makePod>[]): Promise<TestCluster> {
  const cluster = new TestCluster();
  await cluster.put(nodes, {
    ...makeNode('node-1'),
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'z1' } },
  });
  await cluster.put(services, service);
  for (const pod of list) await cluster.put(pods, pod);
  await cluster.run(endpointSliceController, endpointsController, endpointSliceMirroringController);
  return cluster;
}

describe('podEndpoint', () => {
  const leaving = '2026-01-01T00:00:00Z';
  for (const [condition, parts, publish, expected] of [
    ['it is ready', {}, false, { ready: true, serving: true, terminating: false }],
    ['it is not ready', { ready: false }, false, { ready: false, serving: false, terminating: false }],
    [
      'it is ready and leaving',
      { deletionTimestamp: leaving },
      false,
      { ready: false, serving: true, terminating: true },
    ],
    [
      'it is not ready and the service publishes such',
      { ready: false },
      true,
      { ready: true, serving: false, terminating: false },
    ],
    [
      'it is leaving and the service publishes such',
      { deletionTimestamp: leaving },
      true,
      { ready: true, serving: true, terminating: true },
    ],
  ] as const) {
    it(`says what state a pod is in when ${condition}`, () => {
      const endpoint = podEndpoint(
        webPod('a', parts),
        makeService({ publishNotReadyAddresses: publish }),
        undefined,
        '10.244.0.1',
      );
      assert.deepEqual(endpoint.conditions, expected);
    });
  }
});

describe('podEndpoint hints', () => {
  const zoned = {
    ...makeNode('node-1'),
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'z1' } },
  };
  const cases = [
    ['PreferSameZone', zoned, true, { forZones: [{ name: 'z1' }] }],
    ['PreferClose', zoned, true, { forZones: [{ name: 'z1' }] }],
    ['PreferSameNode', zoned, true, { forZones: [{ name: 'z1' }], forNodes: [{ name: 'node-1' }] }],
    ['PreferSameNode', makeNode('node-1'), true, { forNodes: [{ name: 'node-1' }] }],
    ['PreferSameZone', makeNode('node-1'), true, undefined],
    ['PreferSameZone', zoned, false, undefined],
    [undefined, zoned, true, undefined],
  ] as const;
  for (const [trafficDistribution, node, ready, want] of cases)
    it(`are ${JSON.stringify(want)} for ${trafficDistribution}, ${node === zoned ? 'a zone' : 'no zone'}, ready ${ready}`, () => {
      const spec = trafficDistribution === undefined ? {} : { trafficDistribution };
      assert.deepEqual(podEndpoint(webPod('a', { ready }), makeService(spec), node, '10.244.0.1').hints, want);
    });
});

describe('resolvePort', () => {
  const pod = {
    ...webPod('a'),
    spec: {
      containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }],
      initContainers: [{ name: 's', restartPolicy: 'Always', ports: [{ name: 'admin', containerPort: 9000 }] }],
    },
  };
  for (const [targetPort, expected] of [
    [80, 80],
    ['http', 8080],
    ['admin', 9000],
    ['none', undefined],
    [undefined, 1],
  ] as const) {
    it(`finds ${expected} for target port ${targetPort}`, () =>
      assert.equal(resolvePort(pod, { port: 1, targetPort }), expected));
  }
});

describe('planSlices', () => {
  const frame = { labels: { a: 'b' } };
  const group = (...ips: readonly string[]): EndpointGroup => ({
    addressType: 'IPv4',
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip] })),
  });
  const slice = (name: string, ...ips: readonly string[]) => ({
    metadata: { name, labels: frame.labels },
    addressType: 'IPv4',
    ports: group().ports,
    endpoints: group(...ips).endpoints,
  });

  it('writes nothing when all is in place', () => {
    assert.deepEqual(planSlices([group('1', '2')], [slice('s', '2', '1')], frame), {
      create: [],
      update: [],
      remove: [],
    });
  });

  it('cuts at the maximum', () => {
    const plan = planSlices([group('1', '2', '3', '4', '5')], [], frame, 2);
    assert.deepEqual(
      plan.create.map((g) => g.endpoints.length),
      [2, 2, 1],
    );
  });

  it('fills a slice that is written anyway before it touches another', () => {
    const plan = planSlices(
      [group('1', '3', '4', '5')],
      [slice('full', '3', '4'), slice('losing', '1', '2')],
      frame,
      3,
    );
    assert.deepEqual(
      plan.update.map((s) => [s.metadata.name, s.endpoints!.map((e) => e.addresses[0])]),
      [['losing', ['1', '5']]],
    );
  });

  it('removes slices of ports that are no more', () => {
    const other = { ...group('1'), ports: [{ name: '', port: 81, protocol: 'TCP' }] };
    const plan = planSlices([other], [slice('old', '1')], frame);
    assert.equal(plan.create.length, 1);
    assert.deepEqual(
      plan.remove.map((s) => s.metadata.name),
      ['old'],
    );
  });
});

describe('EndpointSliceReconciler', () => {
  it('publishes the pods of a service, and the Endpoints object agrees', async () => {
    const cluster = await start(
      makeService(),
      webPod('a'),
      webPod('b', { ready: false }),
      makePod({ name: 'x', ip: '10.244.0.1' }),
    );
    const [slice] = cluster.list(endpointslices);
    assert.match(slice!.metadata.name!, /^web-/);
    assert.deepEqual(slice!.metadata.labels, {
      team: 'a',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    });
    assert.deepEqual(slice!.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
    assert.deepEqual(
      slice!.endpoints!.map((e) => [e.addresses[0], e.conditions!.ready, e.nodeName, e.zone]),
      [
        ['10.244.0.97', true, 'node-1', 'z1'],
        ['10.244.0.98', false, 'node-1', 'z1'],
      ],
    );
    const [subset] = cluster.get(endpoints, 'default/web')!.subsets!;
    assert.deepEqual(
      [subset!.addresses!.map((a) => a.ip), subset!.notReadyAddresses!.map((a) => a.ip)],
      [['10.244.0.97'], ['10.244.0.98']],
    );
    // The Endpoints written here are for a service with a selector: not mirrored.
    assert.equal(cluster.list(endpointslices).length, 1);
    await cluster.stop();
  });

  it('keeps one empty slice when no pod matches, and follows pods that come and go', async () => {
    const cluster = await start(makeService());
    assert.deepEqual(
      cluster.list(endpointslices).map((s) => s.endpoints),
      [[]],
    );
    await cluster.put(pods, webPod('a'));
    await cluster.settle();
    assert.deepEqual(
      cluster.list(endpointslices).map((s) => s.endpoints!.length),
      [1],
    );
    cluster.edit(pods, 'default/a', (p) => ({
      ...p,
      metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    }));
    await cluster.settle();
    assert.deepEqual(cluster.list(endpointslices)[0]!.endpoints![0]!.conditions, {
      ready: false,
      serving: true,
      terminating: true,
    });
    assert.deepEqual(cluster.get(endpoints, 'default/web')!.subsets, []);
    cluster.remove(pods, 'default/a');
    await cluster.settle();
    assert.deepEqual(
      cluster.list(endpointslices).map((s) => s.endpoints),
      [[]],
    );
    await cluster.stop();
  });

  it('names the pods of a headless service and marks the slice', async () => {
    const pod = webPod('a');
    const cluster = await start(makeService({ clusterIP: 'None' }), {
      ...pod,
      spec: { ...pod.spec!, hostname: 'web-0', subdomain: 'web' },
    });
    const [slice] = cluster.list(endpointslices);
    assert.equal(slice!.endpoints![0]!.hostname, 'web-0');
    assert.equal(slice!.metadata.labels!['service.kubernetes.io/headless'], '');
    await cluster.stop();
  });
});

describe('EndpointSliceReconciler and trafficDistribution', () => {
  it('writes hints when the service asks for them, follows the node into another zone, and takes them back', async () => {
    const cluster = await start(makeService(), webPod('a'));
    const hintsNow = () => cluster.list(endpointslices)[0]!.endpoints![0]!.hints;
    assert.equal(hintsNow(), undefined);
    await cluster.put(services, makeService({ trafficDistribution: 'PreferSameZone' }));
    await cluster.settle();
    assert.deepEqual(hintsNow(), { forZones: [{ name: 'z1' }] });
    cluster.edit(nodes, 'node-1', (n) => ({
      ...n,
      metadata: { ...n.metadata, labels: { 'topology.kubernetes.io/zone': 'z2' } },
    }));
    await cluster.settle();
    assert.deepEqual(hintsNow(), { forZones: [{ name: 'z2' }] });
    cluster.edit(
      services,
      'default/web',
      (s) => ({ ...s, spec: { ...s.spec, trafficDistribution: undefined } }) as Service,
    );
    await cluster.settle();
    assert.equal(hintsNow(), undefined);
    await cluster.stop();
  });
});

describe('EndpointSlice mirroring', () => {
  it('follows Endpoints of a service without a selector, and stops when asked', async () => {
    const cluster = await start(makeService({ selector: undefined }));
    const object = {
      metadata: { name: 'web', namespace: 'default' },
      subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 5432 }] }],
    };
    await cluster.put(endpoints, object);
    await cluster.settle();
    const [slice] = cluster.list(endpointslices);
    assert.equal(
      slice!.metadata.labels!['endpointslice.kubernetes.io/managed-by'],
      'endpointslicemirroring-controller.k8s.io',
    );
    assert.deepEqual(slice!.endpoints![0]!.addresses, ['192.0.2.1']);
    cluster.edit(endpoints, 'default/web', (e) => ({
      ...e,
      metadata: { ...e.metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    }));
    await cluster.settle();
    assert.equal(cluster.list(endpointslices).length, 0);
    await cluster.stop();
  });
});
