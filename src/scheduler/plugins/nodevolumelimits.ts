// A node takes as many volumes of a CSI driver as its CSINode says.
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { makeKey } from '#machinery/object.ts';
import { type Plugin, reject } from '../framework.ts';
import type { Lister } from '../lister.ts';
import type { PodInfo } from '../pod-info.ts';

const REJECTION = reject('node(s) exceed max volume count');

export function createNodeVolumeLimits(
  lister: Pick<Lister, 'claim' | 'volume' | 'storageClass' | 'csiNode'>,
): Plugin<ReadonlyMap<string, string>> {
  /** Volume → its driver, for what the pod mounts. */
  const volumesOf = (pod: PodInfo, into: Map<string, string>) => {
    for (const { name } of pod.claims) {
      const key = makeKey(pod.pod.metadata.namespace, name);
      const claim = lister.claim(key);
      const driver = claim === undefined ? undefined : driverOf(claim);
      if (driver !== undefined) into.set(claim!.spec?.volumeName ?? key, driver);
    }
    return into;
  };
  const driverOf = (claim: PersistentVolumeClaim): string | undefined => {
    const { volumeName = '', storageClassName = '' } = claim.spec ?? {};
    return volumeName === ''
      ? lister.storageClass(storageClassName)?.provisioner
      : lister.volume(volumeName)?.spec?.csi?.driver;
  };
  return {
    name: 'NodeVolumeLimits',
    interests: [
      { resource: 'AssignedPod', actions: ['Delete'] },
      { resource: 'CSINode', actions: ['Add', 'Update'] },
      { resource: 'PersistentVolumeClaim', actions: ['Add', 'Update'] },
    ],
    preFilter: (pod) => {
      if (pod.claims.length === 0) return { skip: true };
      const wanted = volumesOf(pod, new Map());
      return wanted.size === 0 ? { skip: true } : { state: wanted };
    },
    filter: (wanted, _pod, node) => {
      const drivers = lister.csiNode(node.name)?.spec?.drivers ?? [];
      const limits = new Map(
        drivers.flatMap((d) => (d.allocatable?.count === undefined ? [] : [[d.name, d.allocatable.count] as const])),
      );
      if (limits.size === 0) return undefined;
      const together = new Map(wanted);
      for (const other of node.pods) volumesOf(other, together);
      for (const driver of new Set(wanted.values())) {
        const limit = limits.get(driver);
        const used = [...together.values()].filter((d) => d === driver).length;
        if (limit !== undefined && used > limit) return REJECTION;
      }
      return undefined;
    },
  };
}
