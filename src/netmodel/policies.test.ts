import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkPolicy } from '#generated/api/networking-v1.ts';
import { walk, type Packet, type Walk } from './packet.ts';
import { blockRanges, compilePolicy, disjointBoxes, formatRange, mergePorts, type PolicyPod } from './policies.ts';
import { PolicyElements, policyTable } from './policy-rules.ts';

const makePod = (
  key: string,
  ip: string,
  labels: Record<string, string> = {},
  namedPorts: PolicyPod['namedPorts'] = [],
): PolicyPod => ({
  key,
  namespace: key.split('/')[0]!,
  labels,
  ips: [ip],
  namedPorts,
});
const DB = makePod('db/postgres-0', '10.244.1.6', { app: 'postgres' }, [{ name: 'pg', protocol: 'tcp', port: 5432 }]);
const PEER = makePod('db/postgres-1', '10.244.2.6', { app: 'postgres' });
const API = makePod('app/api', '10.244.1.5', { role: 'api' });
const WEB = makePod('app/web', '10.244.2.5');
const IMPOSTOR = makePod('other/api', '10.244.2.9', { role: 'api' });
const OUTSIDE = '203.0.113.9';

/** Node one runs DB and API. */
function cluster(...policies: readonly { namespace: string; spec: NetworkPolicy['spec'] }[]) {
  const model = new PolicyElements();
  for (const ns of ['db', 'app', 'other', 'kube-system']) model.setNamespace(ns, { name: ns });
  for (const pod of [DB, PEER, API, WEB, IMPOSTOR]) model.setPod(pod.key, pod);
  for (const pod of [DB, API]) model.setLocalPod(pod.key, pod);
  policies.forEach((p, i) =>
    model.setPolicy(
      `${p.namespace}/p${i}`,
      compilePolicy({ metadata: { namespace: p.namespace, name: `p${i}` }, spec: p.spec }),
    ),
  );
  return model;
}

function send(
  model: PolicyElements,
  src: string,
  dst: string,
  options: Partial<Packet> & { from?: 'node'; state?: 'established' } = {},
): Walk['verdict'] {
  const node = {
    tables: [{ table: policyTable(), elements: model.elements.all() }],
    localAddresses: ['192.168.77.1', '10.96.0.10'],
    primaryAddress: '192.168.77.1',
  };
  const { from, state, ...packet } = options;
  return walk(
    node,
    { src, dst, protocol: 'tcp', dport: 5432, ...packet },
    { from: from ?? 'wire', ...(state === undefined ? {} : { state }) },
  ).verdict;
}

const ip = (pod: PolicyPod) => pod.ips[0]!;
const denyIngress = { podSelector: {}, policyTypes: ['Ingress'] };

