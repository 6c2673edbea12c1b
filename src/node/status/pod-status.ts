// A pod's status from its spec, what the runtime holds and what probes say: phase, conditions, container statuses. Pure.
import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
  ResourceRequirements,
} from '#generated/api/core-v1.ts';
import { findCondition } from '#machinery/conditions.ts';
import { formatTime } from '#machinery/time.ts';
import {
  type AnyContainer,
  ephemeralContainers,
  findContainerStatus,
  initContainers,
  isHostNetwork,
  isSidecar,
  mainContainers,
  mayRestart,
} from '../pods/containers.ts';
import { qosClassOf } from '../pods/resources.ts';
import type { ResizeProgress } from '../resize/resize.ts';
import { newestContainer, readySandbox, type RuntimeContainer, type RuntimePod } from '../pods/runtime-pod.ts';

export interface WaitingReason {
  readonly reason: string;
  readonly message?: string;
}

export interface Ended {
  readonly reason: string;
  readonly message: string;
  /** When the node took the pod away for its own sake; absent when the pod is at fault. */
  readonly disruptedAtMs?: number;
}

export interface StatusInputs {
  readonly nowMs: number;
  readonly nodeIPs: readonly string[];
  /** Container name → why it does not run now (ErrImagePull, CrashLoopBackOff, …). */
  readonly waiting: ReadonlyMap<string, WaitingReason>;
  readonly isReady: (container: RuntimeContainer, spec: AnyContainer) => boolean;
  readonly isStarted: (container: RuntimeContainer, spec: AnyContainer) => boolean;
  /** Container id → its termination message. */
  readonly terminationMessage: (container: RuntimeContainer) => string;
  /** The kubelet ended the pod itself (deadline, eviction). */
  readonly ended?: Ended | undefined;
  /** A change of resources in place that is not done yet. */
  readonly resize?: ResizeProgress;
  /** The pod is being taken down: what is gone counts as ended. */
  readonly terminating: boolean;
  /** Nothing of it runs any more, for good. */
  readonly terminated: boolean;
}

export function computePodStatus(pod: Pod, runtime: RuntimePod, inputs: StatusInputs): PodStatus {
  const old = pod.status ?? {};
  const now = formatTime(inputs.nowMs);
  const of = (list: readonly AnyContainer[], kind: 'init' | 'main' | 'ephemeral') =>
    list.map((c) => containerStatus(pod, c, kind, runtime, inputs));
  const initStatuses = of(initContainers(pod), 'init');
  const statuses = of(mainContainers(pod), 'main');
  const ephemeralStatuses = of(ephemeralContainers(pod), 'ephemeral');
  // While something of it runs, a pod is not at its end, whoever ends it: its place may not be given away yet.
  const isOver = inputs.terminated || !runtime.containers.some((c) => c.state === 'running');
  const phase = phaseOf(pod, initStatuses, statuses, isOver ? inputs : { ...inputs, ended: undefined });
  const ips = podIPs(pod, runtime, inputs);
  const {
    podIP: _ip,
    podIPs: _ips,
    reason: _reason,
    message: _message,
    phase: _phase,
    containerStatuses: _c,
    initContainerStatuses: _i,
    ephemeralContainerStatuses: _e,
    ...kept
  } = old;
  const ended =
    (isOver ? inputs.ended : undefined) ??
    (old.reason === undefined || old.phase !== 'Failed'
      ? undefined
      : { reason: old.reason, message: old.message ?? '' });
  // Refused before anything of it began: a waiting container would hide the reason.
  if (ended !== undefined && old.containerStatuses === undefined && runtime.containers.length === 0)
    return {
      ...kept,
      observedGeneration: pod.metadata.generation ?? old.observedGeneration,
      phase,
      reason: ended.reason,
      message: ended.message,
      startTime: old.startTime ?? now,
      qosClass: old.qosClass ?? qosClassOf(pod),
    };
  return {
    ...kept,
    observedGeneration: pod.metadata.generation ?? old.observedGeneration,
    phase,
    conditions: [
      ...conditionsOf(pod, runtime, initStatuses, statuses, phase, now),
      ...disruption(pod, inputs.ended),
      ...resizeConditions(pod, inputs.resize, phase, now),
    ],
    ...(ended === undefined ? {} : { reason: ended.reason, message: ended.message }),
    hostIP: inputs.nodeIPs[0] ?? '',
    hostIPs: inputs.nodeIPs.map((ip) => ({ ip })),
    ...(ips.length === 0 ? {} : { podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })) }),
    startTime: old.startTime ?? now,
    qosClass: old.qosClass ?? qosClassOf(pod),
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
    ...(ephemeralStatuses.length === 0 ? {} : { ephemeralContainerStatuses: ephemeralStatuses }),
  };
}

