// The decision at the heart of the kubelet: given a pod's spec and what the runtime holds, what is to be done next. Pure.
import type { Container, Pod } from '#generated/api/core-v1.ts';
import {
  type AnyContainer,
  ephemeralContainers,
  initContainers,
  isHostNetwork,
  isSidecar,
  mainContainers,
  mayRestart,
} from './containers.ts';
import { newestContainer, readySandbox, type RuntimeContainer, type RuntimePod } from './runtime-pod.ts';

export interface StartAction {
  readonly container: AnyContainer;
  readonly kind: 'init' | 'main' | 'ephemeral';
  /** The one it replaces, for restart counts and back-off. */
  readonly previous: RuntimeContainer | undefined;
}

export interface KillAction {
  readonly container: RuntimeContainer;
  readonly spec: AnyContainer;
  readonly message: string;
  readonly reason: 'livenessProbe' | 'startupProbe' | 'changed' | 'unknown';
}

export interface PodActions {
  /** Sandbox to create, after everything of the old one is stopped. */
  readonly createSandbox: { readonly attempt: number } | undefined;
  readonly start: readonly StartAction[];
  readonly kill: readonly KillAction[];
}

export interface ActionInputs {
  /** Has a liveness or startup probe of this container (by id) failed? */
  failedProbe(containerId: string): 'livenessProbe' | 'startupProbe' | undefined;
  /** Has it passed its startup probe, or does it have none? */
  started(containerId: string): boolean;
  hashOf(container: AnyContainer): string;
  /** Must it be made anew to have the resources it was given? */
  mustRestart?(name: string): boolean;
}

const nothing: PodActions = { createSandbox: undefined, start: [], kill: [] };

export function computeActions(pod: Pod, runtime: RuntimePod, inputs: ActionInputs): PodActions {
  const sandbox = readySandbox(runtime);
  if (sandbox === undefined || (!isHostNetwork(pod) && sandbox.ips.length === 0)) return newSandbox(pod, runtime);

  const current: RuntimePod = { ...runtime, containers: runtime.containers.filter((c) => c.sandboxId === sandbox.id) };
  const start: StartAction[] = [];
  const kill: KillAction[] = [];
  const mainStarted = mainContainers(pod).some((c) => newestContainer(current, c.name) !== undefined);

  /** Handles one that should be running; returns whether it runs. */
  const keepRunning = (container: Container, kind: 'init' | 'main'): boolean => {
    const found = newestContainer(current, container.name);
    const previous = found ?? newestContainer(runtime, container.name);
    if (found === undefined || found.state === 'created') {
      start.push({ container, kind, previous });
      return false;
    }
    if (found.state === 'exited') {
      // One that was ended for its resources comes back, however it ended.
      const resized = inputs.mustRestart?.(container.name) === true;
      if (resized || isSidecarKind(kind, container) || mayRestart(pod, container, found.exitCode))
        start.push({ container, kind, previous });
      return false;
    }
    const why = killReason(container, found, inputs);
    if (why !== undefined) kill.push({ container: found, spec: container, ...why });
    return why === undefined;
  };

  const ready = (): boolean => {
    for (const container of initContainers(pod)) {
      if (isSidecar(container)) {
        const runs = keepRunning(container, 'init');
        if (mainStarted) continue;
        if (!runs || !inputs.started(newestContainer(current, container.name)!.id)) return false;
        continue;
      }
      if (mainStarted) continue;
      const found = newestContainer(current, container.name);
      if (found === undefined || found.state === 'created') {
        start.push({ container, kind: 'init', previous: newestContainer(runtime, container.name) });
        return false;
      }
      if (found.state === 'running' || found.state === 'unknown') return false;
      if (found.exitCode === 0) continue;
      if (mayRestart(pod, container, found.exitCode)) start.push({ container, kind: 'init', previous: found });
      return false;
    }
    return true;
  };

  if (ready()) for (const container of mainContainers(pod)) keepRunning(container, 'main');
  for (const container of ephemeralContainers(pod)) {
    if (newestContainer(current, container.name) === undefined)
      start.push({ container, kind: 'ephemeral', previous: undefined });
  }
  return { createSandbox: undefined, start, kill };
}

const isSidecarKind = (kind: 'init' | 'main', container: Container): boolean => kind === 'init' && isSidecar(container);

function newSandbox(pod: Pod, runtime: RuntimePod): PodActions {
  const attempt = runtime.sandboxes.length === 0 ? 0 : runtime.sandboxes[0]!.attempt + 1;
  if (attempt > 0) {
    if (pod.spec?.restartPolicy === 'Never' && runtime.containers.length > 0) return nothing;
    // Nothing left to run: a pod that completed needs no new sandbox.
    const wanted = mainContainers(pod).some((c) => {
      const last = newestContainer(runtime, c.name);
      return last === undefined || last.state !== 'exited' || mayRestart(pod, c, last.exitCode);
    });
    if (!wanted) return nothing;
  }
  return { ...nothing, createSandbox: { attempt } };
}

function killReason(
  container: AnyContainer,
  found: RuntimeContainer,
  inputs: ActionInputs,
): Pick<KillAction, 'message' | 'reason'> | undefined {
  if (found.state === 'unknown')
    return {
      reason: 'unknown',
      message: `Container ${container.name} is in unknown state, try killing it before restart`,
    };
  if (found.hash !== '' && found.hash !== inputs.hashOf(container)) {
    return { reason: 'changed', message: `Container ${container.name} definition changed, will be restarted` };
  }
  if (inputs.mustRestart?.(container.name) === true)
    return { reason: 'changed', message: `Container ${container.name} resize requires restart` };
  const probe = inputs.failedProbe(found.id);
  if (probe === undefined) return undefined;
  const words = probe === 'livenessProbe' ? 'liveness' : 'startup';
  return { reason: probe, message: `Container ${container.name} failed ${words} probe, will be restarted` };
}

/** Did the pod end for good, and how? Undefined while something runs or may run. */
export function finishedPhase(pod: Pod, runtime: RuntimePod): 'Succeeded' | 'Failed' | undefined {
  const lastOf = (c: AnyContainer) => newestContainer(runtime, c.name);
  for (const container of initContainers(pod)) {
    if (isSidecar(container)) continue;
    const last = lastOf(container);
    if (
      last?.state === 'exited' &&
      last.exitCode !== 0 &&
      !mayRestart(pod, container, last.exitCode) &&
      !mainContainers(pod).some((c) => lastOf(c) !== undefined)
    )
      return 'Failed';
  }
  let failed = false;
  for (const container of mainContainers(pod)) {
    const last = lastOf(container);
    if (last?.state !== 'exited' || mayRestart(pod, container, last.exitCode)) return undefined;
    failed ||= last.exitCode !== 0;
  }
  return failed ? 'Failed' : 'Succeeded';
}
