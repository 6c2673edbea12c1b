// Running other programs: the only door to child_process. `run` for short commands, `spawnDetached` for parts that
// outlive their starter, and identities that survive pid reuse.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Killed with SIGKILL after this long. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit code; 128 + n when ended by signal n; 127 when the program is missing. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Never rejects: a missing program is code 127. */
export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>;

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export const run: Run = (command, args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
    const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString('utf8');
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve({
        code: error.code === 'ENOENT' ? 127 : 126,
        stdout: text(stdout),
        stderr: `${text(stderr)}${error.message}`,
      });
    });
    child.on('close', (code, signal) => {
      resolve({ code: code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0), stdout: text(stdout), stderr: text(stderr) });
    });
    if (options.input !== undefined) {
      child.stdin!.on('error', () => child.stdin!.destroy());
      child.stdin!.end(options.input);
    }
  });

export class CommandError extends Error {
  readonly code = 'CommandFailed';
  readonly result: RunResult;
  constructor(command: string, args: readonly string[], result: RunResult) {
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' / ');
    super(`${[command, ...args].join(' ')} ended with code ${result.code}${said === '' ? '' : `: ${said}`}`);
    this.result = result;
  }
}

/** Runs and throws CommandError unless the exit code is 0; returns stdout. */
export async function mustRun(
  runner: Run,
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const result = await runner(command, args, options);
  if (result.code !== 0) throw new CommandError(command, args, result);
  return result.stdout;
}

/** A process that can be told from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started (/proc/PID/stat field 22). */
  readonly startTicks: number;
  /** Distinguishes boots (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
}

/** Undefined when the process is gone or a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTicks: Number(fields[19]), bootId: bootId() };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ESRCH';
}

/** The first child of a process; undefined when it has none, or is gone. */
export function childOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

let knownBootId: string | undefined;

/** Read once: no process outlives its boot. */
export function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return knownBootId;
}

/** Linux counts process times in hundredths of a second towards programs, whatever the kernel's own clock. */
const TICK_MS = 10;

/** Wall clock, milliseconds since the epoch, at which the process started. */
export function startedAtMs(identity: ProcessIdentity, nowMs: number): number {
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  return nowMs - (uptimeMs - identity.startTicks * TICK_MS);
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Processes of this machine by their arguments. */
export function processesWhere(matches: (args: readonly string[]) => boolean): ProcessIdentity[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1);
      return matches(args) ? (identify(Number(name)) ?? []) : [];
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  });
}

/** Sends the signal when exactly this process still lives; says whether it did. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Waits until the process is gone; false when it still lives after `timeoutMs`. */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number, clock: Clock): Promise<boolean> {
  const end = clock.monotonic() + timeoutMs;
  for (let pause = 5; isAlive(identity); pause = Math.min(100, pause * 2)) {
    if (clock.monotonic() > end) return false;
    await sleep(clock, pause);
  }
  return true;
}

/** SIGTERM, then SIGKILL after `graceMs`. */
export async function stopProcess(identity: ProcessIdentity, graceMs: number, clock: Clock): Promise<void> {
  if (!signalProcess(identity, 'SIGTERM')) return;
  if (await waitForExit(identity, graceMs, clock)) return;
  signalProcess(identity, 'SIGKILL');
  await waitForExit(identity, 5_000, clock);
}

export interface DetachedOptions {
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts a program in a session of its own, its output appended to `logFile`; it outlives this process. */
export function spawnDetached(command: string, args: readonly string[], options: DetachedOptions): ProcessIdentity {
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: options.cwd ?? '/',
      env: { ...process.env, ...options.env },
    });
    // A missing program is reported by the missing identity below; the event must still have a listener.
    child.on('error', () => {});
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw new Error(`${command} did not start; see ${options.logFile}`);
    return identity;
  } finally {
    closeSync(log);
  }
}

/** Runs a program on this terminal and gives its exit code: for kubectl, helm and `node exec`. */
export function runInteractive(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    // The terminal sends Ctrl-C to the whole foreground group: the child decides what it means.
    const ignore = () => {};
    process.on('SIGINT', ignore);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0));
    });
  });
}
