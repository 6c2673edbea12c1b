// What the runtime holds of one pod: its sandboxes and containers, newest first, as last seen.
import type { ContainerUser, PodSandboxStatus, RuntimeContainerStatus } from '../cri/messages.ts';

export interface RuntimeSandbox {
  readonly id: string;
  readonly ready: boolean;
  readonly attempt: number;
  readonly createdAtMs: number;
  /** Empty for pods in the node's network. */
  readonly ips: readonly string[];
}

export interface RuntimeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  readonly imageRef: string;
  readonly restartCount: number;
  /** Hash of the container's spec when it was made; '' when unknown. */
  readonly hash: string;
  /** Who its first process is; undefined where the runtime does not say. */
  readonly user?: ContainerUser;
  /** Where in it nothing is writable, however deep. */
  readonly recursivelyReadOnly?: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuntimePod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly sandboxes: readonly RuntimeSandbox[];
  readonly containers: readonly RuntimeContainer[];
}

export const LABELS = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;

export const ANNOTATIONS = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  gracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  deletionGracePeriod: 'io.kubernetes.pod.deletionGracePeriod',
  preStop: 'io.kubernetes.container.preStopHandler',
  /** Ours: where the termination message is on the node. */
  terminationMessageFile: 'coracle.dev/termination-message-file',
} as const;

const STATES = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
} as const;
const NANOS_PER_MS = 1e6;

export function sandboxFrom(status: PodSandboxStatus): RuntimeSandbox {
  const ip = status.network?.ip ?? '';
  return {
    id: status.id,
    ready: status.state === 'SANDBOX_READY',
    attempt: status.metadata.attempt,
    createdAtMs: status.createdAt / NANOS_PER_MS,
    ips: ip === '' ? [] : [ip, ...(status.network?.additionalIps ?? []).map((a) => a.ip)],
  };
}

export function containerFrom(status: RuntimeContainerStatus, sandboxId: string): RuntimeContainer {
  return {
    id: status.id,
    sandboxId,
    name: status.labels[LABELS.containerName] ?? status.metadata.name,
    state: STATES[status.state],
    createdAtMs: status.createdAt / NANOS_PER_MS,
    startedAtMs: status.startedAt / NANOS_PER_MS,
    finishedAtMs: status.finishedAt / NANOS_PER_MS,
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    image: status.image.image,
    imageRef: status.imageRef,
    restartCount: Number(status.annotations[ANNOTATIONS.restartCount] ?? status.metadata.attempt),
    hash: status.annotations[ANNOTATIONS.hash] ?? '',
    ...(status.user?.linux == null ? {} : { user: status.user.linux }),
    ...recursivelyReadOnly(status),
    annotations: status.annotations,
  };
}

function recursivelyReadOnly({ mounts = [] }: RuntimeContainerStatus): Pick<RuntimeContainer, 'recursivelyReadOnly'> {
  const paths = mounts.filter((m) => m.recursiveReadOnly === true).map((m) => m.containerPath);
  return paths.length === 0 ? {} : { recursivelyReadOnly: paths };
}

export const emptyRuntimePod = (uid: string, namespace: string, name: string): RuntimePod => ({
  uid,
  namespace,
  name,
  sandboxes: [],
  containers: [],
});

/** The sandbox that serves the pod now, if one does. */
export const readySandbox = (pod: RuntimePod): RuntimeSandbox | undefined =>
  pod.sandboxes[0]?.ready === true ? pod.sandboxes[0] : undefined;

/** The newest container of that name, of any sandbox. */
export const newestContainer = (pod: RuntimePod, name: string): RuntimeContainer | undefined =>
  pod.containers.find((c) => c.name === name);

export function withSandbox(pod: RuntimePod, sandbox: RuntimeSandbox): RuntimePod {
  const others = pod.sandboxes.filter((s) => s.id !== sandbox.id);
  return { ...pod, sandboxes: [...others, sandbox].sort((a, b) => b.createdAtMs - a.createdAtMs) };
}

export function withContainer(pod: RuntimePod, container: RuntimeContainer): RuntimePod {
  const others = pod.containers.filter((c) => c.id !== container.id);
  return { ...pod, containers: [...others, container].sort((a, b) => b.createdAtMs - a.createdAtMs) };
}

export const withoutContainer = (pod: RuntimePod, id: string): RuntimePod => ({
  ...pod,
  containers: pod.containers.filter((c) => c.id !== id),
});
export const withoutSandbox = (pod: RuntimePod, id: string): RuntimePod => ({
  ...pod,
  sandboxes: pod.sandboxes.filter((s) => s.id !== id),
});
