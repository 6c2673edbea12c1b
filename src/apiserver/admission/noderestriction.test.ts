import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, Pod } from '#generated/api/core-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fixedLookup } from '../authentication/lookup.ts';
import { NodeRestriction } from './noderestriction.ts';
import { makeAttributes, type AttributesOptions } from './testing.ts';

const kubelet = { name: 'system:node:n1', groups: ['system:nodes'] };
const pod = (name: string, nodeName: string): Pod => ({
  metadata: { name, namespace: 'db', uid: `uid-${name}`, labels: { a: 'b' } },
  spec: { containers: [], nodeName },
});
const mine = pod('mine', 'n1');
const other = pod('other', 'n2');
const node: Node = { metadata: { name: 'n1', uid: 'node-1', labels: { 'kubernetes.io/os': 'linux' } }, spec: {} };
const plugin = new NodeRestriction({ pods: fixedLookup([mine, other]), nodes: fixedLookup([node]) });

const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node-1', controller: true };
const mirror = (metadata: object = {}, spec: object = {}): Pod => ({
  metadata: {
    name: 'static-n1',
    namespace: 'db',
    annotations: { 'kubernetes.io/config.mirror': 'h' },
    ownerReferences: [owner],
    ...metadata,
  },
  spec: { containers: [], nodeName: 'n1', ...spec },
});
const token = (ref?: object): KubeObject =>
  ({ metadata: {}, spec: { audiences: [], ...(ref === undefined ? {} : { boundObjectRef: ref }) } }) as KubeObject;
const labelled = (labels: Record<string, string>, spec: object = {}): Node => ({
  metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labels } },
  spec,
});
const ref = (p: Pod) => ({ apiVersion: 'v1', kind: 'Pod', name: p.metadata.name!, uid: p.metadata.uid! });
const claim = (status: object): KubeObject =>
  ({ metadata: { name: 'data', namespace: 'db' }, spec: { volumeName: 'v' }, status }) as KubeObject;

