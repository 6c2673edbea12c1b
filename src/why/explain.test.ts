import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHECKS, explain } from './explain.ts';
import type { Facts } from './facts.ts';
import { LINKS } from './report.ts';
import {
  connected,
  failed,
  fromLaptop,
  makeClient,
  makeFacts,
  makeNode,
  makePod,
  makePolicy,
  makeService,
  makeSocket,
  sliceOf,
  unresolved,
} from './testing.ts';

const open = [makeSocket(5432)];
const deny = makePolicy('db', { podSelector: {}, policyTypes: ['Ingress'] }, 'deny');

/** Code and object of the cause. */
const causeOf = (facts: Facts): string => {
  const { verdict, cause } = explain(facts);
  return cause === undefined
    ? verdict
    : `${cause.code} ${cause.object?.kind} ${cause.object?.name} ${cause.object?.field ?? ''}`.trim();
};

describe('CHECKS', () => {
  it('has one check a link, in the order of the chain', () =>
    assert.deepEqual(
      CHECKS.map((c) => c.link),
      [...LINKS],
    ));
});

describe('explain', () => {
  it('is ok when a probe connected and nothing is broken', () => {
    const report = explain(makeFacts({ probe: connected(), sockets: open }));
    assert.equal(report.verdict, 'ok');
    assert.equal(report.cause, undefined);
    assert.deepEqual(
      report.links.map((l) => l.name),
      [...LINKS],
    );
  });

  it('is never ok without a probe', () => {
    const report = explain(makeFacts({ sockets: open, more: { unprobed: '--no-probe' } }));
    assert.equal(report.verdict, 'unknown');
    assert.ok(report.notChecked.some((n) => n.reason.includes('--no-probe')));
  });

  it('is broken without a probe when what was read breaks it for sure', () => {
    assert.equal(causeOf(makeFacts({ policies: [deny] })), 'IngressDenied NetworkPolicy deny spec.ingress');
  });

  it('is broken, without a cause, when a probe failed and nothing says why', () => {
    const report = explain(makeFacts({ probe: failed('timeout') }));
    assert.equal(report.verdict, 'broken');
    assert.equal(report.cause, undefined);
  });

  it('lets a probe that connected contradict a policy, and warns that nobody enforces it', () => {
    const report = explain(makeFacts({ probe: connected(), policies: [deny] }));
    assert.equal(report.verdict, 'ok');
    assert.deepEqual(
      report.warnings.map((w) => w.code),
      ['PolicyNotEnforced'],
    );
  });

  it('names a second cause that the first cure would leave', () => {
    const service = makeService({ selector: { app: 'postgress' } });
    const report = explain(makeFacts({ probe: failed('refused'), services: [service], policies: [deny] }));
    assert.equal(report.cause?.code, 'SelectorMatchesNothing');
    assert.deepEqual(
      report.alsoBroken.map((c) => c.code),
      ['IngressDenied'],
    );
  });

  it('hides what follows from the cause', () => {
    const status = {
      phase: 'Running',
      podIP: '10.244.2.7',
      podIPs: [{ ip: '10.244.2.7' }],
      containerStatuses: [
        {
          name: 'main',
          image: 'x',
          imageID: '',
          ready: false,
          restartCount: 4,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1 } },
        },
      ],
    };
    const report = explain(
      makeFacts({ probe: failed('refused'), pods: [makeClient(), makePod({ ready: false, status })] }),
    );
    assert.equal(report.cause?.code, 'CrashLoopBackOff');
    assert.deepEqual(report.alsoBroken, []);
    assert.equal(report.links.find((l) => l.name === 'pod')?.state, 'broken');
  });

  it('blames the listener, not the readiness probe on its port', () => {
    const container = { readinessProbe: { tcpSocket: { port: 5432 } } };
    const pods = [makeClient(), makePod({ ready: false, container })];
    const facts = makeFacts({ probe: failed('refused'), pods, sockets: [makeSocket(5432, '127.0.0.1')] });
    assert.equal(causeOf(facts), 'ListenerOnLoopback Pod postgres-0 spec.containers[0]');
    assert.deepEqual(explain(facts).alsoBroken, []);
  });

  it('does not blame a policy for a refusal that the pod itself gave', () => {
    const report = explain(
      makeFacts({ probe: failed('refused'), policies: [deny], sockets: [makeSocket(5432, '127.0.0.1')] }),
    );
    assert.equal(report.cause?.code, 'ListenerOnLoopback');
  });

  it('warns of one bad endpoint among good ones', () => {
    const bad = makePod({
      name: 'postgres-1',
      ip: '10.244.2.8',
      ready: false,
      status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message: 'no node' }] },
    });
    const report = explain(makeFacts({ probe: connected(), pods: [makeClient(), makePod(), bad] }));
    assert.equal(report.verdict, 'ok');
    assert.deepEqual(
      report.warnings.map((w) => w.code),
      ['PodPending'],
    );
  });

  it('says which permission is missing, and does not guess', () => {
    const facts = makeFacts({
      probe: failed('timeout'),
      more: { denied: [{ kind: 'policies', permission: 'list networkpolicies in namespace db' }] },
    });
    const report = explain(facts);
    assert.equal(report.links.find((l) => l.name === 'ingress-policy')?.state, 'unknown');
    assert.ok(report.notChecked.some((n) => n.reason === 'missing permission: list networkpolicies in namespace db'));
  });
});

