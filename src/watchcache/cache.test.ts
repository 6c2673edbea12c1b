import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { settle, SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { StatusError } from '#machinery/status.ts';
import { createMemoryStore } from '#store/memory.ts';
import type { Store } from '#store/store.ts';
import { ResourceCache, type CacheDefinition, type CacheWatch, type CacheWatchOptions } from './cache.ts';
import { ExpiredContinueError } from './continue.ts';
import { eventObject, type CacheBatch, type CacheEvent } from './events.ts';
import type { FieldMatcher, LabelMatcher, Selection } from './selection.ts';

interface TestPod {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly nodeName?: string };
}

const pods: CacheDefinition = {
  group: '',
  resource: 'pods',
  kind: 'Pod',
  namespaced: true,
  storagePrefix: 'pods',
  selectableFields: { 'spec.nodeName': ((pod: TestPod) => pod.spec?.nodeName ?? '') as never },
  triggerField: 'spec.nodeName',
};

function labels(key: string, value: string): LabelMatcher {
  return { text: `${key}=${value}`, matches: (l) => l[key] === value };
}

function fields(label: string, value: string): FieldMatcher {
  return {
    text: `${label}=${value}`,
    matches: (field) => field(label) === value,
    exact: (l) => (l === label ? value : undefined),
  };
}

