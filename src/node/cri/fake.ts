// The hollow runtime: sandboxes and containers that exist in memory only. Containers start at once and run until stopped, or as long
// as an annotation of their pod says; a test may end one. Everything that would need a process is refused by name.
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type {
  ContainerConfig,
  ContainerEvent,
  ContainerSummary,
  Image,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  RuntimeContainerStatus,
  RuntimeStatus,
} from './messages.ts';
import { type Runtime, RuntimeError } from './runtime.ts';

const NANOS_PER_MS = 1e6;
const REFUSED = 'this node is hollow: it has no containers, so there is nothing to exec into, attach to or forward to';

interface FakeSandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAt: number;
  readonly ip: string;
  ready: boolean;
}

interface FakeContainer {
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  status: RuntimeContainerStatus;
}

/** How a container ends by itself, decided when it starts; undefined: it runs until it is stopped. */
export type EndingOf = (
  sandbox: PodSandboxConfig,
  container: ContainerConfig,
) => { readonly afterMs: number; readonly exitCode: number } | undefined;

/** Annotation of a pod: its containers end after a time, `3s`, with another exit code than 0 if one is given, `3s:1`. */
export const ENDS_ANNOTATION = 'hollow.coracle.dev/ends';

const annotatedEnding: EndingOf = ({ annotations }) => {
  const match = /^(\d+)s(?::(\d+))?$/.exec(annotations[ENDS_ANNOTATION] ?? '');
  return match === null ? undefined : { afterMs: Number(match[1]) * 1000, exitCode: Number(match[2] ?? 0) };
};

export interface FakeRuntimeDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Address of the n-th sandbox (counted from 0) of this node. */
  readonly ipOf: (n: number) => string;
  /** By ENDS_ANNOTATION without. */
  readonly endingOf?: EndingOf;
}

export class FakeRuntime implements Runtime {
  readonly #deps: FakeRuntimeDeps;
  readonly #sandboxes = new Map<string, FakeSandbox>();
  readonly #containers = new Map<string, FakeContainer>();
  /** Images asked for; a hollow node has every image. */
  readonly #images = new Map<string, Image>();
  readonly #listeners = new Set<(event: ContainerEvent) => void>();
  #made = 0;
  /** Calls so far, by name: for tests. */
  readonly calls: string[] | undefined;
  /** Images that are not there and cannot be pulled: for tests. */
  readonly missingImages = new Set<string>();

  constructor(deps: FakeRuntimeDeps, options: { readonly record?: boolean } = {}) {
    this.#deps = deps;
    this.calls = options.record === true ? [] : undefined;
  }

  async version() {
    return { runtimeName: 'hollow', runtimeVersion: '1.0.0' };
  }

