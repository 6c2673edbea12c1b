// Resident memory and CPU of every part of an idle cluster, over ten seconds.
import { readFileSync } from 'node:fs';
import { livePart } from '#cluster/parts.ts';
import { supervisedParts } from '#cluster/supervisor.ts';
import { type BenchCluster, row } from './cluster.ts';

const WINDOW_MS = 10_000;
/** USER_HZ, fixed on Linux. */
const TICKS_PER_SECOND = 100;

export async function measureIdle(cluster: BenchCluster): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const parts = supervisedParts(cluster.config).flatMap((part) => livePart(cluster.paths, part) ?? []);
  const before = parts.map((p) => cpuTicks(p.pid));
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS));
  let memory = 0;
  for (const [i, part] of parts.entries()) {
    const mib = residentKiB(part.pid) / 1024;
    const cpu = ((cpuTicks(part.pid) - before[i]!) / TICKS_PER_SECOND / (WINDOW_MS / 1000)) * 100;
    if (part.part === 'server' || part.part === 'node-1-agent') memory += mib;
    row(part.part, `${mib.toFixed(0)} MiB`, `${cpu.toFixed(1)} % of a core`);
  }
  row('server and one agent together', `${memory.toFixed(0)} MiB`);
}

function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const residentKiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
