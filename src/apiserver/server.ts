// Assembles the API server. createApiServer wires what is handed in; start() fills the caches, then runs the post-start hooks.
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Exchange, UpgradeHandler } from '#machinery/exchange.ts';
import { fieldManager } from '#merge/managed-fields.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import type { Store } from '#store/store.ts';
import { ResourceCache } from '#watchcache/cache.ts';
import { ParsedObjects } from '#watchcache/entry.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import { AdmissionChain } from './admission-chain.ts';
import { Allocators } from './allocation/allocators.ts';
import { ServiceAllocator } from './allocation/services.ts';
import type { TokenAuthenticator } from './authentication/token-authenticator.ts';
import type { TokenIssuer } from './authentication/token-request.ts';
import { bootstrapObjects } from './bootstrap.ts';
import { Codec, type FieldManager } from './codec.ts';
import type { ComputedResource } from './computed.ts';
import { Discovery } from './discovery.ts';
import { Dispatcher, type UpgradeRoute } from './dispatch.ts';
import { Handler } from './handler.ts';
import { Health } from './health.ts';
import { OpenApi, OpenApiV2 } from './openapi.ts';
import { patcher } from './patching.ts';
import { PathHandler, type PathRoute } from './paths.ts';
import type { AdmissionPlugin, AuditSink, Authenticator, Authorizer, RuleResolver } from './pipeline.ts';
import { RequestMetrics } from './request-metrics.ts';
import { makeServed, ServedResources } from './served.ts';
import { subresources } from './subresources/list.ts';
import type { ConnectHandler } from './subresources/subresource.ts';
import { tokenSubresource } from './subresources/token.ts';
import { Deleter } from './verbs/delete.ts';
import { Writer } from './verbs/write.ts';
import { versionInfo } from './version.ts';

/** Parsed objects kept by all caches together. */
const PARSED_LIMIT = 20_000;

export interface ApiServerOptions {
  /** `10.96.0.0/12` */
  readonly serviceCIDR: string;
  /** A range of the other family, for Services of two. */
  readonly secondaryServiceCIDR?: string;
  /** First and last node port. */
  readonly nodePortRange: readonly [number, number];
  /** Where clients in the cluster reach this server: endpoint of the `kubernetes` Service. */
  readonly advertise: { readonly ip: string; readonly port: number };
  /** As Go writes it: `linux/amd64`. */
  readonly platform: string;
  /** For /version: the program's runtime (`node26.10.0`). */
  readonly runtime: string;
  /** `group/version` → served although it is off by default, or the other way round; --runtime-config. */
  readonly runtimeConfig?: Readonly<Record<string, boolean>>;
  /** Audiences of this server's tokens. */
  readonly audiences: readonly string[];
}

/** Runs once the server answers, again after a failure, and must be idempotent. */
export interface PostStartHook {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

export interface ApiServerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly kinds: readonly ResourceDefinition<never>[];
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** For SelfSubjectRulesReview; absent: it is not served. */
  readonly rules?: RuleResolver;
  /** For TokenReview; absent: it is not served. */
  readonly tokens?: TokenAuthenticator;
  /** For serviceaccounts/token; absent: it is not served. */
  readonly tokenIssuer?: TokenIssuer;
  /** In order. */
  readonly admission: readonly AdmissionPlugin[];
  readonly audit?: AuditSink;
  /** Default: that of #merge. */
  readonly fieldManager?: FieldManager;
  readonly connect?: readonly ConnectHandler[];
  readonly upgrades?: readonly UpgradeRoute[];
  readonly routes?: readonly PathRoute[];
  readonly hooks?: readonly PostStartHook[];
  /** Resources that are made when asked (the metrics API). */
  readonly computed?: readonly ComputedResource[];
  /** Groups that other servers answer. Its owner starts and stops it. */
  readonly aggregation?: Aggregation;
}

export interface ApiServer extends Component {
  readonly exchange: Exchange;
  readonly upgrade: UpgradeHandler;
  readonly resources: ServedResources;
  readonly health: Health;
  /** Resolves when the caches are filled and every hook has run once. */
  ready(): Promise<void>;
}

/** Milliseconds between tries of a hook that fails. */
const HOOK_RETRY_MS = 500;

export function createApiServer(options: ApiServerOptions, deps: ApiServerDeps): ApiServer {
  return new Server(options, deps);
}

class Server implements ApiServer {
  readonly name = 'apiserver';
  readonly resources = new ServedResources();
  readonly health = new Health();
  readonly exchange: Exchange;
  readonly upgrade: UpgradeHandler;
  readonly #deps: ApiServerDeps;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #stopping = new AbortController();
  readonly #services: ServiceAllocator;
  readonly #hooks: readonly PostStartHook[];
  readonly #ready = Promise.withResolvers<void>();
  #synced = false;
  /** Hooks that have not run to their end yet. */
  readonly #pending: Set<string>;

