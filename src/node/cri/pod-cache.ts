// What the runtime holds of every pod, kept current: by the runtime's event stream where it has one, by a relist each second where it
// has not, and by the kubelet's own actions at once.
import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import {
  containerFrom,
  emptyRuntimePod,
  LABELS,
  type RuntimeContainer,
  type RuntimePod,
  type RuntimeSandbox,
  sandboxFrom,
  withContainer,
  withoutContainer,
  withoutSandbox,
  withSandbox,
} from '../pods/runtime-pod.ts';
import type { ContainerSummary, PodSandbox } from './messages.ts';
import { isRuntimeError, type Runtime } from './runtime.ts';

/** Upstream's generic PLEG period. */
const RELIST_MS = 1000;
/** With events a relist heals what was missed, and shows that the runtime still answers: well within the threshold below. */
const RELIST_WITH_EVENTS_MS = 60_000;
/** Relists older than this make the node NotReady (upstream's PLEG threshold). */
export const RELIST_THRESHOLD_MS = 180_000;

const RANK = { created: 0, unknown: 1, running: 1, exited: 2 } as const;
const STATES = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
} as const;

export interface PodCacheDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (uid: string) => void;
}

export class PodCache {
  readonly #deps: PodCacheDeps;
  /** Pod uid → what the runtime holds. */
  readonly #pods = new Map<string, RuntimePod>();
  #lastRelistMs = 0;
  #relisting: Promise<void> | undefined;
  /** Ids removed by own action while a relist may still be listing them. */
  readonly #removed = new Set<string>();

  constructor(deps: PodCacheDeps) {
    this.#deps = deps;
  }

  get(uid: string): RuntimePod | undefined {
    return this.#pods.get(uid);
  }

  all(): readonly RuntimePod[] {
    return [...this.#pods.values()];
  }

  /** Milliseconds since the runtime was last read. */
  ageMs(): number {
    return this.#deps.clock.monotonic() - this.#lastRelistMs;
  }

  putSandbox(
    pod: { readonly uid: string; readonly namespace: string; readonly name: string },
    sandbox: RuntimeSandbox,
  ): void {
    this.#set(withSandbox(this.#pods.get(pod.uid) ?? emptyRuntimePod(pod.uid, pod.namespace, pod.name), sandbox));
  }

  putContainer(uid: string, container: RuntimeContainer): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    const known = pod.containers.find((c) => c.id === container.id);
    if (known !== undefined && RANK[known.state] > RANK[container.state]) return; // states only go forward
    this.#set(withContainer(pod, container));
  }

  dropContainer(uid: string, id: string): void {
    this.#removed.add(id);
    const pod = this.#pods.get(uid);
    if (pod !== undefined) this.#set(withoutContainer(pod, id));
  }

  dropSandbox(uid: string, id: string): void {
    this.#removed.add(id);
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    const left = withoutSandbox(pod, id);
    this.#set({ ...left, containers: left.containers.filter((c) => c.sandboxId !== id) });
  }

