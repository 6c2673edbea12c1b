// Stopping containers: preStop hook, SIGTERM, grace, SIGKILL; all at once, native sidecars after the rest in reverse order.
import type { Pod } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import { sleep } from '#base/clock.ts';
import { isRuntimeError } from '../cri/runtime.ts';
import { findContainer, initContainers, isHostNetwork, isSidecar } from './containers.ts';
import { runHook } from './hooks.ts';
import type { PodDeps } from './pod-deps.ts';
import { ANNOTATIONS, containerFrom, readySandbox, type RuntimeContainer, type RuntimePod } from './runtime-pod.ts';

/** Time a preStop hook may go past the grace, and what SIGTERM gets after a hook that used it all (upstream). */
const MINIMUM_GRACE_SECONDS = 2;

export type StopDeps = Pick<PodDeps, 'runtime' | 'cache' | 'events' | 'clock' | 'probes' | 'log'>;

/** When the pod has to be dead. It may be moved forward while the pod is stopping. */
export class Deadline {
  readonly #clock: StopDeps['clock'];
  #atMs: number;
  readonly #listeners = new Set<() => void>();

  constructor(clock: StopDeps['clock'], graceSeconds: number) {
    this.#clock = clock;
    this.#atMs = clock.monotonic() + graceSeconds * 1000;
  }

  get secondsLeft(): number {
    return Math.max(0, Math.ceil((this.#atMs - this.#clock.monotonic()) / 1000));
  }

  /** Only ever earlier. */
  shorten(graceSeconds: number): void {
    const atMs = this.#clock.monotonic() + graceSeconds * 1000;
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    for (const listener of this.#listeners) listener();
  }

  onShorten(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Ends one container; resolves when it is dead. */
export async function stopContainer(
  uid: string,
  pod: Pod | undefined,
  container: RuntimeContainer,
  deadline: Deadline,
  message: string,
  deps: StopDeps,
): Promise<void> {
  if (container.state !== 'running' && container.state !== 'unknown') return;
  const spec = pod === undefined ? undefined : findContainer(pod, container.name);
  if (pod !== undefined) deps.events.event(pod, podsRef, 'Normal', 'Killing', message);
  const hook = spec?.lifecycle?.preStop;
  if (hook !== undefined && pod !== undefined && deadline.secondsLeft > 0) {
    const abort = new AbortController();
    const unsubscribe = deadline.onShorten(() => abort.abort());
    const ip = isHostNetwork(pod) ? (pod.status?.hostIP ?? '') : (readySandbox(deps.cache.get(uid)!)?.ips[0] ?? '');
    const limit = sleep(deps.clock, deadline.secondsLeft * 1000, abort.signal).catch(() => {});
    try {
      await Promise.race([runHook(pod, spec!, container.id, ip, hook, deps, abort.signal), limit]);
    } catch (error) {
      if (!abort.signal.aborted) {
        deps.events.event(
          pod,
          podsRef,
          'Warning',
          'FailedPreStopHook',
          error instanceof Error ? error.message : String(error),
        );
      }
    } finally {
      unsubscribe();
      abort.abort();
    }
  }
  const stop = async (seconds: number) => {
    try {
      await deps.runtime.stopContainer(container.id, seconds);
    } catch (error) {
      if (!isRuntimeError(error, 'NOT_FOUND')) throw error;
    }
  };
  const again: Promise<void>[] = [];
  // A shorter grace (a second, forced delete) is a second, shorter stop beside the first.
  const unsubscribe = deadline.onShorten(() => again.push(stop(deadline.secondsLeft)));
  try {
    await Promise.race([
      stop(hook === undefined ? deadline.secondsLeft : Math.max(MINIMUM_GRACE_SECONDS, deadline.secondsLeft)),
      new Promise<void>((resolve, reject) => {
        deadline.onShorten(() => again.at(-1)?.then(resolve, reject));
      }),
    ]);
  } finally {
    unsubscribe();
  }
  await refresh(uid, container, deps);
}

async function refresh(uid: string, container: RuntimeContainer, deps: StopDeps): Promise<void> {
  try {
    deps.cache.putContainer(uid, containerFrom(await deps.runtime.containerStatus(container.id), container.sandboxId));
  } catch (error) {
    if (!isRuntimeError(error, 'NOT_FOUND')) throw error;
    deps.cache.dropContainer(uid, container.id);
  }
  deps.probes.forget(container.id);
}

/** Ends all of a pod's containers: main ones together, then sidecars from the last to the first. */
export async function stopAllContainers(
  runtime: RuntimePod,
  pod: Pod | undefined,
  deadline: Deadline,
  deps: StopDeps,
): Promise<void> {
  const sidecarNames =
    pod === undefined
      ? []
      : initContainers(pod)
          .filter(isSidecar)
          .map((c) => c.name);
  const running = runtime.containers.filter((c) => c.state === 'running' || c.state === 'unknown');
  const stop = (c: RuntimeContainer) =>
    stopContainer(runtime.uid, pod, c, deadline, `Stopping container ${c.name}`, deps);
  await Promise.all(running.filter((c) => !sidecarNames.includes(c.name)).map(stop));
  for (const name of sidecarNames.toReversed()) await Promise.all(running.filter((c) => c.name === name).map(stop));
}

/** Grace of containers whose pod is gone: what they were made with. */
export const graceOf = (runtime: RuntimePod): number =>
  Math.max(1, ...runtime.containers.map((c) => Number(c.annotations[ANNOTATIONS.gracePeriod] ?? 30)));
