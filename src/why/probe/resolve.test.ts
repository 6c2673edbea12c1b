import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { decodeQuery, encodeResponse, RCODES } from '#netmodel/dns-wire.ts';
import { addressesInHosts, candidates, resolveName } from './resolve.ts';
import { KernelSockets } from './sockets.ts';

const config = (searches: readonly string[], ...options: readonly string[]) => ({ servers: [], searches, options });

describe('candidates', () => {
  const search = ['shop.svc.cluster.local', 'svc.cluster.local'];
  for (const [name, of, expected] of [
    ['db', config(search, 'ndots:5'), ['db.shop.svc.cluster.local', 'db.svc.cluster.local', 'db']],
    ['db.shop', config(search), ['db.shop', 'db.shop.shop.svc.cluster.local', 'db.shop.svc.cluster.local']],
    ['db.shop.', config(search, 'ndots:5'), ['db.shop']],
    ['db', config([]), ['db']],
  ] as const)
    it(`of ${name} with ${of.options.join() || 'no options'}`, () => assert.deepEqual(candidates(name, of), expected));
});

describe('addressesInHosts', () => {
  it('takes every name of a line, in any case, and no comment', () => {
    const hosts = '127.0.0.1 localhost\n10.1.2.3 db DB.test # other\n::1 db\n# 10.9.9.9 db\n';
    assert.deepEqual(addressesInHosts(hosts, 'Db.Test.'), ['10.1.2.3']);
    assert.deepEqual(addressesInHosts(hosts, 'db'), ['10.1.2.3', '::1']);
    assert.deepEqual(addressesInHosts(hosts, 'other'), []);
  });
});

describe('resolveName', () => {
  let server: Socket;
  /** Question → how it is answered; what is absent is NXDOMAIN. */
  const zone = new Map<string, string | 'silent' | 'SERVFAIL'>();
  before(async () => {
    server = createSocket('udp4');
    server.on('message', (message, from) => {
      const query = decodeQuery(message);
      const found = zone.get(query.name);
      if (found === 'silent') return;
      const answers =
        found === undefined || found === 'SERVFAIL' || query.type !== 1
          ? []
          : [{ name: query.name, ttl: 5, data: { type: 'A' as const, address: found } }];
      const rcode = found === undefined ? RCODES.noName : found === 'SERVFAIL' ? RCODES.serverFailure : RCODES.ok;
      server.send(
        encodeResponse({ query, rcode, authoritative: true, answers, authority: [], additional: [] }, 512),
        from.port,
        from.address,
      );
    });
    await new Promise<void>((resolve) => void server.bind(0, '127.0.0.1', () => resolve()));
  });
  after(() => void server.close());

  const clock = new SystemClock();
  const resolve = (name: string, resolvConf: string, timeoutMs = 400) =>
    resolveName(
      name,
      { resolvConf, hosts: '', timeoutMs, port: server.address().port },
      { sockets: new KernelSockets(clock), clock, random: new SeededRandom(7) },
    );
  const CONF = 'nameserver 127.0.0.1\nsearch shop.svc\noptions ndots:5\n';

  it('records every question of the search list until one is answered', async () => {
    zone.set('db', '10.0.0.7');
    const { addresses, attempts } = await resolve('db', CONF);
    assert.deepEqual(addresses, ['10.0.0.7']);
    assert.deepEqual(
      attempts.map((a) => `${a.question} ${a.type} ${a.outcome}`),
      ['db.shop.svc A NXDOMAIN', 'db.shop.svc AAAA NXDOMAIN', 'db A NOERROR', 'db AAAA NOERROR'],
    );
  });

  it('gives up in time where nobody answers, after asking twice', async () => {
    zone.set('dark.shop.svc', 'silent');
    const { addresses, attempts } = await resolve('dark', CONF, 200);
    assert.deepEqual(addresses, []);
    assert.deepEqual(
      attempts.filter((a) => a.type === 'A').map((a) => `${a.question} ${a.outcome}`),
      ['dark.shop.svc timeout', 'dark.shop.svc timeout'],
    );
  });

  it('asks the next server after a failure', async () => {
    zone.set('sick.shop.svc', 'SERVFAIL');
    const { attempts } = await resolve('sick', CONF);
    assert.equal(
      attempts.filter((a) => a.question === 'sick.shop.svc' && a.type === 'A' && a.outcome === 'SERVFAIL').length,
      2,
    );
  });

  it('finds nothing without a name server', async () =>
    assert.deepEqual(await resolve('db', ''), { addresses: [], attempts: [] }));
});
