import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from './fixture.ts';

describe('createApiServer', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  it('makes the objects every cluster has', async () => {
    const namespaces = await api.call('GET', '/api/v1/namespaces');
    assert.deepEqual(
      namespaces.body.items.map((n: { metadata: { name: string } }) => n.metadata.name),
      ['default', 'kube-node-lease', 'kube-public', 'kube-system'],
    );
    const service = await api.call('GET', '/api/v1/namespaces/default/services/kubernetes');
    assert.equal(service.body.spec.clusterIP, '10.96.0.1');
    const address = await api.call('GET', '/apis/networking.k8s.io/v1/ipaddresses/10.96.0.1');
    assert.deepEqual(address.body.spec.parentRef, { resource: 'services', namespace: 'default', name: 'kubernetes' });
  });

  it('creates, reads and deletes a ConfigMap', async () => {
    const created = await api.call('POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { name: 'a' },
      data: { k: 'v' },
    });
    assert.equal(created.status, 201);
    const got = await api.call('GET', '/api/v1/namespaces/default/configmaps/a');
    assert.deepEqual(got.body, created.body);
    assert.equal((await api.call('DELETE', '/api/v1/namespaces/default/configmaps/a')).status, 200);
    assert.equal((await api.call('GET', '/api/v1/namespaces/default/configmaps/a')).status, 404);
  });
});
