import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatDuration,
  formatMicroTime,
  formatTime,
  humanDuration,
  normalizeMicroTime,
  normalizeTime,
  parseDuration,
  parseTime,
} from './time.ts';

describe('times', () => {
  it('are written with seconds, or with six digits', () => {
    assert.equal(formatTime(1_700_000_000_999), '2023-11-14T22:13:20Z');
    assert.equal(formatMicroTime(1_700_000_000_123.456), '2023-11-14T22:13:20.123456Z');
  });
  it('are normalised to UTC', () => {
    assert.equal(normalizeTime('2023-11-14T23:13:20.5+01:00'), '2023-11-14T22:13:20Z');
    assert.equal(normalizeMicroTime('2023-11-14T22:13:20.1Z'), '2023-11-14T22:13:20.100000Z');
  });
  it('of the first century stay there', () =>
    assert.equal(normalizeMicroTime('0001-01-01T00:00:02+00:00'), '0001-01-01T00:00:02.000000Z'));
  for (const bad of ['', 'now', '2023-02-30T00:00:00Z', '2023-11-14 22:13:20Z', '2023-11-14T25:00:00Z'])
    it(`refuse ${JSON.stringify(bad)}`, () => assert.equal(parseTime(bad), undefined));
});

describe('parseDuration', () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['100ms', 100],
    ['0', 0],
    ['-2m', -120_000],
    ['1d', undefined],
    ['', undefined],
    ['5', undefined],
    ['1h30', undefined],
  ];
  for (const [text, want] of table)
    it(`reads ${JSON.stringify(text)} as ${want}`, () => assert.equal(parseDuration(text), want));
});

describe('formatDuration', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [1500, '1.5s'],
    [100, '100ms'],
    [5_400_000, '1h30m0s'],
    [60_000, '1m0s'],
    [0.5, '500µs'],
  ];
  for (const [ms, want] of table) it(`writes ${ms} ms as ${want}`, () => assert.equal(formatDuration(ms), want));
});

describe('humanDuration', () => {
  const s = 1000;
  const table: readonly (readonly [number, string])[] = [
    [5 * s, '5s'],
    [119 * s, '119s'],
    [120 * s, '2m'],
    [200 * s, '3m20s'],
    [11 * 60 * s, '11m'],
    [179 * 60 * s, '179m'],
    [3 * 3600 * s, '3h'],
    [3.5 * 3600 * s, '3h30m'],
    [9 * 3600 * s, '9h'],
    [47 * 3600 * s, '47h'],
    [51 * 3600 * s, '2d3h'],
    [10 * 86400 * s, '10d'],
    [800 * 86400 * s, '2y70d'],
    [-5 * s, '<invalid>'],
  ];
  for (const [ms, want] of table) it(`writes ${ms / s} s as ${want}`, () => assert.equal(humanDuration(ms), want));
});
