// Taints keep pods away that do not tolerate them; PreferNoSchedule counts against a node.
import type { Node, Taint } from '#generated/api/core-v1.ts';
import { findUntolerated, toleratesAny } from '#kinds/core/pod/tolerations.ts';
import { type Plugin, rejectForGood } from '../framework.ts';
import { normalizeReversed } from './normalize.ts';

const REJECTION = rejectForGood('node(s) had untolerated taint(s)');
const HARD = ['NoSchedule', 'NoExecute'];

export const taintToleration: Plugin<unknown, true> = {
  name: 'TaintToleration',
  interests: [
    {
      resource: 'Node',
      actions: ['Add', 'Update'],
      helps: ({ pod }, { object }) =>
        findUntolerated((object as Node).spec?.taints, pod.spec?.tolerations, HARD) === undefined,
    },
  ],
  filter: (_state, { pod }, { node }) =>
    findUntolerated(node.spec?.taints, pod.spec?.tolerations, HARD) === undefined ? undefined : REJECTION,
  preScore: (_pod, _snapshot, feasible) => (feasible.some((n) => n.node.spec?.taints?.some(isSoft)) ? true : undefined),
  score: (_state, { pod }, { node }) =>
    (node.spec?.taints ?? []).filter((t) => isSoft(t) && !toleratesAny(pod.spec?.tolerations, t)).length,
  normalize: (scores) => normalizeReversed(scores),
};

const isSoft = (taint: Taint): boolean => taint.effect === 'PreferNoSchedule';
