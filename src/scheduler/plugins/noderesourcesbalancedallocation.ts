// Prefers nodes on which cpu and memory would be used in equal shares.
import type { Plugin } from '../framework.ts';
import { MAX_SCORE } from './normalize.ts';

export const nodeResourcesBalancedAllocation: Plugin<unknown, true> = {
  name: 'NodeResourcesBalancedAllocation',
  // Pods without requests say nothing about balance (upstream skips best-effort pods, too).
  preScore: ({ requests }) => (requests.cpuMillis === 0 && requests.memoryBytes === 0 ? undefined : true),
  score: (_state, { requests }, { allocatable, requested }) => {
    const share = (total: number, used: number) => (total === 0 ? 1 : Math.min(1, used / total));
    const cpu = share(allocatable.cpuMillis, requested.cpuMillis + requests.cpuMillis);
    const memory = share(allocatable.memoryBytes, requested.memoryBytes + requests.memoryBytes);
    // The standard deviation of two values is half their distance.
    return Math.floor((1 - Math.abs(cpu - memory) / 2) * MAX_SCORE);
  },
};
