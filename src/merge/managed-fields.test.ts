import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { schemaByName } from '#schema/load.ts';
import { decodeFieldSet, encodeFieldSet } from './field-set.ts';
import { updateManagedFields, type UpdateArgs } from './managed-fields.ts';

const pod = schemaByName('io.k8s.api.core.v1.Pod');
const configMap = schemaByName('io.k8s.api.core.v1.ConfigMap');

const update = (object: object, old: KubeObject | undefined, options: Partial<UpdateArgs> = {}): KubeObject =>
  updateManagedFields({
    object: object as KubeObject,
    old,
    schema: configMap,
    apiVersion: 'v1',
    manager: 'kubectl-create',
    subresource: '',
    now: '2026-01-01T00:00:00Z',
    ...options,
  });
const owners = (object: KubeObject) =>
  (object.metadata.managedFields ?? []).map((m) => `${m.manager} ${JSON.stringify(m.fieldsV1)}`);
const map = (data: object, metadata: object = {}) => ({
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: { name: 'a', namespace: 'b', ...metadata },
  data,
});

describe('updateManagedFields', () => {
  it('gives the creator what it set, in the paths of upstream', () => {
    const created = update(
      {
        kind: 'Pod',
        apiVersion: 'v1',
        metadata: { name: 'web', namespace: 'default', uid: 'u', labels: { run: 'web' } },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'nginx',
              imagePullPolicy: 'Always',
              ports: [
                { containerPort: 443, protocol: 'TCP' },
                { containerPort: 80, protocol: 'TCP' },
              ],
              resources: { limits: { cpu: '1' } },
              command: ['a', 'b'],
            },
          ],
          nodeSelector: { disk: 'ssd' },
          securityContext: {},
          restartPolicy: 'Always',
        },
        status: { phase: 'Pending' },
      },
      undefined,
      { schema: pod, manager: 'kubectl-run' },
    );
    assert.deepEqual(created.metadata.managedFields, [
      {
        manager: 'kubectl-run',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:run': {} } },
          'f:spec': {
            'f:containers': {
              'k:{"name":"web"}': {
                '.': {},
                'f:command': {},
                'f:image': {},
                'f:imagePullPolicy': {},
                'f:name': {},
                'f:ports': {
                  '.': {},
                  'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                  'k:{"containerPort":443,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                },
                'f:resources': { '.': {}, 'f:limits': { '.': {}, 'f:cpu': {} } },
              },
            },
            'f:nodeSelector': {},
            'f:restartPolicy': {},
            'f:securityContext': {},
          },
        },
      },
    ]);
    assert.deepEqual(
      Object.keys(
        (created.metadata.managedFields![0]!.fieldsV1 as never)['f:spec']['f:containers']['k:{"name":"web"}'][
          'f:ports'
        ],
      ),
      ['.', 'k:{"containerPort":80,"protocol":"TCP"}', 'k:{"containerPort":443,"protocol":"TCP"}'],
    );
  });

  it('moves a field to the one who changes it, and drops what is gone from everybody', () => {
    const created = update(map({ a: '1', b: '1', c: '1' }), undefined);
    const changed = update({ ...map({ a: '2', b: '1', d: '1' }), metadata: created.metadata }, created, {
      manager: 'editor',
      now: '2026-01-02T00:00:00Z',
    });
    assert.deepEqual(owners(changed), [
      'kubectl-create {"f:data":{".":{},"f:b":{}}}',
      'editor {"f:data":{"f:a":{},"f:d":{}}}',
    ]);
    assert.deepEqual(
      changed.metadata.managedFields!.map((m) => m.time),
      ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    );
  });

  it('changes no byte when nothing changed', () => {
    const created = update(map({ a: '1' }), undefined);
    const again = update({ ...created }, created, { now: '2026-02-02T00:00:00Z' });
    assert.equal(JSON.stringify(again), JSON.stringify(created));
    const silent = update(map({ a: '1' }), created, { manager: 'other', now: '2026-02-02T00:00:00Z' });
    assert.deepEqual(silent.metadata.managedFields, created.metadata.managedFields);
  });

  it('keeps entries of subresources apart', () => {
    const created = update(
      { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' }, spec: { containers: [{ name: 'a' }] }, status: {} },
      undefined,
      { schema: pod },
    );
    const reported = update(
      { ...created, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } },
      created,
      {
        schema: pod,
        manager: 'kubelet',
        subresource: 'status',
      },
    );
    assert.deepEqual(
      reported.metadata.managedFields!.map((m) => [m.manager, m.subresource]),
      [
        ['kubectl-create', undefined],
        ['kubelet', 'status'],
      ],
    );
    assert.deepEqual(reported.metadata.managedFields![1]!.fieldsV1, {
      'f:status': {
        'f:conditions': { '.': {}, 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } },
        'f:phase': {},
      },
    });
  });

  it('leaves an object untracked once managedFields were cleared', () => {
    const created = update(map({ a: '1' }), undefined);
    const cleared = update(map({ a: '1' }, { managedFields: [{}] }), created);
    assert.equal(cleared.metadata.managedFields, undefined);
    assert.equal(update(map({ a: '2' }), cleared).metadata.managedFields, undefined);
  });

  it('keeps at most ten Update managers and puts the oldest together', () => {
    let object = update(map({ k0: '0' }), undefined, { manager: 'm0', now: '2026-01-01T00:00:00Z' });
    for (let i = 1; i <= 12; i++) {
      const data = { ...(object as unknown as { data: object }).data, [`k${i}`]: '0' };
      object = update({ ...object, data }, object, {
        manager: `m${i}`,
        now: `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`,
      });
    }
    const names = object.metadata.managedFields!.map((m) => m.manager);
    assert.deepEqual(names, ['ancient-changes', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9', 'm10', 'm11', 'm12']);
    assert.match(owners(object)[0]!, /"f:k0":\{\},"f:k1":\{\},"f:k2":\{\},"f:k3":\{\}/);
  });
});

