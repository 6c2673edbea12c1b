// Where pods wait: active (to be tried now, by priority), back-off (tried lately), unschedulable (until something
// happens that may help), gated. A pod is tried and put back within one turn, so no event can fall in between and be
// lost; a pod whose binding fails later comes back by its back-off in any case.
import type { Pod } from '#generated/api/core-v1.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { type ObjectKey, keyOf } from '#machinery/object.ts';
import type { ClusterEvent, EventInterest, ListedPlugin, Plugin, QueuedPod } from './framework.ts';
import { type PodInfo, makePodInfo } from './pod-info.ts';

/** Upstream's podInitialBackoffSeconds and podMaxBackoffSeconds. */
const BACKOFF = { baseMs: 1_000, maxMs: 10_000 };
/** Upstream: pods are tried again after five minutes even when nothing seems to have changed. */
const MAX_UNSCHEDULABLE_MS = 300_000;
const FLUSH_MS = 30_000;

type Where = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'trying';

interface Entry extends QueuedPod {
  info: PodInfo;
  where: Where;
  /** Tries so far. */
  attempts: number;
  /** When it came where it is. */
  sinceMs: number;
  /** End of its back-off. */
  readyMs: number;
  /** Who rejected it last; empty: any event may help. */
  plugins: ReadonlySet<string>;
}

export interface QueueDeps {
  readonly clock: Clock;
  readonly plugins: readonly ListedPlugin[];
  /** Called when there is something to pop. */
  readonly onReady: () => void;
}

export class SchedulingQueue {
  readonly #deps: QueueDeps;
  readonly #entries = new Map<ObjectKey, Entry>();
  /** Of the entries, those that wait for an event. */
  readonly #unschedulable = new Set<Entry>();
  readonly #active: Heap<Entry>;
  readonly #backoff = new Heap<Entry>((a, b) => a.readyMs - b.readyMs || a.order - b.order);
  /** Plugin → what it waits for. */
  readonly #interests = new Map<string, readonly EventInterest[]>();
  readonly #gates: readonly Plugin[];
  #order = 0;
  #backoffTimer: { readonly timer: Timer; readonly atMs: number } | undefined;
  #flushTimer: Timer | undefined;

  constructor(deps: QueueDeps) {
    this.#deps = deps;
    const plugins = deps.plugins.map((p) => p.plugin);
    const sort = plugins.find((p) => p.queueSort !== undefined)!.queueSort!;
    this.#active = new Heap<Entry>(sort);
    for (const plugin of plugins)
      if (plugin.interests !== undefined) this.#interests.set(plugin.name, plugin.interests);
    this.#gates = plugins.filter((p) => p.preEnqueue !== undefined);
  }