  /** Nothing runs, so nothing is refused either. */
  async status(): Promise<RuntimeStatus> {
    return {
      conditions: [
        { type: 'RuntimeReady', status: true, reason: '', message: '' },
        { type: 'NetworkReady', status: true, reason: '', message: '' },
      ],
      runtimeHandlers: [{ name: '', features: { recursiveReadOnlyMounts: true, userNamespaces: true } }],
      features: { supplementalGroupsPolicy: true },
    };
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    this.calls?.push(`runPodSandbox ${config.metadata.name}`);
    const id = this.#id();
    const host = config.linux.securityContext.namespaceOptions.network === 'NODE';
    this.#sandboxes.set(id, {
      id,
      config,
      createdAt: this.#now(),
      ip: host ? '' : this.#freeAddress(),
      ready: true,
    });
    return id;
  }

  /** The next address that no sandbox has: the addresses of a node are few and come round again. */
  #freeAddress(): string {
    const taken = new Set([...this.#sandboxes.values()].map((s) => s.ip));
    for (let tries = 0; tries <= taken.size; tries++) {
      const ip = this.#deps.ipOf(this.#made++);
      if (!taken.has(ip)) return ip;
    }
    throw new RuntimeError('UNKNOWN', 'all pod addresses of this node are taken');
  }

  async stopPodSandbox(id: string): Promise<void> {
    this.calls?.push('stopPodSandbox');
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    sandbox.ready = false;
    for (const [containerId, c] of this.#containers) if (c.sandboxId === id) this.end(containerId, 137);
  }

  async removePodSandbox(id: string): Promise<void> {
    this.calls?.push('removePodSandbox');
    this.#sandboxes.delete(id);
    for (const [containerId, c] of this.#containers) if (c.sandboxId === id) this.#containers.delete(containerId);
  }

  async podSandboxStatus(id: string): Promise<PodSandboxStatus> {
    return this.#sandboxStatus(this.#sandbox(id));
  }

  async sandboxNetns(): Promise<string | undefined> {
    return undefined;
  }

  async listPodSandboxes(): Promise<readonly PodSandbox[]> {
    return [...this.#sandboxes.values()].map((s) => this.#sandboxStatus(s));
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    this.calls?.push(`createContainer ${config.metadata.name}`);
    this.#sandbox(sandboxId);
    const id = this.#id();
    const { metadata, image, labels, annotations } = config;
    this.#containers.set(id, {
      sandboxId,
      config,
      status: {
        id,
        metadata,
        state: 'CONTAINER_CREATED',
        createdAt: this.#now(),
        startedAt: 0,
        finishedAt: 0,
        exitCode: 0,
        image,
        imageRef: image.image,
        reason: '',
        message: '',
        labels,
        annotations,
        logPath: '',
      },
    });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#container(id);
    this.calls?.push(`startContainer ${container.config.metadata.name}`);
    container.status = { ...container.status, state: 'CONTAINER_RUNNING', startedAt: this.#now() };
    const ending = (this.#deps.endingOf ?? annotatedEnding)(
      this.#sandbox(container.sandboxId).config,
      container.config,
    );
    if (ending !== undefined) this.#deps.clock.setTimer(ending.afterMs, () => this.end(id, ending.exitCode));
  }

  async stopContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.calls?.push(`stopContainer ${container.config.metadata.name}`);
    this.end(id, 143);
  }

  async removeContainer(id: string): Promise<void> {
    this.#containers.delete(id);
  }

  async listContainers(): Promise<readonly ContainerSummary[]> {
    return [...this.#containers.values()].map(({ sandboxId, status }) => ({ ...status, podSandboxId: sandboxId }));
  }

  async containerStatus(id: string): Promise<RuntimeContainerStatus> {
    return this.#container(id).status;
  }

  async updateContainerResources(): Promise<void> {}
  async reopenContainerLog(): Promise<void> {}

  async execSync(): Promise<never> {
    throw new RuntimeError('UNIMPLEMENTED', REFUSED);
  }

  async listContainerStats() {
    return [];
  }

  async execUrl(): Promise<never> {
    throw new RuntimeError('UNIMPLEMENTED', REFUSED);
  }

  async attachUrl(): Promise<never> {
    throw new RuntimeError('UNIMPLEMENTED', REFUSED);
  }

  async portForwardUrl(): Promise<never> {
    throw new RuntimeError('UNIMPLEMENTED', REFUSED);
  }

  async *events(signal: AbortSignal): AsyncIterable<ContainerEvent> {
    const queue: ContainerEvent[] = [];
    let wake: () => void = () => {};
    const listener = (event: ContainerEvent) => {
      queue.push(event);
      wake();
    };
    const onAbort = () => wake();
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async listImages(): Promise<readonly Image[]> {
    return [...this.#images.values()];
  }

  async imageStatus(image: string): Promise<Image | undefined> {
    if (this.missingImages.has(image)) return undefined;
    let known = this.#images.get(image);
    if (known === undefined)
      this.#images.set(
        image,
        (known = {
          id: image,
          repoTags: [image],
          repoDigests: [],
          size: 0,
          username: '',
          uid: { value: 1000 },
          pinned: false,
        }),
      );
    return known;
  }

  async pullImage(image: string): Promise<string> {
    if (this.missingImages.has(image)) throw new RuntimeError('NOT_FOUND', `${image}: not found`);
    return image;
  }

  async removeImage(image: string): Promise<void> {
    this.#images.delete(image);
  }

  async imageFsInfo() {
    return [];
  }

  close(): void {}

  /** Ends a container by itself, as a process that exits does. */
  end(id: string, exitCode: number, reason = ''): void {
    const container = this.#containers.get(id);
    if (container === undefined || container.status.state !== 'CONTAINER_RUNNING') return;
    container.status = {
      ...container.status,
      state: 'CONTAINER_EXITED',
      finishedAt: this.#now(),
      exitCode,
      reason: reason !== '' ? reason : exitCode === 0 ? 'Completed' : 'Error',
    };
    const sandbox = this.#sandboxes.get(container.sandboxId);
    if (sandbox === undefined) return;
    const statuses = [...this.#containers.values()].filter((c) => c.sandboxId === sandbox.id).map((c) => c.status);
    const event: ContainerEvent = {
      containerId: id,
      containerEventType: 'CONTAINER_STOPPED_EVENT',
      podSandboxStatus: this.#sandboxStatus(sandbox),
      containersStatuses: statuses,
    };
    for (const listener of this.#listeners) listener(event);
  }

  /** Id of the running container of that name, for tests. */
  running(name: string): string | undefined {
    return [...this.#containers.values()].find(
      (c) => c.config.metadata.name === name && c.status.state === 'CONTAINER_RUNNING',
    )?.status.id;
  }

  #sandbox(id: string): FakeSandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined)
      throw new RuntimeError(
        'NOT_FOUND',
        `an error occurred when try to find sandbox ${JSON.stringify(id)}: not found`,
      );
    return sandbox;
  }

  #container(id: string): FakeContainer {
    const container = this.#containers.get(id);
    if (container === undefined)
      throw new RuntimeError(
        'NOT_FOUND',
        `an error occurred when try to find container ${JSON.stringify(id)}: not found`,
      );
    return container;
  }

  #sandboxStatus({ id, config, createdAt, ready, ip }: FakeSandbox): PodSandboxStatus {
    return {
      id,
      metadata: config.metadata,
      state: ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
      createdAt,
      labels: config.labels,
      annotations: config.annotations,
      network: { ip, additionalIps: [] },
    };
  }

  #now(): number {
    return this.#deps.clock.now() * NANOS_PER_MS;
  }

  #id(): string {
    return Buffer.from(this.#deps.random.bytes(32)).toString('hex');
  }
}
