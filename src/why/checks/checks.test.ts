// Every code that stands at one link, by the smallest cluster that shows it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { explain } from '../explain.ts';
import type { Facts } from '../facts.ts';
import type { HandshakeAttempt, TlsAttempt } from '../probe/result.ts';
import {
  connected,
  failed,
  makeClient,
  makeFacts,
  makeNamespace,
  makePod,
  makePolicy,
  makeService,
  makeSocket,
  unresolved,
} from '../testing.ts';

const causeOf = (facts: Facts): string => {
  const { verdict, cause } = explain(facts);
  return cause === undefined
    ? verdict
    : `${cause.code} ${cause.object?.kind} ${cause.object?.name} ${cause.object?.field ?? ''}`.trim();
};
const curesOf = (facts: Facts): string =>
  explain(facts)
    .cause?.cure.map((c) => c.text)
    .join('\n') ?? '';
const cases = (rows: readonly (readonly [string, Facts, string])[]) => {
  for (const [what, facts, wanted] of rows) it(`${what}: ${wanted}`, () => assert.equal(causeOf(facts), wanted));
};
const asked = (host: string) => ({ target: `tcp://${host}:5432`, probe: unresolved() });
const withPod = (pod: Pod, more: Partial<Parameters<typeof makeFacts>[0]> = {}) =>
  makeFacts({ pods: [makeClient(), pod], probe: failed('refused'), ...more });

describe('checkName', () => {
  const aliased = (ip: string) => makeClient({ spec: { hostAliases: [{ ip, hostnames: ['postgres.db'] }] } });
  const external = (externalName: string) => ({
    metadata: { name: 'alias', namespace: 'app' },
    spec: { type: 'ExternalName', externalName },
  });
  cases([
    ['a misspelt Service', makeFacts(asked('postgress.db')), 'NameNotFound Service postgres'],
    ['a misspelt namespace', makeFacts(asked('postgres.bd')), 'NameNotFound Service postgres'],
    ['a name like no other', makeFacts(asked('zookeeper')), 'NameNotFound undefined undefined'],
    ['a Service of another namespace', makeFacts(asked('postgres')), 'NameInOtherNamespace Service postgres'],
    [
      'a Service of another namespace, said to be here',
      makeFacts(asked('postgres.app')),
      'NameInOtherNamespace Service postgres',
    ],
    [
      'a hosts entry that leads elsewhere',
      makeFacts({ pods: [aliased('10.244.1.99'), makePod()], probe: failed('timeout') }),
      'NamePointsElsewhere Pod api spec.hostAliases[0]',
    ],
    [
      'a hosts entry that leads to the Service',
      makeFacts({ pods: [aliased('10.96.42.7'), makePod()], probe: connected() }),
      'ok',
    ],
    [
      'an alias of a name that is not there',
      makeFacts({ ...asked('alias'), services: [makeService(), external('postgress.db.svc.cluster.local')] }),
      'NamePointsElsewhere Service alias spec.externalName',
    ],
    [
      'an alias of the Service',
      makeFacts({
        target: 'tcp://alias:5432',
        services: [makeService(), external('postgres.db.svc.cluster.local')],
        probe: connected(),
      }),
      'ok',
    ],
    [
      'a server that does not answer',
      makeFacts({
        probe: unresolved('timeout'),
        services: [makeService(), makeService({ clusterIP: '10.96.0.10' }, 'kube-dns', 'kube-system')],
      }),
      'DNSUnreachable Service kube-dns',
    ],
    [
      'a policy that keeps DNS out',
      makeFacts({
        probe: unresolved('timeout'),
        policies: [
          makePolicy('app', {
            podSelector: {},
            policyTypes: ['Egress'],
            egress: [{ to: [{ namespaceSelector: {} }], ports: [{ port: 5432 }] }],
          }),
        ],
      }),
      'DNSDeniedByPolicy NetworkPolicy policy spec.egress[0].ports',
    ],
    [
      'dnsPolicy Default',
      makeFacts({ pods: [makeClient({ spec: { dnsPolicy: 'Default' } }), makePod()], probe: unresolved() }),
      'ClusterDNSNameFromOutside Pod api spec.dnsPolicy',
    ],
  ]);

  it('sets the variable of the workload that holds the wrong name', () => {
    const api = makeClient({ deployment: 'api', container: { env: [{ name: 'DB_HOST', value: 'postgress.db' }] } });
    assert.match(
      curesOf(makeFacts({ ...asked('postgress.db'), pods: [api, makePod()] })),
      /kubectl -n app set env deployment\/api -c main DB_HOST=postgres\.db/,
    );
  });

  const named = (pod: Pod) =>
    makeFacts({
      target: 'tcp://postgres-0.postgres.db:5432',
      services: [makeService({ clusterIP: 'None' })],
      pods: [makeClient(), pod],
      probe: unresolved(),
    });
  it('knows a pod’s own name whose pod is not ready', () => {
    const container = { readinessProbe: { exec: { command: ['false'] } } };
    assert.equal(
      causeOf(named(makePod({ ready: false, container, spec: { hostname: 'postgres-0', subdomain: 'postgres' } }))),
      'PodNotReady Pod postgres-0 spec.containers[0].readinessProbe',
    );
  });
});

