// What Ingresses mean: which request goes to which endpoints, with which certificate, and what is wrong with them. Pure: the proxy's
// configuration (ingress-haproxy.ts), the controller's events and `coracle why` all rest on the same model.
// Follows the API's documentation: hosts exact before wildcard (one label) before none; within a host the longest path, Exact before
// Prefix; Prefix element by element; ImplementationSpecific is Prefix; what nothing matches goes to a defaultBackend, else 404.
import type { Service, ServicePort } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Ingress, IngressBackend, IngressClass } from '#generated/api/networking-v1.ts';
import { parseIP } from '#base/ip.ts';
import { isDns1123Subdomain, isWildcardDns1123Subdomain } from '#machinery/names.ts';
import { keyOf, makeKey, type ObjectKey } from '#machinery/object.ts';
import { type BackendProtocol, type IngressOptions, protocolOf, readOptions } from './ingress-annotations.ts';
import { nonHttpProtocol } from './ingress-protocols.ts';

/** `spec.controller` of the IngressClasses that Coracle serves. */
export const INGRESS_CONTROLLER = 'coracle.dev/ingress';
export const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
/** Ports of the proxy on each node's own address. */
export const HTTP_PORT = 10080;
export const HTTPS_PORT = 10443;
/** The Service in front of the proxies; its EndpointSlices list the nodes. */
export const INGRESS_SERVICE: ObjectKey = 'kube-system/ingress';

export type IngressProblemCode =
  | 'IngressClassMissing'
  | 'ServiceMissing'
  | 'PortMissing'
  | 'ExternalNameService'
  | 'ResourceBackend'
  | 'NotHTTP'
  | 'SecretMissing'
  | 'SecretInvalid'
  | 'InvalidHost'
  | 'InvalidPath'
  | 'InvalidAnnotation'
  | 'UnknownAnnotation'
  | 'Conflict';

export interface IngressProblem {
  readonly code: IngressProblemCode;
  readonly ingress: ObjectKey;
  /** `spec.rules[0].http.paths[1].backend.service.name` */
  readonly field: string;
  readonly message: string;
  /** The Service or Secret that is meant, when there is one. */
  readonly about?: { readonly kind: 'Service' | 'Secret' | 'Ingress' | 'IngressClass'; readonly key: ObjectKey };
}

export interface IngressTarget {
  readonly ip: string;
  readonly port: number;
}

export interface IngressUpstream {
  /** Letters, digits, `-`, `_`: names the backend in the proxy. */
  readonly id: string;
  readonly service: ObjectKey;
  readonly port: number;
  readonly protocol: BackendProtocol;
  readonly options: IngressOptions;
  /** Endpoints that take traffic, sorted. */
  readonly targets: readonly IngressTarget[];
}

/** Where a route leads when its backend cannot be used: the answer is 503. */
export const UNAVAILABLE = 'unavailable';

export interface IngressRoute {
  /** '' any, `*.example.com` one label below, else exact. */
  readonly host: string;
  readonly type: 'Exact' | 'Prefix' | 'Default';
  /** Decoded; of a Prefix without slash at its end ('' is everything). */
  readonly path: string;
  readonly ingress: ObjectKey;
  /** `spec.rules[0].http.paths[1]` or `spec.defaultBackend`. */
  readonly field: string;
  /** Id of the upstream, or UNAVAILABLE. */
  readonly upstream: string;
  /** Whether plain HTTP is answered with a redirect to HTTPS. */
  readonly redirect: boolean;
}

/** Which certificate a name gets. */
export interface IngressCertificate {
  /** '' stands for the names in the certificate itself. */
  readonly host: string;
  readonly secret: ObjectKey;
  readonly ingress: ObjectKey;
}

export interface IngressModel {
  /** Ours, oldest first. */
  readonly ingresses: readonly Ingress[];
  /** Of a class that does not exist, or of none. */
  readonly unclaimed: readonly Ingress[];
  /** Host and path, or host for defaults, → route: see `routeKey`. */
  readonly routes: ReadonlyMap<string, IngressRoute>;
  readonly upstreams: ReadonlyMap<string, IngressUpstream>;
  readonly certificates: readonly IngressCertificate[];
  readonly problems: readonly IngressProblem[];
}

/** What is known of a Secret that an Ingress names. */
export type CertificateFinding =
  | { readonly usable: true }
  | { readonly usable: false; readonly code: 'SecretMissing' | 'SecretInvalid'; readonly message: string };

