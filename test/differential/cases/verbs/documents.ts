// What is not an object: wrong methods and paths of each resource, discovery, versions, health, and the resources that are off by default.
import type { DiffCase, DiffRequest } from '../../case.ts';
import { kindCases, offByDefault } from './kinds.ts';
import type { Script, Subject } from './script.ts';

const ask = (method: string, path: string, body?: unknown): DiffRequest => ({
  method,
  path,
  ...(body === undefined ? {} : { body }),
});
const one = (what: string, method: string, at: (s: Subject) => string, breadth: Script['for'] = 'all'): Script => ({
  what,
  for: breadth,
  isSingle: true,
  requests: (s) => [
    ask(method, at(s), method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? undefined : s.object()),
  ],
});

export const methodScripts: readonly Script[] = [
  one('POST on an object', 'POST', (s) => s.one),
  one('PUT on a collection', 'PUT', (s) => s.all),
  one('PATCH on a collection', 'PATCH', (s) => s.all),
  one('OPTIONS on a collection', 'OPTIONS', (s) => s.all, 'some'),
  one('an unknown method on a collection', 'TURN', (s) => s.all, 'some'),
  one('an unknown method on an object', 'TURN', (s) => s.one, 'some'),
  one('HEAD on a collection', 'HEAD', (s) => s.all, 'some'),
  one('a slash at the end of the collection', 'GET', (s) => `${s.all}/?labelSelector=case%3D{id}`, 'some'),
  one('two slashes within the path', 'GET', (s) => s.mine.replace('/namespaces/', '//namespaces/'), 'some'),
  one('a path of too many parts', 'GET', (s) => `${s.one}/a/b/c`, 'some'),
  one('a capital in the resource', 'GET', (s) => s.all.replace(/([^/]+)$/, (r) => r.toUpperCase()), 'some'),
  {
    what: 'verbs it does not have',
    for: 'all',
    isSingle: true,
    needs: (k) => !k.isStored,
    requests: (s) => [ask('GET', s.one), ask('GET', s.all), ask('DELETE', s.one), ask('PUT', s.one, s.object())],
  },
  {
    what: 'collection across namespaces is not written',
    for: 'some',
    isSingle: true,
    needs: (k) => k.served.namespaced,
    requests: (s) => [
      ask('PUT', s.all.replace('/namespaces/{ns}', ''), {}),
      ask('DELETE', `${s.all.replace('/namespaces/{ns}', '')}/x`),
    ],
  },
];

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

