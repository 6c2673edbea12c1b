// Binds claims to volumes, both ways, and follows volumes to the end of their claims: Available, Bound, Released.
// Provisioning is left to whoever the class names (volume-provisioner.ts for the cluster's own). Upstream:
// pkg/controller/volume/persistentvolume. Recycling is refused, as it is by upstream's default.
import type { PersistentVolume, PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import type { StorageClass } from '#generated/api/storage-v1.ts';
import { persistentvolumeclaims, persistentvolumes, storageclasses } from '#generated/resources.ts';
import type { Informer, ResourceClient } from '#client/client.ts';
import { keyOf, type ObjectKey } from '#machinery/object.ts';
import { formatTime } from '#machinery/time.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from '../runtime/controller.ts';
import { sameValue } from '../runtime/equality.ts';
import { bestMatch, classOf, mismatch, refersTo } from './matching.ts';

export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
export const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
const BETA_STORAGE_PROVISIONER = 'volume.beta.kubernetes.io/storage-provisioner';
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
/** Claims that wait are looked at again, and say so again: upstream's resync period. */
const RESYNC_MS = 15_000;

const CLAIM = 'claim:';
const VOLUME = 'volume:';

export const persistentVolumeBinder: ControllerDefinition = {
  name: 'persistentvolume-binder-controller',
  identity: 'persistent-volume-binder',
  eventSource: 'persistentvolume-controller',
  build: (deps) => {
    const claims = deps.informers.informer(persistentvolumeclaims);
    const volumes = deps.informers.informer(persistentvolumes);
    const classes = deps.informers.informer(storageclasses);
    const binder = new Binder({ ...deps, claims, volumes, classes });
    const waiting = () =>
      claims
        .list()
        .filter((c) => !c.spec?.volumeName)
        .map((c) => CLAIM + keyOf(c));
    return {
      watches: [
        watch(claims, ({ key, old }) => [CLAIM + key, ...volumeOf(old), ...volumesFor(volumes, key)]),
        watch(volumes, ({ key, old, object }) => [
          VOLUME + key,
          ...claimOf(old),
          ...claimOf(object),
          ...(object?.spec?.claimRef === undefined && object?.status?.phase === 'Available' ? waiting() : []),
        ]),
        watch(classes, waiting),
      ],
      reconcile: (key) =>
        key.startsWith(CLAIM) ? binder.claim(key.slice(CLAIM.length)) : binder.volume(key.slice(VOLUME.length)),
      // One at a time: two claims would pick the same volume.
      workers: 1,
    };
  },
};

const volumeOf = (claim: PersistentVolumeClaim | undefined): readonly string[] =>
  claim?.spec?.volumeName ? [VOLUME + claim.spec.volumeName] : [];
const claimOf = (volume: PersistentVolume | undefined): readonly string[] => {
  const ref = volume?.spec?.claimRef;
  return ref === undefined ? [] : [`${CLAIM}${ref.namespace}/${ref.name}`];
};
/** Volumes whose claimRef names the claim; there are few volumes that are bound before their claim is. */
const volumesFor = (volumes: Informer<PersistentVolume>, key: ObjectKey): readonly string[] =>
  volumes.list().flatMap((v) => (claimOf(v)[0] === CLAIM + key ? [VOLUME + keyOf(v)] : []));

interface BinderDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
}

class Binder {
  readonly #deps: BinderDeps;
  readonly #claims: ResourceClient<PersistentVolumeClaim>;
  readonly #volumes: ResourceClient<PersistentVolume>;

  constructor(deps: BinderDeps) {
    this.#deps = deps;
    this.#claims = deps.client.resource(persistentvolumeclaims);
    this.#volumes = deps.client.resource(persistentvolumes);
  }

