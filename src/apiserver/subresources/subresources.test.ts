import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const MERGE = { 'content-type': 'application/merge-patch+json' };

describe('subresources', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());
  const makePod = (name: string, labels = {}) =>
    api.call('POST', PODS, { metadata: { name, labels }, spec: { containers: [{ name: 'c', image: 'i' }] } });

  it('binding ends why a pod could not be placed before', async () => {
    await api.call('POST', PODS, {
      metadata: { name: 'gated' },
      spec: { schedulingGates: [{ name: 'example.com/g' }], containers: [{ name: 'c', image: 'i' }] },
    });
    const open = { spec: { schedulingGates: [] } };
    await api.call('PATCH', `${PODS}/gated`, open, { 'content-type': 'application/merge-patch+json' });
    await api.call('POST', `${PODS}/gated/binding`, { target: { kind: 'Node', name: 'n1' } });
    const { conditions } = (await api.call('GET', `${PODS}/gated`)).body.status;
    const scheduled = conditions.find((c: { type: string }) => c.type === 'PodScheduled');
    assert.deepEqual([scheduled.status, scheduled.reason, scheduled.message], ['True', undefined, undefined]);
  });

  it('binding puts a pod on a node once', async () => {
    const { managedFields } = (await makePod('b')).body.metadata;
    const { status, body } = await api.call('POST', `${PODS}/b/binding`, { target: { kind: 'Node', name: 'n1' } });
    assert.deepEqual([status, body.status], [201, 'Success']);
    const pod = (await api.call('GET', `${PODS}/b`)).body;
    assert.equal(pod.spec.nodeName, 'n1');
    assert.deepEqual(pod.metadata.managedFields, managedFields);
    assert.equal(pod.metadata.generation, 1);
    assert.equal(pod.status.conditions.find((c: { type: string }) => c.type === 'PodScheduled').status, 'True');
    const again = await api.call('POST', `${PODS}/b/binding`, { target: { kind: 'Node', name: 'n2' } });
    assert.equal(again.status, 409);
    assert.equal(
      again.body.message,
      'Operation cannot be fulfilled on pods/binding "b": pod b is already assigned to node "n1"',
    );
  });

  it('scale reads and writes the replica count', async () => {
    await api.call('POST', DEPLOYMENTS, {
      metadata: { name: 'd' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { a: 'd' } },
        template: { metadata: { labels: { a: 'd' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const scale = (await api.call('GET', `${DEPLOYMENTS}/d/scale`)).body;
    assert.deepEqual([scale.kind, scale.spec.replicas, scale.status.selector], ['Scale', 2, 'a=d']);
    assert.equal(
      (await api.call('PATCH', `${DEPLOYMENTS}/d/scale`, { spec: { replicas: 5 } }, MERGE)).body.spec.replicas,
      5,
    );
    const stale = await api.call('PUT', `${DEPLOYMENTS}/d/scale`, { ...scale, spec: { replicas: 9 } });
    assert.equal(stale.status, 409);
    assert.equal((await api.call('GET', `${DEPLOYMENTS}/d`)).body.spec.replicas, 5);
    assert.equal((await api.call('PATCH', `${DEPLOYMENTS}/d/scale`, { spec: { replicas: -1 } }, MERGE)).status, 422);
  });

  it('eviction asks the budget first', async () => {
    await makePod('e', { app: 'e' });
    await api.call(
      'PATCH',
      `${PODS}/e/status`,
      { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } },
      MERGE,
    );
    await api.call('POST', BUDGETS, {
      metadata: { name: 'pdb' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'e' } } },
    });
    const setStatus = (disruptionsAllowed: number) =>
      api.call(
        'PATCH',
        `${BUDGETS}/pdb/status`,
        {
          status: { observedGeneration: 1, disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
        },
        MERGE,
      );
    await setStatus(0);
    const evict = () => api.call('POST', `${PODS}/e/eviction`, { metadata: { name: 'e' } });
    const refused = await evict();
    assert.equal(refused.status, 429);
    assert.equal(refused.body.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    assert.equal(
      refused.body.details.causes[0].message,
      'The disruption budget pdb needs 1 healthy pods and has 1 currently',
    );
    await setStatus(1);
    assert.equal((await evict()).status, 201);
    const budget = (await api.call('GET', `${BUDGETS}/pdb`)).body;
    assert.equal(budget.status.disruptionsAllowed, 0);
    assert.deepEqual(Object.keys(budget.status.disruptedPods), ['e']);
    assert.equal((await api.call('GET', `${PODS}/e`)).status, 404);
  });

  it('ephemeralcontainers only adds', async () => {
    await makePod('debugged');
    const add = (names: string[]) =>
      api.call(
        'PATCH',
        `${PODS}/debugged/ephemeralcontainers`,
        { spec: { ephemeralContainers: names.map((name) => ({ name, image: 'sh' })) } },
        MERGE,
      );
    assert.equal((await add(['one'])).status, 200);
    const { status, body } = await add(['two']);
    assert.equal(status, 422);
    assert.match(body.message, /existing ephemeral containers "one" may not be removed/);
  });
});
