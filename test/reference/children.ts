// Programs that live no longer than we do: each is a child with its output in a file, ended by its pid when asked, when this
// process exits by itself or by a signal, and by the kernel when this process is killed (util-linux's setpriv --pdeathsig).
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

interface Child {
  readonly process: ChildProcess;
  readonly log: string;
  exit: string | undefined;
}

export class Children {
  /** Temporary data, logs, certificates; removed at the end. */
  readonly dir: string;
  /** Name → the program. */
  readonly #children = new Map<string, Child>();
  readonly #logDir: string;
  readonly #diesWithUs: boolean;
  readonly #onExit = (): void => this.#endNow();
  #closed = false;

  /** `logDir` stays after close; without one, logs go with the temporary folder. */
  constructor(prefix: string, options: { readonly logDir?: string } = {}) {
    sweep(prefix);
    this.dir = mkdtempSync(join(tmpdir(), `${prefix}-${process.pid}-`));
    this.#logDir = options.logDir ?? join(this.dir, 'logs');
    mkdirSync(this.#logDir, { recursive: true });
    this.#diesWithUs = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0;
    process.on('exit', this.#onExit);
    for (const signal of Object.keys(SIGNALS)) process.on(signal, exitBySignal);
  }

  /** Starts a program under a name; returns its pid. */
  spawn(name: string, program: string, args: readonly string[], options: ChildOptions = {}): number {
    if (this.#closed) throw new Error(`${name} is not started: everything was stopped`);
    const log = join(this.#logDir, `${name}.log`);
    const output = openSync(log, 'a');
    const [command, ...before] = this.#diesWithUs ? ['setpriv', '--pdeathsig', 'KILL', '--', program] : [program];
    const child = spawn(command!, [...before, ...args], {
      stdio: ['ignore', output, output],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    });
    closeSync(output);
    const entry: Child = { process: child, log, exit: undefined };
    child.on('exit', (code, signal) => {
      entry.exit = signal === null ? `exit code ${code}` : signal;
    });
    child.on('error', (error) => {
      entry.exit = error.message;
    });
    this.#children.set(name, entry);
    if (child.pid === undefined) throw new Error(`${name} could not be started: ${program}`);
    return child.pid;
  }

  get pids(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#children].map(([name, { process: p }]) => [name, p.pid!]));
  }

  /** Throws with the end of its log when a program has ended. */
  mustLive(): void {
    for (const [name, child] of this.#children) {
      if (child.exit !== undefined) throw new Error(`${name} ended (${child.exit}):\n${this.logEnd(name)}`);
    }
  }

  logEnd(name: string, lines = 15): string {
    const child = this.#children.get(name);
    return child === undefined ? '' : readFileSync(child.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Ends one program and waits for it. */
  async end(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    this.#children.delete(name);
    await kill(child);
  }

  /** Ends everything that was started here and removes the folder. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    const children = [...this.#children.values()];
    this.#children.clear();
    await Promise.all(children.toReversed().map(kill));
    process.off('exit', this.#onExit);
    for (const signal of Object.keys(SIGNALS)) process.off(signal, exitBySignal);
    remove(this.dir);
  }

  #endNow(): void {
    for (const child of this.#children.values()) if (child.exit === undefined) child.process.kill('SIGKILL');
    remove(this.dir);
  }
}

/** Nothing of theirs outlives the temporary folder, so nobody needs a graceful end. */
async function kill(child: Child): Promise<void> {
  if (child.exit !== undefined) return;
  const ended = new Promise<void>((resolve) => child.process.once('exit', () => resolve()));
  child.process.kill('SIGKILL');
  await ended;
}

/** Exits by the signal, so that every `exit` listener runs; a program with a listener of its own decides itself. */
function exitBySignal(signal: NodeJS.Signals): void {
  if (process.listeners(signal).every((l) => l === exitBySignal)) process.exit(SIGNALS[signal as keyof typeof SIGNALS]);
}

/** Folders whose process was killed before it could remove them. */
function sweep(prefix: string): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(`${prefix}-`) ? /^(\d+)-/.exec(name.slice(prefix.length + 1))?.[1] : undefined;
    if (pid !== undefined && !isProcess(Number(pid))) remove(join(tmpdir(), name));
  }
}

/** With what was mounted below it: a kubelet mounts its own folder, and the volumes of pods. */
function remove(dir: string): void {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n').toReversed()) {
    const target = line.split(' ')[1];
    if (target?.startsWith(`${dir}/`)) spawnSync('umount', ['-l', target], { stdio: 'ignore' });
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ports on loopback that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((s) => (s.address() as AddressInfo).port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}