async function outcome(options: AttributesOptions): Promise<string> {
  try {
    await plugin.validate(makeAttributes({ user: kubelet, ...options }));
    return 'ok';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('NodeRestriction', () => {
  const allowed: Record<string, AttributesOptions> = {
    'create its mirror pod': { resource: 'pods', object: mirror() },
    'delete its pod': { operation: 'DELETE', resource: 'pods', oldObject: mine },
    'evict its pod': {
      resource: 'pods',
      subresource: 'eviction',
      object: { metadata: { name: 'mine', namespace: 'db' } },
    },
    'write status of its pod': {
      operation: 'UPDATE',
      resource: 'pods',
      subresource: 'status',
      object: mine,
      oldObject: mine,
    },
    'create its node': {
      resource: 'nodes',
      object: labelled({ 'topology.kubernetes.io/zone': 'a', 'node.kubernetes.io/x': 'y', 'example.com/own': 'z' }),
    },
    'set its own labels': {
      operation: 'UPDATE',
      resource: 'nodes',
      object: labelled({ 'kubelet.kubernetes.io/x': 'y' }),
      oldObject: node,
    },
    'ask a token for its pod': {
      resource: 'serviceaccounts',
      subresource: 'token',
      namespace: 'db',
      name: 'app',
      object: token(ref(mine)),
    },
    'write its lease': {
      operation: 'UPDATE',
      group: 'coordination.k8s.io',
      resource: 'leases',
      object: { metadata: { name: 'n1', namespace: 'kube-node-lease' } },
    },
    'create its CSINode': {
      group: 'storage.k8s.io',
      resource: 'csinodes',
      name: '',
      object: { metadata: { name: 'n1' } },
    },
    'write the size of a claim': {
      operation: 'UPDATE',
      resource: 'persistentvolumeclaims',
      subresource: 'status',
      object: claim({ phase: 'Bound', capacity: { storage: '2Gi' } }),
      oldObject: claim({ phase: 'Bound', capacity: { storage: '1Gi' } }),
    },
  };
  for (const [what, options] of Object.entries(allowed)) {
    it(`lets a node ${what}`, async () => assert.equal(await outcome(options), 'ok'));
  }

  const refused: Record<string, [AttributesOptions, RegExp]> = {
    'create an ordinary pod': [{ resource: 'pods', object: mine }, /can only create mirror pods/],
    'create a mirror pod elsewhere': [
      { resource: 'pods', object: mirror({}, { nodeName: 'n2' }) },
      /with spec.nodeName set to itself/,
    ],
    'create a mirror pod of nobody': [
      { resource: 'pods', object: mirror({ ownerReferences: [] }) },
      /owner reference set to itself/,
    ],
    'create a mirror pod of a former node': [
      { resource: 'pods', object: mirror({ ownerReferences: [{ ...owner, uid: 'old' }] }) },
      /UID mismatch/,
    ],
    'create a mirror pod with a Secret': [
      { resource: 'pods', object: mirror({}, { imagePullSecrets: [{ name: 's' }] }) },
      /reference secrets/,
    ],
    'update a pod': [
      { operation: 'UPDATE', resource: 'pods', object: mine, oldObject: mine },
      /can only create and delete mirror pods/,
    ],
    'delete the pod of another': [
      { operation: 'DELETE', resource: 'pods', oldObject: other },
      /can only delete pods with spec.nodeName set to itself/,
    ],
    'evict the pod of another': [
      { resource: 'pods', subresource: 'eviction', object: { metadata: { name: 'other', namespace: 'db' } } },
      /can only evict pods/,
    ],
    'write status of the pod of another': [
      { operation: 'UPDATE', resource: 'pods', subresource: 'status', object: other, oldObject: other },
      /can only update pod status for pods/,
    ],
    'write labels through status': [
      {
        operation: 'UPDATE',
        resource: 'pods',
        subresource: 'status',
        object: { ...mine, metadata: { ...mine.metadata, labels: { a: 'c' } } },
        oldObject: mine,
      },
      /cannot update labels through pod status/,
    ],
    'bind a pod': [{ resource: 'pods', subresource: 'binding', object: mine }, /unexpected pod subresource "binding"/],
    'write another node': [
      {
        operation: 'UPDATE',
        resource: 'nodes',
        object: { metadata: { name: 'n2' } },
        oldObject: { metadata: { name: 'n2' } },
      },
      /not allowed to modify node "n2"/,
    ],
    'give itself a restricted label': [
      {
        operation: 'UPDATE',
        resource: 'nodes',
        object: labelled({ 'node-restriction.kubernetes.io/secure': 'yes' }),
        oldObject: node,
      },
      /is not allowed to modify labels: node-restriction.kubernetes.io\/secure/,
    ],
    'come with the role of a control plane': [
      { resource: 'nodes', object: labelled({ 'node-role.kubernetes.io/control-plane': '' }) },
      /set the following labels: node-role/,
    ],
    'take off a taint': [
      {
        operation: 'UPDATE',
        resource: 'nodes',
        object: node,
        oldObject: labelled({}, { taints: [{ key: 'a', effect: 'NoSchedule' }] }),
      },
      /not allowed to modify taints/,
    ],
    'ask a token for nothing': [
      { resource: 'serviceaccounts', subresource: 'token', namespace: 'db', object: token() },
      /not bound to a pod/,
    ],
    'ask a token for the pod of another': [
      { resource: 'serviceaccounts', subresource: 'token', namespace: 'db', object: token(ref(other)) },
      /pod scheduled on a different node/,
    ],
    'ask a token for a pod without its uid': [
      { resource: 'serviceaccounts', subresource: 'token', namespace: 'db', object: token({ ...ref(mine), uid: '' }) },
      /without a uid/,
    ],
    'ask a token for a former pod': [
      {
        resource: 'serviceaccounts',
        subresource: 'token',
        namespace: 'db',
        object: token({ ...ref(mine), uid: 'old' }),
      },
      /does not match the UID in record/,
    ],
    'write the lease of another': [
      {
        group: 'coordination.k8s.io',
        resource: 'leases',
        name: '',
        object: { metadata: { name: 'n2', namespace: 'kube-node-lease' } },
      },
      /same name as the requesting node/,
    ],
    'write a lease elsewhere': [
      { group: 'coordination.k8s.io', resource: 'leases', object: { metadata: { name: 'n1', namespace: 'db' } } },
      /"kube-node-lease" system namespace/,
    ],
    'write the phase of a claim': [
      {
        operation: 'UPDATE',
        resource: 'persistentvolumeclaims',
        subresource: 'status',
        object: claim({ phase: 'Lost' }),
        oldObject: claim({ phase: 'Bound' }),
      },
      /is not allowed to update fields other than/,
    ],
  };
  for (const [what, [options, text]] of Object.entries(refused)) {
    it(`does not let a node ${what}`, async () => assert.match(await outcome(options), text));
  }

  const agent = { name: 'coracle:node-agent:n1', groups: ['coracle:node-agents'] };
  const lease = (name: string): AttributesOptions => ({
    user: agent,
    operation: 'UPDATE',
    group: 'coordination.k8s.io',
    resource: 'leases',
    name,
    object: { metadata: { name, namespace: 'kube-node-lease' } },
  });
  it('lets a node’s agent write the lease of its load balancing, and no node’s heartbeat', async () => {
    assert.equal(await outcome(lease('load-balancer-n1')), 'ok');
    assert.match(await outcome(lease('load-balancer-n2')), /can only access lease "load-balancer-n1"/);
    assert.match(await outcome(lease('n1')), /can only access lease "load-balancer-n1"/);
  });

  it('leaves everybody else alone', async () => {
    assert.equal(
      await outcome({
        user: { name: 'admin', groups: [] },
        operation: 'UPDATE',
        resource: 'nodes',
        object: { metadata: { name: 'n2' } },
      }),
      'ok',
    );
  });
});
