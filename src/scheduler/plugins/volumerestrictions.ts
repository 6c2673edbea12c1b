// A claim that is ReadWriteOncePod is used by one pod in the cluster.
import { makeKey } from '#machinery/object.ts';
import { type Plugin, reject } from '../framework.ts';
import type { Lister } from '../lister.ts';

const REJECTION = reject(
  'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
);

export function createVolumeRestrictions(lister: Pick<Lister, 'claim'>): Plugin<true> {
  return {
    name: 'VolumeRestrictions',
    interests: [
      { resource: 'AssignedPod', actions: ['Delete'] },
      { resource: 'PersistentVolumeClaim', actions: ['Add', 'Update'] },
    ],
    preFilter: (pod, snapshot) => {
      const namespace = pod.pod.metadata.namespace ?? '';
      const single = pod.claims.filter((c) =>
        lister.claim(makeKey(namespace, c.name))?.spec?.accessModes?.includes('ReadWriteOncePod'),
      );
      if (single.length === 0) return { skip: true };
      const users = snapshot.nodes.some((n) =>
        n.pods.some(
          (p) => p.pod.metadata.namespace === namespace && p.claims.some((c) => single.some((s) => s.name === c.name)),
        ),
      );
      return users ? { state: true } : { skip: true };
    },
    filter: () => REJECTION,
  };
}
