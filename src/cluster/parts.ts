// The running parts of a cluster: each has a file with the identity of its process, so that a later `up`, `status` or
// `down` finds it, and never mistakes another process for it.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '#base/clock.ts';
import { readJsonIfExists, writeFileAtomic } from '#host/files.ts';
import {
  childOf,
  type DetachedOptions,
  identify,
  isAlive,
  type ProcessIdentity,
  spawnDetached,
  stopProcess,
} from '#host/process.ts';
import type { ClusterPaths } from './paths.ts';

export interface PartRecord extends ProcessIdentity {
  readonly part: string;
}

/** The live process of a part; undefined when it is not running. */
export function livePart(paths: ClusterPaths, part: string): PartRecord | undefined {
  const record = readJsonIfExists<PartRecord>(paths.part(part));
  return record !== undefined && isAlive(record) ? record : undefined;
}

/** Starts the part unless it lives. */
export function ensurePart(
  paths: ClusterPaths,
  part: string,
  command: string,
  args: readonly string[],
  options: Omit<DetachedOptions, 'logFile'> = {},
): PartRecord {
  const live = livePart(paths, part);
  if (live !== undefined) return live;
  const identity = spawnDetached(command, args, { ...options, logFile: paths.log(part) });
  recordPart(paths, part, identity);
  return { part, ...identity };
}

/** How long a starter may take until the program it starts is there. */
const CHILD_TIMEOUT_MS = 5_000;

/**
 * Like ensurePart for a program that a starter forks (nsenter into another pid namespace): the part is the child, which gets
 * the signals and whose memory counts.
 */
export async function ensureForkedPart(
  paths: ClusterPaths,
  part: string,
  command: string,
  args: readonly string[],
  options: Omit<DetachedOptions, 'logFile'>,
  clock: Clock,
): Promise<PartRecord> {
  const live = livePart(paths, part);
  if (live !== undefined) return live;
  const starter = spawnDetached(command, args, { ...options, logFile: paths.log(part) });
  for (
    const end = clock.monotonic() + CHILD_TIMEOUT_MS;
    clock.monotonic() < end && isAlive(starter);
    await sleep(clock, 3)
  ) {
    const pid = childOf(starter.pid);
    const identity = pid === undefined ? undefined : identify(pid);
    if (identity === undefined) continue;
    recordPart(paths, part, identity);
    return { part, ...identity };
  }
  throw new Error(`${part} did not start; see ${paths.log(part)}`);
}

export function recordPart(paths: ClusterPaths, part: string, identity: ProcessIdentity): void {
  writeFileAtomic(paths.part(part), JSON.stringify({ part, ...identity }), 0o600);
}

export async function stopPart(paths: ClusterPaths, part: string, graceMs: number, clock: Clock): Promise<void> {
  const live = livePart(paths, part);
  if (live !== undefined) await stopProcess(live, graceMs, clock);
  rmSync(paths.part(part), { force: true });
}

/** Every part that has a record, alive or not. */
export function recordedParts(paths: ClusterPaths): PartRecord[] {
  if (!existsSync(paths.run)) return [];
  return readdirSync(paths.run)
    .filter((f) => f.endsWith('.json'))
    .flatMap((f) => readJsonIfExists<PartRecord>(join(paths.run, f)) ?? []);
}

/** Why a part did not start, for `up` and `status` to say. */
export interface Failure {
  readonly part: string;
  readonly message: string;
  /** Tries in a row. */
  readonly times: number;
}

const FAILURE = '.failure';

export function recordFailure(paths: ClusterPaths, part: string, message: string): void {
  const file = join(paths.run, `${part}${FAILURE}`);
  const before = readJsonIfExists<Failure>(file);
  writeFileAtomic(file, JSON.stringify({ part, message, times: (before?.times ?? 0) + 1 }), 0o600);
}

/** The part runs now. */
export function forgetFailure(paths: ClusterPaths, part: string): void {
  rmSync(join(paths.run, `${part}${FAILURE}`), { force: true });
}

/** Parts that did not start when last tried. */
export function failures(paths: ClusterPaths): readonly Failure[] {
  if (!existsSync(paths.run)) return [];
  return readdirSync(paths.run)
    .filter((f) => f.endsWith(FAILURE))
    .flatMap((f) => readJsonIfExists<Failure>(join(paths.run, f)) ?? []);
}
