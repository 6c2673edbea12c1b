// tls, handshake, authentication, database: what the server itself said, after the connection stood. Nothing here is guessed: a cause
// is in the server's own words and codes.
import type { Facts, ProbeRun } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok } from '../finding.ts';
import type { Located } from '../locate.ts';
import { describeRun, type Outcome, outcomeOf } from '../outcome.ts';
import { nameOf, namespaceOf, ownerOf, ownerField, pathOf, quote, serviceField } from '../pods.ts';
import type { Cure, Evidence, LinkName, ObjectField } from '../report.ts';
import type { Code } from '../codes.ts';
import { hba, setPassword, superuserOf } from './postgres-access.ts';

/** The probe that reached the server: the client's own, or one from the server's pod when the client's did not get there. */
function conversation(
  facts: Facts,
): { readonly run: ProbeRun; readonly outcome: Outcome; readonly own: boolean } | undefined {
  const main = outcomeOf(facts.main);
  if (main.connected) return { run: facts.main!, outcome: main, own: true };
  const run = facts.inside.find((r) => outcomeOf(r).connected && !/^(127\.|localhost)/.test(r.request.host));
  return run === undefined ? undefined : { run, outcome: outcomeOf(run), own: false };
}

export function checkTls(facts: Facts, located: Located): LinkResult | undefined {
  const talk = conversation(facts);
  if (talk === undefined) return undefined;
  const { run, outcome } = talk;
  const tls = outcome.result?.tls;
  const read = describeRun(run).filter((e) => e.text.startsWith('TLS'));
  const required = requiresTls(facts, talk.run, outcome);
  if (required !== undefined) return found('tls', [tlsRequired(facts, located, required, describeRun(run))]);
  const refused = outcome.result?.handshake;
  if (refused?.outcome === 'rejected' && /client certificate|certificate required/i.test(refused.message ?? ''))
    return found('tls', [clientCertificate(facts, located, refused.message ?? '', describeRun(run))]);
  if (tls === undefined || tls.outcome === 'not-tried') return undefined;
  const certificate = tls.certificate;
  const host = run.request.tls?.serverName ?? located.host;
  const make = (code: Code, message: string, cure: readonly Cure[]): LinkResult =>
    found('tls', [finding(code, { object: serverObject(located), message, evidence: read, cure })]);
  if (tls.outcome === 'not-offered' && outcome.failedAt !== 'tls')
    return ok('tls', 'the server has no TLS, and the client does not insist', read);
  switch (tls.outcome) {
    case 'ok':
      return ok(
        'tls',
        `TLS with a certificate of ${certificate?.names.join(', ') || certificate?.subject || 'the server'}`,
        read,
      );
    case 'not-offered': {
      const mode = run.request.tls?.mode ?? 'require';
      return make(
        'TLSNotOffered',
        `the server has no TLS, and the client demands it (${modeWord(facts)}${mode})`,
        notOfferedCure(facts, located),
      );
    }
    case 'required':
      return found('tls', [tlsRequired(facts, located, tls.detail ?? 'it speaks nothing else', read)]);
    case 'name-mismatch': {
      const names = certificate?.names ?? [];
      const good = names.find((n) => !n.startsWith('*')) ?? names[0];
      return make(
        'TLSNameMismatch',
        `the certificate is for ${names.join(', ') || certificate?.subject}, not for ${host}`,
        [
          ...(good === undefined
            ? []
            : [
                note(
                  `use ${facts.target.text.replace(located.host, good.replace(/^\*\./, 'NAME.'))}, if that name leads to this server`,
                ),
              ]),
          note(`or issue a certificate with subjectAltName DNS:${host}`),
        ],
      );
    }
    case 'expired': {
      const early = certificate !== undefined && Date.parse(certificate.notBefore) > facts.nowMs;
      return make(
        'TLSExpired',
        early
          ? `the certificate is valid only from ${certificate.notBefore} on`
          : `the certificate expired at ${certificate?.notAfter ?? 'an earlier time'}`,
        [note(`renew the certificate of ${certificate?.names.join(', ') ?? host} and let the server load it`)],
      );
    }
    case 'untrusted':
      return make(
        'TLSUntrusted',
        `the client does not know the authority ${certificate?.issuer ?? ''} that signed the server’s certificate${certificate?.selfSigned === true ? ' (it is self-signed)' : ''}${tls.detail === undefined ? '' : `: ${tls.detail}`}`,
        untrustedCure(facts, located),
      );
    case 'client-certificate':
      return found('tls', [clientCertificate(facts, located, tls.detail ?? '', read)]);
    default:
      return make('WrongProtocol', `the TLS handshake failed: ${tls.detail ?? 'no reason given'}`, [
        note('is there a TLS server on this port?'),
      ]);
  }
}

