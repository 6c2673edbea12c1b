// POST of every kind: what is taken, what is made of it, what is refused before a kind's own rules are asked.
import { has, isNamespaced, type Script } from './script.ts';

const LONG = 'x'.repeat(260);

export const createScripts: readonly Script[] = [
  { what: 'create', for: 'all', isSingle: true, requests: (s) => [s.create()] },
  { what: 'create and get', for: 'all', requests: (s) => [s.made(), s.get()] },
  { what: 'create dry run', for: 'all', requests: (s) => [s.create(s.object(), '?dryRun=All'), s.get()] },
  {
    what: 'create dry run of a bad value',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object(), '?dryRun=Some')],
  },
  { what: 'create twice', for: 'all', requests: (s) => [s.made(), s.create()] },
  { what: 'create twice with dry run', for: 'some', requests: (s) => [s.made(), s.create(s.object(), '?dryRun=All')] },
  {
    what: 'create with a generated name',
    for: 'all',
    requests: (s) => [s.create(s.object({ name: undefined, generateName: 'some-' }))],
  },
  {
    what: 'create with a generated name of a long base',
    for: 'some',
    requests: (s) => [s.create(s.object({ name: undefined, generateName: `${LONG.slice(0, 100)}-` }))],
  },
  {
    what: 'create with a name and a generated one',
    for: 'some',
    requests: (s) => [s.create(s.object({ generateName: 'b-' }))],
  },
  {
    what: 'create without a name',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: undefined }))],
  },
  {
    what: 'create without metadata',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { metadata: undefined }))],
  },
  {
    what: 'create with too long a name',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: LONG }))],
  },
  {
    what: 'create with capitals in the name',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: 'Some_Name' }))],
  },
  {
    what: 'create with a slash in the name',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: 'some/name' }))],
  },
  {
    what: 'create with dots in the name',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: 'a.b-{id}' }))],
  },
  {
    what: 'create with a name of dots',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: '..' }))],
  },
  {
    what: 'create with a percent in the name',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({ name: 'a%b' }))],
  },
  { what: 'create with a name of digits', for: 'all', requests: (s) => [s.create(s.object({ name: '123456' }))] },
  {
    what: 'create as another kind',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { kind: 'Thing' }))],
  },
  {
    what: 'create as a kind of elsewhere',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1' }))],
  },
  {
    what: 'create as another version',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { apiVersion: 'example.com/v9' }))],
  },
  {
    what: 'create as an unknown version of the group',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { apiVersion: `${s.kind.apiVersion.replace(/v\d+$/, 'v9')}` }))],
  },
  {
    what: 'create without kind',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { kind: undefined }))],
  },
  {
    what: 'create without apiVersion',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { apiVersion: undefined }))],
  },
  {
    what: 'create without kind and apiVersion',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { kind: undefined, apiVersion: undefined }))],
  },
  {
    what: 'create with kind of a wrong type',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { kind: 5 }))],
  },
  {
    what: 'create in another namespace than the path says',
    for: 'all',
    isSingle: true,
    needs: isNamespaced,
    requests: (s) => [s.create(s.object({ namespace: 'other' }))],
  },
  {
    what: 'create in a namespace that is not there',
    for: 'all',
    isSingle: true,
    needs: isNamespaced,
    requests: (s) => [{ method: 'POST', path: s.all.replace('{ns}', 'nowhere'), body: s.object() }],
  },
  {
    what: 'create without a namespace in the path',
    for: 'all',
    isSingle: true,
    needs: isNamespaced,
    requests: (s) => [{ method: 'POST', path: s.all.replace('/namespaces/{ns}', ''), body: s.object() }],
  },
  {
    what: 'create in a namespace although it has none',
    for: 'all',
    isSingle: true,
    needs: (k) => !k.served.namespaced && k.served.resource !== 'namespaces',
    requests: (s) => [s.create(s.object({ namespace: 'default' }))],
  },
  {
    what: 'create with labels of bad values',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ labels: { 'a b': 'c' } }))],
  },
  {
    what: 'create with annotations of bad keys',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({ annotations: { 'UPPER.example.com/x y': '1' } }))],
  },
  {
    what: 'create with too large annotations',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({ annotations: { a: 'x'.repeat(262_145) } }))],
  },
  {
    what: 'create with finalizers',
    for: 'all',
    requests: (s) => [s.create(s.object({ finalizers: ['example.com/mine'] }))],
  },
  {
    what: 'create with bad finalizers',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ finalizers: ['mine', 'a b/c'] }))],
  },
  {
    what: 'create with owners',
    for: 'some',
    requests: (s) => [
      s.create(
        s.object({
          ownerReferences: [
            {
              apiVersion: 'v1',
              kind: 'Pod',
              name: 'p',
              uid: '7c1c4f9e-0000-4000-8000-000000000001',
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        }),
      ),
    ],
  },
  {
    what: 'create with bad owners',
    for: 'all',
    isSingle: true,
    requests: (s) => [
      s.create(
        s.object({
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Event', name: 'p', uid: 'u' },
            { apiVersion: '', kind: '', name: '', uid: '' },
            { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u', controller: true },
            { apiVersion: 'v1', kind: 'Pod', name: 'q', uid: 'v', controller: true },
          ],
        }),
      ),
    ],
  },
  {
    what: 'create with what the server sets',
    for: 'all',
    isSingle: true,
    requests: (s) => [
      s.create(
        s.object({
          uid: '7c1c4f9e-0000-4000-8000-000000000001',
          creationTimestamp: '2001-01-01T00:00:00Z',
          deletionTimestamp: '2001-01-01T00:00:00Z',
          deletionGracePeriodSeconds: 7,
          generation: 9,
          selfLink: '/x',
        }),
      ),
    ],
  },
  {
    what: 'create with a resource version',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ resourceVersion: '5' }))],
  },
  {
    what: 'create with managed fields',
    for: 'some',
    isSingle: true,
    requests: (s) => [
      s.create(
        s.object({
          managedFields: [
            {
              manager: 'me',
              operation: 'Update',
              apiVersion: s.kind.apiVersion,
              fieldsType: 'FieldsV1',
              fieldsV1: { 'f:metadata': {} },
            },
          ],
        }),
      ),
    ],
  },
  {
    what: 'create with malformed managed fields',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({ managedFields: [{ manager: 'me', operation: 'Sideways' }] }))],
  },
  {
    what: 'create with a status',
    for: 'all',
    isSingle: true,
    needs: has('status'),
    requests: (s) => [s.create(s.object({}, { status: { phase: 'Running', observedGeneration: 7, replicas: 3 } }))],
  },
  {
    what: 'create with an unknown field',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { colour: 'red' }))],
  },
  {
    what: 'create with an unknown field, strictly',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { colour: 'red' }), '?fieldValidation=Strict')],
  },
  {
    what: 'create with an unknown field, ignored',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { colour: 'red' }), '?fieldValidation=Ignore')],
  },
  {
    what: 'create with an unknown level of validation',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object(), '?fieldValidation=Sometimes')],
  },
  {
    what: 'create by a named manager',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object(), '?fieldManager=me')],
  },
  {
    what: 'create by a manager with a long name',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object(), `?fieldManager=${LONG}`)],
  },
  {
    what: 'create by a manager with unprintable characters',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object(), '?fieldManager=a%01b')],
  },
  {
    what: 'create of a list',
    for: 'some',
    isSingle: true,
    requests: (s) => [
      s.create({ apiVersion: s.kind.apiVersion, kind: `${s.kind.served.kind}List`, items: [s.object()] }),
    ],
  },
  { what: 'create of an array', for: 'some', isSingle: true, requests: (s) => [s.create([s.object()])] },
  { what: 'create of a string', for: 'some', isSingle: true, requests: (s) => [s.create('"text"')] },
  { what: 'create of null', for: 'some', isSingle: true, requests: (s) => [s.create('null')] },
  { what: 'create of an empty object', for: 'all', isSingle: true, requests: (s) => [s.create({})] },
  { what: 'create of an empty body', for: 'all', isSingle: true, requests: (s) => [s.create('')] },
  { what: 'create of half a body', for: 'all', isSingle: true, requests: (s) => [s.create('{"apiVersion":')] },
  { what: 'create of no JSON', for: 'some', isSingle: true, requests: (s) => [s.create('hello')] },
  {
    what: 'create of two bodies',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(`${JSON.stringify(s.object())} {}`)],
  },
  {
    what: 'create with metadata of a wrong type',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({}, { metadata: 'x' }))],
  },
  {
    what: 'create with labels of a wrong type',
    for: 'all',
    isSingle: true,
    requests: (s) => [s.create(s.object({ labels: ['a'] }))],
  },
  {
    what: 'create with a label of a number',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object({ labels: { a: 1 } }))],
  },
  {
    what: 'create as YAML',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.create(yaml(s.object())), headers: { 'content-type': 'application/yaml' } }],
  },
  {
    what: 'create as YAML for a YAML answer',
    for: 'some',
    isSingle: true,
    requests: (s) => [
      { ...s.create(yaml(s.object())), headers: { 'content-type': 'application/yaml', accept: 'application/yaml' } },
    ],
  },
  {
    what: 'create as broken YAML',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.create('a: [b'), headers: { 'content-type': 'application/yaml' } }],
  },
  {
    what: 'create as text',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { 'content-type': 'text/plain' } }],
  },
  {
    what: 'create without a content type',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { 'content-type': '' } }],
  },
  {
    what: 'create with a content type and a character set',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { 'content-type': 'application/json; charset=utf-8' } }],
  },
  {
    what: 'create with a malformed content type',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { 'content-type': 'json' } }],
  },
  {
    what: 'create for a table',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { accept: TABLE } }],
  },
  {
    what: 'create for partial metadata',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { accept: PARTIAL } }],
  },
  {
    what: 'create for protobuf',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ ...s.create(), headers: { accept: PROTOBUF } }],
  },
  {
    what: 'create with a prefix of a query that is unknown',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.create(s.object(), '?pretty=true&unknown=1')],
  },
];

export const TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';
export const PARTIAL = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
export const PARTIAL_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** JSON is YAML, but a reader that takes only JSON would not notice: one member a line, without braces at the top. */
export const yaml = (object: object): string =>
  Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('');