  async claim(key: ObjectKey): Promise<Outcome> {
    const claim = this.#deps.claims.get(key);
    if (claim === undefined) return done;
    if (claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return this.#boundClaim(claim);
    return claim.spec!.volumeName ? this.#claimOfNamedVolume(claim, claim.spec!.volumeName) : this.#freeClaim(claim);
  }

  /** Bound once: from here on it is Bound or Lost. */
  async #boundClaim(claim: PersistentVolumeClaim): Promise<Outcome> {
    if (!claim.spec!.volumeName)
      return this.#lose(
        claim,
        'ClaimLost',
        'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
      );
    const volume =
      this.#deps.volumes.get(claim.spec!.volumeName) ?? (await this.#volumes.get(undefined, claim.spec!.volumeName));
    if (volume === undefined)
      return this.#lose(claim, 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
    if (volume.spec!.claimRef === undefined || refersTo(volume, claim)) return this.#bind(volume, claim);
    return this.#lose(claim, 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  }

  async #claimOfNamedVolume(claim: PersistentVolumeClaim, name: string): Promise<Outcome> {
    const volume = this.#deps.volumes.get(name);
    if (volume === undefined) return this.#pend(claim);
    if (volume.spec!.claimRef === undefined) {
      const reason = mismatch(volume, claim);
      if (reason === undefined) return this.#bind(volume, claim);
      this.#event(
        claim,
        'Warning',
        'VolumeMismatch',
        `Cannot bind to requested volume ${JSON.stringify(name)}: ${reason}`,
      );
      return this.#pend(claim);
    }
    if (refersTo(volume, claim)) return this.#bind(volume, claim);
    this.#event(
      claim,
      'Warning',
      'FailedBinding',
      `volume ${JSON.stringify(name)} already bound to a different claim.`,
    );
    return this.#pend(claim);
  }

  async #freeClaim(claim: PersistentVolumeClaim): Promise<Outcome> {
    const className = classOf(claim);
    const storageClass = className === '' ? undefined : this.#deps.classes.get(className);
    const waits = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
    const selected = claim.metadata.annotations?.[SELECTED_NODE] !== undefined;
    const volume = bestMatch(claim, this.#deps.volumes.list(), waits);
    if (volume !== undefined) return this.#bind(volume, claim);
    if (waits && !selected) {
      this.#event(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
    } else if (className === '') {
      this.#event(
        claim,
        'Normal',
        'FailedBinding',
        'no persistent volumes available for this claim and no storage class is set',
      );
    } else if (storageClass === undefined) {
      this.#event(
        claim,
        'Warning',
        'ProvisioningFailed',
        `storageclass.storage.k8s.io ${JSON.stringify(className)} not found`,
      );
    } else if (storageClass.provisioner === NO_PROVISIONER) {
      this.#event(
        claim,
        'Normal',
        'FailedBinding',
        'no persistent volumes available for this claim and no storage class is set',
      );
    } else {
      return this.#askProvisioner(claim, storageClass.provisioner);
    }
    return this.#pend(claim);
  }

  async #askProvisioner(claim: PersistentVolumeClaim, provisioner: string): Promise<Outcome> {
    if (claim.metadata.annotations?.[STORAGE_PROVISIONER] !== provisioner) {
      const annotations = {
        ...claim.metadata.annotations,
        [STORAGE_PROVISIONER]: provisioner,
        [BETA_STORAGE_PROVISIONER]: provisioner,
      };
      return this.#pend(await this.#claims.update({ ...claim, metadata: { ...claim.metadata, annotations } }));
    }
    const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    this.#event(claim, 'Normal', 'ExternalProvisioning', message);
    return this.#pend(claim);
  }

  /** In upstream's order, each step leading to the next after a crash: volume's claimRef, its phase, claim's volumeName, its phase. */
  async #bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<Outcome> {
    let pv = volume;
    const ref = pv.spec!.claimRef;
    if (ref === undefined || ref.uid !== claim.metadata.uid) {
      const { namespace, name, uid, resourceVersion } = claim.metadata;
      const claimRef = { kind: 'PersistentVolumeClaim', namespace, name, uid, apiVersion: 'v1', resourceVersion };
      const annotations =
        ref === undefined ? { ...pv.metadata.annotations, [BOUND_BY_CONTROLLER]: 'yes' } : pv.metadata.annotations;
      pv = await this.#volumes.update({
        ...pv,
        metadata: { ...pv.metadata, annotations },
        spec: { ...pv.spec!, claimRef },
      });
    }
    await this.#setVolumePhase(pv, 'Bound');
    let pvc = claim;
    if (pvc.spec!.volumeName !== pv.metadata.name || pvc.metadata.annotations?.[BIND_COMPLETED] === undefined) {
      const chosen: Readonly<Record<string, string>> =
        pvc.spec!.volumeName === pv.metadata.name ? {} : { [BOUND_BY_CONTROLLER]: 'yes' };
      const annotations = { ...pvc.metadata.annotations, ...chosen, [BIND_COMPLETED]: 'yes' };
      pvc = await this.#claims.update({
        ...pvc,
        metadata: { ...pvc.metadata, annotations },
        spec: { ...pvc.spec!, volumeName: pv.metadata.name },
      });
    }
    const status = {
      ...pvc.status,
      phase: 'Bound',
      accessModes: pv.spec!.accessModes,
      capacity: pvc.status?.phase === 'Bound' ? (pvc.status.capacity ?? pv.spec!.capacity) : pv.spec!.capacity,
    };
    if (!sameValue(status, pvc.status)) await this.#claims.updateStatus({ ...pvc, status });
    return done;
  }

  async volume(name: string): Promise<Outcome> {
    const volume = this.#deps.volumes.get(name);
    if (volume === undefined) return done;
    const ref = volume.spec!.claimRef;
    // Without a uid it is only kept for a claim to come.
    if (ref === undefined || !ref.uid) return this.#setVolumePhase(volume, 'Available');
    const found =
      this.#deps.claims.get(`${ref.namespace}/${ref.name}`) ?? (await this.#claims.get(ref.namespace, ref.name!));
    const claim = found?.metadata.uid === ref.uid ? found : undefined;
    if (claim === undefined) return this.#release(volume);
    if (!claim.spec!.volumeName) return done;
    if (claim.spec!.volumeName === name) return this.#setVolumePhase(volume, 'Bound');
    // The claim went to another volume.
    if (
      volume.metadata.annotations?.[PROVISIONED_BY] !== undefined &&
      volume.spec!.persistentVolumeReclaimPolicy === 'Delete'
    )
      return this.#release(volume);
    if (volume.metadata.annotations?.[BOUND_BY_CONTROLLER] === undefined) return done;
    const { [BOUND_BY_CONTROLLER]: _, ...annotations } = volume.metadata.annotations;
    await this.#volumes.update({
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: { ...volume.spec!, claimRef: undefined },
    });
    return done;
  }

  async #release(volume: PersistentVolume): Promise<Outcome> {
    if (volume.status?.phase === 'Failed') return done;
    await this.#setVolumePhase(volume, 'Released');
    if (volume.spec!.persistentVolumeReclaimPolicy === 'Recycle') {
      const message = 'No recycler plugin found for the volume!';
      this.#deps.events.event(volume, persistentvolumes, 'Warning', 'VolumeFailedRecycle', message);
      return this.#setVolumePhase(volume, 'Failed', message);
    }
    return done;
  }

  async #setVolumePhase(volume: PersistentVolume, phase: string, message?: string): Promise<Outcome> {
    if (volume.status?.phase === phase && volume.status.message === message) return done;
    const { message: _, ...status } = volume.status ?? {};
    const next = {
      ...status,
      phase,
      ...(message === undefined ? {} : { message }),
      lastPhaseTransitionTime: formatTime(this.#deps.clock.now()),
    };
    await this.#volumes.updateStatus({ ...volume, status: next });
    return done;
  }

  async #pend(claim: PersistentVolumeClaim): Promise<Outcome> {
    if (claim.status?.phase !== 'Pending')
      await this.#claims.updateStatus({ ...claim, status: { ...claim.status, phase: 'Pending' } });
    return { requeueAfterMs: RESYNC_MS };
  }

  async #lose(claim: PersistentVolumeClaim, reason: string, message: string): Promise<Outcome> {
    if (claim.status?.phase === 'Lost') return done;
    this.#event(claim, 'Warning', reason, message);
    await this.#claims.updateStatus({ ...claim, status: { phase: 'Lost' } });
    return done;
  }

  #event(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.event(claim, persistentvolumeclaims, type, reason, message);
  }
}
