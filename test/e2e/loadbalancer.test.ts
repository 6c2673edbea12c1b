// Load balancers of a real cluster, asked from the machine as the laptop: addresses, filters, the client's address, and what
// becomes of an address when its node dies.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import type { Event, Pod, Service } from '#generated/api/core-v1.ts';
import type { Lease } from '#generated/api/coordination-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { call, CLIENT_IMAGE, makeClientPod, TestCluster, until } from './cluster.ts';

const NAMESPACE = 'edge';
const CLASS = 'coracle.dev/load-balancer';
/** A lease of four seconds, a look a second, and a machine under load. */
const MOVED_WITHIN_MS = 15_000;

/** Tells over HTTP who answers and whom it sees, and answers any datagram. */
const web = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: NAMESPACE },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'tcp',
            image: 'docker.io/library/busybox:1.35',
            command: [
              'sh',
              '-c',
              "mkdir -p /tmp/www/cgi-bin; printf '#!/bin/sh\\necho; echo $(hostname) from $REMOTE_ADDR\\n' > /tmp/www/cgi-bin/who; chmod +x /tmp/www/cgi-bin/who; exec httpd -f -p 8000 -h /tmp/www",
            ],
            readinessProbe: { tcpSocket: { port: 8000 }, periodSeconds: 1 },
          },
          {
            name: 'udp',
            image: CLIENT_IMAGE,
            command: ['bash', '-c', 'while sleep 0.1; do echo $HOSTNAME | nc -u -l -w 1 9000; done'],
          },
        ],
      },
    },
  },
};

const makeService = (name: string, spec: object): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    type: 'LoadBalancer',
    selector: { app: 'web' },
    ports: [
      { name: 'http', port: 80, targetPort: 8000, protocol: 'TCP' },
      { name: 'udp', port: 90, targetPort: 9000, protocol: 'UDP' },
    ],
    ...spec,
  },
});

/** What the laptop gets: the answer, or curl's exit code. */
async function ask(url: string): Promise<string> {
  const { code, stdout } = await call('curl', ['-s', '--max-time', '2', url]);
  return code === 0 ? stdout.trim().replace('[::ffff:', '').replace(']', '') : `curl ${code}`;
}

const askUdp = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (answer: string) => {
      clearTimeout(limit);
      socket.close();
      resolve(answer);
    };
    const limit = setTimeout(() => end('timeout'), 1_000);
    socket.on('message', (message) => end(message.toString().trim()));
    socket.on('error', (error) => end(error.message));
    socket.connect(port, host, () => socket.send('?'));
  });

const REFUSED = 'curl 7';
const TIMEOUT = 'curl 28';

