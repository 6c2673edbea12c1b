// Our CSI-like driver: a thin file that behaves like a cloud disk. It is made at its first attach, carries a file system of its own
// (so a full one gives ENOSPC to its pod alone), and is mounted on this node only while a VolumeAttachment says it is attached here.
import { createHash } from 'node:crypto';
import type { PersistentVolume, Pod } from '#generated/api/core-v1.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import { NotAttachedError, type PreparedVolume, type VolumeDeps, VolumeError } from './volume.ts';

export const DISK_DRIVER = 'volumes.coracle.dev';
/** Put on PVs of this driver; the node takes it off when the backing file is removed. */
export const BACKING_FILE_FINALIZER = 'volumes.coracle.dev/backing-file';
/** mkfs refuses smaller ones. */
const SMALLEST_BYTES: Readonly<Record<string, number>> = { ext4: 1024 * 1024, xfs: 300 * 1024 * 1024 };

const backingFile = (deps: Pick<VolumeDeps, 'volumesDir'>, handle: string): string =>
  `${deps.volumesDir}/${handle}.img`;

/** Where a disk is mounted once a node; pods get binds of it. */
const stagingDir = (deps: Pick<VolumeDeps, 'rootDir'>, handle: string): string =>
  `${deps.rootDir}/plugins/kubernetes.io/csi/${DISK_DRIVER}/${handle}/globalmount`;

/** Upstream's name of the VolumeAttachment of a CSI volume to a node: a node may read only what it can name. */
export const attachmentName = (handle: string, nodeName: string): string =>
  `csi-${createHash('sha256').update(`${handle}${DISK_DRIVER}${nodeName}`).digest('hex')}`;

/** Upstream's name of an attached CSI volume. */
export const attachedName = (handle: string): string => `kubernetes.io/csi/${DISK_DRIVER}^${handle}`;

/** Mounting, unmounting and removing one disk go one after another: handle → the last step. */
const steps = new WeakMap<object, Map<string, Promise<unknown>>>();

function inTurn<T>(deps: Pick<VolumeDeps, 'mounts'>, handle: string, step: () => Promise<T>): Promise<T> {
  let queue = steps.get(deps.mounts);
  if (queue === undefined) steps.set(deps.mounts, (queue = new Map()));
  const before = queue.get(handle) ?? Promise.resolve();
  const mine = before.then(step, step);
  queue.set(handle, mine);
  const clear = () => void (queue.get(handle) === mine && queue.delete(handle));
  mine.then(clear, clear);
  return mine;
}

export async function mountDisk(
  pod: Pod,
  pv: PersistentVolume,
  readOnly: boolean,
  dir: string,
  deps: VolumeDeps,
): Promise<PreparedVolume> {
  const handle = checkHandle(pv.spec!.csi!.volumeHandle);
  const name = pv.metadata.name!;
  const attached = async () => {
    const attachment = await deps.attachment(attachmentName(handle, deps.nodeName));
    return (
      attachment?.status?.attached === true &&
      attachment.metadata.deletionTimestamp === undefined &&
      attachment.spec.source.persistentVolumeName === name
    );
  };
  const refuse = () => new NotAttachedError(`volume ${name} is not attached to node ${deps.nodeName} yet`);
  if (!(await attached())) throw refuse();
  // Only what is read AFTER the node names the volume in use counts: the detaching side looks in the opposite order.
  await deps.inUse.claim(attachedName(handle));
  return inTurn(deps, handle, async () => {
    if (!(await attached())) {
      if (!isUsed(handle, deps)) deps.inUse.release(attachedName(handle));
      throw refuse();
    }
    const staging = stagingDir(deps, handle);
    const mount = `${dir}/mount`;
    deps.files.mkdir(mount, 0o750);
    deps.files.write(
      `${dir}/vol_data.json`,
      JSON.stringify({ driverName: DISK_DRIVER, volumeHandle: handle, specVolID: name }),
      0o600,
    );
    const mounted = deps.mounts.list();
    if (!mounted.some((m) => m.target === staging)) await stage(pv, handle, staging, deps);
    const group = pod.spec?.securityContext?.fsGroup;
    if (!mounted.some((m) => m.target === mount)) {
      if (group !== undefined && !readOnly)
        applyGroup(deps, staging, group, pod.spec?.securityContext?.fsGroupChangePolicy);
      await deps.mounts.bind(staging, mount, { readOnly: readOnly || pv.spec?.csi?.readOnly === true });
    }
    return { path: mount, readOnly };
  });
}

