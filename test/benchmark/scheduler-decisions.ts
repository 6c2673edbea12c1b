// How fast the scheduler decides: 3,000 pending pods on 1,000 nodes, first the decisions alone, then end to end through
// the API server (in one thread, memory store, no TLS). The reference, kube-scheduler 1.36.3 end to end with
// kube-apiserver and etcd over TLS on such a machine, places 156 pods/s.
import { namespaces, nodes, pods } from '#generated/resources.ts';
import { startTestServer, testUser } from '#apiserver/fixture.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom } from '#base/random.ts';
import type { Client } from '#client/client.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { matcherOfMap } from '#machinery/selectors.ts';
import { SchedulerCache } from '#scheduler/cache.ts';
import { makePodInfo } from '#scheduler/pod-info.ts';
import { createPlugins } from '#scheduler/plugins.ts';
import { schedule } from '#scheduler/schedule.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import { listerOf, makeNode, makePod, type PodParts } from '#scheduler/testing.ts';

export interface SchedulerFigures {
  readonly name: string;
  readonly podsPerSecond: number;
  /** The slowest decision. */
  readonly slowestMs: number | undefined;
  /** Processor time a decision, microseconds. */
  readonly cpuMicros: number;
}

const NODES = 1_000;
const PODS = 3_000;
/** Binding is not part of what is measured. */
const noClient = { resource: () => ({}) } as unknown as Client;

function run(name: string, parts: (i: number) => PodParts, siblings = false): SchedulerFigures {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const cache = new SchedulerCache();
  for (let i = 0; i < NODES; i++) {
    cache.setNode(
      makeNode({
        name: `node-${i}`,
        cpu: '4',
        memory: '32Gi',
        labels: { 'topology.kubernetes.io/zone': `zone-${i % 3}` },
      }),
    );
  }
  const lister = listerOf(siblings ? { siblings: matcherOfMap({ app: 'web' }) } : {});
  const plugins = createPlugins({
    lister,
    client: noClient,
    clock,
    onClaimChange: () => () => {},
    node: (n) => cache.node(n),
  });
  const pending = Array.from({ length: PODS }, (_, i) =>
    makePod({ name: `pod-${i}`, cpu: '100m', memory: '500Mi', ...parts(i) }),
  );
  let start = 0;
  let slowestMs = 0;
  const cpu = process.cpuUsage();
  const startedMs = clock.monotonic();
  for (const pod of pending) {
    const beganMs = clock.monotonic();
    const info = makePodInfo(pod);
    const decision = schedule(info, cache.snapshot(), { plugins, random, start });
    if (decision.kind !== 'placed') throw new Error(`pod ${info.key} was not placed`);
    start = decision.nextStart;
    cache.assume(info, decision.node);
    slowestMs = Math.max(slowestMs, clock.monotonic() - beganMs);
  }
  const seconds = (clock.monotonic() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    name,
    podsPerSecond: Math.round(PODS / seconds),
    slowestMs: Math.round(slowestMs * 10) / 10,
    cpuMicros: Math.round((user + system) / PODS),
  };
}

const labels = { app: 'web' };
const antiAffinity = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
    ],
  },
};

export function benchmarkScheduler(): readonly SchedulerFigures[] {
  return [
    run('plain pods', () => ({})),
    run('pods of one Service (spread by default)', () => ({ labels }), true),
    run('900 of 3,000 avoid each other (anti-affinity)', (i) => (i < 900 ? { labels, affinity: antiAffinity } : {})),
  ];
}

/** From 3,000 pods waiting to the last one bound, everything in this thread. */
export async function benchmarkSchedulerEndToEnd(): Promise<SchedulerFigures> {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const api = await startTestServer({ clock });
  const client = createClient({
    transport: createInProcessTransport(api.server.exchange, testUser),
    clock,
    userAgent: 'benchmark/1',
  });
  const nodeClient = client.resource(nodes);
  for (let i = 0; i < NODES; i++) {
    const node = makeNode({ name: `node-${i}`, labels: { 'topology.kubernetes.io/zone': `zone-${i % 3}` } });
    await nodeClient.updateStatus({ ...(await nodeClient.create(node)), status: node.status });
  }
  await client.resource(namespaces).create({ metadata: { name: 'bench' } });
  for (let i = 0; i < PODS; i++)
    await client.resource(pods).create(makePod({ name: `pod-${i}`, namespace: 'bench', cpu: '100m', memory: '500Mi' }));

  const informers = createInformers({ client, clock, random, log: silentLog });
  const recorder = new QueuedEventRecorder(
    { client, clock, random, log: silentLog },
    { component: 'default-scheduler' },
  );
  const scheduler = createScheduler({
    client,
    informers,
    events: recorder,
    clock,
    random,
    log: silentLog,
    metrics: new MetricsRegistry(),
  });
  const bound = Promise.withResolvers<void>();
  let left = PODS;
  informers.informer(pods).subscribe(({ old, object }) => {
    if ((old?.spec?.nodeName ?? '') === '' && (object?.spec?.nodeName ?? '') !== '' && --left === 0) bound.resolve();
  });
  await informers.start(new AbortController().signal);
  const cpu = process.cpuUsage();
  const startedMs = clock.monotonic();
  await recorder.start();
  await scheduler.start(new AbortController().signal);
  await bound.promise;
  const seconds = (clock.monotonic() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await scheduler.stop();
  await recorder.stop();
  await informers.stop();
  await api.stop();
  return {
    name: 'end to end, API server in the same thread',
    podsPerSecond: Math.round(PODS / seconds),
    slowestMs: undefined,
    cpuMicros: Math.round((user + system) / PODS),
  };
}

if (import.meta.main) {
  for (const { name, podsPerSecond, slowestMs, cpuMicros } of [
    ...benchmarkScheduler(),
    await benchmarkSchedulerEndToEnd(),
  ]) {
    console.log(
      `${name.padEnd(48)} ${String(podsPerSecond).padStart(6)} pods/s   ${cpuMicros} µs CPU a pod   ${slowestMs === undefined ? '' : `slowest ${slowestMs} ms`}`,
    );
  }
}