describe('Services of type LoadBalancer', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let cluster: TestCluster;
  let nodes: ReadonlyMap<string, string>;
  const address = new Map<string, string>();
  const who = (name: string) => ask(`http://${address.get(name)}/cgi-bin/who`);
  const services = ['open', 'kept', 'guarded'];
  /** Name of the node that says it has the address; a dead one says what it said last. */
  const holder = async (ip: string): Promise<string | undefined> => {
    const leases = await cluster.list<Lease>('kube-node-lease', 'leases', 'coracle.dev/load-balancer-speaker=true');
    const held = (l: Lease) => (l.metadata.annotations?.['coracle.dev/load-balancer-addresses'] ?? '').split(',');
    const newest = leases
      .filter((l) => held(l).includes(ip))
      .sort((a, b) => (a.spec!.renewTime! < b.spec!.renewTime! ? 1 : -1));
    return newest[0]?.spec?.holderIdentity;
  };

  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '3', '--zones', 'east,west']));
    nodes = await cluster.nodeAddresses();
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    await cluster.apply(
      web,
      makeService('open', {}),
      makeService('kept', { externalTrafficPolicy: 'Local', loadBalancerClass: CLASS }),
      makeService('guarded', { loadBalancerSourceRanges: ['203.0.113.0/24'] }),
      makeClientPod({ name: 'inside', namespace: NAMESPACE }),
    );
    for (const name of services)
      address.set(
        name,
        await until(`an address for ${name}`, 20_000, async () => {
          const { status } = await cluster.get<Service>(NAMESPACE, 'service', name);
          return status?.loadBalancer?.ingress?.[0]?.ip;
        }),
      );
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/web', '--timeout=60s'], {
      timeoutMs: 70_000,
    });
    await cluster.ready(NAMESPACE, 'inside');
  });
  after(() => cluster?.down());

  it('get an address of the node network each, with the events and the finalizer that clients expect', async () => {
    assert.equal(new Set(address.values()).size, services.length);
    const prefix = [...nodes.values()][0]!.split('.').slice(0, 3).join('.');
    for (const ip of address.values()) assert.ok(ip.startsWith(`${prefix}.2`), ip);
    const { metadata, status } = await cluster.get<Service>(NAMESPACE, 'service', 'open');
    assert.deepEqual(metadata.finalizers, ['service.kubernetes.io/load-balancer-cleanup']);
    assert.deepEqual(status!.loadBalancer, { ingress: [{ ip: address.get('open'), ipMode: 'VIP' }] });
    const events = await until('both events', 10_000, async () => {
      const list = await cluster.list<Event>(NAMESPACE, 'events');
      const found = list.filter((e) => e.involvedObject.name === 'open').map((e) => e.reason);
      return found.includes('EnsuredLoadBalancer') && found;
    });
    assert.ok(events.includes('EnsuringLoadBalancer'));
  });

  it('are reached from the laptop by TCP and UDP, and have no other port', async () => {
    await until('an answer', 10_000, async () => (await who('open')).startsWith('web-'));
    assert.match(await who('open'), /^web-\S+ from \d/);
    await until('an answer by UDP', 10_000, async () => (await askUdp(address.get('open')!, 90)).startsWith('web-'));
    assert.equal(
      await ask(`http://${address.get('open')}:10250/`),
      REFUSED,
      'the kubelet is on the node’s own address',
    );
  });

  it('are reached from a pod', async () => {
    const url = `http://${address.get('open')}/cgi-bin/who`;
    assert.match(await cluster.mustExec(NAMESPACE, 'inside', ['curl', '-s', '--max-time', '3', url]), /^web-/);
  });

  it('keep the client’s address under policy Local, and say on the health check port where endpoints are', async () => {
    const machine = `${[...nodes.values()][0]!.split('.').slice(0, 3).join('.')}.1`;
    await until('an answer', 10_000, async () => (await who('kept')).startsWith('web-'));
    for (let i = 0; i < 5; i++) assert.match(await who('kept'), new RegExp(`from ${machine.replaceAll('.', '\\.')}$`));
    const { spec } = await cluster.get<Service>(NAMESPACE, 'service', 'kept');
    const slices = await cluster.list<EndpointSlice>(NAMESPACE, 'endpointslices', 'kubernetes.io/service-name=kept');
    const withPods = new Set(slices.flatMap((s) => s.endpoints ?? []).map((e) => e.nodeName));
    for (const [name, ip] of nodes) {
      const { stdout } = await call('curl', [
        '-s',
        '-i',
        '--max-time',
        '3',
        `http://${ip}:${spec!.healthCheckNodePort}/healthz`,
      ]);
      const [head, body] = stdout.replaceAll('\r', '').split('\n\n');
      assert.match(head!, withPods.has(name) ? /^HTTP\/1\.1 200/ : /^HTTP\/1\.1 503/, name);
      const told = JSON.parse(body!) as { readonly service: object; readonly localEndpoints: number };
      assert.deepEqual(told.service, { namespace: NAMESPACE, name: 'kept' });
      assert.match(head!, new RegExp(`x-load-balancing-endpoint-weight: ${told.localEndpoints}`, 'i'));
    }
  });

  it('let in only the source ranges', async () => {
    assert.equal(await who('guarded'), TIMEOUT);
    const machine = `${[...nodes.values()][0]!.split('.').slice(0, 3).join('.')}.1/32`;
    await cluster.kubectl([
      '-n',
      NAMESPACE,
      'patch',
      'service',
      'guarded',
      '-p',
      JSON.stringify({ spec: { loadBalancerSourceRanges: [machine] } }),
    ]);
    await until('to be let in', 5_000, async () => (await who('guarded')).startsWith('web-'));
    const dropped = await cluster.nodeShell(
      (await holder(address.get('guarded')!))!,
      'nft list set ip coracle_services denied_sources',
    );
    assert.match(
      dropped.stdout,
      new RegExp(`${address.get('guarded')!.replaceAll('.', '\\.')} \\. tcp \\. 80 counter`),
    );
  });

  it('prefer endpoints of the zone where the service asks for that', async () => {
    await cluster.apply(makeService('near', { type: 'ClusterIP', trafficDistribution: 'PreferSameZone' }));
    const zones = await until('hints', 10_000, async () => {
      const slices = await cluster.list<EndpointSlice>(NAMESPACE, 'endpointslices', 'kubernetes.io/service-name=near');
      const found = slices.flatMap((s) => s.endpoints ?? []).map((e) => e.hints?.forZones?.[0]?.name);
      return found.length === 2 && found;
    });
    for (const zone of zones) assert.match(zone ?? '', /^(east|west)$/);
  });

  it('forget where a datagram client went once its pods are others', async () => {
    const socket = createSocket('udp4');
    /** Pods that have answered; each does once a connection. */
    const answered = new Set<string>();
    socket.on('message', (message) => void answered.add(message.toString().trim()));
    socket.on('error', () => {}); // refused while no pod is ready
    await new Promise<void>((resolve) => socket.connect(90, address.get('open')!, resolve));
    // One socket, so one connection to the kernel: it would lead to the old pod as long as it is used.
    const sending = setInterval(() => socket.send('?'), 100);
    try {
      await until('an answer', 10_000, async () => answered.size > 0);
      const old = new Set((await cluster.list<Pod>(NAMESPACE, 'pods', 'app=web')).map((p) => p.metadata.name!));
      await cluster.kubectl(['-n', NAMESPACE, 'delete', 'pods', '-l', 'app=web', '--now'], { timeoutMs: 60_000 });
      await until('an answer of a new pod', 20_000, async () => !answered.isSubsetOf(old));
      await until('TCP as well', 20_000, async () => (await who('open')).startsWith('web-'));
    } finally {
      clearInterval(sending);
      socket.close();
    }
  });

  it('move to another node within seconds when theirs is gone', async () => {
    const ip = address.get('open')!;
    const victim = await until('a holder', 5_000, () => holder(ip));
    await cluster.coracle(['node', 'stop', victim, '--hard'], { timeoutMs: 60_000 });
    const began = performance.now();
    await until('an answer from elsewhere', MOVED_WITHIN_MS, async () => (await who('open')).startsWith('web-'));
    const now = await until('another holder', 5_000, async () => {
      const name = await holder(ip);
      return name !== victim && name;
    });
    assert.ok(performance.now() - began < MOVED_WITHIN_MS + 5_000);
    const { stdout } = await cluster.nodeShell(now, 'ip -4 -brief address show dev eth0');
    assert.match(stdout, new RegExp(`${ip.replaceAll('.', '\\.')}/32`));
  });

  it('give the address back with the type', async () => {
    await cluster.kubectl(['-n', NAMESPACE, 'patch', 'service', 'kept', '-p', '{"spec":{"type":"ClusterIP"}}']);
    await until('the address to be given back', 10_000, async () => {
      const { status, metadata } = await cluster.get<Service>(NAMESPACE, 'service', 'kept');
      return status?.loadBalancer?.ingress === undefined && metadata.finalizers === undefined;
    });
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'service', 'open', 'guarded', 'kept', 'near']);
    await until('nobody to speak any more but the dead', 15_000, async () => {
      const leases = await cluster.list<Lease>('kube-node-lease', 'leases', 'coracle.dev/load-balancer-speaker=true');
      return leases.length <= 1;
    });
  });
});
