import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigMap } from '#generated/api/core-v1.ts';
import { configmaps } from '#generated/resources.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from './informers.ts';
import { createClient } from './rest-client.ts';
import { TestApi } from './testing.ts';
import { createInProcessTransport } from './transports/in-process.ts';

const map = (name: string, value = '', namespace = 'a'): ConfigMap => ({
  metadata: { namespace, name },
  data: { value },
});

async function setUp(options: { watchList?: boolean; started?: boolean } = {}) {
  const api = new TestApi();
  api.watchList = options.watchList ?? true;
  const clock = new SteppedClock();
  const transport = createInProcessTransport(api.exchange, { name: 'tester', groups: [] });
  const client = createClient({ transport, clock, userAgent: 'test/1' });
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog }, { freeze: true });
  const informer = informers.informer(configmaps);
  const seen: string[] = [];
  informer.subscribe(({ key, old, object }) =>
    seen.push(`${key} ${old?.data?.['value'] ?? '-'}→${object?.data?.['value'] ?? '-'}`),
  );
  const start = async () => {
    await informers.start(new AbortController().signal);
    await settle();
  };
  return { api, clock, informers, informer, seen, start };
}

for (const watchList of [true, false]) {
  describe(`Informer ${watchList ? 'with' : 'without'} WatchList`, () => {
    it('holds what is there and follows what changes', async () => {
      const { api, informers, informer, seen, start } = await setUp({ watchList });
      api.put(configmaps, map('x', '1'));
      await start();
      assert.equal(informer.synced, true);
      api.put(configmaps, map('x', '2'));
      api.put(configmaps, map('y', '1', 'b'));
      api.remove(configmaps, 'a/x');
      await settle();
      assert.deepEqual(seen, ['a/x -→1', 'a/x 1→2', 'b/y -→1', 'a/x 2→-']);
      assert.deepEqual(
        informer.list().map((o) => o.metadata.name),
        ['y'],
      );
      assert.equal(informer.listNamespace('b').length, 1);
      await informers.stop();
    });

    it('resumes a dropped watch without listing again and without missing a change', async () => {
      const { api, clock, informers, seen, start } = await setUp({ watchList });
      await start();
      api.dropWatches();
      api.put(configmaps, map('x', '1'));
      await clock.step(60_000);
      assert.deepEqual(seen, ['a/x -→1']);
      assert.ok(
        api.requests.slice(2).every((r) => r.includes('resourceVersion=')),
        api.requests.join('\n'),
      );
      await informers.stop();
    });

    it('tells the difference when the history is gone', async () => {
      const { api, clock, informers, seen, start } = await setUp({ watchList });
      api.put(configmaps, map('same', '1'));
      api.put(configmaps, map('changed', '1'));
      api.put(configmaps, map('removed', '1'));
      await start();
      seen.length = 0;
      api.intercept = () => ({ status: 503, headers: {}, body: new Uint8Array() });
      api.dropWatches();
      await clock.step(1_000);
      api.put(configmaps, map('changed', '2'));
      api.remove(configmaps, 'a/removed');
      api.put(configmaps, map('added', '1'));
      api.compact();
      api.intercept = undefined;
      await clock.step(60_000);
      assert.deepEqual(seen.sort(), ['a/added -→1', 'a/changed 1→2', 'a/removed 1→-']);
      await informers.stop();
    });
  });
}

describe('Informer', () => {
  it('reads long lists in pages', async () => {
    const { api, informers, informer, start } = await setUp({ watchList: false });
    for (let i = 0; i < 1_100; i++) api.put(configmaps, map(`m${i}`));
    await start();
    assert.equal(informer.list().length, 1_100);
    assert.equal(api.requests.filter((r) => r.includes('limit=500')).length, 3);
    await informers.stop();
  });

  it('waits longer and longer while the server is away, 5 s and jitter at most', async () => {
    const { api, clock, informers, informer, start } = await setUp();
    api.intercept = () => ({ status: 503, headers: {}, body: new Uint8Array() });
    const started = start();
    await clock.step(1_000);
    const early = api.requests.length;
    await clock.step(600_000);
    assert.ok(early >= 2 && early <= 4, String(early));
    // 5 to 10 s apart, for ten minutes.
    assert.ok(api.requests.length > 60 && api.requests.length < 130, String(api.requests.length));
    api.intercept = undefined;
    await clock.step(10_000);
    await started;
    assert.equal(informer.synced, true);
    await informers.stop();
  });

  it('does not hammer a server that ends every watch at once', async () => {
    const { api, clock, informers, start } = await setUp();
    await start();
    api.intercept = (r) =>
      r.path.includes('watch=1') ? { status: 200, headers: {}, body: new Uint8Array() } : undefined;
    api.dropWatches();
    await clock.step(10_000);
    assert.ok(api.requests.length < 15, String(api.requests.length));
    await informers.stop();
  });

  it('shows a late subscriber what is there', async () => {
    const { api, informers, informer, start } = await setUp();
    api.put(configmaps, map('x', '1'));
    await start();
    const late: string[] = [];
    const unsubscribe = informer.subscribe((c) => late.push(c.key));
    assert.deepEqual(late, ['a/x']);
    unsubscribe();
    api.put(configmaps, map('y'));
    await settle();
    assert.deepEqual(late, ['a/x']);
    await informers.stop();
  });

  it('keeps its indexes', async () => {
    const { api, informers, informer, start } = await setUp();
    informer.addIndex('value', (m) => [m.data?.['value'] ?? '']);
    api.put(configmaps, map('x', 'red'));
    api.put(configmaps, map('y', 'red'));
    await start();
    assert.equal(informer.byIndex('value', 'red').length, 2);
    api.put(configmaps, map('x', 'blue'));
    await settle();
    assert.deepEqual(
      informer.byIndex('value', 'red').map((m) => m.metadata.name),
      ['y'],
    );
    assert.deepEqual(
      informer.byIndex('value', 'blue').map((m) => m.metadata.name),
      ['x'],
    );
    assert.throws(() => informer.byIndex('unknown', ''), /no index/);
    await informers.stop();
  });

  it('is shared by all who ask for the same selection', async () => {
    const { informers, informer } = await setUp();
    assert.equal(informers.informer(configmaps), informer);
    assert.notEqual(informers.informer(configmaps, { namespace: 'a' }), informer);
  });

  it('goes on when a handler fails', async () => {
    const { api, informers, informer, start } = await setUp();
    informer.subscribe(() => {
      throw new Error('broken');
    });
    const after: string[] = [];
    informer.subscribe((c) => after.push(c.key));
    api.put(configmaps, map('x'));
    await start();
    assert.deepEqual(after, ['a/x']);
    await informers.stop();
  });
});
