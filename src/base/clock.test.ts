import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep, SteppedClock, SystemClock } from './clock.ts';

describe('SteppedClock', () => {
  it('fires timers in order of time, then of creation', async () => {
    const clock = new SteppedClock();
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push('late'));
    clock.setTimer(10, () => fired.push('first'));
    clock.setTimer(10, () => fired.push('second'));
    await clock.step(15);
    assert.deepEqual(fired, ['first', 'second']);
    assert.equal(clock.untilNext(), 5);
    await clock.step(5);
    assert.deepEqual(fired, ['first', 'second', 'late']);
  });

  it('shows a timer the time at which it is due, not the end of the step', async () => {
    const clock = new SteppedClock(1_000);
    let seen = 0;
    clock.setTimer(10, () => (seen = clock.now()));
    await clock.step(500);
    assert.equal(seen, 1_010);
    assert.equal(clock.now(), 1_500);
  });

  it('tells the time in whole milliseconds, though timers have fractions', async () => {
    const clock = new SteppedClock(1_000);
    await clock.step(0.75);
    assert.deepEqual([clock.now(), clock.monotonic()], [1_000, 1_000.75]);
    await clock.step(0.25);
    assert.equal(clock.now(), 1_001);
  });

  it('fires timers that timers set within the same step', async () => {
    const clock = new SteppedClock();
    let count = 0;
    const again = () => {
      count++;
      clock.setTimer(10, again);
    };
    clock.setTimer(10, again);
    await clock.step(100);
    assert.equal(count, 10);
  });

  it('never fires a cancelled timer', async () => {
    const clock = new SteppedClock();
    let fired = false;
    const timer = clock.setTimer(10, () => (fired = true));
    timer.cancel();
    timer.cancel();
    await clock.step(20);
    assert.equal(fired, false);
    assert.equal(clock.untilNext(), undefined);
  });
});

describe('SystemClock', () => {
  it('cuts waits that are longer than a timer of the platform can hold', () => {
    const timer = new SystemClock().setTimer(2 ** 40, () => assert.fail('fired at once'));
    return new Promise<void>((resolve) =>
      setImmediate(() => {
        timer.cancel();
        resolve();
      }),
    );
  });
});

describe('sleep', () => {
  it('rejects with the reason when aborted, and leaves no timer behind', async () => {
    const clock = new SteppedClock();
    const stop = new AbortController();
    const sleeping = sleep(clock, 1_000, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(sleeping, /enough/);
    assert.equal(clock.untilNext(), undefined);
  });

  it('rejects at once for a signal that is aborted already', async () => {
    await assert.rejects(sleep(new SteppedClock(), 1_000, AbortSignal.abort(new Error('before'))), /before/);
  });
});
