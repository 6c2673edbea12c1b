// How many pods a budget's application should have: the sum over the controllers of the pods it selects. Upstream: the finders of
// pkg/controller/disruption.
import type { Scale } from '#generated/api/autoscaling-v1.ts';
import type { Deployment, ReplicaSet, StatefulSet } from '#generated/api/apps-v1.ts';
import type { Pod, ReplicationController } from '#generated/api/core-v1.ts';
import type { OwnerReference } from '#generated/api/meta-v1.ts';
import type { Client, Informer } from '#client/client.ts';
import { controllerOf, type KubeObject, makeKey, parseApiVersion } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import type { KindMapper } from '../runtime/kind-mapper.ts';

export interface ScaleSources {
  readonly deployments: Informer<Deployment>;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly statefulSets: Informer<StatefulSet>;
  readonly replicationControllers: Informer<ReplicationController>;
  /** For every other kind with a scale subresource. */
  readonly client: Client;
  readonly kinds: KindMapper;
}

export interface Expected {
  readonly pods: number;
  /** Names of pods that no controller makes. */
  readonly unmanaged: readonly string[];
}

/** The controller that decides how many pods there are, and its number. */
interface Scaled {
  readonly uid: string;
  readonly replicas: number;
}

/** Throws when a pod's controller has no number of replicas: then nobody can say how many there should be. */
export async function expectedPods(pods: readonly Pod[], sources: ScaleSources): Promise<Expected> {
  const unmanaged: string[] = [];
  /** Uid of what controls pods directly → what decides their number. */
  const byController = new Map<string, Scaled>();
  for (const pod of pods) {
    const owner = controllerOf(pod);
    if (owner === undefined) unmanaged.push(pod.metadata.name!);
    else if (!byController.has(owner.uid)) {
      const scaled = await scaleOf(owner, pod.metadata.namespace!, sources);
      if (scaled === undefined) throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
      byController.set(owner.uid, scaled);
    }
  }
  const distinct = new Map([...byController.values()].map((s) => [s.uid, s.replicas]));
  return { pods: [...distinct.values()].reduce((sum, n) => sum + n, 0), unmanaged };
}

async function scaleOf(owner: OwnerReference, namespace: string, sources: ScaleSources): Promise<Scaled | undefined> {
  const { group } = parseApiVersion(owner.apiVersion);
  const key = makeKey(namespace, owner.name);
  if (group === 'apps' && owner.kind === 'ReplicaSet') {
    const set = scaled(sources.replicaSets.get(key), owner.uid);
    const parent = set === undefined ? undefined : controllerOf(sources.replicaSets.get(key)!);
    // During a roll-out two sets share the number of their Deployment.
    if (parent?.kind === 'Deployment')
      return scaled(sources.deployments.get(makeKey(namespace, parent.name)), parent.uid) ?? set;
    return set;
  }
  if (group === 'apps' && owner.kind === 'StatefulSet') return scaled(sources.statefulSets.get(key), owner.uid);
  if (group === '' && owner.kind === 'ReplicationController')
    return scaled(sources.replicationControllers.get(key), owner.uid);
  return scaleSubresource(owner, namespace, sources);
}

export type Replicated = KubeObject & { readonly spec?: { readonly replicas?: number } };

const scaled = (object: Replicated | undefined, uid: string): Scaled | undefined =>
  object === undefined || object.metadata.uid !== uid ? undefined : { uid, replicas: object.spec?.replicas ?? 1 };

async function scaleSubresource(
  owner: OwnerReference,
  namespace: string,
  { client, kinds }: ScaleSources,
): Promise<Scaled | undefined> {
  const [ref] = await kinds.resourcesOf(owner);
  const { group, resource, scales } = ref!;
  if (!scales)
    throw new Error(`${resource}${group === '' ? '' : `.${group}`} does not implement the scale subresource`);
  try {
    const scale = await client.resource(ref!).getSubresource<Scale>(namespace, owner.name, 'scale');
    return { uid: scale.metadata?.uid ?? owner.uid, replicas: scale.spec?.replicas ?? 0 };
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}
