// The words in which a pod is told why it cannot be placed: upstream's FitError, letter for letter.
import type { FilterFailure, Rejection } from './framework.ts';

/** `0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint(s). preemption: …` */
export function formatFailure(failure: FilterFailure, postFilterMessage: string): string {
  const head = `0/${failure.allNodes} nodes are available:`;
  const reasons = failure.preFilterMessage ?? histogram(failure.rejections.values());
  const body = reasons === '' ? '' : ` ${reasons}.`;
  return `${head}${body}${postFilterMessage === '' ? '' : ` ${postFilterMessage}`}`;
}

/** Each reason with the number of nodes that gave it, sorted as texts. */
export function histogram(rejections: Iterable<Pick<Rejection, 'reasons'>>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const lines = [...counts].map(([reason, n]) => `${n} ${reason}`);
  return lines.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).join(', ');
}
