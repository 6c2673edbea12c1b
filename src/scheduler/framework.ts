// The extension points of scheduling and what passes between them. Upstream: the scheduling framework
// (PreEnqueue, QueueSort, PreFilter, Filter, PostFilter, PreScore, Score, Reserve, Permit, PreBind, Bind, PostBind).
// Everything up to Score is a pure function of a snapshot; effects begin with Reserve.
import type { Pod } from '#generated/api/core-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** Why a node, or a pod as a whole, is not good. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** False: no other pod's leaving could help (upstream's UnschedulableAndUnresolvable). */
  readonly resolvable: boolean;
}

export const reject = (...reasons: string[]): Rejection => ({ reasons, resolvable: true });
export const rejectForGood = (...reasons: string[]): Rejection => ({ reasons, resolvable: false });

/** The cluster at one moment. Valid until the cache makes the next one. */
export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  get(name: string): NodeInfo | undefined;
  /** Nodes with at least one pod that has affinity or anti-affinity terms. */
  readonly withAffinity: Iterable<NodeInfo>;
  /** Nodes with at least one pod that has required anti-affinity. */
  readonly withAntiAffinity: Iterable<NodeInfo>;
  /** On how many nodes the image is. */
  imageNodes(name: string): number;
}

export type PreFilterResult<S> =
  /** The plugin's Filter has nothing to say about this pod. */
  | { readonly skip: true }
  | { readonly rejection: Rejection }
  /** `nodeNames`: the only nodes worth looking at. */
  | { readonly state: S; readonly nodeNames?: ReadonlySet<string> };

/** A change in the cluster that may make a waiting pod schedulable. */
export interface ClusterEvent {
  readonly resource:
    | 'Node'
    | 'AssignedPod'
    | 'PersistentVolumeClaim'
    | 'PersistentVolume'
    | 'StorageClass'
    | 'CSINode'
    | 'Namespace';
  readonly action: 'Add' | 'Update' | 'Delete';
  readonly old: KubeObject | undefined;
  readonly object: KubeObject | undefined;
}

/** Which events end the wait of a pod that the plugin rejected. */
export interface EventInterest {
  readonly resource: ClusterEvent['resource'];
  readonly actions: readonly ClusterEvent['action'][];
  /** The queueing hint: whether this very event may help this pod. Absent: it may. */
  helps?(pod: PodInfo, event: ClusterEvent): boolean;
}

export type PermitResult = 'allow' | Rejection;

/** One plugin; the optional members are the extension points it takes part in. `S` and `P` are its own cycle state. */
export interface Plugin<S = unknown, P = unknown> {
  /** Upstream's name. */
  readonly name: string;
  readonly interests?: readonly EventInterest[];

  /** Keeps the pod out of the active queue. */
  preEnqueue?(pod: Pod): Rejection | undefined;
  /** Negative: `a` first. Exactly one plugin has it. */
  queueSort?(a: QueuedPod, b: QueuedPod): number;

  preFilter?(pod: PodInfo, snapshot: Snapshot): PreFilterResult<S>;
  /** Undefined: the node is good. A plugin without preFilter gets undefined as state. */
  filter?(state: S, pod: PodInfo, node: NodeInfo): Rejection | undefined;
  /** Asked when no node is good. `nominate`: a node on which room is being made. */
  postFilter?(pod: PodInfo, snapshot: Snapshot, failure: FilterFailure): PostFilterResult;

  /** Undefined skips scoring by this plugin. */
  preScore?(pod: PodInfo, snapshot: Snapshot, feasible: readonly NodeInfo[]): P | undefined;
  /** 0 to 100, unless the plugin normalizes. */
  score?(state: P, pod: PodInfo, node: NodeInfo): number;
  /** Brings raw scores to 0 to 100. */
  normalize?(scores: readonly number[], state: P, feasible: readonly NodeInfo[]): readonly number[];

  reserve?(pod: PodInfo, nodeName: string): Rejection | undefined;
  /** Takes reserve back; also called when it was never reached. */
  unreserve?(pod: PodInfo, nodeName: string): void;
  permit?(pod: PodInfo, nodeName: string): PermitResult;
  preBind?(pod: PodInfo, nodeName: string, signal: AbortSignal): Promise<void>;
  /** True when it bound the pod; false leaves it to the next. */
  bind?(pod: PodInfo, nodeName: string): Promise<boolean>;
  postBind?(pod: PodInfo, nodeName: string): void;
}

/** A pod that waits to be scheduled. */
export interface QueuedPod {
  readonly info: PodInfo;
  /** When it entered the queue first: order within a priority. */
  readonly addedMs: number;
  readonly order: number;
}

/** A plugin in its place of the list. */
export interface ListedPlugin {
  readonly plugin: Plugin<any, any>;
  /** Share of its score in the sum; 0 for plugins that do not score. */
  readonly weight: number;
}

/** What Filter found: node → who rejected it and why. */
export interface FilterFailure {
  readonly allNodes: number;
  readonly rejections: ReadonlyMap<string, Rejection & { readonly plugin: string }>;
  /** Set when PreFilter already refused the pod. */
  readonly preFilterMessage: string | undefined;
  /** Plugins whose events end the pod's wait. */
  readonly plugins: ReadonlySet<string>;
}

export interface PostFilterResult {
  /** For the message. */
  readonly message: string;
  readonly nominate?: { readonly node: string; readonly victims: readonly PodInfo[] };
}