describe('PolicyElements', () => {
  it('leaves pods open that no policy selects', () => {
    const model = cluster({ namespace: 'app', spec: denyIngress });
    assert.equal(send(model, ip(WEB), ip(DB)), 'sent');
    assert.equal(send(model, ip(WEB), ip(API)), 'dropped');
  });

  it('denies by default what an empty policy selects, but never the node itself nor replies', () => {
    const model = cluster({ namespace: 'db', spec: denyIngress });
    assert.equal(send(model, ip(API), ip(DB)), 'dropped');
    assert.equal(send(model, OUTSIDE, ip(DB)), 'dropped');
    assert.equal(send(model, '192.168.77.1', ip(DB), { from: 'node' }), 'sent');
    assert.equal(send(model, ip(API), ip(DB), { state: 'established' }), 'sent');
    assert.equal(send(model, ip(DB), ip(WEB)), 'sent', 'egress stays open');
  });

  it('never keeps a pod from itself', () => {
    const model = cluster({ namespace: 'db', spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } });
    assert.equal(send(model, ip(DB), ip(DB)), 'sent');
  });

  const peers: readonly [string, object, Record<string, Walk['verdict']>][] = [
    [
      'pod selector: own namespace only',
      { podSelector: { matchLabels: { app: 'postgres' } } },
      { PEER: 'sent', API: 'dropped', IMPOSTOR: 'dropped', OUTSIDE: 'dropped' },
    ],
    [
      'namespace selector: every pod of it',
      { namespaceSelector: { matchLabels: { name: 'app' } } },
      { API: 'sent', WEB: 'sent', PEER: 'dropped' },
    ],
    [
      'both together: both must hold',
      { namespaceSelector: { matchLabels: { name: 'app' } }, podSelector: { matchLabels: { role: 'api' } } },
      { API: 'sent', WEB: 'dropped', IMPOSTOR: 'dropped', PEER: 'dropped' },
    ],
    [
      'empty namespace selector: every pod, nobody outside',
      { namespaceSelector: {} },
      { API: 'sent', IMPOSTOR: 'sent', OUTSIDE: 'dropped' },
    ],
    [
      'block with exception',
      { ipBlock: { cidr: '10.244.2.0/24', except: ['10.244.2.9/32'] } },
      { WEB: 'sent', IMPOSTOR: 'dropped', API: 'dropped', OUTSIDE: 'dropped' },
    ],
  ];
  const sources: Record<string, string> = {
    PEER: ip(PEER),
    API: ip(API),
    WEB: ip(WEB),
    IMPOSTOR: ip(IMPOSTOR),
    OUTSIDE,
  };
  for (const [name, peer, wanted] of peers) {
    it(`admits by peer: ${name}`, () => {
      const model = cluster({ namespace: 'db', spec: { podSelector: {}, ingress: [{ from: [peer] }] } });
      for (const [who, verdict] of Object.entries(wanted))
        assert.equal(send(model, sources[who]!, ip(DB)), verdict, who);
    });
  }

  const ports: readonly [string, object, Partial<Packet>, Walk['verdict']][] = [
    ['number', { port: 5432 }, {}, 'sent'],
    ['another number', { port: 5433 }, {}, 'dropped'],
    ['number of another protocol', { port: 5432, protocol: 'UDP' }, {}, 'dropped'],
    ['range', { port: 5000, endPort: 6000 }, {}, 'sent'],
    ['range that ends before', { port: 5000, endPort: 5431 }, {}, 'dropped'],
    ['name', { port: 'pg' }, {}, 'sent'],
    ['name the pod does not have', { port: 'http' }, {}, 'dropped'],
    ['protocol alone', { protocol: 'TCP' }, {}, 'sent'],
    ['protocol alone, ping', { protocol: 'TCP' }, { protocol: 'icmp', dport: 0 }, 'dropped'],
  ];
  for (const from of [undefined, [{ namespaceSelector: {} }], [{ ipBlock: { cidr: '10.0.0.0/8' } }]]) {
    for (const [name, port, packet, verdict] of ports) {
      it(`admits by port: ${name}, from ${from === undefined ? 'anywhere' : Object.keys(from[0]!)[0]}`, () => {
        const model = cluster({ namespace: 'db', spec: { podSelector: {}, ingress: [{ from, ports: [port] }] } });
        assert.equal(send(model, ip(API), ip(DB), packet), verdict);
      });
    }
  }

  it('adds policies up', () => {
    const allow = { podSelector: { matchLabels: { app: 'postgres' } }, ingress: [{ from: [{ podSelector: {} }] }] };
    const model = cluster({ namespace: 'db', spec: denyIngress }, { namespace: 'db', spec: allow });
    assert.equal(send(model, ip(PEER), ip(DB)), 'sent');
    assert.equal(send(model, ip(WEB), ip(DB)), 'dropped');
    model.setPolicy('db/p1', undefined);
    assert.equal(send(model, ip(PEER), ip(DB)), 'dropped');
    model.setPolicy('db/p0', undefined);
    assert.equal(send(model, ip(WEB), ip(DB)), 'sent');
  });

  it('follows pods and namespaces that change their labels', () => {
    const from = [
      { namespaceSelector: { matchLabels: { name: 'app' } }, podSelector: { matchLabels: { role: 'api' } } },
    ];
    const model = cluster({ namespace: 'db', spec: { podSelector: {}, ingress: [{ from }] } });
    model.setPod(API.key, { ...API, labels: { role: 'web' } });
    assert.equal(send(model, ip(API), ip(DB)), 'dropped');
    model.setPod(API.key, API);
    model.setNamespace('app', { name: 'renamed' });
    assert.equal(send(model, ip(API), ip(DB)), 'dropped');
    model.setNamespace('other', { name: 'app' });
    assert.equal(send(model, ip(IMPOSTOR), ip(DB)), 'sent');
  });

  it('denies egress, the cluster DNS included, until a rule names the DNS pods', () => {
    const dns = makePod('kube-system/dns', '10.96.0.10', { 'k8s-app': 'kube-dns' });
    const model = cluster({ namespace: 'app', spec: { podSelector: {}, policyTypes: ['Egress'] } });
    model.setPod(dns.key, dns);
    const ask = () => send(model, ip(API), '10.96.0.10', { protocol: 'udp', dport: 53 });
    assert.equal(ask(), 'dropped');
    assert.equal(
      send(model, ip(API), '192.168.77.1', { dport: 10250 }),
      'dropped',
      'the node is a destination like others',
    );
    const to = [
      {
        namespaceSelector: { matchLabels: { name: 'kube-system' } },
        podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
      },
    ];
    model.setPolicy(
      'app/dns',
      compilePolicy({
        metadata: { namespace: 'app', name: 'dns' },
        spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to, ports: [{ protocol: 'UDP', port: 53 }] }] },
      }),
    );
    assert.equal(ask(), 'delivered');
    assert.equal(send(model, ip(API), ip(DB)), 'dropped');
  });

  it('reads named ports of an egress rule at each destination', () => {
    const model = cluster({
      namespace: 'app',
      spec: {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ to: [{ namespaceSelector: {} }], ports: [{ port: 'pg' }] }],
      },
    });
    assert.equal(send(model, ip(API), ip(DB)), 'sent');
    assert.equal(send(model, ip(API), ip(PEER)), 'dropped');
  });

  it('leaves nothing behind when pods go', () => {
    const model = cluster({
      namespace: 'db',
      spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] },
    });
    assert.notEqual(model.elements.all().length, 0);
    model.setLocalPod(DB.key, undefined);
    assert.deepEqual(model.elements.all(), []);
  });

  it('costs one element for one more peer', () => {
    const model = cluster({
      namespace: 'db',
      spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] },
    });
    model.elements.take();
    model.setPod('app/new', makePod('app/new', '10.244.2.77'));
    const { remove, add } = model.elements.take();
    assert.deepEqual([remove.length, add.length], [0, 1]);
  });
});

