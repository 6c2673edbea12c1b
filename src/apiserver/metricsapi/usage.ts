// Usage out of two readings: CPU as the rate between them, memory as the newer one says. metrics-server's rules.
import { canonicalQuantity } from '#machinery/quantity.ts';
import type { ContainerPoint, NodeReading, Point } from './exposition.ts';
import type { Usage } from './kinds.ts';

/** A container that began between the readings is measured from its start, once it ran this long. */
const YOUNGEST_MS = 1_000;

export interface Measured {
  readonly atMs: number;
  readonly windowMs: number;
  readonly nanoCores: number;
  readonly memoryBytes: number;
}

export interface PodUsage {
  readonly atMs: number;
  readonly windowMs: number;
  readonly containers: readonly { readonly name: string; readonly measured: Measured }[];
}

export interface NodeUsage {
  readonly node: Measured | undefined;
  /** `namespace/pod` → usage. */
  readonly pods: ReadonlyMap<string, PodUsage>;
}

export function usageBetween(before: NodeReading, now: NodeReading): NodeUsage {
  const pods = new Map<string, PodUsage>();
  for (const [key, containers] of now.pods) {
    const usage = podUsage(before.pods.get(key), containers);
    if (usage !== undefined) pods.set(key, usage);
  }
  const node = now.node === undefined || before.node === undefined ? undefined : measure(before.node, now.node);
  return { node, pods };
}

/** Undefined unless every container could be measured: a sum without one of them would mislead. */
function podUsage(
  before: ReadonlyMap<string, ContainerPoint> | undefined,
  now: ReadonlyMap<string, ContainerPoint>,
): PodUsage | undefined {
  const containers: { name: string; measured: Measured }[] = [];
  for (const [name, point] of now) {
    const measured = containerUsage(before?.get(name), point);
    if (measured === undefined) return undefined;
    containers.push({ name, measured });
  }
  const oldest = containers.toSorted((a, b) => a.measured.atMs - b.measured.atMs)[0];
  if (oldest === undefined) return undefined;
  const { atMs, windowMs } = oldest.measured;
  return { atMs, windowMs, containers: containers.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

function containerUsage(before: ContainerPoint | undefined, now: ContainerPoint): Measured | undefined {
  if (before !== undefined && before.startMs === now.startMs) return measure(before, now);
  if (now.startMs === undefined || now.atMs - now.startMs < YOUNGEST_MS) return undefined;
  // Without an older reading a long run's average would pass for the present use.
  if (before === undefined && now.atMs - now.startMs > LONGEST_START_MS) return undefined;
  return measure({ atMs: now.startMs, cpuSeconds: 0, memoryBytes: 0 }, now);
}

/** Readings further apart than this belong to no common window. */
export const LONGEST_START_MS = 90_000;

/** Undefined when the counter went back, or the readings are the same one. */
function measure(before: Point, now: Point): Measured | undefined {
  const windowMs = now.atMs - before.atMs;
  const seconds = now.cpuSeconds - before.cpuSeconds;
  if (windowMs <= 0 || seconds < 0) return undefined;
  return {
    atMs: now.atMs,
    windowMs,
    nanoCores: Math.round((seconds / windowMs) * 1e12),
    memoryBytes: now.memoryBytes,
  };
}

/** As the API shows it: `{cpu: "12345678n", memory: "20480Ki"}`. */
export function usageOf({ nanoCores, memoryBytes }: Pick<Measured, 'nanoCores' | 'memoryBytes'>): Usage {
  const kibi = memoryBytes % 1024 === 0 ? `${memoryBytes / 1024}Ki` : String(memoryBytes);
  return { cpu: canonicalQuantity(`${nanoCores}n`), memory: canonicalQuantity(kibi) };
}
