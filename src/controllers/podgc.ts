// Removes pods nobody else will: those of nodes that are gone, those stuck on nodes out of service, those deleted before they
// were placed, and the oldest ended ones above a threshold. Upstream: pkg/controller/podgc.
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { nodes, pods } from '#generated/resources.ts';
import type { Clock } from '#base/clock.ts';
import type { Informer } from '#client/client.ts';
import { isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { isNodeReady } from '#kinds/core/node.ts';
import { setCondition } from '#machinery/conditions.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import { isOutOfService } from './attachdetach.ts';
import { type ControllerDefinition, type ControllerDeps, type Outcome, watch } from './runtime/controller.ts';

/** Upstream's gcCheckPeriod. */
const CHECK_EVERY_MS = 20_000;
/** A node must be missing this long before its pods go: upstream's quarantineTime. */
const QUARANTINE_MS = 40_000;
/** Upstream's --terminated-pod-gc-threshold. */
const TERMINATED_MAX = 12_500;
const ROUND = 'round';

export const podGarbageCollector: ControllerDefinition = {
  name: 'pod-garbage-collector-controller',
  identity: 'pod-garbage-collector',
  build: (deps) => {
    const podInformer = deps.informers.informer(pods);
    const nodeInformer = deps.informers.informer(nodes);
    const collector = new PodCollector({ ...deps, pods: podInformer, nodes: nodeInformer });
    return {
      watches: [
        watch(podInformer, () => []),
        // A machine declared dead need not wait for the round.
        watch(nodeInformer, ({ old, object }) =>
          object !== undefined && isOutOfService(object) && (old === undefined || !isOutOfService(old)) ? [ROUND] : [],
        ),
      ],
      seeds: [ROUND],
      reconcile: () => collector.round(),
      workers: 1,
    };
  },
};

interface PodCollectorDeps extends Pick<ControllerDeps, 'client' | 'clock' | 'log'> {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
}

/** Why a pod is removed, and the condition that says so; undefined where upstream writes none. */
export interface Removal {
  readonly pod: Pod;
  readonly why: 'terminated' | 'orphaned' | 'out-of-service' | 'unscheduled';
  readonly message: string | undefined;
}

class PodCollector {
  readonly #deps: PodCollectorDeps;
  readonly #clock: Clock;
  /** Missing node → since when. */
  readonly #missing = new Map<string, number>();

  constructor(deps: PodCollectorDeps) {
    this.#deps = deps;
    this.#clock = deps.clock;
  }

  async round(): Promise<Outcome> {
    const all = this.#deps.pods.list();
    const gone = await this.#goneNodes(all);
    const failures: unknown[] = [];
    for (const removal of removals(all, this.#deps.nodes.list(), gone, TERMINATED_MAX)) {
      try {
        await this.#remove(removal);
      } catch (error) {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) failures.push(error);
      }
    }
    if (failures.length > 0)
      this.#deps.log.warn('some pods could not be removed', { count: failures.length, error: failures[0] });
    return { requeueAfterMs: CHECK_EVERY_MS };
  }

  /** Nodes that pods name and that have been missing long enough, asked for live. */
  async #goneNodes(all: readonly Pod[]): Promise<ReadonlySet<string>> {
    const named = new Set(all.flatMap((p) => (p.spec?.nodeName ? [p.spec.nodeName] : [])));
    for (const name of this.#missing.keys())
      if (!named.has(name) || this.#deps.nodes.get(name) !== undefined) this.#missing.delete(name);
    const gone = new Set<string>();
    const now = this.#clock.monotonic();
    for (const name of named) {
      if (this.#deps.nodes.get(name) !== undefined) continue;
      const since = this.#missing.get(name);
      if (since === undefined) this.#missing.set(name, now);
      else if (
        now - since >= QUARANTINE_MS &&
        (await this.#deps.client.resource(nodes).get(undefined, name)) === undefined
      )
        gone.add(name);
    }
    return gone;
  }

  async #remove({ pod, why, message }: Removal): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const client = this.#deps.client.resource(pods);
    if (!isPodTerminal(pod)) {
      const now = formatTime(this.#clock.now());
      const conditions =
        message === undefined
          ? pod.status?.conditions
          : setCondition(
              pod.status?.conditions,
              { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message },
              now,
            );
      await client.patch(
        namespace,
        name!,
        'application/merge-patch+json',
        { metadata: { uid }, status: { phase: 'Failed', conditions } },
        { subresource: 'status' },
      );
    }
    await client.delete(namespace, name!, { gracePeriodSeconds: 0, preconditions: { uid } });
    this.#deps.log.info('pod removed', { pod: `${namespace}/${name}`, why });
  }
}

export function removals(
  all: readonly Pod[],
  nodeList: readonly Node[],
  gone: ReadonlySet<string>,
  terminatedMax: number,
): readonly Removal[] {
  const dead = new Set(nodeList.filter((n) => isOutOfService(n) && !isNodeReady(n)).map((n) => n.metadata.name!));
  const leaving = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined;
  const ended = all
    .filter((pod) => isPodTerminal(pod) && !leaving(pod))
    .sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1));
  const surplus = ended.slice(0, Math.max(0, ended.length - terminatedMax));
  return [
    ...surplus.map((pod) => ({ pod, why: 'terminated' as const, message: undefined })),
    ...all
      .filter((pod) => gone.has(pod.spec?.nodeName ?? ''))
      .map((pod) => ({ pod, why: 'orphaned' as const, message: 'PodGC: node no longer exists' })),
    ...all
      .filter((pod) => leaving(pod) && dead.has(pod.spec?.nodeName ?? ''))
      .map((pod) => ({ pod, why: 'out-of-service' as const, message: undefined })),
    ...all
      .filter((pod) => leaving(pod) && !pod.spec?.nodeName)
      .map((pod) => ({ pod, why: 'unscheduled' as const, message: undefined })),
  ];
}
