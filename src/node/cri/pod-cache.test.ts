import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { FakeRuntime } from './fake.ts';
import { PodCache, RELIST_THRESHOLD_MS } from './pod-cache.ts';
import { RuntimeError } from './runtime.ts';

class WithoutEvents extends FakeRuntime {
  // biome-ignore lint/correctness/useYield: it has none
  override async *events(): AsyncIterable<never> {
    throw new RuntimeError('UNIMPLEMENTED', 'unknown method GetContainerEvents');
  }
}

describe('PodCache', () => {
  for (const [what, Made] of [
    ['with an event stream', FakeRuntime],
    ['without one', WithoutEvents],
  ] as const) {
    it(`stays younger than what makes a node NotReady, ${what}, until the runtime is silent`, async () => {
      const clock = new SteppedClock();
      const runtime = new Made({ clock, random: new SeededRandom(1), ipOf: () => '10.244.0.2' });
      const cache = new PodCache({ runtime, clock, log: silentLog, onChange: () => {} });
      await cache.relist();
      const stop = new AbortController();
      const following = cache.follow(stop.signal);
      for (let minute = 0; minute < 30; minute++) {
        await clock.step(59_000);
        assert.ok(cache.ageMs() < RELIST_THRESHOLD_MS / 2, `${cache.ageMs()} ms after ${minute} minutes`);
      }
      runtime.listContainers = () => Promise.reject(new RuntimeError('UNAVAILABLE', 'connection refused'));
      await clock.step(2 * RELIST_THRESHOLD_MS);
      assert.ok(cache.ageMs() > RELIST_THRESHOLD_MS);
      stop.abort();
      await following;
    });
  }
});
