// Label selectors of API objects against labels, in one call.
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { type Labels, matcherOf, matcherOfMap, matchesLabels as matches } from '#machinery/selectors.ts';

/** metav1.LabelSelector: a missing selector matches nothing, an empty one everything. */
export function matchesLabelSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  return matches(matcherOf(selector), labels);
}

/** All pairs present: the selector of Services and ReplicationControllers. */
export function matchesLabels(wanted: Labels, labels: Labels | undefined): boolean {
  return matches(matcherOfMap(wanted), labels);
}
