import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { schemaByName } from '#schema/load.ts';
import type { Schema } from '#schema/types.ts';
import { ApplyConflicts } from './apply-conflict.ts';
import { applyConfiguration, type ApplyArgs } from './apply.ts';
import { updateManagedFields } from './managed-fields.ts';

const schemas: Readonly<Record<string, Schema>> = {
  ConfigMap: schemaByName('io.k8s.api.core.v1.ConfigMap'),
  Pod: schemaByName('io.k8s.api.core.v1.Pod'),
  Service: schemaByName('io.k8s.api.core.v1.Service'),
};

interface Step {
  /** `Apply` is a configuration, `Update` an object with the live metadata. */
  readonly by: string;
  readonly apply?: object;
  readonly update?: object;
  readonly force?: boolean;
  readonly subresource?: string;
}

let clock = 0;
const tick = () => `2026-01-01T00:00:${String(clock++ % 60).padStart(2, '0')}Z`;

function argsOf(kind: string, live: KubeObject | undefined, step: Step): ApplyArgs {
  const schema = schemas[kind]!;
  return {
    live,
    configuration: { apiVersion: 'v1', kind, metadata: { name: 'x' }, ...step.apply },
    schema,
    apiVersion: 'v1',
    kind,
    manager: step.by,
    subresource: step.subresource ?? '',
    force: step.force === true,
    now: tick(),
    versions: { schema: (v) => (v === 'v1' ? schema : undefined), convert: (object) => object },
  };
}

function run(kind: string, steps: readonly Step[]): KubeObject {
  let live: KubeObject | undefined;
  for (const step of steps) {
    if (step.apply !== undefined) live = applyConfiguration(argsOf(kind, live, step));
    else
      live = updateManagedFields({
        object: { apiVersion: 'v1', kind, metadata: { ...live?.metadata, name: 'x' }, ...step.update } as KubeObject,
        old: live,
        schema: schemas[kind]!,
        apiVersion: 'v1',
        manager: step.by,
        subresource: step.subresource ?? '',
        now: tick(),
      });
  }
  return live!;
}

const owners = (object: KubeObject) =>
  Object.fromEntries(
    (object.metadata.managedFields ?? []).map((m) => [`${m.manager} ${m.operation}`, JSON.stringify(m.fieldsV1)]),
  );
const rest = ({ kind: _k, apiVersion: _v, metadata: _m, ...other }: KubeObject) => other;

function conflictOf(work: () => unknown): StatusError {
  try {
    work();
  } catch (error) {
    if (error instanceof ApplyConflicts) return error.toStatusError();
    throw error;
  }
  throw new Error('no conflict');
}

