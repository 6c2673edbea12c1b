import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from './facts.ts';
import {
  asksClusterDNS,
  looksLikeClusterName,
  meaningOf,
  meantService,
  nearNames,
  partsOf,
  searchOf,
} from './meaning.ts';
import { fromLaptop, makeClient, makeFacts, makeNamespace, makePod, makeService, sliceOf } from './testing.ts';

const pod = makePod();
const service = makeService();
const headless = makeService({ clusterIP: 'None', clusterIPs: ['None'] }, 'peers');
const objects = {
  services: [service, headless, makeService({ selector: {} }, 'postgres', 'test')],
  slices: [sliceOf(service, [pod])],
  namespaces: ['app', 'db', 'test'].map(makeNamespace),
};
const withClient = (spec: object): Facts => {
  const client = makeClient();
  const changed = { ...client, spec: { ...client.spec!, ...spec } };
  const { namespace } = client.metadata;
  return makeFacts({
    ...objects,
    source: { at: 'pod', pod: changed, namespace: namespace!, wanted: 'client' },
  } as never);
};
const facts = withClient({});
const meant = (host: string, of = facts): string => {
  const meaning = meaningOf(host, of);
  switch (meaning.kind) {
    case 'service':
    case 'empty':
      return `${meaning.kind} ${meaning.full}`;
    case 'hosts':
      return `hosts ${meaning.address}, else ${meaning.hidden.kind}`;
    case 'missing':
      return `missing after ${meaning.tried.length}`;
    default:
      return meaning.kind;
  }
};

describe('meaningOf', () => {
  const cases: readonly [string, string][] = [
    ['postgres.db', 'service postgres.db.svc.cluster.local'],
    ['postgres.db.svc', 'service postgres.db.svc.cluster.local'],
    ['postgres.db.svc.cluster.local.', 'service postgres.db.svc.cluster.local'],
    ['peers.db', 'empty peers.db.svc.cluster.local'],
    ['postgres-0.peers.db', 'empty postgres-0.peers.db.svc.cluster.local'],
    ['postgrex.db', 'missing after 4'],
    ['www.example.com', 'outside'],
  ];
  for (const [host, wanted] of cases) it(`${host}: ${wanted}`, () => assert.equal(meant(host), wanted));

  it('takes /etc/hosts before the DNS, and tells what it hides', () =>
    assert.equal(
      meant('postgres.db', withClient({ hostAliases: [{ ip: '192.0.2.7', hostnames: ['postgres.db'] }] })),
      'hosts 192.0.2.7, else service',
    ));

  it('asks whole names only where the search list is empty', () =>
    assert.equal(meant('postgres.db', withClient({ dnsPolicy: 'Default' })), 'missing after 1'));
});

describe('asksClusterDNS', () => {
  it('is so for pods, but not with dnsPolicy Default, on the host’s network or on the laptop', () => {
    assert.equal(asksClusterDNS(facts), true);
    assert.equal(asksClusterDNS(withClient({ dnsPolicy: 'Default' })), false);
    assert.equal(asksClusterDNS(withClient({ hostNetwork: true })), false);
    assert.equal(asksClusterDNS(withClient({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' })), true);
    assert.equal(asksClusterDNS(makeFacts({ ...objects, source: fromLaptop })), false);
  });
});

describe('searchOf', () => {
  it('adds what dnsConfig says', () =>
    assert.deepEqual(
      searchOf(withClient({ dnsConfig: { searches: ['example.com'], options: [{ name: 'ndots', value: '2' }] } })),
      { search: ['app.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.com'], ndots: 2 },
    ));
  it('is dnsConfig alone with dnsPolicy None', () =>
    assert.deepEqual(searchOf(withClient({ dnsPolicy: 'None', dnsConfig: { searches: ['db.svc.cluster.local'] } })), {
      search: ['db.svc.cluster.local'],
      ndots: 1,
    }));
});

describe('partsOf', () => {
  it('reads a Service’s and a pod’s name, and nothing else', () => {
    assert.deepEqual(partsOf('a.b.svc.cluster.local', 'cluster.local'), { service: 'a', namespace: 'b' });
    assert.deepEqual(partsOf('p.a.b.svc.cluster.local', 'cluster.local'), {
      hostname: 'p',
      service: 'a',
      namespace: 'b',
    });
    assert.equal(partsOf('b.svc.cluster.local', 'cluster.local'), undefined);
    assert.equal(partsOf('a.b.example.com', 'cluster.local'), undefined);
  });
});

describe('looksLikeClusterName', () => {
  it('tells a Service’s name from one of the internet', () => {
    for (const host of ['postgres', 'postgres.db', 'x.db', 'postgres.dbb', 'a.svc.example.com', 'a.cluster.local'])
      assert.equal(looksLikeClusterName(host, facts), true, host);
    for (const host of ['example.com', 'www.example.com']) assert.equal(looksLikeClusterName(host, facts), false, host);
  });
});

describe('meantService', () => {
  it('takes the cluster’s words for a client that does not ask its DNS', () => {
    const laptop = makeFacts({ ...objects, source: fromLaptop });
    assert.equal(meantService('postgres.db', laptop)?.service, service);
    assert.equal(meantService('postgres-0.peers.db', laptop)?.hostname, 'postgres-0');
    assert.equal(meantService('nothing.db', laptop), undefined);
  });
});

describe('nearNames', () => {
  it('gives the nearest first: the same namespace before another', () =>
    assert.deepEqual(
      nearNames('postgrs.db', facts).map((n) => n.name),
      ['postgres.db', 'postgres.test'],
    ));
  it('keeps a pod’s own name', () =>
    assert.equal(nearNames('postgres-0.peer.db', facts)[0]?.name, 'postgres-0.peers.db'));
  it('knows a name whose namespace was left out', () =>
    assert.equal(
      nearNames('postgres', facts).every((n) => n.sameName),
      true,
    ));
  it('gives nothing for what is far from all', () => assert.deepEqual(nearNames('loki.db', facts), []));
});