const modeWord = (facts: Facts): string =>
  facts.target.kind === 'address' && facts.target.protocol === 'postgres' ? 'sslmode=' : 'TLS ';

function serverObject(located: Located): ObjectField | undefined {
  const pod = located.backends.find((b) => b.endpoint === 'ready')?.pod ?? located.backends[0]?.pod;
  if (pod !== undefined) return ownerField(pod, 'spec.containers[0]');
  return located.service === undefined ? undefined : serviceField(located.service);
}

/** The server's words when it takes encrypted connections only; undefined when that is not it. */
function requiresTls(facts: Facts, run: ProbeRun, outcome: Outcome): string | undefined {
  const said = outcome.result?.handshake;
  if (outcome.result?.tls?.outcome === 'ok') return undefined;
  const isMute = said?.outcome === 'closed' || said?.outcome === 'wrong-protocol';
  const secured = outcomeOf(facts.withTls).result;
  const spoke = secured?.handshake?.outcome === 'ready' || secured?.handshake?.outcome === 'auth-wanted';
  if (isMute && run === facts.main && (secured?.tls?.outcome === 'ok' || spoke)) return 'it speaks TLS only';
  if (said?.outcome === 'ready' && /HTTPS port|requires TLS/i.test(said.message ?? '')) return said.message;
  if (said?.outcome !== 'rejected') return undefined;
  const message = said.message ?? '';
  if (
    said.code === '3159' ||
    /SSL (is )?required|requires? (SSL|TLS|secure)|insecure transport|secure_transport/i.test(message)
  )
    return message;
  // Postgres names no reason but "no encryption": whether TLS would have been let in, another probe has tried.
  if (/no encryption|SSL off/.test(message) && run === facts.main) {
    const other = outcomeOf(facts.withTls);
    const rejected =
      other.result?.handshake?.outcome === 'rejected' && /pg_hba/.test(other.result.handshake.message ?? '');
    if (other.connected && other.result?.tls?.outcome === 'ok' && !rejected) return message;
    if (
      facts.hba?.some((l) => /^hostssl\s/.test(l.trim())) === true &&
      !facts.hba.some((l) => /^host\s/.test(l.trim()) && !/127\.0\.0\.1|::1/.test(l))
    )
      return message;
  }
  return undefined;
}

function tlsRequired(facts: Facts, located: Located, said: string, read: readonly Evidence[]): Finding {
  const { target } = facts;
  const secure = target.kind === 'address' ? withTls(target.text, target.protocol) : undefined;
  return finding('TLSRequiredByServer', {
    object: serverObject(located),
    message: `the server takes encrypted connections only, and the client does not ask for one: ${JSON.stringify(said)}`,
    evidence: read,
    cure: [note(secure === undefined ? 'connect with TLS' : `use ${secure}`)],
  });
}

function withTls(text: string, protocol: string): string {
  if (/sslmode=\w+/.test(text)) return text.replace(/sslmode=\w+/, 'sslmode=require');
  if (protocol === 'postgres') return `${text}${text.includes('?') ? '&' : '?'}sslmode=require`;
  if (protocol === 'mysql')
    return `${text.replace(/[?&]ssl-mode=\w+/, '')}${text.includes('?') ? '&' : '?'}ssl-mode=REQUIRED`;
  if (protocol === 'mongodb') return `${text}${text.includes('?') ? '&' : '?'}tls=true`;
  return text
    .replace(/^http:/, 'https:')
    .replace(/^redis:/, 'rediss:')
    .replace(/^amqp:/, 'amqps:')
    .replace(/^grpc:/, 'grpcs:')
    .replace(/^tcp:/, 'tls:');
}