describe('FieldSet', () => {
  it('survives encoding', () => {
    const fields = { 'f:a': { '.': {}, 'f:b': {} }, 'f:c': { 'k:{"name":"x"}': { '.': {}, 'f:y': {} }, 'v:"z"': {} } };
    assert.equal(JSON.stringify(encodeFieldSet(decodeFieldSet(fields))), JSON.stringify(fields));
  });

  it('adds, subtracts and intersects', () => {
    const a = decodeFieldSet({ 'f:a': { '.': {}, 'f:b': {} }, 'f:c': {} });
    const b = decodeFieldSet({ 'f:a': { 'f:b': {}, 'f:d': {} } });
    assert.deepEqual(encodeFieldSet(a.union(b)), { 'f:a': { '.': {}, 'f:b': {}, 'f:d': {} }, 'f:c': {} });
    assert.deepEqual(encodeFieldSet(a.difference(b)), { 'f:a': {}, 'f:c': {} });
    assert.deepEqual(encodeFieldSet(a.intersection(b)), { 'f:a': { 'f:b': {} } });
    assert.deepEqual(
      [...a.paths()].map((p) => p.join('.')),
      ['f:a', 'f:a.f:b', 'f:c'],
    );
  });

  it('refuses what is no path', () => {
    assert.throws(() => decodeFieldSet({ x: {} }), TypeError);
    assert.throws(() => decodeFieldSet(null), TypeError);
  });

  it('brings what a client says about managers into order', () => {
    const fieldsV1 = { 'f:data': { 'f:b': {}, '.': {}, 'f:a': {} } };
    const given = { manager: 'them', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 };
    const made = update(map({ a: '1', b: '2' }, { managedFields: [given] }), undefined, { manager: 'me' });
    assert.deepEqual(owners(made), ['me {"f:data":{".":{},"f:a":{},"f:b":{}}}']);
    const old = update(map({ a: '1' }), undefined);
    const changed = update(map({ a: '1' }, { managedFields: [given] }), old);
    assert.deepEqual(owners(changed), ['them {"f:data":{".":{},"f:a":{},"f:b":{}}}']);
  });
});
