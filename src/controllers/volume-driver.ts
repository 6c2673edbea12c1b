// The cluster's own volumes (driver `volumes.coracle.dev`): thin disks that attach to one node at a time. This file is the
// protocol between the controllers and the node agents; it runs nothing.
//
//   provision   volume-provisioner makes the PersistentVolume, with `spec.csi.volumeHandle` and the finalizer
//               BACKING_FILE_FINALIZER. No file exists yet: the agent makes it, of spec.capacity.storage and csi.fsType, at
//               the first mount.
//   attach      attachdetach makes a VolumeAttachment named attachmentName(handle, node) and sets status.attached. An agent
//               mounts only while it reads such an object, attached and without deletionTimestamp, and it reads it AFTER
//               its node's status.volumesInUse names the volume (attachedName(handle)).
//   detach      attachdetach deletes the VolumeAttachment, which waits for ATTACHER_FINALIZER, THEN reads the node. The
//               finalizer goes when the node is Ready and status.volumesInUse does not name the volume, so that one of the
//               two always sees the other. The agent takes the name out of volumesInUse only after the disk is unmounted.
//   node gone   Nothing is detached from a node that is not Ready, however long it takes: its containers may still write.
//               Only the taint `node.kubernetes.io/out-of-service` (put by the cloud, or the supervisor that stopped the
//               machine) proves them gone.
//   delete      A released volume of policy Delete is deleted by volume-provisioner once no VolumeAttachment is left. The
//               agent that has the file sees deletionTimestamp, removes the file and then BACKING_FILE_FINALIZER. Under
//               policy Retain it removes the finalizer and keeps the file.
import { createHash } from 'node:crypto';
import type { PersistentVolume } from '#generated/api/core-v1.ts';

export const VOLUME_DRIVER = 'volumes.coracle.dev';
export const BACKING_FILE_FINALIZER = 'volumes.coracle.dev/backing-file';
export const ATTACHER_FINALIZER = 'external-attacher/volumes-coracle-dev';

export const isOurVolume = (volume: PersistentVolume | undefined): boolean =>
  volume?.spec?.csi?.driver === VOLUME_DRIVER;

/** Upstream's name for a CSI volume's attachment to a node. */
export function attachmentName(handle: string, nodeName: string): string {
  return `csi-${createHash('sha256').update(`${handle}${VOLUME_DRIVER}${nodeName}`).digest('hex')}`;
}

/** The name in node.status.volumesInUse. */
export const attachedName = (handle: string): string => `kubernetes.io/csi/${VOLUME_DRIVER}^${handle}`;
