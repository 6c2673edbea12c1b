import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import type { AuthorizerAttributes } from '../pipeline.ts';
import { podReferences, volumeSecrets, type NodeGraph } from './node-graph.ts';
import { NodeAuthorizer } from './node.ts';

const pod: Pod = {
  metadata: { name: 'web', namespace: 'db' },
  spec: {
    nodeName: 'n1',
    serviceAccountName: 'app',
    imagePullSecrets: [{ name: 'pull' }],
    initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'init-env' } }] }],
    containers: [
      {
        name: 'c',
        env: [
          { name: 'A', valueFrom: { secretKeyRef: { name: 'env-secret', key: 'k' } } },
          { name: 'B', valueFrom: { configMapKeyRef: { name: 'env-map', key: 'k' } } },
        ],
      },
    ],
    volumes: [
      { name: 'v1', secret: { secretName: 'vol-secret' } },
      { name: 'v2', configMap: { name: 'vol-map' } },
      { name: 'v3', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'scratch', ephemeral: {} },
      {
        name: 'v5',
        projected: { sources: [{ secret: { name: 'proj-secret' } }, { configMap: { name: 'kube-root-ca.crt' } }] },
      },
    ],
  },
};

const graph: NodeGraph = {
  refers(node, resource, namespace, name) {
    if (resource === 'pods') return node === 'n1' && `${namespace}/${name}` === 'db/web';
    if (resource === 'volumeattachments') return node === 'n1' && name === 'att-n1';
    if (resource === 'persistentvolumes') return node === 'n1' && name === 'pv-data';
    return node === 'n1' && podReferences(pod).includes(`${resource}|${namespace}/${name}`);
  },
};
const authorizer = new NodeAuthorizer(graph);

function attributes(
  text: string,
  user = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
): AuthorizerAttributes {
  const [verb, what, namespace = '', name = '', fieldSelector] = text.split(' ') as [
    string,
    string,
    string?,
    string?,
    string?,
  ];
  const [apiGroup, rest] = what.includes(':') ? (what.split(':') as [string, string]) : ['', what];
  const [resource, subresource = ''] = rest.split('/') as [string, string?];
  const blank = (s: string): string => (s === '-' ? '' : s);
  return {
    user,
    verb,
    isResourceRequest: true,
    namespace: blank(namespace),
    apiGroup,
    apiVersion: 'v1',
    resource,
    subresource,
    name: blank(name),
    path: '',
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

describe('podReferences', () => {
  it('finds everything that a pod makes readable on its node', () => {
    assert.deepEqual(podReferences(pod).toSorted(), [
      'configmaps|db/env-map',
      'configmaps|db/init-env',
      'configmaps|db/kube-root-ca.crt',
      'configmaps|db/vol-map',
      'persistentvolumeclaims|db/data',
      'persistentvolumeclaims|db/web-scratch',
      'secrets|db/env-secret',
      'secrets|db/proj-secret',
      'secrets|db/pull',
      'secrets|db/vol-secret',
      'serviceaccounts|db/app',
    ]);
  });

  it('finds nothing for mirror pods and pods without a node', () => {
    assert.deepEqual(
      podReferences({ ...pod, metadata: { ...pod.metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } } }),
      [],
    );
    assert.deepEqual(podReferences({ ...pod, spec: { ...pod.spec!, nodeName: '' } }), []);
  });
});

describe('volumeSecrets', () => {
  it('takes the namespace of the claim when the reference has none', () => {
    assert.deepEqual(
      volumeSecrets({
        metadata: { name: 'pv' },
        spec: {
          claimRef: { namespace: 'db', name: 'data' },
          csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { name: 'a', namespace: 'sys' } },
          flexVolume: { driver: 'f', secretRef: { name: 'b' } },
        },
      }),
      ['sys/a', 'db/b'],
    );
  });
});

describe('NodeAuthorizer', () => {
  const allowed = [
    'get secrets db vol-secret',
    'watch secrets db vol-secret metadata.name=vol-secret',
    'get configmaps db kube-root-ca.crt',
    'get persistentvolumeclaims db data',
    'get persistentvolumes - pv-data',
    'get storage.k8s.io:volumeattachments - att-n1',
    'create serviceaccounts/token db app',
    'get serviceaccounts db app',
    'update coordination.k8s.io:leases kube-node-lease n1',
    'create coordination.k8s.io:leases kube-node-lease',
    'get nodes - n1',
    'patch nodes/status - n1',
    'create nodes',
    'list nodes - n1 metadata.name=n1',
    'list pods - - spec.nodeName=n1',
    'watch pods - - spec.nodeName=n1',
    'get pods db web',
    'patch pods/status db web',
    'delete pods db web',
    'create events db',
    'update storage.k8s.io:csinodes - n1',
    'get services',
    'list services',
    'create certificates.k8s.io:certificatesigningrequests',
    'create authentication.k8s.io:tokenreviews',
  ];
  for (const text of allowed) {
    it(`lets node n1 ${text}`, () => assert.equal(authorizer.authorize(attributes(text)).decision, 'allow'));
  }

  const refused = [
    'get secrets db other',
    'list secrets db',
    'list secrets',
    'update secrets db vol-secret',
    'get configmaps kube-system x',
    'get persistentvolumes - other',
    'create serviceaccounts/token db other',
    'update coordination.k8s.io:leases kube-node-lease n2',
    'update coordination.k8s.io:leases db n1',
    'get nodes - n2',
    'list nodes',
    'patch nodes/status - n2',
    'delete nodes - n1',
    'list pods',
    'list pods - - spec.nodeName=n2',
    'get pods db other',
    'create pods/exec db web',
    'update storage.k8s.io:csinodes - n2',
    'create apps:deployments db',
    'escalate rbac.authorization.k8s.io:clusterroles',
  ];
  for (const text of refused) {
    it(`does not let node n1 ${text}`, () =>
      assert.equal(authorizer.authorize(attributes(text)).decision, 'no-opinion'));
  }

  it('says why in words that users search for', () => {
    assert.equal(
      authorizer.authorize(attributes('get secrets db other')).reason,
      "no relationship found between node 'n1' and this object",
    );
  });

  it('has no opinion on users that are no nodes', () => {
    for (const user of [
      { name: 'system:node:n1', groups: [] },
      { name: 'bob', groups: ['system:nodes'] },
    ]) {
      assert.equal(authorizer.authorize(attributes('get secrets db vol-secret', user)).decision, 'no-opinion');
    }
  });
});
