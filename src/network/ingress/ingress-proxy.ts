// Ingress on a node: what Ingresses mean into the configuration of the node's HTTP proxy. Endpoints change in the running proxy by
// commands, everything else by a new process that takes over the sockets. The proxy runs only while some Ingress wants it.
import type { Secret, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Ingress, IngressClass } from '#generated/api/networking-v1.ts';
import { ingresses as ingressesRef } from '#generated/resources.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { EventRecorder, Informer } from '#client/client.ts';
import { keyOf, type ObjectKey } from '#machinery/object.ts';
import { serviceKeyOf } from '#netmodel/names.ts';
import { buildIngressModel, type IngressModel, servicesOf } from '#netmodel/ingress.ts';
import { CERTIFICATES_SECRET, certificateEntry, DEFAULT_CERTIFICATE } from '#netmodel/ingress-certificates.ts';
import { type ProxyConfiguration, proxyConfiguration, type ProxyPlace } from '#netmodel/ingress-haproxy.ts';
import { assignSlots, slotCommands, type Slots } from '#netmodel/ingress-slots.ts';
import { indexByService, slicesOf } from '../slices-of-service.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { acceptedOf } from './accepted.ts';
import { type Proxy, ProgramMissing } from './haproxy.ts';

export interface IngressProxyDeps {
  readonly proxy: Proxy;
  readonly ingresses: Informer<Ingress>;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  /** Asked for with the first Ingress: a cluster without any pays for one watch a node. */
  readonly more: () => {
    readonly classes: Informer<IngressClass>;
    /** Only the Secret with the certificates for nodes. */
    readonly certificates: Informer<Secret>;
  };
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly nodeName: string;
  readonly place: ProxyPlace;
}

/** Long enough for the events of one rollout step to meet. */
const GATHER_MS = 10;
/** Between two new processes; each costs a tenth of a second of a processor. */
const RELOAD_PAUSE_MS = 500;
/** How often the process is looked at. */
const WATCH_MS = 2_000;
const RETRY = { baseMs: 500, maxMs: 30_000 } as const;
/** Ingresses that are told when no proxy can run. */
const MOST_TOLD = 20;

interface Applied {
  readonly configuration: ProxyConfiguration;
  readonly slots: ReadonlyMap<string, Slots>;
}

export class IngressProxy implements Component {
  readonly name = 'ingress-proxy';
  readonly #deps: IngressProxyDeps;
  readonly #unsubscribe: (() => void)[] = [];
  /** What the running process does; undefined when none runs that we know. */
  #applied: Applied | undefined;
  /** Ingress → its resourceVersion when the proxy refused its part. */
  readonly #refused = new Map<ObjectKey, string | undefined>();
  /** Services that Ingresses lead to: only their endpoints matter. */
  #services = new Set<ObjectKey>();
  #more: ReturnType<IngressProxyDeps['more']> | undefined;
  /** The certificates of the Secret as it was last seen. */
  #decoded: { readonly secret: Secret | undefined; readonly pems: ReadonlyMap<string, string> } | undefined;
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined;
  #watch: Timer | undefined;
  #working = false;
  /** The work under way, or the last one. It never rejects. */
  #running: Promise<void> | undefined;
  #again = false;
  #started = false;
  #stopped = false;
  #failures = 0;
  #reloadedMs = -Infinity;

  constructor(deps: IngressProxyDeps) {
    this.#deps = deps;
  }

