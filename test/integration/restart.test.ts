import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { startTestServer, type TestServer } from '#apiserver/fixture.ts';
import { createEmbeddedStore } from '#store/embedded/embedded.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

interface Frame {
  readonly type: string;
  readonly object: {
    readonly code?: number;
    readonly reason?: string;
    readonly data?: Readonly<Record<string, string>>;
    readonly metadata: { readonly name: string; readonly resourceVersion: string };
  };
}

describe('A server that was stopped and started again on its data', () => {
  const dir = mkdtempSync(join(tmpdir(), 'restart-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const clock = new SystemClock();
  const start = async (): Promise<TestServer> =>
    startTestServer({
      clock,
      store: await createEmbeddedStore({ dir, clock, log: silentLog, sameThread: true, compactEveryMs: 0 }),
    });

  /** The first `count` frames of a watch. */
  async function watched(api: TestServer, query: string, count: number): Promise<Frame[]> {
    const abort = new AbortController();
    const path = `${CONFIG_MAPS}?watch=true&${query}`;
    const response = await api.raw('GET', path, undefined, {}, undefined, abort.signal);
    assert.equal(response.status, 200);
    const frames: Frame[] = [];
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      for (const line of Buffer.from(chunk).toString('utf8').trimEnd().split('\n'))
        if (line !== '') frames.push(JSON.parse(line) as Frame);
      if (frames.length >= count) break;
    }
    abort.abort();
    return frames;
  }
  const brief = (frames: readonly Frame[]) => frames.map((f) => `${f.type} ${f.object.metadata.name}`);

  it('continues watches without a gap, lists what was there, and expires only what is compacted', async () => {
    let api = await start();
    const put = async (name: string, text: string) =>
      (await api.call('POST', CONFIG_MAPS, { metadata: { name }, data: { text } })).body.metadata.resourceVersion;
    const first: string = await put('a', '1');
    await put('b', '1');
    // A client saw up to here before the server went away.
    const seen = (await watched(api, `resourceVersion=${first}`, 1)).at(-1)!.object.metadata.resourceVersion;
    await api.call(
      'PATCH',
      `${CONFIG_MAPS}/a`,
      { data: { text: '2' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await api.call('DELETE', `${CONFIG_MAPS}/b`);
    const before = (await api.call('GET', CONFIG_MAPS)).body;
    // A page was read, the next one is asked for after the restart.
    await put('c', '1');
    const page = (await api.call('GET', `${CONFIG_MAPS}?limit=1`)).body;
    await api.stop();

    api = await start();
    const list = (await api.call('GET', CONFIG_MAPS)).body;
    assert.deepEqual(
      list.items.map((i: Frame['object']) => i.metadata.name),
      ['a', 'c'],
    );
    assert.ok(Number(list.metadata.resourceVersion) >= Number(before.metadata.resourceVersion));
    await put('d', '1');
    const frames = await watched(api, `resourceVersion=${seen}`, 4);
    assert.deepEqual(brief(frames), ['MODIFIED a', 'DELETED b', 'ADDED c', 'ADDED d']);
    assert.equal(frames[0]!.object.data!.text, '2');
    const versions = frames.map((f) => Number(f.object.metadata.resourceVersion));
    assert.deepEqual(
      versions,
      versions.toSorted((x, y) => x - y),
    );
    const rest = (await api.call('GET', `${CONFIG_MAPS}?limit=5&continue=${page.metadata.continue}`)).body;
    // The state of the first page: without d.
    assert.deepEqual(
      rest.items.map((i: Frame['object']) => i.metadata.name),
      ['c'],
    );
    await api.stop();

    api = await start();
    await api.store.compact(await api.store.revision());
    const [expired] = await watched(api, `resourceVersion=${seen}`, 1);
    assert.deepEqual([expired!.type, expired!.object.code, expired!.object.reason], ['ERROR', 410, 'Expired']);
    // Newest state, newest revision: nothing expired about that.
    const newest = (await api.call('GET', CONFIG_MAPS)).body.metadata.resourceVersion;
    const resumed = watched(api, `resourceVersion=${newest}`, 1);
    await put('e', '1');
    assert.deepEqual(brief(await resumed), ['ADDED e']);
    await api.stop();
  });
});
