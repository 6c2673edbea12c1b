// A changed Service to the kernel, among few and among 5,000: from the write of its endpoints to the first connection from a node that lands at the
// new one; where the reference is built also by the original kube-proxy (nftables), in the same run.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pods } from '#generated/resources.ts';
import { type BenchCluster, ms, row, until } from './cluster.ts';
import { median } from './figures.ts';
import { canStartOriginalNode, OriginalNode } from './original-node.ts';
import { ServiceTiming } from './service-timing.ts';

const SERVICES = 5_000;
/** Even, so that every measurement ends where the next begins. */
const ROUNDS = 10;
const NODE = 'node-2';

export async function measureServices(cluster: BenchCluster): Promise<void> {
  const addresses = [await serve(cluster, 'a'), await serve(cluster, 'b')] as const;
  const asker = new Asker(cluster.initPid(NODE));
  const original = canStartOriginalNode() ? await OriginalNode.start('kube-proxy') : undefined;
  try {
    const ours = new ServiceTiming(cluster.client, { addresses, ask: (ip) => asker.ask(ip) });
    await ours.start();
    for (const [count, label] of [
      [0, 'few services'],
      [SERVICES, `${SERVICES} services`],
    ] as const) {
      if (count > 0) await ours.fill(count);
      const times = await ours.measure(ROUNDS);
      row(`a changed Service → packet, ${label}`, ms(median(times)), `slowest ${ms(Math.max(...times))}`);
      if (original === undefined) continue;
      if (count > 0) await original.ask({ do: 'fillServices', count });
      const theirs = await original.ask({ do: 'changeService', count: ROUNDS });
      const better = `Coracle ${(median(theirs) / median(times)).toFixed(2)} × as fast`;
      row(`the same, original, ${label}`, ms(median(theirs)), `slowest ${ms(Math.max(...theirs))}`, better);
    }
  } finally {
    await original?.stop();
    asker.stop();
  }
}

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

/** A process inside a node that connects to the address it is given in a line, and says what answered. */
class Asker {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(initPid: number) {
    const program = `
      const net = require('node:net');
      require('node:readline').createInterface({ input: process.stdin }).on('line', (ip) => {
        let text = '', done = false;
        const say = () => { if (!done) { done = true; console.log(text.split('\\r\\n\\r\\n')[1] ?? ''); } };
        const s = net.connect(80, ip, () => s.write('GET / HTTP/1.0\\r\\n\\r\\n'));
        s.setTimeout(500, () => s.destroy()).on('data', (d) => (text += d)).on('error', say).on('close', say);
      });`;
    this.#child = spawn('nsenter', [`--net=/proc/${initPid}/ns/net`, '--', process.execPath, '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async ask(ip: string): Promise<string> {
    this.#child.stdin!.write(`${ip}\n`);
    return (await this.#lines.next()).value ?? '';
  }

  stop(): void {
    this.#child.kill();
  }
}
