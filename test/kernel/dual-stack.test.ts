// Both address families in the kernel, over routes and through VXLAN: pod to pod, Services, node ports, policies and names of IPv6.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
import { DNS_ADDRESS, eventually, Lab, type LabNode, type LabPod, type Worker } from './lab.ts';
import type { Put } from './worker.ts';

const put = (resource: string, object: unknown): Put => ({ resource, object: object as KubeObject }) as Put;
const makeNode = (node: LabNode) => {
  const podCIDRs = [`${node.podPrefix}.0/24`, `${node.podPrefix6}/64`];
  return put('nodes', {
    metadata: { name: node.name },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: { addresses: [node.ip, node.ip6].map((address) => ({ type: 'InternalIP', address })) },
  });
};
const makePod = (pod: LabPod, nodeName: string, labels: Record<string, string>) =>
  put('pods', {
    metadata: { namespace: 'db', name: pod.name, uid: `uid-${pod.name}`, labels },
    spec: { nodeName, containers: [] },
    status: { phase: 'Running', podIP: pod.ip, podIPs: [{ ip: pod.ip }, { ip: pod.ip6 }] },
  });
const CLUSTER_IP = 'fd00:10:96::42';
const NODE_PORT = 30_432;

for (const mode of ['routes', 'vxlan'] satisfies PodNetworkMode[])
  describe(`both families in the kernel, ${mode}`, { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
    const lab = new Lab(`ds${mode[0]}`, { ipv6: true });
    let one: LabNode;
    let two: LabNode;
    let laptop: Worker;
    let api: LabPod;
    let near: LabPod;
    let far: LabPod;
    const everywhere = async (objects: readonly Put[]) => {
      for (const n of [one, two]) await n.worker.do({ do: 'put', objects });
    };

    before(async () => {
      await lab.start();
      one = await lab.addNode('one', '192.168.77.1', '10.244.1');
      two = await lab.addNode('two', '192.168.77.2', '10.244.2');
      laptop = await lab.addMachine('laptop', '192.168.77.100');
      api = await lab.addPod(one, 'api', 5);
      near = await lab.addPod(one, 'near', 6);
      far = await lab.addPod(two, 'far', 7);
      for (const p of [api, near, far])
        for (const protocol of ['tcp', 'udp'])
          await p.worker.do({ do: 'listen', port: 5432, protocol, name: p.name, address: '::' });
      await laptop.do({ do: 'listen', port: 7000, protocol: 'tcp', name: 'laptop', address: '::' });
      const ports = [{ name: 'pg', port: 5432, protocol: 'TCP' }];
      const slice = (addressType: string, ...endpoints: { ip: string; nodeName: string }[]) =>
        put('endpointslices', {
          metadata: {
            namespace: 'db',
            name: `pg-${addressType}`,
            labels: { 'kubernetes.io/service-name': 'pg' },
          },
          addressType,
          ports,
          endpoints: endpoints.map(({ ip, nodeName }) => ({ addresses: [ip], conditions: { ready: true }, nodeName })),
        });
      const objects = [
        makeNode(one),
        makeNode(two),
        put('namespaces', { metadata: { name: 'db', labels: { name: 'db' } } }),
        makePod(api, 'one', { role: 'api' }),
        makePod(near, 'one', { app: 'pg' }),
        makePod(far, 'two', { app: 'pg' }),
        put('services', {
          metadata: { namespace: 'db', name: 'pg' },
          spec: {
            type: 'NodePort',
            clusterIP: '10.96.42.1',
            clusterIPs: ['10.96.42.1', CLUSTER_IP],
            ipFamilies: ['IPv4', 'IPv6'],
            ports: [{ ...ports[0], targetPort: 5432, nodePort: NODE_PORT }],
          },
        }),
        slice('IPv4', { ip: far.ip, nodeName: 'two' }),
        slice('IPv6', { ip: far.ip6, nodeName: 'two' }),
      ];
      await Promise.all([one, two].map((n) => lab.startNetwork(n, objects, [], mode)));
      if (mode === 'vxlan')
        for (const [pod, node, number] of [
          [api, one, 5],
          [near, one, 6],
          [far, two, 7],
        ] as const) {
          await lab.runIn(pod.name, 'ip', 'link', 'set', 'eth0', 'mtu', '1450');
          await lab.run(node, 'ip', 'link', 'set', `veth${number}`, 'mtu', '1450');
        }
    });
    after(() => lab.close());

    it('lets pods reach each other without translation, in both families', async () => {
      assert.equal(await api.worker.reach(near.ip6, 5432), `near from ${api.ip6}`);
      assert.equal(await api.worker.reach(far.ip6, 5432), `far from ${api.ip6}`);
      assert.equal(await api.worker.reach(far.ip6, 5432, { protocol: 'udp', bytes: 4000 }), `far from ${api.ip6}`);
      assert.equal(await api.worker.reach(far.ip, 5432), `far from ::ffff:${api.ip}`);
    });

    it('serves a Service at both of its addresses, the client’s address kept', async () => {
      assert.equal(await api.worker.reach(CLUSTER_IP, 5432), `far from ${api.ip6}`);
      assert.equal(await api.worker.reach('10.96.42.1', 5432), `far from ::ffff:${api.ip}`);
      assert.equal(await api.worker.reach(CLUSTER_IP, 80), 'ECONNREFUSED', 'no such port');
      assert.equal(await api.worker.reach('fd00:10:96::99', 80), 'timeout', 'no such service');
    });

    it('answers at node ports of both families, from the node and from outside', async () => {
      for (const node of [one, two]) {
        assert.match(await laptop.reach(node.ip6, NODE_PORT), /^far from (fd77::|fd00:)/);
        assert.match(await laptop.reach(node.ip, NODE_PORT), /^far from ::ffff:/);
      }
      assert.match(await one.worker.reach(CLUSTER_IP, 5432), /^far from fd/);
    });

    it('shows pods to what is no part of the cluster under the node’s address', async () => {
      assert.equal(await api.worker.reach('fd77::100', 7000), `laptop from ${one.ip6}`);
      assert.equal(
        await api.worker.reach(two.ip6, NODE_PORT),
        `far from ${two.podPrefix6}1`,
        'by a node port it is the node',
      );
    });

    it('says AAAA, and names for addresses of IPv6', async () => {
      const ask = async (name: string, type: string) => {
        const reply = await api.worker.do({ do: 'resolve', server: DNS_ADDRESS, name, type, transport: 'udp' });
        return 'rcode' in reply ? reply.answers.join(' ') : JSON.stringify(reply);
      };
      assert.equal(await ask('pg.db.svc.cluster.local', 'AAAA'), `{"type":"AAAA","address":"${CLUSTER_IP}"}`);
      assert.equal(await ask('pg.db.svc.cluster.local', 'A'), '{"type":"A","address":"10.96.42.1"}');
      const nibbles = '2.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa';
      assert.equal(await ask(nibbles, 'PTR'), '{"type":"PTR","name":"pg.db.svc.cluster.local"}');
    });

    it('isolates pods in both families, and lets in by label and by block', async () => {
      const policy = (from: object[]) =>
        put('networkpolicies', {
          metadata: { namespace: 'db', name: 'pg' },
          spec: { podSelector: { matchLabels: { app: 'pg' } }, policyTypes: ['Ingress'], ingress: [{ from }] },
        });
      const reach = (ip: string) => () => api.worker.reach(ip, 5432, { timeoutMs: 300 });
      await everywhere([policy([{ podSelector: { matchLabels: { role: 'web' } } }])]);
      for (const ip of [near.ip, near.ip6, far.ip, far.ip6])
        assert.equal(await eventually(reach(ip), (a) => a === 'timeout'), 'timeout', ip);
      await everywhere([policy([{ ipBlock: { cidr: `${api.ip6}/128` } }])]);
      assert.match(await eventually(reach(far.ip6), (a) => a !== 'timeout'), /^far/);
      assert.equal(await reach(far.ip)(), 'timeout', 'the block is of IPv6');
      await everywhere([policy([{ podSelector: { matchLabels: { role: 'api' } } }])]);
      for (const ip of [near.ip, near.ip6, far.ip, far.ip6])
        assert.notEqual(await eventually(reach(ip), (a) => a !== 'timeout'), 'timeout', ip);
      for (const n of [one, two]) await n.worker.do({ do: 'remove', resource: 'networkpolicies', key: 'db/pg' });
    });

    it('keeps clients with their endpoint, filters a load balancer’s clients, and opens host ports', async () => {
      const service = (name: string, clusterIP: string, spec: object, status = {}) =>
        put('services', {
          metadata: { namespace: 'db', name },
          spec: {
            clusterIP,
            clusterIPs: [clusterIP],
            ipFamilies: ['IPv6'],
            ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
            ...spec,
          },
          status,
        });
      const slice = (name: string, ...pods: LabPod[]) =>
        put('endpointslices', {
          metadata: { namespace: 'db', name: `${name}-6`, labels: { 'kubernetes.io/service-name': name } },
          addressType: 'IPv6',
          ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
          endpoints: pods.map((p) => ({ addresses: [p.ip6], conditions: { ready: true } })),
        });
      const balanced = 'fd77::4:1';
      const ports = [{ protocol: 'TCP', hostPort: 8080, containerPort: 5432 }];
      await everywhere([
        service('sticky', 'fd00:10:96::51', {
          sessionAffinity: 'ClientIP',
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        }),
        slice('sticky', near, far),
        service(
          'balanced',
          'fd00:10:96::52',
          { type: 'LoadBalancer', loadBalancerSourceRanges: [`${api.ip6}/128`, '2001:db8::/32'] },
          { loadBalancer: { ingress: [{ ip: balanced }] } },
        ),
        slice('balanced', far),
        put('pods', {
          metadata: { namespace: 'db', name: far.name, uid: `uid-${far.name}`, labels: { app: 'pg' } },
          spec: { nodeName: 'two', containers: [{ name: 'pg', ports }] },
          status: { phase: 'Running', podIP: far.ip, podIPs: [{ ip: far.ip }, { ip: far.ip6 }] },
        }),
      ]);
      const first = await eventually(
        () => api.worker.reach('fd00:10:96::51', 5432, { timeoutMs: 300 }),
        (a) => / from /.test(a),
      );
      for (let i = 0; i < 8; i++) assert.equal(await api.worker.reach('fd00:10:96::51', 5432), first);
      assert.match(await api.worker.reach(balanced, 5432), /^far from /);
      assert.equal(await near.worker.reach(balanced, 5432, { timeoutMs: 300 }), 'timeout', 'not in the ranges');
      assert.match(await laptop.reach(two.ip6, 8080), /^far from fd77::100/);
      assert.equal(await laptop.reach(two.ip, 8080), 'far from ::ffff:192.168.77.100');
    });

    it('finds neighbours under default-deny egress: what is allowed arrives', async () => {
      await everywhere([
        put('networkpolicies', {
          metadata: { namespace: 'db', name: 'out' },
          spec: {
            podSelector: { matchLabels: { role: 'api' } },
            policyTypes: ['Egress'],
            egress: [{ to: [{ podSelector: { matchLabels: { app: 'pg' } } }] }],
          },
        }),
      ]);
      const laptopReached = () => api.worker.reach('fd77::100', 7000, { timeoutMs: 300 });
      assert.equal(await eventually(laptopReached, (a) => a === 'timeout'), 'timeout');
      await lab.runIn('api', 'ip', '-6', 'neigh', 'flush', 'dev', 'eth0');
      assert.equal(await api.worker.reach(far.ip6, 5432), `far from ${api.ip6}`);
      for (const n of [one, two]) await n.worker.do({ do: 'remove', resource: 'networkpolicies', key: 'db/out' });
    });

    it('lets a pod send under its own addresses only', async () => {
      const other = `${one.podPrefix6}99`;
      await lab.runIn('api', 'ip', 'address', 'add', `${other}/128`, 'dev', 'eth0', 'nodad', 'preferred_lft', '0');
      await lab.runIn('api', 'ip', '-6', 'route', 'add', `${far.ip6}/128`, 'via', `${one.podPrefix6}1`, 'src', other);
      assert.equal(await api.worker.reach(far.ip6, 5432, { timeoutMs: 400 }), 'timeout');
      const chain = await lab.run(one, 'nft', 'list', 'chain', 'ip6', 'coracle_policy', 'own_address_only');
      assert.match(chain, /counter packets [1-9]\d* .* drop comment "not its own address"/);
      await lab.runIn('api', 'ip', '-6', 'route', 'del', `${far.ip6}/128`);
      assert.equal(await api.worker.reach(far.ip6, 5432), `far from ${api.ip6}`);
    });
  });
