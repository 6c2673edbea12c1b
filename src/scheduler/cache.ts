// The scheduler's picture of the cluster: nodes with their pods, including pods that were placed and whose binding has
// not been seen yet (assumed). The snapshot costs what changed since the last one, not what the cluster holds.
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { type ObjectKey, keyOf } from '#machinery/object.ts';
import type { Snapshot } from './framework.ts';
import { type NodeInfo, makeNodeInfo, withNode, withPod, withoutPod } from './node-info.ts';
import { type PodInfo, makePodInfo } from './pod-info.ts';

/** How long an assumed pod is believed after its binding succeeded, while no watch confirms it. */
export const ASSUMED_TTL_MS = 30_000;

interface Placed {
  readonly info: PodInfo;
  readonly nodeName: string;
  readonly assumed: boolean;
  /** When an assumed pod is given up; undefined while its binding is under way. */
  readonly deadlineMs?: number;
}

const ZONE = 'topology.kubernetes.io/zone';

export class SchedulerCache {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Pod key → where it is. Pods on nodes that are not known (yet) are here, too. */
  readonly #pods = new Map<ObjectKey, Placed>();
  /** Node → keys of its pods, for nodes not known. */
  readonly #homeless = new Map<string, Set<ObjectKey>>();
  /** Image → number of nodes that have it. */
  readonly #images = new Map<string, number>();
  /** Nodes that differ from the snapshot. */
  readonly #dirty = new Set<string>();
  /** The order of nodes must be made anew. */
  #reorder = true;
  #list: NodeInfo[] = [];
  /** Node → its place in the list. */
  #position = new Map<string, number>();
  readonly #withAffinity = new Map<string, NodeInfo>();
  readonly #withAntiAffinity = new Map<string, NodeInfo>();

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  has(key: ObjectKey): boolean {
    return this.#pods.has(key);
  }

  isAssumed(key: ObjectKey): boolean {
    return this.#pods.get(key)?.assumed === true;
  }