function notOfferedCure(facts: Facts, located: Located): Cure[] {
  const text = facts.target.text;
  const plain = text
    .replace(/sslmode=[\w-]+/, 'sslmode=disable')
    .replace(/^https:/, 'http:')
    .replace(/^rediss:/, 'redis:')
    .replace(/^amqps:/, 'amqp:')
    .replace(/^grpcs:/, 'grpc:')
    .replace(/ssl-mode=\w+/, 'ssl-mode=DISABLED')
    .replace(/tls=true/, 'tls=false');
  const pod = located.backends[0]?.pod;
  const server =
    pod !== undefined && located.protocol === 'postgres'
      ? [
          note(
            `or switch TLS on in the server: -c ssl=on -c ssl_cert_file=… -c ssl_key_file=…, with the certificate mounted in ${ownerOf(pod).ref}`,
          ),
        ]
      : [];
  return [note(`where the network is trusted, use ${plain}`), ...server];
}

function untrustedCure(facts: Facts, located: Located): Cure[] {
  const config = facts.objects.configMaps.find((c) =>
    Object.entries(c.data ?? {}).some(
      ([k, v]) => /\.(crt|pem)$/.test(k) && v.includes('BEGIN CERTIFICATE') && !pathOf(c).endsWith('/kube-root-ca.crt'),
    ),
  );
  const where =
    config === undefined ? [] : [note(`ConfigMap ${pathOf(config)} holds an authority: mount it and name the file`)];
  const option = { postgres: 'sslrootcert=FILE', mysql: 'ssl-ca=FILE', mongodb: 'tlsCAFile=FILE' } as Readonly<
    Record<string, string>
  >;
  return [
    note(
      `give the client the certificate of the authority${option[located.protocol] === undefined ? '' : `: ${option[located.protocol]}`}`,
    ),
    ...where,
  ];
}

function clientCertificate(facts: Facts, located: Located, said: string, read: readonly Evidence[]): Finding {
  const postgres = located.protocol === 'postgres';
  void facts;
  return finding('TLSClientCertificateRequired', {
    object: serverObject(located),
    message: `the server wants a certificate of the client, and none was given${said === '' ? '' : `: ${JSON.stringify(said)}`}`,
    evidence: read,
    cure: [
      note(
        postgres
          ? 'add sslcert=FILE and sslkey=FILE to the connection string, signed by the authority that the server trusts'
          : 'give the client its certificate and key',
      ),
    ],
  });
}

/** A row: what the server said → the cause. First match wins. */
interface Said {
  readonly code?: RegExp;
  readonly message?: RegExp;
  readonly means: Code;
}

const SAID: readonly Said[] = [
  {
    message:
      /pgbouncer cannot connect|server login (failed|has been failing)|server_login_retry|server conn crashed|connect failed|query_wait_timeout/i,
    means: 'PoolerUpstreamBroken',
  },
  { message: /no pg_hba\.conf entry|pg_hba\.conf rejects/, means: 'PgHbaRejected' },
  { message: /role "[^"]*" does not exist|no such user/i, means: 'RoleMissing' },
  { code: /^(28P01|1045|1044|1698|18|WRONGPASS|403)$/, means: 'AuthenticationFailed' },
  { message: /is not permitted to log in/, means: 'RoleMissing' },
  { code: /^(3D000|1049)$/, means: 'DatabaseMissing' },
  {
    message: /no such database|Unknown database|vhost .* not found|DB index is out of range/i,
    means: 'DatabaseMissing',
  },
  { code: /^(53300|1040|1203|1226)$/, means: 'TooManyConnections' },
  {
    message:
      /too many (clients|connections)|max number of clients|remaining connection slots|no more connections allowed/i,
    means: 'TooManyConnections',
  },
  { code: /^(57P03|LOADING|MASTERDOWN)$/, means: 'ServerStarting' },
  { message: /starting up|shutting down|recovery mode|not yet accepting/i, means: 'ServerStarting' },
  { code: /^(25006|READONLY)$/, means: 'ReadOnlyReplica' },
  { code: /^(28000|NOAUTH|NOPERM|DENIED|13|530|1130|401)$/, means: 'AuthenticationFailed' },
];

export function meaningOfRejection(code: string | undefined, message: string | undefined): Code | undefined {
  return SAID.find(
    (s) =>
      (s.code === undefined || s.code.test(code ?? '')) && (s.message === undefined || s.message.test(message ?? '')),
  )?.means;
}

