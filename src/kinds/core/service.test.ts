import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LoadBalancerIngress, Service, ServiceSpec } from '#generated/api/core-v1.ts';
import { StatusError } from '#machinery/status.ts';
import type { FieldError } from '#machinery/status.ts';
import { rebuild } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { service } from './service.ts';

const SCHEMA = schemaByName('io.k8s.api.core.v1.Service');
const { strategy } = service;
const makeService = (spec: ServiceSpec = {}, metadata: object = {}): Service =>
  strategy.default!(
    rebuild<Service>({ metadata: { name: 's', ...metadata }, spec: { ports: [{ port: 80 }], ...spec } }, SCHEMA),
  );
const text = (errors: readonly FieldError[]): string =>
  errors.length === 0
    ? ''
    : StatusError.invalid({ kind: 'Service' }, 's', errors).message.replace('Service "s" is invalid: ', '');
const validated = (spec: ServiceSpec, metadata: object = {}) =>
  text(strategy.validateCreate!(makeService(spec, metadata)));
/** Specs and errors after an update, as the API does it. */
const updated = (before: ServiceSpec, after: ServiceSpec): { readonly spec: ServiceSpec; readonly said: string } => {
  const old = makeService(before);
  const next = strategy.prepareForUpdate!(makeService({ ...old.spec, ...after }), old, undefined as never);
  return { spec: next.spec!, said: text(strategy.validateUpdate!(next, old)) };
};

const local: ServiceSpec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
const ONLY = "may only be used when `type` is 'LoadBalancer'";
const ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges';

