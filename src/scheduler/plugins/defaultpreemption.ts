// Makes room for a pod by removing pods of lower priority: on the node where that costs least, and no more of them than
// needed. Only says what is to be done; the scheduler does it.
import type { Pod } from '#generated/api/core-v1.ts';
import { type LabelMatcher, matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { histogram } from '../diagnosis.ts';
import type { FilterFailure, ListedPlugin, Plugin, PostFilterResult, Snapshot } from '../framework.ts';
import type { Lister } from '../lister.ts';
import { type NodeInfo, withPod, withoutPod } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';
import { check, preFilter } from '../schedule.ts';
import { snapshotOf } from '../cache.ts';

interface Candidate {
  readonly node: string;
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

/** Upstream's minCandidateNodesAbsolute and minCandidateNodesPercentage. */
const MIN_CANDIDATES = 100;
const MIN_CANDIDATES_SHARE = 0.1;

const NOT_HELPFUL = { reasons: ['Preemption is not helpful for scheduling'] };
const NO_VICTIMS = { reasons: ['No preemption victims found for incoming pod'] };

/** `filters`: the list the plugin stands in. */
export function createDefaultPreemption(
  lister: Pick<Lister, 'budgets'>,
  filters: () => readonly ListedPlugin[],
): Plugin {
  return {
    name: 'DefaultPreemption',
    interests: [{ resource: 'AssignedPod', actions: ['Delete'] }],
    postFilter: (pod, snapshot, failure) => preempt(pod, snapshot, failure, filters(), lister),
  };
}

function preempt(
  pod: PodInfo,
  snapshot: Snapshot,
  failure: FilterFailure,
  plugins: readonly ListedPlugin[],
  lister: Pick<Lister, 'budgets'>,
): PostFilterResult {
  const ineligible = whyIneligible(pod, snapshot);
  if (ineligible !== undefined) return { message: `preemption: ${ineligible}` };
  const outcomes: { readonly reasons: readonly string[] }[] = [];
  const candidates: Candidate[] = [];
  const enough = Math.max(MIN_CANDIDATES, Math.floor(snapshot.nodes.length * MIN_CANDIDATES_SHARE));
  const whatIf = makeWhatIf(pod, snapshot, plugins);
  for (const node of snapshot.nodes) {
    if (candidates.length >= enough) break;
    if (failure.rejections.get(node.name)?.resolvable !== true) {
      outcomes.push(NOT_HELPFUL);
      continue;
    }
    const result = selectVictims(pod, node, whatIf, lister);
    if ('node' in result) candidates.push(result);
    else outcomes.push(result);
  }
  const best = candidates.sort(compareCandidates)[0];
  if (best !== undefined) return { message: '', nominate: { node: best.node, victims: best.victims } };
  return { message: `preemption: 0/${snapshot.nodes.length} nodes are available: ${histogram(outcomes)}.` };
}

function whyIneligible(pod: PodInfo, snapshot: Snapshot): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = snapshot.get(pod.pod.status?.nominatedNodeName ?? '');
  const leaving = nominated?.pods.some(
    (p) => p.priority < pod.priority && p.pod.metadata.deletionTimestamp !== undefined,
  );
  return leaving === true ? 'not eligible due to a terminating pod on the nominated node.' : undefined;
}

/** Whether the pod would be accepted by a changed node; undefined when so. */
type WhatIf = (node: NodeInfo) => { readonly reasons: readonly string[] } | undefined;

function makeWhatIf(pod: PodInfo, snapshot: Snapshot, plugins: readonly ListedPlugin[]): WhatIf {
  // Where other pods' places matter, the cycle state must be made anew for each changed node.
  const [anti] = snapshot.withAntiAffinity;
  const entangled =
    anti !== undefined ||
    pod.affinity.length > 0 ||
    pod.antiAffinity.length > 0 ||
    pod.claims.length > 0 ||
    (pod.pod.spec?.topologySpreadConstraints?.length ?? 0) > 0;
  const prepared = preFilter(pod, snapshot, plugins);
  return (node) => {
    const now = entangled
      ? preFilter(pod, snapshotOf(snapshot.nodes.map((n) => (n.name === node.name ? node : n))), plugins)
      : prepared;
    if ('failure' in now) return { reasons: [now.failure.preFilterMessage ?? ''] };
    return check(now.filters, pod, node);
  };
}

/** All lower pods away; then each is kept, from the highest on, if the pod still fits beside it. */
function selectVictims(
  pod: PodInfo,
  node: NodeInfo,
  whatIf: WhatIf,
  lister: Pick<Lister, 'budgets'>,
): Candidate | { readonly reasons: readonly string[] } {
  const lower = node.pods.filter((p) => p.priority < pod.priority);
  if (lower.length === 0) return NO_VICTIMS;
  let left = lower.reduce((n, p) => withoutPod(n, p.key), node);
  const refusal = whatIf(left);
  if (refusal !== undefined) return refusal;
  const { violating, others } = splitByBudgets(lower.sort(moreImportant), lister);
  const victims: PodInfo[] = [];
  let violations = 0;
  const keepOrTake = (p: PodInfo): boolean => {
    const kept = withPod(left, p);
    if (whatIf(kept) === undefined) {
      left = kept;
      return true;
    }
    victims.push(p);
    return false;
  };
  for (const p of violating) if (!keepOrTake(p)) violations++;
  for (const p of others) keepOrTake(p);
  return { node: node.name, victims: victims.sort(moreImportant), violations };
}

const startOf = (pod: Pod): string => pod.status?.startTime ?? pod.metadata.creationTimestamp ?? '';
/** Higher priority first, then who has run longer. */
const moreImportant = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || (startOf(a.pod) < startOf(b.pod) ? -1 : startOf(a.pod) > startOf(b.pod) ? 1 : 0);

function splitByBudgets(
  sorted: readonly PodInfo[],
  lister: Pick<Lister, 'budgets'>,
): { violating: readonly PodInfo[]; others: readonly PodInfo[] } {
  /** Budget → how many of its pods may still go. */
  const allowed = new Map<string, number>();
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const p of sorted) {
    let violates = false;
    for (const budget of lister.budgets(p.pod.metadata.namespace ?? '')) {
      const selector: LabelMatcher = matcherOf(budget.spec?.selector);
      if (
        !matchesLabels(selector, p.pod.metadata.labels) ||
        budget.status?.disruptedPods?.[p.pod.metadata.name!] !== undefined
      )
        continue;
      const name = `${budget.metadata.namespace}/${budget.metadata.name}`;
      const left = (allowed.get(name) ?? budget.status?.disruptionsAllowed ?? 0) - 1;
      allowed.set(name, left);
      if (left < 0) violates = true;
    }
    (violates ? violating : others).push(p);
  }
  return { violating, others };
}

/** Upstream's order: fewest violated budgets, lowest highest priority, lowest sum of priorities, fewest pods, latest start. */
function compareCandidates(a: Candidate, b: Candidate): number {
  const top = (c: Candidate) => c.victims[0]?.priority ?? Number.NEGATIVE_INFINITY;
  // Shifted so that more pods of negative priority do not count as less.
  const sum = (c: Candidate) => c.victims.reduce((total, v) => total + v.priority + 2 ** 31, 0);
  const earliest = (c: Candidate) =>
    c.victims
      .filter((v) => v.priority === top(c))
      .map((v) => startOf(v.pod))
      .sort()[0] ?? '';
  return (
    a.violations - b.violations ||
    top(a) - top(b) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    (earliest(a) > earliest(b) ? -1 : earliest(a) < earliest(b) ? 1 : 0)
  );
}
