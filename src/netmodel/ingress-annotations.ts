// The annotations of an Ingress that Coracle understands, all below `coracle.dev/`. What cannot be understood is said and left out;
// nothing of a value reaches the proxy's configuration but numbers and words of the lists here.
import type { Ingress } from '#generated/api/networking-v1.ts';

/** How the proxy speaks to endpoints. `h2c` and `h2` are HTTP/2 without and with TLS, both what gRPC needs. */
export type BackendProtocol = 'http' | 'https' | 'h2c' | 'h2';

export interface IngressOptions {
  /** Undefined: what the Service port's appProtocol says. */
  readonly protocol: BackendProtocol | undefined;
  /** Whether plain HTTP is redirected to HTTPS for hosts with tls. */
  readonly sslRedirect: boolean;
  /** Longest silence of an endpoint, and of a client while it sends. Undefined: the default. */
  readonly timeoutSeconds: number | undefined;
  /** Largest Content-Length; undefined: any. */
  readonly maxBodyBytes: number | undefined;
  /** Whether a cookie keeps a client at its endpoint. */
  readonly cookieAffinity: boolean;
}

export const DEFAULT_OPTIONS: IngressOptions = {
  protocol: undefined,
  sslRedirect: true,
  timeoutSeconds: undefined,
  maxBodyBytes: undefined,
  cookieAffinity: false,
};

export const ANNOTATION_PREFIX = 'coracle.dev/';
/** Prefixes with which other controllers' users come; told that they do nothing here. */
const FOREIGN = [
  'nginx.ingress.kubernetes.io/',
  'haproxy.org/',
  'haproxy-ingress.github.io/',
  'traefik.ingress.kubernetes.io/',
];

/** What an appProtocol or the annotation's value means; undefined: nothing we know. */
export function protocolOf(text: string): BackendProtocol | undefined {
  return PROTOCOLS[text.toLowerCase()];
}

const PROTOCOLS: Readonly<Record<string, BackendProtocol>> = Object.assign(
  Object.create(null) as object,
  {
    http: 'http',
    'kubernetes.io/ws': 'http',
    https: 'https',
    'kubernetes.io/wss': 'https',
    'kubernetes.io/h2c': 'h2c',
    h2c: 'h2c',
    grpc: 'h2c',
    grpcs: 'h2',
  } as const,
);

/** A day: longer silence is a dead connection. */
const MAX_TIMEOUT_SECONDS = 86_400;
const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 };
const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Field → sentence about a value that is not understood. */
export interface AnnotationProblem {
  readonly code: 'InvalidAnnotation' | 'UnknownAnnotation';
  readonly name: string;
  readonly message: string;
}

export function readOptions(ingress: Ingress): { options: IngressOptions; problems: AnnotationProblem[] } {
  const problems: AnnotationProblem[] = [];
  let options = DEFAULT_OPTIONS;
  for (const [name, value] of Object.entries(ingress.metadata.annotations ?? {})) {
    if (FOREIGN.some((f) => name.startsWith(f))) {
      problems.push({
        code: 'UnknownAnnotation',
        name,
        message: `annotation ${name} is another controller's and does nothing here`,
      });
      continue;
    }
    if (!name.startsWith(ANNOTATION_PREFIX)) continue;
    const reader = READERS[name.slice(ANNOTATION_PREFIX.length)];
    if (reader === undefined) {
      const known = Object.keys(READERS).map((k) => ANNOTATION_PREFIX + k);
      problems.push({
        code: 'UnknownAnnotation',
        name,
        message: `annotation ${name} is not known; there are ${known.join(', ')}`,
      });
      continue;
    }
    const read = reader(value.trim());
    if (typeof read === 'string')
      problems.push({
        code: 'InvalidAnnotation',
        name,
        message: `annotation ${name} wants ${read}, not ${JSON.stringify(value.slice(0, 60))}`,
      });
    else options = { ...options, ...read };
  }
  return { options, problems };
}

/** Annotation without prefix → what its value says, or what it would have to be. */
const READERS: Readonly<Record<string, (value: string) => Partial<IngressOptions> | string>> = Object.assign(
  Object.create(null) as object,
  {
    'backend-protocol': (value: string) => {
      const protocol = protocolOf(value);
      return protocol === undefined ? 'one of HTTP, HTTPS, H2C, GRPC, GRPCS' : { protocol };
    },
    'ssl-redirect': (value: string) =>
      value === 'true' || value === 'false' ? { sslRedirect: value === 'true' } : '"true" or "false"',
    timeout: (value: string) => {
      const seconds = measure(value, UNIT_SECONDS);
      return seconds === undefined || seconds < 1 || seconds > MAX_TIMEOUT_SECONDS
        ? 'a time from 1s to 24h such as 90s, 5m or 1h'
        : { timeoutSeconds: seconds };
    },
    'max-body-size': (value: string) => {
      const bytes = measure(value, UNIT_BYTES);
      return bytes === undefined
        ? 'a size such as 512k, 10m or 1g; 0 is no limit'
        : { maxBodyBytes: bytes === 0 ? undefined : bytes };
    },
    affinity: (value: string) =>
      value === 'cookie' || value === 'none' ? { cookieAffinity: value === 'cookie' } : '"cookie" or "none"',
  },
);

function measure(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,9})([a-z]?)$/.exec(text.toLowerCase());
  const unit = match === null ? undefined : units[match[2]!];
  return unit === undefined ? undefined : Number(match![1]) * unit;
}
