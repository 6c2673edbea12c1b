import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digits, median, ratio, rowOf } from './figures.ts';
import { kib, ticksOf } from './processes.ts';

describe('median', () => {
  it('is the middle one, or the mean of both', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([9, 1]), 5);
  });
  it('refuses nothing', () => assert.throws(() => median([])));
});

describe('ratio', () => {
  it('is above 1 where Coracle is better: more of a rate, less of a time', () => {
    assert.equal(ratio('/s', 300, 100), 3);
    assert.equal(ratio('ms', 100, 300), 3);
    assert.equal(ratio('MiB', 300, 100), 1 / 3);
  });
});

describe('digits', () => {
  for (const [value, text] of [
    [12_345.6, '12,346'],
    [12.34, '12.3'],
    [0.125, '0.13'],
  ] as const) {
    it(`writes ${value} as ${text}`, () => assert.equal(digits(value), text));
  }
});

describe('rowOf', () => {
  it('has medians of both, the times that Coracle is better, and processor time', () => {
    const row = rowOf({
      what: 'create',
      unit: '/s',
      coracle: [
        { value: 900, cpuMicros: 100, p50Ms: 1, p99Ms: 4 },
        { value: 1_000, cpuMicros: 200, p50Ms: 2, p99Ms: 5 },
        { value: 5_000, cpuMicros: 300, p50Ms: 3, p99Ms: 6 },
      ],
      reference: [{ value: 250, cpuMicros: 4_000 }],
    });
    assert.deepEqual(row, {
      what: 'create',
      coracle: '1,000/s (2.00 / 5.00 ms)',
      reference: '250/s',
      ratio: '4.00 ×',
      coracleCpu: '200 µs',
      referenceCpu: '4.00 ms',
      cpuRatio: '20.0 ×',
    });
  });
  it('leaves processor time out where none was measured', () => {
    const row = rowOf({ what: 'memory', unit: 'MiB', coracle: [{ value: 100 }], reference: [{ value: 300 }] });
    assert.deepEqual([row.ratio, row.coracleCpu, row.cpuRatio], ['3.00 ×', '', '']);
  });
});

describe('ticksOf', () => {
  it('adds user and system time, whatever the program is called', () => {
    assert.equal(ticksOf('1 (a ) b) S 1 1 1 0 -1 0 0 0 0 0 120 30 0 0 20'), 150);
  });
});

describe('kib', () => {
  it('reads one line of smaps_rollup', () => assert.equal(kib('Rss:  10 kB\nPss:   7 kB\n', 'Pss'), 7));
});
