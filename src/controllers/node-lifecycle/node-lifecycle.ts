// Watches whether nodes still speak (lease or status), says so in their conditions and taints, and marks their pods not ready.
// Evicting the pods is taint-eviction's work. Upstream: pkg/controller/nodelifecycle.
import type { Lease } from '#generated/api/coordination-v1.ts';
import type { Node, NodeCondition, Pod } from '#generated/api/core-v1.ts';
import { leases, nodes, pods } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';
import { findCondition, setCondition } from '#machinery/conditions.ts';

import { isStatus } from '#machinery/status.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from '../runtime/controller.ts';
import { sameValue } from '../runtime/equality.ts';
import { LARGE_CLUSTER_NODES, wantedTaints, type ZoneState, zoneOf, zoneState } from './taints.ts';

/** Silence after which a node is Unknown: four missed leases of ten seconds. (Upstream raised its default to 50 s in 1.32.) */
export const GRACE_MS = 40_000;
/** Silence allowed to a node that has just been registered: upstream's nodeStartupGracePeriod. */
const STARTUP_GRACE_MS = 60_000;
/** Upstream's nodeMonitorPeriod. */
const MONITOR_EVERY_MS = 5_000;
/** One node a zone may get NoExecute taints in this time: upstream's --node-eviction-rate 0.1, and 0.01 in a disrupted zone. */
const EVICTION_EVERY_MS = 10_000;
const DISRUPTED_EVICTION_EVERY_MS = 100_000;
const LEASE_NAMESPACE = 'kube-node-lease';

export const nodeLifecycleController: ControllerDefinition = {
  name: 'node-lifecycle-controller',
  identity: 'node-controller',
  build: (deps) => {
    const own = deps.informers.informer(nodes);
    const leaseInformer = deps.informers.informer(leases, { namespace: LEASE_NAMESPACE });
    const podInformer = deps.informers.informer(pods);
    podInformer.addIndex(NODE_INDEX, nodeOfPod);
    const reconciler = new NodeLifecycleReconciler({ ...deps, nodes: own, leases: leaseInformer, pods: podInformer });
    return {
      watches: [
        watch(own, ownKey),
        watch(leaseInformer, ({ object }) => (object === undefined ? [] : (reconciler.heard(object), []))),
        watch(podInformer, () => []),
      ],
      reconcile: (name) => reconciler.reconcile(name),
    };
  },
};

/** Pods by node. */
export const NODE_INDEX = 'node';
export const nodeOfPod = (pod: Pod): readonly string[] => (pod.spec?.nodeName ? [pod.spec.nodeName] : []);

interface NodeLifecycleDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly nodes: Informer<Node>;
  readonly leases: Informer<Lease>;
  readonly pods: Informer<Pod>;
}

/** What was last heard of a node, by this process' own clock: clocks of machines differ. */
interface Health {
  readonly uid: string;
  readonly heartbeat: string | undefined;
  readonly heardAtMs: number;
}

export class NodeLifecycleReconciler {
  readonly #deps: NodeLifecycleDeps;
  /** Node → what was heard. */
  readonly #health = new Map<string, Health>();
  /** Node → when its lease was last seen renewed. */
  readonly #leaseHeardAtMs = new Map<string, number>();
  /** Zone → when the next of its nodes may be tainted. */
  readonly #nextEvictionMs = new Map<string, number>();
  /** Node → whether it was Ready when last looked at. */
  readonly #wasReady = new Map<string, boolean>();

  constructor(deps: NodeLifecycleDeps) {
    this.#deps = deps;
  }

  /** A lease was renewed. */
  heard(lease: Lease): void {
    this.#leaseHeardAtMs.set(lease.metadata.name!, this.#now());
  }