export interface IngressFacts {
  readonly ingresses: readonly Ingress[];
  readonly classes: readonly IngressClass[];
  readonly service: (key: ObjectKey) => Service | undefined;
  readonly slices: (service: ObjectKey) => readonly EndpointSlice[];
  readonly certificate: (secret: ObjectKey) => CertificateFinding;
}

/** The class an Ingress names: by the field, else by the annotation of old. */
export function classOf(ingress: Ingress): string | undefined {
  return ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.[CLASS_ANNOTATION];
}

export function isOurs(ingress: Ingress, classes: readonly IngressClass[]): boolean {
  const name = classOf(ingress);
  return (
    name !== undefined && classes.some((c) => c.metadata.name === name && c.spec?.controller === INGRESS_CONTROLLER)
  );
}

/** `namespace/name` of every Secret that the Ingress takes certificates from. */
export function secretsOf(ingress: Ingress): ObjectKey[] {
  const names = (ingress.spec?.tls ?? []).map((t) => t.secretName ?? '').filter((n) => n !== '');
  return [...new Set(names)].map((name) => makeKey(ingress.metadata.namespace, name));
}

/** `namespace/name` of every Service that the Ingress leads to. */
export function servicesOf(ingress: Ingress): ObjectKey[] {
  const backends = [
    ingress.spec?.defaultBackend,
    ...(ingress.spec?.rules ?? []).flatMap((r) => (r.http?.paths ?? []).map((p) => p.backend)),
  ];
  const names = backends.map((b) => b?.service?.name ?? '').filter((n) => n !== '');
  return [...new Set(names)].map((name) => makeKey(ingress.metadata.namespace, name));
}

export function buildIngressModel(facts: IngressFacts): IngressModel {
  const builder = new Builder(facts);
  const ours = facts.ingresses.filter((i) => isOurs(i, facts.classes)).toSorted(byAge);
  for (const ingress of ours) builder.add(ingress);
  for (const ingress of facts.ingresses) builder.checkClass(ingress);
  return { ingresses: ours, ...builder };
}

function byAge(a: Ingress, b: Ingress): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x !== y ? (x < y ? -1 : 1) : keyOf(a) < keyOf(b) ? -1 : 1;
}

/** Routes that would answer the same requests have the same key. */
export function routeKey(route: Pick<IngressRoute, 'host' | 'type' | 'path'>): string {
  return `${route.type} ${route.host}${route.type === 'Default' ? '' : ` ${route.path}`}`;
}

class Builder {
  readonly routes = new Map<string, IngressRoute>();
  readonly upstreams = new Map<string, IngressUpstream>();
  readonly certificates: IngressCertificate[] = [];
  readonly problems: IngressProblem[] = [];
  readonly unclaimed: Ingress[] = [];
  /** Host → its certificate. */
  readonly #certificateOf = new Map<string, IngressCertificate>();
  readonly #facts: IngressFacts;

  constructor(facts: IngressFacts) {
    this.#facts = facts;
  }