describe('explain of a client outside', () => {
  const cases: readonly [string, Facts, string][] = [
    [
      'a pod address',
      makeFacts({ target: 'tcp://10.244.2.7:5432', source: fromLaptop, probe: failed('timeout') }),
      'PodIPFromOutside Pod postgres-0 status.podIP',
    ],
    [
      'an address of the pod range that nobody has',
      makeFacts({ target: 'tcp://10.244.2.9:5432', source: fromLaptop, probe: failed('timeout') }),
      'PodIPFromOutside undefined undefined',
    ],
    [
      'a cluster IP',
      makeFacts({ target: 'tcp://10.96.42.7:5432', source: fromLaptop, probe: failed('timeout') }),
      'ClusterIPFromOutside Service postgres spec.clusterIP',
    ],
    [
      'a Service by name',
      makeFacts({ target: 'db/svc/postgres', source: fromLaptop, probe: failed('timeout') }),
      'ClusterIPFromOutside Service postgres spec.clusterIP',
    ],
    [
      'a name of the cluster’s DNS',
      makeFacts({
        target: 'postgres://app@postgres.db:5432/x',
        source: fromLaptop,
        probe: { dns: { addresses: [], attempts: [] }, connects: [], ms: 1 },
      }),
      'ClusterDNSNameFromOutside Service postgres',
    ],
    [
      'a pod address to which this laptop has a route',
      makeFacts({ target: 'tcp://10.244.2.7:5432', source: fromLaptop, probe: connected() }),
      'ok',
    ],
  ];
  for (const [what, facts, wanted] of cases) it(`${what}: ${wanted}`, () => assert.equal(causeOf(facts), wanted));

  it('names the node port when another port of a node is dialled', () => {
    const services = [makeService({ type: 'NodePort', ports: [{ port: 5432, targetPort: 5432, nodePort: 30_432 }] })];
    const facts = makeFacts({
      target: 'tcp://192.168.10.11:5432',
      source: fromLaptop,
      services,
      probe: failed('refused'),
    });
    assert.equal(causeOf(facts), 'NodePortOutOfRange Service postgres spec.ports[0].nodePort');
    assert.match(explain(facts).cause!.cure[0]!.text, /30432/);
  });

  it('sees that no ready endpoint is on the node that is dialled', () => {
    const services = [
      makeService({
        type: 'NodePort',
        externalTrafficPolicy: 'Local',
        ports: [{ port: 5432, targetPort: 5432, nodePort: 30_432 }],
      }),
    ];
    const facts = makeFacts({
      target: 'tcp://192.168.10.11:30432',
      source: fromLaptop,
      services,
      probe: failed('timeout'),
    });
    assert.equal(causeOf(facts), 'NoLocalEndpoint Service postgres spec.externalTrafficPolicy');
  });

  it('reads the load balancer: no address, ranges', () => {
    const pending = makeService({ type: 'LoadBalancer', loadBalancerClass: 'x/y' });
    assert.equal(
      causeOf(makeFacts({ target: 'db/svc/postgres', source: fromLaptop, services: [pending] })),
      'LoadBalancerPending Service postgres spec.loadBalancerClass',
    );
    const closed = {
      ...makeService({ type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] }),
      status: { loadBalancer: { ingress: [{ ip: '192.168.10.200' }] } },
    };
    const probe = {
      connects: [
        { address: '192.168.10.200', port: 5432, outcome: 'timeout' as const, localAddress: '192.168.10.1', ms: 9 },
      ],
      ms: 9,
    };
    assert.equal(
      causeOf(makeFacts({ target: 'db/svc/postgres', source: fromLaptop, services: [closed], probe })),
      'SourceRangeDenied Service postgres spec.loadBalancerSourceRanges',
    );
  });
});