/** Postgres asks for a password of roles that do not exist, too, and says so in its log alone. */
function roleInLog(facts: Facts): Evidence | undefined {
  const user = facts.target.kind === 'address' ? facts.target.user : undefined;
  if (!/password authentication failed/.test(outcomeOf(facts.main).result?.handshake?.message ?? '')) return undefined;
  for (const { namespace, pod, lines } of facts.logs) {
    const at = lines.findLastIndex((l) => l.includes(`password authentication failed for user "${user}"`));
    const detail =
      at < 0 ? undefined : lines.slice(at + 1, at + 3).find((l) => l.includes(`Role "${user}" does not exist`));
    if (detail !== undefined) return evidence(`log of pod ${namespace}/${pod}`, detail.trim());
  }
  return undefined;
}

export function checkHandshake(facts: Facts, located: Located): LinkResult | undefined {
  return session(facts, located, 'handshake');
}
export function checkAuthentication(facts: Facts, located: Located): LinkResult | undefined {
  return session(facts, located, 'authentication');
}
export function checkDatabase(facts: Facts, located: Located): LinkResult | undefined {
  return readOnly(facts, located) ?? session(facts, located, 'database');
}

function session(facts: Facts, located: Located, link: LinkName): LinkResult | undefined {
  const talk = conversation(facts);
  const shake = talk?.outcome.result?.handshake;
  if (talk === undefined || shake === undefined) return undefined;
  const { run, outcome, own } = talk;
  if (outcome.failedAt === 'tls' || requiresTls(facts, run, outcome) !== undefined) return undefined;
  if (/client certificate/i.test(shake.message ?? '') && shake.outcome === 'rejected') return undefined;
  const read = describeRun(run).filter((e) => e.text.startsWith(`${run.request.protocol}:`));
  const object = serverObject(located);
  if (shake.outcome === 'ready' || shake.outcome === 'auth-wanted') return fine(facts, link, shake.outcome, read, run);
  if (shake.outcome === 'rejected') {
    const logged = roleInLog(facts);
    const code = logged === undefined ? meaningOfRejection(shake.code, shake.message) : 'RoleMissing';
    if (code === undefined) {
      if (link !== 'handshake') return undefined;
      return {
        link,
        state: 'warned',
        detail: `the server answered ${shake.code ?? ''} ${shake.message ?? ''}`.trim(),
        evidence: read,
        findings: [],
      };
    }
    // What depends on the client's address is not known from a probe made inside the pod.
    if (!own && (code === 'PgHbaRejected' || code === 'RoleMissing' || code === 'AuthenticationFailed'))
      return undefined;
    const words = logged?.text ?? shake.message ?? shake.code ?? '';
    const cause = rejection(facts, located, code, words, logged === undefined ? read : [...read, logged], object);
    if (cause.link === 'listener') return link === 'handshake' ? found('handshake', [cause]) : undefined;
    if (cause.link !== link) return before(link, cause.link) ? ok(link, 'the server answered', read) : undefined;
    const extra = link === 'authentication' || link === 'handshake' ? execOnly(facts) : [];
    return found(link, [cause, ...extra]);
  }
  if (link !== 'handshake') return undefined;
  return found('handshake', [strange(facts, located, run, read)]);
}

const ORDER: readonly LinkName[] = ['tls', 'handshake', 'authentication', 'database'];
const before = (a: LinkName, b: LinkName): boolean => ORDER.indexOf(a) < ORDER.indexOf(b);

function fine(
  facts: Facts,
  link: LinkName,
  outcome: 'ready' | 'auth-wanted',
  read: readonly Evidence[],
  run: ProbeRun,
): LinkResult | undefined {
  const plain = run.request.protocol === 'tcp' || run.request.protocol === 'udp' || run.request.protocol === 'tls';
  if (link === 'handshake') return plain ? undefined : ok(link, 'the server answers in its protocol', read);
  if (plain || run.request.protocol === 'http' || run.request.protocol === 'grpc') return undefined;
  if (outcome === 'ready')
    return run.request.password !== undefined || run.request.user !== undefined
      ? ok(
          link,
          link === 'database'
            ? `${facts.target.kind === 'address' ? (facts.target.database ?? 'the default') : ''} is there`
            : 'logged in',
          read,
        )
      : undefined;
  return link === 'authentication'
    ? ok(link, 'the server asks for a password; none was given, so no log-in was tried', read)
    : undefined;
}