  /** Nobody can serve an Ingress without a class that exists. */
  checkClass(ingress: Ingress): void {
    const name = classOf(ingress);
    if (name !== undefined && this.#facts.classes.some((c) => c.metadata.name === name)) return;
    this.unclaimed.push(ingress);
    if (name === undefined) {
      const message = 'names no IngressClass, and none was the default when it was made';
      this.#problem(ingress, 'IngressClassMissing', 'spec.ingressClassName', message);
      return;
    }
    this.#problem(ingress, 'IngressClassMissing', 'spec.ingressClassName', `there is no IngressClass ${quote(name)}`, {
      kind: 'IngressClass',
      key: name,
    });
  }

  add(ingress: Ingress): void {
    const { options, problems } = readOptions(ingress);
    for (const p of problems) this.#problem(ingress, p.code, `metadata.annotations[${p.name}]`, p.message);
    this.#addCertificates(ingress);
    for (const [r, rule] of (ingress.spec?.rules ?? []).entries()) {
      const host = rule.host ?? '';
      const where = `spec.rules[${r}]`;
      if (!isUsableHost(host)) {
        this.#problem(ingress, 'InvalidHost', `${where}.host`, `${quote(host)} is not a host name`);
        continue;
      }
      for (const [p, path] of (rule.http?.paths ?? []).entries()) {
        const field = `${where}.http.paths[${p}]`;
        const exact = path.pathType === 'Exact';
        const text = exact ? decodePath(path.path ?? '/') : decodePath(path.path ?? '').replace(/\/+$/, '');
        const wrong = pathProblem(text, path.pathType);
        if (wrong !== undefined) this.#problem(ingress, 'InvalidPath', `${field}.path`, wrong);
        if (!isUsablePath(text)) continue;
        const route = { host, type: exact ? 'Exact' : 'Prefix', path: text } as const;
        this.#addRoute(ingress, route, field, path.backend, options);
      }
    }
    const fallback = ingress.spec?.defaultBackend;
    if (fallback === undefined) return;
    const hosts = [...new Set((ingress.spec?.rules ?? []).map((r) => r.host ?? ''))].filter(
      (h) => h !== '' && isUsableHost(h),
    );
    for (const host of hosts)
      this.#addRoute(ingress, { host, type: 'Default', path: '' }, 'spec.defaultBackend', fallback, options);
    const everything = { host: '', type: 'Default', path: '' } as const;
    // With hosts of its own it only serves the rest while nobody else does: no conflict worth telling.
    if (hosts.length > 0 && this.routes.has(routeKey(everything))) return;
    this.#addRoute(ingress, everything, 'spec.defaultBackend', fallback, options);
  }

  #addRoute(
    ingress: Ingress,
    route: Pick<IngressRoute, 'host' | 'type' | 'path'>,
    field: string,
    backend: IngressBackend,
    options: IngressOptions,
  ): void {
    const key = routeKey(route);
    const upstream = this.#upstream(ingress, `${field}${route.type === 'Default' ? '' : '.backend'}`, backend, options);
    const taken = this.routes.get(key);
    if (taken !== undefined) {
      const what = route.type === 'Default' ? 'the default backend' : `${route.type} path ${quote(route.path || '/')}`;
      const whom =
        taken.ingress === keyOf(ingress)
          ? `stands twice in this Ingress; ${taken.field} counts`
          : `is already served by Ingress ${taken.ingress} (${taken.field}), which is older`;
      const host = route.host === '' ? 'every host' : `host ${route.host}`;
      const about = { kind: 'Ingress', key: taken.ingress } as const;
      this.#problem(ingress, 'Conflict', field, `${what} of ${host} ${whom}`, about);
      return;
    }
    const redirect = options.sslRedirect && isTlsHost(ingress, route.host);
    this.routes.set(key, { ...route, ingress: keyOf(ingress), field, upstream, redirect });
  }

  /** Id of the upstream; what stands in the way is told. */
  #upstream(ingress: Ingress, field: string, backend: IngressBackend, options: IngressOptions): string {
    const named = backend.service;
    if (named === undefined) {
      const what = backend.resource === undefined ? 'no backend' : `a ${backend.resource.kind}`;
      this.#problem(ingress, 'ResourceBackend', field, `leads to ${what}; only Services are supported as backends`);
      return UNAVAILABLE;
    }
    const key = makeKey(ingress.metadata.namespace, named.name);
    const about = { kind: 'Service', key } as const;
    const service = this.#facts.service(key);
    if (service === undefined) {
      this.#problem(ingress, 'ServiceMissing', `${field}.service.name`, `there is no Service ${key}`, about);
      return UNAVAILABLE;
    }
    if (service.spec?.type === 'ExternalName') {
      const message = `Service ${key} is of type ExternalName, which an Ingress does not lead to`;
      this.#problem(ingress, 'ExternalNameService', `${field}.service.name`, message, about);
      return UNAVAILABLE;
    }
    const wanted = named.port ?? {};
    const port = findPort(service, wanted);
    if (port === undefined) {
      const has = (service.spec?.ports ?? [])
        .map((p) => (p.name ? `${p.name} (${p.port})` : String(p.port)))
        .join(', ');
      const text = wanted.name ? quote(wanted.name) : String(wanted.number ?? '');
      const message = `Service ${key} has no TCP port ${text}; it has ${has === '' ? 'none' : has}`;
      this.#problem(ingress, 'PortMissing', `${field}.service.port`, message, about);
      return UNAVAILABLE;
    }
    const other = options.protocol === undefined ? nonHttpProtocol(port) : undefined;
    if (other !== undefined) {
      const message = `port ${port.port} of Service ${key} looks like ${other}: an Ingress routes only HTTP. Use a Service of type LoadBalancer`;
      this.#problem(ingress, 'NotHTTP', `${field}.service.port`, message, about);
    }
    const protocol = options.protocol ?? protocolOf(port.appProtocol ?? '') ?? 'http';
    const suffix = optionsSuffix(protocol, options);
    const id = `${key.replace('/', '_')}_${port.port}${suffix}`;
    // Names come checked from the API; the proxy's configuration does not rely on that.
    if (!/^[a-z0-9_.-]+$/.test(id)) return UNAVAILABLE;
    if (!this.upstreams.has(id)) {
      const targets = ingressTargets(ofOneFamily(service, this.#facts.slices(key)), port.name ?? '');
      this.upstreams.set(id, { id, service: key, port: port.port, protocol, options, targets });
    }
    return id;
  }

  #addCertificates(ingress: Ingress): void {
    for (const [t, tls] of (ingress.spec?.tls ?? []).entries()) {
      if ((tls.secretName ?? '') === '') continue;
      const secret = makeKey(ingress.metadata.namespace, tls.secretName!);
      const finding = this.#facts.certificate(secret);
      if (!finding.usable) {
        const about = { kind: 'Secret', key: secret } as const;
        this.#problem(ingress, finding.code, `spec.tls[${t}].secretName`, finding.message, about);
        continue;
      }
      const hosts = (tls.hosts ?? []).length === 0 ? [''] : tls.hosts!;
      for (const [h, host] of hosts.entries()) {
        const field = `spec.tls[${t}].hosts[${h}]`;
        if (!isUsableHost(host)) {
          this.#problem(ingress, 'InvalidHost', field, `${quote(host)} is not a host name`);
          continue;
        }
        const taken = host === '' ? undefined : this.#certificateOf.get(host);
        if (taken === undefined) {
          const certificate = { host, secret, ingress: keyOf(ingress) };
          this.certificates.push(certificate);
          this.#certificateOf.set(host, certificate);
        } else if (taken.secret !== secret) {
          const message = `host ${host} already has the certificate of Secret ${taken.secret} by Ingress ${taken.ingress}, which is older`;
          this.#problem(ingress, 'Conflict', field, message, { kind: 'Ingress', key: taken.ingress });
        }
      }
    }
  }

  #problem(
    ingress: Ingress,
    code: IngressProblemCode,
    field: string,
    message: string,
    about?: IngressProblem['about'],
  ): void {
    this.problems.push({ code, ingress: keyOf(ingress), field, message, ...(about === undefined ? {} : { about }) });
  }
}

