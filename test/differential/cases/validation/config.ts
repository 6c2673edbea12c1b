// Configuration, identities, namespaces, nodes, and the limits they set: what a cluster is furnished with.
import { type Change, type Subject, type Update, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const update = (to: Change, from: Change = {}): Update => ({ from, to });
const status = (to: Change, from: Change = {}): Update => ({ from, to: { status: to }, subresource: 'status' });
const B64 = 'YQ==';
const metadata = (change: Change): Change => ({ metadata: change });
const owner = (change: Change): Change =>
  metadata({
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '0b0dae5b-3d27-4c4d-b6ea-4f4dbbd48d54', ...change },
    ],
  });

const configMaps: Subject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  minimal: {},
  shapes: { whole: { data: { a: 'b' }, binaryData: { c: B64 }, immutable: false } },
  changing: ['whole'],
  crossed: {
    'key-in-both': { data: { a: 'b' }, binaryData: { a: B64 } },
    'key-of-dots': { data: { '..': 'x' } },
    'key-dot-start': { data: { '..a': 'x' } },
    'key-of-254': { data: { ['a'.repeat(254)]: 'x' } },
    'key-with-slash': { data: { 'a/b': 'x' } },
    'value-null': { data: { a: null } },
    'value-of-number': { data: { a: 1 } },
    'data-over-a-mebibyte': { data: { a: 'x'.repeat(1048577) } },
    // What all metadata is checked for stands with this kind.
    'labels-bad-key': metadata({ labels: { 'Bad Key!': 'x' } }),
    'labels-bad-value': metadata({ labels: { a: 'Bad Value!' } }),
    'labels-value-long': metadata({ labels: { a: 'x'.repeat(64) } }),
    'labels-key-long': metadata({ labels: { ['x'.repeat(64)]: 'x' } }),
    'labels-prefix-long': metadata({ labels: { [`${'x'.repeat(254)}/a`]: 'x' } }),
    'labels-two-slashes': metadata({ labels: { 'a/b/c': 'x' } }),
    'labels-empty-prefix': metadata({ labels: { '/a': 'x' } }),
    'labels-of-number': metadata({ labels: { a: 1 } }),
    'labels-of-list': metadata({ labels: ['a'] }),
    'annotations-bad-key': metadata({ annotations: { 'Bad Key!': 'x' } }),
    'annotations-uppercase-key': metadata({ annotations: { 'Example.com/Key': 'x' } }),
    'annotations-too-big': metadata({ annotations: { a: 'x'.repeat(262145) } }),
    'finalizers-unqualified': metadata({ finalizers: ['mine'] }),
    'finalizers-known': metadata({ finalizers: ['foregroundDeletion', 'orphan'] }),
    'finalizers-qualified': metadata({ finalizers: ['example.com/mine'] }),
    'finalizers-malformed': metadata({ finalizers: ['Bad Finalizer!'] }),
    'owner-good': owner({ controller: true, blockOwnerDeletion: true }),
    'owner-without-uid': owner({ uid: gone }),
    'owner-without-name': owner({ name: gone }),
    'owner-without-kind': owner({ kind: gone }),
    'owner-without-version': owner({ apiVersion: gone }),
    'owner-version-bad': owner({ apiVersion: 'a/b/c' }),
    'owner-of-event': owner({ kind: 'Event' }),
    'owners-two-controllers': metadata({
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '1', controller: true },
        { apiVersion: 'v1', kind: 'Pod', name: 'q', uid: '2', controller: true },
      ],
    }),
    'owners-same': metadata({
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '1' },
        { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '1' },
      ],
    }),
    'generation-negative': metadata({ generation: -1 }),
    'generation-of-ones-own': metadata({ generation: 7 }),
    'resource-version-on-create': metadata({ resourceVersion: '5' }),
    'uid-on-create': metadata({ uid: '0b0dae5b-3d27-4c4d-b6ea-4f4dbbd48d54' }),
    'creation-time-on-create': metadata({ creationTimestamp: '2020-01-01T00:00:00Z' }),
    'deletion-time-on-create': metadata({ deletionTimestamp: '2020-01-01T00:00:00Z', deletionGracePeriodSeconds: 5 }),
    'self-link-on-create': metadata({ selfLink: '/x' }),
    'managed-fields-on-create': metadata({
      managedFields: [
        { manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': {} } },
      ],
    }),
    'managed-fields-bad-operation': metadata({
      managedFields: [{ manager: 'm', operation: 'Guess', apiVersion: 'v1', fieldsType: 'FieldsV1' }],
    }),
    'managed-fields-bad-type': metadata({
      managedFields: [{ manager: 'm', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV9' }],
    }),
    'managed-fields-long-manager': metadata({
      managedFields: [{ manager: 'm'.repeat(129), operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1' }],
    }),
    'metadata-gone': { metadata: gone },
    'metadata-of-text': { metadata: 'text' },
    'kind-other': { kind: 'Secret' },
    'kind-missing': { kind: gone },
    'version-other': { apiVersion: 'apps/v1' },
    'version-missing': { apiVersion: gone },
    'kind-unknown': { kind: 'Nonsense' },
    'generate-name-long': metadata({ generateName: 'a'.repeat(260) }),
  },
  updates: {
    'immutable-data-changed': update({ data: { a: 'c' } }, { data: { a: 'b' }, immutable: true }),
    'immutable-unset': update({ immutable: false }, { data: { a: 'b' }, immutable: true }),
    'immutable-gone': update({ immutable: gone }, { data: { a: 'b' }, immutable: true }),
    'immutable-set': update({ immutable: true }, { data: { a: 'b' } }),
    'immutable-labels': update(metadata({ labels: { a: 'b' } }), { data: { a: 'b' }, immutable: true }),
    'immutable-binary-changed': update({ binaryData: { a: 'Yg==' } }, { binaryData: { a: B64 }, immutable: true }),
    'name-other': update(metadata({ name: 'other' })),
    'namespace-other': update(metadata({ namespace: 'other' })),
    'uid-other': update(metadata({ uid: '0b0dae5b-3d27-4c4d-b6ea-4f4dbbd48d54' })),
    'resource-version-malformed': update(metadata({ resourceVersion: 'x' })),
    'resource-version-gone': update(metadata({ resourceVersion: '' })),
    'creation-time-changed': update(metadata({ creationTimestamp: '2020-01-01T00:00:00Z' })),
    'generate-name-changed': update(metadata({ generateName: 'a-' })),
    'owner-added-without-uid': update(owner({ uid: gone })),
    'labels-bad': update(metadata({ labels: { a: 'Bad Value!' } })),
    'finalizer-added': update(metadata({ finalizers: ['example.com/x'] })),
    'kind-other': update({ kind: 'Secret' }),
    'version-missing': update({ apiVersion: gone }),
  },
};

const typed = (type: string, data: Change = {}): Change => ({ type, data });
const secrets: Subject = {
  apiVersion: 'v1',
  kind: 'Secret',
  minimal: {},
  shapes: {
    whole: { data: { a: B64 }, stringData: { b: 'c' }, type: 'Opaque', immutable: false },
    tls: typed('kubernetes.io/tls', { 'tls.crt': B64, 'tls.key': B64 }),
    'basic-auth': typed('kubernetes.io/basic-auth', { username: B64, password: B64 }),
    'ssh-auth': typed('kubernetes.io/ssh-auth', { 'ssh-privatekey': B64 }),
    dockercfg: typed('kubernetes.io/dockercfg', { '.dockercfg': 'e30=' }),
    dockerconfigjson: typed('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': 'e30=' }),
    token: {
      metadata: { annotations: { 'kubernetes.io/service-account.name': 'default' } },
      type: 'kubernetes.io/service-account-token',
    },
    'bootstrap-token': typed('bootstrap.kubernetes.io/token', { 'token-id': B64 }),
    'own-type': typed('example.com/mine', { a: B64 }),
  },
  changing: ['whole', 'tls'],
  crossed: {
    'tls-empty': typed('kubernetes.io/tls'),
    'tls-without-key': typed('kubernetes.io/tls', { 'tls.crt': B64 }),
    'basic-auth-empty': typed('kubernetes.io/basic-auth'),
    'ssh-auth-empty': typed('kubernetes.io/ssh-auth'),
    'dockercfg-empty': typed('kubernetes.io/dockercfg'),
    'dockercfg-no-json': typed('kubernetes.io/dockercfg', { '.dockercfg': B64 }),
    'dockerconfigjson-empty': typed('kubernetes.io/dockerconfigjson'),
    'dockerconfigjson-no-json': typed('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': B64 }),
    'token-without-account': typed('kubernetes.io/service-account-token'),
    'string-data-over-data': { data: { a: B64 }, stringData: { a: 'new' } },
    'string-data-bad-key': { stringData: { 'Bad Key!': 'x' } },
    'data-no-base64': { data: { a: '!!' } },
    'data-unpadded': { data: { a: 'YQ' } },
    'data-with-newline': { data: { a: 'YQ==\n' } },
    'data-url-alphabet': { data: { a: '_-8=' } },
    'key-of-dots': { data: { '..': B64 } },
    'data-over-a-mebibyte': { stringData: { a: 'x'.repeat(1048577) } },
  },
  updates: {
    'type-changed': update({ type: 'example.com/b' }, { type: 'example.com/a' }),
    'type-gone': update({ type: gone }, { type: 'example.com/a' }),
    'immutable-data-changed': update({ data: { a: 'Yg==' } }, { data: { a: B64 }, immutable: true }),
    'immutable-unset': update({ immutable: false }, { data: { a: B64 }, immutable: true }),
    'tls-key-removed': update(
      { data: { 'tls.key': gone } },
      typed('kubernetes.io/tls', { 'tls.crt': B64, 'tls.key': B64 }),
    ),
  },
};

const serviceAccounts: Subject = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  minimal: {},
  shapes: {
    whole: { secrets: [{ name: 's' }], imagePullSecrets: [{ name: 'p' }], automountServiceAccountToken: false },
  },
  changing: ['whole'],
  crossed: {
    'enforce-annotation': { metadata: { annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } },
  },
};

