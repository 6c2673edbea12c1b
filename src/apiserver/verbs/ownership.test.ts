import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import type { AdmissionPlugin } from '../pipeline.ts';
import { startTestServer, type TestServer } from '../fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const stamp: AdmissionPlugin = {
  name: 'Stamp',
  handles: () => true,
  admit: ({ object }) => ({
    ...object!,
    metadata: { ...object!.metadata, annotations: { ...object!.metadata.annotations, stamped: 'yes' } },
  }),
};

describe('managedFields of writes', () => {
  let api: TestServer;
  const clock = new SteppedClock();
  before(async () => {
    api = await startTestServer({ clock, admission: [stamp] });
  });
  after(() => api.stop());

  // oxlint-disable-next-line typescript/no-explicit-any
  const entries = (body: any): any[] => body.metadata.managedFields;

  it('hold what the client sent, not what admission added', async () => {
    const { body, text } = await api.call('POST', CONFIG_MAPS, { metadata: { name: 'a' }, data: { k: 'v' } });
    assert.equal(body.metadata.annotations.stamped, 'yes', text);
    assert.deepEqual(entries(body)[0].fieldsV1, { 'f:data': { '.': {}, 'f:k': {} } });
  });

  it('keep the owner of status when a client writes the object without it', async () => {
    const deployment = {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    };
    await api.call('POST', DEPLOYMENTS, deployment);
    await api.call(
      'PATCH',
      `${DEPLOYMENTS}/d/status`,
      { status: { replicas: 3 } },
      { ...MERGE, 'user-agent': 'ctl/1' },
    );
    const { body } = await api.call('PUT', `${DEPLOYMENTS}/d`, {
      ...deployment,
      spec: { ...deployment.spec, replicas: 2 },
    });
    assert.equal(body.status.replicas, 3);
    const ctl = entries(body).find((m) => m.manager === 'ctl');
    assert.deepEqual([ctl.subresource, ctl.fieldsV1], ['status', { 'f:status': { 'f:replicas': {} } }]);
  });

  it('do not turn a write that changes nothing into one', async () => {
    const made = await api.call('POST', CONFIG_MAPS, { metadata: { name: 'same' }, data: { k: 'v' } });
    await clock.step(60_000);
    // What the client sends lacks what admission adds: the same manager writes the same fields, a minute later.
    const again = await api.call('PUT', `${CONFIG_MAPS}/same`, { metadata: { name: 'same' }, data: { k: 'v' } });
    assert.equal(again.body.metadata.resourceVersion, made.body.metadata.resourceVersion, again.text);
  });
});
