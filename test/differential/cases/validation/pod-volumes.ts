// Volumes of every type, as shapes of a pod.
import { type Change, gone } from './subject.ts';

const volume = (source: Change): Change => ({ spec: { volumes: [{ name: 'v', ...source }] } });

const SOURCES: Readonly<Record<string, Change>> = {
  emptyDir: { medium: 'Memory', sizeLimit: '1Gi' },
  hostPath: { path: '/data', type: 'Directory' },
  configMap: { name: 'cm', items: [{ key: 'k', path: 'a/b', mode: 256 }], defaultMode: 420, optional: true },
  secret: { secretName: 's', items: [{ key: 'k', path: 'a/b', mode: 256 }], defaultMode: 420, optional: true },
  downwardAPI: {
    items: [
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' }, mode: 256 },
      { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu', divisor: '1m' } },
    ],
    defaultMode: 420,
  },
  persistentVolumeClaim: { claimName: 'data', readOnly: true },
  ephemeral: {
    volumeClaimTemplate: {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'fast' },
    },
  },
  csi: {
    driver: 'inline.csi.example.com',
    readOnly: true,
    fsType: 'ext4',
    volumeAttributes: { k: 'v' },
    nodePublishSecretRef: { name: 's' },
  },
  image: { reference: 'registry.example/art:1', pullPolicy: 'IfNotPresent' },
  nfs: { server: 'nfs.example', path: '/exports', readOnly: true },
  iscsi: {
    targetPortal: '192.0.2.1:3260',
    iqn: 'iqn.2001-04.com.example:storage.disk1',
    lun: 0,
    iscsiInterface: 'default',
    fsType: 'ext4',
    readOnly: true,
    portals: ['192.0.2.2:3260'],
    chapAuthDiscovery: true,
    chapAuthSession: true,
    secretRef: { name: 's' },
    initiatorName: 'iqn.2001-04.com.example:client',
  },
  fc: { targetWWNs: ['50060e801049cfd1'], lun: 2, fsType: 'ext4', readOnly: true },
  rbd: {
    monitors: ['192.0.2.1:6789'],
    image: 'i',
    fsType: 'ext4',
    pool: 'p',
    user: 'u',
    keyring: '/k',
    secretRef: { name: 's' },
    readOnly: true,
  },
  cephfs: {
    monitors: ['192.0.2.1:6789'],
    path: '/p',
    user: 'u',
    secretFile: '/f',
    secretRef: { name: 's' },
    readOnly: true,
  },
  cinder: { volumeID: 'id', fsType: 'ext4', readOnly: true, secretRef: { name: 's' } },
  glusterfs: { endpoints: 'gluster', path: 'vol', readOnly: true },
  gitRepo: { repository: 'https://git.example/r.git', revision: 'main', directory: 'd' },
  awsElasticBlockStore: { volumeID: 'vol-1', fsType: 'ext4', partition: 1, readOnly: true },
  gcePersistentDisk: { pdName: 'pd', fsType: 'ext4', partition: 1, readOnly: true },
  azureDisk: {
    diskName: 'd',
    diskURI: 'https://acc.blob.example/d.vhd',
    cachingMode: 'ReadOnly',
    fsType: 'ext4',
    readOnly: true,
    kind: 'Shared',
  },
  azureFile: { secretName: 's', shareName: 'sh', readOnly: true },
  flexVolume: {
    driver: 'example.com/flex',
    fsType: 'ext4',
    secretRef: { name: 's' },
    readOnly: true,
    options: { k: 'v' },
  },
  flocker: { datasetName: 'ds' },
  photonPersistentDisk: { pdID: 'id', fsType: 'ext4' },
  portworxVolume: { volumeID: 'id', fsType: 'ext4', readOnly: true },
  quobyte: { registry: 'q.example:7861', volume: 'vol', readOnly: true, user: 'u', group: 'g', tenant: 't' },
  scaleIO: {
    gateway: 'https://gw.example',
    system: 'sys',
    secretRef: { name: 's' },
    sslEnabled: true,
    protectionDomain: 'pd',
    storagePool: 'sp',
    storageMode: 'ThickProvisioned',
    volumeName: 'vn',
    fsType: 'ext4',
    readOnly: true,
  },
  storageos: { volumeName: 'vn', volumeNamespace: 'vns', fsType: 'ext4', readOnly: true, secretRef: { name: 's' } },
  vsphereVolume: { volumePath: '[ds] v.vmdk', fsType: 'ext4', storagePolicyName: 'p', storagePolicyID: 'i' },
};

