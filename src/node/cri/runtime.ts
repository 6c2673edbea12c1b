// What the kubelet asks of a container runtime: the CRI calls it makes, one method each. GrpcRuntime speaks to a real one,
// FakeRuntime (fake.ts) is the hollow node's.
import type {
  AuthConfig,
  ContainerConfig,
  ContainerEvent,
  ContainerStats,
  ContainerSummary,
  ExecResult,
  Image,
  LinuxContainerResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  RuntimeContainerStatus,
  RuntimeStatus,
  StreamRequest,
} from './messages.ts';

/** gRPC codes the kubelet decides on; everything else is `UNKNOWN`. */
export type RuntimeErrorCode = 'NOT_FOUND' | 'UNIMPLEMENTED' | 'UNAVAILABLE' | 'DEADLINE_EXCEEDED' | 'UNKNOWN';

export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeError';
    this.code = code;
  }
}

export const isRuntimeError = (error: unknown, code: RuntimeErrorCode): boolean =>
  error instanceof RuntimeError && error.code === code;

export interface Runtime {
  version(): Promise<{ readonly runtimeName: string; readonly runtimeVersion: string }>;
  /** Conditions RuntimeReady, NetworkReady and the runtime's own; what its handlers can do. */
  status(): Promise<RuntimeStatus>;

  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string): Promise<string>;
  stopPodSandbox(id: string): Promise<void>;
  removePodSandbox(id: string): Promise<void>;
  /** `info` is the runtime's own verbose JSON, by name. */
  podSandboxStatus(id: string): Promise<PodSandboxStatus>;
  /** Path of the sandbox's network namespace, where the runtime tells it. */
  sandboxNetns(id: string): Promise<string | undefined>;
  listPodSandboxes(): Promise<readonly PodSandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `timeoutSeconds`; resolves when it is dead. */
  stopContainer(id: string, timeoutSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(): Promise<readonly ContainerSummary[]>;
  containerStatus(id: string): Promise<RuntimeContainerStatus>;
  updateContainerResources(id: string, resources: LinuxContainerResources): Promise<void>;
  reopenContainerLog(id: string): Promise<void>;
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult>;
  listContainerStats(): Promise<readonly ContainerStats[]>;

  /** URLs of the runtime's streaming server. */
  execUrl(request: StreamRequest): Promise<string>;
  attachUrl(request: StreamRequest): Promise<string>;
  portForwardUrl(sandboxId: string, ports: readonly number[]): Promise<string>;

  /** Throws RuntimeError UNIMPLEMENTED where the runtime has no events. Ends when the connection ends or `signal` aborts. */
  events(signal: AbortSignal): AsyncIterable<ContainerEvent>;

  listImages(): Promise<readonly Image[]>;
  /** Undefined when the image is not there. */
  imageStatus(image: string): Promise<Image | undefined>;
  /** Returns the image's reference. */
  pullImage(image: string, auth: AuthConfig | undefined, sandbox: PodSandboxConfig): Promise<string>;
  removeImage(image: string): Promise<void>;
  imageFsInfo(): Promise<
    readonly { readonly mountpoint: string; readonly usedBytes: number; readonly inodesUsed: number }[]
  >;
  close(): void;
}
