// A cluster whose nodes are joined by tunnels, as the article draws it: flat, without translation, for packets of every size;
// and the same cluster afterwards with routes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
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

describe('pod network through VXLAN', { timeout: 240_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  let client: Pod;
  let server: Pod;
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

  const start = async (): Promise<void> => {
    [client, server] = await Promise.all([cluster.ready(NAMESPACE, 'client'), cluster.ready(NAMESPACE, 'web')]);
  };

  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2', '--pod-network', 'vxlan']));
    await cluster.apply(
      makeClientPod({ name: 'client', namespace: NAMESPACE, node: 'node-1', labels: { role: 'client' } }),
      web,
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
    assert.match((await cluster.coracle(['status'])).stdout, /pods 10\.244\.0\.0\/16 by vxlan/);
    const link = await cluster.nodeShell('node-1', 'ip -d link show coracle.vxlan');
    assert.match(link.stdout, /mtu 1450[^]*vxlan id 1 local [\d.]+ dev eth0 .*dstport 4789 nolearning/);
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
    assert.equal(size, 1450);
    const full = await ping(size);
    assert.equal(full.code, 0, full.stdout);
    assert.match((await ping(size + 1)).stderr, /message too long, mtu:? ?=?1450/i);
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

  it('keeps its mode while it runs, and takes another when it starts again', async () => {
    const refused = await cluster.coracle(['up', '--pod-network', 'routes']);
    assert.equal(refused.code, 64);
    assert.match(refused.stderr, /runs with --pod-network vxlan; to change it, run first: coracle down/);
    const stopped = await cluster.coracle(['down', '--timeout', '2'], { timeoutMs: 60_000 });
    assert.equal(stopped.code, 0, stopped.stderr);
    const again = await cluster.coracle(['up', '--pod-network', 'routes'], { timeoutMs: 120_000 });
    assert.equal(again.code, 0, again.stderr);
    await start();
    await until('the client reaches the server again', 30_000, () => fetch(`http://${podIP(server)}/routed`));
    assert.equal(await seenAsking('routed'), podIP(client));
    assert.equal(await mtu('client'), 1500);
    assert.equal((await ping(1500)).code, 0);
    assert.notEqual((await cluster.nodeShell('node-1', 'ip link show coracle.vxlan')).code, 0);
  });
});
