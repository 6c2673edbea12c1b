// Affinity and anti-affinity between pods, over any topology. Required terms filter (those of pods already there hold
// against the newcomer, too), preferred ones score.
import type { Labels } from '#machinery/selectors.ts';
import { type Plugin, reject, rejectForGood } from '../framework.ts';
import type { Lister } from '../lister.ts';
import type { NodeInfo } from '../node-info.ts';
import { type AffinityTerm, type PodInfo, termMatches } from '../pod-info.ts';
import { MAX_SCORE } from './normalize.ts';

/** Topology key and value → how many pods (or how much weight). */
type Counts = Map<string, number>;

interface FilterState {
  /** Where pods already there do not want this one. */
  readonly existingAnti: Counts;
  /** For each of the pod's affinity terms: where pods are that match all of them. */
  readonly affinity: readonly Counts[];
  readonly antiAffinity: readonly Counts[];
  /** The pod matches its own affinity terms: the first of a group may go anywhere. */
  readonly matchesItself: boolean;
}

/** Upstream's hardPodAffinityWeight: required affinity of pods already there attracts the pods it speaks of. */
const HARD_AFFINITY_WEIGHT = 1;

const NO_AFFINITY = rejectForGood("node(s) didn't match pod affinity rules");
const ANTI_AFFINITY = reject("node(s) didn't match pod anti-affinity rules");
const EXISTING_ANTI = reject("node(s) didn't satisfy existing pods anti-affinity rules");

export function createInterPodAffinity(lister: Pick<Lister, 'namespace'>): Plugin<FilterState, Counts> {
  const labelsOf = (namespace: string): Labels | undefined => lister.namespace(namespace)?.metadata.labels;
  const matches = (term: AffinityTerm, other: PodInfo) => termMatches(term, other.pod, labelsOf);

  return {
    name: 'InterPodAffinity',
    interests: [
      { resource: 'AssignedPod', actions: ['Add', 'Update', 'Delete'] },
      { resource: 'Node', actions: ['Add', 'Update'] },
      { resource: 'Namespace', actions: ['Add', 'Update'] },
    ],

    preFilter: (pod, snapshot) => {
      const existingAnti: Counts = new Map();
      for (const node of snapshot.withAntiAffinity) {
        for (const other of node.podsWithAntiAffinity) {
          for (const term of other.antiAffinity) if (matches(term, pod)) count(existingAnti, term.topologyKey, node, 1);
        }
      }
      const own = pod.affinity.length > 0 || pod.antiAffinity.length > 0;
      if (!own && existingAnti.size === 0) return { skip: true };
      const affinity: Counts[] = pod.affinity.map(() => new Map());
      const antiAffinity: Counts[] = pod.antiAffinity.map(() => new Map());
      if (own) {
        for (const node of snapshot.nodes) {
          for (const other of node.pods) {
            if (pod.affinity.length > 0 && pod.affinity.every((term) => matches(term, other))) {
              pod.affinity.forEach((term, i) => count(affinity[i]!, term.topologyKey, node, 1));
            }
            pod.antiAffinity.forEach(
              (term, i) => matches(term, other) && count(antiAffinity[i]!, term.topologyKey, node, 1),
            );
          }
        }
      }
      return {
        state: {
          existingAnti,
          affinity,
          antiAffinity,
          matchesItself: pod.affinity.every((term) => matches(term, pod)),
        },
      };
    },

    filter: (state, pod, node) => {
      const labels = node.node.metadata.labels ?? {};
      const at = (term: AffinityTerm, counts: Counts) =>
        counts.get(topology(term.topologyKey, labels[term.topologyKey]!)) ?? 0;
      if (pod.affinity.length > 0) {
        if (pod.affinity.some((term) => labels[term.topologyKey] === undefined)) return NO_AFFINITY;
        const nobodyYet = state.matchesItself && state.affinity.every((counts) => counts.size === 0);
        if (!nobodyYet && !pod.affinity.every((term, i) => at(term, state.affinity[i]!) > 0)) return NO_AFFINITY;
      }
      if (
        pod.antiAffinity.some(
          (term, i) => labels[term.topologyKey] !== undefined && at(term, state.antiAffinity[i]!) > 0,
        )
      )
        return ANTI_AFFINITY;
      if (state.existingAnti.size > 0) {
        for (const key in labels) if (state.existingAnti.has(topology(key, labels[key]!))) return EXISTING_ANTI;
      }
      return undefined;
    },

    preScore: (pod, snapshot) => {
      const own = pod.preferredAffinity.length > 0 || pod.preferredAntiAffinity.length > 0;
      const weights: Counts = new Map();
      const nodes: Iterable<NodeInfo> = own ? snapshot.nodes : snapshot.withAffinity;
      for (const node of nodes) {
        for (const other of own ? node.pods : node.podsWithAffinity) {
          for (const term of pod.preferredAffinity)
            if (matches(term, other)) count(weights, term.topologyKey, node, term.weight);
          for (const term of pod.preferredAntiAffinity)
            if (matches(term, other)) count(weights, term.topologyKey, node, -term.weight);
          for (const term of other.affinity)
            if (matches(term, pod)) count(weights, term.topologyKey, node, HARD_AFFINITY_WEIGHT);
          for (const term of other.preferredAffinity)
            if (matches(term, pod)) count(weights, term.topologyKey, node, term.weight);
          for (const term of other.preferredAntiAffinity)
            if (matches(term, pod)) count(weights, term.topologyKey, node, -term.weight);
        }
      }
      return weights.size === 0 ? undefined : weights;
    },

    score: (weights, _pod, node) => {
      let sum = 0;
      const labels = node.node.metadata.labels ?? {};
      for (const key in labels) sum += weights.get(topology(key, labels[key]!)) ?? 0;
      return sum;
    },

    normalize: (scores) => {
      const min = Math.min(...scores);
      const range = Math.max(...scores) - min;
      return scores.map((s) => (range === 0 ? 0 : Math.floor((MAX_SCORE * (s - min)) / range)));
    },
  };
}

const topology = (key: string, value: string): string => `${key}=${value}`;

function count(counts: Counts, key: string, node: NodeInfo, by: number): void {
  const value = node.node.metadata.labels?.[key];
  if (value === undefined) return;
  const id = topology(key, value);
  counts.set(id, (counts.get(id) ?? 0) + by);
}
