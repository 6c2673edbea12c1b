// Claims, volumes and what the drivers of volumes say of themselves.
import { type Change, type Subject, type Update, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const update = (to: Change, from: Change = {}): Update => ({ from, to });
const status = (to: Change, from: Change = {}): Update => ({ from, to: { status: to }, subresource: 'status' });
const bound = (change: Change): Change => spec({ storageClassName: 'fast', volumeName: 'pv-1', ...change });

const claims: Subject = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  minimal: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  shapes: {
    whole: spec({
      storageClassName: 'fast',
      volumeMode: 'Block',
      volumeName: 'pv',
      selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] },
      resources: { limits: { storage: '2Gi' } },
      volumeAttributesClassName: 'gold',
    }),
    'data-source': spec({ dataSource: { kind: 'PersistentVolumeClaim', name: 'other' } }),
    'data-source-ref': spec({
      dataSourceRef: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' },
    }),
  },
  changing: ['whole', 'data-source', 'data-source-ref'],
  crossed: {
    'spec-gone': { spec: gone },
    'modes-none': spec({ accessModes: [] }),
    'mode-unknown': spec({ accessModes: ['ReadSometimes'] }),
    'modes-many': spec({ accessModes: ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany'] }),
    'mode-once-pod-with-others': spec({ accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] }),
    'storage-missing': { spec: { resources: { requests: gone } } },
    'resources-missing': { spec: { resources: gone } },
    'storage-fractional': spec({ resources: { requests: { storage: '1.5' } } }),
    'requests-over-limits': spec({ resources: { limits: { storage: '512Mi' } } }),
    'resources-of-cpu': spec({ resources: { requests: { cpu: '1' } } }),
    'class-empty': spec({ storageClassName: '' }),
    'class-annotation': { metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'x' } } },
    'class-annotation-bad': { metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'Bad Class!' } } },
    'class-twice': {
      metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'x' } },
      spec: { storageClassName: 'y' },
    },
    'data-source-of-other-group': spec({ dataSource: { apiGroup: 'example.com', kind: 'K', name: 'n' } }),
    'data-source-of-core-kind': spec({ dataSource: { kind: 'ConfigMap', name: 'n' } }),
    'data-source-ref-of-core-kind': spec({ dataSourceRef: { kind: 'ConfigMap', name: 'n' } }),
    'data-source-both': spec({
      dataSource: { kind: 'PersistentVolumeClaim', name: 'a' },
      dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'b' },
    }),
    'data-source-ref-namespace': spec({
      dataSourceRef: { apiGroup: 'example.com', kind: 'K', name: 'n', namespace: 'other' },
    }),
    'data-source-empty': spec({ dataSource: { kind: '', name: '' } }),
    'attributes-class-empty': spec({ volumeAttributesClassName: '' }),
    'selector-value-bad': spec({ selector: { matchLabels: { a: 'Bad Value!' } } }),
    'selected-node-annotation': { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'n' } } },
  },
  updates: {
    'storage-more': update(bound({ resources: { requests: { storage: '2Gi' } } }), bound({})),
    'storage-less': update(bound({ resources: { requests: { storage: '512Mi' } } }), bound({})),
    'volume-name-set': update(spec({ volumeName: 'pv' })),
    'class-set-later': update(spec({ storageClassName: 'fast' })),
    'class-changed': update(spec({ storageClassName: 'b' }), spec({ storageClassName: 'a' })),
    'mode-changed': update(spec({ accessModes: ['ReadWriteMany'] })),
    'attributes-class-set': update(bound({ volumeAttributesClassName: 'a' }), bound({})),
    'attributes-class-gone': update(
      bound({ volumeAttributesClassName: gone }),
      bound({ volumeAttributesClassName: 'a' }),
    ),
    'status-bound': status({ phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } }),
    'status-capacity-bad': status({ capacity: { storage: '-1' } }),
    'status-resize': status({
      allocatedResources: { storage: '2Gi' },
      allocatedResourceStatuses: { storage: 'NodeResizePending' },
    }),
    'status-resize-bad': status({
      allocatedResources: { 'Bad Key!': '2Gi' },
      allocatedResourceStatuses: { 'cpu!': 'Sometimes' },
    }),
    'status-modify': status({ modifyVolumeStatus: { targetVolumeAttributesClassName: 'x', status: 'Sometimes' } }),
  },
};

