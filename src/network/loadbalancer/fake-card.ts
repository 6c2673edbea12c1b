// A network without a kernel: cards that hold addresses, forget them in time as the kernel would, and what their neighbours know
// of whom to send to.
import type { Clock } from '#base/clock.ts';
import type { Card } from './card.ts';

/** Address → the card that announced it last: the neighbours' ARP caches. */
export type Neighbours = Map<string, FakeCard>;

export class FakeCard implements Card {
  readonly #clock: Clock;
  readonly #neighbours: Neighbours;
  /** Address → when it expires, monotonic. */
  readonly #until = new Map<string, number>();
  announcements = 0;
  /** Thrown by the next call that takes addresses away. */
  failure: Error | undefined;

  constructor(clock: Clock, neighbours: Neighbours) {
    this.#clock = clock;
    this.#neighbours = neighbours;
  }

  /** What the card has now. */
  get now(): string[] {
    return [...this.#until].filter(([, until]) => until > this.#clock.monotonic()).map(([ip]) => ip);
  }

  async held(): Promise<readonly string[]> {
    return this.now;
  }

  async hold(ips: readonly string[], seconds: number | undefined): Promise<void> {
    const until = seconds === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() + seconds * 1000;
    for (const ip of ips) this.#until.set(ip, until);
  }

  async drop(ips: readonly string[]): Promise<void> {
    if (ips.length === 0) return;
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    for (const ip of ips) this.#until.delete(ip);
  }

  async announce(): Promise<void> {
    this.announcements++;
    for (const ip of this.now) this.#neighbours.set(ip, this);
  }
}