const namespaces: Subject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  // The generated name is a label, too.
  unsteady: ['create with metadata generate-name'],
  minimal: {},
  shapes: { finalizers: spec({ finalizers: ['kubernetes'] }) },
  changing: ['finalizers'],
  crossed: {
    'finalizer-bad': spec({ finalizers: ['Bad Finalizer!'] }),
    'finalizer-unqualified': spec({ finalizers: ['mine'] }),
    'name-label-other': { metadata: { labels: { 'kubernetes.io/metadata.name': 'other' } } },
    'pod-security-bad': { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'nonsense' } } },
    'pod-security-version-bad': { metadata: { labels: { 'pod-security.kubernetes.io/enforce-version': 'v9' } } },
    'pod-security-good': { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } },
    'name-of-63': { metadata: { name: 'a'.repeat(63) } },
  },
  updates: {
    'name-label-removed': update({ metadata: { labels: { a: 'b' } } }),
    'status-phase': status({ phase: 'Terminating' }),
    'finalize-bad': { subresource: 'finalize', to: spec({ finalizers: ['mine'] }) },
    'finalize-good': { subresource: 'finalize', to: spec({ finalizers: ['example.com/x', 'kubernetes'] }) },
  },
};

const nodes: Subject = {
  apiVersion: 'v1',
  kind: 'Node',
  minimal: {},
  shapes: {
    whole: spec({
      podCIDR: '10.244.9.0/24',
      podCIDRs: ['10.244.9.0/24'],
      providerID: 'x://1',
      unschedulable: true,
      taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }],
    }),
    status: {
      status: {
        capacity: { cpu: '2', memory: '4Gi', pods: '110' },
        allocatable: { cpu: '2' },
        addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
        images: [{ names: ['i'], sizeBytes: 5 }],
      },
    },
    'config-source': spec({ configSource: { configMap: { namespace: 'n', name: 'c', kubeletConfigKey: 'k' } } }),
  },
  changing: ['whole'],
  crossed: {
    'taint-twice': spec({
      taints: [
        { key: 'k', effect: 'NoSchedule' },
        { key: 'k', effect: 'NoSchedule' },
      ],
    }),
    'taint-two-effects': spec({
      taints: [
        { key: 'k', effect: 'NoSchedule' },
        { key: 'k', effect: 'NoExecute' },
      ],
    }),
    'taint-effect-missing': spec({ taints: [{ key: 'k' }] }),
    'taint-key-bad': spec({ taints: [{ key: 'Bad Key!', effect: 'NoSchedule' }] }),
    'pod-cidrs-differ': spec({ podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.8.0/24'] }),
    'pod-cidrs-two-of-a-family': spec({ podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.9.0/24', '10.244.8.0/24'] }),
    'pod-cidrs-dual': spec({ podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.9.0/24', 'fd00::/64'] }),
    'pod-cidr-bad': spec({ podCIDR: 'nope' }),
    'avoid-pods-annotation-bad': {
      metadata: { annotations: { 'scheduler.alpha.kubernetes.io/preferAvoidPods': 'x' } },
    },
    'address-same': {
      status: {
        addresses: [
          { type: 'InternalIP', address: '192.0.2.1' },
          { type: 'InternalIP', address: '192.0.2.1' },
        ],
      },
    },
    'capacity-negative': { status: { capacity: { cpu: '-1' } } },
    'capacity-fractional-extended': { status: { capacity: { 'example.com/gpu': '1500m' } } },
    'name-uppercase-dns': { metadata: { name: 'Node-1' } },
  },
  updates: {
    'provider-id-changed': update(spec({ providerID: 'b' }), spec({ providerID: 'a' })),
    'provider-id-set': update(spec({ providerID: 'a' })),
    'pod-cidr-changed': update(
      spec({ podCIDR: '10.244.8.0/24', podCIDRs: ['10.244.8.0/24'] }),
      spec({ podCIDR: '10.244.9.0/24' }),
    ),
    'pod-cidr-set': update(spec({ podCIDR: '10.244.8.0/24' })),
    'taint-bad': update(spec({ taints: [{ key: 'k', effect: 'Nope' }] })),
    'status-good': status({ capacity: { cpu: '4' }, conditions: [{ type: 'Ready', status: 'True' }] }),
    'status-negative': status({ capacity: { cpu: '-4' }, allocatable: { memory: '-1' } }),
    'status-addresses-same': status({
      addresses: [
        { type: 'Hostname', address: 'a' },
        { type: 'Hostname', address: 'a' },
      ],
    }),
    unschedulable: update(spec({ unschedulable: true })),
  },
};

const limit = (change: Change): Change => spec({ limits: [change] });
const limitRanges: Subject = {
  apiVersion: 'v1',
  kind: 'LimitRange',
  // A missing name is made up of random digits.
  unsteady: ['create with metadata name-missing'],
  minimal: { spec: { limits: [] } },
  shapes: {
    container: limit({
      type: 'Container',
      max: { cpu: '2' },
      min: { cpu: '100m' },
      default: { cpu: '1' },
      defaultRequest: { cpu: '500m' },
      maxLimitRequestRatio: { cpu: '4' },
    }),
    pod: limit({ type: 'Pod', max: { cpu: '2', memory: '1Gi' }, min: { cpu: '100m' } }),
    claim: limit({ type: 'PersistentVolumeClaim', max: { storage: '2Gi' }, min: { storage: '1Gi' } }),
    'max-only': limit({ type: 'Container', max: { memory: '1Gi' } }),
    'min-only': limit({ type: 'Container', min: { memory: '1Gi' } }),
  },
  changing: ['container'],
  crossed: {
    'type-twice': spec({
      limits: [
        { type: 'Pod', max: { cpu: '1' } },
        { type: 'Pod', max: { cpu: '2' } },
      ],
    }),
    'type-qualified': limit({ type: 'example.com/thing', max: { cpu: '1' } }),
    'type-unqualified': limit({ type: 'Thing', max: { cpu: '1' } }),
    'min-over-max': limit({ type: 'Pod', max: { cpu: '1' }, min: { cpu: '2' } }),
    'min-over-default': limit({ type: 'Container', min: { cpu: '2' }, default: { cpu: '1' } }),
    'default-over-max': limit({ type: 'Container', max: { cpu: '1' }, default: { cpu: '2' } }),
    'request-over-default': limit({ type: 'Container', default: { cpu: '1' }, defaultRequest: { cpu: '2' } }),
    'request-over-max': limit({ type: 'Container', max: { cpu: '1' }, defaultRequest: { cpu: '2' } }),
    'request-below-min': limit({ type: 'Container', min: { cpu: '1' }, defaultRequest: { cpu: '500m' } }),
    'ratio-below-one': limit({ type: 'Container', maxLimitRequestRatio: { cpu: '500m' } }),
    'ratio-over-max-by-min': limit({
      type: 'Container',
      max: { cpu: '2' },
      min: { cpu: '1' },
      maxLimitRequestRatio: { cpu: '4' },
    }),
    'pod-with-default': limit({ type: 'Pod', default: { cpu: '1' }, defaultRequest: { cpu: '1' } }),
    'claim-without-storage': limit({ type: 'PersistentVolumeClaim', max: { cpu: '1' } }),
    'resource-unknown': limit({ type: 'Container', max: { gpus: '1' } }),
    'hugepages-differ': limit({
      type: 'Container',
      default: { 'hugepages-2Mi': '2Mi' },
      defaultRequest: { 'hugepages-2Mi': '4Mi' },
    }),
    'extended-request-below': limit({
      type: 'Container',
      default: { 'example.com/gpu': '2' },
      defaultRequest: { 'example.com/gpu': '1' },
    }),
  },
};

const scope = (...matchExpressions: readonly Change[]): Change => spec({ scopeSelector: { matchExpressions } });
const quotas: Subject = {
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  minimal: { spec: { hard: { pods: '5' } } },
  shapes: {
    scopes: spec({ scopes: ['NotTerminating'] }),
    selector: scope({ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }),
  },
  changing: [''],
  crossed: {
    ...Object.fromEntries(
      [
        'requests.cpu',
        'limits.memory',
        'count/deployments.apps',
        'count/x',
        'requests.storage',
        'fast.storageclass.storage.k8s.io/requests.storage',
        'example.com/gpu',
        'requests.example.com/gpu',
        'limits.example.com/gpu',
        'services.nodeports',
        'cpu',
        'gpus',
        'hugepages-2Mi',
        'requests.hugepages-2Mi',
        'gold.deviceclass.resource.k8s.io/devices',
      ].map((name) => [`hard-of-${name}`, spec({ hard: { [name]: '1' } })]),
    ),
    'hard-none': { spec: { hard: gone } },
    'hard-fractional-count': spec({ hard: { pods: '500m' } }),
    'scopes-contradict': spec({ scopes: ['Terminating', 'NotTerminating'] }),
    'scopes-best-effort-both': spec({ scopes: ['BestEffort', 'NotBestEffort'] }),
    'scope-twice': spec({ scopes: ['Terminating', 'Terminating'] }),
    'scope-unknown': spec({ scopes: ['Sometimes'] }),
    'best-effort-with-cpu': spec({ hard: { cpu: '1' }, scopes: ['BestEffort'] }),
    'scope-not-for-services': spec({ hard: { services: '1' }, scopes: ['Terminating'] }),
    'selector-exists-with-values': scope({ scopeName: 'PriorityClass', operator: 'Exists', values: ['a'] }),
    'selector-in-without-values': scope({ scopeName: 'PriorityClass', operator: 'In' }),
    'selector-terminating-in': scope({ scopeName: 'Terminating', operator: 'In', values: ['a'] }),
    'selector-operator-unknown': scope({ scopeName: 'PriorityClass', operator: 'Near' }),
    'selector-scope-unknown': scope({ scopeName: 'Sometimes', operator: 'Exists' }),
    'selector-attributes-class': scope({ scopeName: 'VolumeAttributesClass', operator: 'In', values: ['a'] }),
    'selector-cross-namespace': scope({ scopeName: 'CrossNamespacePodAffinity', operator: 'Exists' }),
  },
  updates: {
    'scopes-changed': update(spec({ scopes: ['Terminating'] }), spec({ scopes: ['NotTerminating'] })),
    hard: update(spec({ hard: { pods: '7', cpu: '1' } })),
    'status-good': status({ hard: { pods: '5' }, used: { pods: '1' } }),
    'status-negative': status({ hard: { pods: '5' }, used: { pods: '-1' } }),
  },
};

const priorityClasses: Subject = {
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  minimal: { value: 5 },
  shapes: { whole: { description: 'd', preemptionPolicy: 'Never', globalDefault: false } },
  changing: ['whole'],
  crossed: {
    'value-missing': { value: gone },
    'value-system': { value: 1000000001 },
    'value-highest': { value: 1000000000 },
    'value-negative': { value: -5 },
    'global-default': { globalDefault: true },
    'policy-unknown': { preemptionPolicy: 'Sometimes' },
    'name-system': { metadata: { name: 'system-mine' } },
  },
};

const runtimeClasses: Subject = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  minimal: { handler: 'runc' },
  shapes: {
    overhead: { overhead: { podFixed: { cpu: '100m', memory: '10Mi' } } },
    scheduling: {
      scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }] },
    },
  },
  changing: ['', 'scheduling'],
  crossed: {
    'handler-bad': { handler: 'Bad Handler!' },
    'handler-missing': { handler: gone },
    'overhead-unknown-resource': { overhead: { podFixed: { gpus: '1' } } },
    'tolerations-same': {
      scheduling: {
        tolerations: [
          { key: 'k', operator: 'Exists' },
          { key: 'k', operator: 'Exists' },
        ],
      },
    },
  },
};

const TIME = '2030-01-01T00:00:00.000000Z';
const leases: Subject = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  minimal: {},
  shapes: {
    whole: spec({
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      acquireTime: TIME,
      renewTime: TIME,
      leaseTransitions: 1,
      strategy: 'OldestEmulationVersion',
    }),
  },
  changing: ['whole'],
  crossed: {
    'strategy-unknown': spec({ strategy: 'Bad Strategy!', holderIdentity: 'a' }),
    'holder-empty': spec({ holderIdentity: '', leaseDurationSeconds: 1 }),
    'preferred-without-strategy': spec({ preferredHolder: 'x' }),
    'time-without-fraction': spec({ renewTime: '2030-01-01T00:00:00Z' }),
    'time-of-nine-digits': spec({ renewTime: '2030-01-01T00:00:00.123456789Z' }),
    'time-with-offset': spec({ renewTime: '2030-01-01T00:00:00.000000+02:00' }),
  },
};

