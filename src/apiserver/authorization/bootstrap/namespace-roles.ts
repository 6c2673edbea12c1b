// The Roles every cluster has in its system namespaces, as Kubernetes 1.36 has them.
import { rule, type BootstrapRole } from './notation.ts';

/** Namespace → its Roles. */
export const BOOTSTRAP_NAMESPACE_ROLES: Readonly<Record<string, readonly BootstrapRole[]>> = {
  'kube-public': [
    {
      name: 'system:controller:bootstrap-signer',
      rules: [
        rule('get list watch', 'core', 'configmaps'),
        rule('update', 'core', 'configmaps', 'cluster-info'),
        rule('create patch update', 'core events.k8s.io', 'events'),
      ],
    },
  ],
  'kube-system': [
    {
      name: 'extension-apiserver-authentication-reader',
      rules: [rule('get list watch', 'core', 'configmaps', 'extension-apiserver-authentication')],
    },
    {
      name: 'system:controller:bootstrap-signer',
      rules: [rule('get list watch', 'core', 'secrets')],
    },
    {
      name: 'system:controller:cloud-provider',
      rules: [rule('create get list watch', 'core', 'configmaps')],
    },
    {
      name: 'system:controller:token-cleaner',
      rules: [
        rule('delete get list watch', 'core', 'secrets'),
        rule('create patch update', 'core events.k8s.io', 'events'),
      ],
    },
    {
      name: 'system::leader-locking-kube-controller-manager',
      rules: [
        rule('create get list update watch', 'coordination.k8s.io', 'leases'),
        rule('create get list update watch', 'coordination.k8s.io', 'leasecandidates'),
      ],
    },
    {
      name: 'system::leader-locking-kube-scheduler',
      rules: [
        rule('create get list update watch', 'coordination.k8s.io', 'leases'),
        rule('create get list update watch', 'coordination.k8s.io', 'leasecandidates'),
      ],
    },
  ],
};
