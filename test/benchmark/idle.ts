// Resident memory and CPU of every part of an idle cluster, over ten seconds.
import { livePart } from '#cluster/parts.ts';
import { supervisedParts } from '#cluster/supervisor.ts';
import { type BenchCluster, row } from './cluster.ts';
import { cpuSeconds, memory as memoryOf } from './processes.ts';

const WINDOW_MS = 10_000;

export async function measureIdle(cluster: BenchCluster): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const parts = supervisedParts(cluster.config).flatMap((part) => livePart(cluster.paths, part) ?? []);
  const before = parts.map((p) => cpuSeconds([p.pid]));
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS));
  let memory = 0;
  for (const [i, part] of parts.entries()) {
    const mib = memoryOf([part.pid]).rssMiB;
    const cpu = ((cpuSeconds([part.pid]) - before[i]!) / (WINDOW_MS / 1000)) * 100;
    if (part.part === 'server' || part.part === 'node-1-agent') memory += mib;
    row(part.part, `${mib.toFixed(0)} MiB`, `${cpu.toFixed(1)} % of a core`);
  }
  row('server and one agent together', `${memory.toFixed(0)} MiB`);
}