/** Text of a user within a sentence: bounded, without control characters. */
const quote = (text: string): string => JSON.stringify(text.slice(0, 100));

/** The certificate's host covers the rule's; a tls entry without hosts covers all. */
function isTlsHost(ingress: Ingress, host: string): boolean {
  return (ingress.spec?.tls ?? []).some((tls) => {
    const hosts = tls.hosts ?? [];
    return (
      hosts.length === 0 ||
      (host !== '' && hosts.some((h) => h === host || (!host.startsWith('*') && wildcardOf(host) === h)))
    );
  });
}

/** `*.example.com` for `www.example.com`. */
export const wildcardOf = (host: string): string => host.replace(/^[^.]*/, '*');

function isUsableHost(host: string): boolean {
  if (host === '') return true;
  return (host.startsWith('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host)).length === 0;
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Broken escapes mean themselves.
    return path;
  }
}

const LONGEST_PATH = 4096;
/** What a line of the proxy's maps can hold; no request's path has the others. */
const isUsablePath = (path: string): boolean => path.length <= LONGEST_PATH && !/[\s\u0000-\u0020\u007f]/.test(path);

function pathProblem(path: string, type: string): string | undefined {
  if (path.length > LONGEST_PATH) return `is longer than ${LONGEST_PATH} characters`;
  if (!isUsablePath(path)) return 'has blanks or control characters, which no rule can match';
  if (type === 'ImplementationSpecific' && /[*()[\]^$|\\]/.test(path))
    return `${quote(path)} looks like a pattern; ImplementationSpecific paths are plain prefixes here`;
  return undefined;
}

function findPort(service: Service, wanted: { name?: string; number?: number }): ServicePort | undefined {
  const ports = (service.spec?.ports ?? []).filter((p) => (p.protocol ?? 'TCP') === 'TCP');
  return wanted.name ? ports.find((p) => p.name === wanted.name) : ports.find((p) => p.port === wanted.number);
}

/** Options that make another backend of the same Service and port. */
function optionsSuffix(protocol: BackendProtocol, options: IngressOptions): string {
  const parts = [
    protocol === 'http' ? '' : protocol,
    options.timeoutSeconds === undefined ? '' : `t${options.timeoutSeconds}`,
    options.maxBodyBytes === undefined ? '' : `b${options.maxBodyBytes}`,
    options.cookieAffinity ? 'cookie' : '',
  ].filter((p) => p !== '');
  return parts.length === 0 ? '' : `_${parts.join('_')}`;
}

/** A pod with two addresses is one endpoint: by the Service's first family, when that has any. */
function ofOneFamily(service: Service, slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  const first = service.spec?.ipFamilies?.[0] ?? 'IPv4';
  const own = slices.filter((s) => s.addressType === first);
  return own.length > 0 ? own : slices;
}

/** Ready endpoints; when there is none, those that still serve while they terminate. */
export function ingressTargets(slices: readonly EndpointSlice[], portName: string): IngressTarget[] {
  const ready = new Map<string, IngressTarget>();
  const leaving = new Map<string, IngressTarget>();
  for (const slice of slices) {
    const port = slice.ports?.find((p) => (p.name ?? '') === portName)?.port;
    if (port === undefined) continue;
    for (const { addresses, conditions } of slice.endpoints ?? []) {
      const ip = addresses[0];
      if (ip === undefined || parseIP(ip) === undefined) continue;
      const isReady = conditions?.ready ?? true;
      if (isReady) ready.set(`${ip} ${port}`, { ip, port });
      else if (conditions?.serving === true && conditions.terminating === true)
        leaving.set(`${ip} ${port}`, { ip, port });
    }
  }
  const chosen = ready.size > 0 ? ready : leaving;
  return [...chosen.values()].sort((a, b) => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port));
}