describe('checkAddress', () => {
  const at = (ip: string, more = {}) =>
    makeFacts({ target: `postgres://app@${ip}:5432/x`, probe: failed('timeout', ip), ...more });
  const other = makePod({
    name: 'web',
    ip: '10.244.2.9',
    labels: { app: 'web' },
    container: { ports: [{ containerPort: 80 }] },
  });
  cases([
    ['nobody has it', at('10.244.2.99'), 'PodIPStale Service postgres'],
    [
      'another pod has it',
      at('10.244.2.9', { pods: [makeClient(), makePod(), other] }),
      'PodIPReused Pod web status.podIP',
    ],
    ['the database has it', at('10.244.2.7', { probe: connected() }), 'ok'],
    [
      'endpoints by hand that are nobody’s',
      makeFacts({
        probe: failed('timeout'),
        services: [makeService({ selector: {} })],
        slices: [
          {
            metadata: { name: 'hand', namespace: 'db', labels: { 'kubernetes.io/service-name': 'postgres' } },
            addressType: 'IPv4',
            ports: [{ port: 5432 }],
            endpoints: [{ addresses: ['10.244.2.55'] }],
          },
        ],
      }),
      'PodIPStale EndpointSlice hand endpoints[0].addresses',
    ],
  ]);
});

describe('checkService', () => {
  cases([
    [
      'a port that it has not',
      makeFacts({ target: 'tcp://postgres.db:5433', probe: failed('timeout') }),
      'ServicePortMissing Service postgres spec.ports',
    ],
    [
      'a port for UDP only',
      makeFacts({ services: [makeService({ ports: [{ port: 5432, protocol: 'UDP' }] })], probe: failed('timeout') }),
      'ServicePortMissing Service postgres spec.ports',
    ],
    [
      'a headless one that should translate',
      makeFacts({
        target: 'tcp://postgres.db:80',
        services: [makeService({ clusterIP: 'None', ports: [{ port: 80, targetPort: 5432 }] })],
        probe: failed('refused'),
      }),
      'HeadlessHasNoPort Service postgres spec.ports[0].targetPort',
    ],
    [
      'a headless one on the pods’ port',
      makeFacts({ services: [makeService({ clusterIP: 'None' })], probe: connected() }),
      'ok',
    ],
  ]);
});

