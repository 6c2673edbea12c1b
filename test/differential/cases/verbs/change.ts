// PUT and PATCH of every kind.
import { PARTIAL, PROTOBUF, TABLE } from './create.ts';
import { has, merged, type Script, type Subject } from './script.ts';

const changed = (s: Subject, metadata = {}) => merged(s.object(metadata), s.kind.change);
const label = { metadata: { labels: { more: 'yes' } } };
const config = (s: Subject, metadata = {}, more = {}) => s.object(metadata, more);
const minimalConfig = (s: Subject, metadata: object) => ({
  apiVersion: s.kind.apiVersion,
  kind: s.kind.served.kind,
  metadata: { name: s.name, ...metadata },
});

export const updateScripts: readonly Script[] = [
  {
    what: 'update',
    for: 'all',
    requests: (s) => [s.made(), s.put(changed(s, { resourceVersion: '{rv:0}' })), s.get()],
  },
  { what: 'update without a version', for: 'all', requests: (s) => [s.made(), s.put(changed(s))] },
  {
    what: 'update of nothing',
    for: 'all',
    requests: (s) => [s.made(), s.put(s.object({ resourceVersion: '{rv:0}' }))],
  },
  {
    what: 'update of an old version',
    for: 'all',
    requests: (s) => [s.made(), s.patch('merge', label), s.put(changed(s, { resourceVersion: '{rv:0}' }))],
  },
  {
    what: 'update of a malformed version',
    for: 'some',
    requests: (s) => [s.made(), s.put(changed(s, { resourceVersion: 'now' }))],
  },
  {
    what: 'update of version 0',
    for: 'some',
    requests: (s) => [s.made(), s.put(changed(s, { resourceVersion: '0' }))],
  },
  { what: 'update of an absent one', for: 'all', isSingle: true, requests: (s) => [s.put(s.object())] },
  {
    what: 'update of an absent one with a version',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.put(s.object({ resourceVersion: '5' }))],
  },
  {
    what: 'update of an absent one with a uid',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.put(s.object({ uid: '7c1c4f9e-0000-4000-8000-000000000001' }))],
  },
  { what: 'update with a dry run', for: 'all', requests: (s) => [s.made(), s.put(changed(s), '?dryRun=All'), s.get()] },
  { what: 'update under another name', for: 'all', requests: (s) => [s.made(), s.put(s.object({ name: 'another' }))] },
  { what: 'update without a name', for: 'some', requests: (s) => [s.made(), s.put(s.object({ name: undefined }))] },
  {
    what: 'update in another namespace',
    for: 'some',
    requests: (s) => [s.made(), s.put(s.object({ namespace: 'another' }))],
  },
  {
    what: 'update with another uid',
    for: 'all',
    requests: (s) => [s.made(), s.put(s.object({ uid: '7c1c4f9e-0000-4000-8000-000000000001' }))],
  },
  { what: 'update with the same uid', for: 'some', requests: (s) => [s.made(), s.put(changed(s, { uid: '{uid:0}' }))] },
  { what: 'update as another kind', for: 'some', requests: (s) => [s.made(), s.put(s.object({}, { kind: 'Thing' }))] },
  {
    what: 'update of what the server sets',
    for: 'all',
    requests: (s) => [
      s.made(),
      s.put(
        s.object({
          creationTimestamp: '2001-01-01T00:00:00Z',
          generation: 9,
          deletionTimestamp: '2001-01-01T00:00:00Z',
          deletionGracePeriodSeconds: 7,
          generateName: 'b-',
          selfLink: '/x',
        }),
      ),
    ],
  },
  { what: 'update without content', for: 'all', requests: (s) => [s.made(), s.put(minimalConfig(s, {}))] },
  {
    what: 'update with bad labels',
    for: 'some',
    requests: (s) => [s.made(), s.put(s.object({ labels: { 'a b': 'c' } }))],
  },
  {
    what: 'update that drops managed fields',
    for: 'some',
    requests: (s) => [s.made(), s.put(changed(s, { managedFields: [] })), s.put(s.object({ managedFields: [{}] }))],
  },
  { what: 'update of an empty body', for: 'some', isSingle: true, requests: (s) => [s.put('')] },
  { what: 'update of half a body', for: 'some', isSingle: true, requests: (s) => [s.put('{"a":')] },
  {
    what: 'update as text',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.put(s.object()), headers: { 'content-type': 'text/plain' } }],
  },
  {
    what: 'update with an unknown field, strictly',
    for: 'all',
    requests: (s) => [s.made(), s.put(s.object({}, { colour: 'red' }), '?fieldValidation=Strict')],
  },
  {
    what: 'update for a table',
    for: 'some',
    requests: (s) => [s.made(), { ...s.put(changed(s)), headers: { accept: TABLE } }],
  },
  {
    what: 'update by two managers',
    for: 'some',
    requests: (s) => [
      { ...s.create(s.object(), '?fieldManager=one'), isSetUp: true },
      s.put(changed(s), '?fieldManager=two'),
      s.get(),
    ],
  },
];

