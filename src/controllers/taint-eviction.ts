// Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer. Upstream: pkg/controller/tainteviction.
import type { Node, Pod, Taint } from '#generated/api/core-v1.ts';
import { nodes, pods } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { toleratesTaint } from '#kinds/core/pod/tolerations.ts';
import { setCondition } from '#machinery/conditions.ts';
import { isStatus } from '#machinery/status.ts';
import { keyOf, type ObjectKey } from '#machinery/object.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import { NODE_INDEX, nodeOfPod } from './node-lifecycle/node-lifecycle.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from './runtime/controller.ts';
import { sameValue } from './runtime/equality.ts';

export const taintEvictionController: ControllerDefinition = {
  name: 'taint-eviction-controller',
  identity: 'node-controller',
  build: (deps) => {
    const podInformer = deps.informers.informer(pods);
    const nodeInformer = deps.informers.informer(nodes);
    podInformer.addIndex(NODE_INDEX, nodeOfPod);
    const controller = new TaintEviction({ ...deps, pods: podInformer, nodes: nodeInformer });
    return {
      // Keys are pods.
      watches: [
        watch(podInformer, ({ key, old, object }) =>
          sameValue([old?.spec?.nodeName, old?.spec?.tolerations], [object?.spec?.nodeName, object?.spec?.tolerations])
            ? []
            : [key],
        ),
        watch(nodeInformer, ({ key, old, object }) =>
          sameValue(noExecute(old), noExecute(object)) ? [] : podInformer.byIndex(NODE_INDEX, key).map(keyOf),
        ),
      ],
      reconcile: (key) => controller.reconcile(key),
    };
  },
};

const noExecute = (node: Node | undefined): readonly Taint[] =>
  (node?.spec?.taints ?? []).filter((t) => t.effect === 'NoExecute');

interface TaintEvictionDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
}

class TaintEviction {
  readonly #deps: TaintEvictionDeps;
  /** Pods that were told they will go. */
  readonly #marked = new Set<string>();

  constructor(deps: TaintEvictionDeps) {
    this.#deps = deps;
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const pod = this.#deps.pods.get(key);
    const node = pod?.spec?.nodeName ? this.#deps.nodes.get(pod.spec.nodeName) : undefined;
    if (pod === undefined || node === undefined || pod.metadata.deletionTimestamp !== undefined) {
      this.#marked.delete(key);
      return done;
    }
    const now = this.#deps.clock.now();
    const at = evictionTime(pod, noExecute(node), now);
    if (at === undefined) {
      if (this.#marked.delete(key))
        this.#deps.events.event(pod, pods, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
      return done;
    }
    if (at > now) {
      this.#marked.add(key);
      return { requeueAfterMs: at - now };
    }
    return this.#evict(pod);
  }

  async #evict(pod: Pod): Promise<Outcome> {
    const { namespace, name, uid } = pod.metadata;
    this.#deps.events.event(pod, pods, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${keyOf(pod)}`);
    const client = this.#deps.client.resource(pods);
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    };
    const conditions = setCondition(pod.status?.conditions, condition, formatTime(this.#deps.clock.now()));
    try {
      await client.patch(
        namespace,
        name!,
        'application/merge-patch+json',
        { metadata: { uid }, status: { conditions } },
        { subresource: 'status' },
      );
      await client.delete(namespace, name!, { preconditions: { uid } });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
    this.#marked.delete(keyOf(pod));
    return done;
  }
}

/** When the pod has to go; undefined: it may stay. A taint counts from timeAdded, so that a restart grants no new time. */
export function evictionTime(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    const tolerations = (pod.spec?.tolerations ?? []).filter((t) => toleratesTaint(t, taint));
    if (tolerations.length === 0) return nowMs;
    const seconds = tolerations.flatMap((t) => t.tolerationSeconds ?? []);
    if (seconds.length === 0) continue;
    const at = (parseTime(taint.timeAdded ?? '') ?? nowMs) + Math.max(0, Math.min(...seconds)) * 1000;
    earliest = Math.min(earliest ?? at, at);
  }
  return earliest;
}