const INVOLVED: Change = { kind: 'Pod', namespace: '{ns}', name: 'p', apiVersion: 'v1' };
const coreEvents: Subject = {
  apiVersion: 'v1',
  kind: 'Event',
  minimal: { involvedObject: INVOLVED },
  shapes: {
    whole: {
      reason: 'R',
      message: 'm',
      type: 'Normal',
      count: 2,
      source: { component: 'c', host: 'h' },
      firstTimestamp: '2030-01-01T00:00:00Z',
      lastTimestamp: '2030-01-01T00:00:00Z',
      action: 'a',
      reportingComponent: 'example.com/r',
      reportingInstance: 'i',
      related: { kind: 'Node', name: 'n' },
    },
    'new-style': {
      eventTime: TIME,
      reportingComponent: 'example.com/r',
      reportingInstance: 'i',
      action: 'A',
      reason: 'R',
      type: 'Warning',
      series: { count: 2, lastObservedTime: TIME },
    },
  },
  changing: ['whole', 'new-style'],
  crossed: {
    'namespace-differs': { involvedObject: { namespace: 'other' } },
    'object-without-namespace': { involvedObject: { namespace: gone } },
    'object-cluster-scoped': { involvedObject: { kind: 'Node', namespace: gone } },
    'type-unknown': { type: 'Odd' },
    'new-style-bare': { eventTime: TIME },
    'new-style-type-unknown': {
      eventTime: TIME,
      reportingComponent: 'example.com/r',
      reportingInstance: 'i',
      action: 'A',
      reason: 'R',
      type: 'Odd',
    },
    'new-style-long': {
      eventTime: TIME,
      reportingComponent: 'example.com/r',
      reportingInstance: 'i'.repeat(129),
      action: 'A'.repeat(129),
      reason: 'R'.repeat(129),
      type: 'Normal',
      message: 'm'.repeat(1025),
    },
    'message-long': { message: 'm'.repeat(2000) },
  },
};