  /** Subscribes; the proxy follows when there is something to serve. */
  async start(signal: AbortSignal): Promise<void> {
    const { ingresses, services, slices } = this.#deps;
    indexByService(slices);
    for (const informer of [ingresses, services, slices]) await unlessAborted(informer.whenSynced(), signal);
    this.#started = true;
    this.#unsubscribe.push(
      ingresses.subscribe(() => this.#poke()),
      services.subscribe(({ key }) => this.#serviceChanged(key)),
      slices.subscribe(({ old, object }) => {
        for (const slice of [old, object]) this.#serviceChanged(serviceKeyOf(slice) ?? '');
      }),
    );
    this.#poke();
  }

  /** The proxy goes on while the agent is away. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#timer?.timer.cancel();
    // A process that is being started is the next agent's to know.
    await this.#running;
    this.#watch?.cancel();
  }

  #openMore(): ReturnType<IngressProxyDeps['more']> {
    if (this.#more !== undefined) return this.#more;
    const more = this.#deps.more();
    this.#more = more;
    void Promise.all([more.classes.whenSynced(), more.certificates.whenSynced()]).then(() => {
      if (this.#stopped) return;
      this.#unsubscribe.push(
        more.classes.subscribe(() => this.#poke()),
        more.certificates.subscribe(() => {
          this.#refused.clear();
          this.#poke();
        }),
      );
      this.#poke();
    });
    return more;
  }

  #serviceChanged(key: ObjectKey): void {
    if (this.#services.has(key)) this.#poke();
  }

  #poke(delayMs: number = GATHER_MS): void {
    if (!this.#started || this.#stopped) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    const { clock } = this.#deps;
    const atMs = clock.monotonic() + delayMs;
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    const timer = clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.#work();
    });
    this.#timer = { timer, atMs };
  }

  async #work(): Promise<void> {
    const { log } = this.#deps;
    this.#working = true;
    this.#again = false;
    let waitMs: number | undefined;
    try {
      waitMs = await this.#sync();
      this.#failures = 0;
    } catch (error) {
      this.#applied = undefined;
      waitMs = backoffMs(++this.#failures, RETRY);
      if (error instanceof ProgramMissing) this.#tellMissing(error);
      log.error('the ingress proxy could not be brought up to date', { error: describeError(error) });
    }
    this.#working = false;
    if (waitMs !== undefined) this.#poke(waitMs);
    else if (this.#again) this.#poke();
  }

  /** Milliseconds after which to look again; undefined: when something changes. */
  async #sync(): Promise<number | undefined> {
    const { proxy, clock, log, metrics, ingresses } = this.#deps;
    if (ingresses.list().length === 0) return this.#rest();
    const { classes, certificates: copies } = this.#openMore();
    if (!classes.synced || !copies.synced) return undefined;
    for (const [key, version] of this.#refused)
      if (ingresses.get(key)?.metadata.resourceVersion !== version) this.#refused.delete(key);
    const model = this.#model((i) => !this.#refused.has(keyOf(i)));
    if (model.ingresses.length === 0) return this.#rest();
    const certificates = this.#certificates();
    // The controller makes it with the first Ingress; its arrival is a change.
    if (!certificates.has(DEFAULT_CERTIFICATE)) return undefined;
    const running = proxy.running();
    if (running === undefined) this.#applied = undefined;
    const next = this.#render(model, certificates);
    const before = this.#applied;
    if (before === undefined && running === next.configuration.text) {
      this.#applied = next;
      this.#keepWatch();
      return undefined;
    }
    if (before !== undefined && before.configuration.structure === next.configuration.structure) {
      const commands = [...next.slots].flatMap(([id, slots]) => slotCommands(id, before.slots.get(id) ?? [], slots));
      if (commands.length > 0) await proxy.command(commands, next.configuration);
      this.#applied = next;
      return undefined;
    }
    const pauseMs = this.#reloadedMs + RELOAD_PAUSE_MS - clock.monotonic();
    if (pauseMs > 0 && running !== undefined) return pauseMs;
    const accepted = await this.#accepted(model, next, certificates);
    if (accepted === undefined) return undefined;
    await proxy.replace(accepted.configuration);
    this.#reloadedMs = clock.monotonic();
    metrics.counter('coracle_ingress_proxy_starts_total', 'Processes of the ingress proxy that were started.').inc();
    log.info('the ingress proxy has a new configuration', { ingresses: model.ingresses.length });
    this.#applied = accepted;
    this.#keepWatch();
    return undefined;
  }

  /** Nothing to serve. */
  async #rest(): Promise<undefined> {
    const { proxy, log } = this.#deps;
    this.#watch?.cancel();
    this.#applied = undefined;
    if (proxy.running() === undefined) return;
    log.info('no Ingress is left; the proxy finishes its connections');
    await proxy.stop();
  }

