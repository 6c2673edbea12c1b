import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  cidrContains,
  cidrSize,
  cidrsOverlap,
  formatCIDR,
  formatIP,
  ipAt,
  isCanonicalCIDR,
  parseCIDR,
  parseIP,
  parseIPRange,
  subnetAt,
} from './ip.ts';

describe('parseIP', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    ':::',
    '1::2::3',
    'g::1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseIP(text), undefined));
  }
  const canonical: readonly [string, string][] = [
    ['10.244.3.7', '10.244.3.7'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ];
  for (const [text, wanted] of canonical)
    it(`reads ${text} as ${wanted}`, () => assert.equal(formatIP(parseIP(text)!), wanted));

  it('reads back every address it writes', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => formatIP(parseIP(text)!) === text));
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        (value) => parseIP(formatIP({ family: 6, value }))!.value === value,
      ),
    );
  });
});

describe('parseCIDR', () => {
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '::/129', '/8'])
    it(`refuses ${text}`, () => assert.equal(parseCIDR(text), undefined));

  it('clears host bits, and tells canonical texts from others', () => {
    assert.equal(formatCIDR(parseCIDR('10.244.3.7/16')!), '10.244.0.0/16');
    assert.equal(isCanonicalCIDR('10.244.3.7/16'), false);
    assert.equal(isCanonicalCIDR('10.244.0.0/16'), true);
  });
});

describe('ranges', () => {
  const pods = parseCIDR('10.244.0.0/16')!;

  it('contain their first and last address and no other family', () => {
    assert.ok(cidrContains(pods, parseIP('10.244.0.0')!));
    assert.ok(cidrContains(pods, parseIP('10.244.255.255')!));
    assert.ok(!cidrContains(pods, parseIP('10.245.0.0')!));
    assert.ok(!cidrContains(pods, parseIP('::1')!));
    assert.equal(cidrSize(pods), 65_536n);
  });

  it('overlap when one holds the other, not when they are neighbours', () => {
    assert.ok(cidrsOverlap(pods, parseCIDR('10.244.7.0/24')!));
    assert.ok(!cidrsOverlap(pods, parseCIDR('10.245.0.0/16')!));
    assert.ok(!cidrsOverlap(pods, parseCIDR('::/0')!));
  });

  it('give subnets and addresses by number, and throw past their end', () => {
    assert.equal(formatCIDR(subnetAt(pods, 24, 3)), '10.244.3.0/24');
    assert.equal(formatIP(ipAt(parseCIDR('10.96.0.0/12')!, 10)), '10.96.0.10');
    assert.throws(() => subnetAt(pods, 24, 256), RangeError);
    assert.throws(() => ipAt(parseCIDR('10.0.0.0/30')!, 4), RangeError);
  });
});

describe('parseIPRange', () => {
  const texts: readonly [string, string | undefined][] = [
    ['10.0.0.1-10.0.0.9', '10.0.0.1-10.0.0.9'],
    ['10.0.0.1 - 10.0.0.1', '10.0.0.1-10.0.0.1'],
    ['10.0.0.8/30', '10.0.0.8-10.0.0.11'],
    ['fd00::1-fd00::ff', 'fd00::1-fd00::ff'],
    ['10.0.0.7', '10.0.0.7-10.0.0.7'],
    ['10.0.0.9-10.0.0.1', undefined],
    ['10.0.0.9-fd00::1', undefined],
    ['10.0.0.1-10.0.0.2-10.0.0.3', undefined],
    ['10.0.0.1-', undefined],
    ['all', undefined],
  ];
  for (const [text, want] of texts)
    it(`reads ${text}`, () => {
      const range = parseIPRange(text);
      const text4 = (value: bigint) => formatIP({ family: range!.family, value });
      assert.equal(range === undefined ? undefined : `${text4(range.first)}-${text4(range.last)}`, want);
    });
});
