// The real kubectl, unpacked where the launcher keeps it; KUBECTL names another.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KUBECTL = process.env.KUBECTL ?? new URL('../../.cache/kubectl/kubectl/kubectl', import.meta.url).pathname;

/** For a suite's `skip`. */
export const skipWithoutKubectl = existsSync(KUBECTL) ? false : 'kubectl is not unpacked';

export class KubectlProgram {
  readonly #directory = mkdtempSync(join(tmpdir(), 'kubectl-'));
  readonly #environment: NodeJS.ProcessEnv;

  constructor(kubeconfig: string, environment: NodeJS.ProcessEnv = {}) {
    this.write('config', kubeconfig);
    this.#environment = {
      ...process.env,
      HOME: this.#directory,
      KUBECONFIG: join(this.#directory, 'config'),
      ...environment,
    };
  }

  /** A file in the folder that commands run in. */
  write(name: string, text: string): void {
    writeFileSync(join(this.#directory, name), text);
  }

  run(...args: string[]): Promise<{ code: number; out: string }> {
    return new Promise((resolve) => {
      execFile(KUBECTL, args, { cwd: this.#directory, env: this.#environment }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), out: stdout + stderr }),
      );
    });
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }
}
