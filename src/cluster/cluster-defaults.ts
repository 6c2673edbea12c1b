// Objects that every Coracle cluster has beyond Kubernetes' own: the default storage class and its driver, the DNS
// Service, what the node's network may read. Made when missing; a user's changes stay.
import type { Service } from '#generated/api/core-v1.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#generated/api/rbac-v1.ts';
import type { IngressClass } from '#generated/api/networking-v1.ts';
import type { CSIDriver, StorageClass } from '#generated/api/storage-v1.ts';
import {
  clusterrolebindings,
  clusterroles,
  configmaps,
  csidrivers,
  ingressclasses,
  rolebindings,
  roles,
  services,
  storageclasses,
} from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { type KubeObject, type ResourceRef, splitKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { INGRESS_CONTROLLER } from '#netmodel/ingress.ts';
import { CERTIFICATES_SECRET } from '#netmodel/ingress-certificates.ts';
import type { Pki } from '#pki/ensure.ts';
import { NODE_AGENT_GROUP } from '#apiserver/authentication/users.ts';
import { SPEAKER_NAMESPACE } from '#netmodel/load-balancers.ts';
import { TUNNEL_PATH } from '#tunnel/protocol.ts';
import type { ClusterConfig } from './config.ts';

export const VOLUME_DRIVER = 'volumes.coracle.dev';

const RBAC = 'rbac.authorization.k8s.io';

const standardClass: StorageClass = {
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: VOLUME_DRIVER,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
};

const driver: CSIDriver = {
  metadata: { name: VOLUME_DRIVER },
  spec: { attachRequired: true, podInfoOnMount: false, volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'File' },
};

/** What a node reads and writes beside what the Node authorizer allows its kubelet. */
const nodeAgentRole: ClusterRole = {
  metadata: { name: NODE_AGENT_GROUP },
  rules: [
    {
      apiGroups: [''],
      resources: ['services', 'pods', 'namespaces', 'nodes', 'endpoints'],
      verbs: ['get', 'list', 'watch'],
    },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
    {
      apiGroups: ['networking.k8s.io'],
      resources: ['networkpolicies', 'ingresses', 'ingressclasses', 'servicecidrs'],
      verbs: ['get', 'list', 'watch'],
    },
    { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'watch', 'update', 'patch'] },
    {
      apiGroups: ['storage.k8s.io'],
      resources: ['volumeattachments', 'storageclasses'],
      verbs: ['get', 'list', 'watch'],
    },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
    { nonResourceURLs: [TUNNEL_PATH], verbs: ['get'] },
  ],
};

const nodeAgentBinding: ClusterRoleBinding = {
  metadata: { name: NODE_AGENT_GROUP },
  roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: NODE_AGENT_GROUP },
  subjects: [{ kind: 'Group', apiGroup: RBAC, name: NODE_AGENT_GROUP }],
};

/** The leases by which nodes settle who answers for load balancers. */
const speakerRole: Role = {
  metadata: { name: NODE_AGENT_GROUP, namespace: SPEAKER_NAMESPACE },
  rules: [
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
    },
  ],
};

const speakerBinding: RoleBinding = {
  metadata: { name: NODE_AGENT_GROUP, namespace: SPEAKER_NAMESPACE },
  roleRef: { apiGroup: RBAC, kind: 'Role', name: NODE_AGENT_GROUP },
  subjects: [{ kind: 'Group', apiGroup: RBAC, name: NODE_AGENT_GROUP }],
};

/** Of all Secrets, a node's agent reads the one with the certificates that Ingresses name. */
const certificatesRole: Role = {
  metadata: { name: 'coracle:ingress-certificates', namespace: 'kube-system' },
  rules: [
    {
      apiGroups: [''],
      resources: ['secrets'],
      resourceNames: [splitKey(CERTIFICATES_SECRET).name],
      verbs: ['get', 'list', 'watch'],
    },
  ],
};

const certificatesBinding: RoleBinding = {
  metadata: certificatesRole.metadata,
  roleRef: { apiGroup: RBAC, kind: 'Role', name: certificatesRole.metadata.name! },
  subjects: [{ kind: 'Group', apiGroup: RBAC, name: NODE_AGENT_GROUP }],
};

const ingressClass: IngressClass = {
  metadata: { name: 'coracle', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  spec: { controller: INGRESS_CONTROLLER },
};

/** Idempotent: an object that exists is left as it is. */
export async function clusterDefaults(config: ClusterConfig, pki: Pki, client: Client): Promise<void> {
  const ensure = async <T extends KubeObject>(ref: ResourceRef<T>, object: T): Promise<void> => {
    // A Service that exists is refused for its taken address, not for its name: look first.
    if ((await client.resource(ref).get(object.metadata.namespace, object.metadata.name!)) !== undefined) return;
    try {
      await client.resource(ref).create(object);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  };
  const dns: Service = {
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      clusterIP: config.clusterDNS,
      selector: { 'k8s-app': 'kube-dns' },
      ports: [
        { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, targetPort: 53, protocol: 'TCP' },
      ],
    },
  };
  // Before the classes: existing claims of a class that was deleted on purpose must not bring it back.
  const known = await client.resource(configmaps).get('kube-system', 'coracle-defaults');
  await Promise.all([
    ensureAgentRole(client),
    ensure(clusterrolebindings, nodeAgentBinding),
    ensure(roles, speakerRole),
    ensure(rolebindings, speakerBinding),
    ensure(roles, certificatesRole),
    ensure(rolebindings, certificatesBinding),
    ensure(services, dns),
    ensure(csidrivers, driver),
  ]);
  await ensure(configmaps, {
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      'client-ca-file': pki.ca.certificate,
      'requestheader-client-ca-file': pki.frontProxyCa.certificate,
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
    },
  });
  const classes: readonly (readonly [string, string, () => Promise<void>])[] = [
    ['storage-class', standardClass.metadata.name!, () => ensure(storageclasses, standardClass)],
    ...(config.disabled.includes('ingress')
      ? []
      : [['ingress-class', ingressClass.metadata.name!, () => ensure(ingressclasses, ingressClass)] as const]),
  ];
  const lacking = classes.filter(([key]) => known?.data?.[key] === undefined);
  if (lacking.length === 0) return;
  for (const [, , make] of lacking) await make();
  const data = { ...known?.data, ...Object.fromEntries(lacking.map(([key, name]) => [key, name])) };
  if (known === undefined)
    await ensure(configmaps, { metadata: { name: 'coracle-defaults', namespace: 'kube-system' }, data });
  else await client.resource(configmaps).update({ ...known, data });
}

/** The agents' role is the program's own: a newer program may need more than the one that made it. */
async function ensureAgentRole(client: Client): Promise<void> {
  const roles = client.resource(clusterroles);
  const found = await roles.get(undefined, NODE_AGENT_GROUP);
  if (found === undefined) await roles.create(nodeAgentRole);
  else if (JSON.stringify(found.rules) !== JSON.stringify(nodeAgentRole.rules))
    await roles.update({ ...found, rules: nodeAgentRole.rules });
}
