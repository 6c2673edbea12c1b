// A node's facts against a real kernel: sockets with their programs, services as they are programmed, policies in force, rules of others
// with their counters, routes; and a probe through all of that.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { realFileSystem } from '#host/file-system.ts';
import { type Run, run } from '#host/process.ts';
import { collectFacts } from '#why/node/collect.ts';
import type { NodeFacts } from '#why/node/facts.ts';
import { eventually, Lab, type LabNode, type LabPod } from './lab.ts';
import type { Put } from './worker.ts';

const put = (resource: string, object: unknown): Put => ({ resource, object: object as KubeObject }) as Put;
const CLUSTER_IP = '10.96.3.4';

describe('collectFacts in the kernel', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new Lab('facts');
  const listeners: ChildProcess[] = [];
  let node: LabNode;
  let client: LabPod;
  let server: LabPod;
  before(async () => {
    await lab.start();
    node = await lab.addNode('one', '192.168.77.1', '10.244.1');
    client = await lab.addPod(node, 'client', 2);
    server = await lab.addPod(node, 'server', 3);
    const pod = (p: LabPod, labels: Record<string, string>) =>
      put('pods', {
        metadata: { namespace: 'db', name: p.name, uid: `uid-${p.name}`, labels },
        spec: { nodeName: 'one', containers: [] },
        status: { phase: 'Running', podIP: p.ip, podIPs: [{ ip: p.ip }] },
      });
    await lab.startNetwork(node, [
      put('nodes', {
        metadata: { name: 'one' },
        spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] },
        status: { addresses: [{ type: 'InternalIP', address: '192.168.77.1' }] },
      }),
      put('namespaces', { metadata: { name: 'db', labels: { name: 'db' } } }),
      pod(client, { app: 'client' }),
      pod(server, { app: 'server' }),
      put('services', {
        metadata: { namespace: 'db', name: 'pg' },
        spec: {
          type: 'NodePort',
          clusterIP: CLUSTER_IP,
          clusterIPs: [CLUSTER_IP],
          ports: [{ name: 'pg', port: 5432, targetPort: 5432, protocol: 'TCP', nodePort: 30432 }],
        },
      }),
      put('endpointslices', {
        metadata: { namespace: 'db', name: 'pg-1', labels: { 'kubernetes.io/service-name': 'pg' } },
        addressType: 'IPv4',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
        endpoints: [{ addresses: [server.ip], conditions: { ready: true }, nodeName: 'one' }],
      }),
      put('networkpolicies', {
        metadata: { namespace: 'db', name: 'closed' },
        spec: {
          podSelector: { matchLabels: { app: 'client' } },
          policyTypes: ['Egress'],
          egress: [{ ports: [{ protocol: 'TCP', port: 5432 }] }],
        },
      }),
    ]);
    // A program of its own in the pod's network namespace, on loopback and on all addresses.
    const script =
      "const n=require('net');n.createServer(()=>{}).listen(5432,'0.0.0.0',()=>n.createServer(()=>{}).listen(6432,'127.0.0.1',()=>console.log('up')))";
    const child = spawn('nsenter', [`--net=${netns('server')}`, '--', process.execPath, '-e', script]);
    listeners.push(child);
    await new Promise<void>((resolve) => void child.stdout!.once('data', () => resolve()));
    await lab.runIn(
      'server',
      'nft',
      'add table inet blocker; add chain inet blocker in { type filter hook input priority 0; }; add rule inet blocker in tcp dport 6432 counter reject',
    );
  });
  after(async () => {
    for (const child of listeners) child.kill('SIGKILL');
    await lab.close();
  });

  const netns = (name: string): string => lab.netns(name);
  /** The node is a namespace here: its programs run in it. */
  const inNode: Run = (command, args, options) =>
    run('nsenter', [`--net=${netns('one')}`, '--', command, ...args], options);
  const facts = (services: readonly string[] = [], pods: readonly string[] = []): Promise<NodeFacts> =>
    collectFacts(
      { services, pods: pods.map((name) => ({ namespace: 'db', name })) },
      {
        node: 'one',
        run: inNode,
        files: realFileSystem,
        nftPath: 'nft',
        podUid: (_, name) => (name === 'client' || name === 'server' ? `uid-${name}` : undefined),
        podNetns: async (_, name) => netns(name),
        usesHostNetwork: () => false,
      },
      AbortSignal.timeout(20_000),
    );

  it('shows sockets of a pod with address and program, and rules of others in it with their counters', async () => {
    await client.worker.reach(server.ip, 6432, { timeoutMs: 300 });
    const { pods } = await facts([], ['server', 'nothere']);
    assert.equal(pods.length, 1);
    const [pod] = pods;
    const listening = pod!.listening.filter((l) => l.port === 5432 || l.port === 6432);
    assert.deepEqual(listening.map((l) => [l.address, l.port, l.backlog?.limit]).sort(), [
      ['0.0.0.0', 5432, 511],
      ['127.0.0.1', 6432, 511],
    ]);
    assert.ok(
      listening.every((l) => /node|MainThread/.test(l.program ?? '')),
      JSON.stringify(listening),
    );
    assert.ok(pod!.addresses.includes(server.ip));
    assert.ok(
      pod!.routes.some((r) => r.startsWith('default via 10.244.1.1')),
      pod!.routes.join('\n'),
    );
    const [rule] = pod!.foreignRules;
    assert.deepEqual([rule?.family, rule?.table, rule?.chain, rule?.hook], ['inet', 'blocker', 'in', 'input']);
  });

  it('shows what the kernel does with an address of a service, and nothing for those it does not know', async () => {
    const keys = [`${CLUSTER_IP}:5432/tcp`, '192.168.77.1:30432/tcp', `${CLUSTER_IP}:9/tcp`, '10.96.9.9:5432/tcp'];
    const { services } = await facts(keys);
    assert.deepEqual(services, [
      { key: keys[0], endpoints: [`${server.ip}:5432`] },
      { key: keys[1], endpoints: [`${server.ip}:5432`] },
    ]);
  });

  it('notices when somebody takes a service out of the kernel', async () => {
    const key = `${CLUSTER_IP}:5432/tcp`;
    const element = `{ ${CLUSTER_IP} . tcp . 5432 }`;
    await lab.run(node, 'nft', `delete element ip coracle_services cluster_addresses ${element}`);
    assert.deepEqual((await facts([key])).services, []);
  });

  it('shows which pods have a policy in force, and counts what it drops', async () => {
    const before = await facts([], ['client', 'server']);
    assert.deepEqual(
      before.pods.map((p) => [p.name, p.policyProfiles]),
      [
        ['client', { ingress: false, egress: true }],
        ['server', { ingress: false, egress: false }],
      ],
    );
    const dropped = async () =>
      String(
        (await facts()).counters.find((c) => c.rule === `coracle_policy/egress_denied: ${client.ip}`)?.packets ?? 0,
      );
    await client.worker.reach(server.ip, 5433, { timeoutMs: 300 });
    assert.notEqual(await eventually(dropped, (n) => Number(n) > 0), '0');
    assert.equal(before.policyEnforced, true);
  });

  it('shows links, routes, connection tracking, and rules of others on the node', async () => {
    await lab.run(
      node,
      'nft',
      'add table ip stranger; add chain ip stranger out { type filter hook forward priority 5; }; add rule ip stranger out tcp dport 7777 counter drop comment "not ours"',
    );
    await client.worker.reach(server.ip, 5432, { timeoutMs: 300 });
    const seen = await facts();
    assert.ok(seen.addresses.includes('192.168.77.1'));
    assert.ok(
      seen.routes.some((r) => r.startsWith(`${server.ip} dev veth3`)),
      seen.routes.join('\n'),
    );
    assert.ok(seen.links.some((l) => l.name === 'veth3' && l.up && l.kind === 'veth'));
    assert.ok((seen.conntrack?.max ?? 0) > 0);
    assert.deepEqual(
      seen.foreignRules.map((r) => [r.table, r.chain, r.hook, r.packets]),
      [['stranger', 'out', 'forward', 0]],
    );
  });
});
