// Makes PersistentVolumes for claims whose class names the cluster's own driver, and deletes them after release. Files are the
// agents' business: see volume-driver.ts. Behaves as the CSI external-provisioner does.
import type { PersistentVolume, PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import type { StorageClass, VolumeAttachment } from '#generated/api/storage-v1.ts';
import { persistentvolumeclaims, persistentvolumes, storageclasses, volumeattachments } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { keyOf, type ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER } from './persistentvolume/binder.ts';
import { classOf } from './persistentvolume/matching.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from './runtime/controller.ts';
import { BACKING_FILE_FINALIZER, VOLUME_DRIVER } from './volume-driver.ts';

const CLAIM = 'claim:';
const VOLUME = 'volume:';
/** Class parameters that mean something here; others travel to the agent as volumeAttributes. */
const FS_TYPE_PARAMETERS = ['csi.storage.k8s.io/fstype', 'fsType', 'fstype'] as const;
const FS_TYPES: ReadonlySet<string> = new Set(['ext4', 'xfs']);

export const volumeProvisioner: ControllerDefinition = {
  name: 'volume-provisioner-controller',
  identity: 'volume-provisioner',
  build: (deps) => {
    const claims = deps.informers.informer(persistentvolumeclaims);
    const volumes = deps.informers.informer(persistentvolumes);
    const classes = deps.informers.informer(storageclasses);
    const attachments = deps.informers.informer(volumeattachments);
    const provisioner = new Provisioner({ ...deps, claims, volumes, classes, attachments });
    return {
      watches: [
        watch(claims, ({ key }) => [CLAIM + key]),
        watch(volumes, ({ key }) => [VOLUME + key]),
        watch(classes, () =>
          claims
            .list()
            .filter((c) => !c.spec?.volumeName)
            .map((c) => CLAIM + keyOf(c)),
        ),
        // A volume may be deleted once nothing holds it.
        watch(attachments, ({ old, object }) =>
          object === undefined && old!.spec.source.persistentVolumeName
            ? [VOLUME + old!.spec.source.persistentVolumeName]
            : [],
        ),
      ],
      reconcile: (key) =>
        key.startsWith(CLAIM)
          ? provisioner.provision(key.slice(CLAIM.length))
          : provisioner.remove(key.slice(VOLUME.length)),
    };
  },
};

interface ProvisionerDeps extends Pick<ControllerDeps, 'client' | 'events'> {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
  readonly attachments: Informer<VolumeAttachment>;
}

class Provisioner {
  readonly #deps: ProvisionerDeps;

  constructor(deps: ProvisionerDeps) {
    this.#deps = deps;
  }

  async provision(key: ObjectKey): Promise<Outcome> {
    const claim = this.#deps.claims.get(key);
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return done;
    const storageClass = this.#deps.classes.get(classOf(claim));
    if (!shouldProvision(claim, storageClass)) return done;
    if (this.#deps.volumes.get(volumeName(claim)) !== undefined) return done;
    const made = makeVolume(claim, storageClass!);
    if ('refused' in made) {
      this.#event(
        claim,
        'Warning',
        'ProvisioningFailed',
        `failed to provision volume with StorageClass ${JSON.stringify(storageClass!.metadata.name)}: ${made.refused}`,
      );
      return done;
    }
    this.#event(
      claim,
      'Normal',
      'Provisioning',
      `External provisioner is provisioning volume for claim ${JSON.stringify(key)}`,
    );
    try {
      await this.#deps.client.resource(persistentvolumes).create(made.volume);
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return done;
      this.#event(claim, 'Warning', 'ProvisioningFailed', (error as Error).message);
      throw error;
    }
    this.#event(
      claim,
      'Normal',
      'ProvisioningSucceeded',
      `Successfully provisioned volume ${made.volume.metadata.name}`,
    );
    return done;
  }

  /** Deletes the object; the agent that has the file takes the finalizer off. */
  async remove(name: string): Promise<Outcome> {
    const volume = this.#deps.volumes.get(name);
    if (volume === undefined || !shouldDelete(volume)) return done;
    if (this.#deps.attachments.list().some((a) => a.spec.source.persistentVolumeName === name)) return done;
    const { uid, resourceVersion } = volume.metadata;
    // With resourceVersion: the volume may just have been bound again by a person.
    await this.#deps.client
      .resource(persistentvolumes)
      .delete(undefined, name, { preconditions: { uid, resourceVersion } });
    return done;
  }

  #event(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.event(claim, persistentvolumeclaims, type, reason, message);
  }
}

