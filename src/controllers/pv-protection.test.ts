import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolume } from '#generated/api/core-v1.ts';
import { persistentvolumes } from '#generated/resources.ts';
import { pvProtectionController } from './pv-protection.ts';
import { TestCluster } from './runtime/testing.ts';

describe('volume protection', () => {
  it('keeps a volume that is bound although it is being deleted, and lets it go when it is released', async () => {
    const cluster = new TestCluster();
    const volume = (name: string, phase: string): PersistentVolume => ({
      metadata: { name },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
      status: { phase },
    });
    await cluster.put(persistentvolumes, volume('bound', 'Bound'));
    await cluster.put(persistentvolumes, volume('free', 'Available'));
    await cluster.run(pvProtectionController);
    await cluster.settle();
    for (const name of ['bound', 'free']) {
      assert.deepEqual(cluster.get(persistentvolumes, name)?.metadata.finalizers, ['kubernetes.io/pv-protection']);
      await cluster.client.resource(persistentvolumes).delete(undefined, name);
    }
    await cluster.settle();
    assert.equal(cluster.get(persistentvolumes, 'free'), undefined);
    assert.notEqual(cluster.get(persistentvolumes, 'bound')?.metadata.deletionTimestamp, undefined);
    cluster.edit(persistentvolumes, 'bound', (v) => ({ ...v, status: { phase: 'Released' } }));
    await cluster.settle();
    assert.equal(cluster.get(persistentvolumes, 'bound'), undefined);
    await cluster.stop();
  });
});
