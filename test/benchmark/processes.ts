// What processes cost: processor time and memory, as Linux counts them.
import { readFileSync } from 'node:fs';

/** USER_HZ, fixed on Linux. */
const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1_024;

export interface Memory {
  readonly rssMiB: number;
  /** Shared pages counted by share. */
  readonly pssMiB: number;
}

/** Seconds in user and kernel mode so far, threads included. */
export function cpuSeconds(pids: Iterable<number>): number {
  let ticks = 0;
  for (const pid of pids) ticks += ticksOf(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return ticks / TICKS_PER_SECOND;
}

/** utime and stime; the program's name before them may have spaces and brackets. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

export function memory(pids: Iterable<number>): Memory {
  let [rss, pss] = [0, 0];
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    rss += kib(text, 'Rss');
    pss += kib(text, 'Pss');
  }
  return { rssMiB: rss / KIB_PER_MIB, pssMiB: pss / KIB_PER_MIB };
}

export function kib(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}