export const patchScripts: readonly Script[] = [
  { what: 'merge patch', for: 'all', requests: (s) => [s.made(), s.patch('merge', s.kind.change), s.get()] },
  { what: 'merge patch of a label', for: 'all', requests: (s) => [s.made(), s.patch('merge', label)] },
  { what: 'merge patch of nothing', for: 'all', requests: (s) => [s.made(), s.patch('merge', {}), s.get()] },
  {
    what: 'merge patch that removes',
    for: 'all',
    requests: (s) => [
      s.made({ annotations: { a: '1', b: '2' } }),
      s.patch('merge', { metadata: { annotations: { a: null }, labels: null } }),
    ],
  },
  { what: 'merge patch of an absent one', for: 'all', isSingle: true, requests: (s) => [s.patch('merge', label)] },
  {
    what: 'merge patch with a dry run',
    for: 'all',
    requests: (s) => [s.made(), s.patch('merge', label, '?dryRun=All'), s.get()],
  },
  {
    what: 'merge patch of an old version',
    for: 'all',
    requests: (s) => [
      s.made(),
      s.patch('merge', label),
      s.patch('merge', { metadata: { resourceVersion: '{rv:0}', labels: { again: 'yes' } } }),
    ],
  },
  {
    what: 'merge patch of the name',
    for: 'all',
    requests: (s) => [s.made(), s.patch('merge', { metadata: { name: 'another' } })],
  },
  {
    what: 'merge patch of the namespace',
    for: 'some',
    requests: (s) => [s.made(), s.patch('merge', { metadata: { namespace: 'another' } })],
  },
  {
    what: 'merge patch of the uid',
    for: 'some',
    requests: (s) => [s.made(), s.patch('merge', { metadata: { uid: '7c1c4f9e-0000-4000-8000-000000000001' } })],
  },
  { what: 'merge patch of the kind', for: 'all', requests: (s) => [s.made(), s.patch('merge', { kind: 'Thing' })] },
  {
    what: 'merge patch of the version',
    for: 'some',
    requests: (s) => [s.made(), s.patch('merge', { apiVersion: 'example.com/v9' })],
  },
  {
    what: 'merge patch of an unknown field',
    for: 'all',
    requests: (s) => [s.made(), s.patch('merge', { colour: 'red' })],
  },
  {
    what: 'merge patch of an unknown field, strictly',
    for: 'some',
    requests: (s) => [s.made(), s.patch('merge', { colour: 'red' }, '?fieldValidation=Strict')],
  },
  {
    what: 'merge patch of metadata of a wrong type',
    for: 'all',
    requests: (s) => [s.made(), s.patch('merge', { metadata: { labels: 'x' } })],
  },
  {
    what: 'merge patch of metadata to null',
    for: 'some',
    requests: (s) => [s.made(), s.patch('merge', { metadata: null })],
  },
  { what: 'merge patch of half a body', for: 'all', requests: (s) => [s.made(), s.patch('merge', '{"a":')] },
  { what: 'merge patch of an array', for: 'some', requests: (s) => [s.made(), s.patch('merge', [])] },
  { what: 'merge patch of an empty body', for: 'some', requests: (s) => [s.made(), s.patch('merge', '')] },
  { what: 'merge patch with force', for: 'some', requests: (s) => [s.made(), s.patch('merge', label, '?force=true')] },
  {
    what: 'merge patch for a table',
    for: 'some',
    requests: (s) => [
      s.made(),
      { ...s.patch('merge', label), headers: { accept: TABLE, 'content-type': 'application/merge-patch+json' } },
    ],
  },
  {
    what: 'merge patch for partial metadata',
    for: 'some',
    requests: (s) => [
      s.made(),
      { ...s.patch('merge', label), headers: { accept: PARTIAL, 'content-type': 'application/merge-patch+json' } },
    ],
  },
  {
    what: 'merge patch for protobuf',
    for: 'some',
    requests: (s) => [
      s.made(),
      { ...s.patch('merge', label), headers: { accept: PROTOBUF, 'content-type': 'application/merge-patch+json' } },
    ],
  },
  {
    what: 'merge patch by another manager',
    for: 'all',
    requests: (s) => [
      { ...s.create(s.object(), '?fieldManager=one'), isSetUp: true },
      s.patch('merge', label, '?fieldManager=two'),
    ],
  },

  {
    what: 'JSON patch',
    for: 'all',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'add', path: '/metadata/labels/more', value: 'yes' }])],
  },
  {
    what: 'JSON patch of all operations',
    for: 'some',
    requests: (s) => [
      s.made({ annotations: { a: '1', b: '2', c: '3' } }),
      s.patch('json', [
        { op: 'test', path: '/metadata/annotations/a', value: '1' },
        { op: 'replace', path: '/metadata/annotations/a', value: '4' },
        { op: 'move', from: '/metadata/annotations/b', path: '/metadata/annotations/d' },
        { op: 'copy', from: '/metadata/annotations/c', path: '/metadata/annotations/e' },
        { op: 'remove', path: '/metadata/annotations/c' },
        { op: 'add', path: '/metadata/annotations/x~1y', value: 'z' },
      ]),
    ],
  },
  {
    what: 'JSON patch whose test fails',
    for: 'all',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'test', path: '/metadata/name', value: 'x' }])],
  },
  {
    what: 'JSON patch that removes what is absent',
    for: 'all',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'remove', path: '/metadata/annotations/x' }])],
  },
  {
    what: 'JSON patch that replaces what is absent',
    for: 'some',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'replace', path: '/metadata/annotations/x', value: '1' }])],
  },
  {
    what: 'JSON patch that adds below what is absent',
    for: 'some',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'add', path: '/metadata/annotations/x', value: '1' }])],
  },
  {
    what: 'JSON patch of an unknown operation',
    for: 'some',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'turn', path: '/metadata' }])],
  },
  {
    what: 'JSON patch of a malformed path',
    for: 'some',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'add', path: 'metadata', value: 1 }])],
  },
  { what: 'JSON patch without a path', for: 'some', requests: (s) => [s.made(), s.patch('json', [{ op: 'add' }])] },
  { what: 'JSON patch of nothing', for: 'some', requests: (s) => [s.made(), s.patch('json', [])] },
  { what: 'JSON patch of an object', for: 'all', requests: (s) => [s.made(), s.patch('json', { op: 'add' })] },
  {
    what: 'JSON patch of an unknown field',
    for: 'some',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'add', path: '/colour', value: 'red' }])],
  },
  {
    what: 'JSON patch of the whole',
    for: 'some',
    requests: (s) => [s.made(), s.patch('json', [{ op: 'replace', path: '', value: {} }])],
  },
  { what: 'JSON patch of an absent one', for: 'some', isSingle: true, requests: (s) => [s.patch('json', [])] },

  { what: 'strategic patch', for: 'all', requests: (s) => [s.made(), s.patch('strategic', s.kind.change), s.get()] },
  { what: 'strategic patch of nothing', for: 'some', requests: (s) => [s.made(), s.patch('strategic', {})] },
  {
    what: 'strategic patch that replaces labels',
    for: 'all',
    requests: (s) => [s.made(), s.patch('strategic', { metadata: { labels: { $patch: 'replace', only: 'this' } } })],
  },
  {
    what: 'strategic patch that deletes labels',
    for: 'some',
    requests: (s) => [s.made(), s.patch('strategic', { metadata: { labels: { $patch: 'delete' } } })],
  },
  {
    what: 'strategic patch that retains keys',
    for: 'some',
    requests: (s) => [s.made(), s.patch('strategic', { metadata: { labels: { $retainKeys: ['a'], a: '1' } } })],
  },
  {
    what: 'strategic patch of finalizers',
    for: 'all',
    requests: (s) => [
      s.made({ finalizers: ['example.com/a', 'example.com/b'] }),
      s.patch('strategic', { metadata: { finalizers: ['example.com/c'] } }),
      s.patch('strategic', { metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/a'] } }),
      s.patch('strategic', { metadata: { '$setElementOrder/finalizers': ['example.com/c', 'example.com/b'] } }),
    ],
  },
  {
    what: 'strategic patch of owners',
    for: 'some',
    requests: (s) => {
      const owner = (name: string, uid: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid });
      return [
        s.made({ ownerReferences: [owner('a', 'u1'), owner('b', 'u2')] }),
        s.patch('strategic', { metadata: { ownerReferences: [owner('c', 'u1')] } }),
        s.patch('strategic', { metadata: { ownerReferences: [{ $patch: 'delete', uid: 'u2' }] } }),
        s.patch('strategic', { metadata: { ownerReferences: [{ name: 'x' }] } }),
      ];
    },
  },
  {
    what: 'strategic patch of an unknown directive',
    for: 'some',
    requests: (s) => [s.made(), s.patch('strategic', { metadata: { labels: { $patch: 'turn' } } })],
  },
  {
    what: 'strategic patch of a wrong type',
    for: 'some',
    requests: (s) => [s.made(), s.patch('strategic', { metadata: { labels: ['a'] } })],
  },
  {
    what: 'strategic patch of an absent one',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.patch('strategic', {})],
  },
  { what: 'strategic patch of half a body', for: 'some', requests: (s) => [s.made(), s.patch('strategic', '{"a"')] },
  {
    what: 'strategic patch of an unknown field, strictly',
    for: 'some',
    requests: (s) => [s.made(), s.patch('strategic', { colour: 'red' }, '?fieldValidation=Strict')],
  },

  {
    what: 'patch of an unknown type',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ ...s.patch('merge', {}), headers: { 'content-type': 'application/poem-patch+json' } }],
  },
  {
    what: 'patch as plain JSON',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ ...s.patch('merge', {}), headers: { 'content-type': 'application/json' } }],
  },
  {
    what: 'patch without a content type',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.patch('merge', {}), headers: { 'content-type': '' } }],
  },
  {
    what: 'patch with a parameter of the type',
    for: 'some',
    requests: (s) => [
      s.made(),
      { ...s.patch('merge', label), headers: { 'content-type': 'application/merge-patch+json; charset=utf-8' } },
    ],
  },
];

