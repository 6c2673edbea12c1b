// Node ports: which are taken and by whom. One number belongs to one service, whatever the protocols.
import type { Random } from '#base/random.ts';

export type PortOutcome = { readonly ok: true } | { readonly ok: false; readonly why: string };

export class NodePorts {
  readonly #first: number;
  readonly #last: number;
  readonly #random: Random;
  /** Port → `namespace/name` of its service. */
  readonly #owners = new Map<number, string>();

  constructor(range: readonly [number, number], random: Random) {
    this.#first = range[0];
    this.#last = range[1];
    this.#random = random;
  }

  take(port: number, owner: string): PortOutcome {
    if (port < this.#first || port > this.#last) {
      return {
        ok: false,
        why: `provided port is not in the valid range. The range of valid ports is ${this.#first}-${this.#last}`,
      };
    }
    const present = this.#owners.get(port);
    if (present !== undefined && present !== owner) return { ok: false, why: 'provided port is already allocated' };
    this.#owners.set(port, owner);
    return { ok: true };
  }

  isTaken(port: number): boolean {
    return this.#owners.has(port);
  }

  /** A free port: from the dynamic band, and only when that is full from the lower one, which people pick from by hand. */
  takeAny(owner: string): number | undefined {
    const size = this.#last - this.#first + 1;
    const band = staticBand(size);
    const port = this.#search(this.#first + band, size - band) ?? this.#search(this.#first, band);
    if (port !== undefined) this.#owners.set(port, owner);
    return port;
  }

  release(port: number, owner: string): void {
    if (this.#owners.get(port) === owner) this.#owners.delete(port);
  }

  #search(from: number, count: number): number | undefined {
    if (count <= 0) return undefined;
    const start = Math.floor(this.#random.next() * count);
    for (let i = 0; i < count; i++) {
      const port = from + ((start + i) % count);
      if (!this.#owners.has(port)) return port;
    }
    return undefined;
  }
}

/** Upstream: min(max(16, size/32), 128), nothing for tiny ranges. */
export function staticBand(size: number): number {
  return size <= 16 ? 0 : Math.min(128, Math.max(16, Math.floor(size / 32)));
}
