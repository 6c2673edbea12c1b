// Load balancers' addresses in real namespaces with real packets: who answers for one, who is let in, what moves when a node goes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { ranked } from '#netmodel/load-balancers.ts';
import { eventually, Lab, type LabNode, type LabPod, type Worker } from './lab.ts';
import type { Put } from './worker.ts';

const put = (resource: string, object: unknown): Put => ({ resource, object: object as KubeObject }) as Put;
const LAPTOP = '192.168.77.100';
/** For each of both nodes an address that it comes first for. */
const [VIP_ONE, VIP_TWO] = ['one', 'two'].map((name) =>
  Array.from({ length: 50 }, (_, i) => `192.168.77.${201 + i}`).find(
    (ip) => ranked({ ip, only: undefined }, ['one', 'two'])[0] === name,
  ),
) as [string, string];
const VIP_LOCAL = '192.168.77.253';
const HEALTH_PORT = 31999;
/** Upper bound of a take-over: the lease of four seconds, one look a second, and a loaded machine. */
const MOVED_WITHIN_MS = 10_000;

const node = (name: string, ip: string, podCIDR: string) =>
  put('nodes', {
    metadata: { name },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses: [{ type: 'InternalIP', address: ip }] },
  });
const service = (name: string, clusterIP: string, vip: string, spec: object = {}) =>
  put('services', {
    metadata: { namespace: 'db', name },
    spec: {
      type: 'LoadBalancer',
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [
        { name: 'tcp', port: 5432, protocol: 'TCP' },
        { name: 'udp', port: 5432, protocol: 'UDP' },
      ],
      ...spec,
    },
    status: { loadBalancer: { ingress: [{ ip: vip, ipMode: 'VIP' }] } },
  });
