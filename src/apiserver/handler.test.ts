import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from './fixture.ts';

const nobody = { name: 'bob', groups: ['system:authenticated'] };

describe('Handler', () => {
  let api: TestServer;
  const stages: string[] = [];
  before(async () => {
    api = await startTestServer({
      deps: { audit: { record: ({ info, stage }) => void stages.push(`${info.verb} ${stage}`) } },
      authorizer: {
        authorize: ({ user }) => ({
          decision: user.groups.includes('system:masters') ? 'allow' : 'no-opinion',
          reason: '',
        }),
      },
    });
  });
  after(() => api.stop());

  const forbidden: [string, string, string][] = [
    [
      'GET',
      '/api/v1/namespaces/default/pods',
      'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      'GET',
      '/apis/apps/v1/deployments',
      'deployments.apps is forbidden: User "bob" cannot list resource "deployments" in API group "apps" at the cluster scope',
    ],
    [
      'DELETE',
      '/api/v1/nodes/n',
      'nodes "n" is forbidden: User "bob" cannot delete resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'PUT',
      '/api/v1/namespaces/default/pods/p/status',
      'pods "p" is forbidden: User "bob" cannot update resource "pods/status" in API group "" in the namespace "default"',
    ],
    ['GET', '/metrics', 'forbidden: User "bob" cannot get path "/metrics"'],
  ];
  for (const [method, path, message] of forbidden) {
    it(`says who may not ${method} ${path}`, async () => {
      const { status, body } = await api.call(method, path, undefined, {}, nobody);
      assert.equal(status, 403);
      assert.equal(body.message, message);
      assert.equal(body.reason, 'Forbidden');
    });
  }

  it('acts as another user when that is allowed', async () => {
    const { body } = await api.call(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      { 'impersonate-user': 'alice', 'impersonate-group': 'system:masters' },
    );
    assert.equal(body.status.userInfo.username, 'alice');
  });

  it('names each request by an audit id', async () => {
    assert.equal((await api.call('GET', '/version', undefined, { 'audit-id': 'mine' })).headers['audit-id'], 'mine');
    assert.match((await api.call('GET', '/version')).headers['audit-id']!, /^[0-9a-f-]{36}$/);
  });

  it('says how it is and which version it is', async () => {
    assert.equal((await api.call('GET', '/readyz')).text, 'ok');
    assert.match((await api.call('GET', '/readyz?verbose')).text, /^\[\+\]ping ok\n[\s\S]*readyz check passed\n$/);
    assert.equal((await api.call('GET', '/version')).body.gitVersion, 'v1.36.3');
    assert.match((await api.call('GET', '/metrics')).text, /apiserver_request_total\{verb="GET"/);
  });

  it('answers extra values of nobody as upstream does', async () => {
    const { status, body } = await api.call('GET', '/version', undefined, { 'impersonate-extra-scopes': 'a' });
    assert.equal(status, 500);
    assert.match(body.message, /without impersonating a user/);
  });

  it('counts a watch as running until its body is over, and audits both ends', async () => {
    const running = async () =>
      /apiserver_longrunning_requests\{verb="WATCH"[^}]*resource="secrets"[^}]*\} (\d+)/.exec(
        (await api.call('GET', '/metrics')).text,
      )?.[1];
    stages.length = 0;
    const abort = new AbortController();
    const path = '/api/v1/secrets?watch=true&resourceVersion=1';
    const response = await api.raw('GET', path, undefined, {}, undefined, abort.signal);
    assert.equal(await running(), '1');
    abort.abort();
    for await (const _ of response.body as AsyncIterable<Uint8Array>);
    assert.equal(await running(), '0');
    const given = await api.raw('GET', path);
    await (given.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]().return!();
    assert.equal(await running(), '0');
    const ofWatches = ['RequestReceived', 'ResponseStarted', 'ResponseComplete'];
    assert.deepEqual(
      stages.filter((s) => s.startsWith('watch')),
      [...ofWatches, ...ofWatches].map((s) => `watch ${s}`),
    );
  });

  it('serves discovery plain and aggregated', async () => {
    const list = (await api.call('GET', '/api/v1')).body;
    assert.ok(list.resources.some((r: { name: string }) => r.name === 'pods/status'));
    const { body, headers } = await api.call('GET', '/apis', undefined, {
      accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
    });
    assert.equal(body.kind, 'APIGroupDiscoveryList');
    assert.equal(headers['content-type'], 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
    const groups = body.items.map((i: { metadata: { name: string } }) => i.metadata.name);
    assert.deepEqual(groups.slice(0, 3), ['apiregistration.k8s.io', 'apps', 'events.k8s.io']);
  });
});