const HOST_PATH: Change = { hostPath: { path: '/data' } };
const source = (change: Change): Change => ({ spec: { hostPath: gone, ...change } });
const NODES: Change = {
  required: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n'] }] }],
  },
};
const SECRET: Change = { name: 's', namespace: 'ns' };
const SOURCES: Readonly<Record<string, Change>> = {
  hostPath: { path: '/data', type: 'Directory' },
  nfs: { server: 'nfs.example', path: '/e', readOnly: true },
  csi: {
    driver: 'd.example.com',
    volumeHandle: 'h',
    readOnly: true,
    fsType: 'ext4',
    volumeAttributes: { a: 'b' },
    controllerPublishSecretRef: SECRET,
    nodeStageSecretRef: SECRET,
    nodePublishSecretRef: SECRET,
    controllerExpandSecretRef: SECRET,
    nodeExpandSecretRef: SECRET,
  },
  iscsi: {
    targetPortal: '192.0.2.1:3260',
    iqn: 'iqn.2001-04.com.example:a',
    lun: 0,
    iscsiInterface: 'default',
    fsType: 'ext4',
    readOnly: true,
    portals: ['192.0.2.2'],
    chapAuthDiscovery: true,
    chapAuthSession: true,
    secretRef: SECRET,
    initiatorName: 'iqn.2001-04.com.example:c',
  },
  fc: { targetWWNs: ['50060e801049cfd1'], lun: 2, fsType: 'ext4', readOnly: true },
  rbd: {
    monitors: ['m:1'],
    image: 'i',
    fsType: 'ext4',
    pool: 'p',
    user: 'u',
    keyring: '/k',
    secretRef: SECRET,
    readOnly: true,
  },
  cephfs: { monitors: ['m:1'], path: '/p', user: 'u', secretFile: '/f', secretRef: SECRET, readOnly: true },
  cinder: { volumeID: 'v', fsType: 'ext4', readOnly: true, secretRef: SECRET },
  glusterfs: { endpoints: 'e', path: 'p', readOnly: true, endpointsNamespace: 'ns' },
  awsElasticBlockStore: { volumeID: 'v', fsType: 'ext4', partition: 1, readOnly: true },
  gcePersistentDisk: { pdName: 'p', fsType: 'ext4', partition: 1, readOnly: true },
  azureDisk: {
    diskName: 'd',
    diskURI: 'https://a.blob.example/d.vhd',
    kind: 'Shared',
    cachingMode: 'None',
    fsType: 'ext4',
    readOnly: true,
  },
  azureFile: { secretName: 's', shareName: 'sh', readOnly: true, secretNamespace: 'ns' },
  flexVolume: { driver: 'example.com/f', fsType: 'ext4', secretRef: SECRET, readOnly: true, options: { a: 'b' } },
  flocker: { datasetName: 'd' },
  photonPersistentDisk: { pdID: 'p', fsType: 'ext4' },
  portworxVolume: { volumeID: 'v', fsType: 'ext4', readOnly: true },
  quobyte: { registry: 'r:1', volume: 'v', readOnly: true, user: 'u', group: 'g', tenant: 't' },
  scaleIO: {
    gateway: 'g',
    system: 's',
    secretRef: SECRET,
    sslEnabled: true,
    protectionDomain: 'd',
    storagePool: 'p',
    storageMode: 'ThinProvisioned',
    volumeName: 'v',
    fsType: 'xfs',
    readOnly: true,
  },
  storageos: {
    volumeName: 'v',
    volumeNamespace: 'n',
    fsType: 'ext4',
    readOnly: true,
    secretRef: { name: 's', namespace: 'n' },
  },
  vsphereVolume: { volumePath: 'p', fsType: 'ext4', storagePolicyName: 'n', storagePolicyID: 'i' },
};