const applied = (s: Subject, body: unknown, manager: string, more = '') =>
  s.patch('apply', body, `?fieldManager=${manager}${more}`);

export const applyScripts: readonly Script[] = [
  { what: 'apply of an absent one', for: 'all', isSingle: true, requests: (s) => [applied(s, config(s), 'one')] },
  { what: 'apply twice', for: 'all', requests: (s) => [applied(s, config(s), 'one'), applied(s, config(s), 'one')] },
  {
    what: 'apply of a change',
    for: 'all',
    requests: (s) => [{ ...applied(s, config(s), 'one'), isSetUp: true }, applied(s, changed(s), 'one'), s.get()],
  },
  {
    what: 'apply that gives up labels',
    for: 'all',
    requests: (s) => [
      { ...applied(s, config(s, { labels: { case: '{id}', a: '1', b: '2' } }), 'one'), isSetUp: true },
      applied(s, config(s, { labels: { case: '{id}', b: '2' } }), 'one'),
    ],
  },
  {
    what: 'apply that gives up everything',
    for: 'some',
    requests: (s) => [{ ...applied(s, config(s), 'one'), isSetUp: true }, applied(s, minimalConfig(s, {}), 'one')],
  },
  {
    what: 'apply by two managers',
    for: 'all',
    requests: (s) => [
      applied(s, config(s), 'one'),
      applied(s, minimalConfig(s, { labels: { case: '{id}', two: 'yes' } }), 'two'),
    ],
  },
  {
    what: 'apply in conflict',
    for: 'all',
    requests: (s) => [
      { ...applied(s, config(s, { labels: { case: '{id}', a: '1' } }), 'one'), isSetUp: true },
      applied(s, minimalConfig(s, { labels: { a: '2' } }), 'two'),
      applied(s, minimalConfig(s, { labels: { a: '2' } }), 'two', '&force=true'),
    ],
  },
  {
    what: 'apply in conflict with an update',
    for: 'all',
    requests: (s) => [
      { ...applied(s, config(s, { labels: { case: '{id}', a: '1' } }), 'one'), isSetUp: true },
      { ...s.patch('merge', { metadata: { labels: { a: '3' } } }, '?fieldManager=kubectl-edit'), isSetUp: true },
      applied(s, config(s, { labels: { case: '{id}', a: '1' } }), 'one'),
      applied(s, config(s, { labels: { case: '{id}', a: '1' } }), 'one', '&force=true'),
    ],
  },
  {
    what: 'apply of content in conflict',
    for: 'all',
    requests: (s) => [
      { ...s.create(changed(s), '?fieldManager=maker'), isSetUp: true },
      applied(s, config(s), 'one'),
      applied(s, config(s), 'one', '&force=true'),
    ],
  },
  { what: 'apply over what was created', for: 'all', requests: (s) => [s.made(), applied(s, config(s), 'one')] },
  { what: 'apply without a manager', for: 'all', isSingle: true, requests: (s) => [s.patch('apply', config(s))] },
  {
    what: 'apply with force of words',
    for: 'some',
    isSingle: true,
    requests: (s) => [applied(s, config(s), 'one', '&force=perhaps')],
  },
  { what: 'apply with a dry run', for: 'all', requests: (s) => [applied(s, config(s), 'one', '&dryRun=All'), s.get()] },
  {
    what: 'apply with managed fields',
    for: 'all',
    isSingle: true,
    requests: (s) => [applied(s, config(s, { managedFields: [{ manager: 'x', operation: 'Apply' }] }), 'one')],
  },
  {
    what: 'apply under another name',
    for: 'all',
    requests: (s) => [applied(s, config(s, { name: 'another' }), 'one')],
  },
  { what: 'apply without a name', for: 'some', requests: (s) => [applied(s, config(s, { name: undefined }), 'one')] },
  {
    what: 'apply as another kind',
    for: 'some',
    isSingle: true,
    requests: (s) => [applied(s, config(s, {}, { kind: 'Thing' }), 'one')],
  },
  {
    what: 'apply as another version',
    for: 'some',
    isSingle: true,
    requests: (s) => [applied(s, config(s, {}, { apiVersion: 'example.com/v9' }), 'one')],
  },
  {
    what: 'apply without kind',
    for: 'some',
    isSingle: true,
    requests: (s) => [applied(s, config(s, {}, { kind: undefined }), 'one')],
  },
  {
    what: 'apply of an unknown field',
    for: 'all',
    isSingle: true,
    requests: (s) => [applied(s, config(s, {}, { colour: 'red' }), 'one')],
  },
  {
    what: 'apply of an unknown field, strictly',
    for: 'some',
    isSingle: true,
    requests: (s) => [applied(s, config(s, {}, { colour: 'red' }), 'one', '&fieldValidation=Strict')],
  },
  {
    what: 'apply of a wrong type',
    for: 'all',
    isSingle: true,
    requests: (s) => [applied(s, config(s, { labels: 'x' }), 'one')],
  },
  {
    what: 'apply of a version',
    for: 'some',
    requests: (s) => [
      s.made(),
      applied(s, config(s, { resourceVersion: '{rv:0}' }), 'one'),
      applied(s, config(s, { resourceVersion: '{rv:0}', labels: { case: '{id}', b: '1' } }), 'one'),
    ],
  },
  {
    what: 'apply of a uid that is not there',
    for: 'some',
    requests: (s) => [applied(s, config(s, { uid: '7c1c4f9e-0000-4000-8000-000000000001' }), 'one')],
  },
  {
    what: 'apply of YAML',
    for: 'some',
    requests: (s) => [
      applied(
        s,
        `apiVersion: ${s.kind.apiVersion}\nkind: ${s.kind.served.kind}\nmetadata:\n  name: ${s.name}\n  labels:\n    a: "1"\n${Object.entries(
          s.kind.content,
        )
          .map(([k, v]) => `${k}: ${JSON.stringify(v)}\n`)
          .join('')}`,
        'one',
      ),
    ],
  },
  { what: 'apply of broken YAML', for: 'some', isSingle: true, requests: (s) => [applied(s, 'a: [b', 'one')] },
  { what: 'apply of nothing', for: 'some', isSingle: true, requests: (s) => [applied(s, '', 'one')] },
  {
    what: 'apply of a null label',
    for: 'some',
    requests: (s) => [applied(s, config(s, { labels: { case: '{id}', a: null } }), 'one')],
  },
  {
    what: 'apply after client-side apply',
    for: 'some',
    requests: (s) => [
      {
        ...s.create(
          s.object({ annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } }),
          '?fieldManager=kubectl-client-side-apply',
        ),
        isSetUp: true,
      },
      applied(s, config(s, { labels: { case: '{id}', a: '1' } }), 'kubectl'),
    ],
  },
];

