// Pods with scheduling gates wait outside the queue until all are lifted.
import { type Plugin, rejectForGood } from '../framework.ts';

export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue: (pod) => {
    const gates = pod.spec?.schedulingGates ?? [];
    return gates.length === 0
      ? undefined
      : rejectForGood(`waiting for scheduling gates: [${gates.map((g) => g.name).join(' ')}]`);
  },
};
