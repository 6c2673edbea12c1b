import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const PODS = '/api/v1/namespaces/default/pods';
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const MERGE = { 'content-type': 'application/merge-patch+json' };

describe('eviction', () => {
  let api: TestServer;
  let count = 0;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  /** A pod on a node, so that it stays until its kubelet lets it go. */
  async function makePod(app: string, status: object = running('True')): Promise<string> {
    const name = `${app}-${count++}`;
    const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] };
    await api.call('POST', PODS, { metadata: { name, labels: { app } }, spec });
    await api.call('PATCH', `${PODS}/${name}/status`, { status }, MERGE);
    return name;
  }
  const running = (ready: string) => ({ phase: 'Running', conditions: [{ type: 'Ready', status: ready }] });

  async function makeBudget(app: string, status: object, spec: object = {}, name = app): Promise<void> {
    const selector = { matchLabels: { app } };
    await api.call('POST', BUDGETS, { metadata: { name }, spec: { minAvailable: 1, selector, ...spec } });
    await api.call(
      'PATCH',
      `${BUDGETS}/${name}/status`,
      { status: { observedGeneration: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, ...status } },
      MERGE,
    );
  }
  const evict = (name: string, body: object = {}) =>
    api.call('POST', `${PODS}/${name}/eviction`, { metadata: { name }, ...body });
  const get = async (path: string) => (await api.call('GET', path)).body;
  const budget = (name: string) => get(`${BUDGETS}/${name}`);

  it('marks the pod, deletes it and takes it off the budget', async () => {
    await makeBudget('a', { disruptionsAllowed: 1, currentHealthy: 2 });
    const name = await makePod('a');
    assert.equal((await evict(name)).status, 201);
    const pod = await get(`${PODS}/${name}`);
    assert.notEqual(pod.metadata.deletionTimestamp, undefined);
    const mark = pod.status.conditions.find((c: { type: string }) => c.type === 'DisruptionTarget');
    assert.deepEqual(
      [mark.status, mark.reason, mark.message],
      ['True', 'EvictionByEvictionAPI', 'Eviction API: evicting'],
    );
    const { status } = await budget('a');
    assert.equal(status.disruptionsAllowed, 0);
    assert.deepEqual(Object.keys(status.disruptedPods), [name]);
    assert.equal(status.conditions[0].reason, 'InsufficientPods');
  });

  it('tries without a trace', async () => {
    await makeBudget('dry', { disruptionsAllowed: 1, currentHealthy: 2 });
    const name = await makePod('dry');
    assert.equal((await evict(name, { deleteOptions: { dryRun: ['All'] } })).status, 201);
    assert.equal((await get(`${PODS}/${name}`)).metadata.deletionTimestamp, undefined);
    assert.equal((await budget('dry')).status.disruptionsAllowed, 1);
  });

  for (const [condition, status, message, retry] of [
    ['too few are healthy', {}, 'needs 1 healthy pods and has 1 currently', undefined],
    [
      'the budget has not been counted yet',
      { observedGeneration: 0, disruptionsAllowed: 5 },
      'is still being processed by the server.',
      '10',
    ],
    [
      'the budget could not be counted',
      {
        conditions: [
          {
            type: 'DisruptionAllowed',
            status: 'False',
            reason: 'SyncFailed',
            message: 'no scale',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
      'does not allow evicting pods currently because it failed sync: no scale',
      undefined,
    ],
  ] as const) {
    it(`says when ${condition}`, async () => {
      const app = `r${count++}`;
      await makeBudget(app, { disruptionsAllowed: 0, ...status });
      const { status: code, body, headers } = await evict(await makePod(app));
      assert.equal(code, 429);
      assert.equal(body.reason, 'TooManyRequests');
      assert.equal(body.message, "Cannot evict pod as it would violate the pod's disruption budget.");
      assert.deepEqual(body.details.causes, [
        { reason: 'DisruptionBudget', message: `The disruption budget ${app} ${message}` },
      ]);
      assert.equal(headers['retry-after'], retry);
    });
  }

  it('does not decide between two budgets', async () => {
    await makeBudget('two', { disruptionsAllowed: 1 });
    await makeBudget('two', { disruptionsAllowed: 1 }, {}, 'second');
    const { status, body } = await evict(await makePod('two'));
    assert.equal(status, 500);
    assert.equal(
      body.message,
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  });

  for (const [condition, pod, status, spec, code] of [
    ['it is pending', { phase: 'Pending' }, {}, {}, 201],
    ['it is over', { phase: 'Failed' }, {}, {}, 201],
    ['it is not ready and the others suffice', running('False'), {}, {}, 201],
    ['it is not ready and the others do not suffice', running('False'), { currentHealthy: 0 }, {}, 429],
    [
      'it is not ready and the budget always lets such go',
      running('False'),
      { currentHealthy: 0 },
      { unhealthyPodEvictionPolicy: 'AlwaysAllow' },
      201,
    ],
    ['it is ready', running('True'), {}, { unhealthyPodEvictionPolicy: 'AlwaysAllow' }, 429],
  ] as const) {
    it(`answers ${code} for a pod when ${condition} and nothing is allowed`, async () => {
      const app = `u${count++}`;
      await makeBudget(app, { disruptionsAllowed: 0, ...status }, spec);
      assert.equal((await evict(await makePod(app, pod))).status, code);
    });
  }

  it('holds to the state of the pod that the client means', async () => {
    const name = await makePod('p');
    const answer = await evict(name, { deleteOptions: { preconditions: { resourceVersion: '1' } } });
    assert.equal(answer.status, 409);
    assert.equal((await get(`${PODS}/${name}`)).metadata.deletionTimestamp, undefined);
    const { resourceVersion, uid } = (await get(`${PODS}/${name}`)).metadata;
    assert.equal((await evict(name, { deleteOptions: { preconditions: { resourceVersion, uid } } })).status, 201);
  });
});
