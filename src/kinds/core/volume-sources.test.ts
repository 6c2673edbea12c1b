import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Errors } from '../rules.ts';
import { sourceWarnings, validateSharedSource } from './volume-sources.ts';

const judged = (name: string, source: object, isPersistent = false): string[] => {
  const errors: Errors = [];
  validateSharedSource(name, source, isPersistent ? 'spec' : 'spec.volumes[0]', errors, isPersistent);
  return errors.map((e) => `${e.field} ${e.type.replace('FieldValue', '')}`);
};

describe('validateSharedSource', () => {
  const cases: readonly (readonly [string, string, object, boolean, readonly string[]])[] = [
    ['a relative path of NFS', 'nfs', { server: 's', path: 'p' }, false, ['spec.volumes[0].nfs.path Invalid']],
    ['a disk under its old name', 'gcePersistentDisk', {}, true, ['spec.persistentDisk.pdName Required']],
    [
      'an initiator that no standard knows',
      'iscsi',
      { targetPortal: 'p', iqn: 'eui.xyz', lun: 1 },
      false,
      ['spec.volumes[0].iscsi.iqn Invalid'],
    ],
    ['a Fibre Channel target without LUN', 'fc', { targetWWNs: ['a'] }, true, ['spec.fc.lun Required']],
    [
      'a secret of a volume without namespace',
      'csi',
      { driver: 'd', volumeHandle: 'h', nodePublishSecretRef: { name: 's' } },
      true,
      ['spec.csi.nodePublishSecretRef.namespace Required'],
    ],
    ['a pod that names a secret alone', 'csi', { driver: 'd', nodePublishSecretRef: { name: 's' } }, false, []],
    [
      'a managed disk at an address',
      'azureDisk',
      { diskName: 'd', diskURI: 'https://x', kind: 'Managed' },
      false,
      ['spec.volumes[0].azureDisk.diskURI NotSupported'],
    ],
  ];
  for (const [title, name, source, isPersistent, expected] of cases)
    it(`judges ${title}`, () => assert.deepEqual(judged(name, source, isPersistent), expected));
});

describe('sourceWarnings', () => {
  it('names types that went', () => {
    assert.deepEqual(sourceWarnings({ storageos: {} }, 'spec'), [
      'spec.storageOS: deprecated in v1.22, non-functional in v1.25+',
    ]);
    assert.deepEqual(sourceWarnings({ nfs: {} }, 'spec'), []);
  });
});