describe('Service', () => {
  const table: readonly (readonly [string, ServiceSpec, string])[] = [
    ['a load balancer', { type: 'LoadBalancer' }, ''],
    [
      'a load balancer with everything',
      {
        ...local,
        healthCheckNodePort: 30100,
        loadBalancerClass: 'coracle.dev/load-balancer',
        loadBalancerIP: '192.0.2.1',
        loadBalancerSourceRanges: ['198.51.100.0/24', ' 2001:db8::/32 '],
        allocateLoadBalancerNodePorts: false,
        internalTrafficPolicy: 'Local',
        trafficDistribution: 'PreferSameNode',
      },
      '',
    ],
    [
      'source ranges of another type',
      { loadBalancerSourceRanges: ['10.0.0.0/8'] },
      `spec.LoadBalancerSourceRanges: Forbidden: ${ONLY}`,
    ],
    [
      'a source range that is none',
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8', 'all'] },
      'spec.LoadBalancerSourceRanges[1]: Invalid value: "all": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
    ['a class of another type', { loadBalancerClass: 'a/b' }, `spec.loadBalancerClass: Forbidden: ${ONLY}`],
    [
      'no class name',
      { type: 'LoadBalancer', loadBalancerClass: 'a b' },
      "spec.loadBalancerClass: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
    [
      'node port allocation of another type',
      { type: 'NodePort', allocateLoadBalancerNodePorts: true },
      `spec.allocateLoadBalancerNodePorts: Forbidden: ${ONLY}`,
    ],
    [
      'a health check port under policy Cluster',
      { type: 'LoadBalancer', healthCheckNodePort: 30100 },
      "spec.healthCheckNodePort: Invalid value: 30100: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
    [
      'a health check port that is none',
      { ...local, healthCheckNodePort: 70000 },
      'spec.healthCheckNodePort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [
      'an external policy without entrance',
      { externalTrafficPolicy: 'Local' },
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
    [
      'an unknown external policy',
      { type: 'NodePort', externalTrafficPolicy: 'Global' },
      'spec.externalTrafficPolicy: Unsupported value: "Global": supported values: "Cluster", "Local"',
    ],
    [
      'an unknown internal policy',
      { internalTrafficPolicy: 'Global' },
      'spec.internalTrafficPolicy: Unsupported value: "Global": supported values: "Cluster", "Local"',
    ],
    [
      'an unknown distribution',
      { trafficDistribution: 'Far' },
      'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
    ],
    [
      'too long an affinity',
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
    ],
    [
      'external addresses nobody outside has',
      { externalIPs: ['192.0.2.1', '127.0.0.1', '169.254.1.1', '0.0.0.0', '224.0.0.9'] },
      '[spec.externalIPs[1]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128), spec.externalIPs[2]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10), spec.externalIPs[3]: Invalid value: "0.0.0.0": may not be unspecified (\'0.0.0.0\'), spec.externalIPs[4]: Invalid value: "224.0.0.9": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)]',
    ],
    [
      'a node port without entrance',
      { ports: [{ port: 80, nodePort: 30001 }] },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      'a node port twice',
      {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80, nodePort: 30001 },
          { name: 'b', port: 81, nodePort: 30001 },
        ],
      },
      'spec.ports[1].nodePort: Duplicate value: 30001',
    ],
    [
      'a port twice',
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
    [
      'an address of an external name',
      { type: 'ExternalName', externalName: 'a.example', clusterIP: '10.96.0.9' },
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
    ],
    [
      'a headless load balancer',
      { type: 'LoadBalancer', clusterIP: 'None' },
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services',
    ],
  ];
  for (const [name, spec, want] of table)
    it(want === '' ? `takes ${name}` : `refuses ${name}`, () => assert.equal(validated(spec), want));

  it('checks the annotation of source ranges where the field is not used', () => {
    const annotations = { annotations: { [ANNOTATION]: '10.0.0.0/8, all' } };
    assert.match(
      validated({ type: 'LoadBalancer' }, annotations),
      /^metadata\.annotations\[.*\]: Invalid value: "all": must be a valid CIDR/,
    );
    assert.match(validated({}, { annotations: { [ANNOTATION]: '10.0.0.0/8' } }), /Forbidden: may only be used when/);
    assert.equal(validated({ type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] }, annotations), '');
  });

  describe('defaults', () => {
    it('a load balancer allocates node ports and serves by policy Cluster', () => {
      const { allocateLoadBalancerNodePorts, externalTrafficPolicy, internalTrafficPolicy } = makeService({
        type: 'LoadBalancer',
      }).spec!;
      assert.deepEqual(
        [allocateLoadBalancerNodePorts, externalTrafficPolicy, internalTrafficPolicy],
        [true, 'Cluster', 'Cluster'],
      );
    });
    it('a cluster IP has an external policy only with external addresses', () => {
      assert.equal(makeService({}).spec!.externalTrafficPolicy, undefined);
      assert.equal(makeService({ externalIPs: ['192.0.2.1'] }).spec!.externalTrafficPolicy, 'Cluster');
    });
    it('affinity lasts three hours', () =>
      assert.equal(
        makeService({ sessionAffinity: 'ClientIP' }).spec!.sessionAffinityConfig!.clientIP!.timeoutSeconds,
        10_800,
      ));
  });

  describe('update', () => {
    const balanced: ServiceSpec = {
      ...local,
      clusterIP: '10.96.0.9',
      healthCheckNodePort: 30100,
      loadBalancerClass: 'a/b',
      ports: [{ port: 80, nodePort: 30080 }],
    };
    it('refuses another health check port, and another class', () => {
      assert.equal(
        updated(balanced, { healthCheckNodePort: 30101, loadBalancerClass: 'c/d' }).said,
        '[spec.healthCheckNodePort: Forbidden: field is immutable, spec.loadBalancerClass: Invalid value: "c/d": may not change once set]',
      );
      assert.match(
        updated(balanced, { loadBalancerClass: undefined }).said,
        /Invalid value: null: may not change once set/,
      );
    });
    it('keeps the health check port that an update leaves out', () =>
      assert.equal(updated(balanced, { healthCheckNodePort: undefined }).spec.healthCheckNodePort, 30100));
    it('drops what belonged to the type when the type alone is changed', () => {
      const { spec, said } = updated(balanced, { type: 'ClusterIP' });
      assert.equal(said, '');
      assert.deepEqual(
        [
          spec.ports![0]!.nodePort,
          spec.healthCheckNodePort,
          spec.allocateLoadBalancerNodePorts,
          spec.loadBalancerClass,
          spec.externalTrafficPolicy,
        ],
        [undefined, undefined, undefined, undefined, undefined],
      );
    });
    it('drops the health check port with policy Local', () => {
      const { spec, said } = updated(balanced, { externalTrafficPolicy: 'Cluster' });
      assert.deepEqual([said, spec.healthCheckNodePort, spec.loadBalancerClass], ['', undefined, 'a/b']);
    });
    it('keeps what the new type has as well', () => {
      const { spec, said } = updated(balanced, { type: 'NodePort' });
      assert.deepEqual([said, spec.ports![0]!.nodePort, spec.externalTrafficPolicy], ['', 30080, 'Local']);
    });
  });

  describe('status', () => {
    const withIngress = (type: string, ...ingress: LoadBalancerIngress[]): Service => ({
      ...makeService({ type }),
      status: { loadBalancer: { ingress } },
    });
    const rows: readonly (readonly [string, Service, string])[] = [
      ['an address with its mode', withIngress('LoadBalancer', { ip: '192.0.2.1', ipMode: 'VIP' }), ''],
      ['a name', withIngress('LoadBalancer', { hostname: 'lb.example' }), ''],
      [
        'an address of another type',
        withIngress('NodePort', { ip: '192.0.2.1', ipMode: 'VIP' }),
        "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
      ],
      [
        'an address without mode',
        withIngress('LoadBalancer', { ip: '192.0.2.1' }),
        'status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set',
      ],
      [
        'a mode without address',
        withIngress('LoadBalancer', { hostname: 'a', ipMode: 'VIP' }),
        'status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set',
      ],
      [
        'an unknown mode',
        withIngress('LoadBalancer', { ip: '192.0.2.1', ipMode: 'X' }),
        'status.loadBalancer.ingress[0].ipMode: Unsupported value: "X": supported values: "Proxy", "VIP"',
      ],
      [
        'an address as name',
        withIngress('LoadBalancer', { hostname: '192.0.2.1' }),
        'status.loadBalancer.ingress[0].hostname: Invalid value: "192.0.2.1": must be a DNS name, not an IP address',
      ],
    ];
    for (const [name, object, want] of rows)
      it(want === '' ? `takes ${name}` : `refuses ${name}`, () =>
        assert.equal(text(strategy.validateStatusUpdate!(object, object)), want),
      );
    it('means the address itself where the writer knows no mode', () =>
      assert.equal(
        strategy.default!(withIngress('LoadBalancer', { ip: '192.0.2.1' })).status!.loadBalancer!.ingress![0]!.ipMode,
        'VIP',
      ));
  });

  it('shows <pending> until a load balancer has its address', () => {
    const cell = (s: Service) => service.table.cells(s, 0)[3];
    const balanced = makeService({ type: 'LoadBalancer' });
    assert.equal(cell(balanced), '<pending>');
    assert.equal(cell({ ...balanced, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }), '192.0.2.1');
    assert.equal(cell(makeService({})), '<none>');
  });
});
