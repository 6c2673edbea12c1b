// CRI v1 over gRPC on a unix socket. Messages are encoded by protobufjs from the descriptor in generated/cri-v1.json; this file is
// the only place that knows the wire.
import {
  type CallOptions,
  Client,
  credentials,
  Metadata,
  type ServiceError,
  status as grpcStatus,
} from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import descriptor from '#generated/cri-v1.json' with { type: 'json' };
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
import { type Runtime, RuntimeError, type RuntimeErrorCode } from './runtime.ts';

/** Upstream's --runtime-request-timeout. */
const REQUEST_TIMEOUT_MS = 120_000;
/** Upstream's limit for CRI answers. */
const LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024;

const CODES: Readonly<Record<number, RuntimeErrorCode>> = {
  [grpcStatus.NOT_FOUND]: 'NOT_FOUND',
  [grpcStatus.UNIMPLEMENTED]: 'UNIMPLEMENTED',
  [grpcStatus.UNAVAILABLE]: 'UNAVAILABLE',
  [grpcStatus.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
};

interface Codec {
  readonly path: string;
  readonly encode: (message: object) => Buffer;
  readonly decode: (bytes: Buffer) => unknown;
}

const TO_OBJECT = { longs: Number, enums: String, bytes: Buffer, defaults: true, arrays: true, objects: true } as const;

export interface GrpcRuntimeDeps {
  /** Path of the runtime's unix socket. */
  readonly socket: string;
  /** Wall clock in milliseconds, for call deadlines. */
  readonly now: () => number;
}

export class GrpcRuntime implements Runtime {
  readonly #deps: GrpcRuntimeDeps;
  readonly #client: Client;
  readonly #root: protobuf.Root;
  /** `Service/Method` → its codec, made at first use. */
  readonly #codecs = new Map<string, Codec>();

  constructor(deps: GrpcRuntimeDeps) {
    this.#deps = deps;
    this.#root = protobuf.Root.fromJSON(descriptor as protobuf.INamespace);
    // The descriptor lacks fields that are themselves called `options`; of those the kubelet sets this one.
    const dns = this.#root.lookupType('runtime.v1.DNSConfig');
    if (dns.fields.options === undefined) dns.add(new protobuf.Field('options', 3, 'string', 'repeated'));
    this.#client = new Client(`unix://${deps.socket}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': LARGEST_MESSAGE_BYTES,
      'grpc.max_send_message_length': LARGEST_MESSAGE_BYTES,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 3000,
    });
  }

  async version() {
    return this.#runtime<{ runtimeName: string; runtimeVersion: string }>('Version', {});
  }

  async status(): Promise<RuntimeStatus> {
    const { status, runtimeHandlers, features } = await this.#runtime<{
      status?: Pick<RuntimeStatus, 'conditions'>;
      runtimeHandlers: (Omit<RuntimeStatus['runtimeHandlers'][number], 'features'> & {
        features?: RuntimeStatus['runtimeHandlers'][number]['features'] | null;
      })[];
      features?: RuntimeStatus['features'] | null;
    }>('Status', {});
    return {
      conditions: status?.conditions ?? [],
      runtimeHandlers: runtimeHandlers.map(({ name, features: own }) =>
        own == null ? { name } : { name, features: own },
      ),
      ...(features == null ? {} : { features }),
    };
  }

  async runPodSandbox(config: PodSandboxConfig, runtimeHandler: string): Promise<string> {
    return (await this.#runtime<{ podSandboxId: string }>('RunPodSandbox', { config, runtimeHandler }, 4 * 60_000))
      .podSandboxId;
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    await this.#runtime('StopPodSandbox', { podSandboxId });
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#runtime('RemovePodSandbox', { podSandboxId });
  }

  async podSandboxStatus(podSandboxId: string): Promise<PodSandboxStatus> {
    return (await this.#runtime<{ status: PodSandboxStatus }>('PodSandboxStatus', { podSandboxId })).status;
  }

  async sandboxNetns(podSandboxId: string): Promise<string | undefined> {
    const { info } = await this.#runtime<{ info: Record<string, string> }>('PodSandboxStatus', {
      podSandboxId,
      verbose: true,
    });
    const text = info.info;
    if (text === undefined) return undefined;
    const parsed = JSON.parse(text) as {
      runtimeSpec?: { linux?: { namespaces?: { type: string; path?: string }[] } };
    };
    return parsed.runtimeSpec?.linux?.namespaces?.find((n) => n.type === 'network')?.path;
  }

  async listPodSandboxes(): Promise<readonly PodSandbox[]> {
    return (await this.#runtime<{ items: PodSandbox[] }>('ListPodSandbox', {})).items;
  }

  async createContainer(
    podSandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<string> {
    // Values of variables are bytes on the wire.
    const encoded = { ...config, envs: config.envs.map(({ key, value }) => ({ key, value: Buffer.from(value) })) };
    return (
      await this.#runtime<{ containerId: string }>('CreateContainer', { podSandboxId, config: encoded, sandboxConfig })
    ).containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#runtime('StartContainer', { containerId });
  }

  async stopContainer(containerId: string, timeoutSeconds: number): Promise<void> {
    await this.#runtime(
      'StopContainer',
      { containerId, timeout: timeoutSeconds },
      REQUEST_TIMEOUT_MS + timeoutSeconds * 1000,
    );
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.#runtime('RemoveContainer', { containerId });
  }

  async listContainers(): Promise<readonly ContainerSummary[]> {
    return (await this.#runtime<{ containers: ContainerSummary[] }>('ListContainers', {})).containers;
  }

  async containerStatus(containerId: string): Promise<RuntimeContainerStatus> {
    return (await this.#runtime<{ status: RuntimeContainerStatus }>('ContainerStatus', { containerId })).status;
  }

  async updateContainerResources(containerId: string, linux: LinuxContainerResources): Promise<void> {
    await this.#runtime('UpdateContainerResources', { containerId, linux });
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#runtime('ReopenContainerLog', { containerId });
  }

  async execSync(containerId: string, cmd: readonly string[], timeoutSeconds: number): Promise<ExecResult> {
    const timeoutMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 + REQUEST_TIMEOUT_MS : undefined;
    return this.#runtime<ExecResult>('ExecSync', { containerId, cmd, timeout: timeoutSeconds }, timeoutMs);
  }

  async listContainerStats(): Promise<readonly ContainerStats[]> {
    return (await this.#runtime<{ stats: ContainerStats[] }>('ListContainerStats', {})).stats;
  }

  async execUrl(request: StreamRequest): Promise<string> {
    return (await this.#runtime<{ url: string }>('Exec', request)).url;
  }

  async attachUrl(request: StreamRequest): Promise<string> {
    return (await this.#runtime<{ url: string }>('Attach', request)).url;
  }

  async portForwardUrl(podSandboxId: string, port: readonly number[]): Promise<string> {
    return (await this.#runtime<{ url: string }>('PortForward', { podSandboxId, port })).url;
  }

  async *events(signal: AbortSignal): AsyncIterable<ContainerEvent> {
    const codec = this.#codec('RuntimeService', 'GetContainerEvents');
    const stream = this.#client.makeServerStreamRequest(codec.path, codec.encode, codec.decode, {}, new Metadata());
    const onAbort = () => stream.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const event of stream) yield event as ContainerEvent;
    } catch (error) {
      if (!signal.aborted) throw runtimeErrorFrom(error as ServiceError);
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.cancel();
    }
  }

  async listImages(): Promise<readonly Image[]> {
    return (await this.#image<{ images: Image[] }>('ListImages', {})).images;
  }

  async imageStatus(image: string): Promise<Image | undefined> {
    return (await this.#image<{ image?: Image | null }>('ImageStatus', { image: { image } })).image ?? undefined;
  }

  async pullImage(image: string, auth: AuthConfig | undefined, sandboxConfig: PodSandboxConfig): Promise<string> {
    const request = { image: { image }, sandboxConfig, ...(auth === undefined ? {} : { auth }) };
    return (await this.#image<{ imageRef: string }>('PullImage', request, 30 * 60_000)).imageRef;
  }

  async removeImage(image: string): Promise<void> {
    await this.#image('RemoveImage', { image: { image } });
  }

  async imageFsInfo() {
    const answer = await this.#image<{
      imageFilesystems: {
        fsId?: { mountpoint: string };
        usedBytes?: { value: number };
        inodesUsed?: { value: number };
      }[];
    }>('ImageFsInfo', {});
    return answer.imageFilesystems.map((f) => ({
      mountpoint: f.fsId?.mountpoint ?? '',
      usedBytes: f.usedBytes?.value ?? 0,
      inodesUsed: f.inodesUsed?.value ?? 0,
    }));
  }

  close(): void {
    this.#client.close();
  }

  #runtime<R>(method: string, request: object, timeoutMs = REQUEST_TIMEOUT_MS): Promise<R> {
    return this.#call<R>('RuntimeService', method, request, timeoutMs);
  }

  #image<R>(method: string, request: object, timeoutMs = REQUEST_TIMEOUT_MS): Promise<R> {
    return this.#call<R>('ImageService', method, request, timeoutMs);
  }

  #call<R>(service: string, method: string, request: object, timeoutMs: number): Promise<R> {
    const codec = this.#codec(service, method);
    const options: CallOptions = { deadline: this.#deps.now() + timeoutMs };
    return new Promise<R>((resolve, reject) => {
      this.#client.makeUnaryRequest(
        codec.path,
        codec.encode,
        codec.decode,
        request,
        new Metadata(),
        options,
        (error, answer) => {
          if (error === null) resolve(answer as R);
          else reject(runtimeErrorFrom(error));
        },
      );
    });
  }

  #codec(service: string, method: string): Codec {
    const key = `${service}/${method}`;
    const known = this.#codecs.get(key);
    if (known !== undefined) return known;
    const definition = this.#root.lookupService(`runtime.v1.${service}`).methods[method]!.resolve() as protobuf.Method;
    const request = definition.resolvedRequestType!;
    const response = definition.resolvedResponseType!;
    const codec: Codec = {
      path: `/runtime.v1.${key}`,
      encode: (message) => Buffer.from(request.encode(request.fromObject(message)).finish()),
      decode: (bytes) => response.toObject(response.decode(bytes), TO_OBJECT),
    };
    this.#codecs.set(key, codec);
    return codec;
  }
}

/** The runtime's own words (`details`), without grpc-js's prefix. */
function runtimeErrorFrom(error: ServiceError): RuntimeError {
  const words = error.details === undefined || error.details === '' ? error.message : error.details;
  const code = CODES[error.code] ?? 'UNKNOWN';
  return new RuntimeError(code, `rpc error: code = ${codeName(error.code)} desc = ${words}`, { cause: error });
}

const GO_CODE_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

const codeName = (code: number): string => GO_CODE_NAMES[code] ?? `Code(${code})`;
