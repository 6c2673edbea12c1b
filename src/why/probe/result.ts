// A probe: one real connection from one network namespace, taken as far as asked, and what it met at each step. It never writes,
// never logs in further than the caller gave credentials for, and ends in bounded time.

/** What is spoken once the connection stands. */
export type ProbeProtocol =
  | 'tcp'
  | 'udp'
  | 'tls'
  | 'postgres'
  | 'mysql'
  | 'redis'
  | 'amqp'
  | 'mongodb'
  | 'http'
  | 'grpc';

export interface ProbeTls {
  /** Postgres' words for all protocols. `prefer` tries, and goes on without. */
  readonly mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** SNI, and the name the certificate is checked against; default the host. */
  readonly serverName?: string;
  /** PEM; default the probing machine's own authorities. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly privateKey?: string;
  /** Postgres 17: `direct` begins with TLS instead of asking for it first (libpq's sslnegotiation). */
  readonly negotiation?: 'direct' | 'postgres';
}

export interface ProbeRequest {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
  readonly protocol: ProbeProtocol;
  /** Absent: `prefer` for postgres and mysql, as their clients do; `require` for tls; else no TLS. */
  readonly tls?: ProbeTls;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  /** http, grpc: path and Host header. */
  readonly path?: string;
  readonly hostHeader?: string;
  /** resolv.conf text to resolve by; absent: that of the place the probe runs in. */
  readonly resolvConf?: string;
  /** /etc/hosts text, asked first; absent: that of the place the probe runs in. */
  readonly hosts?: string;
  /** For each step: resolving, connecting, handshake. */
  readonly timeoutMs: number;
}

export interface DnsAttempt {
  /** Address of the name server, or `/etc/hosts`. */
  readonly server: string;
  readonly question: string;
  readonly type: 'A' | 'AAAA';
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, `REFUSED`, or `timeout`, `refused` (ICMP) when no answer came. */
  readonly outcome: string;
  readonly answers: readonly string[];
  readonly ms: number;
}

export interface ConnectAttempt {
  readonly address: string;
  readonly port: number;
  /** `refused`: reset or ICMP port unreachable; `unreachable`: no route, ICMP host or net unreachable; `prohibited`: ICMP admin-prohibited. */
  readonly outcome: 'connected' | 'refused' | 'timeout' | 'unreachable' | 'prohibited' | 'error';
  readonly errno?: string;
  readonly localAddress?: string;
  readonly ms: number;
}

export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  /** RFC 3339. */
  readonly notBefore: string;
  readonly notAfter: string;
  readonly selfSigned: boolean;
}

export interface TlsAttempt {
  /** `not-offered`: the server has no TLS; `required`: it speaks nothing else; `client-certificate`: it wants one that was not given. */
  readonly outcome:
    | 'ok'
    | 'not-tried'
    | 'not-offered'
    | 'required'
    | 'untrusted'
    | 'expired'
    | 'name-mismatch'
    | 'client-certificate'
    | 'failed';
  readonly detail?: string;
  readonly certificate?: CertificateFacts;
}

export interface HandshakeAttempt {
  /** `auth-wanted`: the server answered properly and asks for credentials that the probe has not; `ready`: logged in or no login exists. */
  readonly outcome: 'ready' | 'auth-wanted' | 'rejected' | 'wrong-protocol' | 'silent' | 'closed';
  /** The server's own code: SQLSTATE, MySQL error number, HTTP status, redis error word, AMQP reply code. */
  readonly code?: string;
  /** The server's own words. */
  readonly message?: string;
  /** What the bytes look like when they are of another protocol. */
  readonly looksLike?: string;
  /** First bytes received, hex, at most 64. */
  readonly bytes?: string;
  /** What the server asks to log in by: `SCRAM-SHA-256`, `md5`, `password`, `caching_sha2_password`, `PLAIN AMQPLAIN`, … */
  readonly authMethod?: string;
  /** Postgres: whether this server is read-only (a standby), when it said so without a login or the login was given. */
  readonly readOnly?: boolean;
  readonly serverVersion?: string;
}

export interface ProbeResult {
  /** Absent: the host was an address. */
  readonly dns?: { readonly addresses: readonly string[]; readonly attempts: readonly DnsAttempt[] };
  readonly connects: readonly ConnectAttempt[];
  readonly tls?: TlsAttempt;
  readonly handshake?: HandshakeAttempt;
  readonly ms: number;
}

/** Where a probe is made from. */
export type Vantage =
  | { readonly at: 'laptop' }
  | { readonly at: 'node'; readonly node: string }
  | {
      readonly at: 'pod';
      readonly node: string;
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
    };

/** One way to make probes; it says why when it cannot (which permission, which tool is missing). */
export interface Prober {
  probe(from: Vantage, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult | Cannot>;
}

export interface Cannot {
  readonly cannot: string;
  /** `verb resource[/subresource] in namespace`, when that is what is missing. */
  readonly permission?: string;
}
