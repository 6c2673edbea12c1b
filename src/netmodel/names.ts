// What the cluster's names mean: Kubernetes' DNS specification 1.1.0 as CoreDNS serves it (kubernetes plugin, `pods
// insecure`). Pure: objects in, records out. Names are lower case without the last dot.
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { formatIP, parseIP } from '#base/ip.ts';
import { SERVICE_NAME_LABEL } from './services.ts';

export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'CNAME' | 'PTR' | 'NS'; readonly name: string }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'TXT'; readonly text: string }
  | {
      readonly type: 'SOA';
      readonly mname: string;
      readonly rname: string;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      readonly minimum: number;
    };

export type RecordType = RecordData['type'];

export interface NameRecord {
  readonly name: string;
  readonly ttl: number;
  readonly data: RecordData;
}

export type Resolution =
  /** Records of the asked type; `extra` are addresses of the targets. */
  | { readonly kind: 'answer'; readonly records: readonly NameRecord[]; readonly extra: readonly NameRecord[] }
  /** An ExternalName: the alias stands in the answer, the target is resolved elsewhere. */
  | { readonly kind: 'alias'; readonly record: NameRecord; readonly target: string }
  /** The name exists without such records, or does not exist. */
  | { readonly kind: 'no data' | 'no name'; readonly soa: NameRecord }
  /** Not a name of the cluster. */
  | { readonly kind: 'elsewhere' };

/** CoreDNS' default. Short, since addresses of pods do not last. */
const TTL_SECONDS = 5;

interface EndpointName {
  readonly hostname: string;
  readonly ip: string;
  /** Port name → number and protocol. */
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

interface ServiceNames {
  readonly service: Service;
  readonly endpoints: readonly EndpointName[];
  readonly headless: boolean;
}

export interface NameOptions {
  /** `cluster.local`. */
  readonly domain: string;
  readonly dnsAddress: string;
}

/** The names of one cluster. A change costs the size of the service it concerns. */
export class Names {
  readonly #options: NameOptions;
  /** `namespace/name` → service. */
  readonly #services = new Map<string, Service>();
  /** `namespace/name` of the service → its slices by name. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** Built when asked for, dropped when the service or its slices change. */
  readonly #built = new Map<string, ServiceNames>();
  readonly #namespaces = new Set<string>();
  /** Address → `namespace/name` of services with that cluster IP or endpoint. */
  readonly #byAddress = new Map<string, Set<string>>();
  readonly #addressesOf = new Map<string, readonly string[]>();
  #serial = 1;

  constructor(options: NameOptions) {
    this.#options = options;
  }

  setNamespace(name: string, present: boolean): void {
    if (present) this.#namespaces.add(name);
    else this.#namespaces.delete(name);
  }

  setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.#services.delete(key);
    else this.#services.set(key, service);
    this.#changed(key);
  }

  /** `old` says where the slice was known before. */
  setSlice(name: string, slice: EndpointSlice | undefined, old: EndpointSlice | undefined): void {
    for (const key of new Set([serviceKeyOf(old), serviceKeyOf(slice)])) {
      if (key === undefined) continue;
      const held = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
      if (slice !== undefined && serviceKeyOf(slice) === key) held.set(name, slice);
      else held.delete(name);
      if (held.size === 0) this.#slices.delete(key);
      else this.#slices.set(key, held);
      this.#changed(key);
    }
  }

  resolve(name: string, type: RecordType | 'ANY' | 'other'): Resolution {
    const { domain } = this.#options;
    if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa')) return this.#reverse(name, type);
    if (name !== domain && !name.endsWith(`.${domain}`)) return { kind: 'elsewhere' };
    const labels = name === domain ? [] : name.slice(0, -domain.length - 1).split('.');
    if (labels.length === 0) return this.#apex(type);
    const tail = labels.at(-1)!;
    if (tail === 'svc') return this.#service(name, labels.slice(0, -1), type);
    if (tail === 'pod') return this.#pod(name, labels.slice(0, -1), type);
    if (name === `ns.dns.${domain}`) return this.#typed(name, [{ type: 'A', address: this.#options.dnsAddress }], type);
    if (name === `dns-version.${domain}`) return this.#typed(name, [{ type: 'TXT', text: '1.1.0' }], type);
    return this.#none('no name');
  }