describe('explain of a port-forward', () => {
  const forward = { pid: 4711, namespace: 'db', target: 'pod/postgres-0', localPort: 5432, remotePort: '5432' };
  const target = 'postgres://app@localhost:5432/x';

  it('finds that its pod is gone', () => {
    const source = { at: 'laptop' as const, forwards: [{ ...forward, target: 'pod/postgres-9' }] };
    assert.equal(
      causeOf(makeFacts({ target, source, probe: failed('refused', '127.0.0.1') })),
      'ForwardPodGone Pod postgres-9',
    );
  });

  it('names the permission that is missing', () => {
    const facts = makeFacts({
      target,
      source: fromLaptop,
      probe: failed('refused', '127.0.0.1'),
      more: { mayForward: false, user: 'jane' },
    });
    assert.equal(explain(facts).cause?.code, 'ForwardDenied');
    assert.match(explain(facts).cause!.cure[0]!.text, /name: jane/);
  });

  it('warns that it passes no policy', () => {
    const report = explain(
      makeFacts({ target, source: { at: 'laptop', forwards: [forward] }, probe: connected(), policies: [deny] }),
    );
    assert.equal(report.verdict, 'ok');
    assert.deepEqual(
      report.warnings.map((w) => w.code),
      ['ForwardBypassesPolicy'],
    );
  });
});

