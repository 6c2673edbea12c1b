// A cluster whose nodes are joined by tunnels, as the article draws it: flat, without translation, for packets of every size,
// and of both address families. Then the same cluster with routes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { call, CLIENT_IMAGE, makeClientPod, TestCluster, until } from './cluster.ts';

const isRoot = process.getuid?.() === 0;
const NAMESPACE = 'default';
const MEGABYTES = 40;
const PAGES = '/usr/share/nginx/html';
/** IPv4 and ICMP headers. */
const PING_HEADERS = 28;

const web: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: NAMESPACE, labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    nodeSelector: { 'kubernetes.io/hostname': 'node-2' },
    volumes: [{ name: 'pages', emptyDir: {} }],
    containers: [
      { name: 'web', image: 'nginx:1.22', volumeMounts: [{ name: 'pages', mountPath: PAGES }] },
      { name: 'tools', image: CLIENT_IMAGE, volumeMounts: [{ name: 'pages', mountPath: PAGES }] },
    ],
  },
};

describe('pod network through VXLAN, of both families', {
  timeout: 240_000,
  skip: isRoot ? false : 'needs root',
}, () => {
  let cluster: TestCluster;
  let client: Pod;
  let server: Pod;
  let listener: Pod;
  const podIP = (pod: Pod): string => pod.status!.podIP!;
  const inClient = (command: readonly string[]) => cluster.mustExec(NAMESPACE, 'client', command);
  const fetch = (url: string) => inClient(['curl', '-sS', '--max-time', '5', url]);
  /** Who asked for this, as the server saw it. */
  const seenAsking = (path: string): Promise<string> =>
    until(`${path} in the server's log`, 10_000, async () => {
      const log = await cluster.kubectl(['logs', 'web', '-c', 'web']);
      return new RegExp(`^([\\d.]+) - .* /${path} `, 'm').exec(log)?.[1];
    });
  const mtu = async (pod: string): Promise<number> =>
    Number(await cluster.mustExec(NAMESPACE, pod, ['cat', '/sys/class/net/eth0/mtu']));
  /** Of the nodes' link to the switch, which is as wide as the machine's way out. */
  const nodeMTU = async (): Promise<number> => {
    const output = await cluster.nodeShell('node-1', 'ip -o link show eth0');
    return Number(/ mtu (\d+) /.exec(output.stdout)![1]);
  };
  const ping = (size: number) =>
    cluster.exec(NAMESPACE, 'client', [
      'ping',
      '-M',
      'do',
      '-c',
      '1',
      '-W',
      '2',
      '-s',
      String(size - PING_HEADERS),
      podIP(server),
    ]);

  const ips = (pod: Pod): readonly string[] => pod.status!.podIPs!.map((i) => i.ip!);
  const shell = (line: string) => cluster.exec(NAMESPACE, 'client', ['bash', '-c', line]);
  /** Connects over IPv6 from the client pod; the listener says from where. */
  const seenConnecting = async (host: string, port: number): Promise<string> => {
    const heard = async () =>
      [...(await cluster.kubectl(['logs', 'listener'])).matchAll(/received on (\S+) \d+/g)].map((m) => m[1]!);
    const before = (await heard()).length;
    const output = await shell(`nc -6 -z -w 3 ${host} ${port}`);
    assert.equal(output.code, 0, output.stderr);
    return until('the connection in the log', 10_000, async () => (await heard())[before]);
  };
  const service = (name: string, spec: object) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { selector: { app: 'listener' }, ports: [{ port: 9000 }], ...spec },
  });
  interface MadeService {
    readonly spec: { readonly clusterIPs: readonly string[]; readonly ports: readonly { readonly nodePort: number }[] };
  }

  const start = async (): Promise<void> => {
    const ready = (name: string) => cluster.ready(NAMESPACE, name);
    [client, server, listener] = await Promise.all([ready('client'), ready('web'), ready('listener')]);
  };

  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2', '--pod-network', 'vxlan', '--ip-families', 'ipv4,ipv6']));
    await cluster.apply(
      makeClientPod({ name: 'client', namespace: NAMESPACE, node: 'node-1', labels: { role: 'client' } }),
      web,
      makeClientPod({
        name: 'listener',
        namespace: NAMESPACE,
        node: 'node-2',
        labels: { app: 'listener' },
        command: ['nc', '-6lkvn', '9000'],
      }),
      service('both', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' }),
      service('six', { ipFamilies: ['IPv6'] }),
      service('four', {}),
      service('headless', { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack' }),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: NAMESPACE },
        spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 80 }] },
      },
    );
    await start();
  });
  after(() => cluster?.down());

  it('says what joins the nodes', async () => {
    assert.match((await cluster.coracle(['status'])).stdout, /pods 10\.244\.0\.0\/16,fd00:10:244::\/56 by vxlan/);
    const link = await cluster.nodeShell('node-1', 'ip -d link show coracle.vxlan');
    assert.match(link.stdout, /mtu \d+[^]*vxlan id 1 local [\d.]+ dev eth0 .*dstport 4789 nolearning/);
  });

  it('shows a pod of the other node its client’s own address', async () => {
    await fetch(`http://${podIP(server)}/direct`);
    assert.equal(await seenAsking('direct'), podIP(client));
  });

  it('reaches the other node’s pod by its Service’s name, own address kept', async () => {
    await fetch(`http://web.${NAMESPACE}.svc.cluster.local/named`);
    assert.equal(await seenAsking('named'), podIP(client));
  });

  it('carries packets of full size, and says at once what is too long', async () => {
    const size = await mtu('client');
    assert.equal(size, (await nodeMTU()) - 50);
    const full = await ping(size);
    assert.equal(full.code, 0, full.stdout);
    assert.match((await ping(size + 1)).stderr, new RegExp(`message too long, mtu:? ?=?${size}`, 'i'));
  });

  it('carries large transfers, both ways', async () => {
    const tools = (line: string) => cluster.mustExec(NAMESPACE, 'web', ['bash', '-c', line], { container: 'tools' });
    const sent = await tools(`head -c ${MEGABYTES}000000 /dev/urandom > ${PAGES}/large; sha256sum < ${PAGES}/large`);
    assert.equal(await inClient(['bash', '-c', 'curl -sS --max-time 20 http://web/large | sha256sum']), sent);
    const received = inClient(['bash', '-c', 'timeout 20 nc -l 9000 | sha256sum']);
    await until('somebody listens', 10_000, async () => (await inClient(['ss', '-Hltn'])).includes(':9000 ') && true);
    await tools(`nc -N ${podIP(client)} 9000 < ${PAGES}/large`);
    assert.equal(await received, sent);
  });

  it('keeps the laptop outside: node ports answer, pods do not', async () => {
    const service = await cluster.get<{ spec: { ports: { nodePort: number }[] } }>(NAMESPACE, 'service', 'web');
    const addresses = await cluster.nodeAddresses();
    const port = service.spec.ports[0]!.nodePort;
    for (const address of addresses.values()) {
      const answer = await call('curl', ['-sS', '--noproxy', '*', '--max-time', '5', `http://${address}:${port}/port`]);
      assert.equal(answer.code, 0, answer.stderr);
    }
    assert.notEqual(
      (await call('curl', ['-sS', '--noproxy', '*', '--max-time', '1', `http://${podIP(server)}/`])).code,
      0,
    );
  });

  it('gives nodes and pods an address of each', async () => {
    for (const pod of [client, listener]) {
      assert.match(ips(pod)[0]!, /^10\.244\./);
      assert.match(ips(pod)[1]!, /^fd00:10:244:/);
      assert.equal(pod.status!.podIP, ips(pod)[0]);
      assert.deepEqual(
        pod.status!.hostIPs!.map((i) => (i.ip!.includes(':') ? 6 : 4)),
        [4, 6],
      );
    }
    const node = await cluster.get<Node>(NAMESPACE, 'node', 'node-1');
    assert.match(node.spec!.podCIDRs!.join(' '), /^10\.244\.\d+\.0\/24 fd00:10:244:\S*\/64$/);
  });

  it('reaches a pod and Services of the other node over IPv6, the client’s address kept', async () => {
    assert.equal(await seenConnecting(ips(listener)[1]!, 9000), ips(client)[1]);
    for (const name of ['both', 'six', 'headless'])
      assert.equal(await seenConnecting(`${name}.${NAMESPACE}.svc.cluster.local`, 9000), ips(client)[1]);
    assert.notEqual((await shell('nc -6 -z -w 2 four 9000')).code, 0, 'it has no address of IPv6');
    assert.equal((await shell('nc -4 -z -w 2 four 9000')).code, 0);
  });

  it('names addresses of both families, and the Services of an address', async () => {
    const both = await cluster.get<MadeService>(NAMESPACE, 'service', 'both');
    const dig = async (what: string) => (await shell(`dig +short ${what}`)).stdout.trim();
    assert.equal(await dig(`A both.${NAMESPACE}.svc.cluster.local`), both.spec.clusterIPs[0]);
    assert.equal(await dig(`AAAA both.${NAMESPACE}.svc.cluster.local`), both.spec.clusterIPs[1]);
    assert.equal(await dig(`AAAA headless.${NAMESPACE}.svc.cluster.local`), ips(listener)[1]);
    assert.equal(await dig(`-x ${both.spec.clusterIPs[1]}`), `both.${NAMESPACE}.svc.cluster.local.`);
  });

  it('answers the laptop at node ports of both families, and not at pods', async () => {
    const both = await cluster.get<MadeService>(NAMESPACE, 'service', 'both');
    const nodes = await cluster.list<Node>(NAMESPACE, 'nodes');
    const connects = (host: string, port: number, seconds: number) =>
      call('timeout', [String(seconds), 'bash', '-c', `echo > /dev/tcp/${host}/${port}`]);
    const addresses = nodes.flatMap((n) => n.status!.addresses!.filter((a) => a.type === 'InternalIP'));
    assert.equal(addresses.length, 4);
    for (const { address } of addresses) {
      const answer = await connects(address, both.spec.ports[0]!.nodePort, 5);
      assert.equal(answer.code, 0, `${address}: ${answer.stderr}`);
    }
    assert.notEqual((await connects(ips(listener)[1]!, 9000, 1)).code, 0);
    assert.notEqual((await connects(both.spec.clusterIPs[1]!, 9000, 1)).code, 0);
  });

  it('isolates a pod in both families', async () => {
    const policy = (from: object[]) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'listener', namespace: NAMESPACE },
      spec: { podSelector: { matchLabels: { app: 'listener' } }, policyTypes: ['Ingress'], ingress: [{ from }] },
    });
    const open = async (): Promise<string> => {
      const tries = await Promise.all(ips(listener).map((ip) => shell(`nc -z -w 1 ${ip} 9000`)));
      return tries.map((t) => (t.code === 0 ? 'open' : 'closed')).join(' ');
    };
    await cluster.apply(policy([{ podSelector: { matchLabels: { role: 'nobody' } } }]));
    await until('nobody gets in', 15_000, async () => (await open()) === 'closed closed');
    await cluster.apply(policy([{ podSelector: { matchLabels: { role: 'client' } } }]));
    await until('the client gets in', 15_000, async () => (await open()) === 'open open');
  });

  it('keeps its mode while it runs, and takes another when it starts again', async () => {
    const refused = await cluster.coracle(['up', '--pod-network', 'routes']);
    assert.equal(refused.code, 64);
    assert.match(refused.stderr, /runs with --pod-network vxlan; to change it, run first: coracle down/);
    const families = await cluster.coracle(['up', '--ip-families', 'ipv4']);
    assert.equal(families.code, 64);
    assert.match(families.stderr, /was made with --ip-families ipv4,ipv6; that cannot be changed/);
    const stopped = await cluster.coracle(['down', '--timeout', '2'], { timeoutMs: 60_000 });
    assert.equal(stopped.code, 0, stopped.stderr);
    const again = await cluster.coracle(['up', '--pod-network', 'routes'], { timeoutMs: 120_000 });
    assert.equal(again.code, 0, again.stderr);
    await start();
    await until('the client reaches the server again', 30_000, () => fetch(`http://${podIP(server)}/routed`));
    assert.equal(await seenAsking('routed'), podIP(client));
    assert.equal(await seenConnecting(`both.${NAMESPACE}.svc.cluster.local`, 9000), ips(client)[1]);
    const size = await nodeMTU();
    assert.equal(await mtu('client'), size);
    assert.equal((await ping(size)).code, 0);
    assert.notEqual((await cluster.nodeShell('node-1', 'ip link show coracle.vxlan')).code, 0);
  });
});
