// What the user types: TARGET (a connection string, host:port, or a named object) and SOURCE. Parsing only; what the names mean in
// the cluster is located in locate.ts.
import { parseIP } from '#base/ip.ts';
import type { ProbeProtocol, ProbeTls } from './probe/result.ts';

/** A TARGET or SOURCE that cannot be understood; the message says what is allowed. */
export class TargetError extends Error {
  readonly code = 'Target';
}

/** A host and a port, with what a connection string says besides. */
export interface AddressTarget {
  readonly kind: 'address';
  /** As typed, without a password. */
  readonly text: string;
  readonly protocol: ProbeProtocol;
  readonly host: string;
  readonly port: number;
  readonly tls?: ProbeTls;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly path?: string;
  /** Path of the certificate authority's file where the client runs (sslrootcert and its like). */
  readonly caFile?: string;
  /** target_session_attrs=read-write and its like: a standby will not do. */
  readonly writes?: boolean;
}

export interface ObjectTarget {
  readonly kind: 'service' | 'pod' | 'ingress';
  readonly text: string;
  readonly namespace: string | undefined;
  readonly name: string;
  /** Number or name of a port. */
  readonly port: string | undefined;
}

export type Target = AddressTarget | ObjectTarget;

/** Workloads that have pods, by the plural that the API knows. */
export type WorkloadResource =
  | 'deployments'
  | 'statefulsets'
  | 'daemonsets'
  | 'replicasets'
  | 'jobs'
  | 'cronjobs'
  | 'replicationcontrollers';

export type Source =
  | { readonly kind: 'laptop' }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'pod'; readonly namespace: string | undefined; readonly name: string }
  | {
      readonly kind: 'workload';
      readonly resource: WorkloadResource;
      readonly namespace: string | undefined;
      readonly name: string;
    };

interface Scheme {
  readonly protocol: ProbeProtocol;
  readonly port: number | undefined;
  readonly tls?: ProbeTls['mode'];
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  postgres: { protocol: 'postgres', port: 5432, tls: 'prefer' },
  postgresql: { protocol: 'postgres', port: 5432, tls: 'prefer' },
  mysql: { protocol: 'mysql', port: 3306, tls: 'prefer' },
  mariadb: { protocol: 'mysql', port: 3306, tls: 'prefer' },
  redis: { protocol: 'redis', port: 6379 },
  rediss: { protocol: 'redis', port: 6379, tls: 'verify-full' },
  amqp: { protocol: 'amqp', port: 5672 },
  amqps: { protocol: 'amqp', port: 5671, tls: 'verify-full' },
  mongodb: { protocol: 'mongodb', port: 27017 },
  http: { protocol: 'http', port: 80 },
  https: { protocol: 'http', port: 443, tls: 'verify-full' },
  ws: { protocol: 'http', port: 80 },
  wss: { protocol: 'http', port: 443, tls: 'verify-full' },
  grpc: { protocol: 'grpc', port: undefined },
  grpcs: { protocol: 'grpc', port: 443, tls: 'verify-full' },
  tcp: { protocol: 'tcp', port: undefined },
  tls: { protocol: 'tls', port: undefined, tls: 'verify-full' },
  udp: { protocol: 'udp', port: undefined },
};

const OBJECTS: Readonly<Record<string, ObjectTarget['kind']>> = {
  svc: 'service',
  service: 'service',
  services: 'service',
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  ingress: 'ingress',
  ing: 'ingress',
  ingresses: 'ingress',
};

const WORKLOADS: Readonly<Record<string, WorkloadResource>> = {
  deploy: 'deployments',
  deployment: 'deployments',
  deployments: 'deployments',
  sts: 'statefulsets',
  statefulset: 'statefulsets',
  statefulsets: 'statefulsets',
  ds: 'daemonsets',
  daemonset: 'daemonsets',
  daemonsets: 'daemonsets',
  rs: 'replicasets',
  replicaset: 'replicasets',
  replicasets: 'replicasets',
  job: 'jobs',
  jobs: 'jobs',
  cj: 'cronjobs',
  cronjob: 'cronjobs',
  cronjobs: 'cronjobs',
  rc: 'replicationcontrollers',
  replicationcontroller: 'replicationcontrollers',
};

