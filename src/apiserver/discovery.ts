// Discovery: /api, /apis, /apis/GROUP, /apis/GROUP/VERSION and the aggregated documents, made from what is served and kept
// until that changes.
import { createHash } from 'node:crypto';
import type { ExchangeRequest, ExchangeResponse } from '#machinery/exchange.ts';
import { allGroups, type GroupVersion, noRemoteVersions, type RemoteVersions } from './aggregation/groups.ts';
import { negotiate, parseAccept } from './negotiation.ts';
import { encoded } from './responses.ts';
import { pathNotFound, type Served, type ServedResources } from './served.ts';
import type { ConnectHandler } from './subresources/subresource.ts';

/** Kinds of the bodies of subresources that are not the resource's own. */
const SUBRESOURCE_KINDS: Readonly<
  Record<string, { readonly group: string; readonly version: string; readonly kind: string }>
> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  binding: { group: '', version: 'v1', kind: 'Binding' },
  exec: { group: '', version: 'v1', kind: 'PodExecOptions' },
  attach: { group: '', version: 'v1', kind: 'PodAttachOptions' },
  portforward: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
};
const PROXY_KINDS: Readonly<Record<string, string>> = {
  pods: 'PodProxyOptions',
  services: 'ServiceProxyOptions',
  nodes: 'NodeProxyOptions',
};
const SUBRESOURCE_VERBS: Readonly<Record<string, readonly string[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  ephemeralcontainers: ['get', 'patch', 'update'],
  resize: ['get', 'patch', 'update'],
  approval: ['get', 'patch', 'update'],
  finalize: ['update'],
  binding: ['create'],
  eviction: ['create'],
  token: ['create'],
  log: ['get'],
  exec: ['create', 'get'],
  attach: ['create', 'get'],
  portforward: ['create', 'get'],
  proxy: ['create', 'delete', 'get', 'patch', 'update'],
};

interface Document {
  readonly bytes: Uint8Array;
  readonly etag?: string;
}

export class Discovery {
  readonly #resources: ServedResources;
  readonly #serverAddress: () => string;
  readonly #connect: readonly ConnectHandler[];
  readonly #remote: RemoteVersions;
  #all: ReturnType<typeof allGroups> | undefined;
  #documents = new Map<string, Document>();

  constructor(
    resources: ServedResources,
    serverAddress: () => string,
    connect: readonly ConnectHandler[],
    remote: RemoteVersions = noRemoteVersions,
  ) {
    this.#resources = resources;
    this.#serverAddress = serverAddress;
    this.#connect = connect;
    this.#remote = remote;
    const forget = () => {
      this.#all = undefined;
      this.#documents = new Map();
    };
    resources.onChange(forget);
    remote.onChange(forget);
  }

