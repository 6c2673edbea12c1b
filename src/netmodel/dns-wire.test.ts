import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { NameRecord, RecordData } from './names.ts';
import {
  decodeAnswer,
  decodeQuery,
  DnsFormatError,
  encodeFormatError,
  encodeQuery,
  encodeResponse,
  type Response,
  TYPES,
} from './dns-wire.ts';

const rec = (data: RecordData, name = 'postgres.db.svc.cluster.local'): NameRecord => ({ name, ttl: 5, data });
const makeResponse = (parts: Partial<Response> = {}): Response => ({
  query: decodeQuery(encodeQuery(77, 'postgres.db.svc.cluster.local', TYPES.A)),
  rcode: 0,
  authoritative: true,
  answers: [],
  authority: [],
  additional: [],
  ...parts,
});

describe('decodeQuery', () => {
  it('reads the question, keeping its case', () => {
    const query = decodeQuery(encodeQuery(513, 'PostGres.db', TYPES.SRV));
    assert.deepEqual(
      [query.id, query.name, query.type, query.recursionDesired, query.udpSize],
      [513, 'PostGres.db', 33, true, undefined],
    );
  });

  it('reads how much the client takes from EDNS', () => {
    const plain = encodeQuery(1, 'a', TYPES.A);
    const edns = Uint8Array.from([...plain, 0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0]);
    edns[11] = 1;
    const query = decodeQuery(edns);
    assert.deepEqual([query.udpSize, query.dnssecOk], [4096, true]);
  });

  const bad: readonly [string, number[]][] = [
    ['a name pointing at itself', [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]],
    ['a name that runs out', [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 65]],
    ['no question', [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['an answer', [0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]],
    ['nothing', []],
  ];
  for (const [name, bytes] of bad)
    it(`refuses ${name}`, () => assert.throws(() => decodeQuery(Uint8Array.from(bytes)), DnsFormatError));

  it('throws nothing but DnsFormatError on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeQuery(bytes);
        } catch (error) {
          assert.ok(error instanceof DnsFormatError);
        }
      }),
    );
  });
});

describe('encodeResponse', () => {
  it('survives the way back, every type', () => {
    const datas: RecordData[] = [
      { type: 'A', address: '10.244.1.5' },
      { type: 'AAAA', address: 'fd00::5' },
      { type: 'CNAME', name: 'db.example.org' },
      { type: 'PTR', name: 'x.svc.cluster.local' },
      { type: 'NS', name: 'ns.dns.cluster.local' },
      { type: 'SRV', priority: 0, weight: 33, port: 5432, target: 'postgres-0.postgres.db.svc.cluster.local' },
      { type: 'TXT', text: '1.1.0' },
      {
        type: 'SOA',
        mname: 'ns.dns.cluster.local',
        rname: 'hostmaster.cluster.local',
        serial: 4_000_000_000,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        minimum: 5,
      },
    ];
    const answers = datas.map((d) => rec(d));
    const decoded = decodeAnswer(encodeResponse(makeResponse({ answers }), 65_535));
    assert.deepEqual(decoded.answers, answers);
    assert.deepEqual([decoded.id, decoded.minTtl, decoded.truncated], [77, 5, false]);
  });

  it('writes a repeated name once', () => {
    const answers = Array.from({ length: 10 }, (_, i) => rec({ type: 'A', address: `10.244.1.${i}` }));
    assert.equal(encodeResponse(makeResponse({ answers }), 65_535).length, 12 + 31 + 4 + 10 * 16);
  });

  it('cuts an answer that does not fit and says so', () => {
    const answers = Array.from({ length: 60 }, (_, i) => rec({ type: 'A', address: `10.244.1.${i}` }));
    const cut = decodeAnswer(encodeResponse(makeResponse({ answers }), 512));
    assert.deepEqual([cut.truncated, cut.answers.length], [true, 0]);
  });

  it('drops additional records before it cuts answers', () => {
    const additional = Array.from({ length: 60 }, (_, i) => rec({ type: 'A', address: `10.244.1.${i}` }));
    const lean = decodeAnswer(
      encodeResponse(makeResponse({ answers: [rec({ type: 'A', address: '10.96.0.1' })], additional }), 512),
    );
    assert.deepEqual([lean.truncated, lean.answers.length], [false, 1]);
  });
});

describe('encodeFormatError', () => {
  it('answers with the id, and never answers an answer', () => {
    assert.deepEqual([...encodeFormatError(Uint8Array.from([1, 2, 1, 0]))!.subarray(0, 4)], [1, 2, 0x81, 1]);
    assert.equal(encodeFormatError(Uint8Array.from([1, 2, 0x81, 0])), undefined);
  });
});
