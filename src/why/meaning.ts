// What a host name means to the client that says it: the Service or pod behind it, or, when there is none, which names are near.
import type { Pod, Service } from '#generated/api/core-v1.ts';
import { parseIP } from '#base/ip.ts';
import { clusterSearch, Names, searchNames, serviceKeyOf } from '#netmodel/names.ts';
import type { Facts } from './facts.ts';
import type { PodFacts } from './node/facts.ts';
import { seen } from './facts.ts';
import { editDistance, nameOf, namespaceOf, pathOf } from './pods.ts';

export type Meaning =
  | {
      readonly kind: 'service';
      readonly full: string;
      readonly service: Service;
      /** A pod's own name below a headless Service. */
      readonly hostname?: string;
      readonly addresses: readonly string[];
    }
  /** The Service is there, and no ready endpoint (of that hostname). */
  | { readonly kind: 'empty'; readonly full: string; readonly service: Service; readonly hostname?: string }
  | { readonly kind: 'alias'; readonly full: string; readonly service: Service; readonly target: string }
  /** hostAliases of the client's pod. */
  | { readonly kind: 'hosts'; readonly address: string; readonly index: number; readonly hidden: Meaning }
  | { readonly kind: 'address'; readonly full: string; readonly addresses: readonly string[] }
  | { readonly kind: 'missing'; readonly tried: readonly string[] }
  | { readonly kind: 'outside' };

export interface Near {
  readonly service: Service;
  /** The name to use instead, as short as works from everywhere. */
  readonly name: string;
  readonly distance: number;
  /** The Service's own name was right. */
  readonly sameName: boolean;
}

const CLUSTER_POLICIES: ReadonlySet<string | undefined> = new Set([
  undefined,
  'ClusterFirst',
  'ClusterFirstWithHostNet',
]);

/** Does the client ask the cluster's DNS? Not the laptop, not nodes, not pods with dnsPolicy Default. */
export function asksClusterDNS(facts: Facts): boolean {
  if (facts.source.at !== 'pod') return false;
  const spec = facts.source.pod?.spec;
  if (spec === undefined) return true;
  if (spec.dnsPolicy === 'None') {
    const dns = facts.objects.services.find((s) => pathOf(s) === 'kube-system/kube-dns')?.spec?.clusterIPs ?? [];
    return spec.dnsConfig?.nameservers?.some((n) => dns.includes(n)) ?? false;
  }
  if (spec.hostNetwork === true) return spec.dnsPolicy === 'ClusterFirstWithHostNet';
  return CLUSTER_POLICIES.has(spec.dnsPolicy);
}

