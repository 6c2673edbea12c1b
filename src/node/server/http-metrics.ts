// /metrics/resource: what the metrics API is fed with, in the words of upstream's kubelet.
import type { StatsSummary } from './stats.ts';

export function resourceMetrics(summary: StatsSummary): string {
  const out: string[] = [];
  const family = (name: string, type: 'counter' | 'gauge', help: string, lines: readonly string[]) => {
    out.push(`# HELP ${name} [STABLE] ${help}\n# TYPE ${name} ${type}\n`, ...lines);
  };
  const nanos = (n: number) => n / 1e9;
  const containers = summary.pods.flatMap((pod) =>
    pod.containers.map((c) => ({
      ...c,
      labels: `{container=${quote(c.name)},namespace=${quote(pod.podRef.namespace)},pod=${quote(pod.podRef.name)}}`,
    })),
  );
  const pods = summary.pods.map((pod) => ({
    ...pod,
    labels: `{namespace=${quote(pod.podRef.namespace)},pod=${quote(pod.podRef.name)}}`,
  }));
  family(
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the container in core-seconds',
    containers.map(
      (c) =>
        `container_cpu_usage_seconds_total${c.labels} ${nanos(c.cpu.usageCoreNanoSeconds)} ${Date.parse(c.cpu.time)}\n`,
    ),
  );
  family(
    'container_memory_working_set_bytes',
    'gauge',
    'Current working set of the container in bytes',
    containers.map(
      (c) => `container_memory_working_set_bytes${c.labels} ${c.memory.workingSetBytes} ${Date.parse(c.memory.time)}\n`,
    ),
  );
  family(
    'container_start_time_seconds',
    'gauge',
    'Start time of the container since unix epoch in seconds',
    containers.map((c) => `container_start_time_seconds${c.labels} ${Date.parse(c.startTime) / 1000}\n`),
  );
  family('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', [
    `node_cpu_usage_seconds_total ${nanos(summary.node.cpu.usageCoreNanoSeconds)} ${Date.parse(summary.node.cpu.time)}\n`,
  ]);
  family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
    `node_memory_working_set_bytes ${summary.node.memory.workingSetBytes} ${Date.parse(summary.node.memory.time)}\n`,
  ]);
  family(
    'pod_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the pod in core-seconds',
    pods.map(
      (p) => `pod_cpu_usage_seconds_total${p.labels} ${nanos(p.cpu.usageCoreNanoSeconds)} ${Date.parse(p.cpu.time)}\n`,
    ),
  );
  family(
    'pod_memory_working_set_bytes',
    'gauge',
    'Current working set of the pod in bytes',
    pods.map(
      (p) => `pod_memory_working_set_bytes${p.labels} ${p.memory.workingSetBytes} ${Date.parse(p.memory.time)}\n`,
    ),
  );
  family('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', [
    'resource_scrape_error 0\n',
  ]);
  return out.join('');
}

const quote = (text: string): string => `"${text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`;
