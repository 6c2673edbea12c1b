import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { startTestServer, type TestServer } from '../fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';

describe('delete', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer({ clock: new SteppedClock() });
  });
  after(() => api.stop());

  const create = async (name: string, finalizers?: string[]) =>
    (await api.call('POST', CONFIG_MAPS, { metadata: { name, finalizers } })).body;
  const makeBoundPod = async (name: string) => {
    const pod = (
      await api.call('POST', PODS, { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } })
    ).body;
    await api.call('POST', `${PODS}/${name}/binding`, { target: { kind: 'Node', name: 'n' } });
    return pod;
  };

  it('answers with a Status that says what is gone', async () => {
    const { metadata } = await create('gone');
    const { status, body } = await api.call('DELETE', `${CONFIG_MAPS}/gone`);
    assert.equal(status, 200);
    assert.deepEqual(body, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'gone', kind: 'configmaps', uid: metadata.uid },
    });
    assert.equal((await api.call('DELETE', `${CONFIG_MAPS}/gone`)).body.message, 'configmaps "gone" not found');
  });

  it('checks preconditions', async () => {
    const { metadata } = await create('pre');
    const wrong = await api.call('DELETE', `${CONFIG_MAPS}/pre`, { preconditions: { uid: 'x' } });
    assert.equal(wrong.status, 409);
    assert.equal(
      wrong.body.message,
      `Operation cannot be fulfilled on configmaps "pre": Precondition failed: UID in precondition: x, UID in object meta: ${metadata.uid}`,
    );
    assert.equal(
      (await api.call('DELETE', `${CONFIG_MAPS}/pre`, { preconditions: { uid: metadata.uid } })).status,
      200,
    );
  });

  it('waits for finalizers, and the last one that goes takes the object along', async () => {
    await create('held', ['example.com/hold']);
    const deleted = await api.call('DELETE', `${CONFIG_MAPS}/held`);
    assert.equal(deleted.status, 200);
    assert.equal(deleted.body.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
    assert.equal(deleted.body.metadata.deletionGracePeriodSeconds, 0);
    const added = await api.call(
      'PATCH',
      `${CONFIG_MAPS}/held`,
      { metadata: { finalizers: ['example.com/hold', 'example.com/new'] } },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal(added.status, 422);
    assert.match(
      added.body.message,
      /no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example.com\/new"\}/,
    );
    const last = await api.call(
      'PATCH',
      `${CONFIG_MAPS}/held`,
      { metadata: { finalizers: null } },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal(last.status, 200);
    assert.equal((await api.call('GET', `${CONFIG_MAPS}/held`)).status, 404);
  });

  const policies: [string, string[] | undefined][] = [
    ['Foreground', ['foregroundDeletion']],
    ['Orphan', ['orphan']],
    ['Background', undefined],
  ];
  for (const [propagationPolicy, finalizers] of policies) {
    it(`propagates by ${propagationPolicy}`, async () => {
      const name = propagationPolicy.toLowerCase();
      await create(name);
      const { body } = await api.call('DELETE', `${CONFIG_MAPS}/${name}`, { propagationPolicy });
      assert.deepEqual(body.metadata.finalizers, finalizers);
      assert.equal((await api.call('GET', `${CONFIG_MAPS}/${name}`)).status, finalizers === undefined ? 404 : 200);
    });
  }

  it('refuses both forms of propagation at once', async () => {
    const { status, body } = await api.call('DELETE', `${CONFIG_MAPS}/x`, {
      propagationPolicy: 'Orphan',
      orphanDependents: true,
    });
    assert.equal(status, 422);
    assert.match(body.message, /orphanDependents and deletionPropagation cannot be both set/);
  });

  it('deletes nothing on a dry run', async () => {
    await create('dry');
    assert.equal((await api.call('DELETE', `${CONFIG_MAPS}/dry?dryRun=All`)).status, 200);
    assert.equal((await api.call('GET', `${CONFIG_MAPS}/dry`)).status, 200);
  });

  it('gives a bound pod its grace, which only gets shorter', async () => {
    await makeBoundPod('grace');
    const first = await api.call('DELETE', `${PODS}/grace`);
    assert.equal(first.body.metadata.deletionGracePeriodSeconds, 30);
    assert.equal(first.body.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
    assert.equal(first.body.metadata.generation, 2);
    const longer = await api.call('DELETE', `${PODS}/grace?gracePeriodSeconds=60`);
    assert.equal(longer.body.metadata.deletionGracePeriodSeconds, 30);
    const shorter = await api.call('DELETE', `${PODS}/grace`, { gracePeriodSeconds: 5 });
    assert.equal(shorter.body.metadata.deletionGracePeriodSeconds, 5);
    assert.equal(shorter.body.metadata.deletionTimestamp, '2026-01-01T00:00:05Z');
    await api.call('DELETE', `${PODS}/grace`, { gracePeriodSeconds: 0 });
    assert.equal((await api.call('GET', `${PODS}/grace`)).status, 404);
  });

  it('takes a pod without node at once', async () => {
    await api.call('POST', PODS, { metadata: { name: 'unbound' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    const { body } = await api.call('DELETE', `${PODS}/unbound`);
    assert.equal(body.kind, 'Pod');
    assert.equal((await api.call('GET', `${PODS}/unbound`)).status, 404);
  });

  it('keeps a terminating namespace until its finalizer is taken away', async () => {
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'leaving' } });
    const { body } = await api.call('DELETE', '/api/v1/namespaces/leaving');
    assert.equal(body.status.phase, 'Terminating');
    await api.call('PUT', '/api/v1/namespaces/leaving/finalize', { ...body, spec: { finalizers: [] } });
    assert.equal((await api.call('GET', '/api/v1/namespaces/leaving')).status, 404);
  });
});

describe('deletecollection', () => {
  it('deletes what is selected', async () => {
    const api = await startTestServer();
    for (const [name, app] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ])
      await api.call('POST', CONFIG_MAPS, { metadata: { name, labels: { app } } });
    const { status, body } = await api.call('DELETE', `${CONFIG_MAPS}?labelSelector=app%3Dx`);
    assert.equal(status, 200);
    assert.equal(body.kind, 'ConfigMapList');
    const left = await api.call('GET', CONFIG_MAPS);
    assert.deepEqual(
      left.body.items.map((i: { metadata: { name: string } }) => i.metadata.name),
      ['b'],
    );
    await api.stop();
  });
});
