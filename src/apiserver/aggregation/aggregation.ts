// API aggregation: which groups and versions other servers answer, whether those can be asked (written into the APIServices' conditions),
// and what they say of themselves for discovery and OpenAPI. One watched server for each APIService with spec.service.
import { createHash } from 'node:crypto';
import type { Clock, Timer } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import type { APIService } from '#generated/api/apiregistration-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { apiservices, endpointslices, services } from '#generated/resources.ts';
import type { Client, Informer, Informers } from '#client/client.ts';
import { makeKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import type { RequestInfo } from '../pipeline.ts';
import type { ServedResources } from '../served.ts';
import { failedDiscovery, isAvailable, objection, PASSED, type Verdict, withVerdict } from './availability.ts';
import type { RemoteDocument, RemoteVersion, RemoteVersions } from './groups.ts';
import { reconcileLocalServices } from './local-services.ts';
import { type AggregatedRoute, type AggregatedRoutes, apiServiceName, RemoteRoute } from './proxy.ts';
import { AGGREGATED_ACCEPT, fromAggregated, fromResourceList, type VersionDiscovery } from './remote-discovery.ts';
import { RemoteServer, type RemoteServerDeps } from './remote-server.ts';

export interface AggregationDeps extends RemoteServerDeps {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between questions to a server that is well, and the first and longest wait after a failure. */
const RECHECK_MS = 30_000;
const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 30_000;
/** Endpoints are picked at random: one that answers is enough. */
const ATTEMPTS = 3;
/** Milliseconds in which changes of what is served are gathered. */
const GATHER_MS = 100;
const BY_SERVICE = 'aggregated-service';
const SERVICE_LABEL = 'kubernetes.io/service-name';

export class Aggregation implements Component, AggregatedRoutes, RemoteVersions {
  readonly name = 'aggregation';
  readonly #deps: AggregationDeps;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  /** `VERSION.GROUP` → the server that answers it. */
  readonly #remotes = new Map<string, Remote>();
  readonly #listeners: (() => void)[] = [];
  #reconciling: Timer | undefined;
  #stopped = false;

  /** The informers must be started after this. */
  constructor(deps: AggregationDeps) {
    this.#deps = deps;
    this.#services = deps.informers.informer(services);
    this.#slices = deps.informers.informer(endpointslices);
    this.#slices.addIndex(BY_SERVICE, (slice) => {
      const service = slice.metadata.labels?.[SERVICE_LABEL];
      return service === undefined ? [] : [makeKey(slice.metadata.namespace ?? '', service)];
    });
    deps.informers.informer(apiservices).subscribe(({ key, object }) => this.#apiServiceChanged(key, object));
    this.#services.subscribe(({ key }) => this.#serviceChanged(key));
    this.#slices.subscribe(({ object, old }) => {
      const { metadata } = (object ?? old)!;
      const service = metadata.labels?.[SERVICE_LABEL];
      if (service !== undefined) this.#serviceChanged(makeKey(metadata.namespace ?? '', service));
    });
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#reconciling?.cancel();
    for (const remote of this.#remotes.values()) remote.stop();
    this.#remotes.clear();
  }

  route(info: RequestInfo): AggregatedRoute | undefined {
    if (this.#remotes.size === 0) return undefined;
    const name = apiServiceName(info);
    return name === undefined ? undefined : this.#remotes.get(name)?.route;
  }

  remoteVersions(): readonly RemoteVersion[] {
    return [...this.#remotes.values()].map((r) => r.version);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** A hook of the API server: makes the APIServices of what it answers itself, and keeps them in step from then on. */
  async registerLocal(resources: ServedResources): Promise<void> {
    await reconcileLocalServices(resources, this.#deps.client);
    resources.onChange(() => this.#reconcileSoon(resources, GATHER_MS));
  }

  #reconcileSoon(resources: ServedResources, delayMs: number): void {
    if (this.#stopped || this.#reconciling !== undefined) return;
    this.#reconciling = this.#deps.clock.setTimer(delayMs, () => {
      this.#reconciling = undefined;
      reconcileLocalServices(resources, this.#deps.client).catch((error: unknown) => {
        this.#deps.log.warn('local APIServices were not brought in step', { error: describeError(error) });
        this.#reconcileSoon(resources, RETRY_LONGEST_MS);
      });
    });
  }

  #apiServiceChanged(name: string, apiService: APIService | undefined): void {
    if (this.#stopped) return;
    const known = this.#remotes.get(name);
    if (apiService?.spec?.service === undefined) {
      if (known === undefined) return;
      known.stop();
      this.#remotes.delete(name);
      this.#changed();
    } else if (known !== undefined) {
      known.update(apiService);
    } else {
      const remote = new Remote(apiService, {
        ...this.#deps,
        objects: (namespace, service) => {
          const key = makeKey(namespace, service);
          return { service: this.#services.get(key), slices: this.#slices.byIndex(BY_SERVICE, key) };
        },
        changed: () => this.#changed(),
      });
      this.#remotes.set(name, remote);
      this.#changed();
      remote.checkSoon();
    }
  }

  #serviceChanged(key: string): void {
    for (const remote of this.#remotes.values()) if (remote.serviceKey === key) remote.checkSoon();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

interface RemoteDeps extends AggregationDeps {
  objects(
    namespace: string,
    service: string,
  ): { readonly service: Service | undefined; readonly slices: readonly EndpointSlice[] };
  /** What clients see of it is different now. */
  changed(): void;
}

/** One APIService with a service. Checks run one after the other. */
class Remote {
  readonly #deps: RemoteDeps;
  #apiService: APIService;
  #server: RemoteServer;
  #route: RemoteRoute;
  #discovery: VersionDiscovery | undefined;
  #isFresh = false;
  #openApi: RemoteDocument | undefined;
  #timer: Timer | undefined;
  #isChecking = false;
  #isDirty = false;
  #failures = 0;
  #stopped = false;

  constructor(apiService: APIService, deps: RemoteDeps) {
    this.#deps = deps;
    this.#apiService = apiService;
    this.#server = new RemoteServer(apiService.spec!, deps);
    this.#route = this.#makeRoute();
  }

  get route(): AggregatedRoute {
    return this.#route;
  }

  get serviceKey(): string {
    const { namespace = '', name = '' } = this.#apiService.spec!.service!;
    return makeKey(namespace, name);
  }

  get version(): RemoteVersion {
    const { group = '', version = '', groupPriorityMinimum, versionPriority } = this.#apiService.spec!;
    return {
      group,
      version,
      priority: { group: groupPriorityMinimum, version: versionPriority },
      discovery: this.#discovery,
      fresh: this.#isFresh,
      openApi: isAvailable(this.#apiService) ? this.#openApi : undefined,
    };
  }

  /** The object changed: its spec, or by its own hand the condition. */
  update(apiService: APIService): void {
    const isOther = JSON.stringify(apiService.spec) !== JSON.stringify(this.#apiService.spec);
    const turned = isAvailable(apiService) !== isAvailable(this.#apiService);
    this.#apiService = apiService;
    if (isOther) {
      this.#server = new RemoteServer(apiService.spec!, this.#deps);
      this.#route = this.#makeRoute();
      this.checkSoon();
    }
    if (isOther || turned) this.#deps.changed();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  checkSoon(): void {
    this.#isDirty = true;
    if (!this.#isChecking) this.#wait(0);
  }

  #makeRoute(): RemoteRoute {
    return new RemoteRoute(this.#server, () => isAvailable(this.#apiService));
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#deps.clock.setTimer(ms, () => void this.#check());
  }

  async #check(): Promise<void> {
    this.#isChecking = true;
    this.#isDirty = false;
    let isWell = false;
    try {
      isWell = await this.#checkOnce();
    } catch (error) {
      // A write that met a newer object comes back through the informer.
      if (!isStatus(error, 'Conflict') && !isStatus(error, 'NotFound'))
        this.#deps.log.warn('an APIService was not checked', {
          name: this.#apiService.metadata.name,
          error: describeError(error),
        });
    }
    this.#isChecking = false;
    this.#failures = isWell ? 0 : this.#failures + 1;
    const retry = Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
    this.#wait(this.#isDirty ? 0 : isWell ? RECHECK_MS : retry);
  }

  async #checkOnce(): Promise<boolean> {
    const apiService = this.#apiService;
    const { namespace = '', name = '' } = apiService.spec!.service!;
    const { service, slices } = this.#deps.objects(namespace, name);
    const verdict = objection(apiService, service, slices) ?? (await this.#askDiscovery(apiService, service!));
    if (this.#stopped || this.#apiService.spec !== apiService.spec) return false;
    const isWell = verdict.status === 'True';
    await this.#refresh(isWell);
    const written = withVerdict(this.#apiService, verdict, formatTime(this.#deps.clock.now()));
    if (written !== undefined && !this.#stopped) {
      const { client, log } = this.#deps;
      log.info('availability of an APIService changed', { name: apiService.metadata.name, ...verdict });
      this.update(await client.resource(apiservices).updateStatus(written));
    }
    return isWell;
  }

  async #askDiscovery({ spec }: APIService, service: Service): Promise<Verdict> {
    const { group = '', version = '', service: reference } = spec!;
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const url = `https://${service.spec?.clusterIP ?? this.#server.host}:${reference!.port ?? 443}${path}`;
    let why = '';
    for (let i = 0; i < ATTEMPTS; i++) {
      try {
        const { status } = await this.#server.get(path);
        if (status >= 200 && status < 300) return PASSED;
        why = `bad status from ${url}: ${status}`;
      } catch (error) {
        why = (error as Error).message;
      }
    }
    return failedDiscovery(`failing or missing response from ${url}: ${why}`);
  }

  /** What it says of itself; kept as it was, but stale, when it cannot be asked. */
  async #refresh(isWell: boolean): Promise<void> {
    const before = JSON.stringify([this.#discovery, this.#isFresh, this.#openApi?.hash]);
    if (isWell) {
      const { group = '', version = '' } = this.#apiService.spec!;
      try {
        this.#discovery = await this.#fetchDiscovery(group, version);
        this.#isFresh = true;
        this.#openApi = await this.#fetchOpenApi(group, version);
      } catch (error) {
        this.#isFresh = false;
        this.#deps.log.warn('an aggregated server was not asked for its resources', {
          name: this.#apiService.metadata.name,
          error: describeError(error),
        });
      }
    } else this.#isFresh = false;
    if (before !== JSON.stringify([this.#discovery, this.#isFresh, this.#openApi?.hash])) this.#deps.changed();
  }

  async #fetchDiscovery(group: string, version: string): Promise<VersionDiscovery> {
    const all = await this.#server.get('/apis', AGGREGATED_ACCEPT);
    if (all.status === 200 && all.headers['content-type']?.includes('as=APIGroupDiscoveryList') === true)
      return fromAggregated(JSON.parse(all.text), group, version) ?? { version };
    const list = await this.#server.get(group === '' ? `/api/${version}` : `/apis/${group}/${version}`);
    if (list.status !== 200) throw new Error(`list of resources: ${list.status}`);
    return fromResourceList(JSON.parse(list.text), group, version);
  }

  /** Undefined when it has no OpenAPI v3. */
  async #fetchOpenApi(group: string, version: string): Promise<RemoteDocument | undefined> {
    const index = await this.#server.get('/openapi/v3');
    if (index.status !== 200) return undefined;
    const { paths } = JSON.parse(index.text) as {
      readonly paths?: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
    };
    const url = paths?.[group === '' ? `api/${version}` : `apis/${group}/${version}`]?.serverRelativeURL;
    if (url === undefined) return undefined;
    if (this.#openApi !== undefined && url.endsWith(`hash=${this.#openApi.hash}`)) return this.#openApi;
    const { status, text } = await this.#server.get(url);
    if (status !== 200) return undefined;
    JSON.parse(text);
    const bytes = Buffer.from(text);
    const hash = /[?&]hash=([^&]+)/.exec(url)?.[1] ?? createHash('sha512').update(bytes).digest('hex').toUpperCase();
    return { bytes, hash };
  }
}