  #apex(type: string): Resolution {
    const soa = this.#soa();
    if (type === 'SOA') return { kind: 'answer', records: [soa], extra: [] };
    const server = `ns.dns.${this.#options.domain}`;
    if (type === 'NS') {
      const extra = [record(server, { type: 'A', address: this.#options.dnsAddress })];
      return { kind: 'answer', records: [record(this.#options.domain, { type: 'NS', name: server })], extra };
    }
    return this.#none('no data');
  }

  /** labels: […, service, namespace]. */
  #service(name: string, labels: readonly string[], type: string): Resolution {
    if (labels.length === 0) return this.#none('no data');
    const namespace = labels.at(-1)!;
    if (labels.length === 1) return this.#none(this.#namespaces.has(namespace) ? 'no data' : 'no name');
    const names = this.#namesOf(`${namespace}/${labels.at(-2)}`);
    if (names === undefined) return this.#none('no name');
    const base = `${labels.at(-2)}.${namespace}.svc.${this.#options.domain}`;
    const { spec } = names.service;
    if (spec?.type === 'ExternalName') {
      if (labels.length !== 2 || spec.externalName === undefined) return this.#none('no name');
      const target = spec.externalName.toLowerCase().replace(/\.$/, '');
      return { kind: 'alias', record: record(name, { type: 'CNAME', name: target }), target };
    }
    const front = labels.slice(0, -2);
    if (front.length === 0) return this.#whole(name, base, names, undefined, type);
    if (front.length === 1) {
      if (front[0] === '_tcp' || front[0] === '_udp' || front[0] === '_sctp') return this.#none('no data');
      const found = names.endpoints.filter((e) => e.hostname === front[0]);
      return found.length === 0
        ? this.#none('no name')
        : this.#addresses(
            name,
            found.map((e) => e.ip),
            type,
          );
    }
    if (front.length === 2 && front[0]!.startsWith('_') && front[1]!.startsWith('_')) {
      return this.#whole(name, base, names, { port: front[0]!.slice(1), protocol: front[1]!.slice(1) }, type);
    }
    return this.#none('no name');
  }

  /** The service itself, or with `wanted` one of its ports. */
  #whole(
    name: string,
    base: string,
    names: ServiceNames,
    wanted: { port: string; protocol: string } | undefined,
    type: string,
  ): Resolution {
    const fits = (p: { readonly name: string; readonly protocol: string }) =>
      wanted === undefined || (p.name === wanted.port && p.protocol.toLowerCase() === wanted.protocol);
    const srv: { target: string; port: number; ip: string }[] = [];
    let addresses: string[];
    if (names.headless) {
      const found = names.endpoints.filter((e) => wanted === undefined || e.ports.some(fits));
      if (found.length === 0) return this.#none('no name');
      addresses = found.map((e) => e.ip);
      for (const e of found)
        for (const p of e.ports.filter(fits)) srv.push({ target: `${e.hostname}.${base}`, port: p.port, ip: e.ip });
    } else {
      const ports = (names.service.spec?.ports ?? []).map((p) => ({
        name: p.name ?? '',
        protocol: p.protocol ?? 'TCP',
        port: p.port,
      }));
      if (wanted !== undefined && !ports.some(fits)) return this.#none('no name');
      addresses = clusterIPsOf(names.service);
      for (const p of ports.filter(fits)) for (const ip of addresses) srv.push({ target: base, port: p.port, ip });
    }
    if (type !== 'SRV') return this.#addresses(name, addresses, type);
    if (srv.length === 0) return this.#none('no data');
    const weight = Math.max(1, Math.floor(100 / srv.length));
    const seen = new Set<string>();
    const records: NameRecord[] = [];
    for (const { target, port } of srv) {
      if (seen.has(`${target} ${port}`)) continue;
      seen.add(`${target} ${port}`);
      records.push(record(name, { type: 'SRV', priority: 0, weight, port, target }));
    }
    const extra = new Map(srv.map(({ target, ip }) => [`${target} ${ip}`, record(target, addressData(ip))]));
    return { kind: 'answer', records, extra: [...extra.values()] };
  }

  /** `10-244-1-5.namespace.pod`: whatever the address, as long as the namespace exists. */
  #pod(name: string, labels: readonly string[], type: string): Resolution {
    if (labels.length === 0) return this.#none('no data');
    if (!this.#namespaces.has(labels.at(-1)!)) return this.#none('no name');
    if (labels.length === 1) return this.#none('no data');
    if (labels.length > 2) return this.#none('no name');
    const text = labels[0]!;
    const ip =
      parseIP(text.replaceAll('-', '.')) ??
      (text.includes('--') || text.split('-').length === 8 ? parseIP(text.replaceAll('-', ':')) : undefined);
    return ip === undefined ? this.#none('no name') : this.#addresses(name, [formatIP(ip)], type);
  }

  #reverse(name: string, type: string): Resolution {
    const address = addressOfReverse(name);
    const found: string[] = [];
    for (const key of address === undefined ? [] : (this.#byAddress.get(address) ?? [])) {
      const names = this.#namesOf(key);
      if (names === undefined) continue;
      const base = `${names.service.metadata.name}.${names.service.metadata.namespace}.svc.${this.#options.domain}`;
      if (!names.headless && clusterIPsOf(names.service).includes(address!)) found.push(base);
      else for (const e of names.endpoints) if (e.ip === address) found.push(`${e.hostname}.${base}`);
    }
    if (found.length === 0) return { kind: 'elsewhere' };
    return this.#typed(
      name,
      [...new Set(found)].map((n) => ({ type: 'PTR', name: n })),
      type,
    );
  }

  #addresses(name: string, ips: readonly string[], type: string): Resolution {
    return this.#typed(name, [...new Set(ips)].map(addressData), type);
  }

