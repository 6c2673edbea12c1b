// What a controller is: a reconciler, what it watches and how changes map to keys, and workers that call reconcile one
// key at a time. Level triggered: a key may be reconciled twice, late, or after a crash.
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { BackoffOptions } from '#base/backoff.ts';
import { WorkQueue } from '#base/workqueue.ts';
import type { Client, EventRecorder, Informer, InformerChange, Informers } from '#client/client.ts';
import type { KubeObject, ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { QueueMetrics } from './queue-metrics.ts';

/** What a reconcile that did not fail asks for. A failure is thrown and retried with back-off. */
export interface Outcome {
  /** Look at the key again after this time even when nothing changes. */
  readonly requeueAfterMs?: number;
}

export const done: Outcome = Object.freeze({});

/** One source of keys. */
export interface Watch {
  readonly informer: Informer<KubeObject>;
  readonly keys: (change: InformerChange<KubeObject>) => Iterable<ObjectKey>;
}

/** Pairs an informer with the keys that each of its changes concerns. */
export function watch<T extends KubeObject>(
  informer: Informer<T>,
  keys: (change: InformerChange<T>) => Iterable<ObjectKey>,
): Watch {
  return { informer: informer as unknown as Informer<KubeObject>, keys: keys as Watch['keys'] };
}

/** The key of the changed object itself. */
export const ownKey = (change: InformerChange<KubeObject>): readonly ObjectKey[] => [change.key];

/** What a controller's `build` gives to the runtime. */
export interface ControllerParts {
  readonly watches: readonly Watch[];
  readonly reconcile: (key: ObjectKey) => Promise<Outcome>;
  /** Keys reconciled at once. Default 5, upstream's default for most controllers. */
  readonly workers?: number;
  /** Keys queued once at start: for work that nothing but time triggers. */
  readonly seeds?: readonly ObjectKey[];
  /** Default is client-go's: 5 ms doubling to 1000 s. */
  readonly backoff?: BackoffOptions;
  /** Releases what the controller holds outside the queue (own watches). */
  readonly stop?: () => Promise<void>;
  /** Called before the first reconcile, with everything synced. */
  readonly start?: (signal: AbortSignal) => Promise<void>;
}

/** Settings of the cluster that controllers need; each has one reader or few. */
export interface ControllerOptions {
  /** Ranges that node pod CIDRs are cut from (node-ipam). */
  readonly clusterCidrs: readonly string[];
  /** Bits of one node's range, IPv4. */
  readonly nodeCidrMaskSize: number;
  /** PEM of the certificate authority published as `kube-root-ca.crt`; undefined publishes none. */
  readonly rootCa: string | undefined;
  /** Where addresses of load balancers are taken from, one range a family; without any nobody here gives them. */
  readonly loadBalancerRanges?: readonly string[];
  /** Times and tolerance of the autoscaler, where they shall not be upstream's. */
  readonly autoscaling?: Partial<AutoscalingOptions>;
}

/** Upstream's --horizontal-pod-autoscaler-… flags. */
export interface AutoscalingOptions {
  readonly syncPeriodMs: number;
  /** For autoscalers that do not say theirs. */
  readonly downscaleStabilizationMs: number;
  readonly cpuInitializationPeriodMs: number;
  readonly initialReadinessDelayMs: number;
  readonly tolerance: number;
}

/** What every controller is handed. `client` and `events` carry the controller's own identity. */
export interface ControllerDeps {
  readonly client: Client;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly options: ControllerOptions;
  /** Queues a key of this controller from outside its watches (after a write elsewhere). */
  readonly enqueue: (key: ObjectKey, afterMs?: number) => void;
}

/** A row of the list in `controllers.ts`. */
export interface ControllerDefinition {
  /** Upstream's name: `deployment-controller`. `--disable` and logs use it. */
  readonly name: string;
  /** ServiceAccount in kube-system it acts as; upstream's, so that the bootstrap roles fit. */
  readonly identity: string;
  /** Source of its events where upstream's differs from the identity. */
  readonly eventSource?: string;
  readonly build: (deps: ControllerDeps) => ControllerParts;
}

/** Longer runs of failures than this are worth a warning each time; shorter ones are ordinary races. */
const QUIET_FAILURES = 3;

/** Runs one controller. Informers are started by whoever owns them. */
export class Controller implements Component {
  readonly name: string;
  readonly #parts: ControllerParts;
  readonly #queue: WorkQueue;
  readonly #log: Log;
  readonly #metrics: QueueMetrics;
  readonly #unsubscribe: (() => void)[] = [];
  /** Worker loops, to be awaited at stop. */
  #workers: Promise<void>[] = [];

  constructor(
    definition: ControllerDefinition,
    deps: Omit<ControllerDeps, 'enqueue'> & { readonly metrics: MetricsRegistry },
  ) {
    this.name = definition.name;
    this.#log = deps.log.with({ controller: definition.name });
    this.#metrics = new QueueMetrics(definition.name, deps.clock, deps.metrics);
    const enqueue = (key: ObjectKey, afterMs = 0) =>
      afterMs > 0 ? this.#queue.addAfter(key, afterMs) : this.#add(key);
    this.#parts = definition.build({ ...deps, log: this.#log, enqueue });
    this.#queue = new WorkQueue(deps.clock, this.#parts.backoff);
    // Subscribed before the informers start, so that no change is missed.
    for (const { informer, keys } of this.#parts.watches) {
      this.#unsubscribe.push(
        informer.subscribe((change) => {
          for (const key of keys(change)) this.#add(key);
        }),
      );
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.watches.map((w) => w.informer.whenSynced()));
    signal.throwIfAborted();
    await this.#parts.start?.(signal);
    for (const key of this.#parts.seeds ?? []) this.#add(key);
    this.#workers = Array.from({ length: this.#parts.workers ?? 5 }, () => this.#work());
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#queue.close();
    await Promise.all(this.#workers.splice(0));
    await this.#parts.stop?.();
  }

  #add(key: ObjectKey): void {
    this.#metrics.added(key);
    this.#queue.add(key);
    this.#metrics.depth(this.#queue.length);
  }

  async #work(): Promise<void> {
    for (;;) {
      const key = await this.#queue.take();
      if (key === undefined) return;
      const finished = this.#metrics.started(key, this.#queue.length);
      try {
        const outcome = await this.#parts.reconcile(key);
        this.#queue.forget(key);
        if (outcome.requeueAfterMs !== undefined) this.#queue.addAfter(key, Math.max(1, outcome.requeueAfterMs));
      } catch (error) {
        this.#metrics.retried();
        this.#queue.retry(key);
        const ordinary =
          isStatus(error, 'Conflict') ||
          isStatus(error, 'AlreadyExists') ||
          this.#queue.failures(key) <= QUIET_FAILURES;
        this.#log[ordinary ? 'debug' : 'warn']('reconcile failed, will be retried', {
          key,
          error: describeError(error),
        });
      } finally {
        finished();
        this.#queue.done(key);
      }
    }
  }
}
