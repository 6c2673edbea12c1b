import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from './clock.ts';
import { WorkQueue } from './workqueue.ts';

describe('WorkQueue', () => {
  it('makes many adds of one key one unit of work', async () => {
    const queue = new WorkQueue(new SteppedClock());
    for (let i = 0; i < 5; i++) queue.add('a');
    queue.add('b');
    assert.equal(queue.length, 2);
    assert.equal(await queue.take(), 'a');
    assert.equal(await queue.take(), 'b');
  });

  it('never gives a key to two workers, and brings back what was added meanwhile', async () => {
    const queue = new WorkQueue(new SteppedClock());
    queue.add('a');
    assert.equal(await queue.take(), 'a');
    queue.add('a');
    assert.equal(queue.length, 0);
    queue.done('a');
    assert.equal(queue.length, 1);
    assert.equal(await queue.take(), 'a');
  });

  it('hands a key straight to a worker that waits', async () => {
    const queue = new WorkQueue(new SteppedClock());
    const taken = queue.take();
    queue.add('a');
    assert.equal(await taken, 'a');
    queue.add('a');
    assert.equal(queue.length, 0, 'the waiting worker has it');
  });

  it('lets the earlier of two delays win', async () => {
    const clock = new SteppedClock();
    const queue = new WorkQueue(clock);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 5_000);
    await clock.step(100);
    assert.equal(queue.length, 1);
    assert.equal(clock.untilNext(), undefined, 'no second timer is left');
  });

  it('waits longer after each failure, until the key is forgotten', async () => {
    const clock = new SteppedClock();
    const queue = new WorkQueue(clock, { baseMs: 10, maxMs: 1_000 });
    const delays: number[] = [];
    for (let i = 0; i < 4; i++) {
      queue.retry('a');
      delays.push(clock.untilNext()!);
      await clock.step(delays.at(-1)!);
      await queue.take();
      queue.done('a');
    }
    assert.deepEqual(delays, [10, 20, 40, 80]);
    queue.forget('a');
    queue.retry('a');
    assert.equal(clock.untilNext(), 10);
  });

  it('ends waiting workers and drops timers when closed', async () => {
    const clock = new SteppedClock();
    const queue = new WorkQueue(clock);
    const taken = queue.take();
    queue.addAfter('a', 10);
    queue.close();
    assert.equal(await taken, undefined);
    assert.equal(clock.untilNext(), undefined);
    queue.add('b');
    assert.equal(await queue.take(), undefined);
  });
});
