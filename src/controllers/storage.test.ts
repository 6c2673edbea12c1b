// Binder, provisioner, attach/detach and the protections together, as a claim's life runs through all of them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import {
  nodes,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  storageclasses,
  volumeattachments,
} from '#generated/resources.ts';
import { attachDetachController, mayDetach, planAttachments } from './attachdetach.ts';
import { persistentVolumeBinder } from './persistentvolume/binder.ts';
import { bestMatch } from './persistentvolume/matching.ts';
import { pvProtectionController } from './pv-protection.ts';
import { pvcProtectionController } from './pvc-protection.ts';
import { makeNode, makePod } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';
import { attachedName, BACKING_FILE_FINALIZER, VOLUME_DRIVER } from './volume-driver.ts';
import { makeVolume, volumeProvisioner } from './volume-provisioner.ts';

const makeClaim = (spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim => ({
  metadata: { name: 'data', namespace: 'default' },
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: 'standard',
    ...spec,
  },
});
const makePV = (name: string, storage: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume => ({
  metadata: { name },
  spec: {
    capacity: { storage },
    accessModes: ['ReadWriteOnce'],
    storageClassName: '',
    persistentVolumeReclaimPolicy: 'Retain',
    ...spec,
  },
  status: { phase: 'Available' },
});
const standard = {
  metadata: { name: 'standard' },
  provisioner: VOLUME_DRIVER,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
};
const user = (name: string, node: string, extra: Partial<Pod['metadata']> = {}): Pod => {
  const pod = makePod({ name, node, ready: true });
  return {
    ...pod,
    metadata: { ...pod.metadata, ...extra },
    spec: { ...pod.spec!, volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] },
  };
};

async function start(storageClass: object = standard): Promise<TestCluster> {
  const cluster = new TestCluster();
  cluster.gracefulPods = false;
  await cluster.put(storageclasses, storageClass as typeof standard);
  for (const name of ['node-1', 'node-2']) await cluster.put(nodes, makeNode(name));
  await cluster.run(
    persistentVolumeBinder,
    volumeProvisioner,
    attachDetachController,
    pvcProtectionController,
    pvProtectionController,
  );
  return cluster;
}

const claim = (cluster: TestCluster) => cluster.get(persistentvolumeclaims, 'default/data');
const volume = (cluster: TestCluster) => cluster.list(persistentvolumes)[0];
const holders = (cluster: TestCluster) =>
  cluster
    .list(volumeattachments)
    .map((a) => [a.spec.nodeName, a.status?.attached ?? false, a.metadata.deletionTimestamp !== undefined]);
const reports = (cluster: TestCluster, node: string, ...handles: readonly string[]) =>
  cluster.edit(nodes, node, (n: Node) => ({ ...n, status: { ...n.status, volumesInUse: handles.map(attachedName) } }));

describe('bestMatch', () => {
  const wanted = makeClaim({ storageClassName: '' });
  const owned = { ...wanted, metadata: { ...wanted.metadata, uid: 'u1' } };
  for (const [condition, volumes, expected] of [
    ['several are large enough', [makePV('big', '10Gi'), makePV('fit', '2Gi'), makePV('small', '512Mi')], 'fit'],
    [
      'one is kept for the claim',
      [makePV('fit', '1Gi'), makePV('kept', '9Gi', { claimRef: { namespace: 'default', name: 'data' } })],
      'kept',
    ],
    [
      'the only one is kept for another',
      [makePV('kept', '1Gi', { claimRef: { namespace: 'default', name: 'other' } })],
      undefined,
    ],
    ['the class differs', [makePV('other', '1Gi', { storageClassName: 'fast' })], undefined],
    ['access modes differ', [makePV('rox', '1Gi', { accessModes: ['ReadOnlyMany'] })], undefined],
  ] as const) {
    it(`picks ${expected} when ${condition}`, () =>
      assert.equal(bestMatch(owned, volumes, false)?.metadata.name, expected));
  }
});