  #typed(name: string, all: readonly RecordData[], type: string): Resolution {
    const records = all.filter((d) => d.type === type || type === 'ANY').map((d) => record(name, d));
    return records.length === 0 ? this.#none('no data') : { kind: 'answer', records, extra: [] };
  }

  #none(kind: 'no data' | 'no name'): Resolution {
    return { kind, soa: this.#soa() };
  }

  #soa(): NameRecord {
    const { domain } = this.#options;
    const times = { serial: this.#serial, refresh: 7200, retry: 1800, expire: 86_400, minimum: TTL_SECONDS };
    return record(domain, { type: 'SOA', mname: `ns.dns.${domain}`, rname: `hostmaster.${domain}`, ...times });
  }

  #changed(key: string): void {
    this.#built.delete(key);
    this.#serial++;
    for (const ip of this.#addressesOf.get(key) ?? []) {
      const held = this.#byAddress.get(ip);
      held?.delete(key);
      if (held?.size === 0) this.#byAddress.delete(ip);
    }
    const names = this.#namesOf(key);
    if (names === undefined) {
      this.#addressesOf.delete(key);
      return;
    }
    const ips = [...clusterIPsOf(names.service), ...names.endpoints.map((e) => e.ip)];
    this.#addressesOf.set(key, ips);
    for (const ip of ips) {
      const held = this.#byAddress.get(ip);
      if (held === undefined) this.#byAddress.set(ip, new Set([key]));
      else held.add(key);
    }
  }

  #namesOf(key: string): ServiceNames | undefined {
    const known = this.#built.get(key);
    if (known !== undefined) return known;
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    const headless = service.spec?.type !== 'ExternalName' && clusterIPsOf(service).length === 0;
    const names = { service, headless, endpoints: endpointsOf([...(this.#slices.get(key)?.values() ?? [])]) };
    this.#built.set(key, names);
    return names;
  }
}

function endpointsOf(slices: readonly EndpointSlice[]): EndpointName[] {
  const out = new Map<string, EndpointName>();
  for (const slice of slices) {
    const ports = (slice.ports ?? []).map((p) => ({
      name: p.name ?? '',
      protocol: p.protocol ?? 'TCP',
      port: p.port ?? 0,
    }));
    for (const endpoint of slice.endpoints ?? []) {
      if (!(endpoint.conditions?.ready ?? true)) continue;
      for (const ip of endpoint.addresses ?? []) {
        const hostname = endpoint.hostname ?? ip.replaceAll(/[.:]/g, '-');
        const before = out.get(`${hostname} ${ip}`);
        out.set(`${hostname} ${ip}`, { hostname, ip, ports: [...(before?.ports ?? []), ...ports] });
      }
    }
  }
  return [...out.values()];
}

export function serviceKeyOf(slice: EndpointSlice | undefined): string | undefined {
  const name = slice?.metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? undefined : `${slice!.metadata.namespace}/${name}`;
}

function clusterIPsOf(service: Service): string[] {
  const all = service.spec?.clusterIPs ?? (service.spec?.clusterIP === undefined ? [] : [service.spec.clusterIP]);
  return all.filter((ip) => parseIP(ip) !== undefined);
}

function addressData(ip: string): RecordData {
  return { type: ip.includes(':') ? 'AAAA' : 'A', address: ip };
}

function record(name: string, data: RecordData): NameRecord {
  return { name, ttl: TTL_SECONDS, data };
}

/** `5.1.244.10.in-addr.arpa` → `10.244.1.5`. */
function addressOfReverse(name: string): string | undefined {
  if (name.endsWith('.in-addr.arpa')) {
    const ip = parseIP(name.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.'));
    return ip?.family === 4 ? formatIP(ip) : undefined;
  }
  const nibbles = name.slice(0, -'.ip6.arpa'.length).split('.').toReversed();
  if (nibbles.length !== 32 || !nibbles.every((n) => /^[0-9a-f]$/.test(n))) return undefined;
  const ip = parseIP(nibbles.join('').replaceAll(/(.{4})(?=.)/g, '$1:'));
  return ip === undefined ? undefined : formatIP(ip);
}

/** The names a resolver tries for `name`, in order: search domains first when it has fewer dots than ndots. */
export function searchNames(name: string, search: readonly string[], ndots = 5): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const listed = search.map((domain) => `${name}.${domain}`);
  return name.split('.').length - 1 >= ndots ? [name, ...listed] : [...listed, name];
}

/** A pod's search list under dnsPolicy ClusterFirst. */
export function clusterSearch(namespace: string, domain: string, ofHost: readonly string[] = []): string[] {
  return [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...ofHost];
}
