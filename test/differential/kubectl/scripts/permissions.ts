// Who may do what: can-i, whoami, reconcile, impersonation, forbidden, certificates.
import type { Script } from '../script.ts';

/** Nothing but a heading. */
const NO_REQUEST = 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K';

/** Signed once for CN=ann, O=devs with a key that nobody has. */
const REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWE1IOENBUUF3SFRFTk1Bc0dBMVVFQ2d3RVpHVjJjekVNTUFvR0ExVUVBd3dEWVc1dU1Ga3dFd1lIS29aSQp6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUVNbDlzR0FPejZ2WjU1NE5LRWlYdDgyUzdMTVN0RHNBeXFNNXdycFY1CnQ3R2Q0UG4wS1FwekdiZTBoWXdaUS9lRG5ZVDRGYTR0dWk1cG1jZFpxaEI1TnFBQU1Bb0dDQ3FHU000OUJBTUMKQTBnQU1FVUNJQWtFVjRDSGE3dzdtbzF2NDlPUXdkd2R4VTlVaU9NaExHSitzWXdRNDhUdEFpRUFrbGtEWUIzdQpIQlNnd29GL3hoWjJZNXdFUjhOSW5mcEJxMUp1S2pkYU1QZz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==';

const RBAC = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
  - {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}
  - {apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: [get, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ann-reads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}
  - {kind: ServiceAccount, name: default, namespace: kd-auth}
`;

const CLUSTER = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: kd-auth-nodes, labels: {a: b}}
rules:
  - {apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kd-auth-crb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kd-auth-nodes}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: dan}
`;

export const permissions: readonly Script[] = [
  {
    name: 'auth',
    files: {
      'rbac.yaml': RBAC,
      'cluster.yaml': CLUSTER,
      'more.yaml': CLUSTER.replace('verbs: [get]', 'verbs: [get, list]').replace('name: dan}', 'name: eve}'),
      'agg.yaml':
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: kd-auth-cr}\nrules:\n  - {nonResourceURLs: ["/x/*"], verbs: [get]}\n',
    },
    steps: [
      'auth can-i create pods',
      'auth can-i "*" "*"',
      'auth can-i get /logs',
      'auth can-i fly pods',
      'auth can-i get things',
      'auth can-i get pods/web --subresource=log',
      'auth can-i list nodes -n kube-system',
      'auth can-i',
      'auth can-i get',
      'auth can-i --list',
      'auth can-i create pods --as=ann',
      'auth can-i create pods --as=ann -q',
      'auth whoami --as=ann --as-group=devs --as-uid=7',
      'auth whoami --as=ann --as-user-extra=scopes=a -o yaml',
      'auth whoami --as=system:anonymous --as-group=system:unauthenticated',
      'auth reconcile -f rbac.yaml --dry-run=client',
      'auth reconcile -f cluster.yaml',
      'auth reconcile -f cluster.yaml',
      'auth reconcile -f more.yaml',
      'auth reconcile -f cluster.yaml --remove-extra-permissions --remove-extra-subjects',
      'get clusterrolebinding kd-auth-crb -o yaml',
      'apply -f rbac.yaml',
      'auth reconcile -f agg.yaml',
      'auth reconcile -f missing.yaml',
      { run: 'auth can-i list pods --as=ann', untilDone: true },
      'auth can-i update deployments.apps/web --as=ann',
      'auth can-i update deployments.apps/other --as=ann',
      'auth can-i delete pods --as=ann',
      { run: 'auth can-i --list --as=ann' },
      'auth can-i --list --as=system:serviceaccount:kd-auth:default --as-group=system:serviceaccounts',
      'auth can-i get pods --as=system:serviceaccount:kd-auth:default',
      'auth can-i get pods --as=ann --all-namespaces',
      'get pods --as=ann',
      'get pods --as=ann -n default',
      'get secrets --as=ann',
      'get nodes --as=ann',
      'get pods --as=ann -A',
      'create configmap x --as=ann',
      'delete pod x --as=ann',
      'get deployment web --as=ann',
      'get deployment other --as=ann',
      'apply -f rbac.yaml --as=ann',
      'create role more --verb=delete --resource=pods --as=ann',
      'get --raw /metrics --as=ann',
      'get --raw /healthz --as=ann',
      'get --raw /version --as=ann',
      'get things --as=ann',
      'get pods --as=system:node:node-1 --as-group=system:nodes',
      'get pods --as-group=devs',
      { run: 'create rolebinding ann-edits --clusterrole=edit --user=ann', isSetUp: true },
      { run: 'auth can-i create roles.rbac.authorization.k8s.io --as=ann' },
      { run: 'create configmap x --as=ann', untilDone: true },
      'create role more --verb=delete --resource=pods --as=ann',
      { run: 'create rolebinding ann-admins --clusterrole=admin --user=ann', isSetUp: true },
      { run: 'create role fine --verb=delete --resource=pods --as=ann', untilDone: true },
      'create role toomuch --verb=delete --resource=nodes --as=ann',
      'create rolebinding escalate --clusterrole=cluster-admin --user=ann --as=ann',
      'get pods --as=ann --as-group=system:masters -n default -o name',
      'get pods --as=bob --as-uid=1 --as-group=a --as-group=b',
      'create configmap y --as=cy',
      'get cm --as=cy -o yaml',
      'describe pod x --as=cy',
      'label cm x a=b --as=cy',
      'scale deploy web --replicas=2 --as=cy',
      'drain node-1 --as=cy',
      'auth can-i get pods --as=cy --subresource=log -n default',
      'delete clusterrole/kd-auth-cr clusterrole/kd-auth-nodes clusterrolebinding/kd-auth-crb',
    ],
  },
  {
    name: 'certificates',
    files: {
      'bad.yaml': `apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: kd-bad}\nspec: {request: ${NO_REQUEST}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}\n`,
      'good.yaml': `apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: kd-ann}\nspec: {request: ${REQUEST}, signerName: kubernetes.io/kube-apiserver-client, expirationSeconds: 3600, usages: [client auth]}\n`,
      'denied.yaml': `apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: kd-bob}\nspec: {request: ${REQUEST}, signerName: example.com/own, usages: [client auth, digital signature]}\n`,
    },
    steps: [
      'create -f bad.yaml',
      'create -f good.yaml --as=ann --as-group=system:masters',
      'create -f denied.yaml --as=ann --as-group=system:masters',
      'get csr kd-ann kd-bob',
      'describe csr kd-ann',
      'get csr kd-bob -o yaml',
      'certificate approve kd-ann',
      { run: 'get csr kd-ann', until: /Issued/ },
      'certificate approve kd-ann',
      'certificate deny kd-bob',
      'certificate deny kd-bob',
      'certificate approve kd-bob',
      'certificate approve kd-bob --force',
      'certificate approve nothing',
      'certificate',
      'describe csr kd-bob',
      'get csr kd-ann -o jsonpath={.status.conditions}',
      'patch csr kd-ann --type=merge -p \'{"spec":{"username":"x"}}\'',
      'delete csr kd-ann kd-bob',
    ],
  },
];
