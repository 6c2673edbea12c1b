// The parent's side of the load generator's process, and how fast it is against a server that does nothing.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { Job, LoadResult, Target } from './job.ts';

interface Answer {
  readonly ready?: true;
  readonly result?: LoadResult;
  readonly failed?: string;
}

export class Generator {
  readonly #child: ChildProcess;
  #target: Target | undefined;

  constructor() {
    this.#child = child('program.ts');
  }

  /** Runs a job against a target; connections stay as long as the target does. */
  async run(target: Target, job: Job): Promise<LoadResult> {
    if (this.#target !== target) {
      await this.#ask({ target });
      this.#target = target;
    }
    return (await this.#ask({ job })).result!;
  }

  stop(): void {
    this.#child.disconnect();
  }

  async #ask(message: object): Promise<Answer> {
    const answer = await ask<Answer>(this.#child, message);
    if (answer.failed !== undefined) throw new Error(answer.failed);
    return answer;
  }
}

/** Requests per second of 64 clients that are answered at once, and what one of them costs the generator. */
export async function measureCeiling(generator: Generator): Promise<{ perSecond: number; cpuMicros: number }> {
  const nowMs = Date.now();
  const valid = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 3_600_000 };
  const authority = await createAuthority('null authority', nowMs);
  const leaf = await createLeaf(authority, {
    ...valid,
    commonName: 'null server',
    extendedUsages: ['server auth'],
    names: { dnsNames: [], ipAddresses: ['127.0.0.1'] },
  });
  const server = child('null-server.ts');
  try {
    const { port } = await ask<{ port: number }>(server, {
      certificate: leaf.certificate,
      key: leaf.key,
      bytes: 1_500,
    });
    const target = { url: `https://127.0.0.1:${port}`, ca: authority.certificate, token: 'x'.repeat(900) };
    const job = { kind: 'requests', method: 'POST', path: '/%', body: '{}'.padEnd(1_000), clients: 64 } as const;
    await generator.run(target, { ...job, count: 4_000 });
    const { count, seconds, ownCpuSeconds } = await generator.run(target, { ...job, count: 20_000 });
    return { perSecond: count / seconds, cpuMicros: (ownCpuSeconds / count) * 1e6 };
  } finally {
    server.disconnect();
  }
}

const child = (file: string): ChildProcess =>
  fork(join(import.meta.dirname, file), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });

function ask<T>(process: ChildProcess, message: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the load generator ended with code ${code}`));
    process.once('exit', onExit);
    process.once('message', (answer) => {
      process.off('exit', onExit);
      resolve(answer as T);
    });
    process.send(message);
  });
}
