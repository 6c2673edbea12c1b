// The node's door to HAProxy: checked configurations, a start that takes the listening sockets over from the process before, commands on
// the admin socket. The process outlives the agent and is adopted by it. A fake for tests stands in fake-proxy.ts.
import { connect } from 'node:net';
import type { Clock } from '#base/clock.ts';
import type { FileSystem } from '#host/file-system.ts';
import {
  CommandError,
  identify,
  isAlive,
  type ProcessIdentity,
  processesWhere,
  type Run,
  signalProcess,
} from '#host/process.ts';
import { ADMIN_SOCKET, CONFIG_FILE, EMPTY_FOLDER, type ProxyConfiguration } from '#netmodel/ingress-haproxy.ts';

export interface Proxy {
  /** Undefined: fine; else what the program says against it. Throws ProgramMissing. */
  check(configuration: ProxyConfiguration): Promise<string | undefined>;
  /** A process with this configuration serves from now on; one before it finishes its connections. */
  replace(configuration: ProxyConfiguration): Promise<void>;
  /** Moves the running process; the configuration on disk becomes what it then is. Throws when a command is refused. */
  command(commands: readonly string[], configuration: ProxyConfiguration): Promise<void>;
  /** The configuration of the process that runs, if one does. */
  running(): string | undefined;
  /** No new connections; those that are there end by themselves. */
  stop(): Promise<void>;
}

export class ProgramMissing extends Error {
  readonly code = 'ProgramMissing';
  constructor(program: string) {
    super(`the program ${program} is not there`);
  }
}

export interface HaproxyDeps {
  readonly run: Run;
  readonly files: FileSystem;
  readonly clock: Clock;
  /** A name in PATH or a path. */
  readonly program: string;
  /** Private folder, best on a tmpfs: it holds keys. */
  readonly folder: string;
}

const PID_FILE = 'haproxy.pid';
/** Who serves, and who still finishes. */
const STATE_FILE = 'processes.json';
/** Old processes that finish their connections; the oldest is cut off beyond it. Each holds some 10 MiB. */
const MOST_DRAINING = 4;
/** Commands of one exchange; the program reads them into one buffer of 16 KiB. */
const COMMANDS_AT_ONCE = 60;
const COMMAND_TIMEOUT_MS = 3_000;
const START_TIMEOUT_MS = 20_000;

interface Processes {
  readonly serving: ProcessIdentity | undefined;
  readonly draining: readonly ProcessIdentity[];
}

export class Haproxy implements Proxy {
  readonly #deps: HaproxyDeps;

  constructor(deps: HaproxyDeps) {
    this.#deps = deps;
  }

