// A place of its own for command-line tests: home, index, kubeconfig and data in one temporary folder, so that clusters of the
// machine's user are neither seen nor touched. Real nodes share the machine's cache of downloaded programs and images.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, type CallOptions, type Output } from './cluster.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const CORACLE = join(ROOT, 'coracle');
const UP_TIMEOUT_MS = 120_000;

export const isRoot = process.getuid?.() === 0;
/** nobody: a user without any privilege. */
export const NOBODY = 65_534;

export interface SandboxOptions {
  /** Runs the program as this user. */
  readonly user?: number;
  /** Uses the machine's own home, with what was downloaded there. */
  readonly sharedHome?: boolean;
}

export class Sandbox {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #user: number | undefined;
  /** Clusters to take down at the end. */
  readonly #names = new Set<string>();

  constructor({ user, sharedHome = false }: SandboxOptions = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'crc-'));
    this.#user = user;
    chmodSync(this.folder, 0o755);
    if (user !== undefined) chownSync(this.folder, user, user);
    this.env = { ...process.env, HOME: this.folder, KUBECONFIG: join(this.folder, 'kubeconfig') };
    for (const name of ['CORACLE_NAME', 'CORACLE_HOME', 'XDG_DATA_HOME']) delete this.env[name];
    if (!sharedHome) this.env['CORACLE_HOME'] = join(this.folder, 'home');
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  data(name: string): string {
    return join(this.folder, name);
  }

  /** Runs `coracle ARGS`. */
  run(
    args: readonly string[],
    options: CallOptions & { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
  ): Promise<Output> {
    const [command, ...rest] = this.#command(args);
    const { env, cwd, ...limits } = options;
    const where =
      cwd === undefined
        ? [command!, ...rest]
        : ['/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', cwd, command!, ...rest];
    return call(where[0]!, where.slice(1), { timeoutMs: UP_TIMEOUT_MS, ...limits }, { ...this.env, ...env });
  }

  /** `coracle up` of a cluster whose data is in a folder of its name. */
  up(
    name: string,
    args: readonly string[],
    options: CallOptions & { readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Output> {
    this.#names.add(name);
    return this.run(['up', '--name', name, '--data-dir', this.data(name), ...args], options);
  }

  /** A command that goes on beside the test. */
  start(args: readonly string[]): ChildProcess {
    const [command, ...rest] = this.#command(args);
    return spawn(command!, rest, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** A hollow cluster that must come up. */
  async hollow(name: string, args: readonly string[] = []): Promise<void> {
    const output = await this.up(name, ['--hollow', '--nodes', '1', '--port', String(await freePort()), ...args]);
    if (output.code !== 0) throw new Error(`up ended with code ${output.code}: ${output.stderr}`);
  }

  kubectl(name: string, args: readonly string[], options: CallOptions = {}): Promise<Output> {
    return this.run(['--name', name, 'kubectl', ...args], { timeoutMs: 30_000, ...options });
  }

  async remove(): Promise<void> {
    for (const name of this.#names) {
      if (existsSync(join(this.data(name), 'cluster.json')))
        await this.run(['down', '--name', name, '--delete', '--yes', '--timeout', '2']);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #command(args: readonly string[]): string[] {
    const command = [CORACLE, ...args];
    return this.#user === undefined
      ? command
      : ['setpriv', `--reuid=${this.#user}`, `--regid=${this.#user}`, '--clear-groups', ...command];
  }
}

/** A folder with programs that take precedence over the machine's. */
export function pathWith(folder: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  mkdirSync(folder, { recursive: true });
  return { PATH: `${folder}:${env['PATH'] ?? ''}` };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** What the program prints is a single line: one clear sentence. */
export function sentence(output: Output): string {
  return output.stderr
    .split('\n')
    .filter((line) => line.startsWith('coracle: '))
    .join('\n');
}
