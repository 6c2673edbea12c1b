// Leader election through a Lease: of several equal processes one acts. Upstream's rules: a lease is taken over only
// when it was not renewed for its whole duration, as measured by the taker's own clock; who cannot renew in time stops.
import type { Lease, LeaseSpec } from '#generated/api/coordination-v1.ts';
import { leases } from '#generated/resources.ts';
import { backoffMs } from '#base/backoff.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { Client, ResourceClient } from './client.ts';

export interface LeaderElectionDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LeaderElectionOptions {
  /** `kube-system` */
  readonly namespace: string;
  /** Name of the Lease: `kube-scheduler`, `kube-controller-manager`. */
  readonly name: string;
  /** Unique to this process: `<host>_<uuid>`. */
  readonly identity: string;
  /** Others wait this long after the last renewal before they take over. Upstream: 15 s. */
  readonly leaseDurationMs?: number;
  /** The leader gives up when it could not renew for this long. Upstream: 10 s. */
  readonly renewDeadlineMs?: number;
  /** Pause between tries. Upstream: 2 s. */
  readonly retryPeriodMs?: number;
}

/** Upstream's JitterFactor on the pause of those who wait. */
const JITTER = 1.2;

/**
 * Waits to become leader, then runs `lead` until it loses the lease or `signal` aborts; the signal given to `lead` is
 * aborted then. Releases the lease at the end. Resolves once `lead` has ended; the caller decides whether to run again.
 */
export async function runAsLeader(
  deps: LeaderElectionDeps,
  options: LeaderElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const election = new Election(deps, options);
  if (!(await election.acquire(signal))) return;
  deps.log.info('became leader', { lease: options.name, identity: options.identity });
  const leading = new AbortController();
  const stop = () => leading.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const work = lead(leading.signal);
    const held = election.hold(leading.signal).then(() => leading.abort(new Error('the lease was lost')));
    // Work that ends by itself gives up the lease, too.
    await work.finally(() => leading.abort(new Error('the work has ended')));
    await held;
  } finally {
    signal.removeEventListener('abort', stop);
    await election.release();
  }
}

class Election {
  readonly #deps: LeaderElectionDeps;
  readonly #options: LeaderElectionOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #leases: ResourceClient<Lease>;
  #observed: Lease | undefined;
  /** When, by our clock, the observed lease was last seen to change. */
  #observedMs = 0;

  constructor(deps: LeaderElectionDeps, options: LeaderElectionOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#leases = deps.client.resource(leases);
  }

  /** True once the lease is ours; false when aborted first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if (await this.#tryOnce()) return true;
      await this.#pause(this.#retryPeriodMs, JITTER, signal);
    }
    return false;
  }

  /** Renews until it cannot in time, or is aborted. */
  async hold(signal: AbortSignal): Promise<void> {
    let renewedMs = this.#deps.clock.monotonic();
    while (!signal.aborted) {
      await this.#pause(this.#retryPeriodMs, 0, signal);
      if (signal.aborted) return;
      const left = this.#renewDeadlineMs - (this.#deps.clock.monotonic() - renewedMs);
      if (left <= 0) return this.#deps.log.error('failed to renew the lease in time', { lease: this.#options.name });
      const startedMs = this.#deps.clock.monotonic();
      if (await this.#within(left, this.#tryOnce())) renewedMs = startedMs;
      else if (this.#observed?.spec?.holderIdentity !== this.#options.identity) return;
    }
  }

  /** Lets the next in line take over at once. */
  async release(): Promise<void> {
    const lease = this.#observed;
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    const now = this.#microTime();
    const spec: LeaseSpec = {
      ...lease.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      renewTime: now,
      acquireTime: now,
    };
    try {
      await this.#leases.update({ ...lease, spec });
    } catch (error) {
      this.#deps.log.warn('could not release the lease; others take it over when it expires', {
        lease: this.#options.name,
        err: error,
      });
    }
    this.#observed = undefined;
  }

  async #tryOnce(): Promise<boolean> {
    const { namespace, name, identity } = this.#options;
    try {
      const current = await this.#leases.get(namespace, name);
      if (current === undefined) {
        this.#observe(await this.#leases.create({ metadata: { namespace, name }, spec: this.#spec(undefined) }));
        return true;
      }
      if (current.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observe(current);
      const holder = current.spec?.holderIdentity ?? '';
      const heldMs = (current.spec?.leaseDurationSeconds ?? this.#leaseDurationMs / 1000) * 1000;
      if (holder !== '' && holder !== identity && this.#deps.clock.monotonic() - this.#observedMs < heldMs)
        return false;
      this.#observe(await this.#leases.update({ ...current, spec: this.#spec(current.spec) }));
      return true;
    } catch (error) {
      this.#deps.log.debug('lease not written', { lease: name, err: error });
      return false;
    }
  }

  #observe(lease: Lease): void {
    this.#observed = lease;
    this.#observedMs = this.#deps.clock.monotonic();
  }

  #spec(current: LeaseSpec | undefined): LeaseSpec {
    const now = this.#microTime();
    const mine = current?.holderIdentity === this.#options.identity;
    return {
      ...current,
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.round(this.#leaseDurationMs / 1000),
      acquireTime: mine ? current.acquireTime : now,
      renewTime: now,
      leaseTransitions: (current?.leaseTransitions ?? 0) + (mine || current === undefined ? 0 : 1),
    };
  }

  #microTime(): string {
    return new Date(this.#deps.clock.now()).toISOString().replace('Z', '000Z');
  }

  async #pause(ms: number, jitter: number, signal: AbortSignal): Promise<void> {
    await sleep(this.#deps.clock, backoffMs(1, { baseMs: ms, maxMs: ms, jitter }, this.#deps.random), signal).catch(
      () => undefined,
    );
  }

  /** The result, or false when it takes longer. */
  #within(ms: number, result: Promise<boolean>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.setTimer(ms, () => resolve(false));
      void result.then((value) => {
        timer.cancel();
        resolve(value);
      });
    });
  }
}