  /** What the program takes: everything, or everything without the Ingresses whose part it refuses. Undefined: nothing of it. */
  async #accepted(
    model: IngressModel,
    all: Applied,
    certificates: ReadonlyMap<string, string>,
  ): Promise<Applied | undefined> {
    const { proxy, events, log, nodeName } = this.#deps;
    if ((await proxy.check(all.configuration)) === undefined) return all;
    const render = (some: readonly Ingress[]): Applied => {
      const keys = new Set(some.map(keyOf));
      return this.#render(
        this.#model((i) => keys.has(keyOf(i))),
        certificates,
      );
    };
    const { accepted, refused } = await acceptedOf(model.ingresses, (some) => proxy.check(render(some).configuration));
    for (const { item, complaint: reason } of refused) {
      this.#refused.set(keyOf(item), item.metadata.resourceVersion);
      log.warn('the proxy refuses an Ingress', { ingress: keyOf(item), reason });
      events.event(item, ingressesRef, 'Warning', 'ConfigurationRejected', `left out on ${nodeName}: ${reason}`);
    }
    return accepted.length === 0 ? undefined : render(accepted);
  }

  #model(keep: (ingress: Ingress) => boolean): IngressModel {
    const { ingresses, services, slices } = this.#deps;
    const known = this.#certificates();
    const kept = ingresses.list().filter(keep);
    this.#services = new Set(kept.flatMap(servicesOf));
    return buildIngressModel({
      ingresses: kept,
      classes: this.#openMore().classes.list(),
      service: (key) => services.get(key),
      slices: (key) => slicesOf(slices, key),
      certificate: (secret) =>
        known.has(certificateEntry(secret))
          ? { usable: true }
          : { usable: false, code: 'SecretMissing', message: `no certificate of ${secret}` },
    });
  }

  #render(model: IngressModel, certificates: ReadonlyMap<string, string>): Applied {
    const slots = new Map<string, Slots>();
    for (const { id, targets } of model.upstreams.values())
      slots.set(id, assignSlots(this.#applied?.slots.get(id), targets));
    const pems = new Map(model.certificates.map(({ secret }) => [secret, certificates.get(certificateEntry(secret))!]));
    const fallback = certificates.get(DEFAULT_CERTIFICATE)!;
    return { configuration: proxyConfiguration(model, slots, pems, fallback, this.#deps.place), slots };
  }

  /** Entry → PEM. */
  #certificates(): ReadonlyMap<string, string> {
    const secret = this.#openMore().certificates.get(CERTIFICATES_SECRET);
    if (this.#decoded?.secret !== secret || this.#decoded === undefined) {
      const entries = Object.entries(secret?.data ?? {});
      const pems = new Map(entries.map(([entry, text]) => [entry, Buffer.from(text, 'base64').toString('utf8')]));
      this.#decoded = { secret, pems };
    }
    return this.#decoded.pems;
  }

  /** Nothing tells of a process that died. */
  #keepWatch(): void {
    this.#watch?.cancel();
    this.#watch = this.#deps.clock.setTimer(WATCH_MS, () => {
      if (this.#applied === undefined || this.#stopped) return;
      if (this.#deps.proxy.running() === undefined) {
        this.#deps.log.warn('the ingress proxy ended and is started again');
        this.#poke();
      }
      this.#keepWatch();
    });
  }

  #tellMissing(error: ProgramMissing): void {
    const { events, nodeName } = this.#deps;
    const message = `${nodeName} cannot serve: ${error.message}; run coracle up again to bring it`;
    for (const ingress of this.#model(() => true).ingresses.slice(0, MOST_TOLD))
      events.event(ingress, ingressesRef, 'Warning', 'ProxyMissing', message);
  }
}