describe('applyConfiguration', () => {
  const data = (data: object) => ({ data });
  const spec = (...containers: object[]) => ({ spec: { containers } });
  const merges: [string, string, Step[], object, Record<string, string>][] = [
    [
      'a creation: the manager owns what it names, and nothing of the identity',
      'ConfigMap',
      [{ by: 'a', apply: data({ x: '1' }) }],
      data({ x: '1' }),
      { 'a Apply': '{"f:data":{"f:x":{}}}' },
    ],
    [
      'a field given up goes when nobody else owns it',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1', y: '1' }) },
        { by: 'a', apply: data({ x: '1' }) },
      ],
      data({ x: '1' }),
      { 'a Apply': '{"f:data":{"f:x":{}}}' },
    ],
    [
      'a field given up stays when another applier owns it',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1', y: '1' }) },
        { by: 'b', apply: data({ y: '1' }) },
        { by: 'a', apply: data({ x: '1' }) },
      ],
      data({ x: '1', y: '1' }),
      { 'b Apply': '{"f:data":{"f:y":{}}}', 'a Apply': '{"f:data":{"f:x":{}}}' },
    ],
    [
      'a field given up stays when an updater owns it',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1', y: '1' }) },
        { by: 'u', update: data({ x: '1', y: '2' }) },
        { by: 'a', apply: data({ x: '1' }) },
      ],
      data({ x: '1', y: '2' }),
      { 'a Apply': '{"f:data":{"f:x":{}}}', 'u Update': '{"f:data":{"f:y":{}}}' },
    ],
    [
      'fields of nobody stay',
      'ConfigMap',
      [
        { by: 'u', update: data({ z: '1' }) },
        { by: 'a', apply: data({ x: '1' }) },
        { by: 'a', apply: data({ y: '1' }) },
      ],
      data({ z: '1', y: '1' }),
      { 'a Apply': '{"f:data":{"f:y":{}}}', 'u Update': '{"f:data":{".":{},"f:z":{}}}' },
    ],
    [
      'the last owner of everything gives up: the map goes as a whole',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1' }) },
        { by: 'a', apply: {} },
      ],
      {},
      {},
    ],
    [
      'force takes the field from whoever has it',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1', y: '1' }) },
        { by: 'b', apply: data({ x: '2' }), force: true },
      ],
      data({ x: '2', y: '1' }),
      { 'a Apply': '{"f:data":{"f:y":{}}}', 'b Apply': '{"f:data":{"f:x":{}}}' },
    ],
    [
      'who loses its last field is no manager any more',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1' }) },
        { by: 'b', apply: data({ x: '2' }), force: true },
      ],
      data({ x: '2' }),
      { 'b Apply': '{"f:data":{"f:x":{}}}' },
    ],
    [
      'items of keyed lists are merged by their keys, and given up alone',
      'Pod',
      [
        { by: 'a', apply: spec({ name: 'one', image: 'i:1' }, { name: 'two', image: 'i:1' }) },
        { by: 'b', apply: spec({ name: 'three', image: 'i:3' }, { name: 'two', tty: true }) },
        { by: 'a', apply: spec({ name: 'one', image: 'i:2' }) },
      ],
      spec({ name: 'one', image: 'i:2' }, { name: 'three', image: 'i:3' }, { name: 'two', tty: true }),
      {
        'b Apply':
          '{"f:spec":{"f:containers":{"k:{\\"name\\":\\"three\\"}":{".":{},"f:image":{},"f:name":{}},"k:{\\"name\\":\\"two\\"}":{".":{},"f:name":{},"f:tty":{}}}}}',
        'a Apply': '{"f:spec":{"f:containers":{"k:{\\"name\\":\\"one\\"}":{".":{},"f:image":{},"f:name":{}}}}}',
      },
    ],
    [
      'keys that are left out count by their defaults',
      'Service',
      [
        { by: 'a', apply: { spec: { ports: [{ port: 80, name: 'a' }] } } },
        { by: 'b', apply: { spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }] } } },
      ],
      { spec: { ports: [{ port: 80, name: 'a', protocol: 'TCP', targetPort: 8080 }] } },
      {
        'a Apply':
          '{"f:spec":{"f:ports":{"k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:name":{},"f:port":{}}}}}',
        'b Apply':
          '{"f:spec":{"f:ports":{"k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:port":{},"f:protocol":{},"f:targetPort":{}}}}}',
      },
    ],
    [
      'members of sets are merged, and given up alone',
      'ConfigMap',
      [
        { by: 'a', apply: { metadata: { name: 'x', finalizers: ['a/1', 'a/2'] } } },
        { by: 'b', apply: { metadata: { name: 'x', finalizers: ['b/1'] } } },
        { by: 'a', apply: { metadata: { name: 'x', finalizers: ['a/2'] } } },
      ],
      {},
      {
        'b Apply': '{"f:metadata":{"f:finalizers":{"v:\\"b/1\\"":{}}}}',
        'a Apply': '{"f:metadata":{"f:finalizers":{"v:\\"a/2\\"":{}}}}',
      },
    ],
    [
      'atomic lists are replaced whole',
      'Pod',
      [
        { by: 'a', apply: spec({ name: 'c', command: ['a', 'b'] }) },
        { by: 'a', apply: spec({ name: 'c', command: ['c'] }) },
      ],
      spec({ name: 'c', command: ['c'] }),
      { 'a Apply': '{"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:command":{},"f:name":{}}}}}' },
    ],
    [
      'atomic maps are replaced whole',
      'Service',
      [
        { by: 'a', apply: { spec: { selector: { a: '1', b: '1' } } } },
        { by: 'a', apply: { spec: { selector: { c: '1' } } } },
      ],
      { spec: { selector: { c: '1' } } },
      { 'a Apply': '{"f:spec":{"f:selector":{}}}' },
    ],
    [
      'empty maps and nulls are owned as they are',
      'Pod',
      [{ by: 'a', apply: { spec: { securityContext: {}, nodeName: null } } }],
      { spec: { securityContext: {}, nodeName: null } },
      { 'a Apply': '{"f:spec":{"f:nodeName":{},"f:securityContext":{}}}' },
    ],
    [
      'the resource does not own status, status does not own spec',
      'Pod',
      [
        { by: 'a', apply: { spec: { nodeName: 'n' }, status: { phase: 'Running' } } },
        { by: 'k', apply: { spec: { nodeName: 'm' }, status: { phase: 'Pending' } }, subresource: 'status' },
      ],
      { spec: { nodeName: 'm' }, status: { phase: 'Pending' } },
      { 'a Apply': '{"f:spec":{"f:nodeName":{}}}', 'k Apply': '{"f:status":{"f:phase":{}}}' },
    ],
  ];
  for (const [name, kind, steps, expected, managers] of merges)
    it(name, () => {
      const object = run(kind, steps);
      assert.deepEqual(rest(object), expected);
      assert.deepEqual(owners(object), managers);
    });

  it('gives items the order of the configuration, the others between them', () => {
    const object = run('ConfigMap', [
      { by: 'a', apply: { metadata: { name: 'x', finalizers: ['a', 'b', 'c'] } } },
      { by: 'b', apply: { metadata: { name: 'x', finalizers: ['c', 'n', 'a'] } } },
    ]);
    assert.deepEqual(object.metadata.finalizers, ['b', 'c', 'n', 'a']);
  });

  it('owns who was there before anything was tracked', () => {
    const live = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', uid: 'u' }, data: { x: '1' } } as never;
    const object = applyConfiguration(argsOf('ConfigMap', live, { by: 'a', apply: data({ y: '1' }) }));
    assert.deepEqual(owners(object), {
      'a Apply': '{"f:data":{"f:y":{}}}',
      'before-first-apply Update': '{"f:data":{".":{},"f:x":{}}}',
    });
  });

  it('keeps the time when nothing changed', () => {
    const first = run('ConfigMap', [{ by: 'a', apply: data({ x: '1' }) }]);
    const again = applyConfiguration(argsOf('ConfigMap', first, { by: 'a', apply: data({ x: '1' }) }));
    assert.deepEqual(again, first);
    const changed = applyConfiguration(argsOf('ConfigMap', first, { by: 'a', apply: data({ x: '2' }) }));
    assert.notEqual(changed.metadata.managedFields![0]!.time, first.metadata.managedFields![0]!.time);
  });

  it('drops managers of versions that are gone', () => {
    const first = run('ConfigMap', [{ by: 'a', apply: data({ x: '1' }) }]);
    const [entry] = first.metadata.managedFields!;
    const live = {
      ...first,
      metadata: {
        ...first.metadata,
        managedFields: [entry!, { ...entry!, manager: 'old', operation: 'Update', apiVersion: 'v0' }],
      },
    } as KubeObject;
    const object = applyConfiguration(argsOf('ConfigMap', live, { by: 'b', apply: data({ y: '1' }) }));
    assert.deepEqual(Object.keys(owners(object)), ['a Apply', 'b Apply']);
  });

  const conflicts: [string, string, Step[], Step, string, [string, string][]][] = [
    [
      'one field of an updater',
      'ConfigMap',
      [
        { by: 'a', apply: data({ x: '1' }) },
        { by: 'kubectl-edit', update: data({ x: '2' }) },
      ],
      { by: 'a', apply: data({ x: '1' }) },
      'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.x',
      [['conflict with "kubectl-edit" using v1', '.data.x']],
    ],
    [
      'several, of a subresource as well',
      'Pod',
      [
        { by: 'a', apply: spec({ name: 'c', image: 'i:1', tty: true }) },
        { by: 'r', subresource: 'resize', update: spec({ name: 'c', image: 'i:1', tty: true, stdin: true }) },
      ],
      { by: 'b', apply: spec({ name: 'c', image: 'i:2', tty: false, stdin: false }) },
      'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.containers[name="c"].image\n- .spec.containers[name="c"].tty\nconflicts with "r" with subresource "resize" using v1:\n- .spec.containers[name="c"].stdin',
      [
        ['conflict with "a"', '.spec.containers[name="c"].image'],
        ['conflict with "a"', '.spec.containers[name="c"].tty'],
        ['conflict with "r" with subresource "resize" using v1', '.spec.containers[name="c"].stdin'],
      ],
    ],
  ];
  for (const [name, kind, steps, step, message, causes] of conflicts)
    it(`conflicts: ${name}`, () => {
      const error = conflictOf(() => applyConfiguration(argsOf(kind, run(kind, steps), step)));
      assert.deepEqual([error.code, error.reason, error.message], [409, 'Conflict', message]);
      assert.deepEqual(
        error.details?.causes,
        causes.map(([message, field]) => ({ reason: 'FieldManagerConflict', message, field })),
      );
    });

  const LAST = 'kubectl.kubernetes.io/last-applied-configuration';
  const clientSide = (values: object, now: object): KubeObject =>
    run('ConfigMap', [
      {
        by: 'kubectl-client-side-apply',
        update: {
          metadata: {
            name: 'x',
            annotations: {
              [LAST]: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: values }),
            },
          },
          data: now,
        },
      },
    ]);

  it('lets kubectl change what its client-side apply set, and keeps the annotation up to date', () => {
    const live = clientSide({ x: '1' }, { x: '1' });
    const object = applyConfiguration(argsOf('ConfigMap', live, { by: 'kubectl', apply: data({ x: '<2>' }) }));
    assert.deepEqual(rest(object), data({ x: '<2>' }));
    assert.equal(
      object.metadata.annotations![LAST],
      '{"apiVersion":"v1","data":{"x":"\\u003c2\\u003e"},"kind":"ConfigMap","metadata":{"name":"x"}}\n',
    );
    conflictOf(() => applyConfiguration(argsOf('ConfigMap', live, { by: 'other', apply: data({ x: '2' }) })));
  });

  it('names only what somebody else changed since', () => {
    const live = clientSide({ x: '1', y: '0' }, { x: '1', y: '1' });
    const error = conflictOf(() =>
      applyConfiguration(argsOf('ConfigMap', live, { by: 'kubectl', apply: data({ x: '2', y: '2' }) })),
    );
    assert.equal(
      error.message,
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.y',
    );
  });

  const refused: [string, string, object, string][] = [
    ['an unknown field', 'Pod', { spec: { foo: 1 } }, '.spec.foo: field not declared in schema'],
    [
      'several faults',
      'Pod',
      { spec: { nodeName: 1, hostNetwork: 'yes' } },
      'errors:\n  .spec.nodeName: expected string, got &value.valueUnstructured{Value:1}\n  .spec.hostNetwork: expected boolean, got &{yes}',
    ],
    [
      'an item twice',
      'Pod',
      spec({ name: 'c' }, { name: 'c' }),
      '.spec.containers: duplicate entries for key [name="c"]',
    ],
    [
      'an item without its key',
      'Pod',
      spec({ image: 'i' }),
      `.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)`,
    ],
    [
      'a map instead of a list',
      'Pod',
      { spec: { containers: { b: 1, a: [2] } } },
      '.spec.containers: expected list, got &{map[a:[2] b:1]}',
    ],
  ];
  for (const [name, kind, apply, text] of refused)
    it(`refuses ${name}`, () => {
      assert.throws(
        () => applyConfiguration(argsOf(kind, undefined, { by: 'a', apply })),
        (error: unknown) =>
          error instanceof StatusError &&
          error.code === 500 &&
          error.message === `failed to create typed patch object (/x; /v1, Kind=${kind}): ${text}`,
      );
    });

  it('refuses managedFields', () => {
    assert.throws(
      () =>
        applyConfiguration(
          argsOf('Pod', undefined, { by: 'a', apply: { metadata: { name: 'x', managedFields: [] } } }),
        ),
      /^StatusError: metadata.managedFields must be nil$/,
    );
  });
});