describe('a claim', () => {
  it('of the default class is provisioned, bound, released and its volume deleted down to the finalizer of the file', async () => {
    const cluster = await start();
    await cluster.put(persistentvolumeclaims, makeClaim());
    await cluster.settle();
    const { uid } = claim(cluster)!.metadata;
    assert.equal(claim(cluster)!.status!.phase, 'Bound');
    assert.deepEqual(claim(cluster)!.status!.capacity, { storage: '1Gi' });
    const pv = volume(cluster)!;
    assert.equal(pv.metadata.name, `pvc-${uid}`);
    assert.deepEqual(pv.spec!.csi, { driver: VOLUME_DRIVER, volumeHandle: `pvc-${uid}`, fsType: 'ext4' });
    assert.equal(pv.status!.phase, 'Bound');
    await cluster.client.resource(persistentvolumeclaims).delete('default', 'data');
    await cluster.settle();
    assert.equal(claim(cluster), undefined);
    assert.equal(volume(cluster)!.status!.phase, 'Released');
    assert.notEqual(volume(cluster)!.metadata.deletionTimestamp, undefined);
    assert.deepEqual(volume(cluster)!.metadata.finalizers, [BACKING_FILE_FINALIZER]);
    await cluster.stop();
  });

  it('waits for its first consumer when the class says so, then for the node the scheduler selects', async () => {
    const cluster = await start({ ...standard, volumeBindingMode: 'WaitForFirstConsumer' });
    await cluster.put(persistentvolumeclaims, makeClaim());
    await cluster.settle();
    assert.equal(claim(cluster)!.status!.phase, 'Pending');
    assert.equal(cluster.events.at(-1)!.reason, 'WaitForFirstConsumer');
    cluster.edit(persistentvolumeclaims, 'default/data', (c) => ({
      ...c,
      metadata: { ...c.metadata, annotations: { 'volume.kubernetes.io/selected-node': 'node-1' } },
    }));
    await cluster.settle();
    assert.equal(claim(cluster)!.status!.phase, 'Bound');
    await cluster.stop();
  });

  it('is lost when its volume is, and says so', async () => {
    const cluster = await start();
    await cluster.put(persistentvolumeclaims, makeClaim());
    await cluster.settle();
    cluster.remove(persistentvolumes, volume(cluster)!.metadata.name!);
    await cluster.settle();
    assert.equal(claim(cluster)!.status!.phase, 'Lost');
    assert.ok(cluster.events.some((e) => e.reason === 'ClaimLost'));
    await cluster.stop();
  });

  it('binds a volume made by hand, which keeps its data after release under Retain', async () => {
    const cluster = await start();
    await cluster.put(persistentvolumes, makePV('mine', '2Gi'));
    await cluster.put(persistentvolumeclaims, makeClaim({ storageClassName: '' }));
    await cluster.settle();
    assert.equal(claim(cluster)!.spec!.volumeName, 'mine');
    await cluster.client.resource(persistentvolumeclaims).delete('default', 'data');
    await cluster.settle();
    assert.equal(volume(cluster)!.status!.phase, 'Released');
    assert.equal(volume(cluster)!.metadata.deletionTimestamp, undefined);
    await cluster.stop();
  });

  it('stays while a pod uses it', async () => {
    const cluster = await start();
    await cluster.put(persistentvolumeclaims, makeClaim());
    await cluster.put(pods, user('a', 'node-1'));
    await cluster.settle();
    await cluster.client.resource(persistentvolumeclaims).delete('default', 'data');
    await cluster.settle();
    assert.notEqual(claim(cluster), undefined);
    cluster.remove(pods, 'default/a');
    await cluster.settle();
    assert.equal(claim(cluster), undefined);
    await cluster.stop();
  });
});

describe('makeVolume', () => {
  it('refuses what the driver cannot do, by name', () => {
    assert.match(
      (makeVolume(makeClaim({ accessModes: ['ReadWriteMany'] }), standard) as { refused: string }).refused,
      /ReadWriteMany is not supported/,
    );
    assert.match(
      (makeVolume(makeClaim(), { ...standard, parameters: { fsType: 'zfs' } }) as { refused: string }).refused,
      /"zfs" is not supported: use ext4 or xfs/,
    );
  });

  it('takes the file system from the class and hands other parameters on', () => {
    const made = makeVolume(makeClaim(), {
      ...standard,
      parameters: { 'csi.storage.k8s.io/fstype': 'xfs', type: 'gp3' },
    }) as { volume: PersistentVolume };
    assert.equal(made.volume.spec!.csi!.fsType, 'xfs');
    assert.deepEqual(made.volume.spec!.csi!.volumeAttributes, { type: 'gp3' });
  });
});