function podIPs(pod: Pod, runtime: RuntimePod, inputs: StatusInputs): readonly string[] {
  if (isHostNetwork(pod)) return runtime.sandboxes.length > 0 || inputs.terminated ? inputs.nodeIPs : [];
  const now = readySandbox(runtime)?.ips ?? [];
  if (now.length > 0) return now;
  // Addresses of a pod that ended stay on record, as upstream keeps them.
  return inputs.terminating || inputs.terminated || runtime.sandboxes.length > 0
    ? (pod.status?.podIPs ?? []).map((p) => p.ip!)
    : [];
}

function containerStatus(
  pod: Pod,
  spec: AnyContainer,
  kind: 'init' | 'main' | 'ephemeral',
  runtime: RuntimePod,
  inputs: StatusInputs,
): ContainerStatus {
  const old = findContainerStatus(pod, spec.name);
  const found = newestContainer(runtime, spec.name);
  const waiting = inputs.waiting.get(spec.name);
  const previous = runtime.containers.filter(
    (c) => c.name === spec.name && c.id !== found?.id && c.state === 'exited',
  )[0];

  const asTerminated = (c: RuntimeContainer): ContainerState => ({
    terminated: terminatedState(c, inputs.terminationMessage(c)),
  });
  let state: ContainerState;
  let lastState: ContainerState = previous === undefined ? (old?.lastState ?? {}) : asTerminated(previous);
  if (found === undefined) {
    if (old?.state?.terminated !== undefined && (inputs.terminating || inputs.terminated || kind === 'init'))
      state = old.state;
    else if (inputs.terminated && old?.state?.running !== undefined) {
      // It ran, and nothing is left to say how it ended.
      state = {
        terminated: {
          exitCode: 137,
          reason: 'ContainerStatusUnknown',
          message: 'The container could not be located when the pod was terminated',
        },
      };
    } else state = { waiting: waiting ?? { reason: defaultWaitingReason(pod, kind) } };
  } else if (found.state === 'running') {
    state = { running: { startedAt: formatTime(found.startedAtMs) } };
  } else if (found.state === 'created') {
    state = { waiting: waiting ?? { reason: 'ContainerCreating' } };
    if (waiting?.reason === 'RunContainerError')
      lastState = previous === undefined ? lastState : asTerminated(previous);
  } else if (found.state === 'exited') {
    if (waiting !== undefined && !inputs.terminating && !inputs.terminated) {
      state = { waiting };
      lastState = asTerminated(found);
    } else state = asTerminated(found);
  } else {
    state = { waiting: { reason: 'ContainerStatusUnknown', message: 'The container could not be located' } };
  }

  const isRunning = found?.state === 'running';
  const started = isRunning && inputs.isStarted(found, spec);
  const ready =
    kind === 'ephemeral'
      ? false
      : kind === 'init' && !isSidecar(spec as Container)
        ? state.terminated?.exitCode === 0 && state.terminated.reason === 'Completed'
        : isRunning && started && inputs.isReady(found, spec);
  return {
    name: spec.name,
    state,
    lastState,
    ready,
    restartCount: found?.restartCount ?? old?.restartCount ?? 0,
    image:
      found === undefined
        ? old?.image !== undefined && old.image !== ''
          ? old.image
          : (spec.image ?? '')
        : found.image === '' || found.image.startsWith('sha256:')
          ? (spec.image ?? '')
          : found.image,
    imageID: found?.imageRef ?? old?.imageID ?? '',
    ...(found === undefined
      ? old?.containerID === undefined
        ? {}
        : { containerID: old.containerID }
      : { containerID: `containerd://${found.id}` }),
    started: kind === 'init' && !isSidecar(spec as Container) ? started : started,
    ...resourcesOf(spec, kind, found?.state === 'running' ? inputs.resize?.actual.get(spec.name) : undefined),
    ...volumeMountStatuses(spec, found),
    ...userStatus(found),
  };
}