  async check(configuration: ProxyConfiguration): Promise<string | undefined> {
    const candidate = `${CONFIG_FILE}.new`;
    this.#writeFiles(configuration, candidate);
    const { run, program } = this.#deps;
    const result = await run(program, ['-c', '-f', this.#path(candidate)], { timeoutMs: START_TIMEOUT_MS });
    if (result.code === 127) throw new ProgramMissing(program);
    return result.code === 0 ? undefined : alerts(result.stderr);
  }

  async replace(configuration: ProxyConfiguration): Promise<void> {
    const { run, files, program } = this.#deps;
    this.#writeFiles(configuration, `${CONFIG_FILE}.new`);
    const { serving, draining } = this.#processes();
    const args = ['-D', '-f', this.#path(`${CONFIG_FILE}.new`), '-p', this.#path(PID_FILE)];
    // Also one whose starter died before it could remember it: two would share the port.
    const known = new Set(draining.map((d) => d.pid));
    const before = processesWhere((words) => words.includes(this.#path(`${CONFIG_FILE}.new`)));
    const leaving = before.filter((p) => !known.has(p.pid));
    const after = leaving.length === 0 ? [] : ['-sf', ...leaving.map((p) => String(p.pid))];
    const handOver = serving === undefined ? [] : ['-x', this.#path(ADMIN_SOCKET)];
    let result = await run(program, [...args, ...handOver, ...after], { timeoutMs: START_TIMEOUT_MS });
    // One that does not hand its sockets on is asked to let go of them: better a moment's gap than the old routes for ever.
    if (result.code !== 0 && result.code !== 127 && handOver.length > 0)
      result = await run(program, [...args, ...after], { timeoutMs: START_TIMEOUT_MS });
    if (result.code === 127) throw new ProgramMissing(program);
    if (result.code !== 0) throw new CommandError(program, args, { ...result, stderr: alerts(result.stderr) });
    const pid = Number((files.readText(this.#path(PID_FILE)) ?? '').trim());
    const started = identify(pid);
    if (started === undefined) throw new Error(`${program} ended at once`);
    files.rename(this.#path(`${CONFIG_FILE}.new`), this.#path(CONFIG_FILE));
    const left = [...draining, ...leaving].filter(isAlive);
    for (const old of left.slice(0, -MOST_DRAINING)) signalProcess(old, 'SIGTERM');
    this.#remember({ serving: started, draining: left.slice(-MOST_DRAINING) });
    await this.#removeUnused(configuration);
  }

  async command(commands: readonly string[], configuration: ProxyConfiguration): Promise<void> {
    for (let at = 0; at < commands.length; at += COMMANDS_AT_ONCE) {
      const answer = await this.#ask(commands.slice(at, at + COMMANDS_AT_ONCE).join(';'));
      const complaint = answer
        .split('\n')
        .map((l) => l.trim())
        .find((l) => /^(no such|unknown|invalid|can't|permission|require)/i.test(l));
      if (complaint !== undefined) throw new Error(`the proxy refused a command: ${complaint}`);
    }
    this.#deps.files.write(this.#path(CONFIG_FILE), configuration.text, 0o600);
  }

  running(): string | undefined {
    const { serving } = this.#processes();
    return serving === undefined ? undefined : this.#deps.files.readText(this.#path(CONFIG_FILE));
  }

  async stop(): Promise<void> {
    const { serving, draining } = this.#processes();
    if (serving === undefined) return;
    signalProcess(serving, 'SIGUSR1');
    this.#remember({ serving: undefined, draining: [...draining, serving].filter(isAlive) });
  }

  #ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#path(ADMIN_SOCKET));
      const timer = this.#deps.clock.setTimer(COMMAND_TIMEOUT_MS, () =>
        socket.destroy(new Error(`the proxy did not answer within ${COMMAND_TIMEOUT_MS / 1000} s`)),
      );
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('error', reject);
      socket.on('close', () => {
        timer.cancel();
        resolve(Buffer.concat(chunks).toString('utf8'));
      });
      socket.end(`${line}\n`);
    });
  }

  /** Adds files; those of the running configuration stay until it is replaced. */
  #writeFiles(configuration: ProxyConfiguration, name: string): void {
    const { files, folder } = this.#deps;
    files.mkdir(folder, 0o700);
    files.mkdir(this.#path(EMPTY_FOLDER), 0o555);
    for (const [file, content] of configuration.files) files.write(this.#path(file), content, 0o600);
    files.write(this.#path(name), configuration.text, 0o600);
  }

  async #removeUnused(configuration: ProxyConfiguration): Promise<void> {
    const { files, folder } = this.#deps;
    for (const name of files.list(folder))
      if (name.endsWith('.pem') && !configuration.files.has(name)) await files.removeAll(this.#path(name));
  }

  #processes(): Processes {
    const text = this.#deps.files.readText(this.#path(STATE_FILE));
    if (text === undefined) return { serving: undefined, draining: [] };
    const { serving, draining } = JSON.parse(text) as Processes;
    return { serving: serving !== undefined && isAlive(serving) ? serving : undefined, draining };
  }

  #remember(processes: Processes): void {
    const { files } = this.#deps;
    files.write(this.#path(`${STATE_FILE}.new`), JSON.stringify(processes), 0o600);
    files.rename(this.#path(`${STATE_FILE}.new`), this.#path(STATE_FILE));
  }

  #path(name: string): string {
    return `${this.#deps.folder}/${name}`;
  }
}

/** The lines that say why, without time and pid. */
function alerts(stderr: string): string {
  const lines = stderr.split('\n').filter((l) => l.includes('[ALERT]'));
  const said = lines
    .map((l) => l.replace(/^\[ALERT\]\s+\(\d+\) : /, '').trim())
    .filter((l) => !l.startsWith('Fatal errors') && !l.startsWith('Error(s) found'));
  return (said.length === 0 ? stderr.trim() : said.join('; ')).slice(0, 600);
}