describe('AttachDetach', () => {
  async function attached(): Promise<{ cluster: TestCluster; handle: string }> {
    const cluster = await start();
    await cluster.put(persistentvolumeclaims, makeClaim());
    await cluster.put(pods, user('a', 'node-1'));
    await cluster.settle();
    assert.deepEqual(holders(cluster), [['node-1', true, false]]);
    const handle = volume(cluster)!.spec!.csi!.volumeHandle;
    reports(cluster, 'node-1', handle);
    return { cluster, handle };
  }

  it('moves a volume only after the node has reported it out of use', async () => {
    const { cluster } = await attached();
    cluster.remove(pods, 'default/a');
    await cluster.put(pods, user('b', 'node-2'));
    await cluster.settle();
    assert.deepEqual(holders(cluster), [['node-1', true, true]]);
    assert.ok(cluster.events.some((e) => e.about === 'Pod/b' && e.message.startsWith('Multi-Attach error for volume')));
    reports(cluster, 'node-1');
    await cluster.settle(3000);
    assert.deepEqual(holders(cluster), [['node-2', true, false]]);
    await cluster.stop();
  });

  it('never takes it from a node whose agent is silent, not after a forced delete and long past six minutes', async () => {
    const { cluster } = await attached();
    cluster.edit(nodes, 'node-1', (n) => ({
      ...n,
      status: { ...n.status, conditions: [{ type: 'Ready', status: 'Unknown' }] },
    }));
    cluster.remove(pods, 'default/a');
    await cluster.put(pods, user('b', 'node-2'));
    await cluster.clock.step(3_600_000);
    assert.deepEqual(holders(cluster), [['node-1', true, true]]);
    await cluster.stop();
  });

  it('takes it at once from a machine declared out of service', async () => {
    const { cluster } = await attached();
    cluster.edit(nodes, 'node-1', (n) => ({
      ...n,
      spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute', value: 'nodeshutdown' }] },
      status: { ...n.status, conditions: [{ type: 'Ready', status: 'Unknown' }] },
    }));
    cluster.remove(pods, 'default/a');
    await cluster.put(pods, user('b', 'node-2'));
    await cluster.settle(3000);
    assert.deepEqual(holders(cluster), [['node-2', true, false]]);
    await cluster.stop();
  });

  it('keeps it attached while a pod on the node is still terminating', async () => {
    const { cluster } = await attached();
    cluster.edit(pods, 'default/a', (p) => ({
      ...p,
      metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    }));
    await cluster.put(pods, user('b', 'node-2'));
    await cluster.settle(3000);
    assert.deepEqual(holders(cluster), [['node-1', true, false]]);
    await cluster.stop();
  });

  it('does not delete a volume that is still attached', async () => {
    const { cluster } = await attached();
    await cluster.client.resource(persistentvolumeclaims).delete('default', 'data');
    cluster.remove(pods, 'default/a');
    await cluster.settle(3000);
    assert.equal(volume(cluster)!.metadata.deletionTimestamp, undefined);
    reports(cluster, 'node-1');
    await cluster.settle(3000);
    assert.deepEqual(holders(cluster), []);
    assert.notEqual(volume(cluster)!.metadata.deletionTimestamp, undefined);
    await cluster.stop();
  });
});

describe('mayDetach', () => {
  const ready = makeNode('n');
  for (const [condition, node, expected] of [
    ['the node does not name the volume', ready, true],
    ['the node names it', { ...ready, status: { ...ready.status, volumesInUse: [attachedName('h')] } }, false],
    ['the node is not ready', makeNode('n', { ready: 'Unknown' }), false],
    ['there is no such node', undefined, false],
    [
      'the node is out of service',
      makeNode('n', { ready: 'Unknown', taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] }),
      true,
    ],
  ] as const) {
    it(`is ${expected} when ${condition}`, () => assert.equal(mayDetach(node, 'h'), expected));
  }
});

describe('planAttachments', () => {
  it('gives the volume to the oldest waiting pod and lets the others wait', () => {
    const users = [
      user('b', 'node-2', { creationTimestamp: '2026-01-01T00:00:02Z' }),
      user('a', 'node-1', { creationTimestamp: '2026-01-01T00:00:01Z' }),
    ];
    const plan = planAttachments([], users);
    assert.equal(plan.attach, 'node-1');
    assert.deepEqual(
      plan.blocked.map((p) => p.metadata.name),
      ['b'],
    );
  });
});
