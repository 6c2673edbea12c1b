// The work queue metrics every Kubernetes controller exposes, under upstream's names.
import type { Clock } from '#base/clock.ts';
import type { Counter, Gauge, Histogram, MetricsRegistry } from '#base/metrics.ts';

/** client-go's buckets for queue times, in seconds. */
const BUCKETS: readonly number[] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];

export class QueueMetrics {
  readonly #clock: Clock;
  readonly #adds: Counter;
  readonly #retries: Counter;
  readonly #depth: Gauge;
  readonly #waited: Histogram;
  readonly #worked: Histogram;
  /** Key → when it was first added since its last run. */
  readonly #addedAt = new Map<string, number>();

  constructor(name: string, clock: Clock, registry: MetricsRegistry) {
    this.#clock = clock;
    this.#adds = registry.counter('workqueue_adds_total', 'Total number of adds handled by workqueue', { name });
    this.#retries = registry.counter('workqueue_retries_total', 'Total number of retries handled by workqueue', {
      name,
    });
    this.#depth = registry.gauge('workqueue_depth', 'Current depth of workqueue', { name });
    this.#waited = registry.histogram(
      'workqueue_queue_duration_seconds',
      'How long in seconds an item stays in workqueue before being requested',
      { name },
      BUCKETS,
    );
    this.#worked = registry.histogram(
      'workqueue_work_duration_seconds',
      'How long in seconds processing an item from workqueue takes',
      { name },
      BUCKETS,
    );
  }

  added(key: string): void {
    this.#adds.inc();
    if (!this.#addedAt.has(key)) this.#addedAt.set(key, this.#clock.monotonic());
  }

  depth(length: number): void {
    this.#depth.set(length);
  }

  retried(): void {
    this.#retries.inc();
  }

  /** Called when work on the key begins; the returned function when it ends. */
  started(key: string, length: number): () => void {
    const beganAt = this.#clock.monotonic();
    const addedAt = this.#addedAt.get(key);
    if (addedAt !== undefined) this.#waited.observe((beganAt - addedAt) / 1000);
    this.#addedAt.delete(key);
    this.depth(length);
    return () => this.#worked.observe((this.#clock.monotonic() - beganAt) / 1000);
  }
}