const slice = (name: string, ...endpoints: readonly { readonly ip: string; readonly nodeName: string }[]) =>
  put('endpointslices', {
    metadata: { namespace: 'db', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [
      { name: 'tcp', port: 5432, protocol: 'TCP' },
      { name: 'udp', port: 5432, protocol: 'UDP' },
    ],
    endpoints: endpoints.map(({ ip, nodeName }) => ({ addresses: [ip], nodeName, conditions: { ready: true } })),
  });

describe('Load balancer addresses in the kernel', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new Lab('lb');
  let one: LabNode;
  let two: LabNode;
  let laptop: Worker;
  let near: LabPod;
  let far: LabPod;
  let base: Put[];
  const alive = new Set<LabNode>();
  const relaying = new AbortController();
  let relay: Promise<void>;

  const everywhere = async (...objects: readonly Put[]) => {
    for (const n of alive) await n.worker.do({ do: 'put', objects });
  };
  const addresses = (n: LabNode) => lab.run(n, 'ip', '-4', '-o', 'address', 'show', 'dev', 'eth0');
  /** What one agent writes the other sees, as through one API server. */
  const relayLeases = async () => {
    while (!relaying.signal.aborted) {
      for (const [from, to] of [
        [one, two],
        [two, one],
      ] as const) {
        if (!alive.has(from) || !alive.has(to)) continue;
        const reply = await from.worker.do({ do: 'leases', node: from.name });
        if ('leases' in reply) await to.worker.do({ do: 'put', objects: reply.leases.map((l) => put('leases', l)) });
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const reaches = (port: number, host: string, want: string, protocol: 'tcp' | 'udp' = 'tcp') =>
    eventually(
      () => laptop.reach(host, port, { protocol, timeoutMs: 200 }),
      (a) => a === want,
      MOVED_WITHIN_MS / 250,
    );

  before(async () => {
    await lab.start();
    one = await lab.addNode('one', '192.168.77.1', '10.244.1');
    two = await lab.addNode('two', '192.168.77.2', '10.244.2');
    laptop = await lab.addMachine('laptop', LAPTOP);
    near = await lab.addPod(one, 'near', 5);
    far = await lab.addPod(two, 'far', 7);
    for (const p of [near, far])
      for (const protocol of ['tcp', 'udp'] as const)
        await p.worker.do({ do: 'listen', port: 5432, protocol, name: p.name });
    // A program of the node on all its addresses.
    for (const n of [one, two]) await n.worker.do({ do: 'listen', port: 7000, protocol: 'tcp', name: n.name });
    base = [
      node('one', one.ip, '10.244.1.0/24'),
      node('two', two.ip, '10.244.2.0/24'),
      service('first', '10.96.50.1', VIP_ONE),
      slice('first', { ip: far.ip, nodeName: 'two' }),
      service('second', '10.96.50.2', VIP_TWO),
      slice('second', { ip: far.ip, nodeName: 'two' }),
      service('local', '10.96.50.3', VIP_LOCAL, { externalTrafficPolicy: 'Local', healthCheckNodePort: HEALTH_PORT }),
      slice('local', { ip: near.ip, nodeName: 'one' }),
    ];
    await Promise.all([lab.startNetwork(one, base), lab.startNetwork(two, base)]);
    for (const n of [one, two]) alive.add(n);
    relay = relayLeases();
  });
  after(async () => {
    relaying.abort();
    await relay;
    await lab.close();
  });

  it('are reached from outside by TCP and UDP, the client replaced under policy Cluster', async () => {
    for (const [vip, holder] of [
      [VIP_ONE, one],
      [VIP_TWO, two],
    ] as const)
      for (const protocol of ['tcp', 'udp'] as const) {
        const from = holder === two ? `10.244.2.1` : one.ip;
        const want = `far from ${from}`;
        assert.equal(await reaches(5432, vip, want, protocol), want);
      }
  });

  it('are on one node each', async () => {
    for (const [vip, holder, other] of [
      [VIP_ONE, one, two],
      [VIP_TWO, two, one],
    ] as const) {
      assert.match(
        await eventually(
          () => addresses(holder),
          (a) => a.includes(vip),
        ),
        new RegExp(`${vip}/32.*eth0:lb`),
      );
      assert.doesNotMatch(
        await eventually(
          () => addresses(other),
          (a) => !a.includes(vip),
        ),
        new RegExp(vip),
      );
    }
  });

  it('are reached within the cluster from every node, wherever they are', async () => {
    for (const vip of [VIP_ONE, VIP_TWO])
      for (const who of [near.worker, far.worker, one.worker, two.worker])
        assert.match(await who.reach(vip, 5432), /^far from/, vip);
  });

  it('have nothing of the node on them', async () => {
    assert.match(await laptop.reach(one.ip, 7000), /^one from/);
    assert.equal(await laptop.reach(VIP_ONE, 7000), 'ECONNREFUSED');
    assert.equal(await near.worker.reach(VIP_TWO, 7000), 'ECONNREFUSED');
  });

  it('keep the client under policy Local, and move with the endpoint at once', async () => {
    assert.equal(await reaches(5432, VIP_LOCAL, `near from ${LAPTOP}`), `near from ${LAPTOP}`);
    assert.equal(await near.worker.reach(VIP_LOCAL, 5432), 'near from 10.244.1.1', 'a pod that reaches itself');
    assert.equal(await far.worker.reach(VIP_LOCAL, 5432), `near from ${far.ip}`);
    await everywhere(slice('local', { ip: far.ip, nodeName: 'two' }));
    const began = performance.now();
    assert.equal(await reaches(5432, VIP_LOCAL, `far from ${LAPTOP}`), `far from ${LAPTOP}`);
    assert.ok(performance.now() - began < 5_000, 'the neighbours were told');
    assert.doesNotMatch(
      await eventually(
        () => addresses(one),
        (a) => !a.includes(VIP_LOCAL),
      ),
      new RegExp(VIP_LOCAL),
    );
  });

  it('tell by the health check port where endpoints are', async () => {
    const check = async (n: LabNode) =>
      (await lab.run(two, 'curl', '-s', '-i', '--max-time', '2', `http://${n.ip}:${HEALTH_PORT}/`)).replaceAll(
        '\r',
        '',
      );
    assert.match(
      await check(two),
      /^HTTP\/1\.1 200 OK\n[^]*x-load-balancing-endpoint-weight: 1\n[^]*\n\n\{\n\t"service": \{\n\t\t"namespace": "db",\n\t\t"name": "local"\n\t\},\n\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n\}$/i,
    );
    assert.match(await check(one), /^HTTP\/1\.1 503 [^]*x-load-balancing-endpoint-weight: 0\n[^]*"localEndpoints": 0/i);
  });

  it('let in by loadBalancerSourceRanges only, at this address only, and count the others', async () => {
    const guarded = (...loadBalancerSourceRanges: string[]) =>
      everywhere(
        service('first', '10.96.50.1', VIP_ONE, {
          loadBalancerSourceRanges,
          ports: [
            { name: 'tcp', port: 5432, protocol: 'TCP', nodePort: 30999 },
            { name: 'udp', port: 5432, protocol: 'UDP' },
          ],
        }),
      );
    await guarded('198.51.100.0/24', '192.168.77.0/28');
    assert.equal(await reaches(5432, VIP_ONE, 'timeout'), 'timeout');
    assert.equal(await laptop.reach(VIP_ONE, 5432, { protocol: 'udp' }), 'timeout');
    assert.equal(await near.worker.reach(VIP_ONE, 5432), 'timeout', 'pods are clients like others');
    assert.match(await laptop.reach(one.ip, 30999), /^far from/, 'the node port has no such list');
    assert.match(await laptop.reach(VIP_TWO, 5432), /^far from/);
    for (const n of [one, two])
      assert.match(
        await n.worker.reach(VIP_ONE, 5432),
        /^far from/,
        'nodes are in the ranges, also the one that has it',
      );
    const counters = await lab.run(one, 'nft', 'list', 'set', 'ip', 'coracle_services', 'denied_sources');
    assert.match(counters, new RegExp(`${VIP_ONE.replaceAll('.', '\\.')} \\. tcp \\. 5432 counter packets [1-9]`));
    await guarded(`${LAPTOP}/32`, '0.0.0.0/1');
    assert.match(await reaches(5432, VIP_ONE, `far from ${one.ip}`), /^far from/);
    await everywhere(service('first', '10.96.50.1', VIP_ONE));
  });

  it('keep a client at its endpoint for the time of session affinity, and no longer', async () => {
    const endpoints = [
      { ip: near.ip, nodeName: 'one' },
      { ip: far.ip, nodeName: 'two' },
    ];
    await everywhere(
      service('first', '10.96.50.1', VIP_ONE, {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 2 } },
      }),
    );
    const who = async () => (await laptop.reach(VIP_ONE, 5432)).split(' ')[0]!;
    const settled = () => new Promise((resolve) => setTimeout(resolve, 500));
    await settled();
    await everywhere(slice('first', ...endpoints));
    await settled();
    const began = performance.now();
    const seen = new Set<string>();
    while (performance.now() - began < 1_000) seen.add(await who());
    assert.equal(seen.size, 1, 'every connection renews the time');
    for (let i = 0; i < 14 && seen.size < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2_300));
      seen.add(await who());
    }
    assert.equal(seen.size, 2, 'after the time another may be drawn');
    await everywhere(slice('first', endpoints[1]!), service('first', '10.96.50.1', VIP_ONE));
    await settled();
    await reaches(5432, VIP_ONE, `far from ${one.ip}`);
  });

  it('stay while an agent restarts', async () => {
    alive.delete(one);
    await lab.restartWorker(one);
    assert.equal(await laptop.reach(VIP_ONE, 5432), `far from ${one.ip}`);
    const reply = await one.worker.do({ do: 'listen', port: 7000, protocol: 'tcp', name: one.name });
    assert.deepEqual(reply, { done: true });
    await lab.startNetwork(one, [...base, slice('local', { ip: far.ip, nodeName: 'two' })]);
    alive.add(one);
    // On a machine so slow that the restart outlasts the lease it was elsewhere meanwhile.
    assert.equal(await reaches(5432, VIP_ONE, `far from ${one.ip}`), `far from ${one.ip}`);
  });

  it('move to the other node when theirs dies, in seconds, and come back with it', async () => {
    // As a dead machine: no agent, no card.
    alive.delete(one);
    await lab.restartWorker(one);
    await lab.run(one, 'ip', 'link', 'set', 'eth0', 'down');
    const began = performance.now();
    assert.equal(await reaches(5432, VIP_ONE, 'far from 10.244.2.1'), 'far from 10.244.2.1');
    assert.ok(performance.now() - began < MOVED_WITHIN_MS);
    await lab.run(one, 'ip', 'address', 'delete', `${VIP_ONE}/32`, 'dev', 'eth0').catch(() => '');
    await lab.run(one, 'ip', 'link', 'set', 'eth0', 'up');
    await lab.startNetwork(one, [...base, slice('local', { ip: far.ip, nodeName: 'two' })]);
    alive.add(one);
    assert.equal(await reaches(5432, VIP_ONE, `far from ${one.ip}`), `far from ${one.ip}`);
  });

  it('go with their service', async () => {
    for (const n of alive) await n.worker.do({ do: 'remove', resource: 'services', key: 'db/second' });
    const seen = await eventually(
      () => addresses(two),
      (a) => !a.includes(VIP_TWO),
    );
    assert.doesNotMatch(seen, new RegExp(VIP_TWO));
    // Nobody answers: silence, or soon the word that no host is there.
    assert.match(await laptop.reach(VIP_TWO, 5432), /^(timeout|EHOSTUNREACH)$/);
  });
});

