// Questions to a pod's status beyond readiness (readiness.ts), as nodes and tables ask them.
import type { Pod } from '#generated/api/core-v1.ts';
import { podCondition } from './readiness.ts';

export const isPodInitialized = (pod: Pod): boolean => podCondition(pod, 'Initialized')?.status === 'True';

/** Addresses in order, the primary one first. */
export const podIPsOf = (pod: Pod): readonly string[] =>
  pod.status?.podIPs?.map((p) => p.ip) ?? (pod.status?.podIP === undefined ? [] : [pod.status.podIP]);