/** What happens to one request, for people who ask why. */
export interface IngressAnswer {
  /** Undefined: no rule and no default backend; the answer is 404. */
  readonly route: IngressRoute | undefined;
  /** Undefined: the backend cannot be used (see `problems`); the answer is 503. Without targets it is 503, too. */
  readonly upstream: IngressUpstream | undefined;
  /** Plain HTTP gets a redirect to HTTPS. */
  readonly redirect: boolean;
  /** What HTTPS shows for this host; undefined: the default certificate, which nobody trusts. */
  readonly certificate: IngressCertificate | undefined;
  /** What is wrong with the route's own fields, or, without a route, with Ingresses that name the host. */
  readonly problems: readonly IngressProblem[];
}

/** The host without port, the path without query. */
export function explainRequest(model: IngressModel, host: string, path: string): IngressAnswer {
  const route = findRoute(model, host, path);
  const name = normalHost(host);
  const naming = new Set([...model.ingresses, ...model.unclaimed].filter((i) => namesHost(i, name)).map(keyOf));
  const problems =
    route === undefined
      ? model.problems.filter((p) => naming.has(p.ingress))
      : model.problems.filter(
          (p) => p.ingress === route.ingress && (p.field.startsWith(route.field) || p.field.startsWith('spec.tls')),
        );
  return {
    route,
    upstream: route === undefined ? undefined : model.upstreams.get(route.upstream),
    redirect: route?.redirect ?? false,
    certificate: findCertificate(model, name),
    problems,
  };
}

/** The route of a request, as the proxy's maps find it. */
export function findRoute(model: IngressModel, host: string, path: string): IngressRoute | undefined {
  const name = normalHost(host);
  const decoded = decodePath(path);
  const hosts = [name, wildcardOf(name), ''].filter((h, i) => h !== '' || i === 2);
  for (const h of hosts) {
    const exact = model.routes.get(routeKey({ host: h, type: 'Exact', path: decoded }));
    if (exact !== undefined) return exact;
    const elements = decoded.replace(/\/+$/, '').split('/');
    for (let n = elements.length; n > 0; n--) {
      const prefix = model.routes.get(routeKey({ host: h, type: 'Prefix', path: elements.slice(0, n).join('/') }));
      if (prefix !== undefined) return prefix;
    }
  }
  for (const h of hosts) {
    const fallback = model.routes.get(routeKey({ host: h, type: 'Default', path: '' }));
    if (fallback !== undefined) return fallback;
  }
  return undefined;
}

const normalHost = (host: string): string => host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');

export function findCertificate(model: IngressModel, host: string): IngressCertificate | undefined {
  return (
    model.certificates.find((c) => c.host === host) ??
    model.certificates.find((c) => c.host === wildcardOf(host)) ??
    model.certificates.find((c) => c.host === '')
  );
}

function namesHost(ingress: Ingress, host: string): boolean {
  return (ingress.spec?.rules ?? []).some((r) => ['', host, wildcardOf(host)].includes(r.host ?? ''));
}
