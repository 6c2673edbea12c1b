import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leases } from '#generated/resources.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { runAsLeader } from './leader-election.ts';
import { createClient } from './rest-client.ts';
import { TestApi } from './testing.ts';
import { createInProcessTransport } from './transports/in-process.ts';

function setUp() {
  const api = new TestApi();
  const clock = new SteppedClock();
  const leaders: string[] = [];
  const candidate = (identity: string) => {
    const transport = createInProcessTransport(api.exchange, { name: identity, groups: [] });
    const cut = { away: false };
    const client = createClient({
      transport: {
        ...transport,
        request: (r) => (cut.away ? Promise.reject(new Error('away')) : transport.request(r)),
      },
      clock,
      userAgent: 'test/1',
    });
    const stop = new AbortController();
    const done = runAsLeader(
      { client, clock, random: new SeededRandom(identity.length), log: silentLog },
      { namespace: 'kube-system', name: 'kube-scheduler', identity },
      async (signal) => {
        leaders.push(`+${identity}`);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        leaders.push(`-${identity}`);
      },
      stop.signal,
    );
    return { cut, done, stop: () => stop.abort() };
  };
  return { api, clock, leaders, candidate };
}

describe('runAsLeader', () => {
  it('lets one lead, and the next at once when it leaves', async () => {
    const { api, clock, leaders, candidate } = setUp();
    const a = candidate('a');
    await settle();
    const b = candidate('bb');
    await clock.step(120_000);
    assert.deepEqual(leaders, ['+a']);
    assert.equal(api.find(leases, 'kube-system/kube-scheduler')!.spec!.holderIdentity, 'a');
    a.stop();
    await a.done;
    await clock.step(5_000);
    assert.deepEqual(leaders, ['+a', '-a', '+bb']);
    const spec = api.find(leases, 'kube-system/kube-scheduler')!.spec!;
    assert.deepEqual([spec.holderIdentity, spec.leaseDurationSeconds, spec.leaseTransitions], ['bb', 15, 1]);
    assert.match(spec.renewTime!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    b.stop();
    await b.done;
  });

  it('stops a leader that cannot renew before another may begin', async () => {
    const { clock, leaders, candidate } = setUp();
    const a = candidate('a');
    await settle();
    const b = candidate('bb');
    await clock.step(30_000);
    a.cut.away = true;
    await clock.step(13_000);
    assert.deepEqual(leaders, ['+a', '-a']);
    await clock.step(10_000);
    assert.deepEqual(leaders, ['+a', '-a', '+bb']);
    await a.done;
    b.stop();
    await b.done;
  });
});