describe('explain of an Ingress', () => {
  const rule = (name: string, port: number) => ({
    host: 'shop.example.com',
    http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name, port: { number: port } } } }] },
  });
  const ingress = (spec: object) => ({
    metadata: { name: 'shop', namespace: 'db' },
    spec: { ingressClassName: 'coracle', ...spec },
    status: { loadBalancer: { ingress: [{ ip: '192.168.10.11' }] } },
  });
  const ingressClasses = [{ metadata: { name: 'coracle' } }];
  const answered = (code: string) => connected({ handshake: { outcome: 'ready', code } });
  const facts = (spec: object, target: string, probe = answered('503')) =>
    makeFacts({ target, source: fromLaptop, ingresses: [ingress(spec)], ingressClasses, probe });

  const cases: readonly [string, Facts, string][] = [
    [
      'its backend is no Service',
      facts({ rules: [rule('postgress', 5432)] }, 'http://shop.example.com/'),
      'IngressBackendMissing Ingress shop spec.rules[0].http.paths[0].backend.service.name',
    ],
    [
      'its backend has not that port',
      facts({ rules: [rule('postgres', 80)] }, 'http://shop.example.com/'),
      'IngressBackendMissing Ingress shop spec.rules[0].http.paths[0].backend.service.port',
    ],
    [
      'no class of that name',
      facts(
        { ingressClassName: 'nginx', rules: [rule('postgres', 5432)] },
        'http://shop.example.com/',
        answered('404'),
      ),
      'IngressNoRoute Ingress shop spec.ingressClassName',
    ],
    [
      'the protocol is not HTTP',
      facts({ rules: [rule('postgres', 5432)] }, 'postgres://shop.example.com:5432/x', failed('refused')),
      'IngressNotHTTP Ingress shop spec.rules',
    ],
    [
      'its Secret is not there',
      facts(
        { tls: [{ secretName: 'cert' }], rules: [rule('postgres', 5432)] },
        'https://shop.example.com/',
        connected({ tls: { outcome: 'untrusted' } }),
      ),
      'IngressTLSSecretMissing Ingress shop spec.tls[0].secretName',
    ],
  ];
  for (const [what, given, wanted] of cases) it(`${what}: ${wanted}`, () => assert.equal(causeOf(given), wanted));

  it('sees in the handshake that the Secret cannot serve, before anybody has said so', () => {
    const given = (subject: string) =>
      facts(
        { tls: [{ secretName: 'cert' }], rules: [rule('postgres', 5432)] },
        'https://shop.example.com/',
        connected({ tls: { outcome: 'untrusted', certificate: { ...certificate, subject } } }),
      );
    const withSecret = (of: Facts): Facts => ({
      ...of,
      objects: {
        ...of.objects,
        secrets: [{ namespace: 'db', name: 'cert', type: 'Opaque' }],
        ingressClasses: [{ metadata: { name: 'coracle' }, spec: { controller: 'coracle.dev/ingress' } }],
      },
    });
    assert.equal(
      causeOf(withSecret(given('Coracle Ingress default certificate'))),
      'IngressTLSSecretMissing Ingress shop spec.tls[0].secretName',
    );
    assert.match(causeOf(withSecret(given('shop.example.com'))), /^TLSUntrusted/);
  });

  it('goes on to the Service behind it', () => {
    const services = [makeService({ selector: { app: 'nobody' } })];
    const given = makeFacts({
      target: 'http://shop.example.com/',
      source: fromLaptop,
      services,
      ingresses: [ingress({ rules: [rule('postgres', 5432)] })],
      ingressClasses,
      probe: answered('503'),
    });
    assert.equal(causeOf(given), 'SelectorMatchesNothing Service postgres spec.selector');
  });

  it('is ok when the backend answers', () =>
    assert.equal(
      causeOf(facts({ rules: [rule('postgres', 5432)] }, 'http://shop.example.com/', answered('200'))),
      'ok',
    ));
});

const certificate = {
  issuer: 'nobody',
  names: ['shop.example.com'],
  notBefore: '2026-01-01T00:00:00Z',
  notAfter: '2036-01-01T00:00:00Z',
  selfSigned: false,
};

