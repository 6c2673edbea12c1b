// Keeps a volume that is being deleted until it is no longer bound. Upstream: pkg/controller/volume/pvprotection.
import { persistentvolumes } from '#generated/resources.ts';
import { type ControllerDefinition, done, ownKey, watch } from './runtime/controller.ts';
import { withFinalizer, withoutFinalizer } from './runtime/finalizers.ts';

const FINALIZER = 'kubernetes.io/pv-protection';

export const pvProtectionController: ControllerDefinition = {
  name: 'persistentvolume-protection-controller',
  identity: 'pv-protection-controller',
  build: ({ client, informers }) => {
    const volumes = informers.informer(persistentvolumes);
    return {
      watches: [watch(volumes, ownKey)],
      reconcile: async (name) => {
        const volume = volumes.get(name);
        if (volume === undefined) return done;
        const leaving = volume.metadata.deletionTimestamp !== undefined;
        if (leaving && volume.status?.phase === 'Bound') return done;
        const next = leaving ? withoutFinalizer(volume, FINALIZER) : withFinalizer(volume, FINALIZER);
        if (next !== volume) await client.resource(persistentvolumes).update(next);
        return done;
      },
    };
  },
};
