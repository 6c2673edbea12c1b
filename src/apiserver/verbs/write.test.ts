import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

const makePod = (name: string, more: object = {}) => ({
  metadata: { name, ...more },
  spec: { containers: [{ name: 'c', image: 'i:1' }] },
});
const makeDeployment = (name: string) => ({
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } },
  },
});

describe('create', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  const refused: [string, string, unknown, number, string, string][] = [
    [
      'without a name',
      CONFIG_MAPS,
      { metadata: {} },
      422,
      'Invalid',
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'in another namespace than the path says',
      CONFIG_MAPS,
      { metadata: { name: 'a', namespace: 'other' } },
      400,
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'with a resourceVersion',
      CONFIG_MAPS,
      { metadata: { name: 'a', resourceVersion: '3' } },
      500,
      '',
      'resourceVersion should not be set on objects to be created',
    ],
    [
      'of another kind',
      CONFIG_MAPS,
      { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' } },
      400,
      'BadRequest',
      'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (v1.ConfigMap): unknown conversion',
    ],
    [
      'of another version',
      DEPLOYMENTS,
      { kind: 'Deployment', apiVersion: 'extensions/v1beta1', metadata: { name: 'a' } },
      400,
      'BadRequest',
      'the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)',
    ],
    [
      'with a bad label',
      CONFIG_MAPS,
      { metadata: { name: 'a', labels: { 'a b': 'c' } } },
      422,
      'Invalid',
      `ConfigMap "a" is invalid: metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
    [
      'with a bare finalizer',
      CONFIG_MAPS,
      { metadata: { name: 'a', finalizers: ['mine'] } },
      422,
      'Invalid',
      'ConfigMap "a" is invalid: metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
    [
      'at the cluster scope',
      '/api/v1/configmaps',
      { metadata: { name: 'a' } },
      405,
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
    ],
  ];
  for (const [title, path, body, status, reason, message] of refused) {
    it(`refuses an object ${title}`, async () => {
      const answer = await api.call('POST', path, body);
      assert.equal(answer.body.message, message);
      assert.equal(answer.status, status);
      assert.equal(answer.body.reason ?? '', reason);
      assert.equal(answer.body.code, status);
    });
  }

  it('sets the system fields and ignores what the client says of them', async () => {
    const { body } = await api.call(
      'POST',
      PODS,
      makePod('system', {
        uid: 'x',
        creationTimestamp: '2001-01-01T00:00:00Z',
        generation: 7,
        deletionTimestamp: '2001-01-01T00:00:00Z',
      }),
    );
    assert.match(body.metadata.uid, /^[0-9a-f-]{36}$/);
    assert.equal(body.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
    assert.equal(body.metadata.generation, 1);
    assert.equal(body.metadata.deletionTimestamp, undefined);
    assert.equal(body.metadata.namespace, 'default');
    assert.match(body.metadata.resourceVersion, /^\d+$/);
  });

  it('answers AlreadyExists for a name that is taken', async () => {
    await api.call('POST', CONFIG_MAPS, { metadata: { name: 'twice' } });
    const { status, body } = await api.call('POST', CONFIG_MAPS, { metadata: { name: 'twice' } });
    assert.equal(status, 409);
    assert.equal(body.message, 'configmaps "twice" already exists');
    assert.deepEqual(body.details, { name: 'twice', kind: 'configmaps' });
  });

  it('makes names of a generateName', async () => {
    const names = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const { body } = await api.call('POST', CONFIG_MAPS, { metadata: { generateName: 'gen-' } });
      assert.match(body.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      names.add(body.metadata.name);
    }
    assert.equal(names.size, 5);
  });

  const validations: [string, number, RegExp | undefined][] = [
    ['', 201, /^299 - "unknown field \\"dataa\\"/],
    ['fieldValidation=Warn', 201, /^299 - "unknown field \\"dataa\\"/],
    ['fieldValidation=Ignore', 201, undefined],
    ['fieldValidation=Strict', 400, undefined],
  ];
  for (const [query, status, warning] of validations) {
    it(`treats unknown fields by ${query || 'the default'}`, async () => {
      const answer = await api.call('POST', `${CONFIG_MAPS}?${query}`, {
        metadata: { name: `fv-${query.toLowerCase().slice(-4) || 'none'}` },
        dataa: {},
      });
      assert.equal(answer.status, status);
      if (status === 400)
        assert.equal(
          answer.body.message,
          'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dataa"',
        );
      if (warning === undefined) assert.equal(answer.headers.warning, undefined);
      else assert.match(answer.headers.warning!, warning);
    });
  }

  it('writes nothing on a dry run', async () => {
    const { status, body } = await api.call('POST', `${CONFIG_MAPS}?dryRun=All`, { metadata: { name: 'dry' } });
    assert.equal(status, 201);
    assert.equal(body.metadata.resourceVersion, undefined);
    assert.equal((await api.call('GET', `${CONFIG_MAPS}/dry`)).status, 404);
    const bad = await api.call('POST', `${CONFIG_MAPS}?dryRun=Some`, { metadata: { name: 'dry' } });
    assert.equal(bad.status, 422);
  });

  it('reads and answers YAML', async () => {
    const answer = await api.call('POST', CONFIG_MAPS, 'metadata:\n  name: yaml\ndata:\n  a: "1"\n', {
      'content-type': 'application/yaml',
      accept: 'application/yaml',
    });
    assert.equal(answer.status, 201);
    assert.match(answer.text, /^kind: ConfigMap\napiVersion: v1\n/);
  });

  const media: [string, Record<string, string>, number][] = [
    ['cbor', { 'content-type': 'application/cbor' }, 415],
    ['an unknown accepted type', { accept: 'image/png' }, 406],
    ['protobuf with JSON behind it', { accept: 'application/vnd.kubernetes.protobuf,application/json' }, 201],
  ];
  for (const [title, headers, status] of media) {
    it(`answers ${status} to ${title}`, async () => {
      assert.equal(
        (await api.call('POST', CONFIG_MAPS, { metadata: { name: `media-${status}` } }, headers)).status,
        status,
      );
    });
  }
});

describe('update', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  it('writes nothing when no byte changes', async () => {
    const { body } = await api.call('POST', CONFIG_MAPS, { metadata: { name: 'same' }, data: { a: 'b' } });
    const revision = await api.store.revision();
    const again = await api.call('PUT', `${CONFIG_MAPS}/same`, body);
    assert.equal(again.status, 200);
    assert.equal(again.body.metadata.resourceVersion, body.metadata.resourceVersion);
    assert.equal(await api.store.revision(), revision);
  });

  it('answers Conflict for an old resourceVersion and takes an update without one', async () => {
    const { body } = await api.call('POST', CONFIG_MAPS, { metadata: { name: 'rv' } });
    const second = await api.call('PUT', `${CONFIG_MAPS}/rv`, { ...body, data: { a: '1' } });
    assert.equal(second.status, 200);
    const stale = await api.call('PUT', `${CONFIG_MAPS}/rv`, { ...body, data: { a: '2' } });
    assert.equal(stale.status, 409);
    assert.equal(
      stale.body.message,
      'Operation cannot be fulfilled on configmaps "rv": the object has been modified; please apply your changes to the latest version and try again',
    );
    const { resourceVersion: _rv, ...metadata } = body.metadata;
    assert.equal((await api.call('PUT', `${CONFIG_MAPS}/rv`, { ...body, metadata, data: { a: '3' } })).status, 200);
  });

  const refused: [string, object, number, string][] = [
    [
      'another uid',
      { uid: 'f' },
      409,
      'Operation cannot be fulfilled on configmaps "base": Precondition failed: UID in precondition: f, UID in object meta: UID',
    ],
    [
      'another name',
      { name: 'other' },
      400,
      'the name of the object (other) does not match the name on the URL (base)',
    ],
    [
      'another namespace',
      { namespace: 'other' },
      400,
      'the namespace of the object (other) does not match the namespace on the URL (default)',
    ],
    [
      'another creation time',
      { creationTimestamp: '2001-01-01T00:00:00Z' },
      422,
      'ConfigMap "base" is invalid: metadata.creationTimestamp: Invalid value: "2001-01-01T00:00:00Z": field is immutable',
    ],
  ];
  for (const [title, metadata, status, message] of refused) {
    it(`refuses ${title}`, async () => {
      await api.call('POST', CONFIG_MAPS, { metadata: { name: 'base' } });
      const { body } = await api.call('GET', `${CONFIG_MAPS}/base`);
      const answer = await api.call('PUT', `${CONFIG_MAPS}/base`, {
        ...body,
        metadata: { ...body.metadata, ...metadata },
      });
      assert.equal(answer.status, status);
      assert.equal(
        answer.body.message,
        message.replace('UID in object meta: UID', `UID in object meta: ${body.metadata.uid}`),
      );
    });
  }

  it('answers NotFound for what is not there', async () => {
    const { status, body } = await api.call('PUT', `${CONFIG_MAPS}/none`, { metadata: { name: 'none' } });
    assert.equal(status, 404);
    assert.equal(body.message, 'configmaps "none" not found');
  });

  it('bumps generation with spec and leaves status to /status', async () => {
    const { body } = await api.call('POST', DEPLOYMENTS, makeDeployment('gen'));
    assert.equal(body.metadata.generation, 1);
    const labelled = await api.call('PUT', `${DEPLOYMENTS}/gen`, {
      ...body,
      metadata: { ...body.metadata, labels: { a: 'b' } },
      status: { replicas: 9 },
    });
    assert.equal(labelled.body.metadata.generation, 1);
    assert.equal(labelled.body.status.replicas, undefined);
    const scaled = await api.call('PUT', `${DEPLOYMENTS}/gen`, {
      ...labelled.body,
      spec: { ...labelled.body.spec, replicas: 4 },
    });
    assert.equal(scaled.body.metadata.generation, 2);
    const status = await api.call('PUT', `${DEPLOYMENTS}/gen/status`, {
      ...scaled.body,
      spec: { ...scaled.body.spec, replicas: 7 },
      status: { replicas: 4 },
    });
    assert.equal(status.status, 200);
    assert.equal(status.body.status.replicas, 4);
    assert.equal(status.body.spec.replicas, 4);
    assert.equal(status.body.metadata.generation, 2);
  });

  it('loses no increment of many writers without resourceVersion', async () => {
    await api.call('POST', CONFIG_MAPS, { metadata: { name: 'many' }, data: {} });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        api.call(
          'PATCH',
          `${CONFIG_MAPS}/many`,
          { data: { [`k${i}`]: 'v' } },
          { 'content-type': 'application/merge-patch+json' },
        ),
      ),
    );
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
    assert.equal(Object.keys((await api.call('GET', `${CONFIG_MAPS}/many`)).body.data).length, 20);
  });
});

describe('patch', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
    await api.call('POST', PODS, makePod('p'));
  });
  after(() => api.stop());

  const cases: [string, unknown, (metadata: { labels?: Record<string, string> }) => unknown, unknown][] = [
    ['application/merge-patch+json', { metadata: { labels: { a: '1' } } }, (m) => m.labels, { a: '1' }],
    [
      'application/strategic-merge-patch+json',
      { metadata: { labels: { b: '2' } } },
      (m) => m.labels,
      { a: '1', b: '2' },
    ],
    ['application/json-patch+json', [{ op: 'remove', path: '/metadata/labels/a' }], (m) => m.labels, { b: '2' }],
  ];
  for (const [type, patch, read, expected] of cases) {
    it(`applies ${type}`, async () => {
      const { status, body } = await api.call('PATCH', `${PODS}/p`, patch, { 'content-type': type });
      assert.equal(status, 200);
      assert.deepEqual(read(body.metadata), expected);
    });
  }

  it('answers 415 to other types', async () => {
    const { status, body } = await api.call('PATCH', `${PODS}/p`, {}, { 'content-type': 'application/json' });
    assert.equal(status, 415);
    assert.match(
      body.message,
      /^the body of the request was in an unknown format - accepted media types include: application\/json-patch\+json, application\/merge-patch\+json/,
    );
  });

  it('answers Conflict when the patch names an old resourceVersion', async () => {
    const { status } = await api.call(
      'PATCH',
      `${PODS}/p`,
      { metadata: { resourceVersion: '1', labels: { z: 'z' } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal(status, 409);
  });
});
