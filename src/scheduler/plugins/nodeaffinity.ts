// nodeSelector and node affinity: required terms filter, preferred terms score.
import type { Node } from '#generated/api/core-v1.ts';
import { matchesNodeSelectorTerm, podMayRunOn } from '#kinds/core/node-selector.ts';
import { type Plugin, rejectForGood } from '../framework.ts';
import { normalizeUp } from './normalize.ts';

const REJECTION = rejectForGood("node(s) didn't match Pod's node affinity/selector");

export const nodeAffinity: Plugin<true, true> = {
  name: 'NodeAffinity',
  interests: [
    { resource: 'Node', actions: ['Add', 'Update'], helps: ({ pod }, { object }) => podMayRunOn(pod, object as Node) },
  ],
  preFilter: ({ pod }) => {
    const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined && pod.spec?.nodeSelector === undefined) return { skip: true };
    const names = required === undefined ? undefined : namedNodes(required.nodeSelectorTerms ?? []);
    return names === undefined ? { state: true } : { state: true, nodeNames: names };
  },
  filter: (_state, { pod }, { node }) => (podMayRunOn(pod, node) ? undefined : REJECTION),
  preScore: ({ pod }) =>
    (pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.length ?? 0) > 0
      ? true
      : undefined,
  score: (_state, { pod }, { node }) => {
    const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    return preferred.reduce(
      (sum, { weight, preference }) => (matchesNodeSelectorTerm(preference, node) ? sum + weight : sum),
      0,
    );
  },
  normalize: (scores) => normalizeUp(scores),
};

interface Term {
  readonly matchFields?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** The nodes that the terms name (DaemonSet pods do): undefined when some term leaves them open. */
function namedNodes(terms: readonly Term[]): ReadonlySet<string> | undefined {
  const out = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const named = matchFields.find((f) => f.key === 'metadata.name' && f.operator === 'In');
    if (named === undefined) return undefined;
    for (const name of named.values ?? []) out.add(name);
  }
  return out;
}
