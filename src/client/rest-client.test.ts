import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterroles, configmaps, pods } from '#generated/resources.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { StatusError } from '#machinery/status.ts';
import { createClient, resourcePath } from './rest-client.ts';
import { readLines } from './lines.ts';
import { retryOnConflict } from './retry.ts';
import { TestApi } from './testing.ts';
import { createInProcessTransport } from './transports/in-process.ts';

function setUp(freeze = false) {
  const api = new TestApi();
  const clock = new SteppedClock();
  const transport = createInProcessTransport(api.exchange, { name: 'tester', groups: [] });
  return { api, clock, client: createClient({ transport, clock, userAgent: 'test/1', freeze }) };
}

describe('resourcePath', () => {
  it('builds the paths of the API conventions', () => {
    assert.equal(resourcePath(pods), '/api/v1/pods');
    assert.equal(resourcePath(pods, 'db', 'postgres-0', 'status'), '/api/v1/namespaces/db/pods/postgres-0/status');
    assert.equal(
      resourcePath(clusterroles, undefined, 'system:node'),
      '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node',
    );
    assert.equal(resourcePath(pods, 'db', '../x y'), '/api/v1/namespaces/db/pods/..%2Fx%20y');
  });
});

describe('ResourceClient', () => {
  it('fills in apiVersion and kind, and sends who it is', async () => {
    const { api, client } = setUp();
    let agent: string | undefined;
    api.intercept = (r) => void (agent = r.headers['user-agent']);
    const made = await client.resource(configmaps).create({ metadata: { namespace: 'a', name: 'x' } });
    assert.deepEqual([made.apiVersion, made.kind, agent], ['v1', 'ConfigMap', 'test/1']);
  });

  it('gives undefined for an absent object, and throws for an unknown resource', async () => {
    const { api, client } = setUp();
    assert.equal(await client.resource(configmaps).get('a', 'x'), undefined);
    assert.equal(await client.resource(configmaps).delete('a', 'x'), undefined);
    api.intercept = () => ({
      status: 404,
      headers: { 'content-type': 'text/plain' },
      body: Buffer.from('404 page not found\n'),
    });
    await assert.rejects(client.resource(configmaps).get('a', 'x'), {
      code: 404,
      reason: 'NotFound',
      message: /could not find the requested resource .*404 page not found/,
    });
  });

  it('says what is asked for in the query', async () => {
    const { api, client } = setUp();
    await client.resource(pods).list({ namespace: 'a', labelSelector: 'app=web,x!=y', limit: 5 });
    await client
      .resource(pods)
      .create({ metadata: { namespace: 'a', name: 'p' } }, { dryRun: true, fieldManager: 'm' });
    await client
      .resource(pods)
      .patch('a', 'p', 'application/merge-patch+json', {}, { force: true, subresource: 'status' });
    assert.deepEqual(api.requests, [
      'GET /api/v1/namespaces/a/pods?labelSelector=app%3Dweb%2Cx!%3Dy&limit=5',
      'POST /api/v1/namespaces/a/pods?dryRun=All&fieldManager=m',
      'PATCH /api/v1/namespaces/a/pods/p/status?force=true',
    ]);
  });

  it('refuses a namespaced object without namespace, and an empty name', async () => {
    const { client } = setUp();
    await assert.rejects(async () => client.resource(pods).create({ metadata: { name: 'p' } }), {
      reason: 'BadRequest',
    });
    await assert.rejects(async () => client.resource(pods).get('a', ''), { reason: 'BadRequest' });
  });

  it('waits as long as a busy server asks, and gives up after eleven tries', async () => {
    const { api, client, clock } = setUp();
    const busy = () => ({
      status: 429,
      headers: { 'retry-after': '2' },
      body: Buffer.from(JSON.stringify(StatusError.tooManyRequests('slow down', 2).toStatus())),
    });
    let left = 2;
    api.intercept = () => (left-- > 0 ? busy() : undefined);
    const listed = client.resource(pods).list();
    await clock.step(3_999);
    assert.equal(api.requests.length, 2);
    await clock.step(1);
    assert.equal((await listed).items.length, 0);

    api.requests.length = 0;
    api.intercept = busy;
    const failed = assert.rejects(client.resource(pods).list(), { code: 429, message: 'slow down' });
    await clock.step(60_000);
    await failed;
    assert.equal(api.requests.length, 11);
  });

  it('does not repeat what was answered 503 without Retry-After', async () => {
    const { api, client } = setUp();
    api.intercept = () => ({ status: 503, headers: {}, body: Buffer.from('down') });
    await assert.rejects(client.resource(pods).list(), { code: 503, reason: 'ServiceUnavailable' });
    assert.equal(api.requests.length, 1);
  });

  it('throws an ERROR event of a watch as the error it carries', async () => {
    const { api, client } = setUp();
    const maps = client.resource(configmaps);
    await maps.create({ metadata: { namespace: 'a', name: 'x' } });
    await maps.create({ metadata: { namespace: 'a', name: 'y' } });
    api.compact();
    await assert.rejects(
      async () => {
        for await (const _ of maps.watch({ resourceVersion: '1' }, new AbortController().signal));
      },
      { code: 410, reason: 'Expired' },
    );
  });

  it('ends a watch quietly when aborted', async () => {
    const { client } = setUp();
    const stop = new AbortController();
    const watching = (async () => {
      for await (const _ of client.resource(pods).watch({}, stop.signal));
    })();
    await settle();
    stop.abort();
    await watching;
  });

  it('gives frozen objects when asked to', async () => {
    const { client } = setUp(true);
    const made = await client
      .resource(configmaps)
      .create({ metadata: { namespace: 'a', name: 'x' }, data: { k: 'v' } });
    assert.throws(() => void ((made.data as Record<string, string>)['k'] = 'other'), TypeError);
  });
});

describe('readLines', () => {
  const lines = async (...chunks: string[]) => {
    const out: string[] = [];
    async function* source() {
      for (const c of chunks) yield Buffer.from(c, 'latin1');
    }
    for await (const line of readLines(source())) out.push(line);
    return out;
  };
  const latin1 = (text: string) => Buffer.from(text).toString('latin1');

  it('finds lines wherever chunks are cut, also inside a character', async () => {
    const bytes = latin1('{"a":"é"}\n\n{"b":1}\n{"cut');
    for (let size = 1; size <= bytes.length; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.slice(i * size, (i + 1) * size),
      );
      assert.deepEqual(await lines(...chunks), ['{"a":"é"}', '{"b":1}']);
    }
  });
});

describe('retryOnConflict', () => {
  it('reads afresh until nobody was faster, five times at most', async () => {
    const clock = new SteppedClock();
    const conflict = StatusError.conflict({ resource: 'pods' }, 'p', 'modified');
    let tries = 0;
    const done = retryOnConflict({ clock, random: new SeededRandom(1) }, async () => {
      if (++tries < 3) throw conflict;
      return tries;
    });
    await clock.step(100);
    assert.equal(await done, 3);
    const failed = assert.rejects(
      retryOnConflict({ clock, random: new SeededRandom(1) }, async () => {
        tries++;
        throw conflict;
      }),
      { reason: 'Conflict' },
    );
    await clock.step(100);
    await failed;
    assert.equal(tries, 8);
  });
});
