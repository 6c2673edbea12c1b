import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { endpointslices, nodes, services } from '#generated/resources.ts';
import { walk, type Packet, type WalkOptions } from '#netmodel/packet.ts';
import { SERVICE_TABLE, slotsFor } from '#netmodel/service-rules.ts';
import { type FakeNode, makeFakeNode, PLAN } from '../testing.ts';

const LOCAL = '10.244.1.6';
const REMOTE = '10.244.2.7';
const CLIENT = '10.244.1.5';

const nodeOne = {
  ref: nodes,
  object: {
    metadata: { name: 'one' },
    spec: { podCIDR: '10.244.1.0/24' },
    status: { addresses: [{ type: 'InternalIP', address: PLAN.nodeOne }] },
  },
};
const nodeTwo = {
  ref: nodes,
  object: {
    metadata: { name: 'two' },
    spec: { podCIDR: '10.244.2.0/24' },
    status: { addresses: [{ type: 'InternalIP', address: PLAN.nodeTwo }] },
  },
};

const makeService = (spec: Service['spec'] = {}): Service => ({
  metadata: { namespace: 'db', name: 'pg' },
  spec: { type: 'NodePort', clusterIP: '10.96.42.7', ports: [{ port: 5432, nodePort: 30432 }], ...spec },
});
const makeSlice = (...ips: string[]): EndpointSlice => ({
  metadata: { namespace: 'db', name: 'pg-1', labels: { 'kubernetes.io/service-name': 'pg' } },
  addressType: 'IPv4',
  ports: [{ port: 15432, protocol: 'TCP' }],
  endpoints: ips.map((ip) => ({
    addresses: [ip],
    nodeName: ip.startsWith('10.244.1.') ? 'one' : 'two',
    conditions: { ready: true },
  })),
});

async function makeNode(spec: Service['spec'], ...ips: string[]): Promise<FakeNode> {
  return makeFakeNode([
    nodeOne,
    nodeTwo,
    { ref: services, object: makeService(spec) },
    { ref: endpointslices, object: makeSlice(...ips) },
  ]);
}

/** What becomes of a packet, in one line. */
function trace(
  node: FakeNode,
  src: string,
  dst: string,
  dport: number,
  options: Partial<WalkOptions> & Partial<Packet> = {},
): string {
  const { from = 'wire', state, random, protocol = 'tcp' } = options;
  const result = walk(
    node.view(),
    { src, dst, protocol, dport },
    { from, ...(state ? { state } : {}), ...(random ? { random } : {}) },
  );
  if (result.verdict === 'dropped' || result.verdict === 'rejected') return result.verdict;
  return `${result.verdict} ${result.packet.src} > ${result.packet.dst}:${result.packet.dport}`;
}

