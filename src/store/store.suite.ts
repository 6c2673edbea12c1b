// What every store must do. Each implementation runs this with its own opener.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SteppedClock, type Clock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import {
  CompactedError,
  FutureRevisionError,
  StoreError,
  type Store,
  type StoreBatch,
  type StoreEvent,
} from './store.ts';

const text = (value: Uint8Array | undefined) => (value === undefined ? undefined : Buffer.from(value).toString());
const bytes = (value: string) => new Uint8Array(Buffer.from(value));

/** Commits without caring what stood there. */
async function put(store: Store, key: string, value: string): Promise<number> {
  const current = await store.get(key);
  const result = await store.commit({ key, expected: current?.modRevision ?? 0, value: bytes(value) });
  assert.ok(result.ok);
  return result.revision;
}

async function remove(store: Store, key: string): Promise<number> {
  const current = await store.get(key);
  const result = await store.commit({ key, expected: current!.modRevision, value: undefined });
  assert.ok(result.ok);
  return result.revision;
}

const line = (e: StoreEvent) =>
  `${e.type} ${e.key} ${text(e.entry?.value) ?? '-'} before ${text(e.previous?.value) ?? '-'} @${e.revision}`;

/** Reads a watch until everything up to `revision` has come. */
async function readTo(watch: AsyncIterator<StoreBatch>, revision: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for (;;) {
    const { value, done } = await watch.next();
    assert.ok(done !== true, 'the watch ended early');
    events.push(...value.events);
    if (value.revision >= revision) return events;
  }
}

export interface StoreUnderTest {
  readonly store: Store;
  close(): Promise<void>;
}

