// Subresources that only some kinds have, and who may do what: requests without, with wrong and with borrowed identities.
import type { DiffCase, DiffRequest } from '../../case.ts';
import type { Json } from './kinds.ts';

const POST = (path: string, body: unknown, isSetUp = false): DiffRequest => ({
  method: 'POST',
  path,
  body,
  ...(isSetUp ? { isSetUp } : {}),
});
const GET = (path: string): DiffRequest => ({ method: 'GET', path });
const PUT = (path: string, body: unknown): DiffRequest => ({ method: 'PUT', path, body });
const merge = (path: string, body: unknown): DiffRequest => ({
  method: 'PATCH',
  path,
  body,
  headers: { 'content-type': 'application/merge-patch+json' },
});
const strategic = (path: string, body: unknown): DiffRequest => ({
  method: 'PATCH',
  path,
  body,
  headers: { 'content-type': 'application/strategic-merge-patch+json' },
});

const pods = '/api/v1/namespaces/{ns}/pods';
const pod = (spec: Json = {}, metadata: Json = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }], ...spec },
});
const made = (spec: Json = {}, metadata: Json = {}) => POST(pods, pod(spec, metadata), true);
const eviction = (more: Json = {}, apiVersion = 'policy/v1') => ({
  apiVersion,
  kind: 'Eviction',
  metadata: { name: 'p' },
  ...more,
});
const binding = (target: Json, more: Json = {}) => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name: 'p', ...more },
  target,
});
const budget = (spec: Json, status: Json): DiffRequest[] => [
  POST(
    '/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets',
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b' },
      spec: { selector: { matchLabels: { app: 'x' } }, ...spec },
    },
    true,
  ),
  {
    ...merge('/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/b/status', {
      status: {
        currentHealthy: 1,
        desiredHealthy: 1,
        expectedPods: 1,
        disruptionsAllowed: 0,
        observedGeneration: 1,
        ...status,
      },
    }),
    isSetUp: true,
  },
];
const ephemeral = (name: string, more: Json = {}) => ({
  spec: { ephemeralContainers: [{ name, image: 'debug', ...more }] },
});
const token = (spec: Json, more: Json = {}) => ({
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenRequest',
  spec,
  ...more,
});
const accounts = '/api/v1/namespaces/{ns}/serviceaccounts';
const account = POST(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'a' } }, true);
const csrs = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const CSR_CONTENT = (request: unknown) => ({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name: '{id}' },
  spec: { request, signerName: 'example.com/signer', usages: ['client auth'] },
});
const condition = (type: string, more: Json = {}) => ({
  type,
  status: 'True',
  reason: 'Because',
  message: 'm',
  ...more,
});

