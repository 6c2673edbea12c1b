// One pod's life on this node: brings what runs in line with what the API wants, one step after another, until the pod is gone.
// Level triggered: every wake-up looks at everything anew.
import type { Pod } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Timer } from '#base/clock.ts';
import { isStatus } from '#machinery/status.ts';
import { parseTime } from '#machinery/time.ts';
import type { Image, PodSandboxConfig } from '../cri/messages.ts';
import { isRuntimeError } from '../cri/runtime.ts';
import { ImageError } from '../images/images.ts';
import { computePodStatus, type Ended as EndedStatus, type WaitingReason } from '../status/pod-status.ts';
import { NotAttachedError } from '../volumes/volume.ts';
import { type PodVolumes, Volumes } from '../volumes/volumes.ts';
import { admitPod } from './admission.ts';
import { computeActions, finishedPhase, type KillAction, type PodActions, type StartAction } from './actions.ts';
import {
  allContainers,
  type AnyContainer,
  findContainer,
  isHostNetwork,
  isTerminalPhase,
  podText,
} from './containers.ts';
import { podLogDirectory } from './cri-config.ts';
import { ContainerConfigError } from './environment.ts';
import { refuseUnfit } from './node-fit.ts';
import type { PodDeps } from './pod-deps.ts';
import { podCgroup } from './resources.ts';
import {
  ANNOTATIONS,
  emptyRuntimePod,
  readySandbox,
  type RuntimeContainer,
  type RuntimePod,
  type RuntimeSandbox,
} from './runtime-pod.ts';
import {
  containerHash,
  localPod,
  makeSandboxConfig,
  podDir,
  preparePlaces,
  removeContainer,
  RunContainerError,
  startContainer,
  startSandbox,
} from './start.ts';
import { Deadline, graceOf, stopAllContainers, stopContainer } from './stop.ts';
import { checkUserNamespaces } from './user-namespaces.ts';

/** Upstream's crash back-off. */
const CRASH_BACKOFF = { baseMs: 10_000, maxMs: 300_000 };
/** A container that ran this long starts its back-off anew (twice the longest). */
const CRASH_RESET_MS = 600_000;
/** How long a failed pull is shown as such before the waiting for the next one is. */
const PULL_ERROR_MS = 1000;
/** Between tries after an error. */
const ERROR_BACKOFF = { baseMs: 500, maxMs: 10_000 };
/** Between looks whether a volume has been attached. */
const ATTACH_BACKOFF = { baseMs: 100, maxMs: 2_000 };
/** Upstream's podAttachAndMountTimeout: a volume that is attached no sooner is worth an event. */
const ATTACH_PATIENCE_MS = 123_000;
/** Upstream's first retry of a resize that waits for room; room given back wakes it before. */
const RESIZE_RETRY_MS = 30_000;
/** Files from the API are looked at again this often: for tokens near their end. */
const VOLUME_REFRESH_MS = 60_000;
/** Upstream keeps this much of a termination message. */
const TERMINATION_MESSAGE_MAX = 4096;
const TERMINATION_LOG_TAIL_BYTES = 2048;

/** Whether files in the pod hold what the pod says of itself. */
const tellsOfItself = (pod: Pod): boolean =>
  (pod.spec?.volumes ?? []).some(
    (v) => v.downwardAPI !== undefined || v.projected?.sources?.some((s) => s.downwardAPI !== undefined) === true,
  );

/** What such files may hold and an update may change: labels, annotations, and with the generation the resources. */
const ownFacts = ({ metadata: { labels, annotations, generation } }: Pod): string =>
  JSON.stringify([labels, annotations, generation]);

export interface PodWorkerDeps extends PodDeps {
  /** The pod is gone from API and node; the worker is done. */
  readonly onGone: (uid: string) => void;
  /** The pod gave room back that others may wait for. */
  readonly onRoom: () => void;
  /** Last part of a container's newest log, for `FallbackToLogsOnError`. */
  readonly logTail: (pod: RuntimePod, container: RuntimeContainer, bytes: number) => string;
}

/** Why the node itself ends a pod. */
export interface Ended extends EndedStatus {
  /** The pod's own without. */
  readonly graceSeconds?: number;
}

