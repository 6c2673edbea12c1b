// The same rules for IPv6: what a Service and a policy mean there, walked, and how they are written for the kernel.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { NetworkPolicy } from '#generated/api/networking-v1.ts';
import { Elements } from './elements.ts';
import { type NodeView, walk } from './packet.ts';
import { compilePolicy, type PolicyPod } from './policies.ts';
import { PolicyElements, policyTable } from './policy-rules.ts';
import { renderChanges, renderTable } from './render.ts';
import { SERVICE_TABLE, ServiceElements, serviceTable } from './service-rules.ts';
import { servicePorts } from './services.ts';

const PODS = 'fd00:10:244::/56';
const SERVICES = 'fd00:10:96::/112';
const NODE = 'fdc0::11';
const CLIENT = 'fd00:10:244:1::5';
const LOCAL = 'fd00:10:244:1::6';
const REMOTE = 'fd00:10:244:2::7';
const CLUSTER_IP = 'fd00:10:96::42';

const service: Service = {
  metadata: { namespace: 'db', name: 'pg' },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.96.42.7',
    clusterIPs: ['10.96.42.7', CLUSTER_IP],
    ipFamilies: ['IPv4', 'IPv6'],
    loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8::/32'],
    ports: [{ port: 5432, targetPort: 15_432, nodePort: 30_432, protocol: 'TCP' }],
  },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: 'fdc0::1:1' }] } },
};
const makeSlice = (addressType: string, ...ips: readonly string[]): EndpointSlice => ({
  metadata: { namespace: 'db', name: `pg-${addressType}`, labels: { 'kubernetes.io/service-name': 'pg' } },
  addressType,
  ports: [{ port: 15_432, protocol: 'TCP' }],
  endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true }, nodeName: 'one' })),
});
const slices = [makeSlice('IPv4', '10.244.1.6'), makeSlice('IPv6', REMOTE)];

function view(ips: readonly string[] = [REMOTE]): NodeView {
  const elements = new Elements(SERVICE_TABLE, 6);
  const [port] = servicePorts(service, [slices[0]!, makeSlice('IPv6', ...ips)], { name: 'one' }, 6);
  const facts = { dnsAddress: '10.96.0.10', nodeIPs: [NODE], isLocalPod: (ip: string) => ip === LOCAL };
  elements.replace('pg', new ServiceElements().elementsOf(port!, facts));
  elements.replace('own', [
    { set: 'local_pods', key: 'fd00:10:244:1::-fd00:10:244:1:ffff:ffff:ffff:ffff', value: '' },
    { set: 'node_addresses', key: NODE, value: '' },
  ]);
  const table = serviceTable({
    family: 6,
    clusterCIDR: PODS,
    serviceCIDR: SERVICES,
    dnsAddress: '10.96.0.10',
    affinitySeconds: [],
  });
  return {
    tables: [{ table, elements: elements.all() }],
    localAddresses: [NODE],
    primaryAddress: '192.168.77.1',
    primaryAddress6: NODE,
  };
}
const trace = (node: NodeView, src: string, dst: string, dport: number, from: 'wire' | 'node' = 'wire'): string => {
  const { verdict, packet } = walk(node, { src, dst, dport, protocol: 'tcp' }, { from });
  return verdict === 'sent' ? `${packet.src} > ${packet.dst}:${packet.dport}` : verdict;
};

describe('servicePorts of a family', () => {
  it('sees the addresses and endpoints of that family alone', () => {
    const [four] = servicePorts(service, slices, { name: 'one' });
    const [six] = servicePorts(service, slices, { name: 'one' }, 6);
    assert.deepEqual(four!.clusterIPs, ['10.96.42.7']);
    assert.deepEqual(four!.internal, { to: 'targets', targets: [{ ip: '10.244.1.6', port: 15_432 }] });
    assert.deepEqual(four!.sourceRanges, ['192.0.2.0/24']);
    assert.deepEqual(six!.clusterIPs, [CLUSTER_IP]);
    assert.deepEqual(six!.internal, { to: 'targets', targets: [{ ip: REMOTE, port: 15_432 }] });
    assert.deepEqual(six!.loadBalancerIPs, ['fdc0::1:1']);
    assert.deepEqual(six!.sourceRanges, ['2001:db8::/32']);
  });

  it('has none for a Service of the other family', () => {
    const single = { ...service, spec: { ...service.spec, clusterIPs: ['10.96.42.7'] } };
    assert.deepEqual(servicePorts(single, slices, { name: 'one' }, 6), []);
  });
});