const SPECIAL: Readonly<Record<string, readonly DiffRequest[]>> = {
  'core.v1.Pod/evict': [made(), POST(`${pods}/p/eviction`, eviction()), GET(`${pods}/p`)],
  'core.v1.Pod/evict by an old version': [made(), POST(`${pods}/p/eviction`, eviction({}, 'policy/v1beta1'))],
  'core.v1.Pod/evict as another kind': [made(), POST(`${pods}/p/eviction`, { ...eviction(), kind: 'Thing' })],
  'core.v1.Pod/evict an absent one': [POST(`${pods}/p/eviction`, eviction())],
  'core.v1.Pod/evict under another name': [made(), POST(`${pods}/p/eviction`, eviction({ metadata: { name: 'q' } }))],
  'core.v1.Pod/evict with a dry run': [made(), POST(`${pods}/p/eviction?dryRun=All`, eviction()), GET(`${pods}/p`)],
  'core.v1.Pod/evict with a dry run in the options': [
    made(),
    POST(`${pods}/p/eviction`, eviction({ deleteOptions: { dryRun: ['All'] } })),
    GET(`${pods}/p`),
  ],
  'core.v1.Pod/evict of another uid': [
    made(),
    POST(
      `${pods}/p/eviction`,
      eviction({ deleteOptions: { preconditions: { uid: '7c1c4f9e-0000-4000-8000-000000000001' } } }),
    ),
  ],
  'core.v1.Pod/evict against a budget': [
    made({}, { labels: { app: 'x' } }),
    ...budget({ minAvailable: 1 }, {}),
    POST(`${pods}/p/eviction`, eviction()),
  ],
  'core.v1.Pod/evict a running one against a budget': [
    made({ nodeName: 'n' }, { labels: { app: 'x' } }),
    ...budget({ minAvailable: 1 }, {}),
    {
      ...merge(`${pods}/p/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } }),
      isSetUp: true,
    },
    POST(`${pods}/p/eviction`, eviction()),
    GET('/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/b'),
  ],
  'core.v1.Pod/evict a running one within a budget': [
    made({ nodeName: 'n' }, { labels: { app: 'x' } }),
    ...budget({ minAvailable: 0 }, { disruptionsAllowed: 1 }),
    {
      ...merge(`${pods}/p/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } }),
      isSetUp: true,
    },
    POST(`${pods}/p/eviction`, eviction()),
  ],
  'core.v1.Pod/evict a running one before the budget is known': [
    made({ nodeName: 'n' }, { labels: { app: 'x' } }),
    ...budget({ minAvailable: 0 }, { disruptionsAllowed: 1, observedGeneration: 0 }),
    { ...merge(`${pods}/p/status`, { status: { phase: 'Running' } }), isSetUp: true },
    POST(`${pods}/p/eviction`, eviction()),
  ],
  'core.v1.Pod/evict a finished one': [
    made({ nodeName: 'n' }, { labels: { app: 'x' } }),
    ...budget({ minAvailable: 1 }, {}),
    { ...merge(`${pods}/p/status`, { status: { phase: 'Succeeded' } }), isSetUp: true },
    POST(`${pods}/p/eviction`, eviction()),
  ],
  'core.v1.Pod/get of eviction': [made(), GET(`${pods}/p/eviction`)],
  'core.v1.Pod/bind': [made(), POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' })), GET(`${pods}/p`)],
  'core.v1.Pod/bind twice': [
    made(),
    POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' })),
    POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'm' })),
  ],
  'core.v1.Pod/bind by the collection of bindings': [
    made(),
    POST('/api/v1/namespaces/{ns}/bindings', binding({ kind: 'Node', name: 'n' })),
    GET(`${pods}/p`),
  ],
  'core.v1.Pod/bind an absent one': [POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' }))],
  'core.v1.Pod/bind to nothing': [made(), POST(`${pods}/p/binding`, binding({}))],
  'core.v1.Pod/bind to another kind': [made(), POST(`${pods}/p/binding`, binding({ kind: 'Pod', name: 'n' }))],
  'core.v1.Pod/bind with another uid': [
    made(),
    POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' }, { uid: '7c1c4f9e-0000-4000-8000-000000000001' })),
  ],
  'core.v1.Pod/bind with annotations and labels': [
    made(),
    POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' }, { annotations: { a: 'b' }, labels: { c: 'd' } })),
    GET(`${pods}/p`),
  ],
  'core.v1.Pod/bind a gated one': [
    made({ schedulingGates: [{ name: 'example.com/g' }] }),
    POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' })),
  ],
  'core.v1.Pod/bind one that is being deleted': [
    made({}, { finalizers: ['example.com/f'] }),
    { method: 'DELETE', path: `${pods}/p`, isSetUp: true },
    POST(`${pods}/p/binding`, binding({ kind: 'Node', name: 'n' })),
  ],
  'core.v1.Pod/bind with a dry run': [
    made(),
    POST(`${pods}/p/binding?dryRun=All`, binding({ kind: 'Node', name: 'n' })),
    GET(`${pods}/p`),
  ],
  'core.v1.Pod/ephemeral containers get': [made(), GET(`${pods}/p/ephemeralcontainers`)],
  'core.v1.Pod/ephemeral containers add': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('d')),
    GET(`${pods}/p`),
  ],
  'core.v1.Pod/ephemeral containers add two': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('d')),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('e', { targetContainerName: 'c' })),
  ],
  'core.v1.Pod/ephemeral containers change': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('d')),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('d', { image: 'other' })),
  ],
  'core.v1.Pod/ephemeral containers remove': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('d')),
    merge(`${pods}/p/ephemeralcontainers`, { spec: { ephemeralContainers: [] } }),
  ],
  'core.v1.Pod/ephemeral containers of a known name': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('c')),
  ],
  'core.v1.Pod/ephemeral containers with ports and probes': [
    made(),
    strategic(
      `${pods}/p/ephemeralcontainers`,
      ephemeral('d', {
        ports: [{ containerPort: 80 }],
        livenessProbe: { exec: { command: ['x'] } },
        resources: { requests: { cpu: '1' } },
      }),
    ),
  ],
  'core.v1.Pod/ephemeral containers with an unknown target': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, ephemeral('d', { targetContainerName: 'x' })),
  ],
  'core.v1.Pod/ephemeral containers by an update of the pod': [made(), strategic(`${pods}/p`, ephemeral('d'))],
  'core.v1.Pod/ephemeral containers and something else': [
    made(),
    strategic(`${pods}/p/ephemeralcontainers`, {
      metadata: { labels: { a: 'b' } },
      spec: { activeDeadlineSeconds: 5, ...ephemeral('d').spec },
    }),
  ],
  'core.v1.Pod/resize get': [made(), GET(`${pods}/p/resize`)],
  'core.v1.Pod/resize': [
    made(),
    strategic(`${pods}/p/resize`, { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }] } }),
    GET(`${pods}/p`),
  ],
  'core.v1.Pod/resize that adds a limit': [
    made(),
    strategic(`${pods}/p/resize`, { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '2' } } }] } }),
  ],
  'core.v1.Pod/resize that changes the class': [
    made(),
    strategic(`${pods}/p/resize`, {
      spec: {
        containers: [
          { name: 'c', resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } } },
        ],
      },
    }),
  ],
  'core.v1.Pod/resize of storage': [
    made(),
    strategic(`${pods}/p/resize`, {
      spec: { containers: [{ name: 'c', resources: { requests: { 'ephemeral-storage': '1Gi' } } }] },
    }),
  ],
  'core.v1.Pod/resize of an image': [
    made(),
    strategic(`${pods}/p/resize`, { spec: { containers: [{ name: 'c', image: 'other' }] } }),
  ],
  'core.v1.Pod/resize below requests': [
    made(),
    strategic(`${pods}/p/resize`, { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '500m' } } }] } }),
  ],
  'core.v1.Pod/resize by an update of the pod': [
    made(),
    strategic(`${pods}/p`, { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }] } }),
  ],
  'core.v1.Pod/log of an unscheduled one': [made(), GET(`${pods}/p/log`)],
  'core.v1.Pod/log of an absent one': [GET(`${pods}/p/log`)],
  'core.v1.Pod/log of an unknown container': [made({ nodeName: 'n' }), GET(`${pods}/p/log?container=x`)],
  'core.v1.Pod/log of two containers': [
    made({
      nodeName: 'n',
      containers: [
        { name: 'c', image: 'i' },
        { name: 'd', image: 'i' },
      ],
    }),
    GET(`${pods}/p/log`),
  ],
  'core.v1.Pod/log with bad options': [
    made(),
    GET(`${pods}/p/log?tailLines=-1`),
    GET(`${pods}/p/log?limitBytes=0`),
    GET(`${pods}/p/log?sinceSeconds=0`),
    GET(`${pods}/p/log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z`),
    GET(`${pods}/p/log?tailLines=x`),
    GET(`${pods}/p/log?stream=Sideways`),
  ],
  'core.v1.Pod/log of a node that is not there': [made({ nodeName: 'n' }), GET(`${pods}/p/log`)],
  'core.v1.Pod/exec of an unscheduled one': [made(), POST(`${pods}/p/exec?command=x&stdout=true`, '')],
  'core.v1.Pod/exec of an absent one': [POST(`${pods}/p/exec?command=x&stdout=true`, '')],
  'core.v1.Pod/exec without streams': [made({ nodeName: 'n' }), POST(`${pods}/p/exec?command=x`, '')],
  'core.v1.Pod/exec of an unknown container': [
    made({ nodeName: 'n' }),
    POST(`${pods}/p/exec?command=x&stdout=true&container=x`, ''),
  ],
  'core.v1.Pod/exec of two containers': [
    made({
      nodeName: 'n',
      containers: [
        { name: 'c', image: 'i' },
        { name: 'd', image: 'i' },
      ],
    }),
    POST(`${pods}/p/exec?command=x&stdout=true`, ''),
  ],
  'core.v1.Pod/attach of an unscheduled one': [made(), POST(`${pods}/p/attach?stdout=true`, '')],
  'core.v1.Pod/port-forward of an unscheduled one': [made(), POST(`${pods}/p/portforward`, '')],
  'core.v1.Pod/proxy of an absent one': [GET(`${pods}/p/proxy/x`)],
  'core.v1.Pod/proxy of one without an address': [made(), GET(`${pods}/p/proxy/`)],
  'core.v1.Pod/status of a gated one': [made({ schedulingGates: [{ name: 'example.com/g' }] }), GET(`${pods}/p`)],
  'core.v1.Pod/status backwards': [
    made({ nodeName: 'n' }),
    merge(`${pods}/p/status`, { status: { phase: 'Succeeded', podIPs: [{ ip: '192.0.2.1' }, { ip: '192.0.2.1' }] } }),
    merge(`${pods}/p/status`, { status: { phase: 'Sideways', qosClass: 'Guaranteed' } }),
  ],
  'core.v1.Service/proxy of an absent one': [GET('/api/v1/namespaces/{ns}/services/s/proxy/x')],
  'core.v1.Service/proxy of one without endpoints': [
    POST(
      '/api/v1/namespaces/{ns}/services',
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } },
      true,
    ),
    GET('/api/v1/namespaces/{ns}/services/s/proxy/'),
  ],
  'core.v1.Node/proxy of an absent one': [GET('/api/v1/nodes/{id}/proxy/metrics')],
  'core.v1.Namespace/finalize': [
    POST('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: '{id}' } }, true),
    PUT('/api/v1/namespaces/{id}/finalize', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: '{id}' },
      spec: { finalizers: [] },
    }),
    GET('/api/v1/namespaces/{id}'),
  ],
  'core.v1.Namespace/finalize one that is being deleted': [
    POST('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: '{id}' } }, true),
    { method: 'DELETE', path: '/api/v1/namespaces/{id}' },
    { method: 'DELETE', path: '/api/v1/namespaces/{id}' },
    POST('/api/v1/namespaces/{id}/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }),
    GET('/api/v1/namespaces/{id}'),
    PUT('/api/v1/namespaces/{id}/finalize', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: '{id}' },
      spec: { finalizers: [] },
    }),
    GET('/api/v1/namespaces/{id}'),
  ],
  'core.v1.Namespace/delete of those that must stay': ['default', 'kube-system', 'kube-public'].map(
    (name): DiffRequest => ({ method: 'DELETE', path: `/api/v1/namespaces/${name}` }),
  ),
  'core.v1.ServiceAccount/token': [account, POST(`${accounts}/a/token`, token({}))],
  'core.v1.ServiceAccount/token of an audience': [
    account,
    POST(`${accounts}/a/token`, token({ audiences: ['one', 'two'], expirationSeconds: 3600 })),
  ],
  'core.v1.ServiceAccount/token for too short': [account, POST(`${accounts}/a/token`, token({ expirationSeconds: 5 }))],
  'core.v1.ServiceAccount/token for too long': [
    account,
    POST(`${accounts}/a/token`, token({ expirationSeconds: 4294967297 })),
  ],
  'core.v1.ServiceAccount/token of an absent one': [POST(`${accounts}/a/token`, token({}))],
  'core.v1.ServiceAccount/token bound to an absent pod': [
    account,
    POST(`${accounts}/a/token`, token({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'x' } })),
  ],
  'core.v1.ServiceAccount/token bound to an absent secret': [
    account,
    POST(`${accounts}/a/token`, token({ boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'x' } })),
  ],
  'core.v1.ServiceAccount/token bound to another kind': [
    account,
    POST(`${accounts}/a/token`, token({ boundObjectRef: { kind: 'ConfigMap', apiVersion: 'v1', name: 'x' } })),
  ],
  'core.v1.ServiceAccount/token under another name': [
    account,
    POST(`${accounts}/a/token`, token({}, { metadata: { name: 'b' } })),
  ],
  'core.v1.ServiceAccount/token get': [account, GET(`${accounts}/a/token`)],
  'certificates.k8s.io.v1.CertificateSigningRequest/create with no request': [POST(csrs, CSR_CONTENT('bm90aGluZw=='))],
};

