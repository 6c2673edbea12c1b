import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SteppedClock, type Clock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { StoreError, type StoreEvent } from '../store.ts';
import { storeSuite } from '../store.suite.ts';
import { createEmbeddedStore, type EmbeddedStoreOptions } from './embedded.ts';

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const text = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString();

for (const sameThread of [false, true]) {
  storeSuite(`EmbeddedStore in ${sameThread ? 'the same thread' : 'its own thread'}`, async (clock) => {
    const dir = mkdtempSync(join(tmpdir(), 'coracle-store-'));
    const store = await createEmbeddedStore({ dir, clock, log: silentLog, sameThread, compactEveryMs: 0 });
    return {
      store,
      async close() {
        await store.close();
        rmSync(dir, { recursive: true });
      },
    };
  });
}

describe('createEmbeddedStore', () => {
  let dir: string;
  let clock: SteppedClock;
  const open = (options: Partial<EmbeddedStoreOptions> & { clock?: Clock } = {}) =>
    createEmbeddedStore({ dir, clock, log: silentLog, sameThread: true, ...options });
  const refused = (code: StoreError['code'], words: RegExp) => (error: unknown) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'coracle-store-'));
    clock = new SteppedClock();
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('has everything again after a restart, and watches resume where they were', async () => {
    let store = await open();
    const put = async (key: string, expected: number, value: string | undefined) => {
      const result = await store.commit({ key, expected, value: value === undefined ? undefined : bytes(value) });
      assert.ok(result.ok);
      return result.revision;
    };
    const one = await put('/a', 0, 'one');
    const two = await put('/a', one, 'two');
    const other = await put('/b', 0, 'gone');
    const last = await put('/b', other, undefined);
    await store.close();
    store = await open();
    assert.equal(await store.revision(), last);
    assert.deepEqual(
      (await store.list('/')).entries.map((e) => [e.key, text(e.value), e.createRevision, e.modRevision]),
      [['/a', 'two', one, two]],
    );
    const abort = new AbortController();
    const watch = store.watch('/', one, abort.signal)[Symbol.asyncIterator]();
    const { value } = await watch.next();
    assert.deepEqual(
      value!.events.map((e: StoreEvent) => [e.type, e.revision, text(e.previous?.value)]),
      [
        ['put', two, 'one'],
        ['put', other, ''],
        ['delete', last, 'gone'],
      ],
    );
    assert.equal(await put('/a', two, 'three'), last + 1);
    abort.abort();
    await store.close();
  });

  it('never hands a revision out again, even when the newest change was a compacted deletion', async () => {
    let store = await open();
    await store.commit({ key: '/a', expected: 0, value: bytes('x') });
    await store.commit({ key: '/a', expected: 1, value: undefined });
    await store.compact(2);
    await store.close();
    store = await open();
    const result = await store.commit({ key: '/a', expected: 0, value: bytes('y') });
    assert.deepEqual(result, { ok: true, revision: 3 });
    await store.close();
  });

  it('keeps the time to live over a restart', async () => {
    let store = await open();
    await store.commit({ key: '/t', expected: 0, value: bytes('x'), ttlSeconds: 60 });
    await store.close();
    await clock.step(30_000);
    store = await open();
    await clock.step(29_000);
    assert.ok((await store.get('/t')) !== undefined);
    await clock.step(1_100);
    assert.equal(await store.get('/t'), undefined);
    await store.close();
  });

  it('compacts by itself to what was newest one interval ago', async () => {
    const store = await open({ compactEveryMs: 300_000 });
    for (let i = 0; i < 5; i++) await store.commit({ key: '/a', expected: i, value: bytes(String(i)) });
    await clock.step(300_000);
    await store.commit({ key: '/a', expected: 5, value: bytes('new') });
    await store.list('/', { revision: 2 });
    await clock.step(300_000);
    await assert.rejects(store.list('/', { revision: 4 }), { code: 'Compacted', revision: 5 });
    assert.equal(text((await store.list('/', { revision: 5 })).entries[0]!.value), '4');
    await store.close();
  });

  it('gives the space of compacted history back', async () => {
    const store = await open();
    for (let i = 0; i < 40; i++) {
      await Promise.all(
        Array.from({ length: 50 }, (_, k) =>
          store.commit({ key: `/${k}`, expected: i === 0 ? 0 : (i - 1) * 50 + k + 1, value: new Uint8Array(4096) }),
        ),
      );
    }
    await store.compact(await store.revision());
    await store.close();
    const left = await open();
    assert.equal((await left.list('/')).entries.length, 50);
    await left.close();
    assert.ok(statSync(join(dir, 'store.db')).size < 1 << 20, `${statSync(join(dir, 'store.db')).size} bytes`);
  });

  it('refuses a directory that another process holds, and names it: Locked', async () => {
    const store = await open({ sameThread: false });
    const program = `
      import { createEmbeddedStore } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)};
      import { SystemClock } from ${JSON.stringify(new URL('../../base/clock.ts', import.meta.url).href)};
      import { silentLog } from ${JSON.stringify(new URL('../../base/log.ts', import.meta.url).href)};
      await createEmbeddedStore({ dir: ${JSON.stringify(dir)}, clock: new SystemClock(), log: silentLog }).catch((e) => console.log(e.code + ' ' + e.message));`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.match(child.stdout, new RegExp(`^Locked .* in use by process ${process.pid}\\b`), child.stderr);
    await assert.rejects(open(), refused('Locked', new RegExp(`process ${process.pid}\\b`)));
    assert.ok((await store.commit({ key: '/still', expected: 0, value: bytes('works') })).ok);
    await store.close();
    await (await open()).close();
  });

  it('takes over the directory of a process that died', async () => {
    const program = `
      import { createEmbeddedStore } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)};
      import { SystemClock } from ${JSON.stringify(new URL('../../base/clock.ts', import.meta.url).href)};
      import { silentLog } from ${JSON.stringify(new URL('../../base/log.ts', import.meta.url).href)};
      const store = await createEmbeddedStore({ dir: ${JSON.stringify(dir)}, clock: new SystemClock(), log: silentLog });
      await store.commit({ key: '/a', expected: 0, value: new Uint8Array([65]) });
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.equal(child.signal, 'SIGKILL', child.stderr);
    const store = await open();
    assert.equal(text((await store.get('/a'))?.value), 'A');
    await store.close();
  });

  it('refuses a file of garbage: Corrupt', async () => {
    await (await open()).close();
    writeFileSync(join(dir, 'store.db'), Buffer.alloc(65536, 'garbage '));
    await assert.rejects(open(), refused('Corrupt', /store\.db is damaged/));
  });

  it('refuses a torn file: Corrupt', async () => {
    const store = await open();
    for (let i = 0; i < 200; i++) await store.commit({ key: `/${i}`, expected: 0, value: new Uint8Array(2000) });
    await store.close();
    const whole = readFileSync(join(dir, 'store.db'));
    writeFileSync(join(dir, 'store.db'), whole.subarray(0, Math.floor(whole.length / 2)));
    await assert.rejects(open(), refused('Corrupt', /store\.db is damaged/));
  });

  it('refuses a value that changed on the disk, and names its key: Corrupt', async () => {
    const store = await open();
    await store.commit({ key: '/flipped', expected: 0, value: Buffer.alloc(100, 'abcdefgh') });
    await store.close();
    const file = readFileSync(join(dir, 'store.db'));
    file[file.indexOf('abcdefghabcdefgh') + 3] = 0x58;
    writeFileSync(join(dir, 'store.db'), file);
    await assert.rejects(open(), refused('Corrupt', /revision 1 \(\/flipped\) does not match its checksum/));
  });

  it('refuses a directory whose database has vanished: Corrupt', async () => {
    await (await open()).close();
    rmSync(join(dir, 'store.db'));
    await assert.rejects(open(), refused('Corrupt', /store\.db is missing/));
  });

  it('refuses an older or newer format and leaves it untouched: WrongFormat', async () => {
    await (await open()).close();
    const before = readFileSync(join(dir, 'store.db'));
    for (const format of ['coracle store format 0\n', 'coracle store format 2\n']) {
      writeFileSync(join(dir, 'format'), format);
      await assert.rejects(open(), refused('WrongFormat', new RegExp(format.trim())));
      assert.deepEqual(readFileSync(join(dir, 'store.db')), before);
      assert.equal(readFileSync(join(dir, 'format'), 'utf8'), format);
    }
  });
});
