// The scheduler: keeps its cache and queue in step with the API, decides one pod after another, and binds many at a
// time. Pods that name another scheduler are not its business.
import type { Node, Pod, PodCondition } from '#generated/api/core-v1.ts';
import {
  csinodes,
  namespaces,
  nodes,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  storageclasses,
} from '#generated/resources.ts';
import { type Clock, type Timer, settle } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { type Log, describeError } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Client, EventRecorder, Informer, InformerChange, Informers } from '#client/client.ts';
import { findCondition } from '#machinery/conditions.ts';
import type { KubeObject, ResourceRef } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import { isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { heldRequests } from '#kinds/core/pod/requests.ts';
import { SchedulerCache } from './cache.ts';
import { formatFailure } from './diagnosis.ts';
import type { ClusterEvent, FilterFailure, ListedPlugin, Snapshot } from './framework.ts';
import { createLister } from './lister.ts';
import { type PodInfo, makePodInfo } from './pod-info.ts';
import { createPlugins } from './plugins.ts';
import { SchedulingQueue } from './queue.ts';
import { schedule } from './schedule.ts';

export interface SchedulerDeps {
  readonly client: Client;
  readonly informers: Informers;
  /** Records as `default-scheduler`. */
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
}

export const SCHEDULER_NAME = 'default-scheduler';

/** Bindings, status patches and deletions under way at once; more wait. Keeps the API server's queues for others. */
const MAX_REQUESTS = 64;
/** Decisions go on only while fewer requests than this wait: memory stays bounded in a burst. */
const MAX_WAITING = 256;
/** Longest stretch of decisions without letting others run. */
const YIELD_MS = 5;
const EXPIRE_MS = 1_000;

/** Start it after (or together with) the informers; it asks for what it needs when constructed. */
export function createScheduler(deps: SchedulerDeps): Component {
  return new Scheduler(deps);
}

class Scheduler implements Component {
  readonly name = 'scheduler';
  readonly #deps: SchedulerDeps;
  readonly #cache = new SchedulerCache();
  readonly #queue: SchedulingQueue;
  readonly #plugins: readonly ListedPlugin[];
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #requests = new Limiter(MAX_REQUESTS);
  /** Node → pods that are promised room there. */
  readonly #nominated = new Map<string, PodInfo[]>();
  readonly #stopped = new AbortController();
  readonly #unsubscribe: (() => void)[] = [];
  readonly #others: readonly { readonly resource: ClusterEvent['resource']; readonly informer: Informer<KubeObject> }[];
  #expireTimer: Timer | undefined;
  #start = 0;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  readonly #binding = new Set<Promise<void>>();

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    const { informers, client, clock } = deps;
    this.#pods = informers.informer(pods);
    this.#nodes = informers.informer(nodes);
    const claims = informers.informer(persistentvolumeclaims);
    const other = <T extends KubeObject>(resource: ClusterEvent['resource'], ref: ResourceRef<T>) => ({
      resource,
      informer: informers.informer(ref) as unknown as Informer<KubeObject>,
    });
    this.#others = [
      other('PersistentVolumeClaim', persistentvolumeclaims),
      other('PersistentVolume', persistentvolumes),
      other('StorageClass', storageclasses),
      other('CSINode', csinodes),
      other('Namespace', namespaces),
    ];
    this.#plugins = createPlugins({
      lister: createLister(informers),
      client,
      clock,
      onClaimChange: (handler) => claims.subscribe(handler),
      node: (name) => this.#cache.node(name),
    });
    this.#queue = new SchedulingQueue({ clock, plugins: this.#plugins, onReady: () => this.#wake?.() });
  }

  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#pods, this.#nodes, ...this.#others.map((o) => o.informer)].map((i) => i.whenSynced()));
    signal.throwIfAborted();
    this.#unsubscribe.push(this.#nodes.subscribe((change) => this.#onNode(change)));
    this.#unsubscribe.push(this.#pods.subscribe((change) => this.#onPod(change)));
    for (const { resource, informer } of this.#others) {
      this.#unsubscribe.push(
        informer.subscribe(({ old, object }) => this.#queue.event(eventOf(resource, old, object))),
      );
    }
    this.#queue.start();
    this.#running = this.#run();
    this.#expire();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the scheduler was stopped'));
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#queue.stop();
    this.#expireTimer?.cancel();
    this.#wake?.();
    await this.#running;
    await Promise.all(this.#binding);
  }

  // --- what the API tells

  #onNode({ key, old, object }: InformerChange<Node>): void {
    if (object === undefined) this.#cache.removeNode(key);
    else this.#cache.setNode(object);
    // Heartbeats change nothing that a pod could wait for.
    if (old !== undefined && object !== undefined && relevant(old) === relevant(object)) return;
    this.#queue.event(eventOf('Node', old, object));
  }

  #onPod({ key, old, object }: InformerChange<Pod>): void {
    const isPlaced = (pod: Pod | undefined) =>
      pod !== undefined && (pod.spec?.nodeName ?? '') !== '' && !isPodTerminal(pod);
    if (object === undefined || isPodTerminal(object) || isPlaced(object)) this.#dropNomination(key);
    if (isPlaced(object)) {
      this.#queue.delete(key);
      this.#cache.setPod(object!);
      const before = isPlaced(old) ? old : undefined;
      if (before === undefined || podRelevant(before) !== podRelevant(object!))
        this.#queue.event(eventOf('AssignedPod', before, object));
      return;
    }
    if (isPlaced(old) || (object === undefined && this.#cache.has(key))) {
      this.#cache.removePod(key);
      this.#queue.event(eventOf('AssignedPod', old, undefined));
    }
    if (
      object === undefined ||
      isPodTerminal(object) ||
      object.metadata.deletionTimestamp !== undefined ||
      (object.spec?.schedulerName ?? SCHEDULER_NAME) !== SCHEDULER_NAME
    ) {
      this.#queue.delete(key);
    } else if (!this.#cache.isAssumed(key)) {
      const promised = object.status?.nominatedNodeName ?? '';
      if (old === undefined && promised !== '') this.#nominate(makePodInfo(object), promised);
      this.#queue.set(object);
    }
  }

  // --- deciding

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    let sinceMs = clock.monotonic();
    while (!this.#stopped.signal.aborted) {
      const next = this.#requests.waiting < MAX_WAITING ? this.#queue.pop() : undefined;
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          this.#requests.onRoom = resolve;
        });
        this.#wake = undefined;
        sinceMs = clock.monotonic();
        continue;
      }
      try {
        this.#scheduleOne(next.info);
      } catch (error) {
        log.error('a scheduling attempt failed', { pod: next.info.key, err: error });
        this.#fail(next.info, error);
      }
      if (clock.monotonic() - sinceMs >= YIELD_MS) {
        await settle();
        sinceMs = clock.monotonic();
      }
    }
  }

  #scheduleOne(info: PodInfo): void {
    const { clock, random } = this.#deps;
    const startedMs = clock.monotonic();
    const snapshot = this.#cache.snapshot();
    if (snapshot.nodes.length === 0)
      return this.#reject(info, 'no nodes available to schedule pods', new Set(), undefined, startedMs);
    const nominated = this.#nominated.size === 0 ? undefined : (name: string) => this.#nominated.get(name) ?? [];
    const decision = schedule(info, snapshot, {
      plugins: this.#plugins,
      random,
      start: this.#start,
      ...(nominated === undefined ? {} : { nominated }),
    });
    if (decision.kind === 'unschedulable') return this.#unschedulable(info, snapshot, decision.failure, startedMs);
    this.#start = decision.nextStart;

    for (const { plugin } of this.#plugins) {
      const rejection = plugin.reserve?.(info, decision.node);
      if (rejection === undefined) continue;
      this.#unreserve(info, decision.node);
      const rejections = new Map([[decision.node, { ...rejection, plugin: plugin.name }]]);
      return this.#reject(
        info,
        formatFailure(
          { allNodes: snapshot.nodes.length, rejections, preFilterMessage: undefined, plugins: new Set([plugin.name]) },
          '',
        ),
        new Set([plugin.name]),
        undefined,
        startedMs,
      );
    }
    for (const { plugin } of this.#plugins) {
      const result = plugin.permit?.(info, decision.node) ?? 'allow';
      if (result === 'allow') continue;
      this.#unreserve(info, decision.node);
      return this.#reject(info, result.reasons.join(', '), new Set([plugin.name]), undefined, startedMs);
    }
    this.#cache.assume(info, decision.node);
    this.#observe('scheduled', startedMs);
    const binding = this.#bind(info, decision.node).finally(() => this.#binding.delete(binding));
    this.#binding.add(binding);
  }

  #unschedulable(info: PodInfo, snapshot: Snapshot, failure: FilterFailure, startedMs: number): void {
    const messages: string[] = [];
    for (const { plugin } of this.#plugins) {
      const result = plugin.postFilter?.(info, snapshot, failure);
      if (result === undefined) continue;
      if (result.nominate !== undefined) {
        this.#nominate(info, result.nominate.node);
        for (const victim of result.nominate.victims) this.#preempt(victim, info, result.nominate.node);
        const plugins = new Set([...failure.plugins, plugin.name]);
        return this.#reject(info, formatFailure(failure, ''), plugins, result.nominate.node, startedMs);
      }
      if (result.message !== '') messages.push(result.message);
    }
    this.#reject(info, formatFailure(failure, messages.join(', ')), failure.plugins, undefined, startedMs);
  }

  #reject(
    info: PodInfo,
    message: string,
    plugins: ReadonlySet<string>,
    nominatedNode: string | undefined,
    startedMs: number,
  ): void {
    this.#observe('unschedulable', startedMs);
    this.#queue.putBackUnschedulable(info.key, plugins);
    this.#tell(info, 'Unschedulable', message, nominatedNode);
  }

  #fail(info: PodInfo, error: unknown): void {
    this.#deps.metrics
      .counter('scheduler_schedule_attempts_total', ATTEMPTS, { result: 'error', profile: SCHEDULER_NAME })
      .inc();
    this.#queue.putBackFailed(info.key);
    this.#tell(info, 'SchedulerError', describeError(error), undefined);
  }

  // --- binding

  async #bind(info: PodInfo, nodeName: string): Promise<void> {
    const { events, log, clock } = this.#deps;
    try {
      for (const { plugin } of this.#plugins) await plugin.preBind?.(info, nodeName, this.#stopped.signal);
      await this.#requests.run(async () => {
        for (const { plugin } of this.#plugins) if ((await plugin.bind?.(info, nodeName)) === true) return;
      });
    } catch (error) {
      this.#cache.forget(info.key);
      this.#unreserve(info, nodeName);
      if (this.#stopped.signal.aborted) return;
      // The place it was counted on is free again.
      this.#queue.event(eventOf('AssignedPod', info.pod, undefined));
      // Gone, or bound by somebody else: the watch tells what is to be done, if anything.
      if (isStatus(error, 'NotFound')) return this.#queue.delete(info.key);
      log.warn('binding failed', { pod: info.key, node: nodeName, err: error });
      return this.#fail(info, error);
    }
    this.#cache.bound(info.key, clock.now());
    this.#queue.delete(info.key);
    for (const { plugin } of this.#plugins) plugin.postBind?.(info, nodeName);
    events.event(info.pod, pods, 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${nodeName}`);
  }

  #unreserve(info: PodInfo, nodeName: string): void {
    for (const { plugin } of this.#plugins.toReversed()) plugin.unreserve?.(info, nodeName);
  }

  // --- telling the pod

  #tell(
    info: PodInfo,
    reason: 'Unschedulable' | 'SchedulerError',
    message: string,
    nominatedNode: string | undefined,
  ): void {
    this.#deps.events.event(info.pod, pods, 'Warning', 'FailedScheduling', message);
    const { pod } = info;
    const old = findCondition(pod.status?.conditions, 'PodScheduled');
    const same = old?.status === 'False' && old.reason === reason && old.message === message;
    if (same && (nominatedNode === undefined || nominatedNode === pod.status?.nominatedNodeName)) return;
    const now = formatTime(this.#deps.clock.now());
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastTransitionTime: old?.status === 'False' ? (old.lastTransitionTime ?? now) : now,
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    };
    const status = {
      conditions: [condition],
      ...(nominatedNode === undefined ? {} : { nominatedNodeName: nominatedNode }),
    };
    this.#send('pod status not written', info, () =>
      this.#deps.client
        .resource(pods)
        .patch(
          pod.metadata.namespace,
          pod.metadata.name!,
          'application/strategic-merge-patch+json',
          { metadata: { uid: pod.metadata.uid }, status },
          { subresource: 'status' },
        ),
    );
  }

  /** Something that may fail without harm: the next attempt says it again. */
  #send(failure: string, info: PodInfo, act: () => Promise<unknown>): void {
    void this.#requests.run(act).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound')) this.#deps.log.warn(failure, { pod: info.key, err: error });
    });
  }

  // --- preemption

  #nominate(info: PodInfo, nodeName: string): void {
    this.#dropNomination(info.key);
    this.#nominated.set(nodeName, [...(this.#nominated.get(nodeName) ?? []), info]);
  }

  #dropNomination(key: string): void {
    for (const [node, list] of this.#nominated) {
      const left = list.filter((p) => p.key !== key);
      if (left.length === list.length) continue;
      if (left.length === 0) this.#nominated.delete(node);
      else this.#nominated.set(node, left);
    }
  }

  #preempt(victim: PodInfo, preemptor: PodInfo, nodeName: string): void {
    const { namespace, name, uid } = victim.pod.metadata;
    if (victim.pod.metadata.deletionTimestamp !== undefined) return;
    this.#deps.metrics.counter('scheduler_preemption_victims_total', 'Number of pods preempted').inc();
    this.#deps.events.event(
      victim.pod,
      pods,
      'Normal',
      'Preempted',
      `Preempted by pod ${preemptor.pod.metadata.uid} on node ${nodeName}`,
    );
    const condition: PodCondition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${SCHEDULER_NAME}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(this.#deps.clock.now()),
    };
    this.#send('pod not preempted', victim, async () => {
      const client = this.#deps.client.resource(pods);
      await client.patch(
        namespace,
        name!,
        'application/strategic-merge-patch+json',
        { status: { conditions: [condition] } },
        { subresource: 'status' },
      );
      await client.delete(namespace, name!, { preconditions: { uid } });
    });
  }

  // --- upkeep

  #expire(): void {
    const { clock, log, metrics } = this.#deps;
    this.#expireTimer = clock.setTimer(EXPIRE_MS, () => {
      for (const key of this.#cache.expire(clock.now())) {
        log.warn('a binding was never confirmed by the watch', { pod: key });
        const pod = this.#pods.get(key);
        if (pod !== undefined && (pod.spec?.nodeName ?? '') === '') this.#queue.set(pod);
      }
      const { active, backoff, unschedulable, gated } = this.#queue.counts();
      for (const [queue, n] of Object.entries({ active, backoff, unschedulable, gated })) {
        metrics.gauge('scheduler_pending_pods', 'Number of pending pods, by the queue type', { queue }).set(n);
      }
      this.#expire();
    });
  }

  #observe(result: 'scheduled' | 'unschedulable', startedMs: number): void {
    const labels = { result, profile: SCHEDULER_NAME };
    this.#deps.metrics.counter('scheduler_schedule_attempts_total', ATTEMPTS, labels).inc();
    this.#deps.metrics
      .histogram('scheduler_scheduling_attempt_duration_seconds', 'Scheduling attempt latency in seconds', labels)
      .observe((this.#deps.clock.monotonic() - startedMs) / 1000);
  }
}

const ATTEMPTS = 'Number of attempts to schedule pods, by the result';

function eventOf(
  resource: ClusterEvent['resource'],
  old: KubeObject | undefined,
  object: KubeObject | undefined,
): ClusterEvent {
  return { resource, action: object === undefined ? 'Delete' : old === undefined ? 'Add' : 'Update', old, object };
}

/** What of a node scheduling looks at. */
const relevant = ({ metadata, spec, status }: Node): string =>
  JSON.stringify([metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable]);
/** What of a placed pod the others' scheduling depends on. */
const podRelevant = (pod: Pod): string => JSON.stringify([pod.metadata.labels, heldRequests(pod)]);

/** Runs at most so many at a time; the rest wait in order. */
class Limiter {
  readonly #max: number;
  #active = 0;
  readonly #queue: (() => void)[] = [];
  onRoom: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  async run<R>(act: () => Promise<R>): Promise<R> {
    if (this.#active >= this.#max) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#active++;
    try {
      return await act();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#active--;
      else next();
      if (this.#queue.length < MAX_WAITING) this.onRoom?.();
    }
  }
}
