// In-place resize of this node's pods: gives them what they want when there is room, brings it into force in the kernel through the
// runtime, and remembers how far that is. Upstream's allocation manager and the resize part of its runtime manager.
import type { Container, Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import type { EventRecorder } from '#client/client.ts';
import type { CgroupResources, Cgroups } from '#host/cgroups.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import type { Runtime } from '../cri/runtime.ts';
import { findContainer } from '../pods/containers.ts';
import { containerResources, podCgroup, podCgroupResources } from '../pods/resources.ts';
import { newestContainer, type RuntimeContainer, type RuntimePod } from '../pods/runtime-pod.ts';
import type { Allocations } from './allocations.ts';
import {
  type Allocatable,
  needsRestart,
  refuseResize,
  resizeEvent,
  type ResizeNote,
  type ResizeProgress,
  resourcesIn,
  sameAmounts,
  sameResources,
  withResources,
} from './resize.ts';

export interface ResizerDeps {
  readonly allocations: Allocations;
  readonly runtime: Pick<Runtime, 'updateContainerResources' | 'listContainerStats'>;
  readonly cgroups: Pick<Cgroups, 'create' | 'usage'>;
  readonly cgroupRoot: string;
  readonly events: EventRecorder;
  readonly allocatable: Allocatable;
  memoryCapacityBytes(): number;
  /** Pods this node has taken, with what they were given. */
  taken(): readonly Pod[];
}

/** What a pod is to be told: nothing of it is kept over a restart, which begins it anew. */
interface Notes {
  pending: ResizeNote | undefined;
  inProgress: ResizeNote | undefined;
}

export class Resizer {
  readonly #deps: ResizerDeps;
  /** Pod uid → what its status says of a resize. */
  readonly #notes = new Map<string, Notes>();

  constructor(deps: ResizerDeps) {
    this.#deps = deps;
  }

  /** The node takes the pod: what it asks for is given. */
  admit(pod: Pod): void {
    if (this.#deps.allocations.get(pod.metadata.uid!) === undefined) this.#deps.allocations.admit(pod);
  }

  /** The pod with what it was given so far. */
  allocated(pod: Pod): Pod {
    const known = this.#deps.allocations.get(pod.metadata.uid!);
    return known === undefined ? pod : withResources(pod, known.allocated);
  }

  /** Looks whether what is wanted can be given now; the pod as given. Waits for nothing, so no two pods are given the same room. */
  decide(pod: Pod, runtime: RuntimePod): Pod {
    const { allocations, allocatable, events, taken } = this.#deps;
    const uid = pod.metadata.uid!;
    const known = allocations.get(uid) ?? allocations.admit(pod);
    const notes = this.#notesOf(uid);
    const wanted = resourcesIn(pod);
    if (sameResources(known.allocated, wanted)) {
      notes.pending = undefined;
      this.#resume(pod, known.actual, notes);
      return withResources(pod, known.allocated);
    }
    const generation = pod.metadata.generation ?? 0;
    const others = taken().filter((p) => p.metadata.uid !== uid);
    const refusal = refuseResize(pod, others, allocatable);
    if (refusal !== undefined) {
      const before = notes.pending;
      notes.pending = { ...refusal, generation };
      if (before?.reason !== refusal.reason || before.message !== refusal.message || before.generation !== generation) {
        const text = resizeEvent(pod, refusal.reason, refusal.message);
        events.event(pod, podsRef, 'Warning', `Resize${refusal.reason}`, text);
      }
      this.#resume(pod, known.actual, notes);
      return withResources(pod, known.allocated);
    }
    allocations.set(uid, { allocated: wanted, actual: stillActual(known, wanted, runtime) });
    notes.pending = undefined;
    notes.inProgress = { reason: '', message: '', generation };
    events.event(pod, podsRef, 'Normal', 'ResizeStarted', resizeEvent(pod, 'started'));
    return pod;
  }

  /** Is the pod waiting for room? */
  isDeferred(uid: string): boolean {
    return this.#notes.get(uid)?.pending?.reason === 'Deferred';
  }

  progress(uid: string): ResizeProgress | undefined {
    const notes = this.#notes.get(uid);
    if (notes === undefined || (notes.pending === undefined && notes.inProgress === undefined)) return undefined;
    return { ...notes, actual: new Map(Object.entries(this.#deps.allocations.get(uid)?.actual ?? {})) };
  }

  /** Must this container be ended and started again to have what it was given? */
  needsRestart(pod: Pod, name: string): boolean {
    const actual = this.#deps.allocations.get(pod.metadata.uid!)?.actual[name];
    const spec = findContainer(pod, name) as Container | undefined;
    return actual !== undefined && spec !== undefined && needsRestart(spec, actual, spec.resources ?? {});
  }

  /** A container was made: it has what it was given. */
  started(pod: Pod, name: string): void {
    const { allocations } = this.#deps;
    const uid = pod.metadata.uid!;
    const known = allocations.get(uid);
    if (known?.actual[name] === undefined) return;
    const { [name]: _done, ...actual } = known.actual;
    allocations.set(uid, { ...known, actual });
  }

  /** Brings what was given into force as far as no restart is needed. `pod` is as given. Throws nothing: failures are told and tried again. */
  async apply(pod: Pod, runtime: RuntimePod): Promise<'done' | 'failed' | 'waiting'> {
    const uid = pod.metadata.uid!;
    const notes = this.#notesOf(uid);
    const { actual } = this.#deps.allocations.get(uid) ?? { actual: {} };
    if (notes.inProgress === undefined && Object.keys(actual).length === 0) return 'done';
    const before = withResources(pod, { ...resourcesIn(pod), ...actual });
    try {
      await this.#changeInPlace(pod, before, actual, runtime);
    } catch (error) {
      this.#fail(pod, notes, messageOf(error));
      return 'failed';
    }
    if (Object.keys(this.#deps.allocations.get(uid)?.actual ?? {}).length > 0) return 'waiting';
    if (notes.inProgress !== undefined) {
      notes.inProgress = undefined;
      this.#deps.events.event(pod, podsRef, 'Normal', 'ResizeCompleted', resizeEvent(pod, 'completed'));
    }
    return 'done';
  }

  forget(uid: string): void {
    this.#notes.delete(uid);
    this.#deps.allocations.forget(uid);
  }

  /** The pod's group is widened first and narrowed last, so that its containers always fit in. */
  async #changeInPlace(
    pod: Pod,
    before: Pod,
    actual: Readonly<Record<string, ResourceRequirements>>,
    runtime: RuntimePod,
  ): Promise<void> {
    const { cgroups, cgroupRoot } = this.#deps;
    const group = podCgroup(cgroupRoot, pod);
    const changes = Object.keys(actual).flatMap((name) => {
      const spec = findContainer(pod, name) as Container | undefined;
      const found = newestContainer(runtime, name);
      return spec === undefined || found?.state !== 'running' || this.needsRestart(pod, name) ? [] : [{ spec, found }];
    });
    await this.#checkMemory(pod, before, changes);
    const [from, to] = [podCgroupResources(before), podCgroupResources(pod)];
    cgroups.create(group, widest(from, to));
    for (const { spec, found } of changes) {
      const resources = containerResources(pod, spec, this.#deps.memoryCapacityBytes());
      await this.#deps.runtime.updateContainerResources(found.id, resources);
      this.started(pod, spec.name);
    }
    const left = this.#deps.allocations.get(pod.metadata.uid!)?.actual ?? {};
    if (Object.keys(left).length === 0) cgroups.create(group, { memoryLimitBytes: -1, cpuQuota: -1, ...to });
  }

  /** A limit below what is used now would kill: it is refused, as upstream does. */
  async #checkMemory(
    pod: Pod,
    before: Pod,
    changes: readonly { readonly spec: Container; readonly found: RuntimeContainer }[],
  ): Promise<void> {
    const problems: string[] = [];
    const limit = podCgroupResources(pod).memoryLimitBytes;
    if (limit !== undefined && limit < (podCgroupResources(before).memoryLimitBytes ?? Number.POSITIVE_INFINITY)) {
      const used = this.#deps.cgroups.usage(podCgroup(this.#deps.cgroupRoot, pod)).memoryBytes;
      if (limit < used) problems.push(`attempting to set pod memory limit (${limit}) below current usage (${used})`);
    }
    const memoryOf = (of: Pod, name: string) => {
      const text = findContainer(of, name)?.resources?.limits?.['memory'];
      return text === undefined ? undefined : quantityToNumber(text);
    };
    const lowered = changes.filter(
      ({ spec }) =>
        (memoryOf(pod, spec.name) ?? Number.POSITIVE_INFINITY) <
        (memoryOf(before, spec.name) ?? Number.POSITIVE_INFINITY),
    );
    if (lowered.length > 0) {
      const stats = await this.#deps.runtime.listContainerStats();
      for (const { spec, found } of lowered) {
        const used = stats.find((s) => s.attributes.id === found.id)?.memory?.workingSetBytes?.value ?? 0;
        const to = memoryOf(pod, spec.name)!;
        if (to < used)
          problems.push(
            `attempting to set container ${JSON.stringify(spec.name)} memory limit (${to}) below current usage (${used})`,
          );
      }
    }
    if (problems.length > 0)
      throw new Error(
        `cannot decrease memory limits: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`,
      );
  }

  #fail(pod: Pod, notes: Notes, message: string): void {
    const generation = notes.inProgress?.generation ?? pod.metadata.generation ?? 0;
    if (notes.inProgress?.message !== message)
      this.#deps.events.event(pod, podsRef, 'Warning', 'ResizeError', resizeEvent(pod, 'error', message));
    notes.inProgress = { reason: 'Error', message, generation };
  }

  /** One that was under way when the agent ended goes on. */
  #resume(pod: Pod, actual: object, notes: Notes): void {
    if (notes.inProgress === undefined && Object.keys(actual).length > 0)
      notes.inProgress = { reason: '', message: '', generation: pod.metadata.generation ?? 0 };
  }

  #notesOf(uid: string): Notes {
    let notes = this.#notes.get(uid);
    if (notes === undefined) this.#notes.set(uid, (notes = { pending: undefined, inProgress: undefined }));
    return notes;
  }
}

/** Of containers that run: what they have, where it is not what they are given now. */
function stillActual(
  known: {
    readonly allocated: Readonly<Record<string, ResourceRequirements>>;
    readonly actual: Readonly<Record<string, ResourceRequirements>>;
  },
  wanted: Readonly<Record<string, ResourceRequirements>>,
  runtime: RuntimePod,
): Record<string, ResourceRequirements> {
  const out: Record<string, ResourceRequirements> = {};
  for (const [name, to] of Object.entries(wanted)) {
    const has = known.actual[name] ?? known.allocated[name] ?? {};
    const state = newestContainer(runtime, name)?.state;
    if ((state === 'running' || state === 'created') && !sameAmounts(has, to)) out[name] = has;
  }
  return out;
}

/** Room for both; nothing is a limit that only one of them has. */
function widest(a: CgroupResources, b: CgroupResources): CgroupResources {
  const more = (x: number | undefined, y: number | undefined) =>
    x === undefined || y === undefined ? -1 : Math.max(x, y);
  return {
    cpuShares: Math.max(a.cpuShares ?? 0, b.cpuShares ?? 0),
    cpuQuota: more(a.cpuQuota, b.cpuQuota),
    memoryLimitBytes: more(a.memoryLimitBytes, b.memoryLimitBytes),
  };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/^rpc error: code = \w+ desc = /, '') : String(error);
