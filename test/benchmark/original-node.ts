// The original node beside its original control plane: both in a network namespace of their own, with a containerd of their own, so that they
// meet nothing of the machine. This process is the parent's side; what measures is a process inside (original-node-program.ts).
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { REFERENCE_DIR, havePrograms } from '#test/reference/folder.ts';
import { startContainerd, type ContainerdHarness } from '../e2e/containerd-harness.ts';

/** Which program of a node is measured. */
export type NodePart = 'kubelet' | 'kube-proxy';

export interface OriginalNodeSetup {
  readonly part: NodePart;
  readonly socket: string;
  readonly cgroupRoot: string;
  readonly nodeIP: string;
  readonly dir: string;
}

/** One step of a measurement; the answer is milliseconds, of each change for `changeService`. */
export type Step =
  | { readonly do: 'create' | 'remove'; readonly name: string }
  | { readonly do: 'createMany' | 'removeMany' | 'fillServices' | 'changeService'; readonly count: number };

/** For documentation (RFC 5737): routed nowhere, and only inside the namespace. */
const NODE_IP = '192.0.2.1';

/** containerd and runc as `npm run reference` builds them; undefined before that. */
export function referenceRuntime(): string | undefined {
  const dir = join(REFERENCE_DIR, 'runtime');
  return existsSync(join(dir, 'versions')) ? dir : undefined;
}

export const canStartOriginalNode = (): boolean =>
  referenceRuntime() !== undefined &&
  havePrograms(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy']);

export class OriginalNode {
  readonly #containerd: ContainerdHarness;
  readonly #program: ChildProcess;
  /** Whether the kubelet's fixed folder was on the machine before. */
  readonly #hadKubeletFolder: boolean;

  private constructor(containerd: ContainerdHarness, program: ChildProcess, hadKubeletFolder: boolean) {
    this.#containerd = containerd;
    this.#program = program;
    this.#hadKubeletFolder = hadKubeletFolder;
  }

  static async start(part: NodePart): Promise<OriginalNode> {
    const hadKubeletFolder = existsSync(KUBELET_FOLDER);
    const containerd = await startContainerd('refn', { runtimeDir: referenceRuntime()! });
    const { netns } = containerd;
    let program: ChildProcess;
    try {
      // The kubelet wants an address that is not of loopback; on which link it is does not matter.
      execFileSync('ip', ['-n', netns, 'addr', 'add', `${NODE_IP}/32`, 'dev', 'lo']);
      program = spawn(
        'nsenter',
        [`--net=/run/netns/${netns}`, '--', process.execPath, join(import.meta.dirname, 'original-node-program.ts')],
        { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
      );
    } catch (error) {
      await containerd.close();
      throw error;
    }
    const node = new OriginalNode(containerd, program, hadKubeletFolder);
    try {
      const setup: OriginalNodeSetup = {
        part,
        socket: containerd.socket,
        cgroupRoot: containerd.cgroupRoot,
        nodeIP: NODE_IP,
        dir: containerd.dir,
      };
      await node.#send({ setup });
      return node;
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  async step(step: Step): Promise<number> {
    return (await this.ask(step))[0]!;
  }

  ask(step: Step): Promise<readonly number[]> {
    return this.#send({ step });
  }

  async stop(): Promise<void> {
    if (this.#program.exitCode === null && this.#program.signalCode === null) {
      const ended = new Promise((resolve) => this.#program.once('exit', resolve));
      this.#program.kill('SIGTERM');
      await ended;
    }
    await this.#containerd.close();
    if (!this.#hadKubeletFolder) rmSync(KUBELET_FOLDER, { recursive: true, force: true });
  }

  #send(message: object): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`the original node ended with code ${code}`));
      this.#program.once('exit', onExit);
      this.#program.once('message', (answer: { readonly ms?: readonly number[]; readonly failed?: string }) => {
        this.#program.off('exit', onExit);
        if (answer.failed === undefined) resolve(answer.ms!);
        else reject(new Error(answer.failed));
      });
      this.#program.send(message);
    });
  }
}

/** The kubelet makes its socket for device plugins there whatever its root folder is. */
const KUBELET_FOLDER = '/var/lib/kubelet';