  setNode(node: Node): void {
    const name = node.metadata.name!;
    const old = this.#nodes.get(name);
    if (old === undefined) {
      const pods = [...(this.#homeless.get(name) ?? [])].map((key) => this.#pods.get(key)!.info);
      this.#homeless.delete(name);
      this.#put(makeNodeInfo(node, pods));
      this.#reorder = true;
    } else {
      this.#put(withNode(old, node));
      if (old.node.metadata.labels?.[ZONE] !== node.metadata.labels?.[ZONE]) this.#reorder = true;
    }
    this.#countImages(old, -1);
    this.#countImages(this.#nodes.get(name), 1);
  }

  removeNode(name: string): void {
    const old = this.#nodes.get(name);
    if (old === undefined) return;
    this.#countImages(old, -1);
    this.#nodes.delete(name);
    if (old.pods.length > 0) this.#homeless.set(name, new Set(old.pods.map((p) => p.key)));
    this.#dirty.add(name);
    this.#reorder = true;
  }

  /** A pod the API says is on a node: confirms an assumption, or corrects it. */
  setPod(pod: Pod): void {
    const key = keyOf(pod);
    this.removePod(key);
    this.#place({ info: makePodInfo(pod), nodeName: pod.spec!.nodeName!, assumed: false });
  }

  removePod(key: ObjectKey): void {
    const placed = this.#pods.get(key);
    if (placed === undefined) return;
    this.#pods.delete(key);
    const node = this.#nodes.get(placed.nodeName);
    if (node !== undefined) return this.#put(withoutPod(node, key));
    const others = this.#homeless.get(placed.nodeName);
    others?.delete(key);
    if (others?.size === 0) this.#homeless.delete(placed.nodeName);
  }

  /** Counts the pod on the node from now on. */
  assume(info: PodInfo, nodeName: string): void {
    if (this.#pods.has(info.key)) throw new Error(`pod ${info.key} is placed already`);
    this.#place({ info, nodeName, assumed: true });
  }

  /** Its binding succeeded: the watch should tell soon. */
  bound(key: ObjectKey, nowMs: number): void {
    const placed = this.#pods.get(key);
    if (placed?.assumed === true) this.#pods.set(key, { ...placed, deadlineMs: nowMs + ASSUMED_TTL_MS });
  }

  /** Its binding failed. */
  forget(key: ObjectKey): void {
    if (this.isAssumed(key)) this.removePod(key);
  }

  /** Gives up assumed pods that were never confirmed; their keys. */
  expire(nowMs: number): readonly ObjectKey[] {
    const expired = [...this.#pods]
      .filter(([, p]) => p.assumed && p.deadlineMs !== undefined && p.deadlineMs <= nowMs)
      .map(([key]) => key);
    for (const key of expired) this.removePod(key);
    return expired;
  }

  /** The cluster as it is now. The one before is no longer valid. */
  snapshot(): Snapshot {
    for (const name of this.#dirty) {
      const info = this.#nodes.get(name);
      const at = this.#position.get(name);
      if (info !== undefined && at !== undefined) this.#list[at] = info;
      mark(this.#withAffinity, name, info, (info?.podsWithAffinity.length ?? 0) > 0);
      mark(this.#withAntiAffinity, name, info, (info?.podsWithAntiAffinity.length ?? 0) > 0);
    }
    this.#dirty.clear();
    if (this.#reorder) {
      this.#list = interleaveByZone([...this.#nodes.values()]);
      this.#position = new Map(this.#list.map((n, i) => [n.name, i]));
      this.#reorder = false;
    }
    return {
      nodes: this.#list,
      get: (name) => this.#nodes.get(name),
      withAffinity: this.#withAffinity.values().toArray(),
      withAntiAffinity: this.#withAntiAffinity.values().toArray(),
      imageNodes: (name) => this.#images.get(name) ?? 0,
    };
  }

  #place(placed: Placed): void {
    const { info, nodeName } = placed;
    this.#pods.set(info.key, placed);
    const node = this.#nodes.get(nodeName);
    if (node !== undefined) return this.#put(withPod(node, info));
    const others = this.#homeless.get(nodeName);
    if (others === undefined) this.#homeless.set(nodeName, new Set([info.key]));
    else others.add(info.key);
  }

  #put(info: NodeInfo): void {
    this.#nodes.set(info.name, info);
    this.#dirty.add(info.name);
  }

  #countImages(info: NodeInfo | undefined, by: number): void {
    for (const name of info?.images.keys() ?? []) {
      const n = (this.#images.get(name) ?? 0) + by;
      if (n === 0) this.#images.delete(name);
      else this.#images.set(name, n);
    }
  }
}

function mark(map: Map<string, NodeInfo>, name: string, info: NodeInfo | undefined, wanted: boolean): void {
  if (wanted && info !== undefined) map.set(name, info);
  else map.delete(name);
}

/** One node of each zone in turn, so that looking at a part of the nodes looks at all zones. */
export function interleaveByZone(nodes: readonly NodeInfo[]): NodeInfo[] {
  const zones = [...Map.groupBy(nodes, (n) => n.node.metadata.labels?.[ZONE] ?? '').values()];
  if (zones.length <= 1) return [...nodes];
  const out: NodeInfo[] = [];
  for (let i = 0; out.length < nodes.length; i++)
    for (const zone of zones) if (zone[i] !== undefined) out.push(zone[i]!);
  return out;
}

/** A snapshot of given nodes: for tests and for what-if questions. */
export function snapshotOf(nodes: readonly NodeInfo[]): Snapshot {
  const byName = new Map(nodes.map((n) => [n.name, n]));
  return {
    nodes,
    get: (name) => byName.get(name),
    withAffinity: nodes.filter((n) => n.podsWithAffinity.length > 0),
    withAntiAffinity: nodes.filter((n) => n.podsWithAntiAffinity.length > 0),
    imageNodes: (name) => nodes.filter((n) => n.images.has(name)).length,
  };
}
