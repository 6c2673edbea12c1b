// Keeps a claim that is being deleted until no pod uses it. Upstream: pkg/controller/volume/pvcprotection.
import type { PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import { persistentvolumeclaims, pods } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { splitKey } from '#machinery/object.ts';
import { claimsOfPod } from './attachdetach.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from './runtime/controller.ts';
import { withFinalizer, withoutFinalizer } from './runtime/finalizers.ts';

const FINALIZER = 'kubernetes.io/pvc-protection';
const CLAIM_INDEX = 'claim';

export const pvcProtectionController: ControllerDefinition = {
  name: 'persistentvolumeclaim-protection-controller',
  identity: 'pvc-protection-controller',
  build: (deps) => {
    const claims = deps.informers.informer(persistentvolumeclaims);
    const podInformer = deps.informers.informer(pods);
    podInformer.addIndex(CLAIM_INDEX, claimsOfPod);
    return {
      watches: [
        watch(claims, ownKey),
        watch(podInformer, ({ old, object }) =>
          old !== undefined && (object === undefined || isPodTerminal(object)) ? claimsOfPod(old) : [],
        ),
      ],
      reconcile: (key) => protectClaim(key, { ...deps, claims, pods: podInformer }),
    };
  },
};

interface ProtectionDeps extends Pick<ControllerDeps, 'client'> {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly pods: Informer<Pod>;
}

async function protectClaim(key: string, deps: ProtectionDeps): Promise<Outcome> {
  const claim = deps.claims.get(key);
  if (claim === undefined) return done;
  const client = deps.client.resource(persistentvolumeclaims);
  if (claim.metadata.deletionTimestamp === undefined) {
    const guarded = withFinalizer(claim, FINALIZER);
    if (guarded !== claim) await client.update(guarded);
    return done;
  }
  const freed = withoutFinalizer(claim, FINALIZER);
  if (freed === claim || deps.pods.byIndex(CLAIM_INDEX, key).some(uses)) return done;
  // The cache may not have the newest pod: look at the live ones before letting go.
  const live = await deps.client.resource(pods).list({ namespace: splitKey(key).namespace });
  if (!live.items.some((pod) => claimsOfPod(pod).includes(key) && uses(pod))) await client.update(freed);
  return done;
}

/** A pod that has not been placed yet will find the claim deleted; it holds nothing. */
const uses = (pod: Pod): boolean => Boolean(pod.spec?.nodeName) && !isPodTerminal(pod);
