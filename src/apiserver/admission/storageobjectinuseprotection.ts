// StorageObjectInUseProtection: claims, volumes and volume attributes classes get the finalizer that keeps them while
// they are in use; the protection controllers take it away.
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import type { KubeObject } from '#machinery/object.ts';

/** `group/resource` → its finalizer. */
const FINALIZERS: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};

export class StorageObjectInUseProtection implements AdmissionPlugin {
  readonly name = 'StorageObjectInUseProtection';

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'CREATE' && subresource === '' && FINALIZERS[`${group}/${resource}`] !== undefined;
  }

  admit(a: AdmissionAttributes): KubeObject {
    const object = a.object!;
    const finalizer = FINALIZERS[`${a.group}/${a.resource}`]!;
    const present = object.metadata.finalizers ?? [];
    if (present.includes(finalizer)) return object;
    return { ...object, metadata: { ...object.metadata, finalizers: [...present, finalizer] } };
  }
}
