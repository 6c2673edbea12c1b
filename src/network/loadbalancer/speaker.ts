// Answers for load balancers' addresses on this node. While there are any, the nodes that come first for some address renew a
// Lease each second; every node sees all of these and computes who has what (netmodel/load-balancers.ts). When a node
// dies, the next in line has its addresses some four seconds later. Without contact to the API nothing is taken and nothing
// given up: while the server restarts, all goes on.
import type { Lease } from '#generated/api/coordination-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Node, Service } from '#generated/api/core-v1.ts';
import { leases, nodes as nodeResource } from '#generated/resources.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { type IPRange, parseIP, rangeContains } from '#base/ip.ts';
import { describeError, type Log } from '#base/log.ts';
import type { Client, Informer } from '#client/client.ts';
import { apiVersionOf } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import {
  type BalancedAddress,
  balancedAddresses,
  HOLDS_ANNOTATION,
  isLost,
  isOwnLoadBalancer,
  mayBalance,
  ranked,
  SPEAKER_LABEL,
  SPEAKER_NAMESPACE,
  SPEAKER_LEASE_PREFIX,
} from '#netmodel/load-balancers.ts';
import { serviceKeyOf } from '#netmodel/names.ts';
import { indexByService, slicesOf } from '../slices-of-service.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Card } from './card.ts';
import { LEASE_MS, Liveness, RENEW_MS } from './liveness.ts';

/** Events of a moment meet. */
const GATHER_MS = 10;
/** Without an agent the kernel takes the address away after this: longer than a restart, hardly longer than the lease. */
const CARD_SECONDS = 6;
const PROLONG_EVERY_TICKS = 2;
/** Gratuitous ARP is sent at once and again with this many ticks, should one be lost. */
const ANNOUNCEMENTS = 3;

export interface SpeakerDeps {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  /** Those with SPEAKER_LABEL. */
  readonly leases: Informer<Lease>;
  readonly client: Client;
  readonly card: Card;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  /** Only addresses of these ranges are put on the card, whatever a Service's status says. */
  readonly ranges: readonly IPRange[];
}

export class Speaker {
  readonly name = 'load-balancer-speaker';
  readonly #deps: SpeakerDeps;
  readonly #liveness: Liveness;
  /** Service → its addresses. */
  readonly #addresses = new Map<string, readonly BalancedAddress[]>();
  /** Address → the nodes that may have it, best first; undefined when it may be out of date. */
  #ranks: ReadonlyMap<string, readonly string[]> | undefined;
  /** What is on the card. */
  #held: ReadonlySet<string> = new Set();
  /** Addresses that are to go and may still be on the card. */
  readonly #leaving = new Set<string>();
  #announcements = 0;
  #ticks = 0;
  #tick: Timer | undefined;
  #soon: Timer | undefined;
  #stopped = false;
  /** Work on the card, one after another. */
  #work: Promise<void> = Promise.resolve();
  /** The own lease as it was written last: the informer may be behind, or cut off while writes get through. */
  #written: Lease | undefined;
  #renewalFailed = false;
  /** When the renewal that is on its way began. */
  #renewingSinceMs: number | undefined;
  /** Whether others would take over, as known when there was contact last. */
  #hasRivals = false;
  /** Who lived when last looked: a change is announced. */
  #living = '';
  readonly #unsubscribe: (() => void)[] = [];