const statusPath = (s: Subject) => `${s.one}/status`;

export const statusScripts: readonly Script[] = [
  {
    what: 'status get',
    for: 'all',
    needs: has('status'),
    requests: (s) => [s.made(), { method: 'GET', path: statusPath(s) }],
  },
  {
    what: 'status get of an absent one',
    for: 'all',
    isSingle: true,
    needs: has('status'),
    requests: (s) => [{ method: 'GET', path: statusPath(s) }],
  },
  {
    what: 'status update',
    for: 'all',
    needs: has('status'),
    requests: (s) => [
      s.made(),
      {
        method: 'PUT',
        path: statusPath(s),
        body: s.object({ labels: { other: 'label' }, annotations: { x: 'y' } }, { status: {} }),
      },
      s.get(),
    ],
  },
  {
    what: 'status update of spec',
    for: 'all',
    needs: has('status'),
    requests: (s) => [s.made(), { method: 'PUT', path: statusPath(s), body: changed(s) }, s.get()],
  },
  {
    what: 'status patch of metadata',
    for: 'all',
    needs: has('status'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: statusPath(s),
        body: { metadata: { labels: { a: '1' }, annotations: { a: '1' }, finalizers: ['example.com/a'] } },
        headers: { 'content-type': 'application/merge-patch+json' },
      },
    ],
  },
  {
    what: 'status patch of conditions',
    for: 'all',
    needs: has('status'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: statusPath(s),
        body: {
          status: {
            conditions: [
              {
                type: 'Ready',
                status: 'True',
                reason: 'Because',
                message: 'm',
                lastTransitionTime: '2020-01-01T00:00:00Z',
              },
            ],
          },
        },
        headers: { 'content-type': 'application/merge-patch+json' },
      },
      s.get(),
    ],
  },
  {
    what: 'status apply',
    for: 'all',
    needs: has('status'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: `${statusPath(s)}?fieldManager=one`,
        body: { ...minimalConfig(s, {}), status: {} },
        headers: { 'content-type': 'application/apply-patch+yaml' },
      },
    ],
  },
  {
    what: 'status patch of an unknown field',
    for: 'all',
    needs: has('status'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: statusPath(s),
        body: { status: { colour: 'red' } },
        headers: { 'content-type': 'application/merge-patch+json' },
      },
    ],
  },
  {
    what: 'status delete',
    for: 'some',
    needs: has('status'),
    requests: (s) => [s.made(), { method: 'DELETE', path: statusPath(s) }],
  },
  {
    what: 'status create',
    for: 'some',
    needs: has('status'),
    requests: (s) => [s.made(), { method: 'POST', path: statusPath(s), body: s.object() }],
  },
  {
    what: 'status that there is not',
    for: 'all',
    isSingle: true,
    needs: (k) => !has('status')(k) && k.isStored,
    requests: (s) => [
      { method: 'GET', path: statusPath(s) },
      { method: 'PUT', path: statusPath(s), body: s.object() },
    ],
  },
  {
    what: 'subresource that nobody has',
    for: 'all',
    isSingle: true,
    requests: (s) => [
      { method: 'GET', path: `${s.one}/colour` },
      { method: 'POST', path: `${s.one}/colour`, body: {} },
    ],
  },
];

