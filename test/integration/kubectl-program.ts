// The real kubectl and helm, unpacked where the launcher keeps them; KUBECTL and HELM name others.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const KUBECTL = process.env.KUBECTL ?? new URL('../../.cache/kubectl/kubectl/kubectl', import.meta.url).pathname;
const HELM = process.env.HELM ?? new URL('../../.cache/kubectl/helm/helm', import.meta.url).pathname;

/** For a suite's `skip`. */
export const skipWithoutKubectl = existsSync(KUBECTL) ? false : 'kubectl is not unpacked';

export const skipWithoutHelm = existsSync(HELM) ? false : 'helm is not unpacked';

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
    const path = join(this.#directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  run(...args: string[]): Promise<{ code: number; out: string }> {
    return this.#run(KUBECTL, args);
  }

  /** helm, with the same configuration and folder. */
  helm(...args: string[]): Promise<{ code: number; out: string }> {
    return this.#run(HELM, args);
  }

  #run(program: string, args: readonly string[]): Promise<{ code: number; out: string }> {
    return new Promise((resolve) => {
      execFile(program, args, { cwd: this.#directory, env: this.#environment }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), out: stdout + stderr }),
      );
    });
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }
}