export function parseTarget(text: string): Target {
  const trimmed = text.trim();
  if (trimmed === '')
    throw new TargetError('the target is empty: give a URL, host:port, svc/NAME, pod/NAME or ingress/NAME');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)) return parseUrl(trimmed);
  return parseObject(trimmed) ?? parseHostPort(trimmed);
}

function parseUrl(text: string): AddressTarget {
  const name = text.slice(0, text.indexOf('://')).toLowerCase();
  const scheme = SCHEMES[name];
  if (scheme === undefined)
    throw new TargetError(`the scheme ${name}:// is not known; known are ${Object.keys(SCHEMES).join(', ')}`);
  // URL() refuses several hosts, which libpq and MongoDB allow: the first is what a client tries first.
  const rest = text.slice(name.length + 3);
  const end = /[/?#]/.exec(rest)?.index ?? rest.length;
  const authority = rest.slice(0, end);
  const at = authority.lastIndexOf('@');
  const first = authority.slice(at + 1).split(',')[0]!;
  const url = parsed(`http://${at < 0 ? '' : authority.slice(0, at + 1)}${first}${rest.slice(end)}`, text);
  const query = url.searchParams;
  const host = (query.get('host') ?? unbracket(url.hostname)).toLowerCase();
  if (host === '' || host.startsWith('/'))
    throw new TargetError(
      `${hidePassword(text)} names no host: a Unix socket cannot be looked at, give a host and a port`,
    );
  // URL() drops :80, the default of the scheme that it was given.
  const typed = /:(\d+)$/.exec(first)?.[1] ?? query.get('port') ?? undefined;
  const port = typed === undefined ? scheme.port : portNumber(typed, text);
  if (port === undefined) throw new TargetError(`${hidePassword(text)} needs a port, as in ${name}://${host}:1234`);
  const path = decodeURIComponent(url.pathname.slice(1));
  const isWeb = scheme.protocol === 'http' || scheme.protocol === 'grpc';
  const user = decodeURIComponent(url.username) || query.get('user') || undefined;
  const password = decodeURIComponent(url.password) || query.get('password') || undefined;
  const database = isWeb || scheme.protocol === 'tcp' ? undefined : path || query.get('dbname') || undefined;
  const caFile = query.get('sslrootcert') ?? query.get('ssl-ca') ?? query.get('tlsCAFile') ?? undefined;
  const attributes = query.get('target_session_attrs');
  const mode = tlsMode(scheme, query, text);
  return {
    kind: 'address',
    text: hidePassword(text),
    protocol: scheme.protocol,
    host,
    port,
    ...(mode === undefined ? {} : { tls: { mode } }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(isWeb ? { path: `/${path}${url.search}` } : {}),
    ...(caFile === undefined || caFile === 'system' ? {} : { caFile }),
    ...(attributes === 'read-write' || attributes === 'primary' ? { writes: true } : {}),
  };
}

function parsed(url: string, text: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new TargetError(
      `${hidePassword(text)} is not a URL: characters such as @ : / in names and passwords must be escaped (%40 for @)`,
    );
  }
}

const POSTGRES_MODES: ReadonlySet<string> = new Set([
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
]);
const MYSQL_MODES: Readonly<Record<string, ProbeTls['mode']>> = {
  DISABLED: 'disable',
  PREFERRED: 'prefer',
  REQUIRED: 'require',
  VERIFY_CA: 'verify-ca',
  VERIFY_IDENTITY: 'verify-full',
};

function tlsMode(scheme: Scheme, query: URLSearchParams, text: string): ProbeTls['mode'] | undefined {
  const typed = query.get('sslmode') ?? query.get('ssl-mode') ?? query.get('ssl_mode');
  if (typed !== null) {
    const mode = POSTGRES_MODES.has(typed) ? (typed as ProbeTls['mode']) : MYSQL_MODES[typed.toUpperCase()];
    if (mode === undefined)
      throw new TargetError(
        `${hidePassword(text)}: sslmode ${JSON.stringify(typed)} is none of ${[...POSTGRES_MODES].join(', ')}`,
      );
    return mode;
  }
  const flag = query.get('tls') ?? query.get('ssl');
  if (flag === 'true') {
    const lax = query.get('tlsAllowInvalidCertificates') === 'true' || query.get('tlsInsecure') === 'true';
    return lax ? 'require' : 'verify-full';
  }
  return scheme.tls;
}

/** `[NS/]svc/NAME[:port]`; undefined when it has not that form. */
function parseObject(text: string): ObjectTarget | undefined {
  const parts = text.split('/');
  if (parts.length < 2 || parts.length > 3) return undefined;
  const kind = OBJECTS[parts.at(-2)!.toLowerCase()];
  if (kind === undefined) {
    const workload = WORKLOADS[parts.at(-2)!.toLowerCase()];
    if (workload !== undefined)
      throw new TargetError(
        `${text}: ${workload} can be a source, not a target; give the Service or a pod in front of it`,
      );
    throw new TargetError(
      `${text}: ${parts.at(-2)} is not known; a target is svc/NAME, pod/NAME or ingress/NAME, with NAMESPACE/ before it`,
    );
  }
  const [name, port, ...more] = parts.at(-1)!.split(':');
  if (name === '' || name === undefined || more.length > 0 || port === '')
    throw new TargetError(`${text}: expected ${parts.at(-2)}/NAME or ${parts.at(-2)}/NAME:PORT`);
  if (kind === 'ingress' && port !== undefined) throw new TargetError(`${text}: an ingress is named without a port`);
  return { kind, text, namespace: parts.length === 3 ? parts[0]! : undefined, name, port };
}

function parseHostPort(text: string): AddressTarget {
  const match = /^\[([^\]]+)\]:(\d+)$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  if (match === null) {
    const bare = parseIP(text) !== undefined || !text.includes(':');
    throw new TargetError(
      bare
        ? `${text} has no port: give ${text.includes(':') ? `[${text}]` : text}:PORT, a URL, svc/NAME, pod/NAME or ingress/NAME`
        : `${text} is not understood: give a URL, host:port, svc/NAME, pod/NAME or ingress/NAME`,
    );
  }
  const host = match[1]!.toLowerCase();
  return { kind: 'address', text, protocol: 'tcp', host, port: portNumber(match[2]!, text) };
}

