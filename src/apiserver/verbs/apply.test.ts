import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { startTestServer, type Answer, type TestServer } from '../fixture.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const PODS = '/api/v1/namespaces/default/pods';
const HPAS = '/namespaces/default/horizontalpodautoscalers';

const configMap = (name: string, data: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});
const deployment = (name: string, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } },
    ...spec,
  },
});
const owners = ({ body }: Answer) =>
  (body.metadata.managedFields ?? []).map((m: Record<string, unknown>) =>
    [m['manager'], m['operation'], m['apiVersion'], m['subresource'] ?? '', JSON.stringify(m['fieldsV1'])].join(' '),
  );

describe('apply', () => {
  let api: TestServer;
  let allowed: (verb: string) => boolean = () => true;
  const clock = new SteppedClock();
  before(async () => {
    api = await startTestServer({
      clock,
      authorizer: {
        authorize: ({ verb }) => ({ decision: allowed(verb) ? 'allow' : 'no-opinion', reason: '' }),
      },
    });
  });
  after(() => api.stop());
  const apply = (path: string, body: unknown, query = 'fieldManager=me') =>
    api.call('PATCH', `${path}?${query}`, body, { 'content-type': 'application/apply-patch+yaml' });

  it('creates what is not there with 201, and changes it with 200', async () => {
    const created = await apply(`${CONFIG_MAPS}/a`, configMap('a', { x: '1' }));
    assert.equal(created.status, 201, created.text);
    assert.deepEqual(created.body.metadata.managedFields, [
      {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'v1',
        time: created.body.metadata.creationTimestamp,
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:x': {} } },
      },
    ]);
    const changed = await apply(`${CONFIG_MAPS}/a`, 'apiVersion: v1\nkind: ConfigMap\ndata: {y: "1"}\n');
    assert.equal(changed.status, 200, changed.text);
    assert.deepEqual(changed.body.data, { y: '1' });
  });

  it('writes nothing when nothing changed', async () => {
    const first = await apply(`${DEPLOYMENTS}/same`, deployment('same', { replicas: 2 }));
    await clock.step(5_000);
    const again = await apply(`${DEPLOYMENTS}/same`, deployment('same', { replicas: 2 }));
    assert.equal(again.text, first.text);
  });

  it('writes nothing for a dry run', async () => {
    const dry = await apply(`${CONFIG_MAPS}/dry`, configMap('dry', { x: '1' }), 'fieldManager=me&dryRun=All');
    assert.equal(dry.status, 201);
    assert.equal((await api.call('GET', `${CONFIG_MAPS}/dry`)).status, 404);
  });

  it('sets what is given up back to its default', async () => {
    await apply(`${DEPLOYMENTS}/reset`, deployment('reset', { replicas: 5 }));
    const { body } = await apply(`${DEPLOYMENTS}/reset`, deployment('reset'));
    assert.equal(body.spec.replicas, 1);
    assert.equal(body.metadata.generation, 2);
    const nulled = await apply(`${DEPLOYMENTS}/reset`, deployment('reset', { revisionHistoryLimit: null }));
    assert.equal(nulled.body.spec.revisionHistoryLimit, 10);
  });

  it('names the conflicts, and is forced', async () => {
    await api.call('POST', DEPLOYMENTS, deployment('theirs', { replicas: 1 }), { 'user-agent': 'kubectl/v1.36' });
    const refused = await apply(`${DEPLOYMENTS}/theirs`, deployment('theirs', { replicas: 2 }));
    assert.deepEqual(refused.body, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
      reason: 'Conflict',
      details: {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "kubectl" using apps/v1', field: '.spec.replicas' },
        ],
      },
      code: 409,
    });
    const forced = await apply(
      `${DEPLOYMENTS}/theirs`,
      deployment('theirs', { replicas: 2 }),
      'fieldManager=me&force=true',
    );
    assert.equal(forced.body.spec.replicas, 2);
    assert.equal(owners(forced).length, 2);
    assert.doesNotMatch(owners(forced)[1], /f:replicas/);
  });

  const head = { apiVersion: 'v1', kind: 'ConfigMap' };
  const refusals: [string, unknown, string, number, string][] = [
    [
      'without a manager',
      configMap('r', {}),
      '',
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ],
    [
      'of a manager that cannot be printed',
      configMap('r', {}),
      'fieldManager=a%00b',
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\u0000b": should only contain printable characters',
    ],
    [
      'in JSON with a key twice under Strict',
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"r"},"data":{"a":"1","a":"2"}}',
      'fieldManager=me&fieldValidation=Strict',
      400,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key "a" already set in map',
    ],
    ['too deep', `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`, 'fieldManager=me', 400, 'exceeded max depth'],
    ['of no YAML', 'a: b: c', 'fieldManager=me', 400, 'error decoding YAML: '],
    [
      'of another kind',
      { ...configMap('r', {}), kind: 'Secret' },
      'fieldManager=me',
      400,
      'invalid object type: /v1, Kind=Secret',
    ],
    [
      'of another version',
      { ...configMap('r', {}), apiVersion: 'x/v2' },
      'fieldManager=me',
      400,
      'invalid object type: x/v2, Kind=ConfigMap',
    ],
    [
      'with managedFields',
      configMap('r', {}, { managedFields: [{}] }),
      'fieldManager=me',
      400,
      'metadata.managedFields must be nil',
    ],
    [
      'without a name',
      { ...head, metadata: { generateName: 'r-' } },
      'fieldManager=me',
      400,
      'the name of the object (r based on URL) was undeterminable: name must be provided',
    ],
    [
      'of another name',
      configMap('q', {}),
      'fieldManager=me',
      400,
      'the name of the object (q) does not match the name on the URL (r)',
    ],
    [
      'with the uid of something that is gone',
      configMap('r', {}, { uid: 'u' }),
      'fieldManager=me',
      409,
      'uid mismatch: the provided object specified uid u, and no existing object was found',
    ],
    [
      'with an unknown field',
      { ...configMap('r', {}), foo: 1 },
      'fieldManager=me',
      500,
      'failed to create typed patch object (/r; /v1, Kind=ConfigMap): .foo: field not declared in schema',
    ],
    [
      'with a key twice under Strict',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\ndata:\n  a: "1"\n  a: "2"\n',
      'fieldManager=me&fieldValidation=Strict',
      400,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "a" already set in map',
    ],
  ];
  for (const [name, body, query, status, message] of refusals)
    it(`refuses a configuration ${name}`, async () => {
      const answer = await apply(`${CONFIG_MAPS}/r`, body, query);
      assert.equal(answer.status, status, answer.text);
      assert.ok(answer.body.message.startsWith(message), answer.body.message);
      assert.equal((await api.call('GET', `${CONFIG_MAPS}/r`)).status, 404);
    });

  it('warns of a key twice', async () => {
    const answer = await apply(
      `${CONFIG_MAPS}/twice`,
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\ndata:\n  a: "1"\n  a: "2"\n',
    );
    assert.deepEqual(answer.body.data, { a: '2' });
    assert.match(answer.headers['warning'] ?? '', /line 6: key \\"a\\" already set in map/);
  });

  it('checks the resourceVersion and the uid that are applied', async () => {
    const { body } = await apply(`${CONFIG_MAPS}/v`, configMap('v', { x: '1' }));
    const { uid, resourceVersion } = body.metadata;
    const good = await apply(`${CONFIG_MAPS}/v`, configMap('v', { x: '2' }, { uid, resourceVersion }));
    assert.equal(good.status, 200, good.text);
    const stale = await apply(`${CONFIG_MAPS}/v`, configMap('v', { x: '3' }, { resourceVersion }));
    assert.equal(stale.status, 409);
    assert.match(stale.body.message, /the object has been modified/);
    assert.equal((await apply(`${CONFIG_MAPS}/v`, configMap('v', {}, { uid: 'other' }))).status, 409);
  });

  it('needs the right to create what is not there', async () => {
    await apply(`${CONFIG_MAPS}/there`, configMap('there', { x: '1' }));
    allowed = (verb) => verb === 'patch';
    const refused = await apply(`${CONFIG_MAPS}/absent`, configMap('absent', {}));
    const changed = await apply(`${CONFIG_MAPS}/there`, configMap('there', { x: '2' }));
    allowed = () => true;
    assert.equal(refused.status, 403);
    assert.match(refused.body.message, /cannot create resource "configmaps"/);
    assert.equal(changed.status, 200);
  });

  it('updates what somebody else created meanwhile', async () => {
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((m) => apply(`${CONFIG_MAPS}/race`, configMap('race', { [m]: '1' }), `fieldManager=${m}`)),
    );
    assert.deepEqual(answers.map((a) => a.status).toSorted(), [200, 200, 201]);
    const { body } = await api.call('GET', `${CONFIG_MAPS}/race`);
    assert.deepEqual(body.data, { a: '1', b: '1', c: '1' });
  });

  it('applies status apart from the rest, and creates nothing by it', async () => {
    const status = (name: string) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas: 7 },
      status: { conditions: [{ type: 'Available', status: 'True' }] },
    });
    assert.equal((await apply(`${DEPLOYMENTS}/none/status`, status('none'))).status, 404);
    await apply(`${DEPLOYMENTS}/st`, deployment('st', { replicas: 2 }));
    const answer = await apply(`${DEPLOYMENTS}/st/status`, status('st'), 'fieldManager=controller');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.spec.replicas, 2);
    assert.equal(answer.body.status.conditions[0].type, 'Available');
    assert.equal(
      owners(answer).find((o: string) => o.startsWith('controller')),
      'controller Apply apps/v1 status {"f:status":{"f:conditions":{"k:{\\"type\\":\\"Available\\"}":{".":{},"f:status":{},"f:type":{}}}}}',
    );
  });

  it('applies a Scale to the field that it stands for', async () => {
    await apply(`${DEPLOYMENTS}/sc`, deployment('sc', { replicas: 2 }));
    const scale = (replicas: number) => ({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'sc' },
      spec: { replicas },
    });
    const refused = await apply(`${DEPLOYMENTS}/sc/scale`, scale(4), 'fieldManager=hpa');
    assert.equal(refused.body.message, 'Apply failed with 1 conflict: conflict with "me": .spec.replicas');
    const forced = await apply(`${DEPLOYMENTS}/sc/scale`, scale(4), 'fieldManager=hpa&force=true');
    assert.deepEqual([forced.status, forced.body.kind, forced.body.spec.replicas], [200, 'Scale', 4]);
    const now = await api.call('GET', `${DEPLOYMENTS}/sc`);
    assert.equal(now.body.spec.replicas, 4);
    assert.ok(owners(now).includes('hpa Apply apps/v1 scale {"f:spec":{"f:replicas":{}}}'), owners(now).join('\n'));
    assert.equal((await apply(`${DEPLOYMENTS}/sc`, deployment('sc', { replicas: 2 }))).status, 409);
    assert.equal((await apply(`${DEPLOYMENTS}/sc`, deployment('sc'))).body.spec.replicas, 4);
  });

  it('records ephemeral containers for the subresource', async () => {
    await api.call('POST', PODS, { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i:1' }] } });
    const answer = await apply(`${PODS}/p/ephemeralcontainers`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { ephemeralContainers: [{ name: 'debug', image: 'busybox' }] },
    });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(
      owners(answer).includes(
        'me Apply v1 ephemeralcontainers {"f:spec":{"f:ephemeralContainers":{"k:{\\"name\\":\\"debug\\"}":{".":{},"f:image":{},"f:name":{}}}}}',
      ),
      owners(answer).join('\n'),
    );
  });

  it('compares managers of another version in that version', async () => {
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };
    const hpa = (apiVersion: string, spec: object) => ({
      apiVersion,
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'h' },
      spec,
    });
    const cpu = (averageUtilization: number) => [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } },
    ];
    const v1 = hpa('autoscaling/v1', {
      scaleTargetRef,
      minReplicas: 2,
      maxReplicas: 5,
      targetCPUUtilizationPercentage: 50,
    });
    const created = await apply(`/apis/autoscaling/v1${HPAS}/h`, v1, 'fieldManager=old');
    assert.equal(created.status, 201, created.text);
    const v2 = (spec: object) =>
      apply(`/apis/autoscaling/v2${HPAS}/h`, hpa('autoscaling/v2', spec), 'fieldManager=new');
    const same = await v2({ scaleTargetRef, maxReplicas: 5, metrics: cpu(50) });
    assert.equal(same.status, 200, same.text);
    const refused = await v2({ scaleTargetRef, maxReplicas: 6, metrics: cpu(60) });
    assert.equal(
      refused.body.message,
      'Apply failed with 2 conflicts: conflicts with "old":\n- .spec.maxReplicas\n- .spec.targetCPUUtilizationPercentage',
    );
    // The same manager in another version: what it gives up is found in the version that it had applied.
    const moved = await apply(
      `/apis/autoscaling/v2${HPAS}/h`,
      hpa('autoscaling/v2', { scaleTargetRef, maxReplicas: 5, metrics: cpu(50) }),
      'fieldManager=old',
    );
    assert.equal(moved.status, 200, moved.text);
    assert.equal(moved.body.spec.minReplicas, 1);
  });
});