describe('serviceTable of IPv6', () => {
  const node = view();
  const cases: readonly (readonly [string, string, string, number, string])[] = [
    ['leads a pod to the endpoint, its address kept', CLIENT, CLUSTER_IP, 5432, `${CLIENT} > ${REMOTE}:15432`],
    [
      'leads the outside in by the node port, under the node’s name',
      '2001:db8::9',
      NODE,
      30_432,
      `${NODE} > ${REMOTE}:15432`,
    ],
    ['lets the load balancer’s ranges in', '2001:db8::9', 'fdc0::1:1', 5432, `${NODE} > ${REMOTE}:15432`],
    ['keeps others out of the load balancer', '2001:db9::9', 'fdc0::1:1', 5432, 'dropped'],
    ['refuses a port that the Service has not', CLIENT, CLUSTER_IP, 80, 'rejected'],
    ['drops what is for no Service', CLIENT, 'fd00:10:96::99', 80, 'dropped'],
    ['does not translate pod to pod', CLIENT, REMOTE, 80, `${CLIENT} > ${REMOTE}:80`],
    ['hides pods from what is no part of the cluster', CLIENT, '2001:db8::9', 80, `${NODE} > 2001:db8::9:80`],
  ];
  for (const [what, src, dst, port, expected] of cases)
    it(what, () => assert.equal(trace(node, src, dst, port), expected));

  it('refuses where there is no endpoint, and lets a pod reach itself', () => {
    assert.equal(trace(view([]), CLIENT, CLUSTER_IP, 5432), 'rejected');
    assert.equal(trace(view([LOCAL]), LOCAL, CLUSTER_IP, 5432), `${NODE} > ${LOCAL}:15432`);
  });

  it('leaves packets of IPv4 to the other table', () => {
    assert.equal(trace(node, '10.244.1.5', '10.96.42.7', 5432), '10.244.1.5 > 10.96.42.7:5432');
  });
});

describe('policyTable of IPv6', () => {
  const makePod = (name: string, ip: string, labels: Record<string, string>): PolicyPod => ({
    key: `db/${name}`,
    namespace: 'db',
    labels,
    ips: [ip],
    namedPorts: [],
  });
  const allow = (from: object[]): NetworkPolicy => ({
    metadata: { namespace: 'db', name: 'pg' },
    spec: { podSelector: { matchLabels: { app: 'pg' } }, policyTypes: ['Ingress'], ingress: [{ from } as never] },
  });
  const nodeWith = (policy: NetworkPolicy): NodeView => {
    const model = new PolicyElements(6);
    const pod = makePod('pg-0', LOCAL, { app: 'pg' });
    model.setNamespace('db', {});
    model.setPod('db/api', makePod('api', REMOTE, { role: 'api' }));
    model.setPod('db/pg-0', pod);
    model.setPolicy('db/pg', compilePolicy(policy, 6));
    model.setLocalPod('db/pg-0', pod);
    return {
      tables: [{ table: policyTable(6), elements: model.elements.all() }],
      localAddresses: [NODE],
      primaryAddress: '192.168.77.1',
    };
  };

  it('lets in the pods that a policy names', () => {
    const node = nodeWith(allow([{ podSelector: { matchLabels: { role: 'api' } } }]));
    assert.equal(trace(node, REMOTE, LOCAL, 5432), `${REMOTE} > ${LOCAL}:5432`);
    assert.equal(trace(node, CLIENT, LOCAL, 5432), 'dropped');
  });

  it('lets in a block without its exceptions, and nobody of a block of IPv4', () => {
    const node = nodeWith(allow([{ ipBlock: { cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] } }]));
    assert.equal(trace(node, '2001:db8::9', LOCAL, 5432), `2001:db8::9 > ${LOCAL}:5432`);
    assert.equal(trace(node, '2001:db8:1::9', LOCAL, 5432), 'dropped');
    assert.equal(trace(nodeWith(allow([{ ipBlock: { cidr: '0.0.0.0/0' } }])), '2001:db8::9', LOCAL, 5432), 'dropped');
  });
});

describe('renderTable of IPv6', () => {
  const text = renderTable(
    serviceTable({
      family: 6,
      clusterCIDR: PODS,
      serviceCIDR: SERVICES,
      dnsAddress: '10.96.0.10',
      affinitySeconds: [10],
    }),
    [{ set: 'cluster_ips', key: CLUSTER_IP, value: '' }],
  );

  it('speaks of addresses of that family alone', () => {
    assert.match(text, /^add table ip6 coracle_services$/m);
    assert.match(text, /add element ip6 coracle_services cluster_ips \{ fd00:10:96::42 \}/);
    assert.match(text, /dnat ip6 to ct mark \. meta mark map @endpoints/);
    assert.match(text, /reject with icmpv6 port-unreachable/);
    assert.doesNotMatch(text, /ipv4_addr|\bip [sd]addr|10\.96|127\.0/);
  });

  it('changes elements of that table', () => {
    const elements = new Elements('t6', 6);
    elements.replace('a', [{ set: 's', key: 'fd00::1', value: '' }]);
    assert.equal(renderChanges(elements.take()), 'add element ip6 t6 s { fd00::1 }\n');
  });

  it('lets neighbours be found whatever policies say', () => {
    assert.match(renderTable(policyTable(6), []), /icmpv6 type \{ nd-router-solicit/);
    assert.doesNotMatch(renderTable(policyTable(4), []), /icmpv6/);
  });
});
