// One node's namespace for the ingress tests: the real HAProxy with what the model makes of objects, endpoints and clients on addresses
// of its loopback device. Nothing leaves the namespace.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { realFileSystem } from '#host/file-system.ts';
import { mustRun, type Run, run } from '#host/process.ts';
import type { Calls } from './ingress-worker.ts';

export const NODE = '192.168.77.1';
export const CLIENT = '192.168.77.100';
const ENDPOINTS = Array.from({ length: 20 }, (_, i) => `10.244.1.${i + 1}`);

export class IngressLab {
  readonly folder = mkdtempSync(join(tmpdir(), 'coracle-ingress-'));
  readonly #namespace = `cni-${process.pid}`;
  readonly files = realFileSystem;
  readonly clock = new SystemClock();
  #worker: ChildProcess | undefined;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #nextId = 1;

  /** Runs programs inside. */
  readonly run: Run = (command, args, options) =>
    run('nsenter', [`--net=/var/run/netns/${this.#namespace}`, command, ...args], options);

  async start(): Promise<void> {
    await mustRun(run, 'ip', ['netns', 'add', this.#namespace]);
    await mustRun(this.run, 'ip', ['link', 'set', 'lo', 'up']);
    const lines = [NODE, CLIENT, ...ENDPOINTS].map((ip) => `address add ${ip}/32 dev lo\n`);
    await mustRun(this.run, 'ip', ['-batch', '-'], { input: lines.join('') });
    const script = join(import.meta.dirname, 'ingress-worker.ts');
    this.#worker = spawn(
      'nsenter',
      [`--net=/var/run/netns/${this.#namespace}`, process.execPath, '--no-warnings', script],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    this.#worker.on('message', ({ id, value, failed }: { id: number; value: never; failed?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failed === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(failed));
    });
    this.#worker.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the worker ended'));
    });
  }

  call<C extends keyof Calls>(call: C, argument: Parameters<Calls[C]>[0]): Promise<Awaited<ReturnType<Calls[C]>>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      this.#worker!.send({ id, call, argument });
    });
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    if (worker !== undefined && worker.exitCode === null) {
      await new Promise<void>((resolve) => {
        worker.on('exit', () => resolve());
        worker.kill('SIGKILL');
      });
    }
    await run('ip', ['netns', 'delete', this.#namespace]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
