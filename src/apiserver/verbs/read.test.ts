import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

// oxlint-disable-next-line typescript/no-explicit-any
const namesOf = (list: any): string[] => list.items.map((i: { metadata: { name: string } }) => i.metadata.name);

describe('list', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
    for (let i = 0; i < 7; i++)
      await api.call('POST', CONFIG_MAPS, {
        metadata: { name: `cm-${i}`, labels: { odd: String(i % 2 === 1), [`only-${i}`]: '' } },
      });
    await api.call('POST', PODS, { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
  });
  after(() => api.stop());

  const selections: [string, string[]][] = [
    ['labelSelector=odd%3Dtrue', ['cm-1', 'cm-3', 'cm-5']],
    ['labelSelector=odd!%3Dtrue', ['cm-0', 'cm-2', 'cm-4', 'cm-6']],
    ['labelSelector=only-3', ['cm-3']],
    ['labelSelector=odd+in+(true),!only-1', ['cm-3', 'cm-5']],
    ['fieldSelector=metadata.name%3Dcm-4', ['cm-4']],
    [
      'fieldSelector=metadata.name!%3Dcm-4,metadata.namespace%3Ddefault&labelSelector=odd%3Dfalse',
      ['cm-0', 'cm-2', 'cm-6'],
    ],
  ];
  for (const [query, names] of selections) {
    it(`selects by ${query}`, async () => {
      assert.deepEqual(namesOf((await api.call('GET', `${CONFIG_MAPS}?${query}`)).body), names);
    });
  }

  it('goes through pages that belong together', async () => {
    const first = (await api.call('GET', `${CONFIG_MAPS}?limit=3`)).body;
    assert.deepEqual(namesOf(first), ['cm-0', 'cm-1', 'cm-2']);
    assert.equal(first.metadata.remainingItemCount, 4);
    await api.call('DELETE', `${CONFIG_MAPS}/cm-6`);
    const second = (await api.call('GET', `${CONFIG_MAPS}?limit=10&continue=${first.metadata.continue}`)).body;
    assert.deepEqual(namesOf(second), ['cm-3', 'cm-4', 'cm-5', 'cm-6']);
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    assert.equal(second.metadata.continue, undefined);
  });

  const bad: [string, number, RegExp][] = [
    [
      'fieldSelector=spec.foo%3Dx',
      400,
      /^"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"$/,
    ],
    ['labelSelector=a+in', 400, /unable to parse requirement/],
    ['limit=x', 400, /strconv.ParseInt/],
    ['resourceVersion=x', 422, /resourceVersion: Invalid value: "x"/],
    ['resourceVersionMatch=Exact', 422, /resourceVersionMatch is forbidden unless resourceVersion is provided/],
  ];
  for (const [query, status, message] of bad) {
    it(`refuses ${query}`, async () => {
      const answer = await api.call('GET', `${CONFIG_MAPS}?${query}`);
      assert.equal(answer.status, status);
      assert.match(answer.body.message, message);
    });
  }

  it('answers with a table', async () => {
    const { body } = await api.call('GET', PODS, undefined, { accept: TABLE });
    assert.equal(body.kind, 'Table');
    assert.equal(body.apiVersion, 'meta.k8s.io/v1');
    assert.deepEqual(
      body.columnDefinitions.slice(0, 5).map((c: { name: string }) => c.name),
      ['Name', 'Ready', 'Status', 'Restarts', 'Age'],
    );
    assert.equal(body.rows[0].cells[0], 'p');
    assert.equal(body.rows[0].object.kind, 'PartialObjectMetadata');
    const whole = (await api.call('GET', `${PODS}?includeObject=Object`, undefined, { accept: TABLE })).body;
    assert.equal(whole.rows[0].object.kind, 'Pod');
  });

  it('answers with partial metadata', async () => {
    const { body } = await api.call('GET', PODS, undefined, {
      accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    });
    assert.equal(body.kind, 'PartialObjectMetadataList');
    assert.equal(body.items[0].kind, 'PartialObjectMetadata');
    assert.equal(body.items[0].spec, undefined);
  });

  it('is NotFound for a namespaced kind outside of namespaces and the other way round', async () => {
    for (const path of [
      '/api/v1/configmaps/x',
      '/api/v1/namespaces/default/nodes/x',
      '/api/v1/foos',
      '/apis/foo/v1/bars',
    ]) {
      const { status, body } = await api.call('GET', path);
      assert.equal(status, 404, path);
      assert.equal(body.message, 'the server could not find the requested resource');
    }
  });
});