async function stage(pv: PersistentVolume, handle: string, staging: string, deps: VolumeDeps): Promise<void> {
  const { files, mounts } = deps;
  const type = pv.spec?.csi?.fsType ?? 'ext4';
  if (SMALLEST_BYTES[type] === undefined)
    throw new VolumeError(`fsType ${JSON.stringify(type)} is not supported: use ext4 or xfs`);
  const file = backingFile(deps, handle);
  if (files.stat(file) === undefined) {
    files.mkdir(deps.volumesDir, 0o711);
    const part = `${file}.new`;
    files.unlink(part);
    files.truncate(part, Math.max(SMALLEST_BYTES[type]!, quantityToNumber(pv.spec?.capacity?.storage)));
    await mounts.format(part, type);
    files.rename(part, file); // a file under its final name always carries a whole file system
  }
  const device = await mounts.attachLoop(file);
  files.mkdir(staging, 0o750);
  await mounts.device(device, staging, type, type === 'ext4' ? ['noinit_itable'] : []);
  // A mounted device is detached when its last mount goes, so also when the whole node dies.
  await mounts.detachLoop(device);
  if (files.stat(`${staging}/lost+found`) !== undefined) files.rmdir(`${staging}/lost+found`);
}

/** All files get the group, and its members may do what the owner may; `OnRootMismatch` trusts the root folder. */
function applyGroup({ files }: VolumeDeps, root: string, group: number, policy: string | undefined): void {
  const top = files.stat(root);
  if (top === undefined) return;
  if (policy === 'OnRootMismatch' && top.gid === group && (top.mode & 0o2070) === 0o2070) return;
  const visit = (path: string) => {
    const facts = files.stat(path, false)!;
    if (facts.type === 'symlink') return;
    if (facts.gid !== group) files.chown(path, facts.uid, group);
    const wanted = facts.mode | (facts.type === 'directory' ? 0o2770 : 0o660);
    if (wanted !== facts.mode) files.chmod(path, wanted);
    if (facts.type === 'directory') for (const name of files.list(path)) visit(`${path}/${name}`);
  };
  visit(root);
}

/** The pod's bind, then (when no other pod of this node has it) the disk itself and its loop device. */
export async function unmountDisk(dir: string, deps: VolumeDeps): Promise<void> {
  const text = deps.files.readText(`${dir}/vol_data.json`);
  if (text === undefined) return;
  const { volumeHandle: handle } = JSON.parse(text) as { volumeHandle: string };
  await inTurn(deps, handle, async () => {
    deps.inUse.hold(attachedName(handle));
    await deps.mounts.unmount(`${dir}/mount`);
    deps.files.unlink(`${dir}/vol_data.json`);
    if (isUsed(handle, deps)) return;
    const staging = stagingDir(deps, handle);
    await deps.mounts.unmount(staging);
    await deps.files.removeAll(staging.slice(0, staging.lastIndexOf('/')));
    deps.inUse.release(attachedName(handle));
  });
}

/** Handles of disks some pod of this node has. */
export function disksInUse(deps: Pick<VolumeDeps, 'files' | 'rootDir'>): Set<string> {
  const used = new Set<string>();
  const pods = `${deps.rootDir}/pods`;
  for (const uid of deps.files.list(pods)) {
    const volumes = `${pods}/${uid}/volumes/kubernetes.io~csi`;
    for (const name of deps.files.list(volumes)) {
      const text = deps.files.readText(`${volumes}/${name}/vol_data.json`);
      if (text !== undefined) used.add((JSON.parse(text) as { volumeHandle: string }).volumeHandle);
    }
  }
  return used;
}

const isUsed = (handle: string, deps: VolumeDeps): boolean => disksInUse(deps).has(handle);

/** Removes a released disk's file; false while it is in use on this machine. */
export async function removeDisk(
  handle: string,
  deps: Pick<VolumeDeps, 'files' | 'mounts' | 'volumesDir'>,
): Promise<boolean> {
  checkHandle(handle);
  return inTurn(deps, handle, async () => {
    const file = backingFile(deps, handle);
    if ((await deps.mounts.findLoop(file)) !== undefined) return false;
    deps.files.unlink(file);
    return true;
  });
}

/** Handles become file names. */
function checkHandle(handle: string): string {
  if (!/^[a-z0-9A-Z][a-zA-Z0-9._-]{0,200}$/.test(handle))
    throw new VolumeError(`volumeHandle ${JSON.stringify(handle)} is not valid: letters, digits, '.', '_' and '-'`);
  return handle;
}
