// DefaultStorageClass: a claim that names no class gets the default one. A claim that asks for the class '' keeps it.
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import type { StorageClass } from '#generated/api/storage-v1.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { defaultClass } from './default-class.ts';

export interface DefaultStorageClassDeps {
  readonly storageClasses: { list(): readonly StorageClass[] };
}

const DEFAULT_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];
/** The class as it was named before the field. */
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

export class DefaultStorageClass implements AdmissionPlugin {
  readonly name = 'DefaultStorageClass';
  readonly #deps: DefaultStorageClassDeps;

  constructor(deps: DefaultStorageClassDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'CREATE' && group === '' && resource === 'persistentvolumeclaims' && subresource === '';
  }

  admit(a: AdmissionAttributes): PersistentVolumeClaim {
    const claim = a.object as PersistentVolumeClaim;
    if (claim.spec?.storageClassName !== undefined || claim.metadata.annotations?.[CLASS_ANNOTATION] !== undefined)
      return claim;
    const chosen = defaultClass(this.#deps.storageClasses.list(), DEFAULT_ANNOTATIONS);
    if (chosen === undefined) return claim;
    return { ...claim, spec: { ...claim.spec, storageClassName: chosen.metadata.name! } };
  }
}
