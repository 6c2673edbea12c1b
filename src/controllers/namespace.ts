// Empties namespaces that are being deleted: pods first, then everything else that discovery names; reports what is left in
// conditions, and takes the `kubernetes` finalizer off when nothing is. Upstream: pkg/controller/namespace.
import type { Namespace, NamespaceCondition, Pod } from '#generated/api/core-v1.ts';
import { namespaces } from '#generated/resources.ts';
import type { Client, Informer } from '#client/client.ts';
import { setCondition } from '#machinery/conditions.ts';
import type { KubeObject, ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from './runtime/controller.ts';
import { type DiscoveredResource, discover, supports } from './runtime/discovery.ts';
import { sameValue } from './runtime/equality.ts';

const FINALIZER = 'kubernetes';

export const namespaceController: ControllerDefinition = {
  name: 'namespace-controller',
  identity: 'namespace-controller',
  build: (deps) => {
    const own = deps.informers.informer(namespaces);
    const reconciler = new NamespaceReconciler({ ...deps, namespaces: own });
    return {
      watches: [watch(own, ({ key, object }) => (object?.metadata.deletionTimestamp === undefined ? [] : [key]))],
      reconcile: (key) => reconciler.reconcile(key),
      workers: 10,
      // Upstream's: a namespace in trouble is looked at again within a minute.
      backoff: { baseMs: 5, maxMs: 60_000 },
    };
  },
};

interface NamespaceDeps extends Pick<ControllerDeps, 'client' | 'clock'> {
  readonly namespaces: Informer<Namespace>;
}

/** What a round of deleting left behind. */
export interface Leftovers {
  /** Resource (`pods`, `jobs.batch`) → objects that remain. */
  readonly remaining: ReadonlyMap<string, number>;
  /** Finalizer → objects that wait for it. */
  readonly finalizers: ReadonlyMap<string, number>;
  readonly discoveryError: string | undefined;
  readonly contentError: string | undefined;
  /** Until the longest grace of a remaining pod is over. */
  readonly estimateSeconds: number;
}

class NamespaceReconciler {
  readonly #deps: NamespaceDeps;
  readonly #client: Client;

  constructor(deps: NamespaceDeps) {
    this.#deps = deps;
    this.#client = deps.client;
  }

  async reconcile(name: ObjectKey): Promise<Outcome> {
    if (this.#deps.namespaces.get(name)?.metadata.deletionTimestamp === undefined) return done;
    const client = this.#client.resource(namespaces);
    let namespace = await client.get(undefined, name);
    if (namespace?.metadata.deletionTimestamp === undefined) return done;
    if (namespace.status?.phase !== 'Terminating')
      namespace = await client.updateStatus({ ...namespace, status: { ...namespace.status, phase: 'Terminating' } });
    if (!(namespace.spec?.finalizers ?? []).includes(FINALIZER)) return done;

    const left = await this.#empty(name);
    const conditions = namespaceConditions(namespace, left, formatTime(this.#deps.clock.now()));
    if (!sameValue(conditions, namespace.status?.conditions))
      namespace = await client.updateStatus({ ...namespace, status: { ...namespace.status, conditions } });
    if (left.discoveryError !== undefined || left.contentError !== undefined)
      throw new Error(left.discoveryError ?? left.contentError);
    if (left.remaining.size > 0) return { requeueAfterMs: (Math.floor(left.estimateSeconds / 2) + 1) * 1000 };
    const finalizers = namespace.spec!.finalizers!.filter((f) => f !== FINALIZER);
    await client.updateSubresource(undefined, name, 'finalize', {
      ...namespace,
      spec: { ...namespace.spec, finalizers },
    });
    return done;
  }

  async #empty(namespace: string): Promise<Leftovers> {
    const remaining = new Map<string, number>();
    const finalizers = new Map<string, number>();
    const errors: string[] = [];
    let estimateSeconds = 0;
    const discovery = await discover(this.#client);
    const deletable = discovery.resources.filter((r) => r.namespaced && supports(r, 'delete', 'list'));
    const isPods = (r: DiscoveredResource) => r.group === '' && r.resource === 'pods';
    // Pods first: they may need what else is here (Secrets, NetworkPolicies) until they have ended.
    for (const stage of [deletable.filter(isPods), deletable.filter((r) => !isPods(r))]) {
      for (const resource of stage) {
        try {
          const left = await this.#clear(resource, namespace);
          if (left.length === 0) continue;
          remaining.set(qualified(resource), left.length);
          for (const object of left)
            for (const f of object.metadata.finalizers ?? []) finalizers.set(f, (finalizers.get(f) ?? 0) + 1);
          if (isPods(resource))
            estimateSeconds = Math.max(
              ...(left as readonly Pod[]).map(
                (p) => p.metadata.deletionGracePeriodSeconds ?? p.spec?.terminationGracePeriodSeconds ?? 30,
              ),
            );
        } catch (error) {
          // A resource that vanished or refuses the verb has nothing of ours.
          if (!isStatus(error, 'NotFound') && !isStatus(error, 'MethodNotAllowed'))
            errors.push((error as Error).message);
        }
      }
      if (remaining.size > 0) break;
    }
    const { failures } = discovery;
    return {
      remaining,
      finalizers,
      discoveryError:
        failures.length === 0
          ? undefined
          : `Discovery failed for some groups, ${failures.length} failing: unable to retrieve the complete list of server APIs: ${failures.map((f) => `${f.groupVersion}: ${f.error}`).join(', ')}`,
      contentError:
        errors.length === 0
          ? undefined
          : `Failed to delete all resource types, ${errors.length} remaining: ${errors.join(', ')}`,
      estimateSeconds,
    };
  }

  /** Deletes everything of the resource in the namespace and returns what is still there. */
  async #clear(ref: DiscoveredResource, namespace: string): Promise<readonly KubeObject[]> {
    const client = this.#client.resource(ref);
    const before = await client.list({ namespace });
    if (before.items.length === 0) return [];
    const options = { propagationPolicy: 'Background' } as const;
    if (supports(ref, 'deletecollection')) await client.deleteCollection({ namespace }, options);
    else for (const object of before.items) await client.delete(namespace, object.metadata.name!, options);
    return (await client.list({ namespace })).items;
  }
}

const qualified = ({ resource, group }: DiscoveredResource): string =>
  group === '' ? `${resource}.` : `${resource}.${group}`;

/** Upstream's five conditions; those that are well are written only once they were not. */
export function namespaceConditions(namespace: Namespace, left: Leftovers, now: string): readonly NamespaceCondition[] {
  const list = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string) =>
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, n]) => text(k, n))
      .join(', ');
  const wanted: readonly NamespaceCondition[] = [
    left.discoveryError === undefined
      ? {
          type: 'NamespaceDeletionDiscoveryFailure',
          status: 'False',
          reason: 'ResourcesDiscovered',
          message: 'All resources successfully discovered',
        }
      : {
          type: 'NamespaceDeletionDiscoveryFailure',
          status: 'True',
          reason: 'DiscoveryFailed',
          message: left.discoveryError,
        },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    left.contentError === undefined
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        }
      : {
          type: 'NamespaceDeletionContentFailure',
          status: 'True',
          reason: 'ContentDeletionFailed',
          message: left.contentError,
        },
    left.remaining.size === 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'False',
          reason: 'ContentRemoved',
          message: 'All content successfully removed',
        }
      : {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${list(left.remaining, (r, n) => `${r} has ${n} resource instances`)}`,
        },
    left.finalizers.size === 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${list(left.finalizers, (f, n) => `${f} in ${n} resource instances`)}`,
        },
  ];
  let conditions = namespace.status?.conditions ?? [];
  for (const condition of wanted) conditions = setCondition(conditions, condition, now);
  return conditions;
}