describe('compilePolicy', () => {
  const types: readonly [string, NetworkPolicy['spec'], string[]][] = [
    ['none given, no egress rules', { podSelector: {} }, ['ingress']],
    ['none given, egress rules', { podSelector: {}, egress: [{}] }, ['ingress', 'egress']],
    ['egress alone', { podSelector: {}, policyTypes: ['Egress'] }, ['egress']],
  ];
  for (const [name, spec, want] of types) {
    it(`finds the directions: ${name}`, () =>
      assert.deepEqual([...compilePolicy({ metadata: { namespace: 'a', name: 'b' }, spec }).directions], want));
  }
});

describe('blockRanges', () => {
  it('cuts exceptions out', () => {
    const text = (cidr: string, ...except: string[]) => blockRanges(cidr, except).map((r) => formatRange(r));
    assert.deepEqual(text('10.0.0.0/24'), ['10.0.0.0-10.0.0.255']);
    assert.deepEqual(text('10.0.0.0/24', '10.0.0.16/28', '10.0.0.0/32'), [
      '10.0.0.1-10.0.0.15',
      '10.0.0.32-10.0.0.255',
    ]);
    assert.deepEqual(text('10.0.0.0/24', '10.0.0.0/16'), []);
    assert.deepEqual(text('2001:db8::/32'), []);
  });
});

describe('disjointBoxes', () => {
  it('leaves no address in two boxes and lets through the union', () => {
    const port = (from: number, to = from) => ({ protocol: 'tcp' as const, from, to });
    const boxes = disjointBoxes([
      { addresses: { from: 0n, to: 9n }, ports: [port(80)] },
      { addresses: { from: 5n, to: 20n }, ports: [port(81, 90)] },
      { addresses: { from: 8n, to: 8n }, ports: 'all' },
    ]);
    assert.deepEqual(boxes, [
      { addresses: { from: 0n, to: 4n }, ports: [port(80)] },
      { addresses: { from: 5n, to: 7n }, ports: [port(80, 90)] },
      { addresses: { from: 8n, to: 8n }, ports: 'all' },
      { addresses: { from: 9n, to: 9n }, ports: [port(80, 90)] },
      { addresses: { from: 10n, to: 20n }, ports: [port(81, 90)] },
    ]);
    assert.deepEqual(mergePorts([port(5), port(1, 4), port(3)]), [port(1, 5)]);
  });
});
