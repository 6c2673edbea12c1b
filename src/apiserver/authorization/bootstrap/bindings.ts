// Who holds the bootstrap roles, as Kubernetes 1.36 binds them.
import { BOOTSTRAP_CONTROLLER_ROLES } from './controller-roles.ts';
import { group, serviceAccount, user, type BootstrapBinding } from './notation.ts';

export const BOOTSTRAP_CLUSTER_ROLE_BINDINGS: readonly BootstrapBinding[] = [
  { name: 'cluster-admin', role: 'cluster-admin', subjects: [group('system:masters')] },
  { name: 'system:monitoring', role: 'system:monitoring', subjects: [group('system:monitoring')] },
  { name: 'system:discovery', role: 'system:discovery', subjects: [group('system:authenticated')] },
  { name: 'system:basic-user', role: 'system:basic-user', subjects: [group('system:authenticated')] },
  {
    name: 'system:public-info-viewer',
    role: 'system:public-info-viewer',
    subjects: [group('system:authenticated'), group('system:unauthenticated')],
  },
  { name: 'system:node-proxier', role: 'system:node-proxier', subjects: [user('system:kube-proxy')] },
  {
    name: 'system:kube-controller-manager',
    role: 'system:kube-controller-manager',
    subjects: [user('system:kube-controller-manager')],
  },
  { name: 'system:kube-dns', role: 'system:kube-dns', subjects: [serviceAccount('kube-system', 'kube-dns')] },
  { name: 'system:kube-scheduler', role: 'system:kube-scheduler', subjects: [user('system:kube-scheduler')] },
  { name: 'system:volume-scheduler', role: 'system:volume-scheduler', subjects: [user('system:kube-scheduler')] },
  { name: 'system:node', role: 'system:node', subjects: [] },
  {
    name: 'system:service-account-issuer-discovery',
    role: 'system:service-account-issuer-discovery',
    subjects: [group('system:serviceaccounts')],
  },
  ...BOOTSTRAP_CONTROLLER_ROLES.map(({ name }) => ({
    name,
    role: name,
    subjects: [serviceAccount('kube-system', name.slice('system:controller:'.length))],
  })),
];

/** Namespace → its RoleBindings; each refers to a Role of the same namespace. */
export const BOOTSTRAP_NAMESPACE_ROLE_BINDINGS: Readonly<Record<string, readonly BootstrapBinding[]>> = {
  'kube-public': [
    {
      name: 'system:controller:bootstrap-signer',
      role: 'system:controller:bootstrap-signer',
      subjects: [serviceAccount('kube-system', 'bootstrap-signer')],
    },
  ],
  'kube-system': [
    {
      name: 'system::extension-apiserver-authentication-reader',
      role: 'extension-apiserver-authentication-reader',
      subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler')],
    },
    {
      name: 'system::leader-locking-kube-controller-manager',
      role: 'system::leader-locking-kube-controller-manager',
      subjects: [
        user('system:kube-controller-manager'),
        serviceAccount('kube-system', 'kube-controller-manager'),
        serviceAccount('kube-system', 'leader-election-controller'),
      ],
    },
    {
      name: 'system::leader-locking-kube-scheduler',
      role: 'system::leader-locking-kube-scheduler',
      subjects: [user('system:kube-scheduler'), serviceAccount('kube-system', 'kube-scheduler')],
    },
    {
      name: 'system:controller:bootstrap-signer',
      role: 'system:controller:bootstrap-signer',
      subjects: [serviceAccount('kube-system', 'bootstrap-signer')],
    },
    {
      name: 'system:controller:cloud-provider',
      role: 'system:controller:cloud-provider',
      subjects: [serviceAccount('kube-system', 'cloud-provider')],
    },
    {
      name: 'system:controller:token-cleaner',
      role: 'system:controller:token-cleaner',
      subjects: [serviceAccount('kube-system', 'token-cleaner')],
    },
  ],
};
