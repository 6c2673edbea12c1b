// Runs the official suite with ginkgo: several processes, tests that must be alone last and alone (ginkgo does that), until they are
// done, the time is up or somebody interrupts. Nothing of it is left running.
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ConformanceTest, focusOf } from './list.ts';
import { OutputReader } from './output.ts';
import { parseReport, type Result } from './report.ts';

export interface SuiteOptions {
  readonly programs: { readonly ginkgo: string; readonly 'e2e.test': string };
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly tests: readonly ConformanceTest[];
  readonly processes: number;
  /** Further flags of e2e.test, as the target needs them. */
  readonly flags: readonly string[];
  /** Everything ginkgo says goes here. */
  readonly log: string;
  /** When it aborts, the tests that run are ended and have no result. */
  readonly signal: AbortSignal;
  readonly onResult: (result: Result) => void;
}

export interface SuiteEnd {
  readonly results: readonly Result[];
  readonly problems: readonly string[];
}

/** After being interrupted the suite removes what its tests made; then it is ended. */
const CLEANUP_MS = 60_000;
const TERM_MS = 5_000;

export async function runSuite(options: SuiteOptions): Promise<SuiteEnd> {
  const { programs, signal } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'coracle-conformance-'));
  const seen = new Map<string, Result>();
  // Where it can be had, the kernel ends ginkgo when we are killed; its processes end when they cannot reach it.
  const diesWithUs = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0;
  const [command, ...before] = diesWithUs
    ? ['setpriv', '--pdeathsig', 'KILL', '--', programs.ginkgo]
    : [programs.ginkgo];
  const child = spawn(
    command!,
    [
      ...before,
      `--procs=${options.processes}`,
      '--no-color',
      '-v',
      '--timeout=24h',
      `--json-report=report.json`,
      `--output-dir=${scratch}`,
      `--focus=${focusOf(options.tests)}`,
      programs['e2e.test'],
      '--',
      '--provider=skeleton',
      `--kubeconfig=${options.kubeconfig}`,
      `--kubectl-path=${options.kubectl}`,
      '--disable-log-dump',
      '--dump-logs-on-failure=false',
      ...options.flags,
    ],
    // Its own group, so that every process of it can be ended together, and Ctrl-C comes through us.
    { cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const group = child.pid;
  const send = (name: NodeJS.Signals): void => {
    if (group !== undefined) signalGroup(group, name);
  };
  const atExit = (): void => send('SIGKILL');
  process.on('exit', atExit);
  const timers: NodeJS.Timeout[] = [];
  const interrupt = (): void => {
    send('SIGINT'); // to all, as Ctrl-C does
    timers.push(
      setTimeout(() => send('SIGTERM'), CLEANUP_MS),
      setTimeout(() => send('SIGKILL'), CLEANUP_MS + TERM_MS),
    );
  };
  signal.addEventListener('abort', interrupt, { once: true });
  if (signal.aborted) interrupt();
  try {
    mkdirSync(join(options.log, '..'), { recursive: true });
    const log = createWriteStream(options.log);
    const reader = new OutputReader((result) => {
      seen.set(result.name, result);
      options.onResult(result);
    });
    child.stderr.on('data', (chunk: Buffer) => log.write(chunk));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      log.write(`${line}\n`);
      reader.line(line);
    });
    const problem = await new Promise<string | undefined>((resolve) => {
      child.on('error', (error) => resolve(`ginkgo did not start: ${error.message}`));
      child.on('close', () => resolve(undefined));
    });
    log.end();
    const file = join(scratch, 'report.json');
    if (problem !== undefined) return { results: [], problems: [problem] };
    if (!existsSync(file))
      return { results: [...seen.values()], problems: [`ginkgo wrote no report; see ${options.log}`] };
    const report = parseReport(readFileSync(file, 'utf8'));
    for (const result of report.results) seen.set(result.name, result);
    return { results: [...seen.values()], problems: report.problems };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
    send('SIGKILL');
    process.off('exit', atExit);
    rmSync(scratch, { recursive: true, force: true });
  }
}

function signalGroup(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