describe('explain of nodes', () => {
  it('says that a node does not ask the cluster’s DNS, and the address that it can use', () => {
    const source = { at: 'node' as const, node: makeNode(1), wanted: 'node-1' };
    const { cause, alsoBroken } = explain(makeFacts({ source, probe: unresolved() }));
    assert.equal(cause?.code, 'ClusterDNSNameFromOutside');
    assert.match(cause.cure[0]!.text, /tcp:\/\/10\.96\.42\.7:5432/);
    assert.deepEqual(alsoBroken, []);
  });

  const between = (nodeFacts: Record<string, object>) => makeFacts({ probe: failed('timeout'), nodeFacts });
  const drop = {
    family: 'ip',
    table: 'filter',
    chain: 'INPUT',
    hook: 'input',
    handle: 7,
    rule: 'tcp dport 5432 counter drop',
    packets: 3,
  };
  const tunnel = ({ isUp = true, ...more }: { isUp?: boolean; routes?: string[]; tunnelEntries?: string[] } = {}) => ({
    links: [{ name: 'coracle.vxlan', up: isUp, mtu: 1450, kind: 'vxlan' }],
    routes: ['10.244.2.0/24 via 10.244.2.0 dev coracle.vxlan onlink'],
    tunnelEntries: ['0a:63:c0:a8:0a:0c 192.168.10.12', '0a:63:c0:a8:0a:0c 10.244.2.0'],
    ...more,
  });
  const cases: readonly [string, Facts, string][] = [
    [
      'a route is missing',
      between({ 'node-1': { routes: ['default via 192.168.10.1 dev eth0'] } }),
      'RouteMissing Node node-1 route 10.244.2.0/24',
    ],
    [
      'the table of connections is full',
      between({ 'node-2': { conntrack: { count: 1000, max: 1000 } } }),
      'ConnectionTrackingFull Node node-2 net.netfilter.nf_conntrack_max',
    ],
    [
      'a foreign rule drops',
      between({ 'node-2': { foreignRules: [drop] } }),
      'HostFirewall Node node-2 nftables ip filter INPUT handle 7',
    ],
    [
      'the tunnel is down',
      between({ 'node-1': tunnel({ isUp: false, routes: [] }) }),
      'TunnelBroken Node node-1 link coracle.vxlan',
    ],
    ['the tunnel is in order', between({ 'node-1': tunnel() }), 'broken'],
    [
      'the tunnel does not know the node',
      between({ 'node-1': tunnel({ tunnelEntries: ['0a:63:c0:a8:0a:0c 10.244.2.0'] }) }),
      'TunnelBroken Node node-1 forwarding entries of coracle.vxlan',
    ],
    [
      'the tunnel does not know the next hop',
      between({ 'node-1': tunnel({ tunnelEntries: ['0a:63:c0:a8:0a:0c 192.168.10.12'] }) }),
      'TunnelBroken Node node-1 neighbour entries of coracle.vxlan',
    ],
    [
      'no route leads into the tunnel',
      between({ 'node-1': tunnel({ routes: [] }) }),
      'RouteMissing Node node-1 route 10.244.2.0/24',
    ],
    ['the kernel lacks the endpoints', between({ 'node-1': { services: [] } }), 'RulesNotProgrammed Node node-1'],
    ['all is in order', between({ 'node-1': {}, 'node-2': {} }), 'broken'],
  ];
  for (const [what, given, wanted] of cases) it(`${what}: ${wanted}`, () => assert.equal(causeOf(given), wanted));

  it('mends a tunnel that is down with all that went with it', () =>
    assert.equal(
      explain(between({ 'node-1': tunnel({ isUp: false, routes: [], tunnelEntries: [] }) })).cause!.cure[0]!.text,
      "coracle node exec node-1 -- sh -c 'ip link set coracle.vxlan up && ip neigh replace 10.244.2.0 lladdr 0a:63:c0:a8:0a:0c dev coracle.vxlan nud permanent && ip route replace 10.244.2.0/24 via 10.244.2.0 dev coracle.vxlan onlink src 192.168.10.11 proto 153 && bridge fdb append 0a:63:c0:a8:0a:0c dev coracle.vxlan dst 192.168.10.12 self permanent'",
    ));

  it('knows a lost node', () => {
    const lost = {
      ...makeNode(2),
      status: {
        ...makeNode(2).status!,
        conditions: [{ type: 'Ready', status: 'Unknown', message: 'Kubelet stopped posting node status.' }],
      },
    };
    const pods = [makeClient(), makePod({ ready: false })];
    assert.equal(
      causeOf(makeFacts({ probe: failed('refused'), pods, nodes: [makeNode(1), lost] })),
      'PodNotReady Node node-2 status.conditions',
    );
  });

  it('trusts hand-written endpoints that are reached', () => {
    const service = makeService({ selector: {} });
    const slice = sliceOf(makeService(), [makePod()]);
    assert.equal(causeOf(makeFacts({ services: [service], slices: [slice], probe: connected() })), 'ok');
  });
});

describe('explain of what may not be read', () => {
  const denied = [{ kind: 'services' as const, permission: 'list services in namespace db' }];
  it('does not call a Service absent that it may not see', () => {
    const report = explain(
      makeFacts({
        target: 'db/svc/postgres',
        services: [],
        more: { denied, unprobed: 'there is no address to connect to yet' },
      }),
    );
    assert.equal(report.verdict, 'unknown');
    assert.match(
      report.links.find((l) => l.name === 'name')!.detail,
      /missing permission: list services in namespace db/,
    );
  });

  it('connects to it all the same, where a port was said', () => {
    const report = explain(
      makeFacts({ target: 'db/svc/postgres:5432', services: [], probe: connected(), more: { denied } }),
    );
    assert.equal(report.verdict, 'ok');
  });
});