describe('ServiceProxy', () => {
  it('translates the cluster IP and keeps the client', async () => {
    const node = await makeNode({}, LOCAL);
    assert.equal(trace(node, CLIENT, '10.96.42.7', 5432), `sent ${CLIENT} > ${LOCAL}:15432`);
    assert.equal(
      trace(node, PLAN.nodeOne, '10.96.42.7', 5432, { from: 'node' }),
      `sent ${PLAN.nodeOne} > ${LOCAL}:15432`,
    );
  });

  it('never translates pod to pod', async () => {
    const node = await makeNode({}, LOCAL);
    assert.equal(trace(node, CLIENT, REMOTE, 5432), `sent ${CLIENT} > ${REMOTE}:5432`);
    assert.equal(trace(node, REMOTE, LOCAL, 5432), `sent ${REMOTE} > ${LOCAL}:5432`);
  });

  it('masquerades what leaves the cluster, not what goes to nodes', async () => {
    const node = await makeNode({}, LOCAL);
    assert.equal(trace(node, CLIENT, '203.0.113.9', 443), `sent ${PLAN.nodeOne} > 203.0.113.9:443`);
    assert.equal(trace(node, CLIENT, PLAN.nodeTwo, 10250), `sent ${CLIENT} > ${PLAN.nodeTwo}:10250`);
    assert.equal(trace(node, '203.0.113.9', LOCAL, 80), `sent 203.0.113.9 > ${LOCAL}:80`);
  });

  it('masquerades a pod that reaches itself', async () => {
    const node = await makeNode({}, CLIENT);
    assert.equal(trace(node, CLIENT, '10.96.42.7', 5432), `sent ${PLAN.nodeOne} > ${CLIENT}:15432`);
  });

  it('serves the node port on this node with the client replaced', async () => {
    const node = await makeNode({}, REMOTE);
    assert.equal(trace(node, PLAN.outside, PLAN.nodeOne, 30432), `sent ${PLAN.nodeOne} > ${REMOTE}:15432`);
    assert.equal(
      trace(node, PLAN.outside, PLAN.nodeTwo, 30432),
      `sent ${PLAN.outside} > ${PLAN.nodeTwo}:30432`,
      'another node is not ours',
    );
    assert.equal(
      trace(node, PLAN.outside, PLAN.dnsAddress, 30432),
      `delivered ${PLAN.outside} > ${PLAN.dnsAddress}:30432`,
    );
  });

  it('keeps the client under externalTrafficPolicy Local, drops without a local endpoint, and serves pods all the same', async () => {
    const near = await makeNode({ externalTrafficPolicy: 'Local' }, LOCAL, REMOTE);
    assert.equal(
      trace(near, PLAN.outside, PLAN.nodeOne, 30432, { random: () => 0 }),
      `sent ${PLAN.outside} > ${LOCAL}:15432`,
    );
    const far = await makeNode({ externalTrafficPolicy: 'Local' }, REMOTE);
    assert.equal(trace(far, PLAN.outside, PLAN.nodeOne, 30432), 'dropped');
    assert.match(trace(far, CLIENT, PLAN.nodeOne, 30432), new RegExp(`> ${REMOTE}:15432`));
    assert.match(trace(far, PLAN.nodeOne, PLAN.nodeOne, 30432, { from: 'node' }), new RegExp(`> ${REMOTE}:15432`));
  });

  it('rejects without endpoints, drops where only other nodes have them under internal Local', async () => {
    const empty = await makeNode({});
    for (const from of ['wire', 'node'] as const)
      assert.equal(trace(empty, CLIENT, '10.96.42.7', 5432, { from }), 'rejected');
    assert.equal(trace(empty, PLAN.outside, PLAN.nodeOne, 30432), 'rejected');
    const far = await makeNode({ internalTrafficPolicy: 'Local' }, REMOTE);
    assert.equal(trace(far, CLIENT, '10.96.42.7', 5432), 'dropped');
  });

  it('rejects an unused port of a service and drops an unused cluster IP, but lets DNS pass', async () => {
    const node = await makeNode({}, LOCAL);
    assert.equal(trace(node, CLIENT, '10.96.42.7', 80), 'rejected');
    assert.equal(trace(node, CLIENT, '10.96.200.1', 80), 'dropped');
    assert.equal(
      trace(node, CLIENT, PLAN.dnsAddress, 53, { protocol: 'udp' }),
      `delivered ${CLIENT} > ${PLAN.dnsAddress}:53`,
    );
  });

  it('leaves the cluster DNS address alone when its service has endpoints', async () => {
    const node = await makeNode({ clusterIP: PLAN.dnsAddress, ports: [{ port: 53 }] }, LOCAL);
    assert.equal(trace(node, CLIENT, PLAN.dnsAddress, 53), `delivered ${CLIENT} > ${PLAN.dnsAddress}:53`);
  });

  const VIP = '192.168.77.201';
  /** A service of type LoadBalancer that has its address. */
  async function makeBalanced(spec: Service['spec'], options: { holds?: boolean } = {}, ...ips: string[]) {
    const service = {
      ...makeService({ type: 'LoadBalancer', ...spec }),
      status: { loadBalancer: { ingress: [{ ip: VIP, ipMode: 'VIP' }] } },
    };
    const node = await makeFakeNode([
      nodeOne,
      nodeTwo,
      { ref: services, object: service },
      { ref: endpointslices, object: makeSlice(...ips) },
    ]);
    const view = node.view();
    const localAddresses = [...view.localAddresses, ...(options.holds === false ? [] : [VIP])];
    return { ...node, view: () => ({ ...node.view(), localAddresses }) };
  }

  it('serves the load balancer address where it is held and where a client within the cluster asks', async () => {
    const holder = await makeBalanced({}, {}, REMOTE);
    assert.equal(trace(holder, PLAN.outside, VIP, 5432), `sent ${PLAN.nodeOne} > ${REMOTE}:15432`);
    const other = await makeBalanced({}, { holds: false }, REMOTE);
    assert.equal(trace(other, CLIENT, VIP, 5432), `sent ${PLAN.nodeOne} > ${REMOTE}:15432`);
    assert.equal(
      trace(other, PLAN.nodeOne, VIP, 5432, { from: 'node' }),
      `sent ${PLAN.nodeOne} > ${REMOTE}:15432`,
      'entered at an external address, so masqueraded like all such',
    );
  });

  it('has nothing but the ports of its service on a load balancer address', async () => {
    const node = await makeBalanced({}, {}, LOCAL);
    for (const port of [30432, 22, 10250]) assert.equal(trace(node, PLAN.outside, VIP, port), 'rejected', String(port));
    assert.equal(trace(node, CLIENT, VIP, 80), 'rejected');
    assert.match(trace(node, PLAN.outside, PLAN.nodeOne, 30432), /^sent/, 'the node port is on the node');
  });

  it('refuses a load balancer address without endpoints at once', async () => {
    for (const spec of [{}, { externalTrafficPolicy: 'Local' }])
      for (const src of [PLAN.outside, CLIENT])
        assert.equal(trace(await makeBalanced(spec, {}), src, VIP, 5432), 'rejected');
  });

  it('keeps the client of a load balancer address under policy Local, and the own pods of the node', async () => {
    const near = await makeBalanced({ externalTrafficPolicy: 'Local' }, {}, LOCAL, REMOTE);
    for (const draw of [0, 1])
      assert.equal(
        trace(near, PLAN.outside, VIP, 5432, { random: (below) => draw % below }),
        `sent ${PLAN.outside} > ${LOCAL}:15432`,
      );
    const far = await makeBalanced({ externalTrafficPolicy: 'Local' }, {}, REMOTE);
    assert.equal(trace(far, PLAN.outside, VIP, 5432), 'dropped');
    assert.equal(trace(far, CLIENT, VIP, 5432), `sent ${CLIENT} > ${REMOTE}:15432`, 'short cut, address kept');
    assert.equal(
      trace(far, '10.244.2.9', PLAN.nodeOne, 30432),
      `sent ${PLAN.nodeOne} > ${REMOTE}:15432`,
      'the answer to another node’s pod must come back this way',
    );
    assert.equal(
      trace(far, VIP, VIP, 5432, { from: 'node' }),
      `sent ${PLAN.nodeOne} > ${REMOTE}:15432`,
      'a node that talks to an address it holds comes from that address',
    );
  });

  it('leads to programs of nodes as to pods: a proxy on the node itself sees the client under policy Local', async () => {
    const node = await makeBalanced({ externalTrafficPolicy: 'Local' });
    const programs = (...on: [string, string][]): EndpointSlice => ({
      ...makeSlice(),
      endpoints: on.map(([ip, nodeName]) => ({ addresses: [ip], nodeName, conditions: { ready: true } })),
    });
    node.put(endpointslices, programs([PLAN.nodeOne, 'one'], [PLAN.nodeTwo, 'two']));
    await node.pass();
    const both = { random: (below: number) => below - 1 };
    assert.equal(
      trace(node, PLAN.outside, VIP, 5432, both),
      `delivered ${PLAN.outside} > ${PLAN.nodeOne}:15432`,
      'never the other node’s',
    );
    assert.equal(trace(node, CLIENT, VIP, 5432, both), `sent ${CLIENT} > ${PLAN.nodeTwo}:15432`);
    node.put(endpointslices, programs([PLAN.nodeTwo, 'two']));
    await node.pass();
    assert.equal(trace(node, PLAN.outside, VIP, 5432), 'dropped');
  });

  it('lets in only what loadBalancerSourceRanges name, at the load balancer address only', async () => {
    const ranges = ['192.168.77.96/28', ' 203.0.113.0/24', '203.0.113.128/25'];
    const node = await makeBalanced({ loadBalancerSourceRanges: ranges }, {}, LOCAL);
    for (const src of [PLAN.outside, '203.0.113.200'])
      assert.match(trace(node, src, VIP, 5432), new RegExp(`> ${LOCAL}:15432`), src);
    for (const src of ['192.168.77.95', '198.51.100.1', CLIENT])
      assert.equal(trace(node, src, VIP, 5432), 'dropped', src);
    assert.equal(trace(node, PLAN.nodeOne, VIP, 5432, { from: 'node' }), 'dropped');
    assert.equal(
      trace(node, '198.51.100.1', VIP, 5432, { state: 'established' }),
      `delivered 198.51.100.1 > ${VIP}:5432`,
    );
    for (const [dst, port] of [
      [PLAN.nodeOne, 30432],
      ['10.96.42.7', 5432],
    ] as const)
      assert.match(trace(node, '198.51.100.1', dst, port), /^sent/, 'node ports and cluster IPs have no such list');
    const nodesToo = await makeBalanced({ loadBalancerSourceRanges: ['192.168.77.0/28'] }, {}, LOCAL);
    assert.match(trace(nodesToo, VIP, VIP, 5432, { from: 'node' }), /^sent/);
    const v6 = await makeBalanced({ loadBalancerSourceRanges: ['2001:db8::/32'] }, {}, LOCAL);
    assert.equal(trace(v6, PLAN.outside, VIP, 5432), 'dropped', 'nobody of this family is named');
    node.put(services, {
      ...makeService({ type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: VIP }] } },
    });
    await node.pass();
    assert.match(trace(node, '198.51.100.1', VIP, 5432), /^sent/, 'the list was taken away');
  });

  it('goes by the hints for its node and zone, and by none when the node moves out of them', async () => {
    const hinted = (ip: string, zone: string) => ({
      ...makeSlice(ip).endpoints![0]!,
      hints: { forZones: [{ name: zone }] },
    });
    const zoned = (zone: string) => ({
      ...nodeOne.object,
      metadata: { name: 'one', labels: { 'topology.kubernetes.io/zone': zone } },
    });
    const node = await makeNode({ type: 'ClusterIP' }, LOCAL);
    node.put(nodes, zoned('a'));
    node.put(endpointslices, { ...makeSlice(), endpoints: [hinted(LOCAL, 'b'), hinted(REMOTE, 'a')] });
    await node.pass();
    const reached = () =>
      new Set(
        [0, 1].map((d) => trace(node, CLIENT, '10.96.42.7', 5432, { random: (below) => d % below }).split('> ')[1]),
      );
    assert.deepEqual([...reached()], [`${REMOTE}:15432`]);
    node.put(nodes, zoned('c'));
    await node.pass();
    assert.equal(reached().size, 2);
  });

  it('uses every endpoint', async () => {
    const ips = Array.from({ length: 5 }, (_, i) => `10.244.2.${i + 10}`);
    const node = await makeNode({}, ...ips);
    const seen = ips.map((_, i) => trace(node, CLIENT, '10.96.42.7', 5432, { random: () => i }));
    assert.deepEqual(new Set(seen).size, 5);
  });

  it('keeps a client where it was, and moves it on when that endpoint goes', async () => {
    const node = await makeNode({ sessionAffinity: 'ClientIP' }, LOCAL, REMOTE);
    const go = (random: number) => trace(node, CLIENT, '10.96.42.7', 5432, { random: () => random });
    const first = go(1);
    assert.equal(go(0), first, 'the draw does not matter any more');
    const stays = first.includes(LOCAL) ? REMOTE : LOCAL;
    node.put(endpointslices, makeSlice(stays));
    await node.pass();
    assert.match(go(0), new RegExp(`> ${stays}:15432`));
  });

  it('tells the kernel of one more endpoint in a few elements, whatever else there is', async () => {
    const others = Array.from({ length: 50 }, (_, i) => ({
      ref: services,
      object: {
        ...makeService({ clusterIP: `10.97.0.${i + 1}`, type: 'ClusterIP', ports: [{ port: 80 }] }),
        metadata: { namespace: 'x', name: `s${i}` },
      },
    }));
    const node = await makeFakeNode([
      nodeOne,
      nodeTwo,
      ...others,
      { ref: services, object: makeService({ type: 'ClusterIP' }) },
      { ref: endpointslices, object: makeSlice(LOCAL) },
    ]);
    node.nft.changes.length = 0;
    node.put(endpointslices, makeSlice(LOCAL, REMOTE));
    await node.pass();
    assert.deepEqual(
      node.nft.changes.map((c) => [c.remove.map((e) => e.set), c.add.map((e) => e.set)]),
      [[['pick'], ['pick', 'endpoints']]],
    );
  });

  it('loads the whole table again after the kernel refused a change', async () => {
    const node = await makeNode({}, LOCAL);
    node.nft.failNext = new Error('kernel says no');
    node.put(endpointslices, makeSlice(REMOTE));
    await node.pass();
    await node.clock.step(1000);
    await node.pass();
    assert.match(trace(node, CLIENT, '10.96.42.7', 5432), new RegExp(`> ${REMOTE}:15432`));
  });

  it('removes all of a service that is deleted', async () => {
    const node = await makeNode({}, LOCAL);
    node.api.remove(services, 'db/pg');
    await node.pass();
    assert.equal(trace(node, CLIENT, '10.96.42.7', 5432), 'dropped');
    assert.deepEqual(
      new Set(node.nft.elements(SERVICE_TABLE).map((e) => e.set)),
      new Set(['node_addresses', 'local_pods']),
    );
  });

  it('opens announced host ports until the pod is gone', async () => {
    const node = await makeNode({}, LOCAL);
    const pod = { uid: 'u', namespace: 'db', name: 'p', labels: {}, ips: [LOCAL], netnsPath: undefined };
    const inForce = node.proxy.hostPortsInForce(
      { ...pod, hostPorts: [{ protocol: 'TCP', hostIP: '', hostPort: 8080, containerPort: 80 }] },
      new AbortController().signal,
    );
    await node.pass();
    await inForce;
    assert.equal(trace(node, PLAN.outside, PLAN.nodeOne, 8080), `sent ${PLAN.outside} > ${LOCAL}:80`);
    assert.match(
      trace(node, '127.0.0.1', '127.0.0.1', 8080, { from: 'node' }),
      new RegExp(`sent ${PLAN.nodeOne} > ${LOCAL}:80`),
    );
    node.proxy.podGone('u');
    await node.pass();
    assert.equal(trace(node, PLAN.outside, PLAN.nodeOne, 8080), `delivered ${PLAN.outside} > ${PLAN.nodeOne}:8080`);
  });
});

describe('slotsFor', () => {
  it('is exact for few endpoints and near enough for many', () => {
    assert.deepEqual([1, 7, 32].map(slotsFor), [1, 7, 32]);
    for (let n = 33; n <= 1024; n++) assert.ok(slotsFor(n) >= 8 * n || slotsFor(n) === 8192, String(n));
  });
});