function rejection(
  facts: Facts,
  located: Located,
  code: Code,
  said: string,
  read: readonly Evidence[],
  object: ObjectField | undefined,
): Finding {
  const { target } = facts;
  const user = (target.kind === 'address' ? target.user : undefined) ?? 'USER';
  const database = (target.kind === 'address' ? target.database : undefined) ?? user;
  const pod = located.backends.find((b) => b.endpoint === 'ready')?.pod ?? located.backends[0]?.pod;
  const exec = pod === undefined ? undefined : `kubectl -n ${namespaceOf(pod)} exec ${nameOf(pod)} --`;
  const superuser = superuserOf(pod);
  const psql =
    exec === undefined || located.protocol !== 'postgres'
      ? undefined
      : (sql: string) => `${exec} psql -U ${superuser} -d postgres -c ${JSON.stringify(sql)}`;
  const mysql =
    exec === undefined || located.protocol !== 'mysql'
      ? undefined
      : (sql: string) => `${exec} sh -c ${JSON.stringify(`mysql -uroot -p"$MYSQL_ROOT_PASSWORD" -e '${sql}'`)}`;
  const quoted = JSON.stringify(said);
  const make = (message: string, cure: readonly Cure[], more: readonly Evidence[] = []): Finding =>
    finding(code, { object, message, evidence: [...read, ...more], cure });
  switch (code) {
    case 'PgHbaRejected':
      return hba(facts, located, said, read, object, exec, user, database);
    case 'RoleMissing':
      if (/not permitted to log in/.test(said) && psql !== undefined)
        return make(`the role ${user} may not log in: ${quoted}`, [
          command(`${exec} psql -U ${superuser} -d postgres -c ${quote(`ALTER ROLE "${user}" LOGIN`)}`),
        ]);
      return make(
        `the server has no user ${user}: ${quoted}`,
        psql === undefined
          ? [note(`create user ${user}`)]
          : setPassword(pod!, superuser, `CREATE ROLE "${user}" LOGIN PASSWORD`),
      );
    case 'AuthenticationFailed':
      return make(
        `the server does not accept these credentials of ${user}: ${quoted}`,
        psql === undefined
          ? [note('use the password that the server was initialised with, or set it anew')]
          : [
              ...setPassword(pod!, superuser, `ALTER ROLE "${user}" PASSWORD`),
              note('POSTGRES_PASSWORD counts only while the data directory is empty'),
            ],
      );
    case 'DatabaseMissing':
      return make(
        `the server has no database ${database}: ${quoted}`,
        psql !== undefined
          ? [command(`${exec} createdb -U ${superuser}${user === 'USER' ? '' : ` -O ${user}`} ${database}`)]
          : mysql !== undefined
            ? [command(mysql(`CREATE DATABASE ${database}`))]
            : [note(`create ${database}, or use one that exists`)],
      );
    case 'TooManyConnections':
      return make(`all connections that the server allows are taken: ${quoted}`, [
        ...(psql === undefined
          ? []
          : [
              command(
                psql(
                  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' AND pid <> pg_backend_pid()",
                ),
              ),
            ]),
        note('then put a pooler in front, or raise max_connections'),
      ]);
    case 'ServerStarting':
      return make(`the server is not ready for clients: ${quoted}`, [
        note(
          `wait; its log says how far it is${pod === undefined ? '' : `: kubectl -n ${namespaceOf(pod)} logs ${nameOf(pod)}`}`,
        ),
      ]);
    case 'ReadOnlyReplica':
      return make(`the server takes no writes: ${quoted}`, [note('connect to the primary')]);
    case 'PoolerUpstreamBroken':
      return pooler(facts, located, said, read, object);
    default:
      return make(quoted, [note('see the server’s words')]);
  }
}

