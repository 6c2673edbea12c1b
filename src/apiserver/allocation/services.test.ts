import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const makeService = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { selector: { a: 'b' }, ports: [{ port: 80 }], ...spec },
});

describe('ServiceAllocator', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer({ serviceCIDR: '10.96.0.0/24', nodePortRange: [30000, 30099] });
  });
  after(() => api.stop());
  const addresses = async (): Promise<string[]> =>
    (await api.call('GET', '/apis/networking.k8s.io/v1/ipaddresses')).body.items.map(
      (i: { metadata: { name: string } }) => i.metadata.name,
    );

  it('gives an address from the upper band and takes it back with the service', async () => {
    const { body } = await api.call('POST', SERVICES, makeService('a'));
    assert.ok(Number(body.spec.clusterIP.split('.')[3]) >= 16);
    assert.deepEqual(body.spec.clusterIPs, [body.spec.clusterIP]);
    assert.ok((await addresses()).includes(body.spec.clusterIP));
    await api.call('DELETE', `${SERVICES}/a`);
    assert.ok(!(await addresses()).includes(body.spec.clusterIP));
  });

  const refused: [string, object, string][] = [
    [
      'an address that is taken',
      { clusterIP: '10.96.0.1' },
      'spec.clusterIPs: Invalid value: ["10.96.0.1"]: failed to allocate IP 10.96.0.1: provided IP is already allocated',
    ],
    [
      'an address outside the range',
      { clusterIP: '10.97.0.1' },
      'spec.clusterIPs: Invalid value: ["10.97.0.1"]: failed to allocate IP 10.97.0.1: the provided network does not match the current range',
    ],
    [
      'a node port outside the range',
      { type: 'NodePort', ports: [{ port: 80, nodePort: 8080 }] },
      'spec.ports[0].nodePort: Invalid value: 8080: provided port is not in the valid range. The range of valid ports is 30000-30099',
    ],
    [
      'a node port that is taken',
      { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] },
      'spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated',
    ],
  ];
  it('refuses what cannot be had, and leaks nothing', async () => {
    await api.call(
      'POST',
      SERVICES,
      makeService('holder', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] }),
    );
    const before = await addresses();
    for (const [title, spec, message] of refused) {
      const { status, body } = await api.call('POST', SERVICES, makeService('refused', spec));
      assert.equal(status, 422, title);
      assert.equal(body.message, `Service "refused" is invalid: ${message}`);
    }
    assert.deepEqual(await addresses(), before);
  });

  it('never gives one address or port twice to writers at the same time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => api.call('POST', SERVICES, makeService(`many-${i}`, { type: 'NodePort' }))),
    );
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [201]);
    assert.equal(new Set(answers.map((a) => a.body.spec.clusterIP)).size, 40);
    assert.equal(new Set(answers.map((a) => a.body.spec.ports[0].nodePort)).size, 40);
  });

  it('keeps the address over updates that leave it out', async () => {
    const { body } = await api.call('POST', SERVICES, makeService('keep'));
    const { clusterIP: _ip, clusterIPs: _ips, ...spec } = body.spec;
    const updated = await api.call('PUT', `${SERVICES}/keep`, {
      ...body,
      spec: { ...spec, sessionAffinity: 'ClientIP' },
    });
    assert.equal(updated.body.spec.clusterIP, body.spec.clusterIP);
  });

  it('gives a load balancer under policy Local a health check port, keeps it, and takes it back', async () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
    const { body } = await api.call('POST', SERVICES, makeService('checked', spec));
    const port = body.spec.healthCheckNodePort;
    assert.ok(port >= 30000 && port <= 30099 && port !== body.spec.ports[0].nodePort, String(port));
    const patch = (merge: object) =>
      api.call('PATCH', `${SERVICES}/checked`, merge, { 'content-type': 'application/merge-patch+json' });
    const labelled = await patch({ metadata: { labels: { a: 'b' } } });
    assert.equal(labelled.body.spec.healthCheckNodePort, port);
    const refused = await patch({ spec: { healthCheckNodePort: port === 30050 ? 30051 : 30050 } });
    assert.equal(
      refused.body.message,
      'Service "checked" is invalid: spec.healthCheckNodePort: Forbidden: field is immutable',
    );
    const taken = makeService('other', { ...spec, healthCheckNodePort: port });
    assert.match(
      (await api.call('POST', SERVICES, taken)).body.message,
      /healthCheckNodePort.*provided port is already allocated/,
    );
    const plain = await patch({ spec: { type: 'ClusterIP' } });
    assert.deepEqual(
      [plain.status, plain.body.spec.healthCheckNodePort, plain.body.spec.ports[0].nodePort],
      [200, undefined, undefined],
    );
    assert.equal((await api.call('POST', SERVICES, taken)).body.spec.healthCheckNodePort, port);
    await api.call('DELETE', `${SERVICES}/other`);
  });

  it('gives a load balancer no node ports when it wants none', async () => {
    const spec = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false };
    const { body } = await api.call('POST', SERVICES, makeService('portless', spec));
    assert.equal(body.spec.ports[0].nodePort, undefined);
  });

  it('takes nothing on a dry run and gives headless services none', async () => {
    const count = (await addresses()).length;
    const dry = await api.call('POST', `${SERVICES}?dryRun=All`, makeService('dry'));
    assert.match(dry.body.spec.clusterIP, /^10\.96\.0\./);
    const headless = await api.call('POST', SERVICES, makeService('headless', { clusterIP: 'None' }));
    assert.deepEqual(headless.body.spec.clusterIPs, ['None']);
    assert.equal((await addresses()).length, count);
  });
});