function portNumber(typed: string, text: string): number {
  const port = Number(typed);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new TargetError(`${hidePassword(text)}: ${typed} is not a port; ports are 1 to 65535`);
  return port;
}

const unbracket = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

/** The password of a connection string never reaches a terminal, a log or a report. */
export function hidePassword(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#@]*):.*@(?=[^@]*$)/i, '$1@')
    .replace(/([?&]password=)[^&]*/i, '$1…');
}

export function parseSource(text: string): Source {
  const trimmed = text.trim();
  if (trimmed === 'laptop') return { kind: 'laptop' };
  const parts = trimmed.split('/');
  const name = parts.at(-1)!;
  const kind = parts.at(-2)?.toLowerCase();
  const namespace = parts.length === 3 ? parts[0]! : undefined;
  if (name !== '' && namespace !== '' && kind !== undefined && parts.length <= 3) {
    if (kind === 'node' || kind === 'nodes' || kind === 'no') {
      if (namespace !== undefined) throw new TargetError(`${text}: nodes have no namespace; give node/NAME`);
      return { kind: 'node', name };
    }
    if (OBJECTS[kind] === 'pod') return { kind: 'pod', namespace, name };
    const resource = WORKLOADS[kind];
    if (resource !== undefined) return { kind: 'workload', resource, namespace, name };
  }
  throw new TargetError(
    `${text} is not a source: give laptop, node/NAME, pod/NAME or a workload such as deploy/NAME, with NAMESPACE/ before it`,
  );
}
