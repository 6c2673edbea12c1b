// One program of a suite: run to its end with a time limit, its output kept. The limit ends the whole process group, with
// SIGTERM first, so that tests which made namespaces or mounts can take them down.
import { spawn } from 'node:child_process';

export interface Ended {
  /** One sentence; undefined when the program ended with code 0. */
  readonly problem?: string;
  readonly output: string;
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 15_000;
/** After the end of a program, for output that is still on its way. */
const OUTPUT_WAIT_MS = 500;
/** Kept of a program's output: enough for what people read, and bounded. */
const MAX_OUTPUT = 4 << 20;

const running = new Set<number>();

export function runProgram(
  command: string,
  args: readonly string[],
  options: {
    readonly timeoutMs: number;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly cwd: string;
    readonly echo: boolean;
  },
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    let output = '';
    let timedOut = false;
    const take = (chunk: Buffer) => {
      if (options.echo) process.stdout.write(chunk);
      output = (output + chunk.toString('utf8')).slice(-MAX_OUTPUT);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    let kill: NodeJS.Timeout | undefined;
    const limit = setTimeout(() => {
      timedOut = true;
      signalGroup(pid, 'SIGTERM');
      kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
    }, options.timeoutMs);
    const end = (problem: string | undefined) => {
      clearTimeout(limit);
      clearTimeout(kill);
      if (pid !== undefined) running.delete(pid);
      resolve({ ...(problem === undefined ? {} : { problem }), output });
    };
    child.on('error', (error) => end(`${command} did not start: ${error.message}`));
    // Usually 'close' follows 'exit' at once; a part left behind in the background may hold the output open for ever.
    child.on('exit', (code, signal) => {
      const done = () => {
        if (timedOut) end(`ended after its limit of ${Math.round(options.timeoutMs / 1000)} s`);
        else if (code === 0) end(undefined);
        else end(signal === null ? `ended with code ${code}` : `ended by ${signal}`);
      };
      const enough = setTimeout(done, OUTPUT_WAIT_MS);
      child.on('close', () => {
        clearTimeout(enough);
        done();
      });
    });
  });
}

/** For Ctrl-C: the groups are their own, so the terminal does not reach them. */
export function endAll(): void {
  for (const pid of running) signalGroup(pid, 'SIGTERM');
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