  async reconcile(name: string): Promise<Outcome> {
    const cached = this.#deps.nodes.get(name);
    if (cached === undefined) {
      for (const map of [this.#health, this.#leaseHeardAtMs, this.#wasReady]) map.delete(name);
      return done;
    }
    const node = await this.#judge(cached);
    const ready = findCondition(node.status?.conditions, 'Ready')?.status;
    await this.#taint(node);
    const turned = this.#wasReady.get(name) === true && ready !== 'True';
    this.#wasReady.set(name, ready === 'True');
    if (turned)
      this.#deps.events.event(node, nodes, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    // A node that is silent cannot say it of its pods; one that reports itself not ready does so once told.
    if (turned || ready === 'Unknown') await this.#markPodsNotReady(node);
    return { requeueAfterMs: MONITOR_EVERY_MS };
  }

  /** The node, with its conditions Unknown when it was silent too long. */
  async #judge(node: Node): Promise<Node> {
    const name = node.metadata.name!;
    const known = this.#health.get(name);
    const ready = findCondition(node.status?.conditions, 'Ready');
    const heartbeat = ready?.lastHeartbeatTime;
    const isNew = known === undefined || known.uid !== node.metadata.uid;
    if (isNew || known.heartbeat !== heartbeat)
      this.#health.set(name, { uid: node.metadata.uid!, heartbeat, heardAtMs: this.#firstHeard(node, isNew) });
    const heardAtMs = Math.max(this.#health.get(name)!.heardAtMs, this.#leaseHeardAtMs.get(name) ?? 0);
    const grace = ready === undefined ? STARTUP_GRACE_MS : GRACE_MS;
    if (this.#now() - heardAtMs <= grace) return node;
    const conditions = silentConditions(node, formatTime(this.#now()));
    if (conditions === node.status?.conditions) return node;
    return this.#deps.client.resource(nodes).updateStatus({ ...node, status: { ...node.status, conditions } });
  }

  /** A node without any status counts from its creation; others from now, since their clock is not ours. */
  #firstHeard(node: Node, isNew: boolean): number {
    const neverSpoke = isNew && findCondition(node.status?.conditions, 'Ready') === undefined;
    return neverSpoke ? (parseTime(node.metadata.creationTimestamp ?? '') ?? this.#now()) : this.#now();
  }

  async #taint(node: Node): Promise<void> {
    const taints = wantedTaints(node, this.#mayEvict(node), formatTime(this.#now()));
    if (sameValue(taints, node.spec?.taints)) return;
    const { name, uid, resourceVersion } = node.metadata;
    await this.#deps.client.resource(nodes).patch(undefined, name!, 'application/merge-patch+json', {
      metadata: { uid, resourceVersion },
      spec: { taints },
    });
  }

  /** True: now; false: not at all; undefined: not yet, leave it as it is. */
  #mayEvict(node: Node): boolean | undefined {
    if (isReady(node)) return true;
    const all = this.#deps.nodes.list();
    const states = new Map<string, ZoneState>();
    for (const [zone, members] of Map.groupBy(all, zoneOf)) {
      const ready = members.filter(isReady).length;
      states.set(zone, zoneState(ready, members.length - ready));
    }
    // Everything looks dead: more likely this end of the network is.
    if ([...states.values()].every((s) => s === 'FullDisruption')) return false;
    const zone = zoneOf(node);
    const disrupted = states.get(zone) === 'PartialDisruption';
    if (disrupted && all.length <= LARGE_CLUSTER_NODES) return undefined;
    const held = node.spec?.taints?.some(
      (t) =>
        t.effect === 'NoExecute' &&
        t.key.startsWith('node.kubernetes.io/') &&
        (t.key.endsWith('not-ready') || t.key.endsWith('unreachable')),
    );
    if (held === true) return true;
    if (this.#now() < (this.#nextEvictionMs.get(zone) ?? 0)) return undefined;
    this.#nextEvictionMs.set(zone, this.#now() + (disrupted ? DISRUPTED_EVICTION_EVERY_MS : EVICTION_EVERY_MS));
    return true;
  }

  async #markPodsNotReady(node: Node): Promise<void> {
    const now = formatTime(this.#now());
    for (const pod of this.#deps.pods.byIndex(NODE_INDEX, node.metadata.name!)) {
      if (!isPodReady(pod)) continue;
      const ready = { ...findCondition(pod.status!.conditions, 'Ready')!, status: 'False', lastTransitionTime: now };
      const conditions = setCondition(pod.status!.conditions, ready, now);
      const { namespace, name, uid, resourceVersion } = pod.metadata;
      try {
        await this.#deps.client
          .resource(pods)
          .patch(
            namespace,
            name!,
            'application/merge-patch+json',
            { metadata: { uid, resourceVersion }, status: { conditions } },
            { subresource: 'status' },
          );
        this.#deps.events.event(pod, pods, 'Warning', 'NodeNotReady', 'Node is not ready');
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}

const isReady = (node: Node): boolean => findCondition(node.status?.conditions, 'Ready')?.status === 'True';

const SILENT_TYPES = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** Conditions of a node that stopped speaking, or never did; the same list when they say so already. */
export function silentConditions(node: Node, now: string): readonly NodeCondition[] | undefined {
  let conditions = node.status?.conditions;
  for (const type of SILENT_TYPES) {
    const present = findCondition(conditions, type);
    if (present?.status === 'Unknown') continue;
    const next: NodeCondition =
      present === undefined
        ? {
            type,
            status: 'Unknown',
            reason: 'NodeStatusNeverUpdated',
            message: 'Kubelet never posted node status.',
            lastHeartbeatTime: node.metadata.creationTimestamp,
            lastTransitionTime: now,
          }
        : {
            ...present,
            status: 'Unknown',
            reason: 'NodeStatusUnknown',
            message: 'Kubelet stopped posting node status.',
            lastTransitionTime: now,
          };
    conditions = setCondition(conditions, next, now);
  }
  return conditions;
}
