// Objects that every Coracle cluster has beyond Kubernetes' own: the default storage class and its driver, the DNS
// Service, what the node's network may read. Made when missing; a user's changes stay.
import type { Service } from '#generated/api/core-v1.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#generated/api/rbac-v1.ts';
import type { CSIDriver, StorageClass } from '#generated/api/storage-v1.ts';
import {
  clusterrolebindings,
  clusterroles,
  configmaps,
  csidrivers,
  rolebindings,
  roles,
  services,
  storageclasses,
} from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import type { KubeObject, ResourceRef } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import type { Pki } from '#pki/ensure.ts';
import { SPEAKER_NAMESPACE } from '#netmodel/load-balancers.ts';
import { TUNNEL_PATH } from '#tunnel/protocol.ts';
import type { ClusterConfig } from './config.ts';

export const VOLUME_DRIVER = 'volumes.coracle.dev';
/** Group of the certificates with which nodes' networks and volumes act. */
export const NODE_AGENT_GROUP = 'coracle:node-agents';

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
      resources: ['networkpolicies', 'ingresses', 'servicecidrs'],
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
  if (known !== undefined) return;
  await ensure(storageclasses, standardClass);
  await ensure(configmaps, {
    metadata: { name: 'coracle-defaults', namespace: 'kube-system' },
    data: { 'storage-class': 'standard' },
  });
}

/** The agents' role is the program's own: a newer program may need more than the one that made it. */
async function ensureAgentRole(client: Client): Promise<void> {
  const roles = client.resource(clusterroles);
  const found = await roles.get(undefined, NODE_AGENT_GROUP);
  if (found === undefined) await roles.create(nodeAgentRole);
  else if (JSON.stringify(found.rules) !== JSON.stringify(nodeAgentRole.rules))
    await roles.update({ ...found, rules: nodeAgentRole.rules });
}
