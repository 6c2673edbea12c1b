// The configuration of HAProxy for what Ingresses mean. Requests find their backend by maps of host and path, so that the
// configuration grows by backends only. Every word in it is ours, a number, or was checked by the model: nothing that a user writes can
// become a directive.
import { createHash } from 'node:crypto';
import type { ObjectKey } from '#machinery/object.ts';
import {
  type IngressModel,
  type IngressRoute,
  type IngressTarget,
  type IngressUpstream,
  UNAVAILABLE,
} from './ingress.ts';
import { type Slots, slotName } from './ingress-slots.ts';

export interface ProxyPlace {
  /** Private folder of the proxy: configuration, maps, keys, socket. No blanks in it. */
  readonly folder: string;
  /** Where it listens: the node's own addresses. */
  readonly addresses: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly threads: number;
}

export interface ProxyConfiguration {
  readonly text: string;
  /** Name below the folder → content: maps, certificates and their list. */
  readonly files: ReadonlyMap<string, string>;
  /** Equal as long as only endpoints in their slots differ: then no reload is needed. */
  readonly structure: string;
}

/** Names below the folder. */
export const CONFIG_FILE = 'haproxy.cfg';
export const ADMIN_SOCKET = 'admin.sock';
/** The proxy's root directory once it runs. */
export const EMPTY_FOLDER = 'empty';

/** Connections at once and node; each takes some 20 KiB while it moves data. */
const MAX_CONNECTIONS = 8000;
/** An old process serves its connections this long after a reload: WebSockets and downloads end by themselves or are cut then. */
const DRAIN_SECONDS = 600;
/** A cut connection is told to the client; an unanswered one is tried on another endpoint. */
const CONNECT_SECONDS = 3;
export const DEFAULT_TIMEOUT_SECONDS = 60;
/** Headers of a request have to be here by then. */
const REQUEST_SECONDS = 10;
const TUNNEL_SECONDS = 3600;
/** The user and group nobody. */
const NOBODY = 65534;
const AFFINITY_COOKIE = 'coracle-affinity';
/** Nobody listens there: the address of a free slot, which is never used. */
const NO_ADDRESS = '127.0.0.1:1';