  /** Reads everything; several callers share one run. */
  relist(): Promise<void> {
    return (this.#relisting ??= this.#relist().finally(() => {
      this.#relisting = undefined;
    }));
  }

  /** Follows the runtime until aborted. */
  async follow(signal: AbortSignal): Promise<void> {
    const { log, runtime } = this.#deps;
    let events = true;
    const listen = async () => {
      try {
        for await (const event of runtime.events(signal)) {
          const sandbox = event.podSandboxStatus;
          if (sandbox === undefined || sandbox === null) continue;
          const { uid, namespace, name } = sandbox.metadata;
          const before = this.#pods.get(uid);
          if (!this.#removed.has(sandbox.id)) this.putSandbox({ uid, namespace, name }, sandboxFrom(sandbox));
          for (const status of event.containersStatuses) {
            if (!this.#removed.has(status.id)) this.putContainer(uid, containerFrom(status, sandbox.id));
          }
          if (before !== this.#pods.get(uid)) this.#deps.onChange(uid);
        }
      } catch (error) {
        if (isRuntimeError(error, 'UNIMPLEMENTED')) events = false;
        else log.warn('container events ended', { error });
      }
    };
    const listening = (async () => {
      for (;;) {
        await listen();
        if (signal.aborted || !events) return;
        await this.#pause(RELIST_MS, signal);
      }
    })();
    while (!signal.aborted) {
      // The stream ends for good only where the runtime has none: then it is time for the first relist.
      await (events
        ? Promise.race([this.#pause(RELIST_WITH_EVENTS_MS, signal), listening])
        : this.#pause(RELIST_MS, signal));
      try {
        if (!signal.aborted) await this.relist();
      } catch (error) {
        log.warn('the runtime did not answer', { error });
      }
    }
    await listening;
  }

  /** Waits, and not past the end. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await sleep(this.#deps.clock, ms, signal);
    } catch {
      // stopped: the loop sees it
    }
  }

  #set(pod: RuntimePod): void {
    if (pod.sandboxes.length === 0 && pod.containers.length === 0) this.#pods.delete(pod.uid);
    else this.#pods.set(pod.uid, pod);
  }

  async #relist(): Promise<void> {
    const { runtime, clock } = this.#deps;
    const knownBefore = new Set(
      [...this.#pods.values()].flatMap((p) => [...p.sandboxes, ...p.containers].map((x) => x.id)),
    );
    const removedBefore = [...this.#removed];
    const [sandboxes, containers] = await Promise.all([runtime.listPodSandboxes(), runtime.listContainers()]);
    const changed = new Set<string>();
    const listed = new Set([...sandboxes, ...containers].map((x) => x.id));
    await Promise.all(sandboxes.map((s) => this.#seeSandbox(s, changed)));
    await Promise.all(containers.map((c) => this.#seeContainer(c, changed)));
    for (const pod of this.#pods.values()) {
      for (const { id } of pod.containers) {
        if (!listed.has(id) && knownBefore.has(id)) {
          this.#set(withoutContainer(this.#pods.get(pod.uid) ?? pod, id));
          changed.add(pod.uid);
        }
      }
      for (const { id } of pod.sandboxes) {
        if (!listed.has(id) && knownBefore.has(id)) {
          this.#set(withoutSandbox(this.#pods.get(pod.uid) ?? pod, id));
          changed.add(pod.uid);
        }
      }
    }
    for (const id of removedBefore) this.#removed.delete(id);
    this.#lastRelistMs = clock.monotonic();
    for (const uid of changed) this.#deps.onChange(uid);
  }

  async #seeSandbox(listed: PodSandbox, changed: Set<string>): Promise<void> {
    const { uid, namespace, name } = listed.metadata;
    const known = this.#pods.get(uid)?.sandboxes.find((s) => s.id === listed.id);
    if ((known !== undefined && known.ready === (listed.state === 'SANDBOX_READY')) || this.#removed.has(listed.id))
      return;
    try {
      const status = await this.#deps.runtime.podSandboxStatus(listed.id);
      if (this.#removed.has(listed.id)) return;
      this.putSandbox({ uid, namespace, name }, sandboxFrom(status));
      changed.add(uid);
    } catch (error) {
      if (!isRuntimeError(error, 'NOT_FOUND')) throw error;
    }
  }

  async #seeContainer(listed: ContainerSummary, changed: Set<string>): Promise<void> {
    const uid = listed.labels[LABELS.podUid] ?? '';
    const known = this.#pods.get(uid)?.containers.find((c) => c.id === listed.id);
    if ((known !== undefined && known.state === STATES[listed.state]) || this.#removed.has(listed.id)) return;
    try {
      const status = await this.#deps.runtime.containerStatus(listed.id);
      if (this.#removed.has(listed.id)) return;
      this.putContainer(uid, containerFrom(status, listed.podSandboxId));
      changed.add(uid);
    } catch (error) {
      if (!isRuntimeError(error, 'NOT_FOUND')) throw error;
    }
  }
}