const scalePath = (s: Subject) => `${s.one}/scale`;
const scale = (s: Subject, replicas: unknown, metadata = {}) => ({
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  metadata: { name: s.name, namespace: '{ns}', ...metadata },
  spec: { replicas },
});

export const scaleScripts: readonly Script[] = [
  {
    what: 'scale get',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'GET', path: scalePath(s) }],
  },
  {
    what: 'scale get as a table',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'GET', path: scalePath(s), headers: { accept: TABLE } }],
  },
  {
    what: 'scale get as protobuf',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'GET', path: scalePath(s), headers: { accept: PROTOBUF } }],
  },
  {
    what: 'scale get of an absent one',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [{ method: 'GET', path: scalePath(s) }],
  },
  {
    what: 'scale update',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'PUT', path: scalePath(s), body: scale(s, 4) }, s.get()],
  },
  {
    what: 'scale update of an old version',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [
      s.made(),
      s.patch('merge', label),
      { method: 'PUT', path: scalePath(s), body: scale(s, 4, { resourceVersion: '{rv:0}' }) },
    ],
  },
  {
    what: 'scale update with another uid',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [
      s.made(),
      { method: 'PUT', path: scalePath(s), body: scale(s, 4, { uid: '7c1c4f9e-0000-4000-8000-000000000001' }) },
    ],
  },
  {
    what: 'scale update to less than nothing',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'PUT', path: scalePath(s), body: scale(s, -1) }],
  },
  {
    what: 'scale update to words',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'PUT', path: scalePath(s), body: scale(s, 'many') }],
  },
  {
    what: 'scale update with a dry run',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'PUT', path: `${scalePath(s)}?dryRun=All`, body: scale(s, 4) }, s.get()],
  },
  {
    what: 'scale update under another name',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'PUT', path: scalePath(s), body: scale(s, 4, { name: 'another' }) }],
  },
  {
    what: 'scale update of an absent one',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [{ method: 'PUT', path: scalePath(s), body: scale(s, 4) }],
  },
  {
    what: 'scale merge patch',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: scalePath(s),
        body: { spec: { replicas: 5 } },
        headers: { 'content-type': 'application/merge-patch+json' },
      },
      s.get(),
    ],
  },
  {
    what: 'scale JSON patch',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: scalePath(s),
        body: [{ op: 'replace', path: '/spec/replicas', value: 0 }],
        headers: { 'content-type': 'application/json-patch+json' },
      },
    ],
  },
  {
    what: 'scale apply',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [
      s.made(),
      {
        method: 'PATCH',
        path: `${scalePath(s)}?fieldManager=one&force=true`,
        body: scale(s, 6),
        headers: { 'content-type': 'application/apply-patch+yaml' },
      },
      s.get(),
    ],
  },
  {
    what: 'scale as another kind',
    for: 'all',
    needs: has('scale'),
    requests: (s) => [s.made(), { method: 'PUT', path: scalePath(s), body: s.object() }],
  },
  {
    what: 'scale that there is not',
    for: 'some',
    isSingle: true,
    needs: (k) => !has('scale')(k),
    requests: (s) => [{ method: 'GET', path: scalePath(s) }],
  },
];
