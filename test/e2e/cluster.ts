// A real cluster for tests, brought up and taken down through the command line, as its user would: its own name, port and
// directory, the machine's cache of programs and images. It is taken down at the end, also when the tests are interrupted.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Node, Pod } from '#generated/api/core-v1.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const KUBECTL = process.env['KUBECTL'] ?? 'kubectl';
const DEFAULT_TIMEOUT_MS = 30_000;
const UP_TIMEOUT_MS = 240_000;
const POLL_MS = 250;
const LOG_LINES = 25;
export const CLIENT_IMAGE = 'docker.io/coracle/client:1';

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly input?: string;
}

/** Runs a program to its end; a program that was ended by the limit has code 124. */
export function call(
  command: string,
  args: readonly string[],
  options: CallOptions = {},
  env = process.env,
): Promise<Output> {
  const started = performance.now();
  return new Promise((resolve) => {
    const limit = { timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS, killSignal: 'SIGKILL' as const };
    const child = execFile(command, args, { env, maxBuffer: 16 << 20, ...limit }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.killed === true ? 124 : typeof error.code === 'number' ? error.code : 1;
      const text = error !== null && stderr === '' ? error.message : stderr;
      resolve({ code, stdout, stderr: text, tookMs: performance.now() - started });
    });
    child.stdin?.on('error', () => {}); // it may end before it has read all
    child.stdin?.end(options.input ?? '');
  });
}

