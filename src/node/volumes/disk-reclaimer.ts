// Removes the backing files of deleted volumes: the agents' half of `delete` in controllers/volume-driver.ts. Any agent of the machine
// may do it, since they share the folder; doing it twice is the same as once. Needs an identity that may list, watch and patch
// PersistentVolumes, which the Node authorizer does not give to kubelets.
import type { PersistentVolume } from '#generated/api/core-v1.ts';
import { persistentvolumes } from '#generated/resources.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { WorkQueue } from '#base/workqueue.ts';
import type { Client, Informers } from '#client/client.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { Mounts } from '#host/mounts.ts';
import { isStatus } from '#machinery/status.ts';
import { BACKING_FILE_FINALIZER, DISK_DRIVER, removeDisk } from './disk.ts';

/** A file that is still mounted somewhere is asked for again after this. */
const BUSY_RETRY_MS = 1000;

export interface DiskReclaimerDeps {
  readonly client: Client;
  readonly informers: Informers;
  readonly files: FileSystem;
  readonly mounts: Mounts;
  readonly clock: Clock;
  readonly log: Log;
  readonly volumesDir: string;
}

export function createDiskReclaimer(deps: DiskReclaimerDeps): Component {
  const volumes = deps.informers.informer(persistentvolumes);
  const queue = new WorkQueue(deps.clock);
  const stopped = new AbortController();
  let unsubscribe = () => {};
  let working: Promise<void> | undefined;

  const reclaim = async (name: string): Promise<void> => {
    const volume = volumes.get(name);
    if (volume === undefined || !mayReclaim(volume)) return;
    const keep = volume.spec?.persistentVolumeReclaimPolicy === 'Retain';
    if (!keep && !(await removeDisk(volume.spec!.csi!.volumeHandle, deps))) return queue.addAfter(name, BUSY_RETRY_MS);
    const left = (volume.metadata.finalizers ?? []).filter((f) => f !== BACKING_FILE_FINALIZER);
    // The resourceVersion makes it fail when somebody else changed the list.
    const patch = {
      metadata: { resourceVersion: volume.metadata.resourceVersion, finalizers: left.length === 0 ? null : left },
    };
    try {
      await deps.client.resource(persistentvolumes).patch(undefined, name, 'application/merge-patch+json', patch);
    } catch (error) {
      if (isStatus(error, 'NotFound')) return;
      if (isStatus(error, 'Conflict')) return queue.addAfter(name, BUSY_RETRY_MS); // another agent was quicker, or not: look again
      throw error;
    }
  };

  const work = async (): Promise<void> => {
    for (let name = await queue.take(); name !== undefined; name = await queue.take()) {
      try {
        await reclaim(name);
        queue.forget(name);
      } catch (error) {
        deps.log.warn('a volume could not be reclaimed', { volume: name, error });
        queue.retry(name);
      }
      queue.done(name);
      await sleep(deps.clock, 0, stopped.signal).catch(() => {});
    }
  };

  return {
    name: 'disk-reclaimer',
    async start() {
      unsubscribe = volumes.subscribe(({ key, object }) => {
        if (object !== undefined && mayReclaim(object)) queue.add(key);
      });
      working = work();
    },
    async stop() {
      unsubscribe();
      stopped.abort();
      queue.close();
      await working;
    },
  };
}

const mayReclaim = (volume: PersistentVolume): boolean =>
  volume.metadata.deletionTimestamp !== undefined &&
  volume.spec?.csi?.driver === DISK_DRIVER &&
  (volume.metadata.finalizers ?? []).includes(BACKING_FILE_FINALIZER);