export function pooler(
  facts: Facts,
  located: Located,
  said: string,
  read: readonly Evidence[],
  object: ObjectField | undefined,
): Finding {
  const cause = facts.upstream?.report.cause;
  const pod = located.backends[0]?.pod;
  return finding('PoolerUpstreamBroken', {
    object: cause?.object ?? object,
    message: `the pooler${pod === undefined ? '' : ` in pod ${pathOf(pod)}`} works and cannot reach the database behind it${facts.upstream === undefined ? '' : ` (${facts.upstream.target})`}: ${cause === undefined ? JSON.stringify(said) : `${cause.code}: ${cause.message}`}`,
    evidence: [
      ...read,
      ...(facts.upstream === undefined ? [] : [evidence(facts.upstream.read, facts.upstream.target)]),
      ...(cause?.evidence ?? []),
    ],
    cure: cause?.cure ?? [note('mend the upstream: its address stands in the pooler’s configuration')],
  });
}

function strange(facts: Facts, located: Located, run: ProbeRun, read: readonly Evidence[]): Finding {
  const shake = outcomeOf(run).result!.handshake!;
  const looks = shake.looksLike;
  const wanted = run.request.protocol;
  if (shake.outcome === 'wrong-protocol') {
    const byIngress = located.via === 'ingress' && wanted !== 'http' && wanted !== 'grpc';
    return finding('WrongProtocol', {
      object: located.service === undefined ? serverObject(located) : serviceField(located.service, 'spec.ports'),
      message: `what answers on ${located.host}:${located.port} is no ${wanted} server${looks === undefined ? '' : `; it looks like ${looks}`}`,
      evidence: read,
      cure: [
        note(
          byIngress
            ? 'an Ingress routes HTTP only'
            : `connect to the port of the ${wanted} server${looks === undefined ? '' : `, or by ${looks} to this one`}`,
        ),
      ],
    });
  }
  const silent = shake.outcome === 'silent';
  void facts;
  return finding(silent ? 'ServerStarting' : 'WrongProtocol', {
    object:
      silent || located.service === undefined ? serverObject(located) : serviceField(located.service, 'spec.ports'),
    message: silent
      ? `the server took the connection and says nothing`
      : `the server closed the connection without a word${shake.message === undefined ? '' : `: ${shake.message}`}`,
    evidence: read,
    cure: [
      note(
        silent
          ? 'it may hang, be overloaded or wait for another protocol: look at its log'
          : 'it may want TLS from the first byte, or be another kind of server: look at its log',
      ),
    ],
    certainty: 'likely',
  });
}

/** The same words from the server's own localhost were let in: that says nothing about clients from elsewhere. */
function execOnly(facts: Facts): readonly Finding[] {
  const local = facts.inside.find(
    (r) => /^(127\.|localhost)/.test(r.request.host) && outcomeOf(r).result?.handshake?.outcome === 'ready',
  );
  if (local === undefined || local.from.at !== 'pod') return [];
  return [
    finding('WorksByExecOnly', {
      object: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: local.from.namespace,
        name: local.from.pod,
        field: 'pg_hba.conf',
      },
      message: `from inside pod ${local.from.namespace}/${local.from.pod} on localhost the same user gets in without a password: kubectl exec proves nothing about clients that come over the network`,
      evidence: describeRun(local),
      cure: [note('test from a client pod')],
      certainty: 'warning',
    }),
  ];
}

/** A standby where the user said that writes are wanted; else only a word. */
function readOnly(facts: Facts, located: Located): LinkResult | undefined {
  const talk = conversation(facts);
  if (talk?.outcome.result?.handshake?.readOnly !== true) return undefined;
  const writes = facts.target.kind === 'address' && facts.target.writes === true;
  const { service } = located;
  const primary = facts.objects.services.find(
    (s) =>
      service !== undefined && namespaceOf(s) === namespaceOf(service) && /primary|master|-rw$|write/.test(nameOf(s)),
  );
  return found('database', [
    finding('ReadOnlyReplica', {
      object: service === undefined ? serverObject(located) : serviceField(service, 'spec.selector'),
      message: `${located.host} led to a standby, which takes no writes`,
      evidence: describeRun(talk.run),
      cure: [
        note(
          primary === undefined
            ? 'connect to the primary’s own name'
            : `use ${facts.target.text.replace(located.host, `${nameOf(primary)}.${namespaceOf(primary)}`)}`,
        ),
      ],
      certainty: writes ? 'sure' : 'warning',
    }),
  ]);
}