const as = (user: string, more: Readonly<Record<string, string>> = {}) => ({ 'impersonate-user': user, ...more });
const accessed = (
  what: string,
  headers: Readonly<Record<string, string>>,
  requests: readonly DiffRequest[],
): DiffCase => ({
  id: `verbs/access/${what}`,
  area: 'verbs',
  requests: requests.map((r) => (r.isSetUp === true ? r : { ...r, headers: { ...r.headers, ...headers } })),
});

const whoAmI = POST('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'SelfSubjectReview',
});
const everything: readonly DiffRequest[] = [
  GET('/api'),
  GET('/version'),
  GET('/healthz'),
  GET('/metrics/x'),
  GET('/api/v1/nodes'),
  GET('/api/v1/nodes/n'),
  GET('/api/v1/namespaces/{ns}/pods'),
  GET('/api/v1/namespaces/{ns}/pods/p/log'),
  GET('/api/v1/namespaces/{ns}/pods?watch=true&timeoutSeconds=1'),
  POST('/api/v1/namespaces/{ns}/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } }),
  PUT('/apis/apps/v1/namespaces/{ns}/deployments/d/scale', {}),
  merge('/apis/apps/v1/namespaces/{ns}/deployments/d', {}),
  { method: 'DELETE', path: '/apis/rbac.authorization.k8s.io/v1/clusterroles/x' },
  { method: 'DELETE', path: '/apis/apps/v1/namespaces/{ns}/deployments' },
  GET('/apis/absent/v1/things'),
  GET('/absent'),
];

function* accessCases(): Iterable<DiffCase> {
  yield accessed('nobody', { authorization: 'none' }, everything);
  yield accessed('a wrong token', { authorization: 'Bearer wrong' }, everything);
  yield accessed('a malformed token', { authorization: 'Bearer a.b.c' }, [GET('/api/v1/nodes')]);
  yield accessed('a password', { authorization: 'Basic YTpi' }, [GET('/api/v1/nodes')]);
  for (const user of [
    'jane',
    'system:kube-scheduler',
    'system:kube-controller-manager',
    'system:kube-proxy',
    'system:anonymous',
    'system:serviceaccount:kube-system:deployment-controller',
    'system:serviceaccount:kube-system:default',
  ])
    yield accessed(`as ${user}`, as(user), everything);
  for (const group of [
    'system:masters',
    'system:authenticated',
    'system:unauthenticated',
    'system:nodes',
    'system:monitoring',
    'system:bootstrappers',
  ])
    yield accessed(`as jane in ${group}`, as('jane', { 'impersonate-group': group }), everything);
  yield accessed('who: asked by the admin', {}, [whoAmI]);
  yield accessed('who: asked as jane', as('jane'), [whoAmI]);
  yield accessed('who: asked as jane in a group', as('jane', { 'impersonate-group': 'people' }), [whoAmI]);
  yield accessed(
    'who: asked as jane with more',
    as('jane', {
      'impersonate-uid': 'u-1',
      'impersonate-extra-scopes': 'a',
      'impersonate-extra-example.com%2fteam': 'b',
    }),
    [whoAmI],
  );
  yield accessed('who: asked as a service account', as('system:serviceaccount:default:x'), [whoAmI]);
  yield accessed('who: asked as a node', as('system:node:n1', { 'impersonate-group': 'system:nodes' }), [whoAmI]);
  yield accessed('who: asked as nobody', { authorization: 'none' }, [whoAmI]);
  yield accessed('a group without a user', { 'impersonate-group': 'people' }, [whoAmI]);
  yield accessed('an uid without a user', { 'impersonate-uid': 'u' }, [whoAmI]);
  const review = (spec: Json) =>
    POST('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec,
    });
  const may = (who: Json, attributes: Json) => review({ ...who, resourceAttributes: attributes });
  for (const [name, who] of Object.entries({
    jane: { user: 'jane' },
    masters: { groups: ['system:masters'] },
    scheduler: { user: 'system:kube-scheduler' },
    node: { user: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
    'deployment controller': { user: 'system:serviceaccount:kube-system:deployment-controller' },
    'endpoint slice controller': { user: 'system:serviceaccount:kube-system:endpointslice-controller' },
    'garbage collector': { user: 'system:serviceaccount:kube-system:generic-garbage-collector' },
    nobody: {},
  })) {
    const asked: readonly Json[] = [
      { verb: 'get', resource: 'pods', namespace: 'default' },
      { verb: 'list', resource: 'pods' },
      { verb: 'create', resource: 'pods', subresource: 'binding', namespace: 'default' },
      { verb: 'get', resource: 'secrets', namespace: 'default', name: 's' },
      { verb: 'get', resource: 'nodes', name: 'n1' },
      { verb: 'update', resource: 'nodes', subresource: 'status', name: 'n1' },
      { verb: 'create', resource: 'events', namespace: 'default' },
      { verb: 'update', group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease', name: 'n1' },
      { verb: 'create', group: 'apps', resource: 'replicasets', namespace: 'default' },
      { verb: 'update', group: 'apps', resource: 'deployments', subresource: 'status', namespace: 'default' },
      { verb: 'delete', group: 'example.com', resource: 'things' },
      { verb: '*', group: '*', resource: '*' },
      { verb: 'create', group: 'certificates.k8s.io', resource: 'certificatesigningrequests' },
      { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' },
    ];
    yield { id: `verbs/access/may ${name}`, area: 'verbs', requests: asked.map((attributes) => may(who, attributes)) };
    yield {
      id: `verbs/access/may ${name} go to`,
      area: 'verbs',
      requests: ['/api', '/metrics', '/logs', '/apis/*'].map((path) =>
        review({ ...who, nonResourceAttributes: { verb: 'get', path } }),
      ),
    };
  }
}

export function* specialCases(): Iterable<DiffCase> {
  for (const [what, requests] of Object.entries(SPECIAL)) yield { id: `verbs/${what}`, area: 'verbs', requests };
  yield* accessCases();
}

/** For approval of requests: the same condition given, given twice, contradicted, and put where it may not be. */
export function* approvalCases(request: unknown): Iterable<DiffCase> {
  const path = `${csrs}/{id}/approval`;
  const createOne = POST(csrs, CSR_CONTENT(request), true);
  const put = (conditions: readonly Json[], at = path) => PUT(at, { ...CSR_CONTENT(request), status: { conditions } });
  const stories: Readonly<Record<string, readonly DiffRequest[]>> = {
    get: [createOne, GET(path)],
    approve: [createOne, put([condition('Approved')]), GET(`${csrs}/{id}`)],
    deny: [createOne, put([condition('Denied')])],
    'approve twice': [createOne, put([condition('Approved')]), put([condition('Approved'), condition('Approved')])],
    'approve and deny': [createOne, put([condition('Approved'), condition('Denied')])],
    'deny what is approved': [createOne, put([condition('Approved')]), put([condition('Denied')])],
    'approve with status False': [createOne, put([condition('Approved', { status: 'False' })])],
    'fail by approval': [createOne, put([condition('Failed')])],
    'approve by status': [createOne, put([condition('Approved')], `${csrs}/{id}/status`)],
    'issue by status': [
      createOne,
      PUT(`${csrs}/{id}/status`, { ...CSR_CONTENT(request), status: { certificate: 'bm90aGluZw==' } }),
    ],
    'approve with a patch': [createOne, merge(path, { status: { conditions: [condition('Approved')] } })],
    'change the request': [createOne, merge(`${csrs}/{id}`, { spec: { signerName: 'example.com/other' } })],
  };
  for (const [what, requests] of Object.entries(stories))
    yield { id: `verbs/certificates.k8s.io.v1.CertificateSigningRequest/approval: ${what}`, area: 'verbs', requests };
}
