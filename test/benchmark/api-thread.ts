// What requests cost the API thread: `node test/benchmark/api-thread.ts [memory|embedded]`. Server in this thread, the load in a worker over
// real TLS and HTTP/2, so that process.threadCpuUsage() counts the server alone. Prints µs of API-thread CPU per operation
// and operations per second, and what the single steps of a pod create cost.
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { decodeObject, rebuild } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { scan } from '#schema/scan.ts';
import { POD as NAMED_POD } from './objects.ts';

interface Job {
  readonly url: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}
interface Phase {
  readonly name: string;
  readonly method: string;
  /** `%` is replaced by a running number. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly count: number;
  readonly clients: number;
}

const POD = NAMED_POD.replace('NAME-%', 'pod-%');
const CONFIG_MAP = JSON.stringify({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'cm-%' },
  data: { a: 'b'.repeat(200), c: 'd' },
});

if (isMainThread) await main();
else await load(workerData as Job);

async function main(): Promise<void> {
  const { startLoopbackServer } = await import('../integration/loopback.ts');
  steps();
  const which = process.argv[2] ?? 'memory';
  const directory = mkdtempSync(join(tmpdir(), 'benchmark-'));
  const clock = new SystemClock();
  const store = which === 'embedded' ? await openEmbedded(directory, clock) : undefined;
  const server = await startLoopbackServer({ clock, ...(store === undefined ? {} : { store }) });
  const worker = new Worker(new URL(import.meta.url), {
    workerData: {
      url: server.url,
      ca: server.authority.certificate,
      cert: server.client.certificate,
      key: server.client.key,
    } satisfies Job,
  });
  const phases: Phase[] = [
    {
      name: 'warm-up',
      method: 'POST',
      path: '/api/v1/namespaces/kube-public/pods',
      body: POD,
      count: 4_000,
      clients: 64,
    },
    {
      name: 'create pod',
      method: 'POST',
      path: '/api/v1/namespaces/default/pods',
      body: POD,
      count: 8_000,
      clients: 64,
    },
    {
      name: 'create ConfigMap',
      method: 'POST',
      path: '/api/v1/namespaces/default/configmaps',
      body: CONFIG_MAP,
      count: 8_000,
      clients: 64,
    },
    { name: 'get pod', method: 'GET', path: '/api/v1/namespaces/default/pods/pod-%', count: 8_000, clients: 16 },
    {
      name: 'merge patch of a pod',
      method: 'PATCH',
      path: '/api/v1/namespaces/default/pods/pod-%',
      body: '{"metadata":{"labels":{"x":"y"}}}',
      contentType: 'application/merge-patch+json',
      count: 4_000,
      clients: 16,
    },
    { name: 'list of 8,000 pods', method: 'GET', path: '/api/v1/namespaces/default/pods', count: 20, clients: 1 },
    {
      name: 'page of 500 pods',
      method: 'GET',
      path: '/api/v1/namespaces/default/pods?limit=500',
      count: 100,
      clients: 8,
    },
  ];
  console.log(`store: ${which}`);
  for (const phase of phases) {
    const done = new Promise<void>((resolve, reject) =>
      worker.once('message', (m: { failed?: string }) =>
        m.failed === undefined ? resolve() : reject(new Error(m.failed)),
      ),
    );
    const cpu = process.threadCpuUsage();
    const start = performance.now();
    worker.postMessage(phase);
    await done;
    const seconds = (performance.now() - start) / 1000;
    const used = process.threadCpuUsage(cpu);
    if (phase.name === 'warm-up') continue;
    console.log(
      `${phase.name.padEnd(22)} ${String(Math.round((used.user + used.system) / phase.count)).padStart(7)} µs CPU  ${String(Math.round(phase.count / seconds)).padStart(7)}/s  (${phase.clients} at once)`,
    );
  }
  await worker.terminate();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function openEmbedded(directory: string, clock: SystemClock) {
  const { createEmbeddedStore } = await import('#store/embedded/embedded.ts');
  return createEmbeddedStore({ dir: directory, clock, log: silentLog });
}

/** The steps of decoding and encoding one pod, alone. */
function steps(): void {
  const bytes = Buffer.from(POD);
  const schema = schemaByName('io.k8s.api.core.v1.Pod');
  const parsed: unknown = JSON.parse(POD);
  const { object } = decodeObject(bytes, schema, { kind: 'Pod', version: 'v1' });
  const all: Readonly<Record<string, () => unknown>> = {
    scan: () => scan(bytes),
    parse: () => JSON.parse(bytes.toString('utf8')),
    rebuild: () => rebuild(parsed, schema),
    'decode, whole': () => decodeObject(bytes, schema, { kind: 'Pod', version: 'v1' }),
    stringify: () => Buffer.from(JSON.stringify(object)),
  };
  for (const [name, run] of Object.entries(all)) {
    for (let i = 0; i < 5_000; i++) run();
    const start = performance.now();
    for (let i = 0; i < 20_000; i++) run();
    console.log(`${name.padEnd(22)} ${((performance.now() - start) / 20).toFixed(1).padStart(7)} µs`);
  }
}

async function load({ url, ca, cert, key }: Job): Promise<void> {
  const sessions = Array.from({ length: 8 }, () =>
    http2.connect(url, { ca, cert, key, settings: { initialWindowSize: 1 << 20 } }),
  );
  for (const session of sessions) session.on('error', () => {});
  parentPort!.on('message', async (phase: Phase) => {
    let next = 0;
    let failed: string | undefined;
    const client = async (index: number) => {
      while (next < phase.count && failed === undefined) {
        const number = String(next++);
        const status = await request(sessions[index % sessions.length]!, phase, number);
        if (status >= 300) failed = `${phase.name}: status ${status}`;
      }
    };
    await Promise.all(Array.from({ length: phase.clients }, (_, i) => client(i)));
    parentPort!.postMessage({ failed });
  });
}

function request(session: http2.ClientHttp2Session, phase: Phase, number: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = phase.body?.replace('%', number);
    const stream = session.request(
      {
        ':method': phase.method,
        ':path': phase.path.replace('%', number),
        'content-type': phase.contentType ?? 'application/json',
        accept: 'application/json',
        'user-agent': 'benchmark/1',
      },
      { endStream: body === undefined },
    );
    let status = 0;
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
    });
    stream.on('data', () => {});
    stream.on('end', () => resolve(status));
    stream.on('error', reject);
    if (body !== undefined) stream.end(body);
  });
}