const PROJECTIONS: Readonly<Record<string, Change>> = {
  secret: { name: 's', items: [{ key: 'k', path: 'p', mode: 256 }], optional: true },
  configMap: { name: 'cm', items: [{ key: 'k', path: 'p', mode: 256 }], optional: true },
  downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' }, mode: 256 }] },
  serviceAccountToken: { audience: 'aud', expirationSeconds: 3600, path: 'token' },
  clusterTrustBundle: { name: 'ctb', optional: true, path: 'ca.pem' },
};

const projected = (...sources: readonly Change[]): Change => volume({ projected: { sources } });
const mounted = (source: Change, mount: Change): Change => ({
  spec: {
    volumes: [{ name: 'v', ...source }],
    containers: [{ volumeMounts: [{ name: 'v', mountPath: '/m', ...mount }] }],
  },
});

export const volumeShapes: Readonly<Record<string, Change>> = {
  ...Object.fromEntries(
    Object.entries(SOURCES).map(([name, source]) => [`volume-${name}`, volume({ [name]: source })]),
  ),
  ...Object.fromEntries(
    Object.entries(PROJECTIONS).map(([name, source]) => [`volume-projected-${name}`, projected({ [name]: source })]),
  ),
  'volume-projected-trust-by-signer': projected({
    clusterTrustBundle: { signerName: 'example.com/s', labelSelector: { matchLabels: { a: 'b' } }, path: 'ca.pem' },
  }),
  'volume-projected-default-mode': volume({ projected: { sources: [{ configMap: { name: 'c' } }], defaultMode: 256 } }),
  'volume-mount': mounted(
    { emptyDir: {} },
    { readOnly: true, subPath: 'a/b', mountPropagation: 'None', recursiveReadOnly: 'Disabled' },
  ),
  'volume-mount-expression': {
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        { env: [{ name: 'A', value: 'b' }], volumeMounts: [{ name: 'v', mountPath: '/m', subPathExpr: '$(A)' }] },
      ],
    },
  },
  'volume-device': {
    spec: {
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
      containers: [{ volumeDevices: [{ name: 'v', devicePath: '/dev/xvda' }] }],
    },
  },
};

/** Each source with nothing in it. */
const EMPTY = Object.fromEntries(
  Object.keys(SOURCES).map((name) => [`volume-${name}-empty-source`, volume({ [name]: {} })]),
);

