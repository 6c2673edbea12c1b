// Node selectors: of pods (nodeSelector and node affinity) and of volumes (where they can be reached). Upstream:
// component-helpers, scheduling/corev1/nodeaffinity.
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '#generated/api/core-v1.ts';

/** The terms are alternatives; a term without any requirement matches nothing. */
export function matchesNodeSelector(selector: NodeSelector, node: Node): boolean {
  return (selector.nodeSelectorTerms ?? []).some((term) => matchesNodeSelectorTerm(term, node));
}

export function matchesNodeSelectorTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    matchExpressions.every((r) => meets(r, Object.hasOwn(labels, r.key) ? labels[r.key] : undefined)) &&
    matchFields.every((r) => meets(r, r.key === 'metadata.name' ? node.metadata.name : undefined))
  );
}

function meets(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const { operator, values = [] } = requirement;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const [wanted] = values;
      if (value === undefined || wanted === undefined || !isInteger(value) || !isInteger(wanted)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(wanted) : BigInt(value) < BigInt(wanted);
    }
    default:
      return false;
  }
}

const isInteger = (text: string): boolean => /^[+-]?\d+$/.test(text);

/** Whether nodeSelector and required node affinity of the pod allow the node. */
export function podMayRunOn(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {})) {
    if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
  }
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesNodeSelector(required, node);
}
