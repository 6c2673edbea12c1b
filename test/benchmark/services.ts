// A changed Service among 5,000 to the kernel: from the acknowledged write of its endpoints to the first connection from a
// node that lands at the new one.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { endpointslices, pods, services } from '#generated/resources.ts';
import { type BenchCluster, clock, ms, row, until } from './cluster.ts';
import { median } from './figures.ts';

const SERVICES = 5_000;
const ROUNDS = 9;
const IN_FLIGHT = 64;
const NODE = 'node-2';

export async function measureServices(cluster: BenchCluster): Promise<void> {
  const addresses = await Promise.all(['a', 'b'].map((name) => serve(cluster, name)));
  const target = await cluster.client
    .resource(services)
    .create({ metadata: { name: 'bench-target', namespace: 'default' }, spec: { ports: [{ port: 80 }] } });
  const ip = target.spec!.clusterIP!;
  let slice = await cluster.client.resource(endpointslices).create(sliceOf('bench-target', addresses[0]!));
  const asker = new Asker(cluster.initPid(NODE), ip);
  await until('the service', async () => (await asker.ask()) === 'a');

  for (const [count, label] of [
    [0, 'few services'],
    [SERVICES, `${SERVICES} services`],
  ] as const) {
    if (count > 0) await fill(cluster, count);
    await until('quiet', async () => (await asker.ask()) !== '');
    const times: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const next = i % 2 === 0 ? 1 : 0;
      const from = clock.monotonic();
      slice = await cluster.client
        .resource(endpointslices)
        .update({ ...slice, endpoints: [{ addresses: [addresses[next]!], conditions: { ready: true } }] });
      await until('the change', async () => (await asker.ask()) === 'ab'[next]);
      times.push(clock.monotonic() - from);
      // Back to 'a' for the next even round.
      if (i % 2 === 0 && i === ROUNDS - 1) {
        slice = await cluster.client
          .resource(endpointslices)
          .update({ ...slice, endpoints: [{ addresses: [addresses[0]!], conditions: { ready: true } }] });
        await until('the change', async () => (await asker.ask()) === 'a');
      }
    }
    row(`a changed Service → packet, ${label}`, ms(median(times)), `slowest ${ms(Math.max(...times))}`);
  }
  asker.stop();
}

const sliceOf = (service: string, address: string): EndpointSlice => ({
  metadata: { name: `${service}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ports: [{ port: 80, protocol: 'TCP', name: '' }],
});

/** A pod that answers with its letter; its address. */
async function serve(cluster: BenchCluster, letter: string): Promise<string> {
  const name = `bench-serve-${letter}`;
  await cluster.client.resource(pods).create({
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [
        {
          name: 'web',
          image: 'busybox:1.35',
          command: ['sh', '-c', `mkdir /w && printf ${letter} >/w/index.html && exec httpd -f -p 80 -h /w`],
        },
      ],
    },
  });
  let ip = '';
  await until(name, async () => {
    const pod = await cluster.client.resource(pods).get('default', name);
    ip = pod?.status?.podIP ?? '';
    return pod?.status?.phase === 'Running' && ip !== '';
  });
  return ip;
}

/** Services of their own address with an endpoint each, that nobody asks. */
async function fill(cluster: BenchCluster, count: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (next < count) {
        const name = `bench-fill-${next++}`;
        await cluster.client
          .resource(services)
          .create({ metadata: { name, namespace: 'default' }, spec: { ports: [{ port: 80 }] } });
        await cluster.client.resource(endpointslices).create(sliceOf(name, '10.244.0.250'));
      }
    }),
  );
}

/** A process inside a node that connects to the service for each line it gets, and says what the endpoint answered. */
class Asker {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(initPid: number, ip: string) {
    const program = `
      const net = require('node:net');
      require('node:readline').createInterface({ input: process.stdin }).on('line', () => {
        let text = '', done = false;
        const say = () => { if (!done) { done = true; console.log(text.split('\\r\\n\\r\\n')[1] ?? ''); } };
        const s = net.connect(80, '${ip}', () => s.write('GET / HTTP/1.0\\r\\n\\r\\n'));
        s.setTimeout(500, () => s.destroy()).on('data', (d) => (text += d)).on('error', say).on('close', say);
      });`;
    this.#child = spawn('nsenter', [`--net=/proc/${initPid}/ns/net`, '--', process.execPath, '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async ask(): Promise<string> {
    this.#child.stdin!.write('\n');
    return (await this.#lines.next()).value ?? '';
  }

  stop(): void {
    this.#child.kill();
  }
}