/** The search domains and ndots by which the client asks. */
export function searchOf(facts: Facts): { readonly search: readonly string[]; readonly ndots: number } {
  if (facts.source.at !== 'pod') return { search: [], ndots: 1 };
  const { pod, namespace } = facts.source;
  const text = podFacts(facts, pod)?.resolvConf;
  if (text !== undefined) {
    const search = /^search\s+(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
    return { search, ndots: Number(/^options\s.*\bndots:(\d+)/m.exec(text)?.[1] ?? 1) };
  }
  const spec = pod?.spec;
  const own = spec?.dnsConfig?.searches ?? [];
  const option = Number(spec?.dnsConfig?.options?.find((o) => o.name === 'ndots')?.value ?? Number.NaN);
  if (spec?.dnsPolicy === 'None') return { search: own, ndots: Number.isNaN(option) ? 1 : option };
  const cluster = asksClusterDNS(facts) ? clusterSearch(namespace, facts.domain) : [];
  return { search: [...cluster, ...own], ndots: Number.isNaN(option) ? (cluster.length > 0 ? 5 : 1) : option };
}

/** What is known of the inside of a pod's network namespace. */
export function podFacts(facts: Facts, pod: Pod | undefined): PodFacts | undefined {
  const known = [...(seen(facts, pod?.spec?.nodeName)?.pods ?? []), ...(facts.sockets ?? [])];
  return known.find((p) => p.name === pod?.metadata.name && p.namespace === pod.metadata.namespace);
}

export function clusterNames(facts: Facts): Names {
  const names = new Names({ domain: facts.domain, dnsAddress: '' });
  for (const n of facts.objects.namespaces) names.setNamespace(nameOf(n), true);
  for (const s of facts.objects.services) names.setService(pathOf(s), s);
  for (const s of facts.objects.slices) names.setSlice(pathOf(s), s, undefined);
  return names;
}

export function meaningOf(host: string, facts: Facts): Meaning {
  const aliases = facts.source.at === 'pod' ? (facts.source.pod?.spec?.hostAliases ?? []) : [];
  const index = aliases.findIndex((a) => a.hostnames?.some((n) => n.toLowerCase() === host) === true);
  const hidden = meaningInDNS(host, facts);
  return index < 0 ? hidden : { kind: 'hosts', address: aliases[index]!.ip, index, hidden };
}

function meaningInDNS(host: string, facts: Facts): Meaning {
  const { search, ndots } = searchOf(facts);
  const tried = searchNames(host, search, ndots);
  const names = clusterNames(facts);
  for (const full of tried) {
    const found = clusterMeaning(full, names, facts);
    if (found !== undefined) return found;
  }
  return looksLikeClusterName(host, facts) ? { kind: 'missing', tried } : { kind: 'outside' };
}

/** What the cluster's DNS says to one whole name; undefined when it has no such name. */
function clusterMeaning(full: string, names: Names, facts: Facts): Meaning | undefined {
  const answer = names.resolve(full, 'A');
  if (answer.kind === 'elsewhere') return undefined;
  const parts = partsOf(full, facts.domain);
  const service = parts === undefined ? undefined : serviceOf(facts, parts.namespace, parts.service);
  const hostname = parts?.hostname;
  const named = hostname === undefined ? {} : { hostname };
  if (answer.kind === 'alias' && service !== undefined) return { kind: 'alias', full, service, target: answer.target };
  if (answer.kind === 'answer') {
    const addresses = answer.records.flatMap((r) => (r.data.type === 'A' ? [r.data.address] : []));
    return service === undefined
      ? { kind: 'address', full, addresses }
      : { kind: 'service', full, service, addresses, ...named };
  }
  const ipv6 = names.resolve(full, 'AAAA');
  if (ipv6.kind === 'answer' && service !== undefined) {
    const addresses = ipv6.records.flatMap((r) => (r.data.type === 'AAAA' ? [r.data.address] : []));
    return { kind: 'service', full, service, addresses, ...named };
  }
  // A name that the search list reaches later may still be there: only a Service that exists ends the search.
  return service === undefined ? undefined : { kind: 'empty', full, service, ...named };
}

interface NameParts {
  readonly service: string;
  readonly namespace: string;
  readonly hostname?: string;
}

/** `[hostname.]service.namespace.svc.domain`. */
export function partsOf(full: string, domain: string): NameParts | undefined {
  if (!full.endsWith(`.svc.${domain}`)) return undefined;
  const labels = full.slice(0, -`.svc.${domain}`.length).split('.');
  if (labels.length < 2 || labels.length > 3) return undefined;
  const hostname = labels.length === 3 ? labels[0]! : undefined;
  return { service: labels.at(-2)!, namespace: labels.at(-1)!, ...(hostname === undefined ? {} : { hostname }) };
}

export function serviceOf(facts: Facts, namespace: string, name: string): Service | undefined {
  return facts.objects.services.find((s) => nameOf(s) === name && namespaceOf(s) === namespace);
}

export function slicesOf(facts: Facts, service: Service) {
  return facts.objects.slices.filter((s) => serviceKeyOf(s) === pathOf(service));
}

/** A name of one label, one below the cluster's domain, or one whose second label is a namespace. */
export function looksLikeClusterName(host: string, facts: Facts): boolean {
  if (host.endsWith('.')) return looksLikeClusterName(host.slice(0, -1), facts);
  const labels = host.split('.');
  const isNamespace = (name: string | undefined) => facts.objects.namespaces.some((n) => nameOf(n) === name);
  return (
    (labels.length === 1 && facts.source.at === 'pod') ||
    labels.includes('svc') ||
    host.endsWith(`.${facts.domain}`) ||
    (labels.length <= 3 && isNamespace(labels.at(-1))) ||
    isMeant(labels, facts)
  );
}

/** Names a Service of the cluster although the form is short: `postgres`, `postgres.db`. */
function isMeant(labels: readonly string[], facts: Facts): boolean {
  const [service, namespace] = labels;
  if (labels.length === 1) return serviceOf(facts, facts.namespace, service!) !== undefined;
  return (
    labels.length === 2 &&
    facts.objects.services.some((s) => nameOf(s) === service && editDistance(namespaceOf(s), namespace!) <= 2)
  );
}

/** The Service that a name means when the cluster's own words are taken: for clients that do not ask its DNS. */
export function meantService(host: string, facts: Facts): { service: Service; hostname?: string } | undefined {
  const names = clusterNames(facts);
  const base = host.replace(/\.$/, '');
  const own = facts.source.at === 'pod' ? facts.source.namespace : facts.namespace;
  for (const full of searchNames(base, clusterSearch(own, facts.domain), 5)) {
    const found = clusterMeaning(full, names, facts);
    if (found !== undefined && (found.kind === 'service' || found.kind === 'empty' || found.kind === 'alias'))
      return {
        service: found.service,
        ...('hostname' in found && found.hostname !== undefined ? { hostname: found.hostname } : {}),
      };
  }
  return undefined;
}

const NEAR = 3;

/** Services that the name could have meant, nearest first. */
export function nearNames(host: string, facts: Facts): readonly Near[] {
  const own = facts.source.at === 'pod' ? facts.source.namespace : facts.namespace;
  const suffix = new Set(['svc', ...facts.domain.split('.')]);
  const all = host.split('.').filter((l) => l !== '');
  let end = all.length;
  while (end > 1 && (suffix.has(all[end - 1]!) || nearAny(all[end - 1]!, suffix))) end--;
  const labels = all.slice(0, end);
  const asked = labels.length >= 3 ? labels.slice(-2) : labels;
  const [service, namespace] = asked;
  const prefix = labels.length >= 3 ? `${labels[0]}.` : '';
  const out: Near[] = [];
  for (const s of facts.objects.services) {
    const away = editDistance(nameOf(s), service!);
    const wanted = namespace ?? own;
    const place =
      namespaceOf(s) === wanted
        ? 0
        : namespace === undefined
          ? 0.5
          : Math.min(2, editDistance(namespaceOf(s), namespace));
    if (away > Math.min(NEAR, Math.max(1, Math.floor(nameOf(s).length / 3))) && !isPartOf(service!, nameOf(s)))
      continue;
    const distance = (isPartOf(service!, nameOf(s)) ? Math.min(away, 2) : away) + place;
    out.push({ service: s, name: `${prefix}${nameOf(s)}.${namespaceOf(s)}`, distance, sameName: away === 0 });
  }
  return out.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1)).slice(0, NEAR);
}

/** `db` for `db-primary`, `postgres-svc` for `postgres`. */
const isPartOf = (a: string, b: string): boolean => a !== b && (b.split('-').includes(a) || a.split('-').includes(b));

const nearAny = (label: string, words: ReadonlySet<string>): boolean =>
  label.length > 2 && [...words].some((w) => w.length > 3 && editDistance(label, w) <= 1);

export const isAddress = (host: string): boolean => parseIP(host) !== undefined;

export const isLocalhost = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host.startsWith('127.');
