// A cluster of the benchmark's own, through the command line like anybody's.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { createClient } from '#client/rest-client.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import type { ClusterConfig } from '#cluster/config.ts';
import { readConfig } from '#cluster/config.ts';
import { initPart } from '#cluster/local-node.ts';
import { livePart } from '#cluster/parts.ts';
import { type ClusterPaths, clusterPaths } from '#cluster/paths.ts';
import type { PlainRow } from './document.ts';

export const clock = new SystemClock();
const root = join(import.meta.dirname, '..', '..');

export class BenchCluster {
  readonly name = `bench-${process.pid}`;
  readonly dir = mkdtempSync(join(tmpdir(), 'coracle-bench-'));
  readonly paths: ClusterPaths = clusterPaths(this.dir);
  port = 0;
  #client: Client | undefined;

  get config(): ClusterConfig {
    return readConfig(this.paths.config)!;
  }

  /** A client with the administrator's certificate; the server need not answer yet. */
  get client(): Client {
    this.#client ??= createClient({
      transport: createHttpsTransport({
        server: `https://127.0.0.1:${this.port}`,
        ca: read(this.paths, 'ca.crt'),
        cert: read(this.paths, 'admin.crt'),
        key: read(this.paths, 'admin.key'),
        clock,
      }),
      clock,
      userAgent: 'benchmark',
    });
    return this.#client;
  }

  async choosePort(): Promise<void> {
    this.port = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const { port } = probe.address() as AddressInfo;
        probe.close(() => resolve(port));
      });
    });
  }

  coracle(...args: string[]): string {
    return execFileSync(join(root, 'coracle'), args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, KUBECONFIG: join(this.dir, 'user-kubeconfig') },
    });
  }

  down(): void {
    spawnSync(join(root, 'coracle'), ['down', '--name', this.name, '--delete', '--yes', '--timeout', '2'], {
      stdio: 'inherit',
      env: { ...process.env, KUBECONFIG: join(this.dir, 'user-kubeconfig') },
    });
  }

  initPid(node: string): number {
    return livePart(this.paths, initPart(node))!.pid;
  }
}

const read = (paths: ClusterPaths, file: string): Buffer => readFileSync(join(paths.pki, file));

let rows: PlainRow[] = [];

/** Prints a figure and keeps it for the document. */
export function row(what: string, ...values: string[]): void {
  console.log(`${what.padEnd(44)} ${values.join('  ')}`);
  rows.push({ what, values });
}

/** What was printed since the last call. */
export function recordedRows(): readonly PlainRow[] {
  const recorded = rows;
  rows = [];
  return recorded;
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`;

/** Resolves with the milliseconds until `check` holds; looks every few milliseconds. */
export async function until(what: string, check: () => Promise<boolean>, timeoutMs = 120_000): Promise<number> {
  const from = clock.monotonic();
  while (!(await check().catch(() => false))) {
    if (clock.monotonic() - from > timeoutMs) throw new Error(`${what} did not come within ${timeoutMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return clock.monotonic() - from;
}
