import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { persistentvolumeclaims, persistentvolumes, volumeattributesclasses } from '#generated/resources.ts';
import { TestCluster } from './runtime/testing.ts';
import { vacProtectionController } from './vac-protection.ts';

describe('volume attributes class protection', () => {
  it('keeps a class while a volume or a claim names it, and lets it go then', async () => {
    const cluster = new TestCluster();
    const classes = cluster.client.resource(volumeattributesclasses);
    for (const name of ['free', 'of-volume', 'of-claim'])
      await cluster.put(volumeattributesclasses, { metadata: { name }, driverName: 'disk.example.test' });
    await cluster.put(persistentvolumes, {
      metadata: { name: 'pv' },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], volumeAttributesClassName: 'of-volume' },
    });
    await cluster.put(persistentvolumeclaims, {
      metadata: { name: 'pvc', namespace: 'default' },
      spec: {},
      status: { currentVolumeAttributesClassName: 'of-claim' },
    });
    await cluster.run(vacProtectionController);
    await cluster.settle();
    const left = () =>
      cluster
        .list(volumeattributesclasses)
        .map((c) => c.metadata.name)
        .toSorted();
    for (const name of left()) {
      assert.deepEqual(cluster.get(volumeattributesclasses, name!)?.metadata.finalizers, [
        'kubernetes.io/vac-protection',
      ]);
      await classes.delete(undefined, name!);
    }
    await cluster.settle();
    assert.deepEqual(left(), ['of-claim', 'of-volume']);
    cluster.edit(persistentvolumes, 'pv', (v) => ({ ...v, spec: { ...v.spec, volumeAttributesClassName: undefined } }));
    cluster.edit(persistentvolumeclaims, 'default/pvc', (c) => ({ ...c, status: {} }));
    await cluster.settle();
    assert.deepEqual(left(), []);
    await cluster.stop();
  });
});