export function* documentCases(): Iterable<DiffCase> {
  const simple = (
    what: string,
    path: string,
    headers?: Record<string, string>,
    alsoHeaders: readonly string[] = [],
  ): DiffCase => ({
    id: `verbs/documents/${what}`,
    area: 'verbs',
    requests: [{ method: 'GET', path, alsoHeaders, ...(headers === undefined ? {} : { headers }) }],
  });
  const everywhere = [
    'audit-id',
    'x-kubernetes-pf-flowschema-uid',
    'x-kubernetes-pf-prioritylevel-uid',
    'date',
    'x-content-type-options',
  ];
  yield simple('headers of a document', '/api', undefined, everywhere);
  yield simple('headers of an object', '/api/v1/namespaces/default', undefined, everywhere);
  yield simple('headers of a list', '/api/v1/configmaps?labelSelector=nobody%3Dhas', undefined, everywhere);
  yield simple('headers of an absent object', '/api/v1/namespaces/absent', undefined, everywhere);
  yield simple('headers of an absent path', '/absent', undefined, everywhere);
  yield simple('headers of health', '/readyz', undefined, everywhere);
  for (const path of [
    '/',
    '/api',
    '/apis',
    '/api/',
    '/apis/',
    '/version',
    '/version/',
    '/healthz',
    '/livez',
    '/readyz',
    '/healthz/ping',
    '/healthz/etcd',
    '/livez/ping',
    '/readyz/ping',
    '/readyz/shutdown',
    '/healthz/absent',
    '/absent',
    '/api/v2',
    '/apis/absent',
    '/apis/apps',
    '/apis/apps/v2',
    '/api/v1/absent',
    '/apis/apps/v1/absent',
    '/api/v1/namespaces/default/absent',
    '/api/v1/namespaces/default/absent/x',
    '/openapi',
    '/openapi/v3/absent',
    '/openapi/v3/apis/absent/v1',
    '/metrics/absent',
    '/logs/absent',
    '/.well-known/absent',
    '/debug/absent',
    '/api/v1/watch',
    '/api/v1/watch/absent',
  ])
    yield simple(`GET ${path}`, path);
  for (const path of ['/api', '/apis']) {
    yield simple(`aggregated discovery of ${path}`, path, { accept: AGGREGATED });
    yield simple(`aggregated discovery of ${path} or plain`, path, { accept: `${AGGREGATED},application/json` });
    yield simple(`aggregated discovery of ${path} of v2beta1 or v2`, path, {
      accept: `application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,${AGGREGATED}`,
    });
    yield simple(`aggregated discovery of ${path} of v3`, path, { accept: AGGREGATED.replace('v=v2', 'v=v3') });
    yield simple(`aggregated discovery of ${path} without merging`, path, { accept: `${AGGREGATED};profile=nopeer` });
    yield simple(`discovery of ${path} as protobuf`, path, { accept: 'application/vnd.kubernetes.protobuf' });
    yield simple(`discovery of ${path} as XML`, path, { accept: 'text/xml' });
  }
  const versions = new Set(kindCases.map((k) => k.apiVersion));
  for (const version of versions) {
    const path = version === 'v1' ? '/api/v1' : `/apis/${version}`;
    yield simple(`resources of ${version}`, path);
    yield simple(`resources of ${version} as protobuf`, path, { accept: 'application/vnd.kubernetes.protobuf' });
  }
  for (const group of new Set(kindCases.map((k) => k.served.group).filter((g) => g !== '')))
    yield simple(`versions of ${group}`, `/apis/${group}`);
  for (const { group, version, resource, namespaced } of offByDefault) {
    const root = `/apis/${group}/${version}`;
    const path = namespaced ? `${root}/namespaces/default/${resource}` : `${root}/${resource}`;
    yield simple(`off by default: list of ${group} ${version} ${resource}`, path);
    yield {
      id: `verbs/documents/off by default: create of ${group} ${version} ${resource}`,
      area: 'verbs',
      requests: [ask('POST', path, {})],
    };
  }
  for (const version of new Set(offByDefault.map((o) => `${o.group}/${o.version}`)))
    yield simple(`off by default: resources of ${version}`, `/apis/${version}`);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TURN'])
    for (const path of ['/api', '/apis', '/version', '/healthz', '/api/v1', '/absent', '/'])
      yield {
        id: `verbs/documents/${method} ${path}`,
        area: 'verbs',
        requests: [ask(method, path, method === 'HEAD' || method === 'OPTIONS' ? undefined : {})],
      };
  // What the original makes for itself: read by tools, and its shape is known.
  for (const [resource, names] of Object.entries({
    'api/v1/namespaces': ['default', 'kube-system', 'kube-public', 'kube-node-lease'],
    'apis/scheduling.k8s.io/v1/priorityclasses': ['system-node-critical', 'system-cluster-critical'],
    'apis/networking.k8s.io/v1/servicecidrs': ['kubernetes'],
    'apis/flowcontrol.apiserver.k8s.io/v1/flowschemas': [
      'exempt',
      'probes',
      'system-leader-election',
      'endpoint-controller',
      'workload-leader-election',
      'system-node-high',
      'system-nodes',
      'kube-controller-manager',
      'kube-scheduler',
      'kube-system-service-accounts',
      'service-accounts',
      'global-default',
      'catch-all',
    ],
    'apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': [
      'exempt',
      'catch-all',
      'global-default',
      'leader-election',
      'node-high',
      'system',
      'workload-high',
      'workload-low',
    ],
    'apis/apiregistration.k8s.io/v1/apiservices': [
      'v1.',
      'v1.apps',
      'v1.batch',
      'v2.autoscaling',
      'v1.rbac.authorization.k8s.io',
    ],
    'apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles': [
      'extension-apiserver-authentication-reader',
      'system::leader-locking-kube-controller-manager',
      'system::leader-locking-kube-scheduler',
      'system:controller:bootstrap-signer',
      'system:controller:cloud-provider',
      'system:controller:token-cleaner',
    ],
    'apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/roles': ['system:controller:bootstrap-signer'],
  }))
    for (const name of names)
      yield simple(`built in: ${resource.split('/').slice(-3).join(' ')} ${name}`, `/${resource}/${name}`);
  for (const resource of ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'])
    yield simple(
      `built in: all ${resource}`,
      `/apis/rbac.authorization.k8s.io/v1/${resource}?labelSelector=kubernetes.io%2Fbootstrapping%3Drbac-defaults`,
    );
  for (const role of CLUSTER_ROLES) {
    yield simple(`built in: clusterrole ${role}`, `/apis/rbac.authorization.k8s.io/v1/clusterroles/${role}`);
    yield simple(
      `built in: clusterrolebinding ${role}`,
      `/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/${role}`,
    );
  }
}

const CLUSTER_ROLES: readonly string[] = [
  'admin',
  'cluster-admin',
  'edit',
  'view',
  'system:aggregate-to-admin',
  'system:aggregate-to-edit',
  'system:aggregate-to-view',
  'system:auth-delegator',
  'system:basic-user',
  'system:certificates.k8s.io:kube-apiserver-client-approver',
  'system:discovery',
  'system:heapster',
  'system:kube-aggregator',
  'system:kube-controller-manager',
  'system:kube-dns',
  'system:kube-scheduler',
  'system:kubelet-api-admin',
  'system:monitoring',
  'system:node',
  'system:node-bootstrapper',
  'system:node-problem-detector',
  'system:node-proxier',
  'system:persistent-volume-provisioner',
  'system:public-info-viewer',
  'system:service-account-issuer-discovery',
  'system:volume-scheduler',
  ...[
    'attachdetach-controller',
    'certificate-controller',
    'clusterrole-aggregation-controller',
    'cronjob-controller',
    'daemon-set-controller',
    'deployment-controller',
    'disruption-controller',
    'endpoint-controller',
    'endpointslice-controller',
    'endpointslicemirroring-controller',
    'ephemeral-volume-controller',
    'expand-controller',
    'generic-garbage-collector',
    'horizontal-pod-autoscaler',
    'job-controller',
    'legacy-service-account-token-cleaner',
    'namespace-controller',
    'node-controller',
    'persistent-volume-binder',
    'pod-garbage-collector',
    'pv-protection-controller',
    'pvc-protection-controller',
    'replicaset-controller',
    'replication-controller',
    'resourcequota-controller',
    'root-ca-cert-publisher',
    'route-controller',
    'selinux-warning-controller',
    'service-account-controller',
    'service-cidrs-controller',
    'service-controller',
    'statefulset-controller',
    'ttl-after-finished-controller',
    'ttl-controller',
    'validatingadmissionpolicy-status-controller',
    'volumeattributesclass-protection-controller',
  ].map((name) => `system:controller:${name}`),
];
