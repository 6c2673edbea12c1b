// The VXLAN overlay in real namespaces: pod to pod without translation and with full-size packets, what is on the wire, who
// may send into it, and what the explainer can tell when it is broken.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import type { Node } from '#generated/api/core-v1.ts';
import { TUNNEL_DEVICE, wiringFaults, type Wiring, wiringFor } from '#netmodel/pod-network.ts';
import { parseForwarding, parseLinks, parseNeighbours, parseRoutes } from '#netmodel/pod-network-state.ts';
import { TUNNEL_RECEIVED, TUNNEL_SENT, TUNNEL_TABLE } from '#netmodel/tunnel-rules.ts';
import { CLUSTER_CIDR, eventually, Lab, type LabNode, type LabPod, type Worker } from './lab.ts';
import type { Put } from './worker.ts';

const put = (resource: string, object: unknown): Put => ({ resource, object: object as KubeObject }) as Put;
const makeNode = (name: string, ip: string, podCIDR: string) => ({
  metadata: { name },
  spec: { podCIDR, podCIDRs: [podCIDR] },
  status: { addresses: [{ type: 'InternalIP', address: ip }] },
});
const UDP_HEADERS = 28;
const TCP_HEADERS = 40;

describe('VXLAN pod network in the kernel', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new Lab('vx');
  let one: LabNode;
  let two: LabNode;
  let laptop: Worker;
  let api: LabPod;
  let postgres: LabPod;
  let objects: Put[];
  let nodes: Node[];

  const everywhere = async (changed: readonly Put[]) => {
    for (const n of [one, two]) await n.worker.do({ do: 'put', objects: changed });
  };
  const podMTU = (node: LabNode): number =>
    (
      JSON.parse(readFileSync(join(lab.folder, node.name, 'cni', '10-coracle.conflist'), 'utf8')) as {
        plugins: { mtu: number }[];
      }
    ).plugins[0]!.mtu;
  /** Wires a pod as ptp does with this node's configuration. */
  const resize = async (pod: LabPod, node: LabNode, number: number) => {
    await lab.runIn(pod.name, 'ip', 'link', 'set', 'eth0', 'mtu', String(podMTU(node)));
    await lab.run(node, 'ip', 'link', 'set', `veth${number}`, 'mtu', String(podMTU(node)));
  };
  /** Counts on node two what leaves the tunnel: whole packets of that size, pieces, first packets that offer that segment size. */
  const countArriving = (mtu: number) =>
    lab.run(
      two,
      'sh',
      '-c',
      `nft -f - <<'END'
add table ip lab
delete table ip lab
table ip lab {
  counter whole { }
  counter pieces { }
  counter segments { }
  chain arriving {
    type filter hook prerouting priority -450; policy accept;
    iifname "${TUNNEL_DEVICE}" ip length ${mtu} ip frag-off & 0x4000 != 0 counter name whole
    iifname "${TUNNEL_DEVICE}" ip frag-off & 0x3fff != 0 counter name pieces
    iifname "${TUNNEL_DEVICE}" tcp flags & (syn | ack) == syn tcp option maxseg size ${mtu - TCP_HEADERS} counter name segments
  }
}
END`,
    );
  const arrived = async (name: string): Promise<number> => {
    const text = await lab.run(two, 'nft', 'list', 'counter', 'ip', 'lab', name);
    return Number(/packets (\d+)/.exec(text)![1]);
  };
  const carriesFullSize = async (mtu: number) => {
    assert.equal(podMTU(one), mtu);
    await countArriving(mtu);
    const datagram = (size: number) =>
      api.worker.reach(postgres.ip, 5432, { protocol: 'udp', bytes: size - UDP_HEADERS });
    assert.equal(await datagram(mtu), `postgres from ${api.ip}`);
    assert.deepEqual([await arrived('whole'), await arrived('pieces')], [1, 0], 'not to be fragmented, and was not');
    assert.equal(await datagram(mtu + 1), `postgres from ${api.ip}`);
    assert.deepEqual([await arrived('whole'), await arrived('pieces')], [1, 2], 'its sender cut it, inside the tunnel');
    await api.worker.reach(postgres.ip, 5432);
    assert.equal(await arrived('segments'), 1);
    assert.equal(await wireCounter('pieces'), 0);
  };
  const wireCounter = async (name: string): Promise<number> => {
    const text = await lab.runIn('switch', 'nft', 'list', 'counter', 'bridge', 'lab', name);
    return Number(/packets (\d+)/.exec(text)![1]);
  };
  const tunnelCounter = async (node: LabNode, set: string, other: LabNode): Promise<number> => {
    const text = await lab.run(node, 'nft', '-nn', 'list', 'set', 'ip', TUNNEL_TABLE, set);
    return Number(new RegExp(`${other.ip} [^,}]*packets (\\d+)`).exec(text)?.[1] ?? Number.NaN);
  };
  const present = async (node: LabNode): Promise<Wiring> => {
    const { tunnel } = parseLinks(await lab.run(node, 'ip', '-j', '-d', 'addr', 'show'), node.ip);
    const entries = async (command: string, ...args: string[]) =>
      tunnel === undefined ? '' : await lab.run(node, command, '-j', ...args);
    return {
      link: tunnel,
      routes: parseRoutes(await lab.run(node, 'ip', '-j', '-4', 'route', 'show', 'proto', '153')),
      neighbours: parseNeighbours(await entries('ip', 'neigh', 'show', 'dev', TUNNEL_DEVICE, 'nud', 'permanent')),
      forwarding: parseForwarding(await entries('bridge', 'fdb', 'show', 'dev', TUNNEL_DEVICE)),
    };
  };
  const faults = async (node: LabNode) =>
    wiringFaults(
      wiringFor(
        {
          mode: 'vxlan',
          nodeName: node.name,
          nodeIPs: [node.ip],
          underlay: { device: 'eth0', mtu: podMTU(node) + 50 },
        },
        nodes,
      ),
      await present(node),
    );

  before(async () => {
    await lab.start();
    one = await lab.addNode('one', '192.168.77.1', '10.244.1');
    two = await lab.addNode('two', '192.168.77.2', '10.244.2');
    laptop = await lab.addMachine('laptop', '192.168.77.100');
    api = await lab.addPod(one, 'api', 5);
    postgres = await lab.addPod(two, 'postgres', 7);
    for (const p of [api, postgres]) {
      await p.worker.do({ do: 'listen', port: 5432, protocol: 'tcp', name: p.name });
      await p.worker.do({ do: 'listen', port: 5432, protocol: 'udp', name: p.name });
      await p.worker.do({ do: 'sink', port: 9000 });
    }
    nodes = [makeNode('one', one.ip, '10.244.1.0/24'), makeNode('two', two.ip, '10.244.2.0/24')];
    objects = [
      ...nodes.map((n) => put('nodes', n)),
      put('namespaces', { metadata: { name: 'db', labels: { name: 'db' } } }),
      ...[
        { p: api, node: 'one', labels: { role: 'api' } },
        { p: postgres, node: 'two', labels: { app: 'postgres' } },
      ].map(({ p, node, labels }) =>
        put('pods', {
          metadata: { namespace: 'db', name: p.name, uid: `uid-${p.name}`, labels },
          spec: { nodeName: node, containers: [] },
          status: { phase: 'Running', podIP: p.ip, podIPs: [{ ip: p.ip }] },
        }),
      ),
      put('services', {
        metadata: { namespace: 'db', name: 'pg' },
        spec: {
          type: 'NodePort',
          clusterIP: '10.96.42.1',
          clusterIPs: ['10.96.42.1'],
          ports: [{ name: 'pg', port: 5432, targetPort: 5432, protocol: 'TCP', nodePort: 30432 }],
        },
      }),
      put('endpointslices', {
        metadata: { namespace: 'db', name: 'pg-1', labels: { 'kubernetes.io/service-name': 'pg' } },
        addressType: 'IPv4',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
        endpoints: [{ addresses: [postgres.ip], conditions: { ready: true }, nodeName: 'two' }],
      }),
    ];
    // What crosses the switch: tunnelled packets, packets that name a pod, pieces of packets.
    await lab.runIn(
      'switch',
      'sh',
      '-c',
      `nft -f - <<'END'
table bridge lab {
  counter tunnelled { }
  counter naked { }
  counter pieces { }
  chain wire {
    type filter hook prerouting priority -300; policy accept;
    udp dport 4789 counter name tunnelled
    ip saddr ${CLUSTER_CIDR} ip daddr ${CLUSTER_CIDR} counter name naked
    ip frag-off & 0x3fff != 0 ip frag-off & 0x4000 == 0 counter name pieces
  }
}
END`,
    );
    await Promise.all([one, two].map((n) => lab.startNetwork(n, objects, [], 'vxlan')));
    await resize(api, one, 5);
    await resize(postgres, two, 7);
  });
  after(() => lab.close());

  it('lets pods of two nodes reach each other without translation, both ways', async () => {
    assert.equal(await api.worker.reach(postgres.ip, 5432), `postgres from ${api.ip}`);
    assert.equal(await postgres.worker.reach(api.ip, 5432), `api from ${postgres.ip}`);
    assert.equal(await api.worker.reach(postgres.ip, 5432, { protocol: 'udp' }), `postgres from ${api.ip}`);
  });

  it('has nothing but tunnelled packets between pods on the wire', async () => {
    const before = await wireCounter('tunnelled');
    await api.worker.reach(postgres.ip, 5432);
    assert.ok((await wireCounter('tunnelled')) >= before + 6, 'a connection is at least six packets');
    assert.equal(await wireCounter('naked'), 0);
  });

  it('carries packets of full size whole, offers segments of that size, and cuts outside the tunnel never', async () => {
    await carriesFullSize(1450);
  });

  it('carries large transfers, in segments one by one too', async () => {
    const bytes = 3_000_000;
    assert.deepEqual(await api.worker.do({ do: 'pour', host: postgres.ip, port: 9000, bytes }), {
      poured: bytes,
      sawClient: `::ffff:${api.ip}`,
    });
    // Without the help of large buffers every segment is a packet, as on a real wire.
    await lab.runIn('api', 'ip', 'link', 'set', 'eth0', 'gso_max_segs', '1');
    assert.deepEqual(await api.worker.do({ do: 'pour', host: postgres.ip, port: 9000, bytes }), {
      poured: bytes,
      sawClient: `::ffff:${api.ip}`,
    });
    assert.equal(await wireCounter('pieces'), 0);
  });

  it('shows pods the node itself under its own address, and what comes by its node port', async () => {
    assert.equal(await one.worker.reach(postgres.ip, 5432), `postgres from ${one.ip}`);
    assert.equal(await laptop.reach(one.ip, 30432), `postgres from ${one.ip}`);
    assert.equal(await api.worker.reach('10.96.42.1', 5432), `postgres from ${api.ip}`);
  });

  it('enforces policies on what comes out of the tunnel, by the sender’s own labels', async () => {
    const policy = (from: object[]) =>
      put('networkpolicies', {
        metadata: { namespace: 'db', name: 'pg' },
        spec: { podSelector: { matchLabels: { app: 'postgres' } }, policyTypes: ['Ingress'], ingress: [{ from }] },
      });
    const reach = () => api.worker.reach(postgres.ip, 5432, { timeoutMs: 300 });
    await everywhere([policy([{ podSelector: { matchLabels: { role: 'web' } } }])]);
    assert.equal(await eventually(reach, (a) => a === 'timeout'), 'timeout');
    await everywhere([policy([{ podSelector: { matchLabels: { role: 'api' } } }])]);
    assert.equal(await eventually(reach, (a) => a !== 'timeout'), `postgres from ${api.ip}`);
    for (const n of [one, two]) await n.worker.do({ do: 'remove', resource: 'networkpolicies', key: 'db/pg' });
  });

  it('lets nobody but nodes send into the tunnel', async () => {
    const mac = (await present(two)).link!.mac;
    for (const line of [
      `link add fake type vxlan id 1 local 192.168.77.100 dev eth0 dstport 4789 nolearning`,
      'link set fake up',
      `neigh add 10.244.2.0 lladdr ${mac} dev fake nud permanent`,
      `route add 10.244.2.0/24 via 10.244.2.0 dev fake onlink src 192.168.77.100`,
    ])
      await lab.runIn('laptop', 'ip', ...line.split(' '));
    await lab.runIn('laptop', 'bridge', 'fdb', 'append', mac, 'dev', 'fake', 'dst', two.ip, 'self', 'permanent');
    assert.equal(await laptop.reach(postgres.ip, 5432, { timeoutMs: 400 }), 'timeout');
    const text = await lab.run(two, 'nft', 'list', 'chain', 'ip', TUNNEL_TABLE, 'tunnel_in');
    assert.match(text, /counter packets [1-9]\d* bytes \d+ drop comment "tunnelled by no node/);
    // The rule is what kept it out: for a moment the laptop is taken for a node.
    const element = `{ 192.168.77.100 . udp . 4789 }`;
    await lab.run(two, 'nft', 'add', 'element', 'ip', TUNNEL_TABLE, TUNNEL_RECEIVED, element);
    assert.match(await laptop.reach(postgres.ip, 5432), /^postgres from 192\.168\.77\.100/);
    await lab.run(two, 'nft', 'delete', 'element', 'ip', TUNNEL_TABLE, TUNNEL_RECEIVED, element);
    await lab.runIn('laptop', 'ip', 'link', 'del', 'fake');
  });

  it('tells by counters that tunnelled packets are dropped on the way', async () => {
    const drop = 'table ip foreign { chain in { type filter hook prerouting priority -400; udp dport 4789 drop; }; }';
    await lab.run(two, 'nft', drop);
    const [sent, received] = [
      await tunnelCounter(one, TUNNEL_SENT, two),
      await tunnelCounter(two, TUNNEL_RECEIVED, one),
    ];
    assert.equal(await api.worker.reach(postgres.ip, 5432, { timeoutMs: 400 }), 'timeout');
    assert.ok((await tunnelCounter(one, TUNNEL_SENT, two)) > sent);
    assert.equal(await tunnelCounter(two, TUNNEL_RECEIVED, one), received);
    assert.deepEqual(await faults(one), []);
    await lab.run(two, 'nft', 'delete', 'table', 'ip', 'foreign');
    assert.equal(await api.worker.reach(postgres.ip, 5432), `postgres from ${api.ip}`);
    assert.ok((await tunnelCounter(two, TUNNEL_RECEIVED, one)) > received);
  });

  const breaks: readonly (readonly [string, readonly string[], string])[] = [
    ['the device is down', ['ip', 'link', 'set', TUNNEL_DEVICE, 'down'], 'TunnelBroken'],
    ['the device is gone', ['ip', 'link', 'del', TUNNEL_DEVICE], 'TunnelBroken'],
    [
      'a forwarding entry is missing',
      ['bridge', 'fdb', 'del', 'MAC', 'dev', TUNNEL_DEVICE, 'dst', '192.168.77.2'],
      'TunnelBroken',
    ],
    ['a neighbour entry is missing', ['ip', 'neigh', 'del', '10.244.2.0', 'dev', TUNNEL_DEVICE], 'TunnelBroken'],
    ['a route is missing', ['ip', 'route', 'del', '10.244.2.0/24'], 'RouteMissing'],
  ];
  for (const [what, [program, ...args], code] of breaks)
    it(`says ${code} and how to mend it when ${what}`, async () => {
      const mac = (await present(two)).link!.mac;
      await lab.run(one, program!, ...args.map((a) => (a === 'MAC' ? mac : a)));
      assert.doesNotMatch(await api.worker.reach(postgres.ip, 5432, { timeoutMs: 400 }), /^postgres/);
      const found = await faults(one);
      assert.deepEqual(
        found.map((f) => f.code),
        [code],
      );
      for (const line of found[0]!.repair) await lab.run(one, 'sh', '-c', line);
      assert.deepEqual(await faults(one), []);
      assert.equal(await api.worker.reach(postgres.ip, 5432), `postgres from ${api.ip}`);
    });

  it('is mended by an agent that starts, and fits a narrower switch', async () => {
    await lab.run(one, 'ip', 'link', 'del', TUNNEL_DEVICE);
    for (const n of [one, two]) {
      await lab.run(n, 'ip', 'link', 'set', 'eth0', 'mtu', '1400');
      await lab.restartWorker(n);
      await lab.startNetwork(n, objects, [], 'vxlan');
    }
    assert.equal((await present(two)).link!.mtu, 1350);
    await resize(api, one, 5);
    await resize(postgres, two, 7);
    await carriesFullSize(1350);
  });

  it('forgets a node that is removed', async () => {
    await one.worker.do({ do: 'remove', resource: 'nodes', key: 'two' });
    const left = async () => {
      const { neighbours, forwarding, routes } = await present(one);
      return String(neighbours.length + forwarding.length + routes.length);
    };
    assert.equal(await eventually(left, (n) => n === '1'), '1', 'its own range is still refused');
    assert.ok(Number.isNaN(await tunnelCounter(one, TUNNEL_RECEIVED, two)));
    await one.worker.do({ do: 'put', objects: [objects[1]!] });
    assert.equal(
      await eventually(
        () => api.worker.reach(postgres.ip, 5432, { timeoutMs: 300 }),
        (a) => a.startsWith('postgres'),
      ),
      `postgres from ${api.ip}`,
    );
  });

  it('gives way to routes without leaving anything of itself', async () => {
    for (const n of [one, two]) {
      await lab.restartWorker(n);
      await lab.startNetwork(n, objects, [], 'routes');
    }
    assert.doesNotMatch(await lab.run(one, 'ip', 'link', 'show'), /vxlan/);
    assert.doesNotMatch(await lab.run(one, 'nft', 'list', 'tables'), new RegExp(TUNNEL_TABLE));
    assert.equal(podMTU(one), 1400);
    assert.equal(await api.worker.reach(postgres.ip, 5432), `postgres from ${api.ip}`);
    assert.ok((await wireCounter('naked')) > 0, 'now on the wire as they are');
  });
});
