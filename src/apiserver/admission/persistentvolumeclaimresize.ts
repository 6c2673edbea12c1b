// PersistentVolumeClaimResize: a claim grows only when its class says that its volumes can.
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import type { StorageClass } from '#generated/api/storage-v1.ts';
import { compareQuantity, parseQuantity } from '#machinery/quantity.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

export interface PersistentVolumeClaimResizeDeps {
  readonly storageClasses: Lookup<StorageClass>;
}

export class PersistentVolumeClaimResize implements AdmissionPlugin {
  readonly name = 'PersistentVolumeClaimResize';
  readonly #deps: PersistentVolumeClaimResizeDeps;

  constructor(deps: PersistentVolumeClaimResizeDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'UPDATE' && group === '' && resource === 'persistentvolumeclaims' && subresource === '';
  }

  validate(a: AdmissionAttributes): void | Promise<void> {
    const size = sizeOf(a.object as PersistentVolumeClaim);
    const old = sizeOf(a.oldObject as PersistentVolumeClaim);
    if (
      size === undefined ||
      old === undefined ||
      size === old ||
      compareQuantity(parseQuantity(size), parseQuantity(old)) <= 0
    )
      return;
    return this.#check(a);
  }

  async #check(a: AdmissionAttributes): Promise<void> {
    const { storageClassName = '' } = (a.object as PersistentVolumeClaim).spec ?? {};
    const storageClass =
      storageClassName === '' ? undefined : await find(this.#deps.storageClasses, undefined, storageClassName);
    if (storageClass?.allowVolumeExpansion !== true) {
      throw admissionForbidden(
        a,
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      );
    }
  }
}

const sizeOf = (claim: PersistentVolumeClaim | undefined): string | undefined =>
  claim?.spec?.resources?.requests?.['storage'];