describe('checkEndpoint', () => {
  const service = (spec: object) => ({ services: [makeService(spec)], probe: failed('refused') });
  const unready = (readinessProbe: Container['readinessProbe'], ports = [{ containerPort: 5432, name: 'pg' }]) =>
    makeFacts({
      probe: failed('refused'),
      pods: [
        makeClient(),
        makePod({
          ready: false,
          deployment: 'pg',
          container: { ports, ...(readinessProbe === undefined ? {} : { readinessProbe }) },
        }),
      ],
      sockets: [makeSocket(5432)],
    });
  cases([
    [
      'labels that nobody has',
      makeFacts(service({ selector: { app: 'postgress' } })),
      'SelectorMatchesNothing Service postgres spec.selector',
    ],
    [
      'the right Deployment, scaled to nothing, beside another pod',
      makeFacts({
        probe: failed('refused'),
        pods: [makeClient(), makePod({ name: 'other', labels: { app: 'postgrest' } })],
        workloads: [{ kind: 'Deployment', namespace: 'db', name: 'pg', replicas: 0, labels: { app: 'postgres' } }],
      }),
      'SelectorMatchesNothing Deployment pg spec.replicas',
    ],
    [
      'a Deployment that may not make its pods',
      makeFacts({
        probe: failed('refused'),
        pods: [makeClient()],
        workloads: [
          {
            kind: 'Deployment',
            namespace: 'db',
            name: 'pg',
            replicas: 1,
            labels: { app: 'postgres' },
            failure: 'exceeded quota',
          },
        ],
      }),
      'SelectorMatchesNothing Deployment pg status.conditions',
    ],
    [
      'endpoints written by hand that are nobody’s',
      makeFacts({
        probe: failed('timeout'),
        services: [makeService({ selector: {} })],
        slices: [
          {
            metadata: { name: 'mine', namespace: 'db', labels: { 'kubernetes.io/service-name': 'postgres' } },
            addressType: 'IPv4',
            ports: [{ port: 5432 }],
            endpoints: [{ addresses: ['10.244.2.99'] }],
          },
        ],
      }),
      'PodIPStale EndpointSlice mine endpoints[0].addresses',
    ],
    [
      'a probe that fails',
      unready({ httpGet: { path: '/ready', port: 5432 } }),
      'NoReadyEndpoints Deployment pg spec.template.spec.containers[0].readinessProbe',
    ],
    [
      'a targetPort where nobody listens',
      makeFacts({ ...service({ ports: [{ port: 5432, targetPort: 5433 }] }), sockets: [makeSocket(5432)] }),
      'TargetPortMismatch Service postgres spec.ports[0].targetPort',
    ],
    [
      'a targetPort whose name is nobody’s',
      makeFacts(service({ ports: [{ port: 5432, targetPort: 'postgres' }] })),
      'TargetPortMismatch Service postgres spec.ports[0].targetPort',
    ],
    [
      'a Local policy without a pod here',
      makeFacts({ ...service({ internalTrafficPolicy: 'Local' }), probe: failed('timeout') }),
      'NoLocalEndpoint Service postgres spec.internalTrafficPolicy',
    ],
  ]);

  it('patches the selector to the nearest labels', () =>
    assert.match(curesOf(makeFacts(service({ selector: { app: 'postgress' } }))), /"value":\{"app":"postgres"\}/));
  it('moves a probe to the port on which the server listens', () =>
    assert.match(curesOf(unready({ tcpSocket: { port: 5433 } })), /readinessProbe\/tcpSocket\/port","value":5432/));
});

describe('checkEgressPolicy', () => {
  const egress = (rules: object[]) =>
    makeFacts({
      probe: failed('timeout'),
      policies: [makePolicy('app', { podSelector: {}, policyTypes: ['Egress'], egress: rules })],
    });
  cases([
    [
      'nothing is allowed',
      egress([{ ports: [{ protocol: 'UDP', port: 53 }] }]),
      'EgressDenied NetworkPolicy policy spec.egress[0].ports',
    ],
    [
      'another port',
      egress([
        { to: [{ namespaceSelector: {} }], ports: [{ port: 5433 }] },
        { ports: [{ protocol: 'UDP', port: 53 }] },
      ]),
      'EgressDenied NetworkPolicy policy spec.egress[0].ports',
    ],
    [
      'this peer and port',
      {
        ...egress([
          {
            to: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'postgres' } } }],
            ports: [{ port: 5432 }],
          },
        ]),
        main: makeFacts({ probe: connected() }).main!,
      },
      'ok',
    ],
  ]);

  it('allows the port to which a mended Service will lead', () => {
    const report = explain(
      makeFacts({
        probe: failed('timeout'),
        services: [makeService({ ports: [{ port: 5432, targetPort: 9, protocol: 'TCP' }] })],
        sockets: [makeSocket(5432)],
        policies: [
          makePolicy('app', {
            podSelector: {},
            policyTypes: ['Egress'],
            egress: [{ ports: [{ protocol: 'UDP', port: 53 }] }],
          }),
        ],
      }),
    );
    assert.equal(report.cause?.code, 'TargetPortMismatch');
    assert.deepEqual(
      report.alsoBroken.map((c) => c.code),
      ['EgressDenied'],
    );
    assert.match(report.alsoBroken[0]!.cure[0]!.text, /port: 5432/);
  });
});

