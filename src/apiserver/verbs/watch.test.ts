import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { startTestServer, type TestServer } from '../fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

describe('watch', () => {
  let api: TestServer;
  const clock = () => api.clock as SteppedClock;
  beforeEach(async () => {
    api = await startTestServer({ clock: new SteppedClock() });
  });
  afterEach(() => api.stop());

  const open = async (query: string, accept = 'application/json') => {
    const abort = new AbortController();
    const response = await api.raw(
      'GET',
      `${CONFIG_MAPS}?watch=true&${query}`,
      undefined,
      { accept },
      undefined,
      abort.signal,
    );
    assert.equal(response.status, 200);
    const chunks = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    // oxlint-disable-next-line typescript/no-explicit-any
    const pending: any[] = [];
    const next = async () => {
      while (pending.length === 0) {
        const { done, value } = await chunks.next();
        if (done === true) return undefined;
        pending.push(
          ...Buffer.from(value)
            .toString('utf8')
            .trimEnd()
            .split('\n')
            .map((l) => JSON.parse(l)),
        );
      }
      return pending.shift();
    };
    return { next, abort };
  };
  const create = (name: string, labels?: Record<string, string>) =>
    api.call('POST', CONFIG_MAPS, { metadata: { name, labels } });

  it('shows changes after a resourceVersion', async () => {
    const { body } = await create('a');
    const { next } = await open(`resourceVersion=${body.metadata.resourceVersion}`);
    await create('b');
    await api.call('DELETE', `${CONFIG_MAPS}/a`);
    const added = await next();
    assert.deepEqual([added.type, added.object.metadata.name, added.object.kind], ['ADDED', 'b', 'ConfigMap']);
    const deleted = await next();
    assert.deepEqual([deleted.type, deleted.object.metadata.name], ['DELETED', 'a']);
    assert.ok(Number(deleted.object.metadata.resourceVersion) > Number(added.object.metadata.resourceVersion));
  });

  it('turns changes of labels into ADDED and DELETED for a selector', async () => {
    const { body } = await create('a');
    const { next } = await open(`resourceVersion=${body.metadata.resourceVersion}&labelSelector=x%3D1`);
    const label = (x: string | null) =>
      api.call(
        'PATCH',
        `${CONFIG_MAPS}/a`,
        { metadata: { labels: { x } } },
        { 'content-type': 'application/merge-patch+json' },
      );
    await label('1');
    assert.equal((await next()).type, 'ADDED');
    await label(null);
    assert.equal((await next()).type, 'DELETED');
  });

  it('begins with what is there and says when that is over (WatchList)', async () => {
    await create('a');
    const { next } = await open('sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true');
    assert.equal((await next()).object.metadata.name, 'a');
    const bookmark = await next();
    assert.equal(bookmark.type, 'BOOKMARK');
    assert.deepEqual(bookmark.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
  });

  it('sends tables with columns in the first event only', async () => {
    await create('a');
    await create('b');
    const { next } = await open('resourceVersion=0', 'application/json;as=Table;v=v1;g=meta.k8s.io');
    const first = await next();
    assert.equal(first.object.kind, 'Table');
    assert.ok(first.object.columnDefinitions.length > 0);
    assert.equal((await next()).object.columnDefinitions, null);
  });

  it('ends after timeoutSeconds', async () => {
    const { next } = await open('resourceVersion=0&timeoutSeconds=3');
    const ended = next();
    await clock().step(3_000);
    assert.equal(await ended, undefined);
  });

  it('ends when the client goes and when the server stops', async () => {
    for (const end of ['client', 'server']) {
      const { next, abort } = await open('resourceVersion=0');
      const ended = next();
      if (end === 'client') abort.abort();
      else await api.server.stop();
      assert.equal(await ended, undefined);
    }
  });

  const refused: [string, RegExp][] = [
    ['sendInitialEvents=true', /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/],
    [
      'resourceVersionMatch=NotOlderThan',
      /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided/,
    ],
  ];
  for (const [query, message] of refused) {
    it(`refuses ${query}`, async () => {
      const { status, body } = await api.call('GET', `${CONFIG_MAPS}?watch=true&${query}`);
      assert.equal(status, 422);
      assert.match(body.message, message);
    });
  }
});