/** `certificates`: Secret → PEM of chain and key. `slots`: upstream id → its servers. */
export function proxyConfiguration(
  model: IngressModel,
  slots: ReadonlyMap<string, Slots>,
  certificates: ReadonlyMap<ObjectKey, string>,
  defaultCertificate: string,
  place: ProxyPlace,
): ProxyConfiguration {
  const files = new Map<string, string>([
    ...routeMaps(model),
    ...certificateFiles(model, certificates, defaultCertificate, place),
  ]);
  const upstreams = [...model.upstreams.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const fixed = [...globalLines(place), ...defaultLines(upstreams), ...frontendLines(model, place), ...plainBackends()];
  const rendered = (filled: boolean): string =>
    upstreams.flatMap((u) => backendLines(u, slots.get(u.id) ?? [], filled)).join('\n');
  const head = fixed.join('\n');
  return {
    text: `${head}\n${rendered(true)}\n`,
    files,
    // Keys stand in it by their names, which follow their content.
    structure: [
      head,
      rendered(false),
      ...[...files].map(([name, text]) => (name.endsWith('.pem') ? name : `${name}\n${text}`)),
    ].join('\n'),
  };
}

function globalLines({ folder, threads }: ProxyPlace): string[] {
  return [
    '# Written by the node agent; changes are overwritten.',
    'global',
    `  maxconn ${MAX_CONNECTIONS}`,
    `  nbthread ${threads}`,
    '  no strict-limits',
    `  uid ${NOBODY}`,
    `  gid ${NOBODY}`,
    `  chroot ${folder}/${EMPTY_FOLDER}`,
    `  stats socket ${folder}/${ADMIN_SOCKET} mode 600 level admin expose-fd listeners`,
    `  hard-stop-after ${DRAIN_SECONDS}s`,
    '  ssl-default-bind-options ssl-min-ver TLSv1.2',
    '  tune.ssl.cachesize 4096',
  ];
}

function defaultLines(upstreams: readonly IngressUpstream[]): string[] {
  // A client may be silent as long as the most patient backend allows: the client side is chosen before the backend is.
  const client = Math.max(DEFAULT_TIMEOUT_SECONDS, ...upstreams.map((u) => u.options.timeoutSeconds ?? 0));
  return [
    'defaults',
    '  mode http',
    '  balance roundrobin',
    `  timeout connect ${CONNECT_SECONDS}s`,
    `  timeout client ${client}s`,
    `  timeout server ${DEFAULT_TIMEOUT_SECONDS}s`,
    `  timeout queue ${CONNECT_SECONDS}s`,
    `  timeout tunnel ${TUNNEL_SECONDS}s`,
    `  timeout http-request ${REQUEST_SECONDS}s`,
    `  timeout http-keep-alive ${DEFAULT_TIMEOUT_SECONDS}s`,
    '  retries 3',
    '  option redispatch 1',
    // A reload must not close a connection on which a request may be on its way.
    '  option idle-close-on-response',
    '  http-error status 503 content-type text/plain string "The service has no ready endpoints.\\n"',
    '  http-error status 504 content-type text/plain string "The endpoint did not answer in time.\\n"',
    '  http-error status 502 content-type text/plain string "The endpoint broke off or did not speak HTTP.\\n"',
  ];
}

/** How a request's name is looked up, in the order that decides: `before` leads the path in the maps' keys. */
const STAGES = [
  { host: 'exact', before: '%[var(txn.host)]' },
  { host: 'wildcard', before: '%[var(txn.wild)]' },
  { host: 'any', before: '*' },
] as const;
type HostKind = (typeof STAGES)[number]['host'];

function hostKind(host: string): HostKind {
  return host === '' ? 'any' : host.startsWith('*') ? 'wildcard' : 'exact';
}

function frontendLines(model: IngressModel, place: ProxyPlace): string[] {
  const { folder, addresses, httpPort, httpsPort } = place;
  const kinds = new Set([...model.routes.values()].map((r) => `${hostKind(r.host)} ${r.type}`));
  const unless = 'if !{ var(txn.route) -m found }';
  const stage = (type: IngressRoute['type'], key: string, match: 'map_str' | 'map_beg'): string[] => [
    `  http-request set-var-fmt(txn.key) ${key} ${unless}`,
    `  http-request set-var(txn.route) var(txn.key),${match}(${folder}/${mapName(type)}) ${unless}`,
  ];
  return [
    'frontend ingress',
    ...addresses.map((a) => `  bind ${endpointText({ ip: a, port: httpPort })}`),
    ...addresses.map(
      (a) =>
        `  bind ${endpointText({ ip: a, port: httpsPort })} ssl crt-list ${folder}/${CERTIFICATE_LIST} alpn h2,http/1.1`,
    ),
    '  http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub([.]$,)',
    '  http-request set-var(txn.wild) var(txn.host),regsub(^[^.]*,*)',
    '  http-request set-var(txn.path) path,url_dec',
    // What an endpoint might resolve to another path than the one that was matched.
    "  http-request deny deny_status 400 if { var(txn.path) -m reg '(^|/)[.][.](/|$)' } or { path -m sub -i %00 }",
    ...STAGES.flatMap(({ host, before }) => [
      ...(kinds.has(`${host} Exact`) ? stage('Exact', `${before}%[var(txn.path)]`, 'map_str') : []),
      ...(kinds.has(`${host} Prefix`) ? stage('Prefix', `${before}%[var(txn.path)]/`, 'map_beg') : []),
    ]),
    ...STAGES.flatMap(({ host, before }) => (kinds.has(`${host} Default`) ? stage('Default', before, 'map_str') : [])),
    '  http-request redirect code 308 location https://%[var(txn.host)]%[pathq] if !{ ssl_fc } { var(txn.route),field(2,|) -m str 1 } { var(txn.host) -m found }',
    // What a client says of itself is not believed: the proxies stand at the edge.
    '  http-request set-header X-Forwarded-For %[src]',
    '  http-request set-header X-Real-IP %[src]',
    '  http-request set-header X-Forwarded-Host %[req.hdr(host)]',
    '  http-request set-header X-Forwarded-Proto http',
    '  http-request set-header X-Forwarded-Proto https if { ssl_fc }',
    '  http-request set-header X-Forwarded-Port 80',
    '  http-request set-header X-Forwarded-Port 443 if { ssl_fc }',
    '  http-request del-header Forwarded',
    '  http-request del-header Proxy',
    '  http-request set-var(txn.to) var(txn.route),field(1,|)',
    '  use_backend %[var(txn.to)] if { var(txn.to) -m found }',
    '  default_backend not-found',
  ];
}

function plainBackends(): string[] {
  return [
    'backend not-found',
    '  http-request return status 404 content-type text/plain string "No Ingress has a rule for this host and path.\\n"',
    `backend ${UNAVAILABLE}`,
    '  http-request return status 503 content-type text/plain string "The Ingress leads to a service that cannot be used; see its events.\\n"',
  ];
}

function backendLines(upstream: IngressUpstream, slots: Slots, filled: boolean): string[] {
  const { id, protocol, options } = upstream;
  return [
    `backend ${id}`,
    ...(options.timeoutSeconds === undefined ? [] : [`  timeout server ${options.timeoutSeconds}s`]),
    ...(options.maxBodyBytes === undefined
      ? []
      : [`  http-request deny deny_status 413 if { req.body_size gt ${options.maxBodyBytes} }`]),
    ...(options.cookieAffinity
      ? [
          `  cookie ${AFFINITY_COOKIE} insert indirect nocache httponly dynamic`,
          // Every node's proxy derives the same cookie for the same endpoint.
          '  dynamic-cookie-key coracle',
        ]
      : []),
    ...SERVER_OPTIONS[protocol].map((o) => `  default-server ${o}`),
    ...slots.map((target, index) => {
      const name = `  server ${slotName(index)}`;
      if (!filled) return name;
      return target === undefined ? `${name} ${NO_ADDRESS} disabled` : `${name} ${endpointText(target)}`;
    }),
  ];
}

/** Certificates of endpoints are not checked: the pod network is the cluster's own, and their names are anybody's. */
const SERVER_OPTIONS: Readonly<Record<IngressUpstream['protocol'], readonly string[]>> = {
  http: [],
  h2c: ['proto h2'],
  https: ['ssl verify none sni var(txn.host) alpn http/1.1'],
  h2: ['ssl verify none sni var(txn.host) alpn h2'],
};

const endpointText = ({ ip, port }: IngressTarget): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

const mapName = (type: IngressRoute['type']): string => `${type.toLowerCase()}.map`;

/** Host and path → backend and whether to redirect. A Prefix ends with a slash, as does what is looked up: so `/a` leaves `/ab` alone. */
function routeMaps(model: IngressModel): [string, string][] {
  const maps: Record<IngressRoute['type'], string[]> = { Exact: [], Prefix: [], Default: [] };
  for (const route of model.routes.values()) {
    const host = route.host === '' ? '*' : route.host;
    const key =
      route.type === 'Prefix' ? `${host}${route.path}/` : route.type === 'Exact' ? `${host}${route.path}` : host;
    maps[route.type].push(`${key} ${route.upstream}|${route.redirect ? 1 : 0}\n`);
  }
  return (['Exact', 'Prefix', 'Default'] as const).map((type) => [mapName(type), maps[type].sort().join('')]);
}

const CERTIFICATE_LIST = 'certificates.list';

/** The first of the list is shown to clients whose name has no other. */
function certificateFiles(
  model: IngressModel,
  certificates: ReadonlyMap<ObjectKey, string>,
  defaultCertificate: string,
  { folder }: ProxyPlace,
): [string, string][] {
  const files = new Map<string, string>();
  /** The name follows the content, so that a renewed certificate is another configuration. */
  const file = (pem: string): string => {
    const name = `${createHash('sha256').update(pem).digest('hex').slice(0, 24)}.pem`;
    files.set(name, pem);
    return `${folder}/${name}`;
  };
  const lines = [file(defaultCertificate)];
  for (const { host, secret } of model.certificates) {
    const pem = certificates.get(secret);
    if (pem !== undefined) lines.push(`${file(pem)}${host === '' ? '' : ` ${host}`}`);
  }
  return [[CERTIFICATE_LIST, `${lines.join('\n')}\n`], ...files];
}
