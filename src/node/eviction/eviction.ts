// Keeps the node from running out of memory, disk and processes: looks every few seconds, tells the node's pressures, gives back
// what nobody uses, and then ends pods, one at a time, until there is room again. Upstream's eviction manager.
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { nodes as nodesRef, pods as podsRef } from '#generated/resources.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { EventRecorder } from '#client/client.ts';
import { podText } from '../pods/containers.ts';
import { measurePods, type MeasureDeps, observe } from './measure.ts';
import { brokenStorageLimit, evictionMessage, hasStorageLimit, isCritical, rankPods } from './ranking.ts';
import {
  DEFAULT_TRANSITION_MS,
  type EvictionOptions,
  isMet,
  nextPressure,
  NO_PRESSURE,
  type Observations,
  parseThresholds,
  type Pressure,
  PRESSURE_OF,
  type PressureState,
  RESOURCE_OF,
  type Threshold,
} from './thresholds.ts';

/** Upstream's monitoring interval, and how long it waits for one pod to be gone before it looks for the next. */
const INTERVAL_MS = 10_000;
const CLEANUP_MS = 30_000;
const CLEANUP_LOOK_MS = 1_000;
/** What upstream leaves a pod that has to go at once. */
const IMMEDIATE_GRACE_SECONDS = 1;

const EVICTIONS_HELP = 'Cumulative number of pod evictions by eviction signal';

/** Upstream's names for limits of the pods' own. */
function limitSignal(message: string): string {
  if (message.startsWith('Usage of EmptyDir')) return 'emptydirfs.limit';
  return message.startsWith('Pod ') ? 'ephemeralpodfs.limit' : 'ephemeralcontainerfs.limit';
}

export interface EvictionRequest {
  readonly message: string;
  readonly graceSeconds: number;
  /** Whether a condition says that the node, not the pod, was at fault. */
  readonly disrupted: boolean;
}

export interface EvictionDeps extends MeasureDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly metrics: MetricsRegistry;
  readonly nodeName: string;
  readonly options: EvictionOptions;
  /** Pods of this node that are not at their end. */
  activePods(): readonly Pod[];
  /** Ends it; nothing when it is ending already. */
  evict(pod: Pod, request: EvictionRequest): void;
  /** Nothing of it runs or holds a volume any more. */
  isCleanedUp(pod: Pod): boolean;
  /** Gives back what nobody uses: dead containers and images. */
  reclaimDisk(): Promise<void>;
  onPressureChange(): void;
}

export class Eviction {
  readonly #deps: EvictionDeps;
  readonly #thresholds: readonly Threshold[];
  #state: PressureState = NO_PRESSURE;

  /** Throws ThresholdError. */
  constructor(deps: EvictionDeps) {
    this.#deps = deps;
    this.#thresholds = parseThresholds(deps.options);
  }

  get pressures(): readonly Pressure[] {
    return this.#state.pressures;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      try {
        const evicted = await this.look();
        if (evicted.length > 0) await this.#untilCleanedUp(evicted, signal);
        else await sleep(clock, INTERVAL_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn('eviction could not look', { error });
        await sleep(clock, INTERVAL_MS, signal).catch(() => {});
      }
    }
  }

  /** One round; returns the pods that have to go. */
  async look(): Promise<readonly Pod[]> {
    const { clock, options, activePods } = this.#deps;
    const observations = await observe(this.#deps);
    const before = this.#state;
    const transitionMs = options.pressureTransitionPeriodMs ?? DEFAULT_TRANSITION_MS;
    this.#state = nextPressure(before, this.#thresholds, observations, clock.now(), transitionMs);
    if (before.pressures.join() !== this.#state.pressures.join()) this.#deps.onPressureChange();
    const pods = activePods();
    const overLimit = await this.#evictOverLimit(pods.filter(hasStorageLimit));
    if (overLimit.length > 0) return overLimit;
    const worst = this.#state.due[0];
    return worst === undefined ? [] : this.#makeRoom(worst, pods, observations);
  }

  /** Limits of pods' own count without any pressure. */
  async #evictOverLimit(limited: readonly Pod[]): Promise<readonly Pod[]> {
    if (limited.length === 0) return [];
    const usageOf = await measurePods(limited, () => true, this.#deps);
    return limited.filter((pod) => {
      const usage = usageOf(pod);
      const message = usage === undefined ? undefined : brokenStorageLimit(pod, usage);
      return (
        message !== undefined &&
        this.#evict(pod, { message, graceSeconds: IMMEDIATE_GRACE_SECONDS, disrupted: false }, limitSignal(message))
      );
    });
  }

  async #makeRoom(worst: Threshold, pods: readonly Pod[], observations: Observations): Promise<readonly Pod[]> {
    const { events, log, nodeName, reclaimDisk } = this.#deps;
    const resource = RESOURCE_OF[worst.signal];
    const about: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, uid: nodeName } };
    events.event(about, nodesRef, 'Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    const isDisk = PRESSURE_OF[worst.signal] === 'DiskPressure';
    if (isDisk) {
      await reclaimDisk();
      const now = await observe(this.#deps);
      if (!this.#thresholds.some((t) => isMet(t, now, true))) return [];
    }
    const usageOf = await measurePods(pods, () => isDisk, this.#deps);
    for (const pod of rankPods(pods, resource, usageOf)) {
      const message = evictionMessage(resource, pod, usageOf(pod), this.#state.due, observations);
      const request = { message, graceSeconds: this.#graceFor(worst, pod), disrupted: true };
      if (this.#evict(pod, request, worst.signal)) return [pod];
    }
    log.warn('no pod can be evicted from this node', { resource });
    return [];
  }

  #graceFor(threshold: Threshold, pod: Pod): number {
    if (threshold.graceMs === 0) return IMMEDIATE_GRACE_SECONDS;
    const longest = this.#deps.options.maxPodGracePeriodSeconds ?? 0;
    return Math.max(1, Math.min(longest, pod.spec?.terminationGracePeriodSeconds ?? 30));
  }

  #evict(pod: Pod, request: EvictionRequest, signal: string): boolean {
    if (isCritical(pod)) {
      this.#deps.log.warn('a critical pod is not evicted', { pod: podText(pod) });
      return false;
    }
    this.#deps.events.event(pod, podsRef, 'Warning', 'Evicted', request.message);
    this.#deps.log.info('evicting a pod', { pod: podText(pod), why: request.message });
    this.#deps.metrics.counter('kubelet_evictions', EVICTIONS_HELP, { eviction_signal: signal }).inc();
    this.#deps.evict(pod, request);
    return true;
  }

  async #untilCleanedUp(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const { clock, isCleanedUp, log } = this.#deps;
    for (let waitedMs = 0; waitedMs < CLEANUP_MS; waitedMs += CLEANUP_LOOK_MS) {
      await sleep(clock, CLEANUP_LOOK_MS, signal);
      if (pods.every((p) => isCleanedUp(p))) return;
    }
    log.warn('evicted pods are not gone yet', { pods: pods.map(podText) });
  }
}
