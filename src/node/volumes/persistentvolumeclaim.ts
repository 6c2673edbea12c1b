// persistentVolumeClaim: the bound volume behind the claim. Backends: our driver's disks (disk.ts), local and hostPath volumes.
import type { PersistentVolume, Pod } from '#generated/api/core-v1.ts';
import { DISK_DRIVER, mountDisk, unmountDisk } from './disk.ts';
import { ensureHostPath } from './hostpath.ts';
import { type PreparedVolume, type VolumeDeps, VolumeError, type VolumePlugin } from './volume.ts';

export const persistentVolumeClaim: VolumePlugin = {
  field: 'persistentVolumeClaim',
  folder: 'kubernetes.io~csi',

  async setUp({ pod, volume, dir }, deps) {
    const { claimName, readOnly = false } = volume.persistentVolumeClaim!;
    return setUpClaim(pod, claimName, readOnly, dir, deps);
  },

  async tearDown(dir, _memoryDir, deps) {
    await unmountDisk(dir, deps);
    await deps.files.removeAll(dir);
  },
};

/** A generic ephemeral volume is a claim named after pod and volume, owned by the pod. */
export const ephemeral: VolumePlugin = {
  field: 'ephemeral',
  folder: 'kubernetes.io~csi',
  setUp: ({ pod, volume, dir }, deps) => setUpClaim(pod, `${pod.metadata.name}-${volume.name}`, false, dir, deps, true),
  tearDown: (dir, memoryDir, deps) => persistentVolumeClaim.tearDown(dir, memoryDir, deps),
};

async function setUpClaim(
  pod: Pod,
  claimName: string,
  readOnly: boolean,
  dir: string,
  deps: VolumeDeps,
  owned = false,
): Promise<PreparedVolume> {
  const namespace = pod.metadata.namespace!;
  const claim = await deps.claim(namespace, claimName);
  if (claim === undefined) throw new VolumeError(`persistentvolumeclaim ${JSON.stringify(claimName)} not found`);
  if (
    owned &&
    !(claim.metadata.ownerReferences ?? []).some((o) => o.uid === pod.metadata.uid && o.controller === true)
  ) {
    throw new VolumeError(
      `PVC ${namespace}/${claimName} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`,
    );
  }
  const volumeName = claim.spec?.volumeName ?? '';
  if (claim.status?.phase !== 'Bound' || volumeName === '')
    throw new VolumeError(`persistentvolumeclaim ${JSON.stringify(claimName)} is not bound yet`);
  const pv = await deps.persistentVolume(volumeName);
  if (pv === undefined) throw new VolumeError(`persistentvolume ${JSON.stringify(volumeName)} not found`);
  if (pv.spec?.claimRef?.uid !== undefined && pv.spec.claimRef.uid !== claim.metadata.uid)
    throw new VolumeError(`persistentvolume ${volumeName} is bound to another claim`);
  if ((pv.spec?.volumeMode ?? 'Filesystem') === 'Block')
    throw new VolumeError(`volume ${volumeName} has volumeMode Block, which is not supported: use Filesystem`);
  return backend(pod, pv, readOnly, dir, deps);
}

async function backend(
  pod: Pod,
  pv: PersistentVolume,
  readOnly: boolean,
  dir: string,
  deps: VolumeDeps,
): Promise<PreparedVolume> {
  const spec = pv.spec!;
  if (spec.csi?.driver === DISK_DRIVER) return mountDisk(pod, pv, readOnly, dir, deps);
  if (spec.hostPath !== undefined) {
    ensureHostPath(deps.files, spec.hostPath.path, spec.hostPath.type ?? '');
    return { path: spec.hostPath.path, readOnly };
  }
  if (spec.local !== undefined) {
    if (deps.files.stat(spec.local.path)?.type !== 'directory')
      throw new VolumeError(`local volume ${pv.metadata.name}: path ${spec.local.path} does not exist`);
    return { path: spec.local.path, readOnly };
  }
  const kind =
    spec.csi === undefined
      ? Object.keys(spec).find(
          (k) =>
            k !== 'claimRef' &&
            typeof (spec as Record<string, unknown>)[k] === 'object' &&
            !Array.isArray((spec as Record<string, unknown>)[k]) &&
            k !== 'capacity' &&
            k !== 'nodeAffinity',
        )
      : `csi driver ${spec.csi.driver}`;
  throw new VolumeError(
    `persistentvolume ${pv.metadata.name}: ${kind} is not supported: use ${DISK_DRIVER}, local or hostPath`,
  );
}
