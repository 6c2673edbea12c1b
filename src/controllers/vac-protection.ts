// Keeps a VolumeAttributesClass that is being deleted until no volume or claim names it. Upstream: pkg/controller/volume/vacprotection.
import type { PersistentVolume, PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { persistentvolumeclaims, persistentvolumes, volumeattributesclasses } from '#generated/resources.ts';
import type { ObjectKey } from '#machinery/object.ts';
import { type ControllerDefinition, done, ownKey, watch } from './runtime/controller.ts';
import { withFinalizer, withoutFinalizer } from './runtime/finalizers.ts';

const FINALIZER = 'kubernetes.io/vac-protection';
const CLASS = 'volumeAttributesClass';

export const vacProtectionController: ControllerDefinition = {
  name: 'volumeattributesclass-protection-controller',
  identity: 'volumeattributesclass-protection-controller',
  build: ({ client, informers }) => {
    const classes = informers.informer(volumeattributesclasses);
    const volumes = informers.informer(persistentvolumes);
    const claims = informers.informer(persistentvolumeclaims);
    volumes.addIndex(CLASS, classesOfVolume);
    claims.addIndex(CLASS, classesOfClaim);
    return {
      watches: [
        watch(classes, ownKey),
        // One that lets a class go names it no longer: what it named before counts.
        watch(volumes, ({ object, old }) => keys(object, old, classesOfVolume)),
        watch(claims, ({ object, old }) => keys(object, old, classesOfClaim)),
      ],
      reconcile: async (name) => {
        const found = classes.get(name);
        if (found === undefined) return done;
        const leaving = found.metadata.deletionTimestamp !== undefined;
        if (leaving && [volumes, claims].some((i) => i.byIndex(CLASS, name).length > 0)) return done;
        const next = leaving ? withoutFinalizer(found, FINALIZER) : withFinalizer(found, FINALIZER);
        if (next !== found) await client.resource(volumeattributesclasses).update(next);
        return done;
      },
    };
  },
};

const keys = <T>(
  object: T | undefined,
  old: T | undefined,
  classesOf: (o: T) => readonly string[],
): readonly ObjectKey[] => [object, old].flatMap((o) => (o === undefined ? [] : classesOf(o)));

const named = (...names: readonly (string | undefined)[]): readonly string[] =>
  [...new Set(names.filter((n) => n !== undefined && n !== ''))] as string[];

const classesOfVolume = (volume: PersistentVolume): readonly string[] => named(volume.spec?.volumeAttributesClassName);

/** Wanted, in force, and on the way between the two. */
const classesOfClaim = ({ spec, status }: PersistentVolumeClaim): readonly string[] =>
  named(
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  );
