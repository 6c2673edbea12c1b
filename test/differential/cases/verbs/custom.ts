// Custom resources: each case brings a definition of its own group, waits until it is served, and asks for its objects.
import type { DiffCase, DiffRequest } from '../../case.ts';
import { PARTIAL_LIST, PROTOBUF, TABLE, yaml } from './create.ts';
import type { Json } from './kinds.ts';

const GROUP = '{id}.example.com';
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const things = `/apis/${GROUP}/v1/namespaces/{ns}/things`;
const type = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
  strategic: 'application/strategic-merge-patch+json',
};

const SPEC_SCHEMA = {
  type: 'object',
  required: ['size'],
  properties: {
    size: { type: 'integer', minimum: 1, maximum: 10 },
    colour: { type: 'string', enum: ['red', 'green'], default: 'red' },
    name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
    parts: {
      type: 'array',
      maxItems: 3,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['id'],
      items: {
        type: 'object',
        required: ['id'],
        properties: { id: { type: 'string' }, count: { type: 'integer', default: 1 } },
      },
    },
    words: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    port: { 'x-kubernetes-int-or-string': true },
    gone: { type: 'string', nullable: true },
    when: { type: 'string', format: 'date-time' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    replicas: { type: 'integer', format: 'int32' },
  },
};
const STATUS_SCHEMA = { type: 'object', properties: { phase: { type: 'string' }, replicas: { type: 'integer' } } };

const version = (spec: Json = {}, more: Json = {}): Json => ({
  name: 'v1',
  served: true,
  storage: true,
  schema: {
    openAPIV3Schema: { type: 'object', properties: { spec: { ...SPEC_SCHEMA, ...spec }, status: STATUS_SCHEMA } },
  },
  ...more,
});

const definition = (versions: readonly Json[] = [version()], more: Json = {}): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `things.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList', shortNames: ['th'] },
    versions,
    ...more,
  },
});

const thing = (spec: Json, metadata: Json = {}): Json => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'Thing',
  metadata: { name: 't', ...metadata },
  spec,
});
const create = (object: unknown, query = ''): DiffRequest => ({ method: 'POST', path: things + query, body: object });
const made = (object: Json = thing({ size: 1 })): DiffRequest => ({ ...create(object), isSetUp: true });
const get = (query = '', accept?: string): DiffRequest => ({
  method: 'GET',
  path: `${things}/t${query}`,
  ...(accept === undefined ? {} : { headers: { accept } }),
});
const list = (query = '', accept?: string): DiffRequest => ({
  method: 'GET',
  path: `${things}${query}`,
  ...(accept === undefined ? {} : { headers: { accept } }),
});
const patch = (how: keyof typeof type, body: unknown, below = ''): DiffRequest => ({
  method: 'PATCH',
  path: `${things}/t${below}`,
  body,
  headers: { 'content-type': type[how] },
});
const put = (object: unknown, below = ''): DiffRequest => ({
  method: 'PUT',
  path: `${things}/t${below}`,
  body: object,
});
const withParts = [
  version(
    {},
    {
      subresources: {
        status: {},
        scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
      },
    },
  ),
];
const columns = [
  { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
  { name: 'Colour', type: 'string', jsonPath: '.spec.colour', priority: 1, description: 'its colour' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

const STORIES: Readonly<Record<string, { readonly definition?: Json; readonly requests: readonly DiffRequest[] }>> = {
  create: { requests: [create(thing({ size: 1 })), get()] },
  'create with defaults': { requests: [create(thing({ size: 1, parts: [{ id: 'a' }] }))] },
  'create with unknown fields': {
    requests: [
      create(thing({ size: 1, other: 'x', any: { deep: { er: 1 } } })),
      create(thing({ size: 1, other: 'x' }), '?fieldValidation=Strict'),
      create(thing({ size: 1, other: 'x' }, { name: 'u' }), '?fieldValidation=Ignore'),
    ],
  },
  'create of wrong values': {
    requests: [
      create(thing({ size: 0 })),
      create(thing({ size: 11 })),
      create(thing({})),
      create(thing({ size: 'x' })),
      create(thing({ size: 1.5 })),
      create(thing({ size: 1, colour: 'blue' })),
      create(thing({ size: 1, name: 'TOO LONG' })),
      create(thing({ size: 1, when: 'now' })),
      create(thing({ size: 1, port: 1.5 })),
      create(thing({ size: 1, gone: null })),
      create(thing({ size: null })),
      create(thing({ size: 1, labels: { a: 1 } }, { name: 'v' })),
      create(thing({ size: 1, labels: [] })),
    ],
  },
  'create of wrong lists': {
    requests: [
      create(thing({ size: 1, parts: [{ id: 'a' }, { id: 'a' }] })),
      create(thing({ size: 1, parts: [{ count: 1 }] })),
      create(thing({ size: 1, words: ['a', 'a'] })),
      create(thing({ size: 1, parts: [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }] })),
    ],
  },
  'create of wrong metadata': {
    requests: [
      create(thing({ size: 1 }, { name: 'Not_A_Name' })),
      create(thing({ size: 1 }, { labels: { 'a b': 'c' } })),
      create(thing({ size: 1 }, { name: undefined, generateName: 'g-' })),
      create({ ...thing({ size: 1 }), kind: 'Other' }),
      create({ ...thing({ size: 1 }), apiVersion: 'x/v1' }),
      create('{"a'),
      create({}),
    ],
  },
  'create as YAML': {
    requests: [
      {
        ...create(yaml(thing({ size: 1 }))),
        headers: { 'content-type': 'application/yaml', accept: 'application/yaml' },
      },
    ],
  },
  'create for protobuf': {
    requests: [
      { ...create(thing({ size: 1 })), headers: { accept: PROTOBUF } },
      { ...create(thing({ size: 1 }, { name: 'u' })), headers: { accept: `${PROTOBUF},application/json` } },
    ],
  },
  get: {
    requests: [
      made(),
      get(),
      get('', TABLE),
      { method: 'GET', path: `${things}/absent` },
      get('/absent'),
      get('?resourceVersion=now'),
    ],
  },
  list: {
    requests: [
      made(),
      made(thing({ size: 2 }, { name: 'u', labels: { a: 'b' } })),
      list(),
      list('?labelSelector=a%3Db'),
      list('?fieldSelector=metadata.name%3Dt'),
      list('?fieldSelector=spec.size%3D1'),
      list('?limit=1'),
      list('', PARTIAL_LIST),
      list('', TABLE),
    ],
  },
  'list with columns': {
    definition: definition([version({}, { additionalPrinterColumns: columns })]),
    requests: [made(), list('', TABLE), list('?includeObject=Object', TABLE), get('', TABLE)],
  },
  'list by selectable fields': {
    definition: definition([version({}, { selectableFields: [{ jsonPath: '.spec.colour' }] })]),
    requests: [
      made(),
      made(thing({ size: 2, colour: 'green' }, { name: 'u' })),
      list('?fieldSelector=spec.colour%3Dgreen'),
      list('?fieldSelector=spec.size%3D1'),
    ],
  },
  'update and generation': {
    requests: [
      made(),
      put(thing({ size: 2 }, { resourceVersion: '{rv:2}' })),
      put(thing({ size: 2 })),
      put(thing({ size: 3 }, { labels: { a: 'b' }, resourceVersion: '1' })),
      put(thing({ size: 11 }, { resourceVersion: '{rv:2}' })),
    ],
  },
  patches: {
    requests: [
      made(),
      patch('merge', { spec: { size: 3, any: { a: 1 } } }),
      patch('merge', { spec: { any: null, colour: null } }),
      patch('json', [{ op: 'replace', path: '/spec/size', value: 4 }]),
      patch('strategic', { spec: { size: 5 } }),
      patch('merge', { spec: { size: 'x' } }),
      patch('merge', {}),
    ],
  },
  apply: {
    requests: [
      patch('apply', thing({ size: 1, parts: [{ id: 'a', count: 1 }], words: ['x'] }), '?fieldManager=one'),
      patch('apply', thing({ parts: [{ id: 'b' }], words: ['y'] }), '?fieldManager=two'),
      patch('apply', thing({ parts: [{ id: 'a', count: 2 }] }), '?fieldManager=two'),
      patch('apply', thing({ parts: [{ id: 'a', count: 2 }] }), '?fieldManager=two&force=true'),
      patch('apply', thing({ size: 1 }), '?fieldManager=one'),
    ],
  },
  status: {
    definition: definition(withParts),
    requests: [
      made({ ...thing({ size: 1 }), status: { phase: 'x' } }),
      get(),
      put({ ...thing({ size: 2 }, { resourceVersion: '{rv:2}' }), status: { phase: 'ready' } }, '/status'),
      patch('merge', { status: { phase: 'more', other: 1 } }, '/status'),
      patch('merge', { status: { phase: 5 } }, '/status'),
      get('/status'),
    ],
  },
  'no status': {
    requests: [made({ ...thing({ size: 1 }), status: { phase: 'x' } }), get(), get('/status'), get('/scale')],
  },
  scale: {
    definition: definition(withParts),
    requests: [
      made(thing({ size: 1, replicas: 2 })),
      get('/scale'),
      put(
        {
          apiVersion: 'autoscaling/v1',
          kind: 'Scale',
          metadata: { name: 't', namespace: '{ns}' },
          spec: { replicas: 5 },
        },
        '/scale',
      ),
      patch('merge', { spec: { replicas: 7 } }, '/scale'),
      patch('merge', { spec: { replicas: -1 } }, '/scale'),
      get(),
    ],
  },
  'delete and finalizers': {
    requests: [
      made(thing({ size: 1 }, { finalizers: ['example.com/f'] })),
      { method: 'DELETE', path: `${things}/t` },
      patch('merge', { metadata: { finalizers: null } }),
      get(),
      { method: 'DELETE', path: `${things}/t` },
      made(),
      { method: 'DELETE', path: things },
      list(),
    ],
  },
  rules: {
    definition: definition([
      version({
        'x-kubernetes-validations': [
          { rule: 'self.size < 5 || has(self.name)', message: 'large ones want a name' },
          {
            rule: 'self.size >= oldSelf.size',
            messageExpression: '"never " + "smaller"',
            reason: 'FieldValueForbidden',
            fieldPath: '.size',
          },
        ],
      }),
    ]),
    requests: [
      create(thing({ size: 6 })),
      create(thing({ size: 6, name: 'abc' })),
      patch('merge', { spec: { size: 5 } }),
      patch('merge', { spec: { size: 7 } }),
    ],
  },
  'two versions': {
    definition: definition([
      version(),
      version({}, { name: 'v1beta1', storage: false, deprecated: true }),
      version({}, { name: 'v0', storage: false, served: false }),
    ]),
    requests: [
      made(),
      { method: 'GET', path: `/apis/${GROUP}/v1beta1/namespaces/{ns}/things/t` },
      { method: 'GET', path: `/apis/${GROUP}/v0/namespaces/{ns}/things/t` },
      {
        method: 'POST',
        path: `/apis/${GROUP}/v1beta1/namespaces/{ns}/things`,
        body: { ...thing({ size: 1 }, { name: 'u' }), apiVersion: `${GROUP}/v1beta1` },
      },
      create({ ...thing({ size: 1 }, { name: 'w' }), apiVersion: `${GROUP}/v1beta1` }),
      get(),
    ],
  },
  'anything at all': {
    definition: definition([
      version({}, { schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } }),
    ]),
    requests: [
      create({ ...thing({ deep: { er: [1, { a: null }] } }), extra: true }),
      get(),
      patch('merge', { extra: null }),
      patch('apply', { ...thing({}), list: [1, 2] }, '?fieldManager=one'),
    ],
  },
  'embedded objects': {
    definition: definition([
      version(
        {},
        {
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: {
                    inner: {
                      type: 'object',
                      'x-kubernetes-embedded-resource': true,
                      'x-kubernetes-preserve-unknown-fields': true,
                    },
                  },
                },
              },
            },
          },
        },
      ),
    ]),
    requests: [
      create(thing({ inner: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', other: 1 }, spec: { x: 1 } } })),
      create(thing({ inner: { kind: 'Pod' } }, { name: 'u' })),
      create(thing({ inner: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'Not A Name' } } }, { name: 'v' })),
    ],
  },
};

/** The definition is served a moment after it was made. */
const SERVED: DiffRequest = {
  method: 'GET',
  path: `/apis/${GROUP}/v1/namespaces/{ns}/things`,
  isSetUp: true,
  retryUntil: 200,
};

export function* customCases(): Iterable<DiffCase> {
  for (const [what, story] of Object.entries(STORIES))
    yield {
      id: `verbs/custom/${what}`,
      area: 'verbs',
      requests: [
        { method: 'POST', path: crds, body: story.definition ?? definition(), isSetUp: true },
        SERVED,
        ...story.requests,
      ],
    };
}
