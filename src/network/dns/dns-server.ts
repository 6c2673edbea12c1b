// The cluster's DNS on this node: objects into names, the cluster DNS address onto the loopback device, sockets on it.
import type { Namespace, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Informer } from '#client/client.ts';
import { mustRun, type Run } from '#host/process.ts';
import { Names } from '#netmodel/names.ts';
import { Forwarder } from './forwarder.ts';
import { Resolver } from './resolver.ts';
import { createAsk, DnsSockets } from './sockets.ts';

export interface DnsServerDeps {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly namespaces: Informer<Namespace>;
  readonly run: Run;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly address: string;
  readonly domain: string;
  /** `address` or `address:port`. Our own address among them would be a loop and is left out. */
  readonly upstreams: readonly string[];
}

const DNS_PORT = 53;

export class DnsServer {
  readonly name = 'dns';
  readonly #deps: DnsServerDeps;
  readonly #names: Names;
  readonly #sockets: DnsSockets;
  readonly #unsubscribe: (() => void)[] = [];

  constructor(deps: DnsServerDeps) {
    this.#deps = deps;
    const { address, domain, clock, random, log, metrics, services, slices, namespaces } = deps;
    this.#names = new Names({ domain, dnsAddress: address });
    const upstreams = deps.upstreams
      .map((u) => (u.includes(':') ? u : `${u}:${DNS_PORT}`))
      .filter((u) => u !== `${address}:${DNS_PORT}`);
    const forwarder = new Forwarder({ ask: createAsk(clock), clock, random, upstreams });
    const synced = () => services.synced && slices.synced && namespaces.synced;
    const resolver = new Resolver({ names: this.#names, forwarder, metrics, clock, synced });
    this.#sockets = new DnsSockets({
      address,
      port: DNS_PORT,
      clock,
      log,
      answer: (query, transport) => resolver.answer(query, transport),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { services, slices, namespaces, run, address } = this.#deps;
    this.#unsubscribe.push(
      namespaces.subscribe(({ key, object }) => this.#names.setNamespace(key, object !== undefined)),
      services.subscribe(({ key, object }) => this.#names.setService(key, object)),
      slices.subscribe(({ key, old, object }) => this.#names.setSlice(key, object, old)),
    );
    await mustRun(run, 'ip', ['address', 'replace', `${address}/32`, 'dev', 'lo']);
    await this.#sockets.start(signal);
  }

  /** The address stays on the loopback device: without a server there, clients are refused at once instead of waiting. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    await this.#sockets.stop();
  }
}