const volumes: Subject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  minimal: { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...HOST_PATH } },
  shapes: {
    whole: spec({
      persistentVolumeReclaimPolicy: 'Recycle',
      storageClassName: 'fast',
      mountOptions: ['ro'],
      volumeMode: 'Filesystem',
      nodeAffinity: NODES,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        namespace: 'default',
        name: 'c',
        apiVersion: 'v1',
        uid: '0b0dae5b-3d27-4c4d-b6ea-4f4dbbd48d54',
      },
    }),
    local: source({ local: { path: '/l', fsType: 'ext4' }, nodeAffinity: NODES }),
    'attributes-class': source({
      csi: { driver: 'd.example.com', volumeHandle: 'h' },
      volumeAttributesClassName: 'gold',
    }),
    ...Object.fromEntries(
      Object.entries(SOURCES)
        .filter(([n]) => n !== 'hostPath')
        .map(([name, value]) => [`source-${name}`, source({ [name]: value })]),
    ),
  },
  changing: ['whole', 'source-csi', 'source-nfs'],
  crossed: {
    ...Object.fromEntries(Object.keys(SOURCES).map((name) => [`${name}-empty-source`, source({ [name]: {} })])),
    'spec-gone': { spec: gone },
    'source-none': source({}),
    'source-two': spec({ nfs: { server: 's', path: '/p' } }),
    'capacity-none': { spec: { capacity: gone } },
    'capacity-of-cpu': spec({ capacity: { cpu: '1' } }),
    'capacity-without-storage': { spec: { capacity: { storage: gone, cpu: '1' } } },
    'modes-none': spec({ accessModes: [] }),
    'mode-once-pod-with-others': spec({ accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] }),
    'reclaim-unknown': spec({ persistentVolumeReclaimPolicy: 'Burn' }),
    'recycle-root': spec({ persistentVolumeReclaimPolicy: 'Recycle', hostPath: { path: '/' } }),
    'host-path-up': spec({ hostPath: { path: '/a/../b' } }),
    'local-without-affinity': source({ local: { path: '/l' } }),
    'local-path-up': source({ local: { path: '/l/../m' }, nodeAffinity: NODES }),
    'mode-unknown': spec({ volumeMode: 'Blob' }),
    'class-bad': spec({ storageClassName: 'Bad Class!' }),
    'affinity-without-required': spec({ nodeAffinity: {} }),
    'affinity-no-terms': spec({ nodeAffinity: { required: { nodeSelectorTerms: [] } } }),
    'attributes-class-without-csi': spec({ volumeAttributesClassName: 'gold' }),
    'attributes-class-empty': source({ csi: { driver: 'd', volumeHandle: 'h' }, volumeAttributesClassName: '' }),
    'mount-options-annotation': { metadata: { annotations: { 'volume.beta.kubernetes.io/mount-options': 'ro' } } },
    'azurefile-namespace-empty': source({ azureFile: { secretName: 's', shareName: 'sh', secretNamespace: '' } }),
    'csi-driver-bad': source({ csi: { driver: 'Bad_Driver', volumeHandle: 'h' } }),
    'csi-secret-without-namespace': source({
      csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { name: 's' } },
    }),
    'claim-ref-without-name': spec({ claimRef: { namespace: 'x' } }),
  },
  updates: {
    'source-changed': update({ spec: { hostPath: gone, nfs: { server: 's', path: '/p' } } }),
    'host-path-changed': update(spec({ hostPath: { path: '/other' } })),
    'capacity-more': update(spec({ capacity: { storage: '2Gi' } })),
    'reclaim-changed': update(spec({ persistentVolumeReclaimPolicy: 'Delete' })),
    'affinity-set': update(spec({ nodeAffinity: NODES })),
    'affinity-changed': update(
      { spec: { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ values: ['other'] }] }] } } } },
      spec({ nodeAffinity: NODES }),
    ),
    'mode-changed': update(spec({ volumeMode: 'Block' })),
    'status-phase': status({ phase: 'Bound', message: 'm', reason: 'R' }),
    'status-phase-unknown': status({ phase: 'Lost' }),
  },
};

const storageClasses: Subject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  minimal: { provisioner: 'example.com/p' },
  shapes: {
    whole: {
      parameters: { a: 'b' },
      reclaimPolicy: 'Retain',
      mountOptions: ['ro'],
      allowVolumeExpansion: true,
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
    },
  },
  changing: ['whole'],
  crossed: {
    'provisioner-bad': { provisioner: 'Bad Provisioner!' },
    'provisioner-missing': { provisioner: gone },
    'binding-unknown': { volumeBindingMode: 'Someday' },
    'reclaim-recycle': { reclaimPolicy: 'Recycle' },
    'parameters-long': { parameters: { a: 'x'.repeat(262144) } },
    'parameters-many': { parameters: Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`k${i}`, 'v'])) },
    'topology-value-twice': { allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a', 'a'] }] }] },
    'topology-key-twice': {
      allowedTopologies: [
        {
          matchLabelExpressions: [
            { key: 'z', values: ['a'] },
            { key: 'z', values: ['b'] },
          ],
        },
      ],
    },
    'topology-values-none': { allowedTopologies: [{ matchLabelExpressions: [{ key: 'z', values: [] }] }] },
    'topology-terms-same': {
      allowedTopologies: [
        { matchLabelExpressions: [{ key: 'z', values: ['a'] }] },
        { matchLabelExpressions: [{ key: 'z', values: ['a'] }] },
      ],
    },
    'default-annotation': { metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } },
    'topology-deprecated-label': {
      allowedTopologies: [
        { matchLabelExpressions: [{ key: 'failure-domain.beta.kubernetes.io/zone', values: ['a'] }] },
      ],
    },
  },
};

const attributesClasses: Subject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttributesClass',
  minimal: { driverName: 'd.example.com', parameters: { iops: '100' } },
  changing: [''],
  crossed: {
    'parameters-none': { parameters: gone },
    'driver-bad': { driverName: 'Bad_' },
    'parameters-empty-value': { parameters: { iops: '' } },
  },
};