  constructor(deps: SpeakerDeps) {
    this.#deps = deps;
    this.#liveness = new Liveness(deps.nodeName);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { services, slices, nodes, leases: speakers, card } = this.#deps;
    indexByService(slices);
    for (const informer of [services, slices, nodes, speakers]) await unlessAborted(informer.whenSynced(), signal);
    this.#held = new Set(await card.held());
    this.#unsubscribe.push(
      services.subscribe(({ key }) => this.#serviceChanged(key)),
      slices.subscribe(({ old, object }) => {
        for (const slice of [old, object]) {
          const key = serviceKeyOf(slice);
          if (key !== undefined && this.#addresses.has(key)) this.#serviceChanged(key);
        }
      }),
      nodes.subscribe(({ old, object }) => this.#nodesChanged(old, object)),
      speakers.subscribe(({ old, object }) => this.#leaseChanged(old, object)),
    );
    this.#onTick();
  }

  /** The addresses stay where they are: an agent that restarts goes on with them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#tick?.cancel();
    this.#soon?.cancel();
    await this.#work;
  }

  #serviceChanged(key: string): void {
    const { services, slices } = this.#deps;
    const service = services.get(key);
    const addresses =
      service === undefined || !isOwnLoadBalancer(service)
        ? []
        : balancedAddresses(service, slicesOf(slices, key)).filter(({ ip }) => this.#isInRange(ip));
    if (addresses.length === 0 && !this.#addresses.has(key)) return;
    if (addresses.length === 0) this.#addresses.delete(key);
    else this.#addresses.set(key, addresses);
    this.#ranks = undefined;
    this.#wake();
  }

  #nodesChanged(old: Node | undefined, node: Node | undefined): void {
    const same = (of: (n: Node) => boolean) => old !== undefined && node !== undefined && of(old) === of(node);
    if (same(mayBalance) && same(isLost)) return;
    this.#ranks = undefined;
    this.#wake();
  }

  #leaseChanged(old: Lease | undefined, lease: Lease | undefined): void {
    const node = (lease ?? old)!.metadata.name!.slice(SPEAKER_LEASE_PREFIX.length);
    const now = this.#deps.clock.monotonic();
    const known = this.#liveness.lives(node) && this.#liveness.inContact(now);
    this.#liveness.observe(node, lease, now);
    // Ordinary renewals of others change nothing; one's own is when their silence is judged.
    if (!known || lease === undefined || node === this.#deps.nodeName) this.#wake();
  }

  #wake(): void {
    if (this.#soon !== undefined || this.#stopped) return;
    this.#soon = this.#deps.clock.setTimer(GATHER_MS, () => {
      this.#soon = undefined;
      if (this.#tick === undefined && this.#addresses.size > 0) this.#onTick();
      else this.#look();
    });
  }

  /** Each second while there is anything to answer for. */
  #onTick(): void {
    if (this.#stopped) return;
    this.#ticks++;
    const isNeeded = this.#addresses.size + this.#held.size + this.#leaving.size > 0 || this.#ownLease() !== undefined;
    this.#tick = isNeeded ? this.#deps.clock.setTimer(RENEW_MS, () => this.#onTick()) : undefined;
    if (!isNeeded) return;
    const now = this.#deps.clock.monotonic();
    // One that never comes back (a cut connection) is not waited for.
    if (this.#renewingSinceMs === undefined || now - this.#renewingSinceMs >= LEASE_MS) {
      this.#renewingSinceMs = now;
      void this.#renew().finally(() => {
        if (this.#renewingSinceMs === now) this.#renewingSinceMs = undefined;
      });
    }
    this.#look(this.#ticks % PROLONG_EVERY_TICKS === 0);
  }

  #ranking(): ReadonlyMap<string, readonly string[]> {
    if (this.#ranks !== undefined) return this.#ranks;
    const nodes = this.#deps.nodes.list().filter(mayBalance);
    const names = nodes.map((n) => n.metadata.name!);
    const lost = new Set(nodes.filter(isLost).map((n) => n.metadata.name!));
    this.#ranks = new Map([...this.#addresses.values()].flat().map((a) => [a.ip, ranked(a, names, lost)]));
    return this.#ranks;
  }

  #isInRange(text: string): boolean {
    const ip = parseIP(text);
    return ip !== undefined && this.#deps.ranges.some((range) => rangeContains(range, ip));
  }

  /** Decides what this node has now, and sees to it. */
  #look(prolong = false): void {
    const { clock, nodeName, log } = this.#deps;
    const now = clock.monotonic();
    const ranks = this.#ranking();
    const inContact = this.#liveness.inContact(now);
    const lives = (node: string) => this.#liveness.lives(node);
    const wanted = new Set<string>();
    let hasRivals = false;
    for (const [ip, nodes] of ranks) {
      // Out of contact all stays as it is, but for what nobody asks this node to have.
      const isMine = inContact ? nodes.find(lives) === nodeName : this.#held.has(ip) && nodes.includes(nodeName);
      if (!isMine) continue;
      wanted.add(ip);
      hasRivals ||= nodes.some((n) => n !== nodeName && lives(n));
    }
    if (inContact) this.#hasRivals = hasRivals;
    const gained = [...wanted].filter((ip) => !this.#held.has(ip));
    const lost = [...new Set([...this.#held, ...this.#leaving])].filter((ip) => !wanted.has(ip));
    this.#leaving.clear();
    const living = inContact ? [...new Set([...ranks.values()].flat())].filter(lives).sort().join() : '';
    const isNews = gained.length > 0 || living !== this.#living;
    if (isNews) this.#announcements = ANNOUNCEMENTS;
    this.#living = living;
    if (gained.length + lost.length > 0) log.info('load balancer addresses', { gained, lost });
    this.#held = wanted;
    // Whoever is out of contact may have been replaced: it keeps quiet.
    const announce = inContact && wanted.size > 0 && this.#announcements > 0 && (prolong || isNews);
    if (announce) this.#announcements--;
    const hold = prolong ? [...wanted] : gained;
    if (hold.length === 0 && lost.length === 0 && !announce) return;
    this.#work = this.#work.then(() => this.#apply(hold, lost, announce));
  }

  async #apply(hold: readonly string[], lost: readonly string[], announce: boolean): Promise<void> {
    const { card, log } = this.#deps;
    try {
      await card.drop(lost);
      // Without rivals an address stays whatever becomes of the agent.
      await card.hold(hold, this.#hasRivals ? CARD_SECONDS : undefined);
      if (announce) await card.announce();
    } catch (error) {
      // What is wanted is put there again when it is prolonged.
      for (const ip of lost) this.#leaving.add(ip);
      log.error('load balancer addresses could not be set', { error: describeError(error) });
    }
  }

  #ownLease(): Lease | undefined {
    return this.#written ?? this.#deps.leases.get(`${SPEAKER_NAMESPACE}/${SPEAKER_LEASE_PREFIX}${this.#deps.nodeName}`);
  }

  /** Says that this node lives, where that is asked for; else takes the word back. Never rejects. */
  async #renew(): Promise<void> {
    const { client, nodeName, nodes, log } = this.#deps;
    const own = this.#ownLease();
    const speaks = this.#ranking()
      .values()
      .some((list) => list.includes(nodeName));
    const resource = client.resource(leases);
    try {
      if (speaks) {
        const node = nodes.get(nodeName);
        const spec = {
          holderIdentity: nodeName,
          leaseDurationSeconds: LEASE_MS / 1000,
          renewTime: new Date(this.#deps.clock.now()).toISOString().replace('Z', '000Z'),
        };
        const annotations = { [HOLDS_ANNOTATION]: [...this.#held].sort().join() };
        if (own !== undefined) {
          this.#written = await resource.update({ ...own, metadata: { ...own.metadata, annotations }, spec });
        } else {
          this.#written = await resource.create({
            metadata: {
              namespace: SPEAKER_NAMESPACE,
              name: `${SPEAKER_LEASE_PREFIX}${nodeName}`,
              labels: { [SPEAKER_LABEL]: 'true' },
              annotations,
              ...(node?.metadata.uid === undefined
                ? {}
                : {
                    ownerReferences: [
                      { apiVersion: apiVersionOf(nodeResource), kind: 'Node', name: nodeName, uid: node.metadata.uid },
                    ],
                  }),
            },
            spec,
          });
        }
      } else if (own !== undefined) {
        await resource.delete(SPEAKER_NAMESPACE, own.metadata.name!);
        this.#written = undefined;
      }
      this.#renewalFailed = false;
    } catch (error) {
      if (isStatus(error, 'Conflict') || isStatus(error, 'AlreadyExists') || isStatus(error, 'NotFound')) {
        // Somebody else wrote or deleted it: the next tick goes on from what is there.
        this.#written = await resource
          .get(SPEAKER_NAMESPACE, `${SPEAKER_LEASE_PREFIX}${nodeName}`)
          .catch(() => undefined);
        return;
      }
      const level = this.#renewalFailed ? 'debug' : 'warn';
      this.#renewalFailed = true;
      log[level]('the lease for load balancers was not renewed', { error: describeError(error) });
    }
  }
}
