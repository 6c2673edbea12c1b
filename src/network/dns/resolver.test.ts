import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { Names } from '#netmodel/names.ts';
import { type Ask, Forwarder } from './forwarder.ts';
import { Resolver } from './resolver.ts';
import { decodeAnswer, decodeQuery, encodeQuery, encodeResponse, TYPES } from '#netmodel/dns-wire.ts';

/** An upstream that knows example.org and counts what it is asked. */
function setUp(options: { upstreams?: readonly string[]; dead?: readonly string[]; synced?: boolean } = {}) {
  const clock = new SteppedClock();
  const asked: string[] = [];
  const ask: Ask = async (upstream, bytes) => {
    const query = decodeQuery(bytes);
    asked.push(`${upstream} ${query.name}`);
    if (options.dead?.includes(upstream)) throw new Error('silence');
    const known = query.name.toLowerCase() === 'example.org';
    const answers = known ? [{ name: query.name, ttl: 20, data: { type: 'A', address: '203.0.113.5' } as const }] : [];
    return encodeResponse(
      { query, rcode: known ? 0 : 3, authoritative: false, answers, authority: [], additional: [] },
      65_535,
    );
  };
  const names = new Names({ domain: 'cluster.local', dnsAddress: '10.96.0.10' });
  names.setNamespace('db', true);
  names.setService('db/pg', {
    metadata: { namespace: 'db', name: 'pg' },
    spec: { clusterIP: '10.96.42.7', ports: [{ port: 5432 }] },
  });
  names.setService('db/alias', {
    metadata: { namespace: 'db', name: 'alias' },
    spec: { type: 'ExternalName', externalName: 'example.org' },
  });
  names.setService('db/inner', {
    metadata: { namespace: 'db', name: 'inner' },
    spec: { type: 'ExternalName', externalName: 'pg.db.svc.cluster.local' },
  });
  names.setService('db/loop', {
    metadata: { namespace: 'db', name: 'loop' },
    spec: { type: 'ExternalName', externalName: 'loop.db.svc.cluster.local' },
  });
  const forwarder = new Forwarder({
    ask,
    clock,
    random: new SeededRandom(1),
    upstreams: options.upstreams ?? ['192.0.2.53:53'],
  });
  const resolver = new Resolver({
    names,
    forwarder,
    clock,
    metrics: new MetricsRegistry(),
    synced: () => options.synced ?? true,
  });
  const resolve = async (name: string, type: number = TYPES.A) => {
    const answer = decodeAnswer((await resolver.answer(encodeQuery(9, name, type), 'udp'))!);
    assert.equal(answer.id, 9);
    return [
      answer.rcode,
      ...answer.answers.map((r) => ('address' in r.data ? r.data.address : 'name' in r.data ? r.data.name : '')),
    ].join(' ');
  };
  return { clock, asked, resolve, resolver };
}

describe('Resolver', () => {
  it('answers cluster names without asking anybody', async () => {
    const { resolve, asked } = setUp();
    assert.equal(await resolve('PG.db.svc.Cluster.local'), '0 10.96.42.7');
    assert.equal(await resolve('nobody.db.svc.cluster.local'), '3');
    assert.deepEqual(asked, []);
  });

  it('forwards other names and remembers the answer for its time', async () => {
    const { resolve, asked, clock } = setUp();
    assert.equal(await resolve('example.org'), '0 203.0.113.5');
    assert.equal(await resolve('example.org'), '0 203.0.113.5');
    assert.equal(asked.length, 1);
    await clock.step(21_000);
    await resolve('example.org');
    assert.equal(asked.length, 2);
  });

  it('asks once for equal questions at the same time', async () => {
    const { resolve, asked } = setUp();
    await Promise.all([resolve('example.org'), resolve('example.org'), resolve('example.org')]);
    assert.equal(asked.length, 1);
  });

  it('ages what it remembers', async () => {
    const { resolver, clock } = setUp();
    await resolver.answer(encodeQuery(1, 'example.org', TYPES.A), 'udp');
    await clock.step(7000);
    assert.equal(decodeAnswer((await resolver.answer(encodeQuery(1, 'example.org', TYPES.A), 'udp'))!).minTtl, 13);
  });

  it('asks the next upstream when one is silent, and says SERVFAIL when all are', async () => {
    const upstreams = ['192.0.2.1:53', '192.0.2.2:53'];
    assert.equal(await setUp({ upstreams, dead: ['192.0.2.1:53'] }).resolve('example.org'), '0 203.0.113.5');
    assert.equal(await setUp({ upstreams, dead: upstreams }).resolve('example.org'), '2');
    assert.equal(await setUp({ upstreams: [] }).resolve('example.org'), '2');
  });

  it('follows an ExternalName, inside and outside, and ends in a loop', async () => {
    const { resolve } = setUp();
    assert.equal(await resolve('alias.db.svc.cluster.local'), '0 example.org 203.0.113.5');
    assert.equal(await resolve('inner.db.svc.cluster.local'), '0 pg.db.svc.cluster.local 10.96.42.7');
    assert.match(await resolve('loop.db.svc.cluster.local'), /^0 loop/);
  });

  it('says SERVFAIL, not NXDOMAIN, while it does not know the objects yet', async () => {
    assert.equal(await setUp({ synced: false }).resolve('pg.db.svc.cluster.local'), '2');
  });

  it('answers a broken query with a format error', async () => {
    const { resolver } = setUp();
    assert.equal((await resolver.answer(Uint8Array.from([0, 5, 1, 0, 0]), 'udp'))![3], 1);
  });
});