export const volumeCrossed: Readonly<Record<string, Change>> = {
  ...EMPTY,
  ...Object.fromEntries(
    Object.keys(PROJECTIONS).map((name) => [`volume-projected-${name}-empty-source`, projected({ [name]: {} })]),
  ),
  'volume-without-source': volume({}),
  'volume-two-sources': volume({ emptyDir: {}, hostPath: { path: '/d' } }),
  'volume-two-sources-both-wrong': volume({ nfs: {}, hostPath: { path: '' } }),
  'volumes-of-one-name': {
    spec: {
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'v', emptyDir: {} },
      ],
    },
  },
  'volume-name-dotted': { spec: { volumes: [{ name: 'a.b', emptyDir: {} }] } },
  'emptydir-medium-hugepages': volume({ emptyDir: { medium: 'HugePages' } }),
  'emptydir-medium-hugepages-sized': volume({ emptyDir: { medium: 'HugePages-2Mi' } }),
  'emptydir-medium-unknown': volume({ emptyDir: { medium: 'Disk' } }),
  ...Object.fromEntries(
    ['DirectoryOrCreate', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice', 'Dir'].map((type) => [
      `hostpath-type-${type}`,
      volume({ hostPath: { path: '/d', type } }),
    ]),
  ),
  'hostpath-backsteps': volume({ hostPath: { path: '/a/../b' } }),
  'hostpath-relative': volume({ hostPath: { path: 'a/b' } }),
  'nfs-relative-path': volume({ nfs: { server: 's', path: 'exports' } }),
  'configmap-item-absolute': volume({ configMap: { name: 'c', items: [{ key: 'k', path: '/abs' }] } }),
  'configmap-item-backsteps': volume({ configMap: { name: 'c', items: [{ key: 'k', path: '../up' }] } }),
  'configmap-item-inner-backsteps': volume({ configMap: { name: 'c', items: [{ key: 'k', path: 'a/../up' }] } }),
  'configmap-item-dotdot-start': volume({ configMap: { name: 'c', items: [{ key: 'k', path: '..data' }] } }),
  'configmap-item-mode-high': volume({ configMap: { name: 'c', items: [{ key: 'k', path: 'p', mode: 512 }] } }),
  'configmap-mode-high': volume({ configMap: { name: 'c', defaultMode: 512 } }),
  'secret-mode-high': volume({ secret: { secretName: 'c', defaultMode: 512 } }),
  'downward-mode-high': volume({ downwardAPI: { defaultMode: 512 } }),
  'projected-mode-high': volume({ projected: { sources: [{ secret: { name: 's' } }], defaultMode: 512 } }),
  'projected-empty': volume({ projected: {} }),
  'projected-source-empty': projected({}),
  'projected-two-in-one': projected({ secret: { name: 's' }, configMap: { name: 'c' } }),
  'projected-same-path-twice': projected(
    { secret: { name: 's', items: [{ key: 'a', path: 'p' }] } },
    { configMap: { name: 'c', items: [{ key: 'a', path: 'p' }] } },
  ),
  'projected-paths-nested': projected(
    { secret: { name: 's', items: [{ key: 'a', path: 'p' }] } },
    { serviceAccountToken: { path: 'p' } },
    { downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.name' } }] } },
  ),
  'projected-token-short-lived': projected({ serviceAccountToken: { path: 't', expirationSeconds: 599 } }),
  'projected-token-long-lived': projected({ serviceAccountToken: { path: 't', expirationSeconds: 4294967297 } }),
  'projected-token-path-absolute': projected({ serviceAccountToken: { path: '/t' } }),
  'projected-trust-name-and-signer': projected({
    clusterTrustBundle: { name: 'n', signerName: 'example.com/s', path: 'p' },
  }),
  'projected-trust-name-and-selector': projected({ clusterTrustBundle: { name: 'n', labelSelector: {}, path: 'p' } }),
  'projected-trust-neither': projected({ clusterTrustBundle: { path: 'p' } }),
  'projected-pod-certificate': projected({
    podCertificate: { signerName: 'example.com/s', keyType: 'ECDSAP256', credentialBundlePath: 'b.pem' },
  }),
  ...Object.fromEntries(
    [
      'metadata.name',
      'metadata.namespace',
      'metadata.uid',
      'metadata.labels',
      'metadata.annotations',
      "metadata.labels['a']",
      "metadata.annotations['a/b']",
      "metadata.labels['Bad Key!']",
      'spec.nodeName',
      'status.podIP',
      'metadata.resourceVersion',
      'nonsense',
    ].map((fieldPath) => [
      `downward-file-of-${fieldPath}`,
      volume({ downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath } }] } }),
    ]),
  ),
  'downward-both-refs': volume({
    downwardAPI: {
      items: [
        {
          path: 'p',
          fieldRef: { fieldPath: 'metadata.name' },
          resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' },
        },
      ],
    },
  }),
  'downward-no-ref': volume({ downwardAPI: { items: [{ path: 'p' }] } }),
  'downward-resource-without-container': volume({
    downwardAPI: { items: [{ path: 'p', resourceFieldRef: { resource: 'limits.cpu' } }] },
  }),
  'ephemeral-without-template': volume({ ephemeral: {} }),
  'ephemeral-without-size': volume({
    ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } },
  }),
  'ephemeral-without-modes': volume({
    ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: '1Gi' } } } } },
  }),
  'ephemeral-with-volume-name': volume({
    ephemeral: {
      volumeClaimTemplate: {
        spec: { volumeName: 'pv', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    },
  }),
  'ephemeral-template-named': volume({
    ephemeral: {
      volumeClaimTemplate: {
        metadata: { name: 'n', labels: { a: 'b' } },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    },
  }),
  'csi-driver-uppercase': volume({ csi: { driver: 'Inline.Example.com' } }),
  'csi-driver-long': volume({ csi: { driver: `${'a'.repeat(64)}` } }),
  'image-volume-policy-unknown': volume({ image: { reference: 'r', pullPolicy: 'Sometimes' } }),
  'image-volume-mounted-with-subpath': mounted({ image: { reference: 'r' } }, { subPath: 's' }),
  'fc-both': volume({ fc: { targetWWNs: ['a'], lun: 1, wwids: ['b'] } }),
  'fc-neither': volume({ fc: { fsType: 'ext4' } }),
  'fc-lun-missing': volume({ fc: { targetWWNs: ['a'] } }),
  'iscsi-iqn-eui': volume({ iscsi: { targetPortal: 'p', iqn: 'eui.0123456789abcdef', lun: 1 } }),
  'iscsi-iqn-naa': volume({ iscsi: { targetPortal: 'p', iqn: 'naa.52004567ba64678d', lun: 1 } }),
  'iscsi-iqn-bad-eui': volume({ iscsi: { targetPortal: 'p', iqn: 'eui.xyz', lun: 1 } }),
  'iscsi-lun-256': volume({ iscsi: { targetPortal: 'p', iqn: 'iqn.2001-04.com.example:a', lun: 256 } }),
  'iscsi-chap-without-secret': volume({
    iscsi: {
      targetPortal: 'p',
      iqn: 'iqn.2001-04.com.example:a',
      lun: 1,
      chapAuthSession: true,
      chapAuthDiscovery: true,
    },
  }),
  'iscsi-initiator-bad': volume({
    iscsi: { targetPortal: 'p', iqn: 'iqn.2001-04.com.example:a', lun: 1, initiatorName: 'nope' },
  }),
  'azuredisk-managed-uri': volume({ azureDisk: { diskName: 'd', diskURI: 'https://x', kind: 'Managed' } }),
  'azuredisk-managed': volume({ azureDisk: { diskName: 'd', diskURI: '/subscriptions/x', kind: 'Managed' } }),
  'azuredisk-shared-uri': volume({ azureDisk: { diskName: 'd', diskURI: '/subscriptions/x', kind: 'Dedicated' } }),
  'flocker-both': volume({ flocker: { datasetName: 'a', datasetUUID: 'b' } }),
  'flocker-slash': volume({ flocker: { datasetName: 'a/b' } }),
  'quobyte-registry-two': volume({ quobyte: { registry: 'a:1,b:2', volume: 'v' } }),
  'quobyte-registry-portless': volume({ quobyte: { registry: 'a', volume: 'v' } }),
  'gitrepo-directory-up': volume({ gitRepo: { repository: 'r', directory: '../x' } }),
  'mount-unknown-volume': { spec: { containers: [{ volumeMounts: [{ name: 'nope', mountPath: '/m' }] }] } },
  'mount-without-name': { spec: { containers: [{ volumeMounts: [{ mountPath: '/m' }] }] } },
  'mount-same-path-twice': {
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        {
          volumeMounts: [
            { name: 'v', mountPath: '/m' },
            { name: 'v', mountPath: '/m' },
          ],
        },
      ],
    },
  },
  'mount-subpath-absolute': mounted({ emptyDir: {} }, { subPath: '/abs' }),
  'mount-subpath-backsteps': mounted({ emptyDir: {} }, { subPath: 'a/../b' }),
  'mount-subpath-and-expression': mounted({ emptyDir: {} }, { subPath: 'a', subPathExpr: 'b' }),
  'mount-expression-absolute': mounted({ emptyDir: {} }, { subPathExpr: '/b' }),
  'mount-propagation-bidirectional': mounted({ emptyDir: {} }, { mountPropagation: 'Bidirectional' }),
  'mount-propagation-host-to-container': mounted({ emptyDir: {} }, { mountPropagation: 'HostToContainer' }),
  'mount-recursive-without-readonly': mounted({ emptyDir: {} }, { recursiveReadOnly: 'Enabled' }),
  'mount-recursive-with-propagation': mounted(
    { emptyDir: {} },
    { readOnly: true, recursiveReadOnly: 'Enabled', mountPropagation: 'HostToContainer' },
  ),
  'mount-recursive-if-possible': mounted({ emptyDir: {} }, { readOnly: true, recursiveReadOnly: 'IfPossible' }),
  'mount-path-colon': mounted({ emptyDir: {} }, { mountPath: '/a:b' }),
  'device-of-emptydir': {
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [{ volumeDevices: [{ name: 'v', devicePath: '/d' }] }],
    },
  },
  'device-and-mount': {
    spec: {
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
      containers: [
        { volumeDevices: [{ name: 'v', devicePath: '/d' }], volumeMounts: [{ name: 'v', mountPath: '/d' }] },
      ],
    },
  },
  'device-path-relative': {
    spec: {
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
      containers: [{ volumeDevices: [{ name: 'v', devicePath: 'a/../d' }] }],
    },
  },
  'volumes-gone': { spec: { volumes: gone } },
};
