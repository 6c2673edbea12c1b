// Phase and condition questions beyond readiness (readiness.ts), as nodes and tables ask them.
import type { ContainerStatus, Pod } from '#generated/api/core-v1.ts';
import { podCondition } from './readiness.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export const phaseOf = (pod: Pod): PodPhase => (pod.status?.phase ?? 'Pending') as PodPhase;

export const isPodScheduled = (pod: Pod): boolean => (pod.spec?.nodeName ?? '') !== '';

export const isPodInitialized = (pod: Pod): boolean => podCondition(pod, 'Initialized')?.status === 'True';

export const isPodTerminatingNow = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

/** Addresses in order, the primary one first. */
export const podIPsOf = (pod: Pod): readonly string[] =>
  pod.status?.podIPs?.map((p) => p.ip) ?? (pod.status?.podIP === undefined ? [] : [pod.status.podIP]);

export const containerStatusOf = (pod: Pod, name: string): ContainerStatus | undefined =>
  [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.ephemeralContainerStatuses ?? []),
  ].find((s) => s.name === name);