  start(): void {
    const flush = () => {
      this.#flushTimer = this.#deps.clock.setTimer(FLUSH_MS, flush);
      const nowMs = this.#deps.clock.now();
      for (const entry of this.#unschedulable) if (nowMs - entry.sinceMs > MAX_UNSCHEDULABLE_MS) this.#requeue(entry);
    };
    this.#flushTimer = this.#deps.clock.setTimer(FLUSH_MS, flush);
  }

  stop(): void {
    this.#flushTimer?.cancel();
    this.#backoffTimer?.timer.cancel();
  }

  /** How many pods wait where, for metrics. */
  counts(): Readonly<Record<Where, number>> {
    const out = { active: 0, backoff: 0, unschedulable: 0, gated: 0, trying: 0 };
    for (const { where } of this.#entries.values()) out[where]++;
    return out;
  }

  /** A pod to be placed, or its newest state. */
  set(pod: Pod): void {
    const key = keyOf(pod);
    const known = this.#entries.get(key);
    if (known !== undefined && known.info.pod.metadata.uid === pod.metadata.uid) return this.#update(known, pod);
    if (known !== undefined) this.delete(key);
    const nowMs = this.#deps.clock.now();
    const entry: Entry = {
      info: makePodInfo(pod),
      addedMs: nowMs,
      order: this.#order++,
      where: 'gated',
      attempts: 0,
      sinceMs: nowMs,
      readyMs: 0,
      plugins: new Set(),
    };
    this.#entries.set(key, entry);
    this.#activate(entry);
  }

  delete(key: ObjectKey): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#unschedulable.delete(entry);
    // The heaps drop it when it comes up.
    entry.where = 'gated';
  }

  /** The next pod to try; it stays known as being tried, also while it is bound, until put back or deleted. */
  pop(): QueuedPod | undefined {
    for (;;) {
      const entry = this.#active.pop();
      if (entry === undefined) return undefined;
      if (entry.where !== 'active' || this.#entries.get(entry.info.key) !== entry) continue;
      entry.where = 'trying';
      entry.attempts++;
      return entry;
    }
  }

  /** No node was good: waits for an event that interests one of the plugins that said so. */
  putBackUnschedulable(key: ObjectKey, plugins: ReadonlySet<string>): void {
    const entry = this.#entries.get(key);
    if (entry?.where !== 'trying') return;
    this.#leaveTry(entry);
    entry.plugins = plugins;
    entry.where = 'unschedulable';
    this.#unschedulable.add(entry);
  }

  /** Something failed that had nothing to do with the cluster's state: tried again after its back-off. */
  putBackFailed(key: ObjectKey): void {
    const entry = this.#entries.get(key);
    if (entry?.where !== 'trying') return;
    this.#leaveTry(entry);
    entry.plugins = new Set();
    this.#requeue(entry);
  }

  /** Something changed in the cluster: wakes the pods that it may help. */
  event(event: ClusterEvent): void {
    for (const entry of this.#unschedulable) if (this.#mayHelp(entry, event)) this.#requeue(entry);
  }

  #update(entry: Entry, pod: Pod): void {
    const old = entry.info.pod;
    entry.info = makePodInfo(pod);
    if (entry.where === 'gated') return this.#activate(entry);
    if (entry.where === 'unschedulable' && matters(old, pod)) this.#requeue(entry);
  }

  /** Into the active queue, unless a gate holds it. */
  #activate(entry: Entry): void {
    this.#unschedulable.delete(entry);
    entry.sinceMs = this.#deps.clock.now();
    const closed = this.#gates.some((plugin) => plugin.preEnqueue!(entry.info.pod) !== undefined);
    entry.where = closed ? 'gated' : 'active';
    if (closed) return;
    this.#active.push(entry);
    this.#deps.onReady();
  }

  #requeue(entry: Entry): void {
    if (entry.readyMs <= this.#deps.clock.now()) return this.#activate(entry);
    this.#unschedulable.delete(entry);
    entry.where = 'backoff';
    entry.sinceMs = this.#deps.clock.now();
    this.#backoff.push(entry);
    this.#armBackoff();
  }

  #leaveTry(entry: Entry): void {
    const nowMs = this.#deps.clock.now();
    entry.sinceMs = nowMs;
    entry.readyMs = nowMs + backoffMs(entry.attempts, BACKOFF);
  }

  #mayHelp(entry: Entry, event: ClusterEvent): boolean {
    if (entry.plugins.size === 0) return true;
    for (const name of entry.plugins) {
      for (const interest of this.#interests.get(name) ?? []) {
        if (interest.resource !== event.resource || !interest.actions.includes(event.action)) continue;
        if (interest.helps === undefined || interest.helps(entry.info, event)) return true;
      }
    }
    return false;
  }

  #armBackoff(): void {
    const first = this.#backoff.peek();
    if (first === undefined || (this.#backoffTimer !== undefined && this.#backoffTimer.atMs <= first.readyMs)) return;
    this.#backoffTimer?.timer.cancel();
    const timer = this.#deps.clock.setTimer(Math.max(0, first.readyMs - this.#deps.clock.now()), () => {
      this.#backoffTimer = undefined;
      const nowMs = this.#deps.clock.now();
      for (
        let entry = this.#backoff.peek();
        entry !== undefined && entry.readyMs <= nowMs;
        entry = this.#backoff.peek()
      ) {
        this.#backoff.pop();
        if (entry.where === 'backoff' && this.#entries.get(entry.info.key) === entry) this.#activate(entry);
      }
      this.#armBackoff();
    });
    this.#backoffTimer = { timer, atMs: first.readyMs };
  }
}

/** Whether a change of the pod itself may make it schedulable; its status does not. */
function matters(old: Pod, pod: Pod): boolean {
  const relevant = ({ metadata, spec }: Pod) => JSON.stringify([metadata.labels, spec]);
  return relevant(old) !== relevant(pod);
}

/** A binary heap. */
class Heap<E> {
  readonly #before: (a: E, b: E) => number;
  readonly #items: E[] = [];

  constructor(before: (a: E, b: E) => number) {
    this.#before = before;
  }

  peek(): E | undefined {
    return this.#items[0];
  }

  push(item: E): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#before(items[parent]!, item) <= 0) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): E | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (first === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#before(items[child + 1]!, items[child]!) < 0) child++;
      if (this.#before(last!, items[child]!) <= 0) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last!;
    return first;
  }
}