describe('ResourceCache', () => {
  let clock: SteppedClock;
  let store: Store;
  let cache: ResourceCache;
  let abort: AbortController;

  beforeEach(async () => {
    clock = new SteppedClock();
    store = createMemoryStore({ clock });
    abort = new AbortController();
    // A start above zero, as in life.
    await store.commit({ key: '/registry/other/x', expected: 0, value: Buffer.from('x') });
    cache = new ResourceCache({ store, clock, log: silentLog, definition: pods });
    await cache.start(abort.signal);
  });
  afterEach(async () => {
    abort.abort();
    await cache.stop();
    await store.close();
  });

  /** Writes a pod whatever stands there; returns its revision. */
  async function put(key: string, podLabels: Record<string, string> = {}, nodeName?: string): Promise<number> {
    const [namespace, name] = key.split('/');
    const storeKey = `/registry/pods/${key}`;
    const value = Buffer.from(
      JSON.stringify({
        kind: 'Pod',
        apiVersion: 'v1',
        metadata: { name, namespace, uid: `uid-${name}`, labels: podLabels },
        ...(nodeName === undefined ? {} : { spec: { nodeName } }),
      }),
    );
    const result = await store.commit({
      key: storeKey,
      expected: (await store.get(storeKey))?.modRevision ?? 0,
      value,
    });
    assert.ok(result.ok);
    return result.revision;
  }

  async function remove(key: string): Promise<number> {
    const storeKey = `/registry/pods/${key}`;
    const result = await store.commit({
      key: storeKey,
      expected: (await store.get(storeKey))!.modRevision,
      value: undefined,
    });
    assert.ok(result.ok);
    return result.revision;
  }

  const line = (e: CacheEvent) =>
    e.type === 'BOOKMARK'
      ? `BOOKMARK@${e.revision}${e.initialEventsEnd ? ' end' : ''}`
      : `${e.type} ${e.entry.key}@${e.revision}`;

  /** Reads `count` events. */
  async function take(watch: CacheWatch, count: number): Promise<CacheEvent[]> {
    const events: CacheEvent[] = [];
    if (count === 0) return events;
    for await (const batch of watch) {
      events.push(...batch.events);
      if (events.length >= count) break;
    }
    return events;
  }

  const open = (options: CacheWatchOptions) => cache.watch(options, abort.signal);
  const keys = (entries: readonly { readonly key: string }[]) => entries.map((e) => e.key);
  const only = (selection: Selection) => ({ selection });

  describe('get', () => {
    it('sees a write that was acknowledged before', async () => {
      const revision = await put('default/a');
      const entry = await cache.get('default', 'a');
      assert.equal(entry?.revision, revision);
      assert.match(
        Buffer.from(entry!.bytes('v1')).toString(),
        new RegExp(`"uid":"uid-a","resourceVersion":"${revision}","labels"`),
      );
      assert.equal(entry!.object.metadata.resourceVersion, String(revision));
      assert.equal(await cache.get('default', 'b'), undefined);
    });

    it('is consistent although only other resources were written since', async () => {
      const { revision } = (await store.commit({ key: '/registry/other/y', expected: 0, value: Buffer.from('y') })) as {
        revision: number;
      };
      await cache.get('default', 'a');
      assert.equal(cache.revision, revision);
    });

    it('waits for a revision of the future and gives up with 504 after three seconds', async () => {
      const newest = await put('default/a');
      const coming = cache.get('default', 'b', { resourceVersion: String(newest + 1) });
      await put('default/b');
      assert.equal((await coming)?.name, 'b');
      const never = assert.rejects(cache.get('default', 'a', { resourceVersion: '9999' }), (error) => {
        assert.ok(error instanceof StatusError);
        assert.deepEqual(
          [error.code, error.reason, error.message],
          [504, 'Timeout', `Timeout: Too large resource version: 9999, current: ${newest + 1}`],
        );
        assert.equal(error.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge');
        return true;
      });
      await clock.step(3_000);
      await never;
    });

    it('answers at once at resourceVersion 0', async () => {
      assert.equal(await cache.get('default', 'a', { resourceVersion: '0' }), undefined);
    });

    it('refuses a resourceVersion that is no number', async () => {
      await assert.rejects(cache.get('default', 'a', { resourceVersion: 'x1' }), { code: 400 });
    });

    it('uses the parsed object of the writer', async () => {
      const object = {
        kind: 'Pod',
        apiVersion: 'v1',
        metadata: { name: 'a', namespace: 'default', labels: { from: 'writer' } },
      };
      const value = new Uint8Array(
        Buffer.from(JSON.stringify({ ...object, metadata: { name: 'a', labels: { from: 'bytes' } } })),
      );
      cache.remember(value, object);
      const result = await store.commit({ key: '/registry/pods/default/a', expected: 0, value });
      const entry = await cache.get('default', 'a');
      assert.equal(entry!.labels['from'], 'writer');
      assert.equal(entry!.object.metadata.resourceVersion, String((result as { revision: number }).revision));
    });
  });

  describe('list', () => {
    beforeEach(async () => {
      for (const key of ['a/1', 'a/2', 'ab/1', 'b/1', 'b/2', 'b/3'])
        await put(key, { odd: String(Number(key.at(-1)) % 2) }, `node-${key.at(-1)}`);
    });

    it('gives everything in order, or one namespace', async () => {
      assert.deepEqual(keys((await cache.list()).entries), ['a/1', 'a/2', 'ab/1', 'b/1', 'b/2', 'b/3']);
      assert.deepEqual(keys((await cache.list(only({ namespace: 'a' }))).entries), ['a/1', 'a/2']);
      assert.equal((await cache.list()).revision, await store.revision());
    });

    it('selects by labels and fields', async () => {
      assert.deepEqual(keys((await cache.list(only({ labels: labels('odd', '0') }))).entries), ['a/2', 'b/2']);
      assert.deepEqual(keys((await cache.list(only({ fields: fields('spec.nodeName', 'node-1') }))).entries), [
        'a/1',
        'ab/1',
        'b/1',
      ]);
      assert.deepEqual(
        keys((await cache.list(only({ fields: fields('spec.nodeName', 'node-1'), namespace: 'b' }))).entries),
        ['b/1'],
      );
      assert.deepEqual(
        keys((await cache.list(only({ fields: fields('metadata.name', '2'), namespace: 'b' }))).entries),
        ['b/2'],
      );
      assert.deepEqual(keys((await cache.list(only({ fields: fields('metadata.name', '2') }))).entries), [
        'a/2',
        'b/2',
      ]);
    });

    it('follows the trigger field when it changes and when the object goes', async () => {
      await put('a/1', {}, 'node-9');
      await remove('b/1');
      const at = async (node: string) =>
        keys((await cache.list(only({ fields: fields('spec.nodeName', node) }))).entries);
      assert.deepEqual([await at('node-1'), await at('node-9')], [['ab/1'], ['a/1']]);
    });

    it('pages at one revision while writes go on, with the exact count of what remains', async () => {
      const first = await cache.list({ limit: 2 });
      assert.deepEqual([keys(first.entries), first.remainingItemCount], [['a/1', 'a/2'], 4]);
      await put('a/3');
      await remove('b/1');
      await put('b/9');
      const second = await cache.list({ limit: 3, continue: first.continue });
      assert.deepEqual(
        [keys(second.entries), second.remainingItemCount, second.revision],
        [['ab/1', 'b/1', 'b/2'], 1, first.revision],
      );
      const third = await cache.list({ limit: 3, continue: second.continue });
      assert.deepEqual(
        [keys(third.entries), third.remainingItemCount, third.continue],
        [['b/3'], undefined, undefined],
      );
    });

    it('pages on from the history of the store when the first page is no longer pinned', async () => {
      const first = await cache.list({ limit: 2, selection: { namespace: 'b' } });
      assert.match(
        Buffer.from(first.continue!, 'base64url').toString(),
        /^\{"v":"meta\.k8s\.io\/v1","rv":\d+,"start":"2\\u0000"\}$/,
      );
      await remove('b/3');
      await clock.step(61_000);
      const second = await cache.list({ limit: 2, selection: { namespace: 'b' }, continue: first.continue });
      assert.deepEqual([keys(second.entries), second.revision], [['b/3'], first.revision]);
    });

    it('answers a token whose revision is compacted with 410 and a fresh token that goes on, pinned or not', async () => {
      const first = await cache.list({ limit: 2 });
      await put('b/9');
      await store.compact(await store.revision());
      let fresh = '';
      await assert.rejects(cache.list({ limit: 2, continue: first.continue }), (error) => {
        assert.ok(error instanceof ExpiredContinueError);
        assert.deepEqual([error.code, error.reason], [410, 'Expired']);
        fresh = error.toStatus().metadata!.continue!;
        return true;
      });
      const rest = await cache.list({ continue: fresh });
      assert.deepEqual(keys(rest.entries), ['ab/1', 'b/1', 'b/2', 'b/3', 'b/9']);
    });

    it('counts a page by what was selected and does not count what remains', async () => {
      const first = await cache.list({ limit: 1, selection: { labels: labels('odd', '0') } });
      assert.deepEqual([keys(first.entries), first.remainingItemCount], [['a/2'], undefined]);
      const second = await cache.list({
        limit: 1,
        selection: { labels: labels('odd', '0') },
        continue: first.continue,
      });
      assert.deepEqual([keys(second.entries), second.continue], [['b/2'], undefined]);
    });

    it('lists an exact past revision, and says so when it is gone', async () => {
      const past = await store.revision();
      await remove('a/1');
      const list = await cache.list({ resourceVersion: String(past), resourceVersionMatch: 'Exact' });
      assert.deepEqual([list.entries.length, list.revision], [6, past]);
      assert.equal(
        (await cache.list({ resourceVersion: String(past), resourceVersionMatch: 'NotOlderThan' })).entries.length,
        5,
      );
      await store.compact(await store.revision());
      await clock.step(61_000);
      await assert.rejects(cache.list({ resourceVersion: String(past), resourceVersionMatch: 'Exact' }), {
        code: 410,
        message: 'The resourceVersion for the provided list is too old.',
      });
    });

    it('refuses tokens that are none', async () => {
      const token = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');
      for (const bad of [
        '%',
        'bm9uc2Vuc2U',
        token({ v: 'v9', rv: 1, start: 'a' }),
        token({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' }),
        token({ v: 'meta.k8s.io/v1', rv: 3, start: '' }),
      ]) {
        await assert.rejects(cache.list({ continue: bad }), { code: 400, message: /continue key is not valid/ }, bad);
      }
    });
  });

  describe('watch', () => {
    it('starts with the state and goes on live', async () => {
      const one = await put('a/1');
      const watch = await open({});
      const two = await put('a/2');
      const three = await remove('a/1');
      const events = await take(watch, 3);
      assert.deepEqual(events.map(line), [`ADDED a/1@${one}`, `ADDED a/2@${two}`, `DELETED a/1@${three}`]);
      const deleted = events[2]!;
      assert.ok(deleted.type === 'DELETED');
      assert.equal(eventObject(deleted).metadata.resourceVersion, String(three));
      assert.match(
        Buffer.from(deleted.entry.bytes('v1', deleted.revision)).toString(),
        new RegExp(`"resourceVersion":"${three}"`),
      );
    });

    it('resumes after a resourceVersion, each event once and in order, from every version', async () => {
      const start = cache.revision;
      const lines: string[] = [];
      for (let i = 0; i < 20; i++) {
        const key = `a/${i % 3}`;
        if (i % 5 === 4) lines.push(`DELETED a/${(i - 1) % 3}@${await remove(`a/${(i - 1) % 3}`)}`);
        else
          lines.push(
            `${(await store.get(`/registry/pods/${key}`)) === undefined ? 'ADDED' : 'MODIFIED'} ${key}@${await put(key)}`,
          );
      }
      await cache.waitFor(await store.revision());
      for (let from = start; from < cache.revision; from++) {
        const watch = await open({ resourceVersion: String(from) });
        const expected = lines.slice(from - start);
        assert.deepEqual((await take(watch, expected.length)).map(line), expected);
      }
    });

    it('reads what its window no longer has from the history of the store, and says 410 when that is compacted', async () => {
      const start = cache.revision;
      for (let i = 0; i < 5; i++) await put('a/1', { at: String(i) });
      await put('b/1');
      await cache.stop();
      cache = new ResourceCache({ store, clock, log: silentLog, definition: pods });
      await cache.start(abort.signal);
      const watch = await open({ resourceVersion: String(start + 2), selection: { labels: labels('at', '3') } });
      const live = await put('a/1', { at: '3' });
      assert.deepEqual((await take(watch, 3)).map(line), [
        `ADDED a/1@${start + 4}`,
        `DELETED a/1@${start + 5}`,
        `ADDED a/1@${live}`,
      ]);
      await store.compact(start + 4);
      const expired = await open({ resourceVersion: String(start + 2) });
      await assert.rejects(take(expired, 1), {
        code: 410,
        reason: 'Expired',
        message: `too old resource version: ${start + 2} (${start + 4})`,
      });
    });

    it('turns entering a selection into ADDED and leaving it into DELETED with the last selected state', async () => {
      const watch = await open({ selection: { labels: labels('app', 'web') } });
      await put('a/1', { app: 'db' });
      const in1 = await put('a/1', { app: 'web' });
      const in2 = await put('a/1', { app: 'web', v: '2' });
      const out = await put('a/1', { app: 'db' });
      await remove('a/1');
      const again = await put('a/1', { app: 'web' });
      const events = await take(watch, 4);
      assert.deepEqual(events.map(line), [
        `ADDED a/1@${in1}`,
        `MODIFIED a/1@${in2}`,
        `DELETED a/1@${out}`,
        `ADDED a/1@${again}`,
      ]);
      assert.ok(events[2]!.type === 'DELETED');
      assert.deepEqual(eventObject(events[2]!).metadata.labels, { app: 'web', v: '2' });
    });

    it('serves watches pinned to a node, an object or a namespace only what concerns them', async () => {
      const node = await open({ selection: { fields: fields('spec.nodeName', 'n1') } });
      const object = await open({ selection: { namespace: 'a', fields: fields('metadata.name', '1') } });
      const namespace = await open({ selection: { namespace: 'b' } });
      const r1 = await put('a/1');
      const r2 = await put('a/1', {}, 'n1');
      const r3 = await put('b/1', {}, 'n1');
      const r4 = await put('a/1', {}, 'n2');
      assert.deepEqual((await take(node, 3)).map(line), [`ADDED a/1@${r2}`, `ADDED b/1@${r3}`, `DELETED a/1@${r4}`]);
      assert.deepEqual((await take(object, 3)).map(line), [
        `ADDED a/1@${r1}`,
        `MODIFIED a/1@${r2}`,
        `MODIFIED a/1@${r4}`,
      ]);
      assert.deepEqual((await take(namespace, 1)).map(line), [`ADDED b/1@${r3}`]);
    });

    it('gives watchers of equal selection the very same batch, so that it is encoded once', async () => {
      const [one, two] = [
        await open({ resourceVersion: String(cache.revision) }),
        await open({ resourceVersion: String(cache.revision) }),
      ];
      const batchOf = async (watch: CacheWatch): Promise<CacheBatch> => {
        for await (const batch of watch) return batch;
        throw new Error('no batch');
      };
      const pulled = Promise.all([batchOf(one), batchOf(two)]);
      const revision = await put('a/1');
      const [a, b] = await pulled;
      assert.equal(a, b);
      assert.equal(a.frames('Pod', 'v1'), b.frames('Pod', 'v1'));
      assert.equal(
        Buffer.from(a.frames('Pod', 'v1')).toString(),
        `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"1","namespace":"a","uid":"uid-1","resourceVersion":"${revision}","labels":{}}}}\n`,
      );
    });

    it('ends the initial events of a WatchList with the bookmark', async () => {
      const one = await put('a/1');
      const watch = await open({ sendInitialEvents: true, allowBookmarks: true });
      const two = await put('a/2');
      assert.deepEqual((await take(watch, 3)).map(line), [
        `ADDED a/1@${one}`,
        `BOOKMARK@${one} end`,
        `ADDED a/2@${two}`,
      ]);
    });

    it('sends a bookmark a minute, at the newest revision, to those who want them', async () => {
      const watch = await open({ resourceVersion: String(cache.revision), allowBookmarks: true });
      const silent = await open({ resourceVersion: String(cache.revision) });
      const quiet = take(silent, 1);
      const { revision } = (await store.commit({ key: '/registry/other/y', expected: 0, value: Buffer.from('y') })) as {
        revision: number;
      };
      await clock.step(60_000);
      const [bookmark] = await take(watch, 1);
      assert.equal(line(bookmark!), `BOOKMARK@${revision}`);
      const next = await put('a/1');
      assert.deepEqual((await quiet).map(line), [`ADDED a/1@${next}`]);
    });

    it('ends a watcher that does not keep up', async () => {
      const watch = await open({ resourceVersion: String(cache.revision) });
      for (let i = 0; i < 10_100; i++) await put('a/1');
      await settle();
      let seen = 0;
      for await (const batch of watch) seen += batch.events.length;
      assert.ok(seen < 10_000);
    });

    it('ends with its signal and with the cache', async () => {
      const own = new AbortController();
      const one = take(await cache.watch({}, own.signal), 1);
      const two = take(await open({}), 1);
      own.abort();
      assert.deepEqual(await one, []);
      await cache.stop();
      assert.deepEqual(await two, []);
    });
  });
});
