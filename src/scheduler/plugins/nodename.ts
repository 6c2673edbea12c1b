// A pod that names its node fits only there.
import { type Plugin, rejectForGood } from '../framework.ts';

const REJECTION = rejectForGood("node(s) didn't match the requested node name");

export const nodeName: Plugin = {
  name: 'NodeName',
  interests: [{ resource: 'Node', actions: ['Add'] }],
  filter: (_state, { pod }, node) => {
    const wanted = pod.spec?.nodeName ?? '';
    return wanted === '' || wanted === node.name ? undefined : REJECTION;
  },
};