export class PodWorker {
  readonly uid: string;
  readonly #deps: PodWorkerDeps;
  /** As the API shows it now; undefined once it is gone there. */
  #pod: Pod | undefined;
  /** As the API showed it last. */
  #last: Pod | undefined;
  #ended: Ended | undefined;
  #deadline: Deadline | undefined;
  #terminated = false;
  /** Volumes, addresses and control group are given back. */
  #isGivenBack = false;
  /** Aborted when the pod is told to end: nothing new is begun. */
  readonly #starting = new AbortController();
  /** Container name → why it waits. */
  readonly #waiting = new Map<string, WaitingReason>();
  /** Container name → until when its failed pull is shown. */
  readonly #pullErrorUntilMs = new Map<string, number>();
  /** Container name → restarts in a row, and when the last was. */
  readonly #crashes = new Map<string, { readonly count: number; readonly atMs: number }>();
  /** Container id → its termination message, read once. */
  readonly #messages = new Map<string, string>();
  #volumes: PodVolumes | undefined;
  #volumesStale = true;
  #volumesAtMs = 0;
  /** Looks in vain for an attachment, and since when (or since the last event about it). */
  #attaching: { readonly tries: number; readonly sinceMs: number } | undefined;
  /** Sandbox id the network was told of, and when its policies stand. */
  #policies: { readonly sandboxId: string; readonly done: Promise<void> } | undefined;
  /** The node has looked whether it takes the pod. */
  #isAdmitted = false;
  #errors = 0;
  #dirty = false;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(uid: string, deps: PodWorkerDeps) {
    this.uid = uid;
    this.#deps = deps;
  }

  update(pod: Pod | undefined): void {
    if (pod !== undefined && this.#last !== undefined && tellsOfItself(pod) && ownFacts(pod) !== ownFacts(this.#last))
      this.#volumesStale = true;
    this.#pod = pod;
    if (pod !== undefined) this.#last = pod;
    if (this.#isEnding()) {
      this.#starting.abort();
      this.#deadline?.shorten(this.#grace());
    }
    this.wake();
  }

  /** The pod with what it was given, while the node has it: from its admission until nothing of it runs. */
  get taken(): Pod | undefined {
    // One deleted by force holds no place any more, though it takes its moment to end: the scheduler sees it so too.
    const pod = this.#pod;
    if (pod === undefined || this.#terminated || isTerminalPhase(pod)) return undefined;
    return this.#isAdmitted || this.#runtime().sandboxes.length > 0 ? this.#deps.resizer.allocated(pod) : undefined;
  }

  /** As `taken`, while it may be ended: something of it is in the runtime, and it is not ending yet. */
  get evictable(): Pod | undefined {
    return this.#isEnding() || this.#runtime().sandboxes.length === 0 ? undefined : this.taken;
  }

  get isGivenBack(): boolean {
    return this.#isGivenBack;
  }

  /** An object its volumes or variables use has changed. */
  refresh(): void {
    this.#volumesStale = true;
    this.wake();
  }

  /** Ends the pod for a reason of the node's own (eviction). */
  end(ended: Ended): void {
    this.#ended ??= ended;
    this.#starting.abort();
    this.wake();
  }

  wake(): void {
    this.#dirty = true;
    if (this.#running === undefined && !this.#stopped) this.#running = this.#run();
  }

  /** Leaves the pod as it is: the containers go on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#starting.abort();
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false;
      try {
        await this.#sync();
        this.#errors = 0;
      } catch (error) {
        if (this.#stopped) break;
        if (this.#starting.signal.aborted && this.#deadline === undefined) {
          this.#dirty = true;
          continue;
        }
        if (isNotAttached(error)) {
          this.#wakeAfter(backoffMs(this.#attaching?.tries ?? 1, ATTACH_BACKOFF));
          continue;
        }
        this.#errors++;
        this.#deps.log.warn('pod step failed', {
          pod: this.#last === undefined ? this.uid : podText(this.#last),
          error,
        });
        this.#wakeAfter(backoffMs(this.#errors, ERROR_BACKOFF));
      }
    }
    this.#running = undefined;
  }

  #wakeAfter(delayMs: number): void {
    const atMs = this.#deps.clock.monotonic() + delayMs;
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.wake();
    });
  }

  #runtime(): RuntimePod {
    const m = this.#last?.metadata;
    return this.#deps.cache.get(this.uid) ?? emptyRuntimePod(this.uid, m?.namespace ?? '', m?.name ?? '');
  }

  #isEnding(): boolean {
    return this.#pod === undefined || this.#pod.metadata.deletionTimestamp !== undefined || this.#ended !== undefined;
  }

  #grace(): number {
    if (this.#ended !== undefined)
      return this.#ended.graceSeconds ?? this.#last?.spec?.terminationGracePeriodSeconds ?? 30;
    // Gone from the API means deleted by force (or while this node was away): only the least grace is left.
    if (this.#pod === undefined) return this.#last === undefined ? graceOf(this.#runtime()) : 1;
    return Math.max(
      1,
      this.#pod.metadata.deletionGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds ?? 30,
    );
  }

  async #sync(): Promise<void> {
    if (this.#isEnding()) return this.#terminate();
    const asked = this.#pod!;
    const runtime = this.#runtime();
    const isResized = (): boolean => allContainers(asked).some((c) => this.#mustRestart(asked, c.name));
    if (isTerminalPhase(asked) || (finishedPhase(asked, runtime) !== undefined && !isResized()))
      return this.#finish(asked);
    if (this.#pastDeadline(asked)) {
      this.end({
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      });
      return;
    }
    if (!(await this.#admit(asked, runtime))) return;
    const pod = await this.#resize(asked, runtime);
    this.#watchProbes(pod, runtime);
    const actions = computeActions(pod, runtime, this.#inputs(pod));
    this.#report(pod);
    this.#announceAdopted(pod, runtime);
    await this.#refreshVolumes(pod, actions);
    if (actions.kill.length > 0) await this.#kill(pod, actions.kill);
    if (actions.createSandbox !== undefined) await this.#startPod(pod, actions.createSandbox.attempt);
    else if (actions.start.length > 0)
      await this.#startContainers(pod, readySandbox(runtime)!, actions.start, this.#sandboxConfigOf(pod, runtime));
    this.#watchProbes(pod, this.#runtime());
    this.#report(pod);
  }

  /** The pod with what it is given, brought into force as far as no restart is needed. */
  async #resize(asked: Pod, runtime: RuntimePod): Promise<Pod> {
    const { resizer, onRoom } = this.#deps;
    const pod = resizer.decide(asked, runtime);
    if (resizer.isDeferred(this.uid)) this.#wakeAfter(RESIZE_RETRY_MS);
    if (resizer.progress(this.uid)?.inProgress === undefined) return pod;
    this.#report(pod);
    const outcome = await resizer.apply(pod, runtime);
    if (outcome === 'failed') this.#wakeAfter(ERROR_BACKOFF.maxMs);
    if (outcome === 'done') onRoom();
    return pod;
  }

  #mustRestart(pod: Pod, name: string): boolean {
    return this.#deps.resizer.needsRestart(this.#deps.resizer.allocated(pod), name);
  }

  #inputs(pod: Pod) {
    const { probes } = this.#deps;
    return {
      mustRestart: (name: string) => this.#mustRestart(pod, name),
      failedProbe: (id: string) => probes.failed(id),
      started: (id: string) => probes.isStarted(id),
      hashOf: containerHash,
    };
  }

  /** False when the node does not take the pod. One that has run here was taken. */
  async #admit(pod: Pod, runtime: RuntimePod): Promise<boolean> {
    if (this.#isAdmitted || runtime.sandboxes.length > 0) return true;
    const others = () => this.#deps.taken().filter((p) => p.metadata.uid !== this.uid);
    // Waits for nothing between the look at the others and the taking, so no two pods get the same place.
    const refusal = (await admitPod(pod, this.#deps)) ?? refuseUnfit(pod, others(), this.#deps.allocatable);
    this.#isAdmitted = refusal === undefined;
    if (refusal === undefined) {
      this.#deps.resizer.admit(pod);
      return true;
    }
    this.#deps.events.event(pod, podsRef, 'Warning', refusal.reason, refusal.message);
    this.end({ reason: refusal.reason, message: `Pod was rejected: ${refusal.message}` });
    return false;
  }

  #pastDeadline(pod: Pod): boolean {
    const seconds = pod.spec?.activeDeadlineSeconds;
    const startMs = pod.status?.startTime === undefined ? undefined : parseTime(pod.status.startTime);
    if (seconds === undefined || startMs === undefined) return false;
    const leftMs = startMs + seconds * 1000 - this.#deps.clock.now();
    if (leftMs > 0) this.#wakeAfter(leftMs);
    return leftMs <= 0;
  }

  #watchProbes(pod: Pod, runtime: RuntimePod): void {
    const ip = this.#podIPs(pod, runtime)[0] ?? '';
    for (const container of runtime.containers) {
      const spec = findContainer(pod, container.name);
      if (spec !== undefined && container.state === 'running') this.#deps.probes.watch(pod, spec, container, ip);
      else if (container.state === 'exited') this.#deps.probes.forget(container.id);
    }
  }

  #podIPs(pod: Pod, runtime: RuntimePod): readonly string[] {
    return isHostNetwork(pod) ? this.#deps.facts().nodeIPs : (readySandbox(runtime)?.ips ?? []);
  }

  #report(asked: Pod): void {
    const { statuses, probes, clock, facts, resizer } = this.#deps;
    const pod = resizer.allocated(asked);
    const resize = resizer.progress(this.uid);
    const known = this.#deps.statuses.latest(this.uid);
    const runtime = this.#runtime();
    const status = computePodStatus(
      known === undefined ? pod : { ...pod, status: { ...known, conditions: joinConditions(pod, known) } },
      runtime,
      {
        nowMs: clock.now(),
        nodeIPs: facts().nodeIPs,
        waiting: this.#waiting,
        isReady: (c) => probes.isReady(c.id),
        isStarted: (c) => probes.isStarted(c.id),
        terminationMessage: (c) => this.#terminationMessage(runtime, c),
        ...(this.#ended === undefined ? {} : { ended: this.#ended }),
        ...(resize === undefined ? {} : { resize }),
        terminating: this.#deadline !== undefined,
        terminated: this.#terminated,
      },
    );
    statuses.set(pod, status);
  }

  #terminationMessage(runtime: RuntimePod, container: RuntimeContainer): string {
    const known = this.#messages.get(container.id);
    if (known !== undefined) return known;
    const file = container.annotations[ANNOTATIONS.terminationMessageFile];
    let message = file === undefined ? '' : (this.#deps.files.readText(file) ?? '').slice(-TERMINATION_MESSAGE_MAX);
    if (
      message === '' &&
      container.exitCode !== 0 &&
      container.annotations[ANNOTATIONS.terminationMessagePolicy] === 'FallbackToLogsOnError'
    ) {
      message = this.#deps.logTail(runtime, container, TERMINATION_LOG_TAIL_BYTES);
    }
    if (message === '' && container.message !== '' && container.exitCode !== 0) message = container.message;
    this.#messages.set(container.id, message);
    return message;
  }

  /** After a restart of the kubelet the network is told again of pods that run. */
  #announceAdopted(pod: Pod, runtime: RuntimePod): void {
    const sandbox = readySandbox(runtime);
    if (sandbox !== undefined && this.#policies?.sandboxId !== sandbox.id) this.#announce(pod, sandbox);
  }

  #announce(pod: Pod, sandbox: RuntimeSandbox): Promise<void> {
    const done = localPod(pod, sandbox, this.#deps).then((local) =>
      this.#deps.network.policiesInForce(local, this.#starting.signal),
    );
    done.catch(() => {}); // whoever awaits it sees the failure
    this.#policies = { sandboxId: sandbox.id, done };
    return done;
  }

  async #refreshVolumes(pod: Pod, actions: PodActions): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    const hasFiles = (pod.spec?.volumes ?? []).some((v) => v.projected !== undefined);
    const old =
      this.#volumes !== undefined &&
      (this.#volumesStale || (hasFiles && nowMs - this.#volumesAtMs >= VOLUME_REFRESH_MS));
    // What waits for other parts of the cluster comes before the sandbox, as upstream has it; the rest is made beside it.
    if (old || (this.#volumes === undefined && (actions.createSandbox === undefined || Volumes.waits(pod))))
      await this.#setUpVolumes(pod);
    if (hasFiles) this.#wakeAfter(VOLUME_REFRESH_MS);
  }

  async #setUpVolumes(pod: Pod): Promise<PodVolumes> {
    this.#volumesStale = false;
    try {
      this.#volumes = await this.#deps.volumes.setUp(pod);
      this.#volumesAtMs = this.#deps.clock.monotonic();
      this.#attaching = undefined;
      return this.#volumes;
    } catch (error) {
      this.#volumesStale = true;
      if (isNotAttached(error) && !this.#patienceIsOver()) throw error;
      this.#deps.events.event(
        pod,
        podsRef,
        'Warning',
        'FailedMount',
        error instanceof Error ? error.message : String(error),
      );
      throw error;
    }
  }

  #patienceIsOver(): boolean {
    const nowMs = this.#deps.clock.monotonic();
    const { tries, sinceMs } = this.#attaching ?? { tries: 0, sinceMs: nowMs };
    const over = nowMs - sinceMs >= ATTACH_PATIENCE_MS;
    this.#attaching = { tries: tries + 1, sinceMs: over ? nowMs : sinceMs };
    return over;
  }

  async #kill(pod: Pod, kills: readonly KillAction[]): Promise<void> {
    await Promise.all(
      kills.map(({ container, spec, message, reason }) => {
        const probe =
          reason === 'livenessProbe' ? spec.livenessProbe : reason === 'startupProbe' ? spec.startupProbe : undefined;
        const grace = probe?.terminationGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
        return stopContainer(this.uid, pod, container, new Deadline(this.#deps.clock, grace), message, this.#deps);
      }),
    );
    this.#dirty = true;
  }

  #sandboxConfigOf(pod: Pod, runtime: RuntimePod): PodSandboxConfig {
    return makeSandboxConfig(pod, runtime.sandboxes[0]?.attempt ?? 0, this.#deps);
  }

  /** Everything of an old sandbox ends; then a new one, with volumes and images looked up meanwhile. */
  async #startPod(pod: Pod, attempt: number): Promise<void> {
    const { deps } = { deps: this.#deps };
    await this.#clearOldSandboxes(pod);
    preparePlaces(pod, deps);
    const config = await this.#newSandboxConfig(pod, attempt);
    await deps.network.ready(this.#starting.signal);
    const volumes = this.#volumes === undefined ? this.#setUpVolumes(pod) : Promise.resolve(this.#volumes);
    volumes.catch(() => {}); // awaited below
    const first = firstContainers(pod);
    const images = this.#lookUpImages(pod, first, config);
    let sandbox: RuntimeSandbox;
    try {
      sandbox = await startSandbox(pod, config, deps);
    } catch (error) {
      this.#sayNoSandbox(pod, error);
      throw error;
    }
    this.#announce(pod, sandbox);
    if (this.#isEnding()) return;
    await volumes;
    const actions = computeActions(pod, this.#runtime(), this.#inputs(pod));
    await this.#startContainers(pod, sandbox, actions.start, config, images);
  }

  async #newSandboxConfig(pod: Pod, attempt: number): Promise<PodSandboxConfig> {
    try {
      await checkUserNamespaces(pod, this.#deps.runtime);
      return makeSandboxConfig(pod, attempt, this.#deps);
    } catch (error) {
      this.#sayNoSandbox(pod, error);
      throw error;
    }
  }

  #sayNoSandbox(pod: Pod, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#deps.events.event(pod, podsRef, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${why}`);
  }

  async #clearOldSandboxes(pod: Pod): Promise<void> {
    const runtime = this.#runtime();
    if (runtime.sandboxes.length === 0) return;
    const grace = pod.spec?.terminationGracePeriodSeconds ?? 30;
    this.#deps.events.event(
      pod,
      podsRef,
      'Normal',
      'SandboxChanged',
      'Pod sandbox changed, it will be killed and re-created.',
    );
    await stopAllContainers(runtime, pod, new Deadline(this.#deps.clock, grace), this.#deps);
    for (const sandbox of runtime.sandboxes) {
      await this.#stopSandbox(sandbox);
      if (runtime.containers.every((c) => c.sandboxId !== sandbox.id)) await this.#removeSandbox(sandbox);
    }
    this.#deps.network.podGone(this.uid);
  }

  #lookUpImages(pod: Pod, containers: readonly AnyContainer[], config: PodSandboxConfig): Map<string, Promise<Image>> {
    return new Map(
      containers.map((c) => {
        const image = this.#deps.images.ensure(pod, c, config);
        image.catch(() => {}); // seen when the container starts
        return [c.name, image];
      }),
    );
  }

  async #startContainers(
    pod: Pod,
    sandbox: RuntimeSandbox,
    starts: readonly StartAction[],
    config: PodSandboxConfig,
    images?: Map<string, Promise<Image>>,
  ): Promise<void> {
    const volumes = this.#volumes ?? (await this.#setUpVolumes(pod));
    const policies = this.#policies?.sandboxId === sandbox.id ? this.#policies.done : this.#announce(pod, sandbox);
    let started = false;
    for (const action of starts) {
      if (this.#isEnding()) return;
      const { name } = action.container;
      if (this.#inBackoff(pod, action, sandbox)) continue;
      try {
        const image = images?.get(name) ?? this.#deps.images.ensure(pod, action.container, config);
        await abortable(
          startContainer(
            action,
            { pod, sandbox, sandboxConfig: config, volumes, policies, image: abortable(image, this.#starting.signal) },
            this.#deps,
          ),
          this.#starting.signal,
        );
        this.#waiting.delete(name);
        this.#deps.resizer.started(pod, name);
        started = true;
        this.#watchProbes(pod, this.#runtime());
      } catch (error) {
        if (this.#starting.signal.aborted) throw error;
        this.#noteFailure(pod, name, error);
      }
      if (action !== starts.at(-1)) this.#report(pod);
    }
    if (started) this.#dirty = true; // sidecars and init containers let the next one in
  }

  #noteFailure(pod: Pod, name: string, error: unknown): void {
    if (error instanceof ImageError) {
      const nowMs = this.#deps.clock.now();
      if (error.code === 'ErrImagePull') this.#pullErrorUntilMs.set(name, nowMs + PULL_ERROR_MS);
      // The echo of our own status would take the reason away before anybody saw it.
      const leftMs = (this.#pullErrorUntilMs.get(name) ?? 0) - nowMs;
      if (leftMs <= 0 || error.code !== 'ImagePullBackOff')
        this.#waiting.set(name, { reason: error.code, message: error.message });
      this.#wakeAfter(leftMs > 0 ? Math.min(leftMs, error.retryAfterMs) : error.retryAfterMs);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof ContainerConfigError || error instanceof RunContainerError) {
      this.#waiting.set(name, { reason: error.code, message });
      if (error instanceof ContainerConfigError)
        this.#deps.events.event(pod, podsRef, 'Warning', 'Failed', `Error: ${message}`);
      // One that was made and did not run is now a dead container: its crash back-off decides.
      this.#wakeAfter(
        error instanceof RunContainerError && error.code !== 'CreateContainerError'
          ? ERROR_BACKOFF.baseMs
          : ERROR_BACKOFF.maxMs,
      );
      return;
    }
    throw error;
  }

  /** True when the container has to wait; counts the restart otherwise. */
  #inBackoff(pod: Pod, { container, previous }: StartAction, sandbox: RuntimeSandbox): boolean {
    if (previous === undefined || previous.state !== 'exited' || previous.sandboxId !== sandbox.id) return false;
    const nowMs = this.#deps.clock.now();
    const known = this.#crashes.get(container.name);
    const crash = known !== undefined && nowMs - known.atMs > CRASH_RESET_MS ? undefined : known;
    if (crash !== undefined) {
      const delayMs = backoffMs(crash.count, CRASH_BACKOFF);
      const leftMs = previous.finishedAtMs + delayMs - nowMs;
      if (leftMs > 0) {
        const text = `back-off ${delayMs >= 60_000 ? `${Math.floor(delayMs / 60_000)}m${(delayMs % 60_000) / 1000}s` : `${delayMs / 1000}s`} restarting failed container=${container.name} pod=${podText(pod)}`;
        this.#waiting.set(container.name, { reason: 'CrashLoopBackOff', message: text });
        this.#deps.events.event(
          pod,
          podsRef,
          'Warning',
          'BackOff',
          `Back-off restarting failed container ${container.name} in pod ${podText(pod)}`,
        );
        this.#wakeAfter(leftMs);
        return true;
      }
    }
    this.#crashes.set(container.name, { count: (crash?.count ?? 0) + 1, atMs: nowMs });
    return false;
  }

  /** The pod ran to its end: what it held is given back; containers stay for their logs. */
  async #finish(pod: Pod): Promise<void> {
    this.#terminated = true;
    this.#report(pod);
    const runtime = this.#runtime();
    await stopAllContainers(
      runtime,
      pod,
      new Deadline(this.#deps.clock, pod.spec?.terminationGracePeriodSeconds ?? 30),
      this.#deps,
    );
    this.#report(pod);
    await this.#giveBack(pod);
    this.#report(pod);
  }

  async #giveBack(pod: Pod | undefined): Promise<void> {
    const { volumes, network, cgroups, cgroupRoot } = this.#deps;
    this.#deps.probes.forgetPod(this.uid);
    await Promise.all(
      this.#runtime()
        .sandboxes.filter((s) => s.ready)
        .map((s) => this.#stopSandbox(s)),
    );
    network.podGone(this.uid);
    await volumes.tearDown(this.uid);
    this.#volumes = undefined;
    this.#deps.objects.release(this.uid);
    this.#deps.userNamespaces.release(this.uid);
    if (pod !== undefined) cgroups.remove(podCgroup(cgroupRoot, pod));
    if (!this.#isGivenBack) this.#deps.onRoom();
    this.#isGivenBack = true;
  }

  async #stopSandbox(sandbox: RuntimeSandbox): Promise<void> {
    try {
      await this.#deps.runtime.stopPodSandbox(sandbox.id);
    } catch (error) {
      if (!isRuntimeError(error, 'NOT_FOUND')) throw error;
    }
    const { uid, namespace, name } = this.#runtime();
    this.#deps.cache.putSandbox({ uid, namespace, name }, { ...sandbox, ready: false });
  }

  async #removeSandbox(sandbox: RuntimeSandbox): Promise<void> {
    try {
      await this.#deps.runtime.removePodSandbox(sandbox.id);
    } catch (error) {
      if (!isRuntimeError(error, 'NOT_FOUND')) throw error;
    }
    this.#deps.cache.dropSandbox(this.uid, sandbox.id);
  }

  async #terminate(): Promise<void> {
    const pod = this.#pod;
    this.#deadline ??= new Deadline(this.#deps.clock, this.#grace());
    this.#starting.abort();
    this.#deps.probes.podTerminating(this.uid);
    if (pod !== undefined && !this.#terminated) this.#report(pod);
    await stopAllContainers(this.#runtime(), this.#last, this.#deadline, this.#deps);
    this.#terminated = true;
    if (this.#pod !== undefined) this.#report(this.#pod);
    await this.#giveBack(this.#last);
    if (this.#pod !== undefined && this.#pod.metadata.deletionTimestamp === undefined) {
      this.#report(this.#pod); // evicted or past its deadline: its record stays
      return;
    }
    await this.#deleteFromApi();
    await this.#removeTraces();
    if (this.#pod === undefined) {
      this.#stopped = true;
      this.#timer?.cancel();
      this.#deps.statuses.forget(this.uid);
      this.#deps.onGone(this.uid);
    }
  }

  /** Only now: containers, volumes and the control group are gone. */
  async #deleteFromApi(): Promise<void> {
    const pod = this.#pod;
    if (pod === undefined) return;
    await this.#deps.statuses.flush(this.uid);
    try {
      await this.#deps.client.resource(podsRef).delete(pod.metadata.namespace, pod.metadata.name!, {
        gracePeriodSeconds: 0,
        preconditions: { uid: this.uid },
      });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  async #removeTraces(): Promise<void> {
    const runtime = this.#runtime();
    for (const container of runtime.containers) await removeContainer(this.uid, container, this.#deps);
    for (const sandbox of runtime.sandboxes) await this.#removeSandbox(sandbox);
    const { namespace, name } =
      runtime.name === ''
        ? { namespace: this.#last?.metadata.namespace ?? '', name: this.#last?.metadata.name ?? '' }
        : runtime;
    await this.#deps.files.removeAll(podDir(this.#deps, this.uid));
    if (name !== '')
      await this.#deps.files.removeAll(podLogDirectory(this.#deps.paths.logsRoot, namespace, name, this.uid));
    this.#messages.clear();
  }
}

const isNotAttached = (error: unknown): boolean => error instanceof Error && error.cause instanceof NotAttachedError;

/** Containers that start right after the sandbox. */
function firstContainers(pod: Pod): readonly AnyContainer[] {
  const init = pod.spec?.initContainers ?? [];
  return init.length > 0
    ? init.slice(0, 1)
    : allContainers(pod).filter((c) => pod.spec?.containers.includes(c as never) === true);
}

/** The kubelet's own newest conditions, and those of others as the API shows them. */
function joinConditions(pod: Pod, known: NonNullable<Pod['status']>) {
  const own = new Set([
    'PodReadyToStartContainers',
    'Initialized',
    'Ready',
    'ContainersReady',
    'PodResizePending',
    'PodResizeInProgress',
  ]);
  return [
    ...(known.conditions ?? []).filter((c) => own.has(c.type)),
    ...(pod.status?.conditions ?? []).filter((c) => !own.has(c.type)),
  ];
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {}); // nobody waits any more
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
