// Who lives, as one node sees it: leases that were seen to change within their time. A node that does not see its own lease
// change is out of contact and learns nothing of others.
import type { Lease } from '#generated/api/coordination-v1.ts';

/** How long a speaker counts as living after its last renewal. */
export const LEASE_MS = 4_000;
export const RENEW_MS = 1_000;

interface Seen {
  readonly renewTime: string;
  /** Of the own clock, monotonic. */
  readonly atMs: number;
}

export class Liveness {
  readonly #self: string;
  /** Node → its last renewal that was seen. */
  readonly #seen = new Map<string, Seen>();
  /** Since when, without a gap, the own renewals come back. */
  #contactSinceMs = Number.NEGATIVE_INFINITY;

  constructor(self: string) {
    this.#self = self;
  }

  observe(node: string, lease: Lease | undefined, nowMs: number): void {
    if (lease === undefined) {
      this.#seen.delete(node);
      return;
    }
    const renewTime = lease.spec?.renewTime ?? '';
    const before = this.#seen.get(node);
    if (before?.renewTime === renewTime) return;
    if (node === this.#self && !this.inContact(nowMs)) this.#contactSinceMs = nowMs;
    this.#seen.set(node, { renewTime, atMs: nowMs });
  }

  /** What is not known to be otherwise is not known: without contact nothing is taken from others. */
  inContact(nowMs: number): boolean {
    const own = this.#seen.get(this.#self);
    return own !== undefined && nowMs - own.atMs < LEASE_MS;
  }

  /**
   * Time is told by the own renewals that come back: in a silence that befalls all, nobody grows older. Right after contact is
   * found everybody counts as living, since nobody's silence has been heard for long enough.
   */
  lives(node: string): boolean {
    const heardMs = this.#seen.get(this.#self)?.atMs ?? Number.NEGATIVE_INFINITY;
    const lastMs = Math.max(this.#seen.get(node)?.atMs ?? Number.NEGATIVE_INFINITY, this.#contactSinceMs);
    return heardMs - lastMs < LEASE_MS;
  }
}
