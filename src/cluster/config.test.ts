import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  checkName,
  DATA_FORMAT,
  parseDisabled,
  parseMemory,
  parsePodNetwork,
  parseRange,
  parseZones,
  readConfig,
} from './config.ts';
import { UsageError } from './errors.ts';

describe('readConfig', () => {
  const folder = mkdtempSync(join(tmpdir(), 'config-'));
  const file = join(folder, 'cluster.json');
  after(() => rmSync(folder, { recursive: true }));

  it('finds nothing where there is no file', () => assert.equal(readConfig(join(folder, 'none.json')), undefined));

  for (const [what, text, expected] of [
    ['a newer format', JSON.stringify({ format: DATA_FORMAT + 1 }), /Use the newer Coracle/],
    ['an older format', JSON.stringify({ format: DATA_FORMAT - 1 }), /Export what you need/],
    ['a torn file', '{"format": 1, "na', /not valid JSON; nothing was changed/],
    ['some other JSON', '{"name": "web"}', /is not the configuration of a cluster/],
  ] as const) {
    it(`refuses ${what} and leaves it untouched`, () => {
      writeFileSync(file, text);
      assert.throws(
        () => readConfig(file),
        (error) => error instanceof UsageError && expected.test(error.message),
      );
      assert.equal(readFileSync(file, 'utf8'), text);
    });
  }
});

describe('parsePodNetwork', () => {
  it('takes the modes there are', () =>
    assert.deepEqual(['routes', 'vxlan'].map(parsePodNetwork), ['routes', 'vxlan']));
  it('names them to whom gives another', () =>
    assert.throws(() => parsePodNetwork('ipip'), /--pod-network knows routes and vxlan; not "ipip"/));
});

describe('parseRange', () => {
  it('gives the canonical text', () => assert.equal(parseRange('--pod-cidr', '10.244.3.7/16'), '10.244.0.0/16'));
  for (const text of ['10.244.0.0', '10.244.0.0/33', 'fd00::/64', '']) {
    it(`refuses "${text}" and names the option`, () =>
      assert.throws(() => parseRange('--pod-cidr', text), /--pod-cidr wants an IPv4 range/));
  }
});

describe('checkName', () => {
  for (const name of ['local', 'a', 'x-1', '0'.repeat(32)])
    it(`takes ${name}`, () => assert.equal(checkName(name), name));
  for (const name of ['', 'A', 'a_b', '-a', 'a-', 'a/b', '..', 'x'.repeat(33)])
    it(`refuses "${name}"`, () => assert.throws(() => checkName(name), UsageError));
});

describe('parseMemory', () => {
  for (const [text, bytes] of [
    ['4Gi', 4 * 2 ** 30],
    ['512Mi', 512 * 2 ** 20],
    ['1G', 1e9],
    ['1000', 1000],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(parseMemory(text), bytes));
  }
  for (const text of ['much', '4 Gi', '-1', '1.5Gi'])
    it(`refuses ${text}`, () => assert.throws(() => parseMemory(text), UsageError));
});

describe('parseDisabled', () => {
  it('takes a list', () => assert.deepEqual(parseDisabled('scheduler,dns,'), ['scheduler', 'dns']));
  it('refuses a part that cannot be left out, and says which can', () =>
    assert.throws(() => parseDisabled('etcd'), /knows scheduler, controllers, dns, proxy, policy\b.*; not "etcd"/));
});

describe('parseZones', () => {
  it('takes names of zones, and refuses what no label can hold', () => {
    assert.deepEqual(parseZones('east,west'), ['east', 'west']);
    for (const bad of ['', ',', 'a b', '-a']) assert.throws(() => parseZones(bad), /--zones wants names/, bad);
  });
});