describe('checkIngressPolicy', () => {
  const from = (peer: object, ports?: object[]) =>
    makeFacts({
      probe: failed('timeout'),
      policies: [
        makePolicy('db', {
          podSelector: { matchLabels: { app: 'postgres' } },
          ingress: [{ from: [peer], ...(ports === undefined ? {} : { ports }) }],
        }),
      ],
    });
  cases([
    [
      'a namespace without the label',
      from({ namespaceSelector: { matchLabels: { name: 'app' } }, podSelector: { matchLabels: { app: 'api' } } }),
      'IngressDenied NetworkPolicy policy spec.ingress[0].from',
    ],
    [
      'pods of its own namespace only',
      from({ podSelector: {} }),
      'IngressDenied NetworkPolicy policy spec.ingress[0].from',
    ],
    [
      'another port',
      from({ namespaceSelector: {} }, [{ port: 5433 }]),
      'IngressDenied NetworkPolicy policy spec.ingress[0].ports',
    ],
    [
      'other addresses',
      from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.244.0.0/16'] } }),
      'IngressDenied NetworkPolicy policy spec.ingress[0].from',
    ],
  ]);

  it('writes the policy that lets exactly this peer and port through', () => {
    const cure = curesOf(from({ podSelector: {} }));
    assert.match(cure, /kubernetes\.io\/metadata\.name: app/);
    assert.match(cure, /port: 5432/);
    assert.match(cure, /matchLabels:\n\s+app: postgres/);
  });
});

describe('checkPod', () => {
  const waiting = (reason: string, more = {}) => ({
    phase: 'Pending',
    containerStatuses: [
      { name: 'main', image: 'x', imageID: '', ready: false, restartCount: 0, state: { waiting: { reason } }, ...more },
    ],
  });
  const init = (state: object) => ({ name: 'first', image: 'x', imageID: '', ready: false, restartCount: 0, state });
  const unscheduled = (message: string) => ({
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'False', message }],
  });
  cases([
    [
      'an image that is not there',
      withPod(makePod({ ready: false, status: waiting('ImagePullBackOff') })),
      'ImagePullFailed Pod postgres-0 spec.containers[0].image',
    ],
    [
      'a node selector that fits no node',
      withPod(
        makePod({
          deployment: 'pg',
          ready: false,
          spec: { nodeSelector: { disk: 'ssd' } },
          status: unscheduled('0/2 nodes are available'),
        }),
      ),
      'PodPending Deployment pg spec.template.spec.nodeSelector',
    ],
    [
      'a request that fits no node',
      withPod(
        makePod({
          deployment: 'pg',
          ready: false,
          container: { resources: { requests: { cpu: '64' } } },
          status: unscheduled('0/2 nodes are available: 2 Insufficient cpu.'),
        }),
      ),
      'PodPending Deployment pg spec.template.spec.containers[0].resources.requests.cpu',
    ],
    [
      'the image of an init container',
      withPod(
        makePod({
          deployment: 'pg',
          ready: false,
          spec: { initContainers: [{ name: 'first', image: 'x' }] },
          status: { phase: 'Pending', initContainerStatuses: [init({ waiting: { reason: 'ImagePullBackOff' } })] },
        }),
      ),
      'ImagePullFailed Deployment pg spec.template.spec.initContainers[0].image',
    ],
    [
      'an init container that goes on',
      withPod(
        makePod({
          ready: false,
          spec: { initContainers: [{ name: 'first', image: 'x' }] },
          status: { phase: 'Pending', initContainerStatuses: [init({ running: {} })] },
        }),
      ),
      'PodPending Pod postgres-0 spec.initContainers[0]',
    ],
    [
      'a Secret that is not there',
      withPod(
        makePod({
          ready: false,
          container: { envFrom: [{ configMapRef: { name: 'a' } }, { secretRef: { name: 'keys' } }] },
          status: waiting('CreateContainerConfigError', {
            state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "keys" not found' } },
          }),
        }),
      ),
      'PodPending Pod postgres-0 spec.containers[0].envFrom[1]',
    ],
    [
      'a deletion that nobody follows',
      withPod(makePod({ deleted: '2026-05-20T11:00:00Z' })),
      'PodTerminating Pod postgres-0 metadata.deletionTimestamp',
    ],
    [
      'a pod alone that is not ready',
      makeFacts({
        target: 'db/pod/postgres-0',
        pods: [makeClient(), makePod({ ready: false, spec: { readinessGates: [{ conditionType: 'x/y' }] } })],
        probe: failed('refused'),
      }),
      'PodNotReady Pod postgres-0 spec.readinessGates',
    ],
  ]);

  it('quotes what a crashed program said', () => {
    const status = {
      ...waiting('CrashLoopBackOff', { restartCount: 5, lastState: { terminated: { exitCode: 1 } } }),
      phase: 'Running',
    };
    const logs = [
      {
        namespace: 'db',
        pod: 'postgres-0',
        container: 'main',
        previous: true,
        lines: ['starting', 'Error: superuser password is not specified.'],
      },
    ];
    const report = explain(withPod(makePod({ deployment: 'pg', ready: false, status }), { more: { logs } }));
    assert.equal(report.cause?.code, 'CrashLoopBackOff');
    assert.match(report.cause!.message, /superuser password is not specified/);
    assert.match(report.cause!.cure[0]!.text, /set env deployment\/pg -c main POSTGRES_PASSWORD=/);
  });
});

