// Which pods a connection really goes to, and what follows for the checks: cases that generated clusters (test/models) brought up.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServiceSpec } from '#generated/api/core-v1.ts';
import { explain } from '../explain.ts';
import type { Facts } from '../facts.ts';
import {
  connected,
  failed,
  fromLaptop,
  makeClient,
  makeFacts,
  makePod,
  makePolicy,
  makeService,
  makeSocket,
} from '../testing.ts';

const said = (facts: Facts): string => {
  const { verdict, cause, alsoBroken } = explain(facts);
  return [cause?.code ?? verdict, ...alsoBroken.map((c) => c.code)].join(' ');
};
const two = (other: Parameters<typeof makePod>[0]) => [
  makeClient(),
  makePod(),
  makePod({ name: 'postgres-1', ip: '10.244.1.8', node: 'node-1', ...other }),
];
const leaving = makePod({ deleted: '2026-05-20T12:00:10Z' });
const named = [makeService({ ports: [{ port: 5432, targetPort: 'pg', protocol: 'TCP' as const }] })];

describe('explain of pods that get connections', () => {
  it('does not call a pod that leaves broken while its Service still sends to it', () =>
    assert.equal(said(makeFacts({ pods: [makeClient(), leaving] })), 'unknown'));
  it('names the end of a pod whose server has stopped', () =>
    assert.equal(
      said(makeFacts({ pods: [makeClient(), leaving], sockets: [], probe: failed('refused') })),
      'PodTerminating',
    ));
  it('leaves out pods whose port has another name while others have it', () => {
    const pods = two({ container: { ports: [{ containerPort: 5432, name: 'db' }] } });
    assert.equal(said(makeFacts({ services: named, pods })), 'unknown');
  });
  it('says that no pod has the name, although none names a port, and although none runs', () => {
    const container = { ports: [] };
    assert.equal(
      said(makeFacts({ services: named, pods: [makeClient(), makePod({ container })] })),
      'TargetPortMismatch',
    );
    const status = { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message: 'none fits' }] };
    const pods = [makeClient(), makePod({ container, ready: false, status })];
    assert.equal(said(makeFacts({ services: named, pods })), 'TargetPortMismatch PodPending');
  });
  it('sees a server on IPv6 only behind a probe that fails on the same port', () => {
    const container = { readinessProbe: { tcpSocket: { port: 5432 } } };
    const pods = [makeClient(), makePod({ ready: false, container })];
    const sockets = [{ ...makeSocket(5432, '::'), dual: false }];
    assert.equal(said(makeFacts({ pods, sockets, probe: failed('refused') })), 'ListenerOtherFamily');
  });
});

describe('explain of policies for some of the pods', () => {
  const closed = makePolicy('db', { podSelector: { matchLabels: { tier: 'b' } }, policyTypes: ['Ingress'] });
  const pods = two({ labels: { app: 'postgres', tier: 'b' } });
  it('names the policy when the connection met silence', () =>
    assert.equal(said(makeFacts({ pods, policies: [closed], probe: failed('timeout') })), 'IngressDenied'));
  it('does not say that nobody enforces it when the connection met the other pod', () => {
    const report = explain(makeFacts({ pods, policies: [closed], probe: connected() }));
    assert.equal(report.verdict, 'ok');
    assert.deepEqual(report.warnings.filter((w) => w.code === 'PolicyNotEnforced').length, 0);
  });
});

describe('explain of a client from outside', () => {
  const spec: ServiceSpec = {
    type: 'LoadBalancer',
    ports: [{ port: 5432, targetPort: 5432, nodePort: 30_432, protocol: 'TCP' }],
    loadBalancerSourceRanges: ['203.0.113.0/24'],
  };
  const status = { loadBalancer: { ingress: [{ ip: '192.168.10.201' }] } };
  const services = [{ ...makeService(spec), status }];
  const from = (outcome: 'timeout' | 'refused' | 'connected') => ({
    connects: [{ address: '', port: 5432, outcome, localAddress: '192.168.10.1', ms: 1 }],
    ms: 1,
  });
  const ask = (target: string, outcome: 'timeout' | 'refused' | 'connected', more = {}) =>
    makeFacts({ target, services, source: fromLaptop, probe: from(outcome), ...more });

  it('holds source ranges against the load balancer’s address, not against a node’s', () => {
    assert.equal(said(ask('tcp://192.168.10.201:5432', 'timeout')), 'SourceRangeDenied');
    assert.equal(said(ask('tcp://192.168.10.11:30432', 'refused', { sockets: [] })), 'NothingListening');
  });

  // Which node answers for the address, and whether policies see the packets before it rewrites them, the API leaves open.
  const cidr = '192.168.10.12/32';
  const ingress = [{ from: [{ ipBlock: { cidr: '192.168.10.0/24', except: [cidr] } }] }];
  const policies = [makePolicy('db', { podSelector: {}, policyTypes: ['Ingress'], ingress })];
  const open = [{ ...makeService({ ...spec, loadBalancerSourceRanges: [] }), status }];
  it('warns of no policy that may well have let it through', () => {
    const report = explain(ask('tcp://192.168.10.201:5432', 'connected', { services: open, policies }));
    assert.equal(`${report.verdict} ${report.warnings.map((w) => w.code).join()}`, 'ok ');
  });
  it('lets in both the client and the nodes by its cure', () => {
    const none = [makePolicy('db', { podSelector: {}, policyTypes: ['Ingress'] })];
    const { cause } = explain(ask('tcp://192.168.10.201:5432', 'timeout', { services: open, policies: none }));
    assert.equal(cause?.code, 'IngressDenied');
    for (const ip of ['192.168.10.1/32', '192.168.10.11/32']) assert.ok(cause.cure[0]!.text.includes(ip), ip);
  });
});
