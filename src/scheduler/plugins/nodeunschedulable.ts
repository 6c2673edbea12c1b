// Cordoned nodes take no pods but those that tolerate it.
import { toleratesAny } from '#kinds/core/pod/tolerations.ts';
import { type Plugin, rejectForGood } from '../framework.ts';

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const REJECTION = rejectForGood('node(s) were unschedulable');

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  interests: [{ resource: 'Node', actions: ['Add', 'Update'] }],
  filter: (_state, { pod }, { node }) =>
    node.spec?.unschedulable !== true || toleratesAny(pod.spec?.tolerations, TAINT) ? undefined : REJECTION,
};