export function storeSuite(name: string, open: (clock: Clock) => Promise<StoreUnderTest>): void {
  describe(`${name} as a Store`, () => {
    let clock: SteppedClock;
    let under: StoreUnderTest;
    let store: Store;
    let ended: AbortController;
    const watch = (prefix: string, from: number) => store.watch(prefix, from, ended.signal)[Symbol.asyncIterator]();

    beforeEach(async () => {
      clock = new SteppedClock();
      ended = new AbortController();
      under = await open(clock);
      store = under.store;
    });
    afterEach(async () => {
      ended.abort();
      await under.close();
    });

    it('gives undefined for a key that was never written', async () => {
      assert.equal(await store.get('/a'), undefined);
    });

    it('gives each commit the next revision', async () => {
      const base = await store.revision();
      assert.equal(await put(store, '/a', '1'), base + 1);
      assert.equal(await put(store, '/b', '1'), base + 2);
      assert.equal(await remove(store, '/a'), base + 3);
      assert.equal(await store.revision(), base + 3);
    });

    it('keeps createRevision over updates and renews it after a deletion', async () => {
      const created = await put(store, '/a', '1');
      const updated = await put(store, '/a', '2');
      assert.deepEqual(shape(await store.get('/a')), {
        key: '/a',
        value: '2',
        createRevision: created,
        modRevision: updated,
      });
      await remove(store, '/a');
      const again = await put(store, '/a', '3');
      assert.deepEqual(shape(await store.get('/a')), {
        key: '/a',
        value: '3',
        createRevision: again,
        modRevision: again,
      });
    });

    it('refuses a creation where the key exists, and says what stands there', async () => {
      const revision = await put(store, '/a', '1');
      const result = await store.commit({ key: '/a', expected: 0, value: bytes('2') });
      assert.ok(!result.ok);
      assert.deepEqual(shape(result.current), {
        key: '/a',
        value: '1',
        createRevision: revision,
        modRevision: revision,
      });
      assert.equal(await store.revision(), revision);
    });

    it('refuses an update of an older revision', async () => {
      const first = await put(store, '/a', '1');
      await put(store, '/a', '2');
      const result = await store.commit({ key: '/a', expected: first, value: bytes('3') });
      assert.ok(!result.ok);
      assert.equal(text(result.current?.value), '2');
    });

    it('refuses to update or delete what is not there', async () => {
      assert.deepEqual(await store.commit({ key: '/a', expected: 7, value: bytes('1') }), {
        ok: false,
        current: undefined,
      });
      assert.deepEqual(await store.commit({ key: '/a', expected: 7, value: undefined }), {
        ok: false,
        current: undefined,
      });
      assert.deepEqual(await store.commit({ key: '/a', expected: 0, value: undefined }), {
        ok: false,
        current: undefined,
      });
    });

    it('keeps empty values apart from deleted ones', async () => {
      await put(store, '/a', '');
      assert.equal((await store.get('/a'))!.value.length, 0);
      assert.equal((await store.list('/')).entries.length, 1);
    });

    it('lets exactly one of many concurrent commits on one key win', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.commit({ key: '/a', expected: 0, value: bytes(String(i)) })),
      );
      assert.equal(results.filter((r) => r.ok).length, 1);
      const winner = text((await store.get('/a'))!.value);
      for (const result of results) if (!result.ok) assert.equal(text(result.current?.value), winner);
    });

    it('takes a chain of commits on one key, each built on the one before, without waiting between them', async () => {
      const base = await store.revision();
      const chain = Array.from({ length: 10 }, (_, i) =>
        store.commit({ key: '/a', expected: i === 0 ? 0 : base + i, value: bytes(String(i)) }),
      );
      const results = await Promise.all(chain);
      assert.deepEqual(
        results.map((r) => r.ok && r.revision),
        Array.from({ length: 10 }, (_, i) => base + i + 1),
      );
      assert.equal(text((await store.get('/a'))!.value), '9');
    });

    it('makes a commit readable no later than it is acknowledged', async () => {
      const result = await store.commit({ key: '/a', expected: 0, value: bytes('1') });
      assert.ok(result.ok);
      assert.equal((await store.get('/a'))?.modRevision, result.revision);
      assert.ok((await store.revision()) >= result.revision);
      assert.equal((await store.list('/a')).entries[0]?.modRevision, result.revision);
    });

    it('acknowledges in order of revision', async () => {
      const order: number[] = [];
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const result = await store.commit({ key: `/k${i}`, expected: 0, value: bytes('x') });
          if (result.ok) order.push(result.revision);
        }),
      );
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
    });

    it('lists a prefix in order of keys and nothing beside it', async () => {
      for (const key of ['/pods/b/2', '/pods/a/1', '/podsx/a', '/pods/b/1', '/pod', '/pods/a/10', '/nodes/z'])
        await put(store, key, key);
      const { entries, more, revision } = await store.list('/pods/');
      assert.deepEqual(
        entries.map((e) => e.key),
        ['/pods/a/1', '/pods/a/10', '/pods/b/1', '/pods/b/2'],
      );
      assert.equal(more, false);
      assert.equal(revision, await store.revision());
    });

    it('pages through a list at one revision while writes go on', async () => {
      for (let i = 0; i < 10; i++) await put(store, `/k/${i}`, 'old');
      const first = await store.list('/k/', { limit: 4 });
      assert.deepEqual([first.entries.length, first.more], [4, true]);
      await put(store, '/k/5', 'new');
      await remove(store, '/k/6');
      await put(store, '/k/55', 'new');
      const second = await store.list('/k/', {
        limit: 4,
        from: `${first.entries[3]!.key}\0`,
        revision: first.revision,
      });
      assert.deepEqual(
        second.entries.map((e) => `${e.key} ${text(e.value)}`),
        ['/k/4 old', '/k/5 old', '/k/6 old', '/k/7 old'],
      );
      assert.equal(second.revision, first.revision);
      const third = await store.list('/k/', {
        limit: 4,
        from: `${second.entries[3]!.key}\0`,
        revision: first.revision,
      });
      assert.deepEqual([third.entries.map((e) => e.key), third.more], [['/k/8', '/k/9'], false]);
    });

    it('says there is no more when the limit is met exactly', async () => {
      await put(store, '/a/1', 'x');
      await put(store, '/a/2', 'x');
      assert.equal((await store.list('/a/', { limit: 2 })).more, false);
      assert.equal((await store.list('/a/', { limit: 1 })).more, true);
    });

    it('lists every past revision as it was', async () => {
      const random = new SeededRandom(7);
      const states: [number, string][] = [];
      const keys = ['/s/a', '/s/b', '/s/c', '/s/d', '/t/a'];
      for (let i = 0; i < 60; i++) {
        const key = keys[Math.floor(random.next() * keys.length)]!;
        const current = await store.get(key);
        if (current !== undefined && random.next() < 0.3) await remove(store, key);
        else await put(store, key, String(i));
        states.push([await store.revision(), await snapshot()]);
      }
      for (const [revision, state] of states) assert.equal(await snapshot(revision), state, `revision ${revision}`);

      async function snapshot(revision?: number): Promise<string> {
        const list = await store.list('/s/', { revision });
        return list.entries.map((e) => `${e.key}=${text(e.value)}@${e.modRevision}/${e.createRevision}`).join(' ');
      }
    });

    it('refuses to list a revision that does not exist yet', async () => {
      const newest = await put(store, '/a', '1');
      await assert.rejects(store.list('/', { revision: newest + 1 }), (error) => {
        assert.ok(error instanceof FutureRevisionError);
        assert.deepEqual([error.requested, error.newest], [newest + 1, newest]);
        return true;
      });
    });

    it('watches live changes with what stood there before', async () => {
      const base = await store.revision();
      const events = watch('/a/', base);
      const pulled = readTo(events, base + 4);
      await put(store, '/a/1', 'one');
      await put(store, '/b/1', 'elsewhere');
      await put(store, '/a/1', 'two');
      await remove(store, '/a/1');
      assert.deepEqual((await pulled).map(line), [
        `put /a/1 one before - @${base + 1}`,
        `put /a/1 two before one @${base + 3}`,
        `delete /a/1 - before two @${base + 4}`,
      ]);
    });

    it('watches from the moment of the call, not of the first pull', async () => {
      const base = await store.revision();
      const events = watch('/', base);
      await put(store, '/a', '1');
      assert.equal((await readTo(events, base + 1)).length, 1);
    });

    it('resumes a watch from any past revision, every change once and in order, and goes on live', async () => {
      const base = await store.revision();
      const lines: string[] = [];
      const all = watch('/r/', base);
      for (let i = 0; i < 30; i++) {
        if (i % 7 === 6) await remove(store, `/r/${(i - 1) % 5}`);
        else await put(store, `/r/${i % 5}`, String(i));
        if (i % 4 === 0) await put(store, '/other', String(i));
      }
      const middle = await store.revision();
      lines.push(...(await readTo(all, middle)).map(line));
      const revisionOf = (l: string) => Number(l.slice(l.lastIndexOf('@') + 1));
      for (let from = base; from <= middle; from += 3) {
        const resumed = watch('/r/', from);
        const past = from === middle ? [] : await readTo(resumed, middle);
        assert.deepEqual(
          past.map(line),
          lines.filter((l) => revisionOf(l) > from),
          `from ${from}`,
        );
        const next = await put(store, '/r/live', String(from));
        assert.deepEqual(
          (await readTo(resumed, next)).map((e) => e.revision),
          [next],
        );
        lines.push(...(await readTo(all, next)).map(line));
        await resumed.return?.();
      }
    });

    it('joins history and live without a gap while writes pour in', async () => {
      const base = await store.revision();
      const writing = { on: true };
      const writer = (async () => {
        for (let i = 0; writing.on; i++)
          await Promise.all([put(store, `/g/${i % 10}`, String(i)), put(store, `/h/${i % 10}`, 'x')]);
      })();
      for (let round = 0; round < 5; round++) {
        const until = (await store.revision()) + 40;
        const seen = (await readTo(watch('/g/', base), until)).map((e) => e.revision);
        assert.deepEqual(
          seen,
          [...new Set(seen)].toSorted((a, b) => a - b),
        );
        const newestSeen = seen.at(-1)!;
        const expected = (await readTo(watch('/g/', base), newestSeen))
          .map((e) => e.revision)
          .filter((r) => r <= newestSeen);
        assert.deepEqual(seen, expected);
      }
      writing.on = false;
      await writer;
    });

    it('never splits a revision over batches and gives them in order', async () => {
      const base = await store.revision();
      const events = watch('/', base);
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => store.commit({ key: `/k${i}`, expected: 0, value: bytes('x') })),
      );
      const seen = (await readTo(events, base + 100)).map((e) => e.revision);
      assert.deepEqual(
        seen,
        Array.from({ length: 100 }, (_, i) => base + 1 + i),
      );
    });

    it('reports progress when asked, although nothing under the prefix changed', async () => {
      const events = watch('/quiet/', await store.revision());
      const pulled = events.next();
      const newest = await put(store, '/loud/1', 'x');
      store.progress();
      const { value } = await pulled;
      assert.deepEqual(value, { events: [], revision: newest });
      store.progress('/quiet/');
      assert.deepEqual((await events.next()).value, { events: [], revision: newest });
    });

    it('ends a watch when its signal aborts', async () => {
      const own = new AbortController();
      const events = store.watch('/', await store.revision(), own.signal)[Symbol.asyncIterator]();
      const pulled = events.next();
      own.abort();
      assert.equal((await pulled).done, true);
    });

    it('drops history at a compaction and says from where on it can read', async () => {
      const first = await put(store, '/a', '1');
      await put(store, '/a', '2');
      const third = await put(store, '/a', '3');
      const fourth = await put(store, '/a', '4');
      await store.compact(third);
      assert.equal(store.compacted, third);
      const compacted = (error: unknown) => {
        assert.ok(error instanceof CompactedError);
        assert.equal(error.revision, third);
        return true;
      };
      await assert.rejects(store.list('/', { revision: first }), compacted);
      await assert.rejects(store.list('/', { revision: third - 1 }), compacted);
      await assert.rejects(watch('/', third - 1).next(), compacted);
      assert.deepEqual(
        (await store.list('/', { revision: third })).entries.map((e) => text(e.value)),
        ['3'],
      );
      assert.deepEqual((await readTo(watch('/', third), fourth)).map(line), [`put /a 4 before 3 @${fourth}`]);
    });

    it('keeps what lives and forgets what was deleted when it compacts', async () => {
      await put(store, '/keep', 'old');
      await put(store, '/gone', 'x');
      await remove(store, '/gone');
      const kept = await put(store, '/once', 'x');
      await put(store, '/keep', 'new');
      await store.compact(await store.revision());
      assert.deepEqual(
        (await store.list('/')).entries.map((e) => `${e.key}=${text(e.value)}`),
        ['/keep=new', '/once=x'],
      );
      assert.equal((await store.get('/once'))!.modRevision, kept);
      const again = await put(store, '/gone', 'y');
      assert.deepEqual((await readTo(watch('/', again - 1), again)).map(line), [`put /gone y before - @${again}`]);
    });

    it('compacts twice, and again below, without harm', async () => {
      for (let i = 0; i < 10; i++) await put(store, '/a', String(i));
      const newest = await store.revision();
      await store.compact(newest - 5);
      await store.compact(newest - 2);
      await store.compact(newest - 4);
      assert.equal(text((await store.list('/', { revision: newest - 2 })).entries[0]!.value), '7');
      await assert.rejects(store.list('/', { revision: newest - 3 }), CompactedError);
      await assert.rejects(store.compact(newest + 1), FutureRevisionError);
    });

    it('deletes a key when its time to live is over, as a change that watches see', async () => {
      const base = await store.revision();
      await store.commit({ key: '/t/1', expected: 0, value: bytes('x'), ttlSeconds: 60 });
      await store.commit({ key: '/t/2', expected: 0, value: bytes('y'), ttlSeconds: 30 });
      const events = watch('/t/', base + 2);
      await clock.step(29_999);
      assert.equal((await store.list('/t/')).entries.length, 2);
      await clock.step(1);
      assert.deepEqual((await readTo(events, base + 3)).map(line), [`delete /t/2 - before y @${base + 3}`]);
      await clock.step(30_000);
      await readTo(events, base + 4);
      assert.equal((await store.list('/t/')).entries.length, 0);
    });

    it('counts the time to live from the newest commit that gives one; a commit without one makes the key permanent', async () => {
      await store.commit({ key: '/t/refreshed', expected: 0, value: bytes('x'), ttlSeconds: 60 });
      await store.commit({ key: '/t/permanent', expected: 0, value: bytes('x'), ttlSeconds: 60 });
      const events = watch('/t/', await store.revision());
      await clock.step(50_000);
      const refreshed = (await store.get('/t/refreshed'))!.modRevision;
      await store.commit({ key: '/t/refreshed', expected: refreshed, value: bytes('y'), ttlSeconds: 60 });
      const newest = await put(store, '/t/permanent', 'y');
      await clock.step(59_000);
      assert.equal((await store.list('/t/')).entries.length, 2);
      await clock.step(1_000);
      await readTo(events, newest + 1);
      assert.deepEqual(
        (await store.list('/t/')).entries.map((e) => e.key),
        ['/t/permanent'],
      );
    });

    it('fails what is asked of it after close, and ends its watches with an error', async () => {
      const pulled = watch('/', await store.revision()).next();
      const ending = assert.rejects(pulled, (e) => e instanceof StoreError && e.code === 'Closed');
      await store.close();
      await ending;
      const closed = (e: unknown) => e instanceof StoreError && e.code === 'Closed';
      await assert.rejects(store.get('/a'), closed);
      await assert.rejects(store.commit({ key: '/a', expected: 0, value: bytes('x') }), closed);
      await store.close();
    });

    it('agrees with a plain model over a random history of concurrent commits', async () => {
      const random = new SeededRandom(42);
      /** Key → value and revision, as acknowledged. */
      const model = new Map<string, { value: string; revision: number }>();
      for (let round = 0; round < 40; round++) {
        const keys = Array.from({ length: 8 }, (_, i) => `/m/${i}`).filter(() => random.next() < 0.6);
        await Promise.all(
          keys.map(async (key, i) => {
            const known = model.get(key);
            const stale = random.next() < 0.2;
            const erase = known !== undefined && random.next() < 0.3;
            const value = `${round}.${i}`;
            const result = await store.commit({
              key,
              expected: (known?.revision ?? 0) + (stale ? 1_000_000 : 0),
              value: erase ? undefined : bytes(value),
            });
            assert.equal(result.ok, !stale);
            if (!result.ok) assert.equal(text(result.current?.value), known?.value);
            else if (erase) model.delete(key);
            else model.set(key, { value, revision: result.revision });
          }),
        );
        const listed = (await store.list('/m/')).entries.map((e) => `${e.key}=${text(e.value)}@${e.modRevision}`);
        assert.deepEqual(
          listed,
          [...model].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([k, m]) => `${k}=${m.value}@${m.revision}`),
        );
      }
    });
  });
}

function shape(entry: { key: string; value: Uint8Array; createRevision: number; modRevision: number } | undefined) {
  return entry === undefined ? undefined : { ...entry, value: text(entry.value) };
}