/** Looks again and again until there is something; what was thrown last says why there was nothing. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`${what}: not after ${timeoutMs / 1000} s`, { cause: last });
    await pause(POLL_MS);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface Forward {
  readonly port: number;
  stop(): void;
}

export class TestCluster {
  readonly name: string;
  readonly port: number;
  readonly folder: string;
  readonly dataDir: string;
  /** It was there before and stays: for work on the tests themselves. */
  readonly #isKept: boolean;
  readonly #children = new Set<ChildProcess>();
  readonly #env: NodeJS.ProcessEnv;
  readonly #onSignal = () => {
    // Only a process of its own outlives ours. An `up` that is still at work is waited for.
    const line =
      'for _ in 1 2 3 4 5; do "$0" down --name "$1" --delete --yes --timeout 5 && break; sleep 3; done; rm -rf "$2"';
    const args = ['-c', line, join(ROOT, 'coracle'), this.name, this.folder];
    if (!this.#isKept) spawn('sh', args, { env: this.#env, stdio: 'ignore', detached: true }).unref();
    process.exit(130);
  };

  private constructor(name: string, port: number, dataDir?: string) {
    this.name = name;
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), `coracle-${name}-`));
    this.dataDir = dataDir ?? join(this.folder, 'data');
    this.#isKept = dataDir !== undefined;
    this.#env = { ...process.env, KUBECONFIG: join(this.folder, 'kubeconfig') };
    delete this.#env['CORACLE_NAME'];
  }

  get kubeconfig(): string {
    return join(this.dataDir, 'kubeconfig');
  }

  /**
   * Everything that `up` starts is there when this returns; what it printed is the second value. With
   * CORACLE_E2E_CLUSTER=NAME=DATA_DIR it is an existing cluster, which is left as it is.
   */
  static async up(
    options: readonly string[] = [],
  ): Promise<{ readonly cluster: TestCluster; readonly output: Output }> {
    const [name, dataDir] = process.env['CORACLE_E2E_CLUSTER']?.split('=') ?? [];
    if (name !== undefined) {
      const cluster = new TestCluster(name, 0, dataDir);
      return { cluster, output: await cluster.coracle(['up'], { timeoutMs: UP_TIMEOUT_MS }) };
    }
    const cluster = new TestCluster(`e2e-${Math.random().toString(36).slice(2, 8)}`, await freePort());
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, cluster.#onSignal);
    const output = await cluster.coracle(
      ['up', '--port', String(cluster.port), '--data-dir', cluster.dataDir, ...options],
      { timeoutMs: UP_TIMEOUT_MS },
    );
    if (output.code !== 0) {
      const said = `${output.stdout}\n${output.stderr}\n${cluster.#logTails(['supervisor', 'server', 'node-1-agent'])}`;
      const left = await cluster.down().catch((error: unknown) => `\n${String(error)}`);
      throw new Error(`up ended with code ${output.code}:\n${said}${left ?? ''}`);
    }
    return { cluster, output };
  }

  /** A command of the program, for this cluster. */
  coracle(args: readonly string[], options: CallOptions = {}): Promise<Output> {
    return call(join(ROOT, 'coracle'), ['--name', this.name, ...args], options, this.#env);
  }

  /** What kubectl prints; throws with what it complained about. */
  async kubectl(args: readonly string[], options: CallOptions = {}): Promise<string> {
    const output = await this.tryKubectl(args, options);
    if (output.code !== 0)
      throw new Error(
        `kubectl ${args.join(' ')} ended with code ${output.code}: ${output.stderr.trim()} ${output.stdout.trim()}`,
      );
    return output.stdout;
  }

  tryKubectl(args: readonly string[], options: CallOptions = {}): Promise<Output> {
    return call(KUBECTL, ['--kubeconfig', this.kubeconfig, ...args], options, this.#env);
  }

  async get<T>(namespace: string, resource: string, name: string): Promise<T> {
    return JSON.parse(await this.kubectl(['-n', namespace, 'get', resource, name, '-o', 'json'])) as T;
  }

  async list<T>(namespace: string, resource: string, selector = ''): Promise<readonly T[]> {
    const text = await this.kubectl(['-n', namespace, 'get', resource, '-l', selector, '-o', 'json']);
    return (JSON.parse(text) as { items: readonly T[] }).items;
  }

  async nodeNames(): Promise<readonly string[]> {
    return (await this.list<Node>('default', 'nodes')).map((n) => n.metadata.name!);
  }

  /** Node name → its address. */
  async nodeAddresses(): Promise<ReadonlyMap<string, string>> {
    const nodes = await this.list<Node>('default', 'nodes');
    return new Map(
      nodes.map((n) => [n.metadata.name!, n.status!.addresses!.find((a) => a.type === 'InternalIP')!.address!]),
    );
  }

  async apply(...objects: readonly object[]): Promise<void> {
    await this.kubectl(['apply', '-f', '-'], { input: objects.map((o) => JSON.stringify(o)).join('\n') });
  }

  ready(namespace: string, name: string, timeoutMs = 60_000): Promise<Pod> {
    return until(`pod ${namespace}/${name} Ready`, timeoutMs, async () => {
      const pod = await this.get<Pod>(namespace, 'pod', name);
      return isReady(pod) && pod;
    });
  }

  /** Runs a command in a container by `kubectl exec`. */
  exec(
    namespace: string,
    pod: string,
    command: readonly string[],
    options: CallOptions & { readonly container?: string } = {},
  ): Promise<Output> {
    const { container, ...rest } = options;
    return this.tryKubectl(
      ['-n', namespace, 'exec', pod, ...(container === undefined ? [] : ['-c', container]), '--', ...command],
      rest,
    );
  }

  async mustExec(
    namespace: string,
    pod: string,
    command: readonly string[],
    options: CallOptions & { readonly container?: string } = {},
  ): Promise<string> {
    const output = await this.exec(namespace, pod, command, options);
    if (output.code !== 0)
      throw new Error(
        `in ${namespace}/${pod}, ${command.join(' ')} ended with code ${output.code}: ${output.stderr.trim()}`,
      );
    return output.stdout.trim();
  }

  /** A shell line in the node's terminal. */
  nodeShell(node: string, line: string, options: CallOptions = {}): Promise<Output> {
    return this.coracle(['node', 'exec', node, '--', 'bash', '-c', line], options);
  }

  /** A command of the program that goes on, at most until the cluster goes. `interrupt` is Ctrl-C; `ended` gives the exit code. */
  start(args: readonly string[]): {
    readonly said: () => string;
    readonly interrupt: () => void;
    readonly ended: Promise<number | null>;
  } {
    const child = spawn(join(ROOT, 'coracle'), ['--name', this.name, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#env,
    });
    this.#children.add(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => void child.once('exit', (code) => resolve(code))).finally(
      () => this.#children.delete(child),
    );
    return { said: () => said, interrupt: () => void child.kill('SIGINT'), ended };
  }

  /** A free port of this machine, forwarded to `pod/NAME` or `service/NAME`. */
  portForward(namespace: string, target: string, port: number): Promise<Forward> {
    const child = spawn(
      KUBECTL,
      ['--kubeconfig', this.kubeconfig, '-n', namespace, 'port-forward', target, `:${port}`],
      { stdio: ['ignore', 'pipe', 'pipe'], env: this.#env },
    );
    this.#children.add(child);
    const stop = () => {
      this.#children.delete(child);
      child.kill('SIGTERM');
    };
    return new Promise((resolve, reject) => {
      let said = '';
      const limit = setTimeout(() => {
        stop();
        reject(new Error(`port-forward ${target} did not come up: ${said}`));
      }, DEFAULT_TIMEOUT_MS);
      const take = (chunk: Buffer) => {
        said += chunk.toString('utf8');
        const match = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said);
        if (match === null) return;
        clearTimeout(limit);
        resolve({ port: Number(match[1]), stop });
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.on('exit', () => {
        clearTimeout(limit);
        reject(new Error(`port-forward ${target} ended: ${said}`));
      });
    });
  }

  /** Pid of one of the parts that `up` started, as its record says. */
  partPid(part: string): number {
    return (JSON.parse(readFileSync(join(this.dataDir, 'run', `${part}.json`), 'utf8')) as { pid: number }).pid;
  }

  /** Where the logs are, and the last lines of those that complain. For the moment after a failed test. */
  async explain(): Promise<string> {
    const pods = await this.tryKubectl(['get', 'pods', '-A', '-o', 'wide']);
    const events = await this.tryKubectl(['get', 'events', '-A', '--field-selector', 'type=Warning']);
    const parts = existsSync(join(this.dataDir, 'logs'))
      ? readdirSync(join(this.dataDir, 'logs')).map((f) => f.replace(/\.log$/, ''))
      : [];
    return [
      `logs of ${this.name} were in ${join(this.dataDir, 'logs')}; what they end with:`,
      this.#logTails(parts.filter((p) => /supervisor|server|agent/.test(p))),
      pods.stdout || pods.stderr,
      events.stdout.split('\n').slice(-LOG_LINES).join('\n'),
    ].join('\n');
  }

  #logTails(parts: readonly string[]): string {
    return parts
      .map((part) => {
        const file = join(this.dataDir, 'logs', `${part}.log`);
        const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
        const telling = lines.filter((l) => !/"level":"(debug|info)"| (DEBUG|INFO) /.test(l));
        return `== ${file}\n${telling.slice(-LOG_LINES).join('\n')}`;
      })
      .join('\n');
  }

  async down(): Promise<void> {
    for (const child of this.#children) child.kill('SIGTERM');
    if (this.#isKept) return;
    const output = await this.coracle(['down', '--delete', '--yes', '--timeout', '5'], { timeoutMs: 90_000 });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, this.#onSignal);
    if (output.code !== 0)
      throw new Error(`down ended with code ${output.code}: ${output.stderr}; what is left is in ${this.dataDir}`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export const isReady = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** A pod that sleeps, with psql, curl, dig, ip and nc in it. */
export function makeClientPod(wanted: {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly command?: readonly string[];
}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: wanted.name,
      namespace: wanted.namespace,
      ...(wanted.labels === undefined ? {} : { labels: wanted.labels }),
    },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...(wanted.node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': wanted.node } }),
      containers: [
        { name: 'client', image: CLIENT_IMAGE, ...(wanted.command === undefined ? {} : { command: wanted.command }) },
      ],
    },
  };
}

/** Processes of a container, as the machine sees them. */
export function processesOf(containerID: string): readonly number[] {
  const id = containerID.replace(/^.*:\/\//, '');
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);
}
