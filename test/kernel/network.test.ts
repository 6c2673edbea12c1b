// The node network in real namespaces with real packets: the four rules, services, host ports, policies and DNS.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { walk } from '#netmodel/packet.ts';
import { type FakeNode, makeFakeNode } from '#network/testing.ts';
import * as resources from '#generated/resources.ts';
import { DNS_ADDRESS, eventually, Lab, type LabNode, type LabPod, type Worker } from './lab.ts';
import type { Put } from './worker.ts';

const put = (resource: string, object: unknown): Put => ({ resource, object: object as KubeObject }) as Put;
const node = (name: string, ip: string, podCIDR: string) =>
  put('nodes', {
    metadata: { name },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses: [{ type: 'InternalIP', address: ip }] },
  });
const namespace = (name: string) =>
  put('namespaces', { metadata: { name, labels: { 'kubernetes.io/metadata.name': name, name } } });
const service = (name: string, clusterIP: string, spec: object = {}) =>
  put('services', {
    metadata: { namespace: 'db', name },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: 'pg', port: 5432, targetPort: 5432, protocol: 'TCP' }],
      ...spec,
    },
  });
const slice = (
  name: string,
  endpoints: readonly { ip: string; nodeName: string; hostname?: string }[],
  ports: object[] = [{ name: 'pg', port: 5432, protocol: 'TCP' }],
) =>
  put('endpointslices', {
    metadata: { namespace: 'db', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports,
    endpoints: endpoints.map(({ ip, ...rest }) => ({ addresses: [ip], conditions: { ready: true }, ...rest })),
  });
const pod = (ns: string, p: LabPod, nodeName: string, labels: Record<string, string>) =>
  put('pods', {
    metadata: { namespace: ns, name: p.name, uid: `uid-${p.name}`, labels },
    spec: { nodeName, containers: [] },
    status: { phase: 'Running', podIP: p.ip, podIPs: [{ ip: p.ip }] },
  });
const policy = (ns: string, name: string, spec: object) =>
  put('networkpolicies', { metadata: { namespace: ns, name }, spec });

describe('NodeNetwork in the kernel', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new Lab('net');
  let one: LabNode;
  let two: LabNode;
  let laptop: Worker;
  let api: LabPod;
  let postgres: LabPod;
  let remote: LabPod;
  let base: Put[];
  const everywhere = async (objects: readonly Put[]) => {
    for (const n of [one, two]) await n.worker.do({ do: 'put', objects });
  };
  const removed = async (resource: string, key: string) => {
    for (const n of [one, two]) await n.worker.do({ do: 'remove', resource, key });
  };

  before(async () => {
    await lab.start();
    one = await lab.addNode('one', '192.168.77.1', '10.244.1');
    two = await lab.addNode('two', '192.168.77.2', '10.244.2');
    laptop = await lab.addMachine('laptop', '192.168.77.100');
    api = await lab.addPod(one, 'api', 5);
    postgres = await lab.addPod(one, 'postgres-0', 6);
    remote = await lab.addPod(two, 'postgres-1', 7);
    for (const p of [api, postgres, remote]) {
      await p.worker.do({ do: 'listen', port: 5432, protocol: 'tcp', name: p.name });
      await p.worker.do({ do: 'listen', port: 5432, protocol: 'udp', name: p.name });
    }
    await laptop.do({ do: 'listen', port: 7000, protocol: 'tcp', name: 'laptop' });
    base = [
      node('one', one.ip, '10.244.1.0/24'),
      node('two', two.ip, '10.244.2.0/24'),
      namespace('db'),
      namespace('app'),
      namespace('kube-system'),
      pod('app', api, 'one', { role: 'api' }),
      pod('db', postgres, 'one', { app: 'postgres' }),
      pod('db', remote, 'two', { app: 'postgres' }),
      service('local', '10.96.42.1'),
      slice('local', [{ ip: postgres.ip, nodeName: 'one' }]),
      service('remote', '10.96.42.2', {
        type: 'NodePort',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP', nodePort: 30432 }],
      }),
      slice('remote', [{ ip: remote.ip, nodeName: 'two', hostname: 'postgres-1' }]),
      service('keeps', '10.96.42.3', {
        type: 'NodePort',
        externalTrafficPolicy: 'Local',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP', nodePort: 30433 }],
      }),
      slice('keeps', [{ ip: remote.ip, nodeName: 'two' }]),
      service('empty', '10.96.42.4', {
        type: 'NodePort',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP', nodePort: 30434 }],
      }),
      service('itself', '10.96.42.5'),
      slice('itself', [{ ip: api.ip, nodeName: 'one' }]),
      service('own', '10.96.42.9'),
      slice('own', [{ ip: postgres.ip, nodeName: 'one' }]),
      service('datagram', '10.96.42.6', { ports: [{ name: 'pg', port: 5432, protocol: 'UDP' }] }),
      slice('datagram', [{ ip: remote.ip, nodeName: 'two' }], [{ name: 'pg', port: 5432, protocol: 'UDP' }]),
      service('both', '10.96.42.7'),
      slice('both', [
        { ip: postgres.ip, nodeName: 'one' },
        { ip: remote.ip, nodeName: 'two' },
      ]),
      service('sticky', '10.96.42.8', {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
      }),
      slice('sticky', [
        { ip: postgres.ip, nodeName: 'one' },
        { ip: remote.ip, nodeName: 'two' },
      ]),
      service('headless', 'None'),
      slice('headless', [{ ip: remote.ip, nodeName: 'two', hostname: 'postgres-1' }]),
    ];
    await Promise.all([lab.startNetwork(one, base), lab.startNetwork(two, base)]);
  });
  after(() => lab.close());

  it('lets pods reach each other without translation, on one node and across nodes', async () => {
    assert.equal(await api.worker.reach(postgres.ip, 5432), `postgres-0 from ${api.ip}`);
    assert.equal(await api.worker.reach(remote.ip, 5432), `postgres-1 from ${api.ip}`);
  });

  it('carries a cluster IP to its endpoint with the client address kept', async () => {
    assert.equal(await api.worker.reach('10.96.42.1', 5432), `postgres-0 from ${api.ip}`);
    assert.equal(await api.worker.reach('10.96.42.2', 5432), `postgres-1 from ${api.ip}`);
    assert.equal(await api.worker.reach('10.96.42.6', 5432, { protocol: 'udp' }), `postgres-1 from ${api.ip}`);
  });

  it('carries a cluster IP from the node itself', async () => {
    assert.match(await one.worker.reach('10.96.42.2', 5432), /^postgres-1 from/);
    assert.match(await one.worker.reach('10.96.42.1', 5432), /^postgres-0 from/);
  });

  it('spreads connections over the endpoints', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 30; i++) seen.add((await api.worker.reach('10.96.42.7', 5432)).split(' ')[0]!);
    assert.deepEqual([...seen].sort(), ['postgres-0', 'postgres-1']);
  });

  it('keeps a client at its endpoint under session affinity', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 15; i++) seen.add(await api.worker.reach('10.96.42.8', 5432));
    assert.equal(seen.size, 1);
  });

  it('moves the client on when its endpoint is gone', async () => {
    const first = (await api.worker.reach('10.96.42.8', 5432)).split(' ')[0];
    const other =
      first === 'postgres-0'
        ? { name: 'postgres-1', ip: remote.ip, nodeName: 'two' }
        : { name: 'postgres-0', ip: postgres.ip, nodeName: 'one' };
    await everywhere([slice('sticky', [{ ip: other.ip, nodeName: other.nodeName }])]);
    const answer = await eventually(
      () => api.worker.reach('10.96.42.8', 5432),
      (a) => a.startsWith(other.name),
    );
    assert.equal(answer, `${other.name} from ${api.ip}`);
  });

  it('lets a pod reach itself through its service', async () => {
    assert.match(await api.worker.reach('10.96.42.5', 5432), /^api from /);
  });

  it('refuses a service without endpoints at once, at cluster IP and node port, by TCP and UDP', async () => {
    assert.equal(await api.worker.reach('10.96.42.4', 5432), 'ECONNREFUSED');
    assert.equal(await one.worker.reach('10.96.42.4', 5432), 'ECONNREFUSED');
    assert.equal(await laptop.reach(one.ip, 30434), 'ECONNREFUSED');
    assert.equal(await api.worker.reach('10.96.42.6', 5433, { protocol: 'udp' }), 'ECONNREFUSED');
  });

  it('answers a node port on every node address, with or without a local backend', async () => {
    assert.equal(await laptop.reach(one.ip, 30432), `postgres-1 from ${one.ip}`);
    assert.match(await laptop.reach(two.ip, 30432), /^postgres-1 from/);
    assert.match(await one.worker.reach('127.0.0.1', 30432), /^postgres-1 from/);
  });

  it('keeps the client address under externalTrafficPolicy Local and drops where no backend is', async () => {
    assert.equal(await laptop.reach(two.ip, 30433), 'postgres-1 from 192.168.77.100');
    assert.equal(await laptop.reach(one.ip, 30433), 'timeout');
    assert.match(await api.worker.reach(one.ip, 30433), /^postgres-1 from/);
  });

  it('translates what leaves the cluster', async () => {
    assert.equal(await api.worker.reach('192.168.77.100', 7000), `laptop from ${one.ip}`);
  });

  it('opens a host port, also on loopback', async () => {
    const local = {
      uid: 'uid-api',
      namespace: 'app',
      name: 'api',
      labels: { role: 'api' },
      ips: [api.ip],
      netnsPath: undefined,
    };
    const hostPorts = [{ protocol: 'TCP', hostIP: '', hostPort: 8432, containerPort: 5432 }];
    await one.worker.do({ do: 'inForce', pod: { ...local, hostPorts } });
    assert.equal(await laptop.reach(one.ip, 8432), 'api from 192.168.77.100');
    assert.match(await one.worker.reach('127.0.0.1', 8432), /^api from/);
  });

  it('follows a changed endpoint', async () => {
    await everywhere([slice('local', [{ ip: remote.ip, nodeName: 'two' }])]);
    const answer = await eventually(
      () => api.worker.reach('10.96.42.1', 5432),
      (a) => a.startsWith('postgres-1'),
    );
    assert.equal(answer, `postgres-1 from ${api.ip}`);
    await everywhere([slice('local', [{ ip: postgres.ip, nodeName: 'one' }])]);
    assert.equal(
      await eventually(
        () => api.worker.reach('10.96.42.1', 5432),
        (a) => a.startsWith('postgres-0'),
      ),
      `postgres-0 from ${api.ip}`,
    );
  });

  const ask = async (who: Worker, name: string, type = 'A', transport = 'udp') => {
    const reply = await who.do({ do: 'resolve', server: DNS_ADDRESS, name, type, transport });
    return 'rcode' in reply ? `${reply.rcode} ${reply.answers.join(' ')}`.trim() : JSON.stringify(reply);
  };

  it('resolves names at the cluster DNS address, by UDP and TCP', async () => {
    assert.equal(await ask(api.worker, 'local.db.svc.cluster.local'), '0 {"type":"A","address":"10.96.42.1"}');
    assert.equal(
      await ask(api.worker, 'local.db.svc.cluster.local', 'A', 'tcp'),
      '0 {"type":"A","address":"10.96.42.1"}',
    );
    assert.equal(
      await ask(remote.worker, 'postgres-1.headless.db.svc.cluster.local'),
      `0 {"type":"A","address":"${remote.ip}"}`,
    );
    assert.equal(await ask(api.worker, 'nobody.db.svc.cluster.local'), '3');
    assert.equal(await ask(one.worker, 'local.db.svc.cluster.local'), '0 {"type":"A","address":"10.96.42.1"}');
  });

  it('isolates the pods a policy selects and lets in what it names, same node and across', async () => {
    await everywhere([policy('db', 'default-deny', { podSelector: {}, policyTypes: ['Ingress'] })]);
    for (const p of [postgres, remote]) {
      assert.equal(
        await eventually(
          () => api.worker.reach(p.ip, 5432, { timeoutMs: 300 }),
          (a) => a === 'timeout',
        ),
        'timeout',
      );
    }
    assert.match(await one.worker.reach(postgres.ip, 5432), /^postgres-0/, 'a node reaches its own pods');
    const from = [
      { namespaceSelector: { matchLabels: { name: 'app' } }, podSelector: { matchLabels: { role: 'api' } } },
    ];
    await everywhere([
      policy('db', 'allow-api', {
        podSelector: { matchLabels: { app: 'postgres' } },
        ingress: [{ from, ports: [{ port: 5432 }] }],
      }),
    ]);
    for (const p of [postgres, remote]) {
      assert.equal(
        await eventually(
          () => api.worker.reach(p.ip, 5432, { timeoutMs: 300 }),
          (a) => a !== 'timeout',
        ),
        `${p.name} from ${api.ip}`,
      );
    }
    assert.equal(await postgres.worker.reach(remote.ip, 5432), 'timeout', 'a peer without the labels stays out');
    await everywhere([pod('app', api, 'one', { role: 'web' })]);
    assert.equal(
      await eventually(
        () => api.worker.reach(remote.ip, 5432, { timeoutMs: 300 }),
        (a) => a === 'timeout',
      ),
      'timeout',
      'no role, no entry',
    );
    await removed('networkpolicies', 'db/default-deny');
    await removed('networkpolicies', 'db/allow-api');
    assert.match(
      await eventually(
        () => api.worker.reach(remote.ip, 5432, { timeoutMs: 300 }),
        (a) => a !== 'timeout',
      ),
      /^postgres-1/,
    );
  });

  it('denies DNS under default-deny egress until the usual rule allows it', async () => {
    await everywhere([policy('app', 'no-egress', { podSelector: {}, policyTypes: ['Egress'] })]);
    await eventually(
      () => api.worker.reach(postgres.ip, 5432, { timeoutMs: 300 }),
      (a) => a === 'timeout',
    );
    assert.match(await ask(api.worker, 'local.db.svc.cluster.local'), /did not answer/);
    const to = [
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
        podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
      },
    ];
    await everywhere([
      policy('app', 'allow-dns', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ to, ports: [{ protocol: 'UDP', port: 53 }] }],
      }),
    ]);
    assert.equal(
      await eventually(
        () => ask(api.worker, 'local.db.svc.cluster.local'),
        (a) => a.startsWith('0'),
      ),
      '0 {"type":"A","address":"10.96.42.1"}',
    );
    assert.equal(await api.worker.reach(postgres.ip, 5432), 'timeout');
    const drops = await lab.run(one, 'nft', 'list', 'set', 'ip', 'coracle_policy', 'egress_denied');
    assert.match(drops, new RegExp(`${api.ip.replaceAll('.', '\\.')} counter packets [1-9]`));
    await removed('networkpolicies', 'app/no-egress');
    await removed('networkpolicies', 'app/allow-dns');
  });

  it('enforces blocks with exceptions and port ranges, also while they change', async () => {
    const blocks = (except: readonly string[], endPort: number) =>
      policy('db', 'blocks', {
        podSelector: {},
        ingress: [
          {
            from: [{ ipBlock: { cidr: '10.244.0.0/16', except } }, { ipBlock: { cidr: '192.168.77.0/24' } }],
            ports: [{ port: 5000, endPort }],
          },
        ],
      });
    const reach = (wanted: 'in' | 'out') =>
      eventually(
        () => api.worker.reach(remote.ip, 5432, { timeoutMs: 200 }),
        (a) => (a === 'timeout') === (wanted === 'out'),
      );
    await everywhere([blocks(['10.244.1.0/24'], 6000)]);
    assert.equal(await reach('out'), 'timeout');
    await everywhere([blocks(['10.244.1.128/25'], 6000)]);
    assert.equal(await reach('in'), `postgres-1 from ${api.ip}`);
    await everywhere([blocks(['10.244.1.128/25'], 5431)]);
    assert.equal(await reach('out'), 'timeout');
    await everywhere([blocks([], 5432)]);
    assert.equal(await reach('in'), `postgres-1 from ${api.ip}`);
    assert.equal(
      await laptop.reach(two.ip, 30433),
      'postgres-1 from 192.168.77.100',
      'a node port client is judged by its own address',
    );
    await removed('networkpolicies', 'db/blocks');
    await reach('in');
  });

  it('does what the packet walker says', async () => {
    const from = [{ namespaceSelector: { matchLabels: { name: 'app' } } }];
    const guard = policy('db', 'guard', {
      podSelector: { matchLabels: { app: 'postgres' } },
      ingress: [{ from, ports: [{ port: 5432 }] }],
    });
    await everywhere([guard]);
    await eventually(
      () => postgres.worker.reach(remote.ip, 5432, { timeoutMs: 200 }),
      (a) => a === 'timeout',
    );
    const objects = [...base, guard].map(({ resource, object }) => ({ ref: resources[resource], object }));
    const models = new Map<string, FakeNode>();
    for (const n of [one, two]) models.set(n.name, await makeFakeNode(objects, { nodeName: n.name, nodeIP: n.ip }));
    const names = new Map([api, postgres, remote].map((p) => [p.ip, p.name]));
    const nodeOf = (ip: string) => [one, two].find((n) => ip === n.ip || ip.startsWith(`${n.podPrefix}.`));
    /** Walks node after node until the packet arrives or is stopped. */
    const predicted = (
      src: string,
      dst: string,
      dport: number,
      start: LabNode | undefined,
      ownProcess: boolean,
    ): string => {
      let packet = { src, dst, protocol: 'tcp' as const, dport } as Parameters<typeof walk>[1];
      let at = start ?? nodeOf(dst);
      for (let from: 'node' | 'wire' = ownProcess ? 'node' : 'wire'; at !== undefined; from = 'wire') {
        const result = walk(models.get(at.name)!.view(), packet, { from });
        if (result.verdict === 'dropped') return 'timeout';
        if (result.verdict === 'rejected') return 'ECONNREFUSED';
        if (result.verdict === 'delivered') return 'ECONNREFUSED';
        packet = result.packet;
        const next = nodeOf(packet.dst);
        if (next === at) return packet.dport === 5432 ? names.get(packet.dst)! : 'ECONNREFUSED';
        at = next;
      }
      return 'nowhere';
    };
    const clients: [string, string, LabNode | undefined, Worker, boolean][] = [
      ['api', api.ip, one, api.worker, false],
      ['postgres-0', postgres.ip, one, postgres.worker, false],
      ['postgres-1', remote.ip, two, remote.worker, false],
      ['node one', one.ip, one, one.worker, true],
      ['laptop', '192.168.77.100', undefined, laptop, false],
    ];
    const targets: [string, number][] = [
      [api.ip, 5432],
      [postgres.ip, 5432],
      [remote.ip, 5432],
      [remote.ip, 81],
      ['10.96.42.1', 5432],
      ['10.96.42.2', 5432],
      ['10.96.42.4', 5432],
      ['10.96.42.5', 5432],
      ['10.96.42.9', 5432],
      ['10.96.42.1', 80],
      [one.ip, 30432],
      [two.ip, 30432],
      [one.ip, 30433],
      [two.ip, 30434],
    ];
    for (const [who, address, start, worker, own] of clients) {
      for (const [host, port] of targets) {
        // The laptop has no route to pods and cluster IPs, as in a real cluster; a pod's own address does not leave it.
        if ((who === 'laptop' && host.startsWith('10.')) || host === address) continue;
        const seen = (await worker.reach(host, port, { timeoutMs: 300 })).split(' ')[0];
        assert.equal(seen, predicted(address, host, port, start, own), `${who} to ${host}:${port}`);
      }
    }
    await removed('networkpolicies', 'db/guard');
  });

  it('keeps serving while the agent is away, and takes up what changed meanwhile', async () => {
    await lab.restartWorker(one);
    assert.equal(await api.worker.reach('10.96.42.2', 5432), `postgres-1 from ${api.ip}`);
    const moved = slice('local', [{ ip: remote.ip, nodeName: 'two' }]);
    let lost = 0;
    let tried = 0;
    const started = lab
      .startNetwork(one, [...base.filter((p) => p.object.metadata.name !== 'local-1'), moved])
      .then(() => (tried = Math.max(tried, 20)));
    do {
      if (!(await api.worker.reach('10.96.42.2', 5432)).startsWith('postgres-1')) lost++;
      tried++;
    } while (tried < 20);
    await started;
    assert.equal(lost, 0);
    assert.equal(
      await eventually(
        () => api.worker.reach('10.96.42.1', 5432),
        (a) => a.startsWith('postgres-1'),
      ),
      `postgres-1 from ${api.ip}`,
    );
  });

  it('writes the CNI configuration of its own range', async () => {
    const { readFileSync } = await import('node:fs');
    const conflist = JSON.parse(readFileSync(`${lab.folder}/one/cni/10-coracle.conflist`, 'utf8')) as {
      plugins: { type: string; ipam: { ranges: unknown } }[];
    };
    assert.deepEqual(
      conflist.plugins.map((p) => [p.type, p.ipam.ranges]),
      [['ptp', [[{ subnet: '10.244.1.0/24' }]]]],
    );
  });
});
