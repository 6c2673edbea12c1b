// Claims decide where their pods run, and pods decide where their claims are made: bound volumes are reachable only
// from some nodes; claims of a WaitForFirstConsumer class are bound or provisioned for the node that is chosen here.
// Left out: CSIStorageCapacity (a driver that publishes capacities is taken to have enough).
import type { PersistentVolume, PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { persistentvolumeclaims, persistentvolumes } from '#generated/resources.ts';
import { matchesNodeSelector } from '#kinds/core/node-selector.ts';
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { keyOf, makeKey } from '#machinery/object.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import { matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { type Plugin, rejectForGood } from '../framework.ts';
import type { Lister } from '../lister.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';

export interface VolumeBindingDeps {
  readonly lister: Lister;
  readonly client: Client;
  readonly clock: Clock;
  /** Calls back on every change of a claim; returns the unsubscribe function. */
  readonly onClaimChange: (handler: () => void) => () => void;
  /** The node as last seen, for what reserve decides. */
  readonly node: (name: string) => NodeInfo | undefined;
}

interface Claims {
  /** Bound: they say where the pod may run. */
  readonly bound: readonly PersistentVolumeClaim[];
  /** To be bound or provisioned for the node chosen. */
  readonly waiting: readonly PersistentVolumeClaim[];
}

/** What the chosen node means for the waiting claims. */
interface Decision {
  readonly bindings: readonly { readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }[];
  readonly provisions: readonly PersistentVolumeClaim[];
}

const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
/** Upstream's bindTimeoutSeconds. */
const BIND_TIMEOUT_MS = 600_000;

const CONFLICT = rejectForGood("node(s) didn't match PersistentVolume's node affinity");
const NOTHING_TO_BIND = rejectForGood("node(s) didn't find available persistent volumes to bind");
const NO_VOLUME = rejectForGood('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
const UNBOUND_IMMEDIATE = rejectForGood('pod has unbound immediate PersistentVolumeClaims');

export function createVolumeBinding(deps: VolumeBindingDeps): Plugin<Claims> {
  const { lister, client } = deps;
  const volumes = client.resource(persistentvolumes);
  const claims = client.resource(persistentvolumeclaims);
  /** Pod key → what was decided for it, from reserve to the end of binding. */
  const decided = new Map<string, Decision>();
  /** Volume name → key of the claim it is promised to. */
  const promised = new Map<string, string>();

  const sortOut = (pod: PodInfo): Claims | { readonly message: string } | { readonly immediate: true } => {
    const bound: PersistentVolumeClaim[] = [];
    const waiting: PersistentVolumeClaim[] = [];
    let immediate = false;
    for (const { name, ephemeral } of pod.claims) {
      const claim = lister.claim(makeKey(pod.pod.metadata.namespace, name));
      if (claim === undefined) {
        return {
          message: ephemeral
            ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
            : `persistentvolumeclaim "${name}" not found`,
        };
      }
      if (claim.metadata.deletionTimestamp !== undefined)
        return { message: `persistentvolumeclaim "${name}" is being deleted` };
      if (claim.status?.phase === 'Lost')
        return {
          message: `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName}"`,
        };
      if (isBound(claim)) bound.push(claim);
      else if ((claim.spec?.volumeName ?? '') === '' && waits(claim)) waiting.push(claim);
      else immediate = true;
    }
    return immediate ? { immediate: true } : { bound, waiting };
  };

  const waits = (claim: PersistentVolumeClaim): boolean =>
    lister.storageClass(claim.spec?.storageClassName ?? '')?.volumeBindingMode === 'WaitForFirstConsumer';

  /** How the waiting claims would be served on the node; undefined when they cannot be. */
  const decide = (waiting: readonly PersistentVolumeClaim[], node: NodeInfo): Decision | undefined => {
    const bindings: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = [];
    const provisions: PersistentVolumeClaim[] = [];
    const taken = new Set<string>();
    // Small claims first, so that they do not take the large volumes.
    for (const claim of waiting.toSorted((a, b) => requested(a) - requested(b))) {
      const selected = claim.metadata.annotations?.[SELECTED_NODE];
      if (selected !== undefined && selected !== '') {
        if (selected !== node.name) return undefined;
        provisions.push(claim);
        continue;
      }
      const key = keyOf(claim);
      const free = (pv: PersistentVolume) =>
        !taken.has(pv.metadata.name!) && (promised.get(pv.metadata.name!) ?? key) === key;
      const volume = smallestMatch(claim, lister.volumesOfClass(claim.spec?.storageClassName ?? '').filter(free), node);
      if (volume !== undefined) {
        taken.add(volume.metadata.name!);
        bindings.push({ claim, volume });
      } else if (mayProvision(claim, node)) provisions.push(claim);
      else return undefined;
    }
    return { bindings, provisions };
  };

  const mayProvision = (claim: PersistentVolumeClaim, { node }: NodeInfo): boolean => {
    const storageClass = lister.storageClass(claim.spec?.storageClassName ?? '');
    if (storageClass === undefined || storageClass.provisioner === NO_PROVISIONER || storageClass.provisioner === '')
      return false;
    const topologies = storageClass.allowedTopologies ?? [];
    const labels = node.metadata.labels ?? {};
    return (
      topologies.length === 0 ||
      topologies.some((t) =>
        (t.matchLabelExpressions ?? []).every((e) => (e.values ?? []).includes(labels[e.key] ?? '')),
      )
    );
  };

  const forget = (pod: PodInfo) => {
    for (const { volume } of decided.get(pod.key)?.bindings ?? []) promised.delete(volume.metadata.name!);
    decided.delete(pod.key);
  };

  return {
    name: 'VolumeBinding',
    interests: [
      { resource: 'PersistentVolumeClaim', actions: ['Add', 'Update'] },
      { resource: 'PersistentVolume', actions: ['Add', 'Update'] },
      { resource: 'StorageClass', actions: ['Add', 'Update'] },
      { resource: 'Node', actions: ['Add', 'Update'] },
    ],

    preFilter: (pod) => {
      if (pod.claims.length === 0) return { skip: true };
      const sorted = sortOut(pod);
      if ('message' in sorted) return { rejection: rejectForGood(sorted.message) };
      if ('immediate' in sorted) return { rejection: UNBOUND_IMMEDIATE };
      return { state: sorted };
    },

    filter: ({ bound, waiting }, _pod, node) => {
      for (const claim of bound) {
        const volume = lister.volume(claim.spec!.volumeName!);
        if (volume === undefined) return NO_VOLUME;
        if (!isReachable(volume, node)) return CONFLICT;
      }
      return waiting.length === 0 || decide(waiting, node) !== undefined ? undefined : NOTHING_TO_BIND;
    },

    reserve: (pod, nodeName) => {
      if (pod.claims.length === 0) return undefined;
      const sorted = sortOut(pod);
      const node = deps.node(nodeName);
      if (!('waiting' in sorted) || node === undefined) return UNBOUND_IMMEDIATE;
      if (sorted.waiting.length === 0) return undefined;
      const decision = decide(sorted.waiting, node);
      if (decision === undefined) return NOTHING_TO_BIND;
      decided.set(pod.key, decision);
      for (const { claim, volume } of decision.bindings) promised.set(volume.metadata.name!, keyOf(claim));
      return undefined;
    },

    unreserve: forget,

    preBind: async (pod, nodeName, signal) => {
      const decision = decided.get(pod.key);
      if (decision === undefined) return;
      for (const { claim, volume } of decision.bindings) await volumes.update(boundTo(volume, claim));
      for (const claim of decision.provisions) {
        if (claim.metadata.annotations?.[SELECTED_NODE] === nodeName) continue;
        const { namespace, name, resourceVersion } = claim.metadata;
        await claims.patch(namespace, name!, 'application/merge-patch+json', {
          metadata: { resourceVersion, annotations: { [SELECTED_NODE]: nodeName } },
        });
      }
      const wanted = [...decision.bindings.map((b) => b.claim), ...decision.provisions].map(keyOf);
      const isProvisioning = new Set(decision.provisions.map(keyOf));
      let announced = false;
      await whenBound(deps, signal, () => {
        const now = wanted.map((key) => ({ key, claim: lister.claim(key) }));
        // The provisioner gives a node up by taking the annotation away; before our own write is seen it is not there yet.
        const chosen = now.every(
          ({ key, claim }) =>
            !isProvisioning.has(key) ||
            claim === undefined ||
            isBound(claim) ||
            claim.metadata.annotations?.[SELECTED_NODE] === nodeName,
        );
        if (chosen) announced = true;
        else if (announced) throw new Error('provisioning failed: the selected node was given up');
        for (const { key, claim } of now)
          if (claim === undefined)
            throw new Error(`persistentvolumeclaim "${key}" was deleted while it was being bound`);
        return now.every(({ claim }) => isBound(claim!));
      });
    },

    postBind: forget,
  };
}

/** Resolves when `check` says so, looked at after every change of a claim; rejects when it throws, or after upstream's ten minutes. */
function whenBound(deps: VolumeBindingDeps, signal: AbortSignal, check: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void) => {
      timer.cancel();
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const look = () => {
      try {
        if (check()) finish(resolve);
      } catch (error) {
        finish(() => reject(error));
      }
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const timer = deps.clock.setTimer(BIND_TIMEOUT_MS, () =>
      finish(() => reject(new Error('timed out waiting for the volumes to be bound'))),
    );
    let subscribed = false;
    const unsubscribe = deps.onClaimChange(() => subscribed && look());
    subscribed = true;
    signal.addEventListener('abort', onAbort, { once: true });
    look();
  });
}

const isBound = (claim: PersistentVolumeClaim): boolean =>
  (claim.spec?.volumeName ?? '') !== '' &&
  (claim.status?.phase === 'Bound' || claim.metadata.annotations?.[BIND_COMPLETED] !== undefined);

const requested = (claim: PersistentVolumeClaim): number =>
  quantityToNumber(claim.spec?.resources?.requests?.['storage']);

function isReachable(volume: PersistentVolume, { node }: NodeInfo): boolean {
  const required = volume.spec?.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
}

function smallestMatch(
  claim: PersistentVolumeClaim,
  candidates: readonly PersistentVolume[],
  node: NodeInfo,
): PersistentVolume | undefined {
  const selector = claim.spec?.selector === undefined ? undefined : matcherOf(claim.spec.selector);
  let best: PersistentVolume | undefined;
  for (const volume of candidates) {
    const { capacity, accessModes = [], claimRef, volumeMode = 'Filesystem' } = volume.spec ?? {};
    const size = quantityToNumber(capacity?.['storage']);
    const mine =
      claimRef?.namespace === claim.metadata.namespace &&
      claimRef?.name === claim.metadata.name &&
      (claimRef?.uid ?? claim.metadata.uid) === claim.metadata.uid;
    if (claimRef !== undefined && !mine) continue;
    if (
      volume.metadata.deletionTimestamp !== undefined ||
      (volume.status?.phase ?? 'Available') === 'Released' ||
      volume.status?.phase === 'Failed'
    )
      continue;
    if (volumeMode !== (claim.spec?.volumeMode ?? 'Filesystem') || size < requested(claim)) continue;
    if (!(claim.spec?.accessModes ?? []).every((mode) => accessModes.includes(mode))) continue;
    if (selector !== undefined && !matchesLabels(selector, volume.metadata.labels)) continue;
    if (!isReachable(volume, node)) continue;
    if (mine) return volume;
    if (best === undefined || size < quantityToNumber(best.spec?.capacity?.['storage'])) best = volume;
  }
  return best;
}

function boundTo(volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  return {
    ...volume,
    metadata: { ...volume.metadata, annotations: { ...volume.metadata.annotations, [BOUND_BY_CONTROLLER]: 'yes' } },
    spec: {
      ...volume.spec,
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion },
    },
  };
}
