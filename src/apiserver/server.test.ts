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

  it('becomes ready without the groups that are switched off', async () => {
    const api = await startTestServer({
      runtimeConfig: { 'scheduling.k8s.io/v1': false, 'discovery.k8s.io/v1': false, 'networking.k8s.io/v1beta1': true },
    });
    assert.equal((await api.call('GET', '/apis/scheduling.k8s.io/v1/priorityclasses')).status, 404);
    assert.equal((await api.call('GET', '/apis/discovery.k8s.io/v1/endpointslices')).status, 404);
    assert.equal((await api.call('GET', '/apis/networking.k8s.io/v1beta1/ipaddresses')).status, 200);
    assert.equal((await api.call('GET', '/api/v1/namespaces/default/endpoints/kubernetes')).status, 200);
    await api.stop();
  });
});
