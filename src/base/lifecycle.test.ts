import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs } from './backoff.ts';
import { type Component, startAll, stopAll } from './lifecycle.ts';
import { createLog, describeError } from './log.ts';
import { randomSuffix, SeededRandom, uuid } from './random.ts';

function recording(calls: string[], name: string, failing?: 'start' | 'stop'): Component {
  const act = (what: 'start' | 'stop') => async () => {
    calls.push(`${what} ${name}`);
    if (what === failing) throw new Error(`${name} would not ${what}`);
  };
  return { name, start: act('start'), stop: act('stop') };
}
const never = new AbortController().signal;

describe('startAll', () => {
  it('starts in order; when one fails, stops what was begun in reverse and rethrows', async () => {
    const calls: string[] = [];
    const parts = [recording(calls, 'a'), recording(calls, 'b', 'start'), recording(calls, 'c')];
    await assert.rejects(startAll(parts, never), /b would not start/);
    assert.deepEqual(calls, ['start a', 'start b', 'stop b', 'stop a']);
  });
});

describe('stopAll', () => {
  it('goes on past failures and throws them together', async () => {
    const calls: string[] = [];
    await assert.rejects(stopAll([recording(calls, 'a', 'stop'), recording(calls, 'b', 'stop')]), AggregateError);
    assert.deepEqual(calls, ['stop b', 'stop a']);
  });
});

describe('backoffMs', () => {
  it('doubles up to its limit, and jitters upwards only', () => {
    const options = { baseMs: 100, maxMs: 1_000, jitter: 0.5 };
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((n) => backoffMs(n, options)),
      [100, 200, 400, 800, 1_000],
    );
    const random = new SeededRandom(1);
    for (let i = 0; i < 100; i++) {
      const delay = backoffMs(2, options, random);
      assert.ok(delay >= 200 && delay <= 300);
    }
  });
});

describe('SeededRandom', () => {
  it('repeats itself for a seed, and differs between seeds', () => {
    const draw = (seed: number) => [uuid(new SeededRandom(seed)), randomSuffix(new SeededRandom(seed))];
    assert.deepEqual(draw(7), draw(7));
    assert.notDeepEqual(draw(7), draw(8));
    assert.match(draw(7)[0]!, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('createLog', () => {
  it('writes one JSON line a record from its level up, with the chain of causes of errors', () => {
    const lines: string[] = [];
    const log = createLog({ write: (line) => void lines.push(line) }, { now: () => 0, level: 'warn' }).with({
      part: 'x',
    });
    log.info('dropped');
    log.warn('kept', { error: new Error('outer', { cause: new Error('inner') }) });
    assert.deepEqual(lines, [
      '{"ts":"1970-01-01T00:00:00.000Z","level":"warn","msg":"kept","part":"x","error":"outer: inner"}\n',
    ]);
    assert.equal(describeError('text'), 'text');
  });
});