/** `actual` is what a running container really has, where that is not what it is to have. */
function resourcesOf(
  { resources }: AnyContainer,
  kind: 'init' | 'main' | 'ephemeral',
  actual: ResourceRequirements | undefined,
): Pick<ContainerStatus, 'resources' | 'allocatedResources'> {
  if (resources === undefined || Object.keys(resources).length === 0 || kind === 'ephemeral') return {};
  return {
    resources: actual ?? resources,
    ...(resources.requests === undefined ? {} : { allocatedResources: resources.requests }),
  };
}

function userStatus(found: RuntimeContainer | undefined): Pick<ContainerStatus, 'user'> {
  if (found?.user === undefined) return {};
  const { uid, gid, supplementalGroups } = found.user;
  return { user: { linux: { uid, gid, ...(supplementalGroups.length === 0 ? {} : { supplementalGroups }) } } };
}

function volumeMountStatuses(
  spec: AnyContainer,
  found: RuntimeContainer | undefined,
): Pick<ContainerStatus, 'volumeMounts'> {
  if ((spec.volumeMounts ?? []).length === 0) return {};
  return {
    volumeMounts: spec.volumeMounts!.map((m) => ({
      name: m.name,
      mountPath: m.mountPath,
      ...(m.readOnly === true
        ? {
            readOnly: true,
            recursiveReadOnly: found?.recursivelyReadOnly?.includes(m.mountPath) === true ? 'Enabled' : 'Disabled',
          }
        : {}),
    })),
  };
}

function defaultWaitingReason(pod: Pod, kind: 'init' | 'main' | 'ephemeral'): string {
  return kind !== 'ephemeral' && initContainers(pod).length > 0 ? 'PodInitializing' : 'ContainerCreating';
}

function terminatedState(c: RuntimeContainer, message: string) {
  return {
    exitCode: c.exitCode,
    reason: c.reason !== '' ? c.reason : c.exitCode === 0 ? 'Completed' : 'Error',
    ...(message === '' ? {} : { message }),
    ...(c.startedAtMs > 0 ? { startedAt: formatTime(c.startedAtMs) } : {}),
    finishedAt: formatTime(c.finishedAtMs),
    containerID: `containerd://${c.id}`,
  };
}

function phaseOf(
  pod: Pod,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
  inputs: StatusInputs,
): string {
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return pod.status.phase;
  if (inputs.ended !== undefined) return 'Failed';
  const specOf = (s: ContainerStatus) =>
    [...initContainers(pod), ...mainContainers(pod)].find((c) => c.name === s.name)!;
  const terminal = (s: ContainerStatus) =>
    s.state?.terminated !== undefined &&
    (inputs.terminated || !mayRestart(pod, specOf(s), s.state.terminated.exitCode));
  const plainInit = init.filter((s) => !isSidecar(specOf(s)));
  const mainExists = main.some(
    (s) => s.state?.running !== undefined || s.state?.terminated !== undefined || s.lastState?.terminated !== undefined,
  );
  if (!mainExists && plainInit.some((s) => terminal(s) && s.state!.terminated!.exitCode !== 0)) return 'Failed';
  if (!mainExists && plainInit.some((s) => s.state?.terminated === undefined || s.state.terminated.exitCode !== 0))
    return inputs.terminated ? 'Failed' : 'Pending';
  if (main.every(terminal)) return main.some((s) => s.state!.terminated!.exitCode !== 0) ? 'Failed' : 'Succeeded';
  if (inputs.terminated) return 'Failed';
  // A container that never ran keeps the pod Pending; one that waits to be restarted does not.
  if (main.some((s) => s.state?.waiting !== undefined && s.lastState?.terminated === undefined)) return 'Pending';
  return 'Running';
}