const newEvents: Subject = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  minimal: {
    eventTime: TIME,
    regarding: INVOLVED,
    reportingController: 'example.com/r',
    reportingInstance: 'i',
    action: 'A',
    reason: 'R',
    type: 'Normal',
  },
  shapes: { whole: { note: 'n', related: { kind: 'Node', name: 'n' }, series: { count: 2, lastObservedTime: TIME } } },
  changing: ['', 'whole'],
  crossed: {
    'event-time-missing': { eventTime: gone },
    'namespace-differs': { regarding: { namespace: 'other' } },
    'controller-missing': { reportingController: gone },
    'controller-malformed': { reportingController: 'Bad Controller!' },
    'instance-missing': { reportingInstance: gone },
    'reason-long': { reason: 'R'.repeat(129) },
    'note-long': { note: 'n'.repeat(1025) },
    'type-unknown': { type: 'Odd' },
    'deprecated-set': {
      deprecatedCount: 1,
      deprecatedSource: { component: 'c' },
      deprecatedFirstTimestamp: '2030-01-01T00:00:00Z',
      deprecatedLastTimestamp: '2030-01-01T00:00:00Z',
    },
    'series-count-1': { series: { count: 1, lastObservedTime: TIME } },
    'series-without-time': { series: { count: 2 } },
  },
};

export const config: readonly Subject[] = [
  configMaps,
  secrets,
  serviceAccounts,
  namespaces,
  nodes,
  limitRanges,
  quotas,
  priorityClasses,
  runtimeClasses,
  leases,
  coreEvents,
  newEvents,
];
