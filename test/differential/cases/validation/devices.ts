// Devices: classes, claims, templates, slices.
import { type Change, type Subject, type Update, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const update = (to: Change, from: Change = {}): Update => ({ from, to });
const GROUP = 'resource.k8s.io/v1';
const CEL: Change = { cel: { expression: "device.driver == 'd.example.com'" } };
const OPAQUE: Change = { opaque: { driver: 'd.example.com', parameters: { a: 1 } } };

const classes: Subject = {
  apiVersion: GROUP,
  kind: 'DeviceClass',
  minimal: { spec: {} },
  shapes: { whole: spec({ selectors: [CEL], config: [OPAQUE], extendedResourceName: 'example.com/gpu' }) },
  changing: ['whole'],
  crossed: {
    'selector-empty': spec({ selectors: [{}] }),
    'selector-syntax': spec({ selectors: [{ cel: { expression: 'device.driver ==' } }] }),
    'selector-not-boolean': spec({ selectors: [{ cel: { expression: '5' } }] }),
    'selector-long': spec({ selectors: [{ cel: { expression: `"${'a'.repeat(10300)}" == ""` } }] }),
    'selectors-33': spec({ selectors: Array.from({ length: 33 }, () => CEL) }),
    'config-empty': spec({ config: [{}] }),
    'config-driver-bad': spec({ config: [{ opaque: { driver: 'Bad_', parameters: {} } }] }),
    'config-parameters-of-number': spec({ config: [{ opaque: { driver: 'd', parameters: 5 } }] }),
    'extended-name-bad': spec({ extendedResourceName: 'gpu' }),
  },
};

const REQUEST: Change = { name: 'r', exactly: { deviceClassName: 'c' } };
const devices = (change: Change): Change => spec({ devices: change });
const request = (change: Change): Change => devices({ requests: [change] });
const claimShapes: Readonly<Record<string, Change>> = {
  exactly: request({
    exactly: {
      selectors: [CEL],
      allocationMode: 'ExactCount',
      count: 2,
      tolerations: [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute', tolerationSeconds: 5 }],
      capacity: { requests: { memory: '1Gi' } },
    },
  }),
  all: request({ exactly: { allocationMode: 'All' } }),
  'first-available': request({
    exactly: gone,
    firstAvailable: [{ name: 'a', deviceClassName: 'c', count: 1, allocationMode: 'ExactCount', selectors: [CEL] }],
  }),
  constraints: devices({ constraints: [{ requests: ['r'], matchAttribute: 'd.example.com/numa' }] }),
  config: devices({ config: [{ requests: ['r'], ...OPAQUE }] }),
};
const claimCrossed: Readonly<Record<string, Change>> = {
  'requests-none': { spec: { devices: gone } },
  'requests-of-one-name': devices({ requests: [{}, REQUEST] }),
  'requests-33': devices({
    requests: Array.from({ length: 33 }, (_, i) => ({ name: `r${i}`, exactly: { deviceClassName: 'c' } })),
  }),
  'request-both': request({ firstAvailable: [{ name: 'a', deviceClassName: 'c' }] }),
  'request-neither': request({ exactly: gone }),
  'request-name-with-slash': request({ name: 'a/b' }),
  'class-missing': request({ exactly: { deviceClassName: gone } }),
  'class-bad': request({ exactly: { deviceClassName: 'Bad Class!' } }),
  'mode-unknown': request({ exactly: { allocationMode: 'Some' } }),
  'all-with-count': request({ exactly: { allocationMode: 'All', count: 2 } }),
  'count-zero': request({ exactly: { allocationMode: 'ExactCount', count: 0 } }),
  'admin-access': request({ exactly: { adminAccess: true } }),
  'toleration-operator-unknown': request({ exactly: { tolerations: [{ key: 'k', operator: 'Near' }] } }),
  'toleration-exists-with-value': request({ exactly: { tolerations: [{ key: 'k', operator: 'Exists', value: 'v' }] } }),
  'sub-requests-nine': request({
    exactly: gone,
    firstAvailable: Array.from({ length: 9 }, (_, i) => ({ name: `a${i}`, deviceClassName: 'c' })),
  }),
  'sub-requests-of-one-name': request({
    exactly: gone,
    firstAvailable: [
      { name: 'a', deviceClassName: 'c' },
      { name: 'a', deviceClassName: 'c' },
    ],
  }),
  'constraint-request-unknown': devices({ constraints: [{ requests: ['nope'], matchAttribute: 'd.example.com/a' }] }),
  'constraint-without-attribute': devices({ constraints: [{ requests: ['r'] }] }),
  'constraint-attribute-unqualified': devices({ constraints: [{ matchAttribute: 'numa' }] }),
  'constraint-attribute-bad': devices({ constraints: [{ matchAttribute: 'd.example.com/Bad Attribute!' }] }),
  'constraint-requests-same': devices({ constraints: [{ requests: ['r', 'r'], matchAttribute: 'd.example.com/a' }] }),
  'config-request-unknown': devices({ config: [{ requests: ['nope'], ...OPAQUE }] }),
  'config-empty': devices({ config: [{ requests: ['r'] }] }),
  'selector-syntax': request({ exactly: { selectors: [{ cel: { expression: 'device.x ==' } }] } }),
  'selector-missing-expression': request({ exactly: { selectors: [{ cel: { expression: '' } }] } }),
};
const claims: Subject = {
  apiVersion: GROUP,
  kind: 'ResourceClaim',
  minimal: { spec: { devices: { requests: [REQUEST] } } },
  shapes: claimShapes,
  changing: ['exactly'],
  crossed: claimCrossed,
  updates: {
    spec: update(request({ exactly: { deviceClassName: 'other' } })),
    'status-reserved': {
      subresource: 'status',
      to: { status: { reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }] } },
    },
    'status-allocation': {
      subresource: 'status',
      to: { status: { allocation: { devices: { results: [{ request: 'r', driver: 'd', pool: 'p', device: 'x' }] } } } },
    },
    'status-allocation-request-unknown': {
      subresource: 'status',
      to: {
        status: { allocation: { devices: { results: [{ request: 'nope', driver: 'd', pool: 'p', device: 'x' }] } } },
      },
    },
    'status-allocation-driver-bad': {
      subresource: 'status',
      to: {
        status: { allocation: { devices: { results: [{ request: 'r', driver: 'Bad_', pool: '/', device: 'X!' }] } } },
      },
    },
    'status-device-not-allocated': {
      subresource: 'status',
      to: { status: { devices: [{ driver: 'd', pool: 'p', device: 'x' }] } },
    },
  },
};
const templates: Subject = {
  apiVersion: GROUP,
  kind: 'ResourceClaimTemplate',
  minimal: { spec: { spec: { devices: { requests: [REQUEST] } } } },
  shapes: { metadata: { spec: { metadata: { labels: { a: 'b' } } } } },
  changing: [''],
  crossed: {
    ...Object.fromEntries(
      Object.entries(claimCrossed)
        .slice(0, 8)
        .map(([name, change]) => [name, { spec: change }]),
    ),
    'metadata-name': { spec: { metadata: { name: 'n' } } },
    'label-bad': { spec: { metadata: { labels: { a: 'Bad Value!' } } } },
  },
};

