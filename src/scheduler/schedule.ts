// One scheduling decision as a pure function: PreFilter, Filter, PreScore and Score over a snapshot. The same pod, the
// same snapshot, the same start and the same random numbers give the same node.
import type { Random } from '#base/random.ts';
import type { FilterFailure, ListedPlugin, Plugin, Rejection, Snapshot } from './framework.ts';
import { type NodeInfo, withPod } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

export interface ScheduleOptions {
  readonly plugins: readonly ListedPlugin[];
  readonly random: Random;
  /** Index of the node to look at first: the next of the last decision. */
  readonly start: number;
  /** Pods that are promised room on the node by preemption. */
  readonly nominated?: (nodeName: string) => readonly PodInfo[];
}

export type Decision =
  | {
      readonly kind: 'placed';
      readonly node: string;
      readonly evaluated: number;
      readonly feasible: number;
      readonly nextStart: number;
    }
  | { readonly kind: 'unschedulable'; readonly failure: FilterFailure };

/** Below this all nodes are looked at (upstream). */
const MIN_FEASIBLE = 100;
const MIN_PERCENTAGE = 5;

/** In a large cluster it is enough to find so many good nodes (upstream's adaptive percentageOfNodesToScore). */
export function feasibleNodesToFind(nodes: number): number {
  if (nodes < MIN_FEASIBLE) return nodes;
  const percentage = Math.max(MIN_PERCENTAGE, 50 - Math.floor(nodes / 125));
  return Math.max(MIN_FEASIBLE, Math.floor((nodes * percentage) / 100));
}

export function schedule(pod: PodInfo, snapshot: Snapshot, options: ScheduleOptions): Decision {
  const prepared = preFilter(pod, snapshot, options.plugins);
  if ('failure' in prepared) return { kind: 'unschedulable', failure: prepared.failure };
  const { filters, nodeNames } = prepared;
  const { nodes } = snapshot;
  // With and without those who are promised room: they may never come, and affinity may need them.
  const look = (node: NodeInfo) => {
    const crowded = withNominated(pod, node, options.nominated);
    return check(filters, pod, crowded) ?? (crowded === node ? undefined : check(filters, pod, node));
  };

  const wanted = feasibleNodesToFind(nodes.length);
  const feasible: NodeInfo[] = [];
  const rejections = new Map<string, Rejection & { readonly plugin: string }>();
  const plugins = new Set<string>();
  let evaluated = 0;
  for (; evaluated < nodes.length && feasible.length < wanted; evaluated++) {
    const node = nodes[(options.start + evaluated) % nodes.length]!;
    const rejection = nodeNames !== undefined && !nodeNames.names.has(node.name) ? nodeNames.rejection : look(node);
    if (rejection === undefined) feasible.push(node);
    else {
      rejections.set(node.name, rejection);
      plugins.add(rejection.plugin);
    }
  }
  if (feasible.length === 0) {
    return {
      kind: 'unschedulable',
      failure: { allNodes: nodes.length, rejections, preFilterMessage: undefined, plugins },
    };
  }
  const best =
    feasible.length === 1
      ? feasible[0]!
      : highest(feasible, score(pod, snapshot, feasible, options.plugins), options.random);
  const nextStart = nodes.length === 0 ? 0 : (options.start + evaluated) % nodes.length;
  return { kind: 'placed', node: best.name, evaluated, feasible: feasible.length, nextStart };
}

interface ActiveFilter {
  readonly plugin: Plugin<any, any>;
  readonly state: unknown;
}

interface Prepared {
  readonly filters: readonly ActiveFilter[];
  readonly nodeNames:
    | { readonly names: ReadonlySet<string>; readonly rejection: Rejection & { readonly plugin: string } }
    | undefined;
}

export function preFilter(
  pod: PodInfo,
  snapshot: Snapshot,
  plugins: readonly ListedPlugin[],
): Prepared | { readonly failure: FilterFailure } {
  const filters: ActiveFilter[] = [];
  let names: ReadonlySet<string> | undefined;
  const namers: string[] = [];
  for (const { plugin } of plugins) {
    const result = plugin.preFilter?.(pod, snapshot);
    if (result === undefined) {
      if (plugin.filter !== undefined) filters.push({ plugin, state: undefined });
    } else if ('rejection' in result) {
      const rejected = { ...result.rejection, plugin: plugin.name };
      const rejections = new Map(snapshot.nodes.map((n) => [n.name, rejected]));
      const failure = {
        allNodes: snapshot.nodes.length,
        rejections,
        preFilterMessage: result.rejection.reasons.join(', '),
        plugins: new Set([plugin.name]),
      };
      return { failure };
    } else if ('state' in result) {
      filters.push({ plugin, state: result.state });
      if (result.nodeNames !== undefined) {
        names = names?.intersection(result.nodeNames) ?? result.nodeNames;
        namers.push(plugin.name);
      }
    }
  }
  if (names === undefined) return { filters, nodeNames: undefined };
  const rejection = {
    reasons: [`node(s) didn't satisfy plugin(s) [${namers.join(' ')}]`],
    resolvable: false,
    plugin: namers[0]!,
  };
  return { filters, nodeNames: { names, rejection } };
}

/** The first rejection of the node; undefined when it is good. */
export function check(
  filters: readonly ActiveFilter[],
  pod: PodInfo,
  node: NodeInfo,
): (Rejection & { readonly plugin: string }) | undefined {
  for (const { plugin, state } of filters) {
    const rejection = plugin.filter!(state, pod, node);
    if (rejection !== undefined) return { ...rejection, plugin: plugin.name };
  }
  return undefined;
}

/** The node as it will be once the pods that were promised room there, and matter at least as much, have come. */
function withNominated(pod: PodInfo, node: NodeInfo, nominated: ScheduleOptions['nominated']): NodeInfo {
  let out = node;
  for (const other of nominated?.(node.name) ?? []) {
    if (other.key !== pod.key && other.priority >= pod.priority) out = withPod(out, other);
  }
  return out;
}

/** The sum of all plugins' weighted scores, in the order of `feasible`. */
export function score(
  pod: PodInfo,
  snapshot: Snapshot,
  feasible: readonly NodeInfo[],
  plugins: readonly ListedPlugin[],
): readonly number[] {
  const total = Array.from<number>({ length: feasible.length }).fill(0);
  for (const { plugin, weight } of plugins) {
    if (plugin.score === undefined || weight === 0) continue;
    const state: unknown = plugin.preScore?.(pod, snapshot, feasible);
    if (state === undefined) continue;
    const raw = feasible.map((node) => plugin.score!(state, pod, node));
    const scores = plugin.normalize?.(raw, state, feasible) ?? raw;
    for (let i = 0; i < total.length; i++) total[i]! += weight * scores[i]!;
  }
  return total;
}

/** One of the nodes with the highest score, each with equal chance. */
function highest(nodes: readonly NodeInfo[], scores: readonly number[], random: Random): NodeInfo {
  const max = Math.max(...scores);
  const best = nodes.filter((_, i) => scores[i] === max);
  return best[Math.floor(random.next() * best.length)]!;
}