describe('Load balancer addresses of IPv6 in the kernel', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new Lab('lb6', { ipv6: true });
  const VIP = 'fd77::201';
  let one: LabNode;
  let two: LabNode;
  let laptop: Worker;
  let near: LabPod;
  let far: LabPod;
  const balanced = (spec: object = {}) => {
    const made = service('six', '10.96.50.1', VIP, {
      externalTrafficPolicy: 'Local',
      clusterIPs: ['10.96.50.1', 'fd00:10:96::50'],
      ipFamilies: ['IPv4', 'IPv6'],
      ...spec,
    });
    return made;
  };
  const at = (pod: LabPod, nodeName: string) => {
    const made = slice('six', { ip: pod.ip6, nodeName });
    return put('endpointslices', { ...made.object, addressType: 'IPv6' });
  };
  const everywhere = async (...objects: readonly Put[]) => {
    for (const n of [one, two]) await n.worker.do({ do: 'put', objects });
  };
  const reaches = (want: string) =>
    eventually(
      () => laptop.reach(VIP, 5432, { timeoutMs: 200 }),
      (a) => a === want,
    );

  before(async () => {
    await lab.start();
    one = await lab.addNode('one', '192.168.77.1', '10.244.1');
    two = await lab.addNode('two', '192.168.77.2', '10.244.2');
    laptop = await lab.addMachine('laptop', LAPTOP);
    near = await lab.addPod(one, 'near', 5);
    far = await lab.addPod(two, 'far', 7);
    for (const p of [near, far])
      await p.worker.do({ do: 'listen', port: 5432, protocol: 'tcp', name: p.name, address: '::' });
    const nodes = [one, two].map((n) => {
      const podCIDRs = [`${n.podPrefix}.0/24`, `${n.podPrefix6}/64`];
      return put('nodes', {
        metadata: { name: n.name },
        spec: { podCIDR: podCIDRs[0], podCIDRs },
        status: { addresses: [n.ip, n.ip6].map((address) => ({ type: 'InternalIP', address })) },
      });
    });
    const base = [...nodes, balanced(), at(near, 'one')];
    await Promise.all([lab.startNetwork(one, base), lab.startNetwork(two, base)]);
  });
  after(() => lab.close());

  it('are reached with the client kept, and move with a word to the neighbours', async () => {
    assert.equal(await reaches('near from fd77::100'), 'near from fd77::100');
    await everywhere(at(far, 'two'));
    assert.equal(await reaches('far from fd77::100'), 'far from fd77::100');
    assert.match(await near.worker.reach(VIP, 5432), /^far from/);
  });

  it('are not what a node speaks from', async () => {
    await laptop.do({ do: 'listen', port: 7000, protocol: 'tcp', name: 'laptop', address: '::' });
    assert.match(await lab.run(two, 'ip', '-6', 'address', 'show', 'dev', 'eth0'), /fd77::201\/128/);
    assert.equal(await two.worker.reach('fd77::100', 7000), `laptop from ${two.ip6}`);
  });

  it('let in by source ranges of their family only', async () => {
    await everywhere(balanced({ loadBalancerSourceRanges: ['192.168.77.0/24'] }));
    assert.equal(await reaches('timeout'), 'timeout');
    await everywhere(balanced({ loadBalancerSourceRanges: ['192.168.77.0/24', 'fd77::/64'] }));
    assert.equal(await reaches('far from fd77::100'), 'far from fd77::100');
  });
});
