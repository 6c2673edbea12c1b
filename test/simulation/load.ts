// What the nodes of the simulation say of their pods' use: counters as a kubelet has them, driven by a scripted load.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';

export interface LoadDeps {
  readonly clock: Clock;
  /** Thousandths of a core that a running pod uses now. */
  readonly load: (pod: Pod) => number;
  readonly podsOf: (node: string) => readonly Pod[];
}

const MEMORY = 16 * 1024 * 1024;
/** Of a node and of a container that begins: a counter at zero was not measured. */
const FIRST_SECONDS = 0.01;

/** Answers /metrics/resource for every node; what was used between two questions is taken at the load of the second. */
export function scriptedUsage({ clock, load, podsOf }: LoadDeps): (node: string) => Promise<string> {
  /** Pod uid → what it used so far. */
  const used = new Map<string, { seconds: number; atMs: number }>();
  return async (node) => {
    const now = clock.now();
    const lines: string[] = [];
    let total = FIRST_SECONDS;
    for (const pod of podsOf(node)) {
      const started = Date.parse(pod.status?.startTime ?? '');
      if (pod.status?.phase !== 'Running' || Number.isNaN(started)) continue;
      const entry = used.getOrInsertComputed(pod.metadata.uid!, () => ({ seconds: FIRST_SECONDS, atMs: started }));
      entry.seconds += (load(pod) / 1000) * ((now - entry.atMs) / 1000);
      entry.atMs = now;
      total += entry.seconds;
      for (const { name } of pod.spec!.containers) {
        const labels = `{container="${name}",namespace="${pod.metadata.namespace}",pod="${pod.metadata.name}"}`;
        lines.push(
          `container_cpu_usage_seconds_total${labels} ${entry.seconds / pod.spec!.containers.length} ${now}`,
          `container_memory_working_set_bytes${labels} ${MEMORY} ${now}`,
          `container_start_time_seconds${labels} ${started / 1000}`,
        );
      }
    }
    lines.push(`node_cpu_usage_seconds_total ${total} ${now}`, `node_memory_working_set_bytes ${MEMORY} ${now}`);
    return `${lines.join('\n')}\n`;
  };
}