describe('checkListener', () => {
  const listening =
    (...sockets: ReturnType<typeof makeSocket>[]) =>
    (container: Partial<Container> = {}) =>
      withPod(makePod({ deployment: 'pg', container }), { sockets });
  cases([
    ['nobody', listening()(), 'NothingListening Deployment pg spec.template.spec.containers'],
    [
      'loopback, by an argument',
      listening(makeSocket(5432, '127.0.0.1'))({ args: ['postgres', '-c', 'listen_addresses=localhost'] }),
      'ListenerOnLoopback Deployment pg spec.template.spec.containers[0].args',
    ],
    [
      'loopback, by a variable',
      listening(makeSocket(5432, '127.0.0.1'))({ env: [{ name: 'LISTEN_ADDRESS', value: '127.0.0.1' }] }),
      'ListenerOnLoopback Deployment pg spec.template.spec.containers[0].env[0].value',
    ],
    [
      'another port',
      listening(makeSocket(5433))({ args: ['postgres', '-p', '5433'] }),
      'ListenerOtherPort Deployment pg spec.template.spec.containers[0].args',
    ],
    [
      'the other family',
      listening({ ...makeSocket(5432, '::'), dual: false })(),
      'ListenerOtherFamily Deployment pg spec.template.spec.containers[0]',
    ],
  ]);

  it('lets the server listen on all addresses', () =>
    assert.match(
      curesOf(listening(makeSocket(5432, '127.0.0.1'))({ args: ['postgres', '-c', 'listen_addresses=localhost'] })),
      /args\/2","value":"listen_addresses=\*"/,
    ));
  it('moves the server to the port it should have, and its probes with it', () => {
    const cures = curesOf(
      listening(makeSocket(5433))({
        args: ['postgres', '-c', 'port=5433'],
        readinessProbe: { tcpSocket: { port: 5433 } },
        livenessProbe: { exec: { command: ['pg_isready', '-p', '5433'] } },
      }),
    );
    assert.match(cures, /args\/2","value":"port=5432"/);
    assert.match(cures, /readinessProbe\/tcpSocket\/port","value":5432/);
    assert.match(cures, /livenessProbe\/exec\/command\/2","value":"5432"/);
  });
  it('takes an IPv6 wildcard for both families', () =>
    assert.equal(causeOf(makeFacts({ probe: connected(), sockets: [makeSocket(5432, '::')] })), 'ok'));

  it('goes on to the upstream of a pooler', () => {
    const report = explain(
      makeFacts({ policies: [makePolicy('db', { podSelector: {} }, 'deny')], probe: failed('timeout') }),
    );
    const facts = makeFacts({
      probe: connected(),
      more: { upstream: { read: 'environment', target: 'postgres://postgres.db:5432', report } },
    });
    assert.equal(causeOf(facts), 'PoolerUpstreamBroken NetworkPolicy deny spec.ingress');
  });
});

describe('checkTls', () => {
  const spoken = (tls: TlsAttempt, url = 'postgres://app@postgres.db:5432/x?sslmode=verify-full') =>
    makeFacts({ target: url, probe: connected({ tls }) });
  const certificate = {
    subject: 'CN=db',
    issuer: 'CN=ca',
    names: ['db.example.com'],
    notBefore: '2020-01-01T00:00:00Z',
    notAfter: '2025-01-01T00:00:00Z',
    selfSigned: false,
  };
  cases([
    ['none offered', spoken({ outcome: 'not-offered' }), 'TLSNotOffered Pod postgres-0 spec.containers[0]'],
    [
      'none offered, and not insisted on',
      spoken({ outcome: 'not-offered' }, 'postgres://app@postgres.db:5432/x'),
      'ok',
    ],
    [
      'another name',
      spoken({ outcome: 'name-mismatch', certificate }),
      'TLSNameMismatch Pod postgres-0 spec.containers[0]',
    ],
    [
      'an unknown authority',
      spoken({ outcome: 'untrusted', certificate }),
      'TLSUntrusted Pod postgres-0 spec.containers[0]',
    ],
    ['out of date', spoken({ outcome: 'expired', certificate }), 'TLSExpired Pod postgres-0 spec.containers[0]'],
    [
      'a client certificate wanted',
      spoken({ outcome: 'client-certificate' }),
      'TLSClientCertificateRequired Pod postgres-0 spec.containers[0]',
    ],
  ]);
});

describe('checkHandshake', () => {
  const said = (handshake: Partial<HandshakeAttempt>, more: Partial<Facts> = {}) =>
    makeFacts({
      target: 'postgres://app@postgres.db:5432/x',
      probe: connected({ handshake: { outcome: 'rejected', ...handshake } }),
      more,
    });
  const noEntry = 'no pg_hba.conf entry for host "10.244.1.5", user "app", database "x", no encryption';
  const secure = {
    from: { at: 'laptop' as const },
    request: { host: 'x', port: 1, protocol: 'postgres' as const, timeoutMs: 1 },
    result: connected({ tls: { outcome: 'ok' }, handshake: { outcome: 'auth-wanted' } }),
  };
  const codeOf = (facts: Facts) => explain(facts).cause?.code ?? explain(facts).verdict;
  const rows: readonly (readonly [string, Facts, string])[] = [
    ['no line of the access list', said({ code: '28000', message: noEntry }), 'PgHbaRejected'],
    [
      'lines for encrypted connections only',
      said({ code: '28000', message: noEntry }, { withTls: secure }),
      'TLSRequiredByServer',
    ],
    [
      'MySQL without TLS',
      said({ code: '3159', message: 'Connections using insecure transport are prohibited' }),
      'TLSRequiredByServer',
    ],
    [
      'a wrong password',
      said({ code: '28P01', message: 'password authentication failed for user "app"' }),
      'AuthenticationFailed',
    ],
    ['no such role', said({ code: '28000', message: 'role "app" does not exist' }), 'RoleMissing'],
    ['no such database', said({ code: '3D000', message: 'database "x" does not exist' }), 'DatabaseMissing'],
    ['too many', said({ code: '53300', message: 'sorry, too many clients already' }), 'TooManyConnections'],
    ['starting', said({ code: '57P03', message: 'the database system is starting up' }), 'ServerStarting'],
    ['redis is loading', said({ code: 'LOADING' }), 'ServerStarting'],
    ['another protocol', said({ outcome: 'wrong-protocol', looksLike: 'http' }), 'WrongProtocol'],
    [
      'a pooler that has no server',
      said({ code: '08P01', message: 'pgbouncer cannot connect to server' }),
      'PoolerUpstreamBroken',
    ],
    ['a password is wanted', said({ outcome: 'auth-wanted' }), 'ok'],
  ];
  for (const [what, facts, wanted] of rows) it(`${what}: ${wanted}`, () => assert.equal(codeOf(facts), wanted));

  it('shows the line that rejects, and puts one before it', () => {
    const facts = said(
      {
        code: '28000',
        message: 'pg_hba.conf rejects connection for host "10.244.1.5", user "app", database "x", no encryption',
      },
      { hba: ['local all all trust', 'host all all all reject'] },
    );
    assert.match(explain(facts).cause!.message, /line 2: host all all all reject/);
    assert.match(curesOf(facts), /sed -i "2i host x app 10\.244\.0\.0\/16 scram-sha-256"/);
  });

  it('warns of a standby, which is the cause only where writes are wanted', () => {
    const standby = (url: string) =>
      explain(makeFacts({ target: url, probe: connected({ handshake: { outcome: 'ready', readOnly: true } }) }));
    assert.deepEqual(
      standby('postgres://app@postgres.db/x').warnings.map((w) => w.code),
      ['ReadOnlyReplica'],
    );
    assert.equal(
      standby('postgres://app@postgres.db/x?target_session_attrs=read-write').cause?.code,
      'ReadOnlyReplica',
    );
  });
});

describe('checkStorage', () => {
  const claimed = (name: string): Partial<Pod['spec']> & object => ({
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }],
  });
  const status = {
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'False', message: 'persistentvolumeclaim "data" not found' }],
  };
  const claim = {
    metadata: { name: 'data', namespace: 'db' },
    spec: { storageClassName: 'gp3-ssd' },
    status: { phase: 'Pending' },
  };
  cases([
    [
      'no such claim',
      withPod(makePod({ deployment: 'pg', ready: false, spec: claimed('data') as object, status })),
      'ClaimMissing Deployment pg spec.template.spec.volumes[0].persistentVolumeClaim.claimName',
    ],
    [
      'no such class',
      withPod(makePod({ ready: false, spec: claimed('data') as object, status }), { claims: [claim] }),
      'ClaimPending PersistentVolumeClaim data spec.storageClassName',
    ],
  ]);

  const warned = (pod: Pod) =>
    explain(makeFacts({ pods: [makeClient(), pod], probe: connected() })).warnings.map(
      (w) => `${w.code} ${w.object?.field}`,
    );
  const mounted = (mountPath: string, spec: object) =>
    makePod({ image: 'postgres:16.3', container: { volumeMounts: [{ name: 'data', mountPath }] }, spec });
  it('warns of data that end with the pod', () => {
    assert.deepEqual(warned(makePod({ image: 'postgres:16.3' })), ['DataNotPersistent spec.volumes']);
    assert.deepEqual(warned(mounted('/var/lib/postgresql/data', { volumes: [{ name: 'data', emptyDir: {} }] })), [
      'DataNotPersistent spec.volumes[0].emptyDir',
    ]);
    assert.deepEqual(warned(mounted('/data', claimed('data'))), [
      'DataBesideMount spec.containers[0].volumeMounts[0].mountPath',
    ]);
    assert.deepEqual(warned(mounted('/var/lib/postgresql/data', claimed('data'))), []);
  });

  it('knows a volume that another node still holds', () => {
    const event = {
      metadata: { name: 'e', namespace: 'db' },
      involvedObject: { kind: 'Pod', name: 'postgres-0', namespace: 'db', uid: 'uid-db-postgres-0' },
      type: 'Warning',
      reason: 'FailedAttachVolume',
      message: 'Multi-Attach error for volume "pv": already used by pod(s) old',
    };
    const old = makePod({
      name: 'old',
      node: 'node-1',
      deleted: '2026-05-20T11:00:00Z',
      spec: claimed('data') as object,
    });
    const pod = makePod({
      deployment: 'pg',
      ready: false,
      spec: claimed('data') as object,
      status: { phase: 'Pending' },
    });
    const facts = makeFacts({
      pods: [makeClient(), pod, old],
      probe: failed('refused'),
      events: [event],
      claims: [{ ...claim, status: { phase: 'Bound' } }],
    });
    assert.equal(causeOf(facts), 'MultiAttach PersistentVolumeClaim data spec.accessModes');
  });
});

describe('meaningOf', () => {
  it('knows names in every form', () => {
    for (const host of [
      'postgres.db',
      'postgres.db.svc',
      'postgres.db.svc.cluster.local',
      'postgres.db.svc.cluster.local.',
    ])
      assert.equal(causeOf(makeFacts({ target: `tcp://${host}:5432`, probe: connected() })), 'ok', host);
    const near = makeFacts({
      target: 'tcp://postgres:5432',
      source: { at: 'pod', pod: makeClient({ namespace: 'db' }), wanted: 'pod/api', namespace: 'db' },
      probe: connected(),
    });
    assert.equal(causeOf(near), 'ok');
    assert.equal(
      causeOf(makeFacts({ namespaces: [makeNamespace('app')], ...asked('postgres.db.svc.cluster.loca') })),
      'NameNotFound Service postgres',
    );
  });
});
