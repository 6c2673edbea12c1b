// Which objects a controller owns: it keeps what refers to it and matches its selector, adopts matching orphans, releases
// what no longer matches. Upstream: controller_ref_manager.go.
import type { ResourceClient } from '#client/client.ts';
import type { Informer } from '#client/client.ts';
import { controllerOf, type KubeObject, makeControllerRef, type ResourceRef } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { withFinalizer, withoutFinalizer } from './finalizers.ts';

export interface ClaimPlan<T> {
  readonly keep: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** Sorts candidates of the owner's namespace; what belongs to others is in none of the lists. */
export function planClaims<T extends KubeObject>(
  owner: KubeObject,
  candidates: readonly T[],
  matches: (object: T) => boolean,
): ClaimPlan<T> {
  const keep: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  const leaving = owner.metadata.deletionTimestamp !== undefined;
  for (const object of candidates) {
    const ref = controllerOf(object);
    if (ref !== undefined) {
      if (ref.uid !== owner.metadata.uid) continue;
      if (matches(object)) keep.push(object);
      else if (!leaving) release.push(object);
    } else if (!leaving && object.metadata.deletionTimestamp === undefined && matches(object)) {
      adopt.push(object);
    }
  }
  return { keep, adopt, release };
}

/**
 * Carries a plan out and returns what the owner owns afterwards. An adoption that failed is not owned. With a finalizer, what is
 * adopted gets it and what is released loses it.
 */
export async function claim<O extends KubeObject, T extends KubeObject>(
  owner: O,
  plan: ClaimPlan<T>,
  deps: { readonly owners: ResourceClient<O>; readonly objects: ResourceClient<T>; readonly finalizer?: string },
): Promise<readonly T[]> {
  for (const object of plan.release) {
    const left = (object.metadata.ownerReferences ?? []).filter((r) => r.uid !== owner.metadata.uid);
    await patchOwners(
      deps.objects,
      deps.finalizer === undefined ? object : withoutFinalizer(object, deps.finalizer),
      left,
    );
  }
  if (plan.adopt.length === 0) return plan.keep;
  // The cached owner may be gone already: adopt only for one that lives.
  const live = await deps.owners.get(owner.metadata.namespace, owner.metadata.name!);
  if (live === undefined || live.metadata.uid !== owner.metadata.uid) {
    throw new Error(
      `original ${deps.owners.ref.kind} ${owner.metadata.namespace}/${owner.metadata.name} is gone: got uid ${live?.metadata.uid}, wanted ${owner.metadata.uid}`,
    );
  }
  if (live.metadata.deletionTimestamp !== undefined) return plan.keep;
  const adopted: T[] = [];
  for (const object of plan.adopt) {
    const refs = [...(object.metadata.ownerReferences ?? []), makeControllerRef(owner, deps.owners.ref)];
    const held = deps.finalizer === undefined ? object : withFinalizer(object, deps.finalizer);
    const now = await patchOwners(deps.objects, held, refs);
    if (now !== undefined) adopted.push(now);
  }
  return [...plan.keep, ...adopted];
}

/** Writes owners and finalizers. Undefined when the object is gone or is another one by now. */
async function patchOwners<T extends KubeObject>(
  client: ResourceClient<T>,
  object: T,
  ownerReferences: readonly unknown[],
): Promise<T | undefined> {
  const { namespace, name, uid, resourceVersion, finalizers } = object.metadata;
  try {
    return await client.patch(namespace, name!, 'application/merge-patch+json', {
      metadata: { uid, resourceVersion, ownerReferences, finalizers },
    });
  } catch (error) {
    if (isStatus(error, 'NotFound') || isStatus(error, 'Invalid')) return undefined;
    throw error;
  }
}

/** Name of the index over controller uids, see indexByController. */
const CONTROLLER_INDEX = 'controller-uid';

/** Objects with no controller are indexed under this, by namespace. */
const orphanKey = (namespace: string | undefined) => `orphans/${namespace ?? ''}`;

/** Declares an index by which candidatesOf finds what a controller owns or may adopt without walking the namespace. */
export function indexByController<T extends KubeObject>(informer: Informer<T>): void {
  informer.addIndex(CONTROLLER_INDEX, (object) => [controllerOf(object)?.uid ?? orphanKey(object.metadata.namespace)]);
}

/** What the owner controls, and the orphans of its namespace. */
export function candidatesOf<T extends KubeObject>(informer: Informer<T>, owner: KubeObject): readonly T[] {
  return [
    ...informer.byIndex(CONTROLLER_INDEX, owner.metadata.uid!),
    ...informer.byIndex(CONTROLLER_INDEX, orphanKey(owner.metadata.namespace)),
  ];
}

/** What the object with this uid controls. */
export function controlledBy<T extends KubeObject>(informer: Informer<T>, uid: string): readonly T[] {
  return informer.byIndex(CONTROLLER_INDEX, uid);
}

/** The cached owner a change concerns: the controller of the old and of the new object, when it is of this kind. */
export function ownerKeys(
  ref: ResourceRef,
): (change: { readonly old: KubeObject | undefined; readonly object: KubeObject | undefined }) => readonly string[] {
  return ({ old, object }) => {
    const keys = new Set<string>();
    for (const side of [old, object]) {
      const owner = side === undefined ? undefined : controllerOf(side);
      if (
        owner !== undefined &&
        owner.kind === ref.kind &&
        owner.apiVersion.split('/')[0] === (ref.group === '' ? ref.version : ref.group)
      ) {
        keys.add(`${side!.metadata.namespace}/${owner.name}`);
      }
    }
    return [...keys];
  };
}