const POOL: Change = { name: 'p', generation: 1, resourceSliceCount: 1 };
const device = (change: Change): Change => spec({ devices: [{ name: 'd0', ...change }] });
const slices: Subject = {
  // Without a time the taint has the present one.
  unsteady: [
    'create in device with spec.devices[0].taints[0].timeAdded missing',
    'update of device with spec.devices[0].taints[0].timeAdded removed',
    'update of device with spec.devices[0].taints[0].effect changed',
  ],
  apiVersion: GROUP,
  kind: 'ResourceSlice',
  minimal: { spec: { driver: 'd.example.com', nodeName: 'n', pool: POOL } },
  shapes: {
    device: device({
      attributes: { model: { string: 'x' }, count: { int: 1 }, ok: { bool: true }, fw: { version: '1.2.3' } },
      capacity: { memory: { value: '1Gi' } },
      taints: [{ key: 'k', value: 'v', effect: 'NoSchedule', timeAdded: '2030-01-01T00:00:00Z' }],
    }),
    'all-nodes': { spec: { nodeName: gone, allNodes: true } },
    selector: {
      spec: {
        nodeName: gone,
        nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }] },
      },
    },
    counters: spec({ sharedCounters: [{ name: 'c', counters: { memory: { value: '1Gi' } } }] }),
    'counter-consumer': device({ consumesCounters: [{ counterSet: 'c', counters: { memory: { value: '1Gi' } } }] }),
  },
  changing: ['device'],
  crossed: {
    'node-none': { spec: { nodeName: gone } },
    'node-two': spec({ allNodes: true }),
    'node-selector-two-terms': { spec: { nodeName: gone, nodeSelector: { nodeSelectorTerms: [{}, {}] } } },
    'per-device': { spec: { nodeName: gone, perDeviceNodeSelection: true, devices: [{ name: 'd0', nodeName: 'n' }] } },
    'per-device-without': { spec: { nodeName: gone, perDeviceNodeSelection: true, devices: [{ name: 'd0' }] } },
    'pool-gone': { spec: { pool: gone } },
    'devices-of-one-name': spec({ devices: [{ name: 'a' }, { name: 'a' }] }),
    'devices-129': spec({ devices: Array.from({ length: 129 }, (_, i) => ({ name: `d${i}` })) }),
    'attribute-none': device({ attributes: { a: {} } }),
    'attribute-two': device({ attributes: { a: { int: 1, bool: true } } }),
    'attribute-version-bad': device({ attributes: { a: { version: 'one' } } }),
    'attribute-string-long': device({ attributes: { a: { string: 'x'.repeat(65) } } }),
    'attribute-name-bad': device({ attributes: { 'Bad Name!': { int: 1 } } }),
    'attributes-33': device({
      attributes: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`a${i}`, { int: i }])),
    }),
    'taint-effect-unknown': device({ taints: [{ key: 'k', effect: 'Nope' }] }),
    'counters-unknown-set': {
      spec: { devices: [{ name: 'a', consumesCounters: [{ counterSet: 'nope', counters: { m: { value: '1' } } }] }] },
    },
    'counters-and-devices': {
      spec: { sharedCounters: [{ name: 'c', counters: { m: { value: '1' } } }], devices: [{ name: 'a' }] },
    },
    'driver-uppercase': spec({ driver: 'D.example.com' }),
  },
  updates: {
    'driver-changed': update(spec({ driver: 'e.example.com' })),
    'pool-changed': update(spec({ pool: { name: 'q' } })),
    'node-changed': update(spec({ nodeName: 'm' })),
  },
};

export const deviceKinds: readonly Subject[] = [classes, claims, templates, slices];
