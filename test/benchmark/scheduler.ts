// How fast the scheduler decides: 3,000 pending pods on 1,000 nodes, without API server and network. The reference,
// kube-scheduler 1.36.3 end to end with its API server and etcd on such a machine, places 156 pods/s.
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import type { Client } from '#client/client.ts';
import { matcherOfMap } from '#machinery/selectors.ts';
import { SchedulerCache } from '#scheduler/cache.ts';
import { makePodInfo } from '#scheduler/pod-info.ts';
import { createPlugins } from '#scheduler/plugins.ts';
import { schedule } from '#scheduler/schedule.ts';
import { listerOf, makeNode, makePod, type PodParts } from '#scheduler/testing.ts';

export interface SchedulerFigures {
  readonly name: string;
  readonly podsPerSecond: number;
  readonly slowestMs: number;
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

if (import.meta.main) {
  for (const { name, podsPerSecond, slowestMs, cpuMicros } of benchmarkScheduler()) {
    console.log(
      `${name.padEnd(48)} ${String(podsPerSecond).padStart(6)} pods/s   ${cpuMicros} µs CPU a pod   slowest ${slowestMs} ms`,
    );
  }
}
