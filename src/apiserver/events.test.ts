import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from './fixture.ts';

const NEW = '/apis/events.k8s.io/v1/namespaces/default/events';
const CORE = '/api/v1/namespaces/default/events';

const makeNewEvent = (name: string) => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name, namespace: 'default' },
  eventTime: '2026-01-01T00:00:00.000000Z',
  reportingController: 'example.com/reporter',
  reportingInstance: 'reporter-0',
  action: 'Binding',
  reason: 'Scheduled',
  regarding: { kind: 'Pod', namespace: 'default', name: 'web-0' },
  note: 'it went well',
  type: 'Normal',
});

describe('Events in two groups', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  it('keeps what is written through events.k8s.io, and shows it in the core shape', async () => {
    const made = await api.call('POST', NEW, makeNewEvent('one'));
    assert.equal(made.status, 201, made.text);
    assert.deepEqual([made.body.apiVersion, made.body.note], ['events.k8s.io/v1', 'it went well']);
    const { body } = await api.call('GET', `${CORE}/one`);
    assert.equal(body.apiVersion, 'v1');
    assert.equal(body.message, 'it went well');
    assert.deepEqual(body.involvedObject, { kind: 'Pod', namespace: 'default', name: 'web-0' });
    assert.equal(body.reportingComponent, 'example.com/reporter');
    assert.equal(body.note, undefined);
    const stored = JSON.parse(
      Buffer.from((await api.store.get('/registry/events/default/one'))!.value).toString('utf8'),
    );
    assert.deepEqual([stored.apiVersion, stored.message], ['v1', 'it went well']);
    assert.equal(stored.metadata.managedFields[0].apiVersion, 'events.k8s.io/v1');
    assert.deepEqual(stored.metadata.managedFields[0].fieldsV1['f:note'], {});
  });

  it('shows core events through events.k8s.io: get, list and watch', async () => {
    const { body: list } = await api.call('GET', NEW);
    const made = await api.call('POST', CORE, {
      metadata: { name: 'two' },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'web-1' },
      message: 'pulled',
      reason: 'Pulled',
      type: 'Normal',
      count: 3,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:01:00Z',
      source: { component: 'kubelet', host: 'node-1' },
    });
    assert.equal(made.status, 201, made.text);
    const { body } = await api.call('GET', `${NEW}/two`);
    assert.deepEqual(
      [
        body.note,
        body.regarding.name,
        body.deprecatedCount,
        body.deprecatedSource.component,
        body.deprecatedLastTimestamp,
      ],
      ['pulled', 'web-1', 3, 'kubelet', '2026-01-01T00:01:00Z'],
    );
    assert.equal(body.message, undefined);
    // Emitted by upstream even when it was never set.
    assert.equal(body.eventTime, null);

    const abort = new AbortController();
    const response = await api.raw(
      'GET',
      `${NEW}?watch=true&resourceVersion=${list.metadata.resourceVersion}`,
      undefined,
      {},
      undefined,
      abort.signal,
    );
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      const frame = JSON.parse(Buffer.from(chunk).toString('utf8').split('\n')[0]!);
      assert.deepEqual(
        [frame.type, frame.object.apiVersion, frame.object.note, frame.object.metadata.resourceVersion],
        ['ADDED', 'events.k8s.io/v1', 'pulled', made.body.metadata.resourceVersion],
      );
      break;
    }
    abort.abort();
  });

  it('patches through either shape', async () => {
    const merge = { 'content-type': 'application/merge-patch+json' };
    const patched = await api.call(
      'PATCH',
      `${NEW}/one`,
      { series: { count: 2, lastObservedTime: '2026-01-01T00:02:00.000000Z' } },
      merge,
    );
    assert.equal(patched.status, 200, patched.text);
    assert.deepEqual([patched.body.series.count, patched.body.note], [2, 'it went well']);
    const again = await api.call('PATCH', `${CORE}/one`, { message: 'it went on' }, merge);
    assert.deepEqual([again.body.message, again.body.series.count], ['it went on', 2]);
    assert.equal((await api.call('GET', `${NEW}/one`)).body.note, 'it went on');
  });

  it('selects by the fields of each shape', async () => {
    const names = async (path: string, selector: string) =>
      (await api.call('GET', `${path}?fieldSelector=${selector}`)).body.items.map(
        (i: { metadata: { name: string } }) => i.metadata.name,
      );
    assert.deepEqual(await names(NEW, 'regarding.name=web-1'), ['two']);
    assert.deepEqual(await names(NEW, 'reportingController=example.com/reporter'), ['one']);
    assert.deepEqual(await names(CORE, 'involvedObject.name=web-0'), ['one']);
    assert.equal((await api.call('GET', `${CORE}?fieldSelector=regarding.name=x`)).status, 400);
  });
});
