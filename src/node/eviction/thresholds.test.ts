import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  amountText,
  isMet,
  nextPressure,
  NO_PRESSURE,
  type Observations,
  parseDuration,
  parseThresholds,
  reservedOf,
  type Signal,
} from './thresholds.ts';

const MI = 1024 * 1024;
const seen = (available: number, capacity = 1000 * MI, signal: Signal = 'memory.available'): Observations =>
  new Map([[signal, { available, capacity }]]);

describe('parseThresholds', () => {
  it('has upstream’s defaults', () => {
    assert.deepEqual(parseThresholds({}), [
      { signal: 'memory.available', amount: { quantity: '100Mi' }, graceMs: 0 },
      { signal: 'nodefs.available', amount: { share: 0.1 }, graceMs: 0 },
      { signal: 'nodefs.inodesFree', amount: { share: 0.05 }, graceMs: 0 },
      { signal: 'imagefs.available', amount: { share: 0.15 }, graceMs: 0 },
    ]);
  });

  it('reads hard and soft ones, their grace and what is to be reclaimed', () => {
    const thresholds = parseThresholds({
      hard: 'memory.available<1Gi',
      soft: 'memory.available<1536Mi, nodefs.available<15.5%',
      softGracePeriod: 'memory.available=1m30s,nodefs.available=500ms',
      minimumReclaim: 'nodefs.available=500Mi',
    });
    assert.deepEqual(thresholds, [
      { signal: 'memory.available', amount: { quantity: '1Gi' }, graceMs: 0 },
      { signal: 'memory.available', amount: { quantity: '1536Mi' }, graceMs: 90_000 },
      { signal: 'nodefs.available', amount: { share: 0.155 }, graceMs: 500, minReclaim: { quantity: '500Mi' } },
    ]);
  });

  it('takes 0% as never', () => assert.deepEqual(parseThresholds({ hard: 'nodefs.available<0%' }), []));

  for (const [condition, options, message] of [
    ['the signal is unknown', { hard: 'swap.available<1' }, /unsupported eviction signal swap.available/],
    ['a soft one has no grace', { soft: 'memory.available<1Gi' }, /grace period must be specified for the soft/],
    ['a signal comes twice', { hard: 'pid.available<1,pid.available<2' }, /duplicate/],
    ['the operator is another', { hard: 'memory.available>1' }, /write SIGNAL<VALUE/],
    ['the value is no amount', { hard: 'memory.available<much' }, /wants a quantity or a percentage/],
    ['the value is negative', { hard: 'memory.available<-1' }, /must be positive/],
    ['a share is more than all', { hard: 'memory.available<101%' }, /must be >= 0% and < 100%/],
  ] as const)
    it(`refuses when ${condition}`, () => assert.throws(() => parseThresholds(options), message));

  it('reads durations as Go writes them', () => {
    assert.deepEqual(
      ['1h2m3s', '250ms', '1.5s'].map((t) => parseDuration('x', t)),
      [3_723_000, 250, 1500],
    );
    for (const text of ['', '5', '1d', '1m x']) assert.throws(() => parseDuration('x', text), /wants a duration/);
  });
});

describe('isMet', () => {
  const [absolute] = parseThresholds({ hard: 'memory.available<100Mi' });
  const [share] = parseThresholds({ hard: 'nodefs.available<10%', minimumReclaim: 'nodefs.available=5%' });

  it('is below the amount, not at it', () => {
    assert.equal(isMet(absolute!, seen(100 * MI - 1), false), true);
    assert.equal(isMet(absolute!, seen(100 * MI), false), false);
  });

  it('takes a share of the capacity', () => {
    assert.equal(isMet(share!, seen(99, 1000, 'nodefs.available'), false), true);
    assert.equal(isMet(share!, seen(100, 1000, 'nodefs.available'), false), false);
    assert.equal(isMet(share!, seen(149, 1000, 'nodefs.available'), true), true);
    assert.equal(isMet(share!, seen(150, 1000, 'nodefs.available'), true), false);
  });

  it('is never what was not observed', () => assert.equal(isMet(share!, new Map(), false), false));

  it('is written as it was configured, or in binary units', () => {
    assert.equal(amountText({ quantity: '100Mi' }, 1), '100Mi');
    assert.equal(amountText({ share: 0.1 }, 10 * 1024 * MI), '1Gi');
  });
});

describe('reservedOf', () => {
  it('is what a hard threshold keeps free, and nothing without one', () => {
    assert.equal(reservedOf({}, 'memory.available', 1000 * MI), 100 * MI);
    assert.equal(reservedOf({}, 'nodefs.available', 1000), 100);
    assert.equal(reservedOf({ hard: '' }, 'memory.available', 1000 * MI), 0);
    const soft = { hard: '', soft: 'memory.available<1Gi', softGracePeriod: 'memory.available=1s' };
    assert.equal(reservedOf(soft, 'memory.available', 1000 * MI), 0);
  });
});

describe('nextPressure', () => {
  const MINUTE = 60_000;
  const TRANSITION = 5 * MINUTE;
  const step = (thresholds: ReturnType<typeof parseThresholds>) => {
    let state = NO_PRESSURE;
    return (atMs: number, observations: Observations) =>
      (state = nextPressure(state, thresholds, observations, atMs, TRANSITION));
  };

  it('presses at once and lets go after the transition period', () => {
    const at = step(parseThresholds({ hard: 'memory.available<100Mi' }));
    assert.deepEqual(at(0, seen(200 * MI)).pressures, []);
    assert.deepEqual(at(1000, seen(50 * MI)).pressures, ['MemoryPressure']);
    assert.deepEqual(at(2000, seen(200 * MI)).pressures, ['MemoryPressure']);
    assert.deepEqual(at(1000 + TRANSITION - 1, seen(200 * MI)).pressures, ['MemoryPressure']);
    assert.deepEqual(at(1000 + TRANSITION, seen(200 * MI)).pressures, []);
  });

  it('is due at once for a hard threshold, after its grace for a soft one', () => {
    const at = step(
      parseThresholds({ soft: 'memory.available<100Mi', softGracePeriod: 'memory.available=1m', hard: '' }),
    );
    assert.deepEqual(at(0, seen(50 * MI)).due, []);
    assert.deepEqual(at(0, seen(50 * MI)).pressures, ['MemoryPressure']);
    assert.equal(at(MINUTE, seen(50 * MI)).due.length, 1);
    at(MINUTE + 1, seen(200 * MI));
    assert.deepEqual(at(MINUTE + 2, seen(50 * MI)).due, [], 'the grace begins anew');
  });

  it('goes on until the minimum is reclaimed too', () => {
    const at = step(parseThresholds({ hard: 'memory.available<100Mi', minimumReclaim: 'memory.available=50Mi' }));
    assert.deepEqual(at(0, seen(120 * MI)).due, []);
    assert.equal(at(1, seen(90 * MI)).due.length, 1);
    assert.equal(at(2, seen(120 * MI)).due.length, 1);
    assert.deepEqual(at(3, seen(150 * MI)).due, []);
    assert.deepEqual(at(4, seen(120 * MI)).due, []);
  });

  it('puts memory first', () => {
    const at = step(parseThresholds({ hard: 'nodefs.available<10%,memory.available<100Mi' }));
    const state = at(0, new Map([...seen(1), ...seen(1, 1000, 'nodefs.available')]));
    assert.deepEqual(
      state.due.map((t) => t.signal),
      ['memory.available', 'nodefs.available'],
    );
    assert.deepEqual(state.pressures, ['MemoryPressure', 'DiskPressure']);
  });
});
