import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import { clusterSearch, Names, type RecordType, type Resolution, searchNames } from './names.ts';

const makeNames = () => {
  const names = new Names({ domain: 'cluster.local', dnsAddress: '10.96.0.10' });
  names.setNamespace('db', true);
  const service = (name: string, spec: Service['spec']) =>
    names.setService(`db/${name}`, { metadata: { namespace: 'db', name }, spec });
  const slice = (service: string, endpoints: readonly { ip: string; hostname?: string; ready?: boolean }[]) =>
    names.setSlice(
      `db/${service}-1`,
      {
        metadata: { namespace: 'db', name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
        addressType: 'IPv4',
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
        endpoints: endpoints.map(({ ip, hostname, ready = true }) => ({
          addresses: [ip],
          conditions: { ready },
          ...(hostname === undefined ? {} : { hostname }),
        })),
      },
      undefined,
    );
  service('postgres-primary', { clusterIP: '10.96.42.7', ports: [{ name: 'pg', port: 5432 }] });
  service('postgres', { clusterIP: 'None', ports: [{ name: 'pg', port: 5432 }] });
  slice('postgres', [
    { ip: '10.244.1.5', hostname: 'postgres-0' },
    { ip: '10.244.2.5', hostname: 'postgres-1' },
    { ip: '10.244.3.5', hostname: 'postgres-2', ready: false },
    { ip: '10.244.3.9' },
  ]);
  service('alone', { clusterIP: 'None', ports: [{ port: 80 }] });
  service('elsewhere', { type: 'ExternalName', externalName: 'DB.example.org.' });
  return names;
};

function say(resolution: Resolution): string {
  if (resolution.kind !== 'answer') return resolution.kind === 'alias' ? `alias ${resolution.target}` : resolution.kind;
  const text = resolution.records.map(({ data }) => {
    if ('address' in data) return data.address;
    if (data.type === 'SRV') return `${data.target}:${data.port}`;
    if (data.type === 'TXT') return data.text;
    return data.type === 'SOA' ? data.mname : data.name;
  });
  return text.join(' ');
}

describe('Names', () => {
  const names = makeNames();
  const s = 'db.svc.cluster.local';
  const cases: readonly [string, string, RecordType | 'other', string][] = [
    ['cluster IP', `postgres-primary.${s}`, 'A', '10.96.42.7'],
    ['no address of the other family', `postgres-primary.${s}`, 'AAAA', 'no data'],
    ['headless: ready endpoints', `postgres.${s}`, 'A', '10.244.1.5 10.244.2.5 10.244.3.9'],
    ['headless without endpoints', `alone.${s}`, 'A', 'no name'],
    ['pod of a headless service', `postgres-1.postgres.${s}`, 'A', '10.244.2.5'],
    ['pod that is not ready', `postgres-2.postgres.${s}`, 'A', 'no name'],
    ['endpoint without host name', `10-244-3-9.postgres.${s}`, 'A', '10.244.3.9'],
    ['port of a service', `_pg._tcp.postgres-primary.${s}`, 'SRV', `postgres-primary.${s}:5432`],
    [
      'ports of headless endpoints',
      `_pg._tcp.postgres.${s}`,
      'SRV',
      `postgres-0.postgres.${s}:5432 postgres-1.postgres.${s}:5432 10-244-3-9.postgres.${s}:5432`,
    ],
    ['port that does not exist', `_http._tcp.postgres-primary.${s}`, 'SRV', 'no name'],
    ['port of another protocol', `_pg._udp.postgres-primary.${s}`, 'SRV', 'no name'],
    ['service that does not exist', `mysql.${s}`, 'A', 'no name'],
    ['namespace', s, 'A', 'no data'],
    ['namespace that does not exist', 'no.svc.cluster.local', 'A', 'no name'],
    ['ExternalName', `elsewhere.${s}`, 'A', 'alias db.example.org'],
    ['pod by address', '10-244-9-9.db.pod.cluster.local', 'A', '10.244.9.9'],
    ['pod by address in no namespace', '10-244-9-9.no.pod.cluster.local', 'A', 'no name'],
    ['no address in a pod name', 'postgres-0.db.pod.cluster.local', 'A', 'no name'],
    ['reverse of a cluster IP', '7.42.96.10.in-addr.arpa', 'PTR', `postgres-primary.${s}`],
    ['reverse of a pod', '5.2.244.10.in-addr.arpa', 'PTR', `postgres-1.postgres.${s}`],
    ['reverse of a foreign address', '1.2.0.192.in-addr.arpa', 'PTR', 'elsewhere'],
    ['foreign name', 'example.org', 'A', 'elsewhere'],
    ['name that only ends alike', 'notcluster.local', 'A', 'elsewhere'],
    ['domain', 'cluster.local', 'SOA', 'ns.dns.cluster.local'],
    ['name server', 'cluster.local', 'NS', 'ns.dns.cluster.local'],
    ['address of the name server', 'ns.dns.cluster.local', 'A', '10.96.0.10'],
    ['version', 'dns-version.cluster.local', 'TXT', '1.1.0'],
    ['type nobody has', `postgres.${s}`, 'other', 'no data'],
  ];
  for (const [name, question, type, wanted] of cases) {
    it(`resolves: ${name}`, () => assert.equal(say(names.resolve(question, type)), wanted));
  }

  it('follows endpoints and services that change', () => {
    const own = makeNames();
    own.setService('db/postgres-primary', {
      metadata: { namespace: 'db', name: 'postgres-primary' },
      spec: { clusterIP: '10.96.0.99' },
    });
    assert.equal(say(own.resolve(`postgres-primary.${s}`, 'A')), '10.96.0.99');
    assert.equal(say(own.resolve('7.42.96.10.in-addr.arpa', 'PTR')), 'elsewhere');
    own.setService('db/postgres', undefined);
    assert.equal(say(own.resolve(`postgres-0.postgres.${s}`, 'A')), 'no name');
  });

  it('adds the addresses of SRV targets', () => {
    const found = names.resolve(`_pg._tcp.postgres.${s}`, 'SRV');
    assert.equal(found.kind === 'answer' && found.extra.length, 3);
  });
});

describe('searchNames', () => {
  const search = clusterSearch('app', 'cluster.local');
  it('tries the search list first for short names', () => {
    assert.deepEqual(searchNames('postgres.db', search).slice(0, 2), [
      'postgres.db.app.svc.cluster.local',
      'postgres.db.svc.cluster.local',
    ]);
  });
  it('tries a name with five dots, or a last dot, as it is', () => {
    assert.equal(searchNames('a.b.c.d.e.f', search)[0], 'a.b.c.d.e.f');
    assert.deepEqual(searchNames('example.org.', search), ['example.org']);
  });
});
