// What the node, its pods and their containers use: /stats/summary and /metrics/resource. Nodes and pods are read from their
// cgroups, containers come from the runtime. File systems and network are left out.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Cgroups } from '#host/cgroups.ts';
import { formatTime } from '#machinery/time.ts';
import type { ContainerStats } from '../cri/messages.ts';
import type { PodCache } from '../cri/pod-cache.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { RuntimePod } from '../pods/runtime-pod.ts';
import type { MachineFacts } from '../status/machine.ts';

export interface StatsSummary {
  readonly node: { readonly nodeName: string; readonly cpu: CpuStats; readonly memory: MemoryStats };
  readonly pods: readonly PodStats[];
}

export interface PodStats {
  readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  readonly containers: readonly {
    readonly name: string;
    readonly startTime: string;
    readonly cpu: CpuStats;
    readonly memory: MemoryStats;
  }[];
}

/** `time` has milliseconds: rates are made of two readings that may lie a second apart. */
export interface CpuStats {
  readonly time: string;
  readonly usageNanoCores?: number;
  readonly usageCoreNanoSeconds: number;
}

export interface MemoryStats {
  readonly time: string;
  readonly workingSetBytes: number;
  readonly usageBytes?: number;
  readonly rssBytes?: number;
  readonly availableBytes?: number;
}

export interface StatsDeps {
  readonly runtime: Runtime;
  readonly cache: PodCache;
  readonly clock: Clock;
  readonly cgroups: Cgroups;
  readonly options: { readonly nodeName: string; readonly cgroupRoot: string };
  readonly machine: Pick<MachineFacts, 'memoryBytes'>;
  pods(): readonly Pod[];
  podCgroup(pod: Pod): string;
}

/** Readings closer together than this give the rate of the pair before: two scrapers would spoil each other's. */
const SHORTEST_WINDOW_MS = 1_000;

interface Reading {
  readonly atMs: number;
  readonly nanos: number;
  readonly rate: number | undefined;
}

/** CPU rates need two readings; the last one is kept for each id. */
export class StatsSource {
  readonly #deps: StatsDeps;
  /** '' for the node, pod uids, container ids. */
  readonly #last = new Map<string, Reading>();

  constructor(deps: StatsDeps) {
    this.#deps = deps;
  }

  async summary(): Promise<StatsSummary> {
    const { runtime, cache, options, clock } = this.#deps;
    const stats = new Map((await runtime.listContainerStats()).map((s) => [s.attributes.id, s]));
    const pods = cache.all();
    const seen = new Set([...stats.keys(), '', ...pods.map((p) => p.uid)]);
    for (const id of this.#last.keys()) if (!seen.has(id)) this.#last.delete(id);
    const known = new Map(this.#deps.pods().map((p) => [p.metadata.uid, p]));
    return {
      node: { nodeName: options.nodeName, ...this.#node(clock.now()) },
      pods: pods.map((pod) => this.#pod(pod, known.get(pod.uid), stats)),
    };
  }

  #node(nowMs: number): { cpu: CpuStats; memory: MemoryStats } {
    const { cgroups, options, machine } = this.#deps;
    const used = cgroups.usage(options.cgroupRoot);
    const availableBytes = Math.max(0, machine.memoryBytes - used.workingSetBytes);
    const { cpu, memory } = this.#group('', used, nowMs);
    return { cpu, memory: { ...memory, availableBytes } };
  }

  #pod(runtime: RuntimePod, pod: Pod | undefined, stats: ReadonlyMap<string, ContainerStats>): PodStats {
    const { cgroups, clock, podCgroup } = this.#deps;
    const containers = runtime.containers
      .filter((c) => c.state === 'running')
      .flatMap((c) => {
        const found = stats.get(c.id);
        return found === undefined
          ? []
          : [{ name: c.name, startTime: formatTime(c.startedAtMs), ...this.#container(c.id, found) }];
      });
    const sum = (of: (c: (typeof containers)[number]) => number) => containers.reduce((total, c) => total + of(c), 0);
    // A pod that the API no longer has may still run: what its containers use is all that is known then.
    const group = pod === undefined ? undefined : podCgroup(pod);
    const used =
      group !== undefined && cgroups.exists(group)
        ? cgroups.usage(group)
        : {
            cpuNanos: sum((c) => c.cpu.usageCoreNanoSeconds),
            memoryBytes: sum((c) => c.memory.usageBytes ?? 0),
            workingSetBytes: sum((c) => c.memory.workingSetBytes),
          };
    return {
      podRef: { name: runtime.name, namespace: runtime.namespace, uid: runtime.uid },
      ...this.#group(runtime.uid, used, clock.now()),
      containers,
    };
  }

  #container(id: string, { cpu, memory }: ContainerStats): { cpu: CpuStats; memory: MemoryStats } {
    const nowMs = this.#deps.clock.now();
    const nanos = cpu?.usageCoreNanoSeconds?.value ?? 0;
    const cpuMs = millis(cpu?.timestamp, nowMs);
    return {
      cpu: { time: timeText(cpuMs), ...this.#rate(id, cpuMs, nanos), usageCoreNanoSeconds: nanos },
      memory: {
        time: timeText(millis(memory?.timestamp, nowMs)),
        workingSetBytes: memory?.workingSetBytes?.value ?? 0,
        ...(memory?.usageBytes === undefined ? {} : { usageBytes: memory.usageBytes.value }),
        ...(memory?.rssBytes === undefined ? {} : { rssBytes: memory.rssBytes.value }),
      },
    };
  }

  #group(id: string, used: ReturnType<Cgroups['usage']>, nowMs: number): { cpu: CpuStats; memory: MemoryStats } {
    const time = timeText(nowMs);
    return {
      cpu: { time, ...this.#rate(id, nowMs, used.cpuNanos), usageCoreNanoSeconds: used.cpuNanos },
      memory: { time, workingSetBytes: used.workingSetBytes, usageBytes: used.memoryBytes },
    };
  }

  #rate(id: string, atMs: number, nanos: number): { usageNanoCores?: number } {
    const last = this.#last.get(id);
    let rate = last?.rate;
    if (last === undefined || atMs - last.atMs >= SHORTEST_WINDOW_MS) {
      if (last !== undefined) rate = Math.max(0, Math.round(((nanos - last.nanos) / (atMs - last.atMs)) * 1000));
      this.#last.set(id, { atMs, nanos, rate });
    }
    return rate === undefined ? {} : { usageNanoCores: rate };
  }
}

/** The runtime counts nanoseconds since the epoch. */
const millis = (nanoseconds: number | undefined, nowMs: number): number =>
  nanoseconds === undefined || nanoseconds === 0 ? nowMs : Math.round(nanoseconds / 1e6);

const timeText = (ms: number): string => new Date(ms).toISOString();