const attachments: Subject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttachment',
  minimal: { spec: { attacher: 'd.example.com', nodeName: 'n', source: { persistentVolumeName: 'pv' } } },
  shapes: {
    inline: {
      spec: {
        source: {
          persistentVolumeName: gone,
          inlineVolumeSpec: { accessModes: ['ReadWriteOnce'], csi: { driver: 'd.example.com', volumeHandle: 'h' } },
        },
      },
    },
  },
  changing: [''],
  crossed: {
    'source-both': spec({
      source: {
        inlineVolumeSpec: { accessModes: ['ReadWriteOnce'], csi: { driver: 'd.example.com', volumeHandle: 'h' } },
      },
    }),
    'source-neither': { spec: { source: { persistentVolumeName: gone } } },
    'inline-not-csi': {
      spec: {
        source: {
          persistentVolumeName: gone,
          inlineVolumeSpec: { accessModes: ['ReadWriteOnce'], nfs: { server: 's', path: '/p' } },
        },
      },
    },
    'attacher-bad': spec({ attacher: 'Bad_' }),
    'attacher-of-64': spec({ attacher: 'a'.repeat(64) }),
    'node-name-bad': spec({ nodeName: 'Bad Node!' }),
  },
  updates: {
    'status-attached': status({ attached: true, attachmentMetadata: { a: 'b' } }),
    'status-error-long': status({ attached: false, attachError: { message: 'x'.repeat(1025) } }),
    'status-metadata-long': status({ attached: true, attachmentMetadata: { a: 'x'.repeat(262145) } }),
    'status-error-code': status({
      attached: false,
      attachError: { message: 'm', errorCode: 8, time: '2030-01-01T00:00:00Z' },
    }),
  },
};

const drivers: Subject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  minimal: { spec: {} },
  shapes: {
    whole: spec({
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Persistent', 'Ephemeral'],
      storageCapacity: true,
      fsGroupPolicy: 'File',
      tokenRequests: [{ audience: 'a', expirationSeconds: 600 }],
      requiresRepublish: true,
      seLinuxMount: true,
      nodeAllocatableUpdatePeriodSeconds: 60,
    }),
    'token-in-secrets': spec({ tokenRequests: [{ audience: 'a' }], serviceAccountTokenInSecrets: true }),
  },
  changing: ['whole'],
  crossed: {
    'spec-gone': { spec: gone },
    'mode-unknown': spec({ volumeLifecycleModes: ['Sometimes'] }),
    'policy-unknown': spec({ fsGroupPolicy: 'Sometimes' }),
    'tokens-twice': spec({ tokenRequests: [{ audience: 'a' }, { audience: 'a' }] }),
    'token-short': spec({ tokenRequests: [{ audience: 'a', expirationSeconds: 599 }] }),
    'token-long': spec({ tokenRequests: [{ audience: 'a', expirationSeconds: 4294967297 }] }),
    'period-short': spec({ nodeAllocatableUpdatePeriodSeconds: 9 }),
    'secrets-without-tokens': spec({ serviceAccountTokenInSecrets: true }),
  },
};

const nodes: Subject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSINode',
  minimal: { spec: { drivers: [] } },
  shapes: {
    driver: spec({
      drivers: [{ name: 'd.example.com', nodeID: 'n', topologyKeys: ['zone'], allocatable: { count: 5 } }],
    }),
  },
  changing: ['driver'],
  crossed: {
    'drivers-gone': { spec: { drivers: gone } },
    'drivers-same': spec({
      drivers: [
        { name: 'd', nodeID: 'n' },
        { name: 'd', nodeID: 'm' },
      ],
    }),
    'node-id-long': spec({ drivers: [{ name: 'd', nodeID: 'x'.repeat(257) }] }),
    'keys-same': spec({ drivers: [{ name: 'd', nodeID: 'n', topologyKeys: ['a', 'a'] }] }),
    'key-empty': spec({ drivers: [{ name: 'd', nodeID: 'n', topologyKeys: [''] }] }),
  },
};

const capacities: Subject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIStorageCapacity',
  minimal: { storageClassName: 'fast' },
  shapes: { whole: { capacity: '1Gi', maximumVolumeSize: '512Mi', nodeTopology: { matchLabels: { zone: 'a' } } } },
  changing: ['whole'],
  crossed: {
    'class-missing': { storageClassName: gone },
    'topology-bad': { nodeTopology: { matchLabels: { 'Bad Key!': 'x' } } },
  },
};

export const storage: readonly Subject[] = [
  claims,
  volumes,
  storageClasses,
  attributesClasses,
  attachments,
  drivers,
  nodes,
  capacities,
];