  constructor(options: ApiServerOptions, deps: ApiServerDeps) {
    this.#deps = deps;
    const { store, clock, random, log, metrics } = deps;
    this.#ready.promise.catch(() => {});
    const parsed = new ParsedObjects(PARSED_LIMIT);
    for (const kind of deps.kinds)
      this.#serve(kind as unknown as ResourceDefinition, options.runtimeConfig ?? {}, parsed);
    for (const { definition, source } of deps.computed ?? [])
      for (const version of definition.versions)
        this.resources.add({ ...makeServed(definition, version, undefined, parsed), source });

    const codec = new Codec(deps.fieldManager ?? fieldManager);
    const admission = new AdmissionChain(deps.admission);
    this.#services = new ServiceAllocator(options, { clock, random, log, store, codec, resources: this.resources });
    const allocators = new Allocators([this.#services]);
    const writer = new Writer({ store, clock, random, log, codec, admission, allocators });
    const deleter = new Deleter({ store, clock, log, codec, admission, allocators });
    const connect = deps.connect ?? [];
    const paths = new PathHandler({
      discovery: new Discovery(
        this.resources,
        () => `${options.advertise.ip}:${options.advertise.port}`,
        connect,
        deps.aggregation,
      ),
      health: this.health,
      metrics,
      resources: this.resources,
      version: versionInfo(options),
      routes: [
        new OpenApi(this.resources, deps.aggregation),
        new OpenApiV2(this.resources, deps.aggregation),
        ...(deps.routes ?? []),
      ],
    });
    const dispatcher = new Dispatcher({
      clock,
      random,
      store,
      resources: this.resources,
      codec,
      writer,
      deleter,
      patcher,
      connect,
      upgrades: deps.upgrades ?? [],
      admission,
      authorizer: deps.authorizer,
      paths,
      ...(deps.aggregation === undefined ? {} : { aggregated: deps.aggregation }),
      subresources:
        deps.tokenIssuer === undefined ? subresources : [...subresources, tokenSubresource(deps.tokenIssuer)],
      reviews: { authorizer: deps.authorizer, rules: deps.rules, tokens: deps.tokens, audiences: options.audiences },
      stopping: this.#stopping.signal,
    });
    const handler = new Handler({
      clock,
      random,
      log,
      metrics: new RequestMetrics(metrics),
      authenticator: deps.authenticator,
      authorizer: deps.authorizer,
      audit: deps.audit,
      dispatcher,
    });
    this.exchange = (request) => handler.exchange(request);
    this.upgrade = (request) => handler.upgrade(request);

    this.#hooks = [
      ...bootstrapObjects(options, {
        resources: this.resources,
        exchange: this.exchange,
        clock,
        log,
        services: this.#services,
      }),
      ...(deps.hooks ?? []),
      ...(deps.aggregation === undefined
        ? []
        : [
            {
              name: 'apiservice-registration-controller',
              run: () => deps.aggregation!.registerLocal(this.resources),
            },
          ]),
    ];
    this.#pending = new Set(this.#hooks.map((h) => h.name));
    this.#addChecks();
  }

  /** Fills the caches. Answers requests from then on; the hooks run behind it (see ready()). */
  async start(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([...this.#caches.values()].map((cache) => cache.start(signal)));
      this.#synced = true;
      await this.#services.start();
    } catch (error) {
      this.#ready.reject(error);
      throw error;
    }
    void this.#runHooks();
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#ready.reject(new Error('the API server was stopped'));
    await Promise.all([...this.#caches.values()].map((cache) => cache.stop()));
  }

  #serve(definition: ResourceDefinition, config: Readonly<Record<string, boolean>>, parsed: ParsedObjects): void {
    const stored = definition.verbs.includes('get') || definition.verbs.includes('list');
    for (const version of definition.versions) {
      const key = definition.group === '' ? version.version : `${definition.group}/${version.version}`;
      if (!(config[key] ?? version.served)) continue;
      this.resources.add(makeServed(definition, version, stored ? this.#cache(definition, parsed) : undefined, parsed));
    }
  }

  /** One cache a key space: kinds of two groups may share it (events). */
  #cache(definition: ResourceDefinition, parsed: ParsedObjects): ResourceCache {
    const { store, clock, log, kinds } = this.#deps;
    return this.#caches.getOrInsertComputed(definition.storagePrefix, () => {
      const sharing = kinds.filter((k) => k.storagePrefix === definition.storagePrefix);
      const selectableFields = Object.assign({}, ...sharing.map((k) => k.selectableFields));
      return new ResourceCache({ store, clock, log, definition: { ...definition, selectableFields }, parsed });
    });
  }

  async #runHooks(): Promise<void> {
    const { log, clock } = this.#deps;
    for (const hook of this.#hooks) {
      for (;;) {
        if (this.#stopping.signal.aborted) return;
        try {
          await hook.run(this.#stopping.signal);
          break;
        } catch (error) {
          log.warn('post-start hook failed, will be tried again', { hook: hook.name, error: describeError(error) });
          await new Promise<void>((resolve) => void clock.setTimer(HOOK_RETRY_MS, resolve));
        }
      }
      this.#pending.delete(hook.name);
    }
    this.#ready.resolve();
  }

  #addChecks(): void {
    const { store } = this.#deps;
    this.health.add({ name: 'ping', check: () => undefined });
    this.health.add({ name: 'log', check: () => undefined });
    this.health.add({
      name: 'etcd',
      check: async () => {
        await store.revision();
        return undefined;
      },
    });
    this.health.add({
      name: 'informer-sync',
      readinessOnly: true,
      check: () => (this.#synced ? undefined : 'the caches are not filled yet'),
    });
    for (const hook of this.#hooks) {
      this.health.add({
        name: `poststarthook/${hook.name}`,
        readinessOnly: true,
        check: () => (this.#pending.has(hook.name) ? 'not finished' : undefined),
      });
    }
    this.health.add({
      name: 'shutdown',
      readinessOnly: true,
      check: () => (this.#stopping.signal.aborted ? 'process is shutting down' : undefined),
    });
  }
}