const volumeName = (claim: PersistentVolumeClaim): string => `pvc-${claim.metadata.uid}`;

/** The binder has asked for it, and the scheduler chose a node where the class waits for one. */
export function shouldProvision(claim: PersistentVolumeClaim, storageClass: StorageClass | undefined): boolean {
  if (claim.spec?.volumeName || storageClass?.provisioner !== VOLUME_DRIVER) return false;
  if (claim.metadata.annotations?.[STORAGE_PROVISIONER] !== VOLUME_DRIVER) return false;
  return (
    storageClass.volumeBindingMode !== 'WaitForFirstConsumer' || Boolean(claim.metadata.annotations?.[SELECTED_NODE])
  );
}

export function shouldDelete(volume: PersistentVolume): boolean {
  return (
    volume.metadata.annotations?.[PROVISIONED_BY] === VOLUME_DRIVER &&
    volume.spec?.persistentVolumeReclaimPolicy === 'Delete' &&
    volume.status?.phase === 'Released' &&
    volume.metadata.deletionTimestamp === undefined
  );
}

/** The volume as the class describes it, reserved for the claim; or why it cannot be had. */
export function makeVolume(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
): { readonly volume: PersistentVolume } | { readonly refused: string } {
  const { accessModes = [], resources, volumeMode = 'Filesystem', selector, dataSource, dataSourceRef } = claim.spec!;
  if (selector !== undefined) return { refused: 'claim Selector is not supported' };
  if (dataSource !== undefined || dataSourceRef !== undefined)
    return { refused: 'volumes from a data source are not supported' };
  if (volumeMode !== 'Filesystem') return { refused: `volumeMode ${volumeMode} is not supported: use Filesystem` };
  const shared = accessModes.find((m) => m === 'ReadWriteMany' || m === 'ReadOnlyMany');
  if (shared !== undefined)
    return { refused: `access mode ${shared} is not supported: use ReadWriteOnce or ReadWriteOncePod` };
  const parameters = storageClass.parameters ?? {};
  const fsType = FS_TYPE_PARAMETERS.map((p) => parameters[p]).find((v) => v !== undefined) ?? 'ext4';
  if (!FS_TYPES.has(fsType))
    return { refused: `file system ${JSON.stringify(fsType)} is not supported: use ${[...FS_TYPES].join(' or ')}` };
  const attributes = Object.entries(parameters).filter(
    ([k]) => !k.startsWith('csi.storage.k8s.io/') && !FS_TYPE_PARAMETERS.includes(k as 'fsType'),
  );
  const name = volumeName(claim);
  const { namespace, uid, resourceVersion } = claim.metadata;
  return {
    volume: {
      metadata: { name, annotations: { [PROVISIONED_BY]: VOLUME_DRIVER }, finalizers: [BACKING_FILE_FINALIZER] },
      spec: {
        capacity: { storage: resources!.requests!['storage']! },
        accessModes,
        claimRef: {
          kind: 'PersistentVolumeClaim',
          apiVersion: 'v1',
          namespace,
          name: claim.metadata.name,
          uid,
          resourceVersion,
        },
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        storageClassName: storageClass.metadata.name,
        volumeMode,
        ...(storageClass.mountOptions === undefined ? {} : { mountOptions: storageClass.mountOptions }),
        csi: {
          driver: VOLUME_DRIVER,
          volumeHandle: name,
          fsType,
          ...(attributes.length === 0 ? {} : { volumeAttributes: Object.fromEntries(attributes) }),
        },
      },
    },
  };
}