  #groups(): ReadonlyMap<string, readonly GroupVersion[]> {
    this.#all ??= allGroups(this.#resources, this.#remote);
    return this.#all;
  }

  /** Undefined when the path is not one of discovery's. Throws 404 for groups and versions that are not served. */
  serve(request: ExchangeRequest, path: string): ExchangeResponse | undefined {
    const parts = path.split('/').filter((p) => p !== '');
    if (parts[0] === 'api') {
      if (parts.length === 1) return this.#root(request, 'api');
      if (parts.length === 2) return this.#show(request, this.#resourceList('', parts[1]!));
    } else if (parts[0] === 'apis') {
      if (parts.length === 1) return this.#root(request, 'apis');
      if (parts.length === 2) return this.#show(request, this.#group(parts[1]!));
      if (parts.length === 3) return this.#show(request, this.#resourceList(parts[1]!, parts[2]!));
    }
    return undefined;
  }

  #root(request: ExchangeRequest, which: 'api' | 'apis'): ExchangeResponse {
    const version = aggregatedVersion(request.headers.accept);
    if (version === undefined) return this.#show(request, which === 'api' ? this.#apiVersions() : this.#groupList());
    const document = this.#aggregated(which, version);
    const headers = {
      'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      etag: document.etag!,
      vary: 'Accept',
      'cache-control': 'public',
    };
    if (request.headers['if-none-match'] === document.etag) return { status: 304, headers, body: new Uint8Array(0) };
    return { status: 200, headers, body: document.bytes };
  }

  #show(request: ExchangeRequest, document: Document): ExchangeResponse {
    return encoded(200, document.bytes, negotiate(request.headers.accept));
  }

  #memo(key: string, make: () => unknown): Document {
    return this.#documents.getOrInsertComputed(key, () => ({ bytes: Buffer.from(`${JSON.stringify(make())}\n`) }));
  }

  #apiVersions(): Document {
    // Not kept: the address may change.
    const value = {
      kind: 'APIVersions',
      versions:
        this.#groups()
          .get('')
          ?.map((v) => v.version) ?? [],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: this.#serverAddress() }],
    };
    return { bytes: Buffer.from(`${JSON.stringify(value)}\n`) };
  }

  #groupList(): Document {
    return this.#memo('groups', () => ({
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: [...this.#groups().keys()].filter((g) => g !== '').map((g) => this.#apiGroup(g)),
    }));
  }

  #apiGroup(group: string): object {
    const versions = this.#groups()
      .get(group)!
      .map(({ version }) => ({
        groupVersion: `${group}/${version}`,
        version,
      }));
    return { name: group, versions, preferredVersion: versions[0] };
  }

  #group(group: string): Document {
    if (group === '' || !this.#groups().has(group)) throw pathNotFound();
    return this.#memo(`group ${group}`, () => ({ kind: 'APIGroup', apiVersion: 'v1', ...this.#apiGroup(group) }));
  }

  #resourceList(group: string, version: string): Document {
    const served = this.#resources.groups().get(group)?.get(version);
    if (served === undefined) throw pathNotFound();
    return this.#memo(`resources ${group}/${version}`, () => ({
      kind: 'APIResourceList',
      ...(group === '' ? {} : { apiVersion: 'v1' }),
      groupVersion: group === '' ? version : `${group}/${version}`,
      resources: [...served.values()].toSorted(byResource).flatMap((s) => this.#apiResources(s)),
    }));
  }

  #apiResources(served: Served): object[] {
    const { definition } = served;
    const storageVersionHash =
      served.cache === undefined
        ? {}
        : { storageVersionHash: hashOf(`${definition.group}/${definition.storageVersion}/${definition.kind}`) };
    const own = {
      name: definition.resource,
      singularName: definition.singular,
      namespaced: definition.namespaced,
      kind: definition.kind,
      verbs: definition.verbs.toSorted(),
      ...(definition.shortNames.length === 0 ? {} : { shortNames: definition.shortNames }),
      ...(definition.categories.length === 0 ? {} : { categories: definition.categories }),
      ...storageVersionHash,
    };
    const subs = this.#subresources(served).map((name) => {
      const kind = subresourceKind(served, name);
      return {
        name: `${definition.resource}/${name}`,
        singularName: '',
        namespaced: definition.namespaced,
        ...(kind.own ? {} : { group: kind.group, version: kind.version }),
        kind: kind.kind,
        verbs: SUBRESOURCE_VERBS[name] ?? ['get', 'patch', 'update'],
      };
    });
    return [own, ...subs];
  }

  /** Those that somebody answers. */
  #subresources(served: Served): readonly string[] {
    const { definition } = served;
    const connects = new Set(['exec', 'attach', 'portforward', 'log', 'proxy']);
    const has = (name: string) =>
      this.#connect.some((h) => h.name === name && h.resource === `${definition.group}/${definition.resource}`);
    return definition.subresources.filter((name) => !connects.has(name) || has(name)).toSorted();
  }

  #aggregated(which: 'api' | 'apis', version: string): Document {
    return this.#documents.getOrInsertComputed(`aggregated ${which} ${version}`, () => {
      const groups = [...this.#groups()].filter(([g]) => (which === 'api' ? g === '' : g !== ''));
      const items = groups.map(([group, versions]) => ({
        metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
        versions: versions.map((v) => this.#aggregatedVersion(v)),
      }));
      const bytes = Buffer.from(
        `${JSON.stringify({ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items })}\n`,
      );
      return { bytes, etag: `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"` };
    });
  }

  #aggregatedVersion({ version, local, remote }: GroupVersion): object {
    if (remote !== undefined)
      return { ...(remote.discovery ?? { version }), freshness: remote.fresh ? 'Current' : 'Stale' };
    const resources = [...local.values()].toSorted(byResource).map((served) => this.#aggregatedResource(served));
    return { version, resources, freshness: 'Current' };
  }

  #aggregatedResource(served: Served): object {
    const { definition } = served;
    const subresources = this.#subresources(served).map((name) => {
      const kind = subresourceKind(served, name);
      return {
        subresource: name,
        responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
        verbs: SUBRESOURCE_VERBS[name] ?? ['get', 'patch', 'update'],
      };
    });
    return {
      resource: definition.resource,
      responseKind: { group: definition.group, version: served.version.version, kind: definition.kind },
      scope: definition.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: definition.singular,
      verbs: definition.verbs.toSorted(),
      ...(definition.shortNames.length === 0 ? {} : { shortNames: definition.shortNames }),
      ...(definition.categories.length === 0 ? {} : { categories: definition.categories }),
      ...(subresources.length === 0 ? {} : { subresources }),
    };
  }
}

const byResource = (a: Served, b: Served): number => (a.definition.resource < b.definition.resource ? -1 : 1);

const hashOf = (text: string): string => createHash('sha256').update(text).digest().subarray(0, 8).toString('base64');

function subresourceKind(served: Served, name: string): { group: string; version: string; kind: string; own: boolean } {
  const { definition, version } = served;
  const proxy = name === 'proxy' ? PROXY_KINDS[definition.resource] : undefined;
  if (proxy !== undefined) return { group: '', version: 'v1', kind: proxy, own: true };
  const other = SUBRESOURCE_KINDS[name];
  if (other !== undefined)
    return { ...other, own: other.group === definition.group && other.version === version.version };
  return { group: definition.group, version: version.version, kind: definition.kind, own: true };
}

/** v2 or v2beta1 when the client prefers the aggregated document. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  if (accept === undefined || !accept.includes('APIGroupDiscoveryList')) return undefined;
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== 'application/json') continue;
    if (parameters.as === undefined) return undefined;
    if (
      parameters.as === 'APIGroupDiscoveryList' &&
      parameters.g === 'apidiscovery.k8s.io' &&
      (parameters.v === 'v2' || parameters.v === 'v2beta1')
    )
      return parameters.v;
  }
  return undefined;
}