function conditionsOf(
  pod: Pod,
  runtime: RuntimePod,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
  phase: string,
  now: string,
): readonly PodCondition[] {
  const old = pod.status?.conditions ?? [];
  const generation = pod.metadata.generation;
  const sidecars = new Set(
    initContainers(pod)
      .filter(isSidecar)
      .map((c) => c.name),
  );
  const initialized =
    init.every((s) =>
      sidecars.has(s.name) ? s.started === true || phase === 'Succeeded' : s.state?.terminated?.exitCode === 0,
    ) || main.some((s) => s.state?.running !== undefined);
  const uninitialized = init
    .filter((s) => !(sidecars.has(s.name) ? s.started === true : s.state?.terminated?.exitCode === 0))
    .map((s) => s.name);
  const serving = [...init.filter((s) => sidecars.has(s.name)), ...main];
  const unready = serving.filter((s) => !s.ready).map((s) => s.name);
  const finished = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : undefined;
  const containersReady: Condition =
    finished !== undefined
      ? no(finished, '')
      : unready.length === 0
        ? yes()
        : no('ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`);
  const gates = (pod.spec?.readinessGates ?? []).map((g) => g.conditionType);
  const failing = gates.filter((g) => findCondition(old, g)?.status !== 'True');
  const ready: Condition =
    containersReady.status !== 'True'
      ? containersReady
      : failing.length === 0
        ? yes()
        : no(
            'ReadinessGatesNotReady',
            failing
              .map((g) =>
                findCondition(old, g) === undefined
                  ? `corresponding condition of pod readiness gate "${g}" does not exist.`
                  : `the status of pod readiness gate "${g}" is not "True", but ${findCondition(old, g)!.status}`,
              )
              .join(', '),
          );
  const own: readonly (Condition & { readonly type: string })[] = [
    {
      type: 'PodReadyToStartContainers',
      ...(readySandbox(runtime) !== undefined && finished === undefined ? yes() : no('', '')),
    },
    {
      type: 'Initialized',
      ...(phase === 'Succeeded'
        ? { status: 'True', reason: 'PodCompleted' }
        : initialized
          ? yes()
          : no('ContainersNotInitialized', `containers with incomplete status: [${uninitialized.join(' ')}]`)),
    },
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containersReady },
  ];
  const names = new Set([...own.map((c) => c.type), ...SEPARATE_CONDITIONS]);
  const stamped = own.map((c): PodCondition => {
    const before = findCondition(old, c.type);
    return {
      type: c.type,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      status: c.status,
      lastProbeTime: before?.lastProbeTime,
      lastTransitionTime: before?.status === c.status ? before.lastTransitionTime : now,
      ...(c.reason === undefined || c.reason === '' ? {} : { reason: c.reason }),
      ...(c.message === undefined || c.message === '' ? {} : { message: c.message }),
    };
  });
  return [...stamped, ...old.filter((c) => !names.has(c.type))];
}

/** Made beside the others, and left out when nothing is to be said. */
const RESIZE_CONDITIONS = ['PodResizePending', 'PodResizeInProgress'] as const;

/** One that somebody else has set stays. */
function disruption(pod: Pod, ended: Ended | undefined): readonly PodCondition[] {
  const before = findCondition(pod.status?.conditions ?? [], 'DisruptionTarget');
  if (ended?.disruptedAtMs === undefined) return before === undefined ? [] : [before];
  return [
    {
      type: 'DisruptionTarget',
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
      status: 'True',
      lastProbeTime: undefined,
      lastTransitionTime: formatTime(ended.disruptedAtMs),
      reason: 'TerminationByKubelet',
      message: ended.message,
    },
  ];
}

function resizeConditions(
  pod: Pod,
  resize: ResizeProgress | undefined,
  phase: string,
  now: string,
): readonly PodCondition[] {
  if (resize === undefined || phase === 'Succeeded' || phase === 'Failed') return [];
  const said = { PodResizePending: resize.pending, PodResizeInProgress: resize.inProgress };
  return RESIZE_CONDITIONS.flatMap((type) => {
    const told = said[type];
    if (told === undefined) return [];
    return [
      {
        type,
        observedGeneration: told.generation,
        status: 'True',
        lastProbeTime: undefined,
        lastTransitionTime: findCondition(pod.status?.conditions ?? [], type)?.lastTransitionTime ?? now,
        ...(told.reason === '' ? {} : { reason: told.reason }),
        ...(told.message === '' ? {} : { message: told.message }),
      },
    ];
  });
}

const SEPARATE_CONDITIONS: readonly string[] = ['DisruptionTarget', ...RESIZE_CONDITIONS];

interface Condition {
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

const yes = (): Condition => ({ status: 'True' });
const no = (reason: string, message: string): Condition => ({ status: 'False', reason, message });
